//! The blocking client. It adds what the kernel does not have: a clock, randomness, a thread and a connection.
//!
//! An [`ApikeeBuilder`] configures an [`Apikee`]. An [`Observer`] receives each [`Event`]. A [`Transport`] carries the
//! calls to the platform; the feature `ureq` has one, `UreqTransport`.
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
//! - The platform is asked only about keys that are good locally and have the scopes.
//! - No lock is held while the caller's code runs: transport, observer, resolver, revocation check.
//! - Each entry point to a call runs in `stack::wiped_deep`: values that move leave copies on the stack, and some are
//!   keys.
//! - Everything that grows has a bound: buffers, queue, clients, routes, calls in flight. Only the number of waiting
//!   requests has none besides the service's own threads.
//!
//! # Files
//!
//! A request goes through these functions. Each one calls the next:
//!
//! ```text
//! RouteGuard::check_in, Apikee::decide, Server::ask, Platform::exchange, Transport::call
//! ```
//!
//! | file | contents |
//! |---|---|
//! | `builder`, `config` | configuration of a client, by calls and by the environment |
//! | `apikee`, `issue`, `request` | the functions that a service calls, and their arguments |
//! | `revocations` | revoked keys |
//! | `secrets`, `files` | the keyring in use, and the files of secrets and revoked keys |
//! | `server` | the decision in server mode, and other work in the background |
//! | `directory` | a cache of the platform's clients and routes |
//! | `background` | the queue to the thread |
//! | `platform` | one call: through the gate, sealed, over the transport, opened, read |
//! | `gate` | the limits on calls: breakers, queue, deadlines and buffers |
//! | `signing` | signatures of requests |
//! | `transport` | the trait that carries a call to the platform; `ureq` implements it |
//! | `event` | events, observers, and the text of an event in a log |

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
pub(crate) use request::{About, Facts, OwnedAudit, cut};
pub use request::{Audit, AuthorizeRequest};
pub use revocations::Revocations;
pub use server::Enforcement;
#[cfg(feature = "request-signing")]
pub use signing::{RequestSigner, SignerError};
pub use transport::{Call, Received, Transport, TransportError};
#[cfg(feature = "ureq")]
pub use ureq::{UreqTransport, UreqTransportBuilder, UreqTransportError};
