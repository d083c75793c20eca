//! Envelopes: the messages of server mode (docs/WIRE.md, "Envelopes").
//!
//! ```text
//! {"v":"1","epk":b64u(32),"iv":b64u(12),"ct":b64u(ciphertext || 16-byte tag)}
//!
//! key = HKDF-SHA256(X25519(ephemeral secret, server's public key), no salt, "apikee-v1")
//! ct  = AES-256-GCM(key, iv, plaintext)
//!
//!   client   ServerKey ── Session::establish ── seal ──> Pending ── open ──> Opened
//!                                                 │                  ^
//!                                              request            answer
//!                                                 v                  │
//!   server   Recipient ───────────────────────── open ──> Reply ── seal
//! ```
//!
//! Each stage is a type that is moved by value: a session seals one request, a pending opens one answer, a reply seals
//! the answer to one request. A session may be established ahead of time. Its nonce is drawn only when it seals, so
//! that a fork or a snapshot in between cannot use a key with the same nonce twice.

mod base64url;
mod recipient;
mod server_key;
mod session;
mod wire;

pub use recipient::{Recipient, Reply};
pub use server_key::{ServerKey, ServerKeyError};
pub use session::{EstablishError, Opened, Pending, Session, SessionPool};
pub use wire::{OpenError, SealError, sealed_len};
