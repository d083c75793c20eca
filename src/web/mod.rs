//! A guard in front of a service's routes: what a middleware does, for any blocking web server.
//!
//! ```text
//! request ──> RequestView ──> Guard ──> the key: its header, or `Authorization: Bearer`; never two
//!                               │
//!                               ├─────> Apikee::authorize: key, scopes, and in server mode the platform,
//!                               │         which sees the client's address and an allow-list of headers
//!                               │
//!                               ├─────> Ok: a Grant, and with it the claims
//!                               └─────> Err: a Refusal, which becomes the response
//! ```
//!
//! | module | knows |
//! |---|---|
//! | `guard` | what is guarded, and how |
//! | `request` | what a guard reads of a request, and where the key is |
//! | `address` | whose request it is, behind proxies |
//! | `disclosed` | what the platform is told of a request |
//! | `refusal` | the response to a refused request |
//! | `openapi` | how an API's description says all that, with the feature of that name |
//! | `http`, `tiny_http` | the types of those crates, each with the feature of its name |
//!
//! Any other server fits in a few lines, since a closure is a header look-up:
//!
//! ```
//! use apikee::{Apikee, NewKey, web::{Guard, RequestView}};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let apikee = Apikee::builder().secret(b"the current secret: 32 random bytes").build()?;
//! # let mut buf = [0; 1024];
//! # let issued = apikee.issue(&NewKey::new("acme-corp").scopes(&["read"]), &mut buf)?.key().to_owned();
//! let guard = Guard::new(apikee);
//!
//! // What some server has read: the name, and which of the fields of that name.
//! let fields = [("Host", "api.example.com"), ("X-Api-Key", &*issued)];
//! let headers = |name: &str, nth: usize| {
//!     let mut named = fields.iter().filter(|field| field.0.eq_ignore_ascii_case(name));
//!     named.nth(nth).map(|field| field.1.as_bytes())
//! };
//! let request = RequestView::new("GET", "/users/7?page=2", &headers);
//!
//! match guard.route("/users/{id}").require(&["read"]).check(request) {
//!     Ok(grant) => assert_eq!(grant.key().claims().tenant(), "acme-corp"),
//!     Err(refusal) => panic!("{} {}", refusal.status(), refusal.body()),
//! }
//!
//! let refusal = guard.require(&["write"]).check(request).unwrap_err();
//! assert_eq!(refusal.status(), 403);
//! assert_eq!(refusal.body(), r#"{"error":"INSUFFICIENT_SCOPE","message":"Key missing required scopes: write"}"#);
//! # Ok(())
//! # }
//! ```
//!
//! # In front of the internet
//!
//! A guard protects a service only as well as the server under it does. `tests/checks/hostile/run --update` sends the
//! following to the example servers and writes this table: what the client gets (statuses of answers, `closed`, or
//! `nothing` within three seconds), and in bold what is not as it should be:
//!
//! - **others wait**: a good request took longer than a second meanwhile, or failed;
//! - **memory grows** by more than 8 MB and 64 kB for each connection;
//! - **never recovers, and goes on running**: it serves nobody afterwards, and no supervisor notices;
//! - **ends**: a supervisor starts it again, if the exit code is not 0;
//! - **the hidden request is answered**: a body was taken for a request. Behind a proxy that reuses its connections
//!   that is a way to speak for somebody else.
//!
#![doc = include_str!("hostile.md")]
//!
//! What the table does not show:
//!
//! - `oxhttp` has a thread for each connection and a limit on their number. Its timeout is for each read, so a client
//!   that sends a byte now and then keeps its connection, and whoever opens as many connections as the limit allows
//!   keeps others out until the timeout. Its example takes 8,192; limit the connections of one address in the firewall
//!   or in a proxy.
//! - `oxhttp` answers the first of several requests that a client sends at once (pipelining, which browsers and proxies
//!   do not use), and drops the others. A connection that says nothing gets an answer with status 500 when the timeout
//!   ends it. A request target that is not a path (`GET x`) ends its thread with a panic, and nothing else: do not
//!   build it with `panic = "abort"`. It sends no `Date`.
//! - `axum::serve` has no timeouts: a head that stalls is waited for. It is the one to choose for tens of thousands of
//!   connections.
//! - `tiny_http`, and `rouille` on top of it, need a proxy in front that bounds and buffers bodies, such as nginx with
//!   `proxy_request_buffering on` and `client_max_body_size`.
//! - A CGI program has none of this to decide: the web server in front of it does.

mod address;
mod disclosed;
mod guard;
#[cfg(feature = "http")]
mod http;
#[cfg(feature = "openapi")]
mod openapi;
mod refusal;
mod request;
#[cfg(feature = "tiny_http")]
mod tiny_http;

pub use crate::network::InvalidNetwork;
pub use guard::{Guard, InvalidHeaderName, RouteGuard};
#[cfg(feature = "openapi")]
pub use openapi::{NoSuchOperation, NotOpenApi};
pub use refusal::Refusal;
pub use request::{HeaderLookup, RequestView};
