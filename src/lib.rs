// The README's example draws an id and reads the clock.
#![cfg_attr(all(feature = "std", feature = "getrandom"), doc = include_str!("../README.md"))]
#![cfg_attr(
    not(all(feature = "std", feature = "getrandom")),
    doc = "Issue and verify Apikee API keys: a `no_std` kernel without allocation."
)]
//! # Map
//!
//! | module | knows |
//! |---|---|
//! | `emulator` | the platform on loopback, with the feature `emulator` |
//! | `web` | the guard in front of a service's routes, with the feature `web` |
//! | `client` | the blocking client and its transports, with the feature `client` |
//! | `protocol` | the platform's requests and answers, with the feature `envelope` |
//! | `breaker` | when to stop asking a platform that does not answer: [`Breaker`] |
//! | `policy` | what an answer or an outage means for a request: [`Policy`], [`Grant`], [`Denial`] |
//! | `envelope` | sealing and opening what goes over the wire, likewise |
//! | `key` | keys: claims, verification, issue, fingerprints; all of it is re-exported here |
//! | `json`, `text`, `names` | bounded readers over borrowed bytes |
//! | `network` | networks as text |
//! | `error` | the shape that most error types have |
//! | `hex` | hexadecimal text of a known length |
//! | `buf` | the one cursor that everything is written through |
//! | `crypto` | HMAC, SHA-256, HKDF, X25519, AES-GCM; nothing else names what implements them |
//! | `time` | [`UnixTime`]; the clock only with `std` |
//!
//! Arrows point down this table only. [`embedding`] is a guide for firmware.
#![cfg_attr(not(test), no_std)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]
#![warn(unreachable_pub)]
// Tests may panic; that is how they fail.
#![cfg_attr(
    not(test),
    warn(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::std_instead_of_core
    )
)]

#[cfg(feature = "std")]
extern crate std;

mod breaker;
mod buf;
#[cfg(feature = "client")]
mod client;
mod crypto;
pub mod embedding;
#[cfg(feature = "emulator")]
mod emulator;
#[cfg(feature = "envelope")]
mod envelope;
mod error;
mod hex;
mod json;
mod key;
mod names;
#[cfg(any(feature = "emulator", feature = "web"))]
mod network;
mod policy;
#[cfg(feature = "envelope")]
mod protocol;
mod text;
mod time;
#[cfg(feature = "web")]
pub mod web;

pub use breaker::{
    Breaker, BreakerChange, BreakerConfig, BreakerConfigError, BreakerOpen, BreakerState, ClientPermit, ClientRef,
    ClientSlot, ClientTable, Evidence, Health, Permit, RefusalMemory,
};
pub use buf::BufferTooSmall;
#[cfg(feature = "log")]
pub use client::LogObserver;
#[cfg(feature = "tracing")]
pub use client::TracingObserver;
#[cfg(feature = "client")]
pub use client::{
    Apikee, ApikeeBuilder, Audit, AuthorizeRequest, Call, ClientIssueError, ConfigError, Enforcement, Event, FileError,
    FileProblem, Issued, NewClient, Observer, Received, Revocations, Setting, Transport, TransportError, Upsert,
    WatchedFile,
};
#[cfg(feature = "request-signing")]
pub use client::{RequestSigner, SignerError};
#[cfg(feature = "ureq")]
pub use client::{UreqTransport, UreqTransportBuilder, UreqTransportError};
#[cfg(all(feature = "emulator", feature = "request-signing"))]
pub use emulator::InvalidSigningKey;
#[cfg(feature = "emulator")]
pub use emulator::{
    EmulatedClient, EmulatedTemplate, Emulator, EmulatorBuilder, EmulatorError, InvalidMisbehaviour, LoggedRequest,
    Misbehaviour, Occasion, RegisteredEndpoint, RequestKind, StateFileError,
};
#[cfg(feature = "envelope")]
pub use envelope::{
    EstablishError, OpenError, Opened, Pending, Recipient, Reply, SealError, ServerKey, ServerKeyError, Session,
    SessionPool, sealed_len,
};
pub use json::{InvalidJsonObject, JsonObject};
pub use key::{
    Array, ArrayIter, Claims, DenyList, Encoding, Expiry, Fingerprint, InvalidDuration, InvalidFingerprint, IssueError,
    KeyError, KeyId, Keyring, KeyringError, MAX_PAYLOAD_LEN, MAX_SECRETS, Meta, MetaIter, MissingScopes, NewKey,
    Number, PREFIX, STRONG_SECRET_LEN, Scopes, Unsorted, UntrustedClaims, UntrustedKey, Value, VerifiedKey,
    issue_buffer_len, log_prefix, verify_buffer_len,
};
#[cfg(feature = "std")]
pub use key::{OwnedClaims, OwnedKey};
#[cfg(any(feature = "emulator", feature = "web"))]
pub use network::InvalidNetwork;
#[cfg(feature = "std")]
pub use policy::OwnedGrant;
pub use policy::{
    Basis, Denial, FailOpen, Fault, Grant, OnFault, OnOverload, OnRejection, Outage, Outcome, Overload, Policy, Reason,
    Rejection,
};
#[cfg(feature = "envelope")]
pub use protocol::{
    Answer, AnswerError, BodyForm, ClientId, ClientKey, ClientRecord, ClientRecordError, ClientType, CreateClient,
    Endpoint, FindClient, FoundClient, FoundClientError, HeaderFields, HttpMethod, InvalidClientId, InvalidMethod,
    InvalidSealing, InvalidUserAgent, MAX_PROJECT_KEY_LEN, MethodPath, ProjectKey, ProjectKeyError, Provenance,
    RegisterEndpoint, Request, Sealing, Timestamp, TimestampOutOfRange, UserAgent, ValidateRequest,
};
pub use text::{Chars, Text};
pub use time::UnixTime;

#[cfg(feature = "getrandom")]
pub use getrandom::SysRng;
