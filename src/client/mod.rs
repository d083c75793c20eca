//! The blocking client: a clock, randomness, a thread and a connection around the kernel, which has none of them.
//!
//! An [`ApikeeBuilder`] sets an [`Apikee`] up. An [`Observer`] hears each [`Event`]. A [`Transport`] carries the calls
//! to the platform; `UreqTransport` is the one of the feature `ureq`.
//!
//! ```
//! use apikee::{Apikee, client::Event};
//!
//! let apikee = Apikee::builder()
//!     .secret(b"the current secret: 32 random bytes")
//!     .observer(|event: &Event<'_>| eprintln!("{event}"))
//!     .build()?;
//! # Ok::<_, apikee::ConfigError>(())
//! ```
//!
//! # How a request is decided
//!
//! ```text
//! Apikee ── authorize ──> key ──> scopes ──> Server: which client? ──> Platform ──> Policy ──> Grant
//!   │                                           │                        │                     Denial
//!   └─ thread <── Background (queue) <──────────┘                        │
//!                                          Gate (breakers, queue)  ──> Session ──> Transport
//! ```
//!
//! # Invariants
//!
//! - The platform is asked about keys that are good locally and have the scopes, and about no others.
//! - No lock is held while anything of the caller's runs: transport, observer, resolver, revocation.
//! - Everything that grows has a bound: buffers, queue, clients, routes, calls under way.
//!
//! # Files
//!
//! A request goes through these functions, each of which calls the next:
//!
//! ```text
//! Guard::check, RouteGuard::check, Apikee::decide, Server::ask, Platform::exchange, Transport::call
//! ```
//!
//! | file | knows |
//! |---|---|
//! | `builder`, `config` | how a client is configured: by calls, and by the environment |
//! | `apikee`, `issue`, `request` | what a service calls, and with what |
//! | `revocations` | which good keys are refused |
//! | `secrets`, `files` | secrets, the keyring in use, and the files that it is read from again |
//! | `server` | who is asked about, and what goes on beside the requests |
//! | `directory` | the clients and routes of the platform that are known |
//! | `background` | the queue to the thread |
//! | `platform` | one call: through the gate, sealed, over the transport, opened, read |
//! | `gate` | which calls are made, for whom, until when, and with which buffers |
//! | `signing` | signatures of requests |
//! | `transport` | what brings a call to the platform; `ureq` is one |
//! | `event` | what happens, who hears of it, and how it stands in a log |

mod apikee;
mod background;
mod builder;
mod config;
mod directory;
mod event;
mod files;
mod gate;
mod issue;
mod platform;
mod request;
mod revocations;
mod secrets;
mod server;
mod signing;
mod transport;
#[cfg(feature = "ureq")]
mod ureq;

pub use apikee::Apikee;
pub use builder::ApikeeBuilder;
pub use config::{ConfigError, Setting};
#[cfg(feature = "log")]
pub use event::LogObserver;
#[cfg(feature = "tracing")]
pub use event::TracingObserver;
pub use event::{Event, Observer};
pub use files::{FileError, FileProblem, WatchedFile};
pub use issue::{ClientIssueError, Issued, NewClient, Upsert};
#[cfg(feature = "web")]
pub(crate) use request::{About, Facts, OwnedAudit};
pub use request::{Audit, AuthorizeRequest};
pub use revocations::Revocations;
pub use server::Enforcement;
#[cfg(feature = "request-signing")]
pub use signing::{RequestSigner, SignerError};
pub use transport::{Call, Received, Transport, TransportError};
#[cfg(feature = "ureq")]
pub use ureq::{UreqTransport, UreqTransportBuilder, UreqTransportError};
