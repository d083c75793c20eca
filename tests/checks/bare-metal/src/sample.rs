//! The key for the figures, the same as in `benches/key.rs`: a payload of 135 bytes with two scopes, an expiry and
//! meta.

pub const SECRET: &[u8] = b"2014e90b82285ea7888b4a091409ecfcd6a6536fc62d5dcf3e1fd31f6bf54ea1";
pub const NOW: i64 = 1_760_000_000;
pub const KEY: &str = "apikee_2LtHrMhPw2NPGLFNmwxsck9ShglZzH15fi7j7e4RVARHK5rcK2v9C9ua5gPYTbM12QzpLYsoSu4wxCVZhEyDwiUskS7jPdopxbMCZdX9ZcsI4WgkIdEF6aZjLx2CmaelS3sG2uBei9UYnHkVrdx3KVqnFUQRuy3oFmLKqLC8Xx0cIYtDcPzlnx.jXIMIgZNjI6s371NDEBpioModmalhTw8HIdmofBarSV";

/// The same key, in memory that the emulator fills. A device receives keys over the wire, so they take no flash.
#[cfg(target_arch = "arm")]
#[unsafe(link_section = ".input.key")]
pub static KEY_IN_RAM: [u8; KEY.len()] = in_ram(KEY.as_bytes());

#[cfg(target_arch = "arm")]
const fn in_ram<const N: usize>(bytes: &[u8]) -> [u8; N] {
    *bytes.first_chunk().unwrap()
}

#[cfg(feature = "envelope")]
pub use server::*;

#[cfg(feature = "envelope")]
mod server {
    /// The platform's keys, from the vector `request-0`.
    pub const SERVER_PRIVATE: [u8; 32] = *b"\xa5\x4d\xca\x18\x25\x30\xbb\x1d\x6d\x13\x2c\xde\xd6\x23\x7b\x2e\xd9\x1e\x3f\x72\x1f\xcb\x19\x71\x17\x44\x94\xd6\x49\x3c\x9d\x5c";
    pub const SERVER_PUBLIC_BYTES: [u8; 32] = *b"\x13\x2b\xea\x5c\xbf\x3f\xc7\xa9\x94\x3c\x6e\xa6\xc9\xb5\x52\x2d\x15\xb4\x66\xd4\x1d\x56\xe4\xec\xba\x15\x45\x7b\xb3\x76\x61\x05";
    pub const SERVER_PUBLIC: &str = "132bea5cbf3fc7a9943c6ea6c9b5522d15b466d41d56e4ecba15457bb3766105";

    /// A request of 450 bytes, as in `benches/envelope.rs`.
    pub const REQUEST: &[u8] = &[b'x'; 450];
    /// The same request, in memory that the emulator fills: a device makes requests at run time.
    #[cfg(target_arch = "arm")]
    #[unsafe(link_section = ".input.request")]
    pub static REQUEST_IN_RAM: [u8; REQUEST.len()] = super::in_ram(REQUEST);
    pub const ANSWER: &[u8] = br#"{"success":true,"clientId":"497f6eca-6276-4993-bfeb-53cbbbba6f08","durationMs":3}"#;
}
