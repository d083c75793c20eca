//! The blocking client: a thin shell with a clock, randomness, a thread and a connection around the
//! kernel, which has none of them.
//!
//! ```text
//! Apikee ── authorize ──> key ──> scopes ──> Server: which client? ──> Platform ──> Policy ──> Grant
//!   │                                           │                        │                     Denial
//!   └─ thread <── Background (queue) <──────────┘                        │
//!                                          Gate (breaker, bulkhead) ──> Session ──> Transport
//! ```
//!
//! | module | knows |
//! |---|---|
//! | `apikee`, `issue`, `request` | what a service calls |
//! | `builder`, `config`, `env`, `features` | how a client is configured |
//! | `server` | who is asked about, and what goes on beside the requests |
//! | `background` | the queue to the thread |
//! | `platform` | one call: through the gate, sealed, over the transport, opened, read |
//! | `gate`, `sessions`, `clients`, `routes`, `scratch` | what is shared between calls, each behind its own lock |
//! | `event` | who is told what happens |
//! | `transport`, `sign` | what else there may be of |
//! | `ureq` | the transport over ureq, with the feature of that name |
//!
//! # Invariants
//!
//! - The platform is asked about keys that are good locally and have the scopes, and about no others.
//! - No lock is held while anything of the caller's runs: transport, observer, resolver.
//! - Everything that grows has a bound: buffers, queue, clients, routes, calls under way.

mod apikee;
mod background;
mod builder;
mod clients;
mod config;
mod env;
mod event;
mod features;
mod gate;
mod issue;
mod platform;
mod request;
mod routes;
mod scratch;
mod server;
mod sessions;
mod sign;
mod transport;
#[cfg(feature = "ureq")]
mod ureq;

#[cfg(feature = "ureq")]
pub use self::ureq::{UreqTransport, UreqTransportBuilder, UreqTransportError};
pub use apikee::Apikee;
pub use builder::ApikeeBuilder;
pub use config::{ConfigError, Setting};
pub use event::{Event, Observer};
pub use issue::{ClientIssueError, Issued, Upsert};
pub use request::AuthorizeRequest;
pub use server::Enforcement;
pub use transport::{Call, Received, Transport, TransportError};
