//! The blocking client: a thin shell with a clock, randomness, a thread and a connection around the
//! kernel, which has none of them.
//!
//! ```text
//! Apikee ── authorize ──> key ──> scopes ──> Server: which client? ──> Platform ──> Policy ──> Grant
//!   │                                           │                        │                     Denial
//!   └─ thread <── Background (queue) <──────────┘                        │
//!                                          Gate (breakers, queue)  ──> Session ──> Transport
//! ```
//!
//! | module | knows |
//! |---|---|
//! | `apikee`, `issue`, `request` | what a service calls |
//! | `revoked`, `revocations` | which good keys are refused |
//! | `rotation` | the keyring, which is replaced while requests read it |
//! | `secrets`, `file`, `watch` | secrets as text, files of secrets and revoked keys, and when they are read again |
//! | `builder`, `config`, `env`, `features` | how a client is configured |
//! | `server` | who is asked about, and what goes on beside the requests |
//! | `background` | the queue to the thread |
//! | `platform` | one call: through the gate, sealed, over the transport, opened, read |
//! | `caller`, `deadline` | whom a call is for, and until when |
//! | `gate`, `sessions`, `clients`, `routes`, `scratch` | what is shared between calls, each behind its own lock |
//! | `event`, `audit` | who is told what happens, and what an event says of a request |
//! | `line` | an event as one line of text |
//! | `transport`, `sign` | what there may be others of; `ureq` is one of the first, `signing` of the second |
//! | `log`, `tracing` | events to the crates of these names |
//!
//! # Invariants
//!
//! - The platform is asked about keys that are good locally and have the scopes, and about no others.
//! - No lock is held while anything of the caller's runs: transport, observer, resolver, revocation.
//! - Everything that grows has a bound: buffers, queue, clients, routes, calls under way.

mod apikee;
mod audit;
mod background;
mod builder;
mod caller;
mod clients;
mod config;
mod deadline;
mod env;
mod event;
mod features;
mod file;
mod gate;
mod issue;
mod line;
#[cfg(feature = "log")]
mod log;
mod platform;
mod request;
mod revocations;
mod revoked;
mod rotation;
mod routes;
mod scratch;
mod secrets;
mod server;
mod sessions;
mod sign;
#[cfg(feature = "request-signing")]
mod signing;
#[cfg(feature = "tracing")]
mod tracing;
mod transport;
#[cfg(feature = "ureq")]
mod ureq;
mod watch;

pub use apikee::Apikee;
pub use audit::Audit;
#[cfg(feature = "web")]
pub(crate) use audit::OwnedAudit;
pub use builder::ApikeeBuilder;
pub use config::{ConfigError, Setting};
pub use event::{Event, Observer};
pub use file::{FileError, FileProblem, WatchedFile};
pub use issue::{ClientIssueError, Issued, NewClient, Upsert};
#[cfg(feature = "log")]
pub use log::LogObserver;
#[cfg(feature = "web")]
pub(crate) use request::About;
pub use request::AuthorizeRequest;
pub use revocations::Revocations;
pub use server::Enforcement;
#[cfg(feature = "request-signing")]
pub use signing::{RequestSigner, SignerError};
#[cfg(feature = "tracing")]
pub use tracing::TracingObserver;
pub use transport::{Call, Received, Transport, TransportError};
#[cfg(feature = "ureq")]
pub use ureq::{UreqTransport, UreqTransportBuilder, UreqTransportError};
