//! The key that figures are about, the one of `benches/key.rs`: a payload of 135 bytes with two scopes, an
//! expiry and meta.

pub const SECRET: &[u8] = b"2014e90b82285ea7888b4a091409ecfcd6a6536fc62d5dcf3e1fd31f6bf54ea1";
pub const NOW: i64 = 1_760_000_000;
pub const KEY: &str = "apikee_2LtHrMhPw2NPGLFNmwxsck9ShglZzH15fi7j7e4RVARHK5rcK2v9C9ua5gPYTbM12QzpLYsoSu4wxCVZhEyDwiUskS7jPdopxbMCZdX9ZcsI4WgkIdEF6aZjLx2CmaelS3sG2uBei9UYnHkVrdx3KVqnFUQRuy3oFmLKqLC8Xx0cIYtDcPzlnx.jXIMIgZNjI6s371NDEBpioModmalhTw8HIdmofBarSV";

#[cfg(feature = "envelope")]
pub use server::*;

#[cfg(feature = "envelope")]
mod server {
    /// The platform's keys, those of the vector `request-0`.
    pub const SERVER_PRIVATE: [u8; 32] = *b"\xa5\x4d\xca\x18\x25\x30\xbb\x1d\x6d\x13\x2c\xde\xd6\x23\x7b\x2e\xd9\x1e\x3f\x72\x1f\xcb\x19\x71\x17\x44\x94\xd6\x49\x3c\x9d\x5c";
    pub const SERVER_PUBLIC: &str = "132bea5cbf3fc7a9943c6ea6c9b5522d15b466d41d56e4ecba15457bb3766105";

    /// A request of 450 bytes, as in `benches/envelope.rs`, and an answer.
    pub const REQUEST: &[u8] = &[b'x'; 450];
    pub const ANSWER: &[u8] = br#"{"success":true,"clientId":"497f6eca-6276-4993-bfeb-53cbbbba6f08","durationMs":3}"#;
}
