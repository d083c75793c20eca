//! A guard in front of a service's routes. It is a middleware for any blocking web server.
//!
//! ```text
//! request ──> RequestView ──> Guard ──> the key: its header, or `Authorization: Bearer`; never two
//!                               │
//!                               ├─────> Apikee::authorize: key, scopes, and in server mode the platform,
//!                               │         which sees the client's address and an allow-list of headers
//!                               │
//!                               ├─────> Ok: a Grant, which has the claims
//!                               └─────> Err: a Refusal, which becomes the response
//! ```
//!
//! | module | contents |
//! |---|---|
//! | `guard` | the guard, and its options |
//! | `request` | the parts of a request that a guard reads, and the search for the key |
//! | `address` | the client's address, behind proxies |
//! | `disclosed` | the data about a request that is sent to the platform |
//! | `refusal` | the response to a refused request |
//! | `openapi` | keys and refusals in an OpenAPI document; needs the feature `openapi` |
//! | `http`, `tiny_http` | support for the types of these crates; each needs the feature of the same name |
//!
//! Any other server needs only a few lines, because a closure is a header look-up:
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
//! // The header fields of a server. `nth` counts the fields with the same name.
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
//! A guard protects a service only as well as the server under it does. `tests/checks/hostile/run --update` in the
//! repository sends the following to the example servers and writes this table. A cell shows what the client gets:
//! statuses of answers, `closed`, or `nothing` within three seconds. Clients that only connect, reset or do not read
//! always get `nothing`. Bold text is a fault:
//!
//! - **others wait**: a good request took longer than a second meanwhile, or failed. Good requests use new connections.
//!   During "more connections than descriptors" they use one that was opened before, because the server accepts no new
//!   one;
//! - **memory grows** by more than 8 MB plus 64 kB for each connection;
//! - **never recovers, and goes on running**: it answers no further request, and no supervisor notices;
//! - **keeps a connection for ever**: 3 s after all clients have closed their connections, it still has one open;
//! - **ends**: the process ends. A supervisor starts it again if the exit code is not 0;
//! - **the hidden request is answered**: the server read a part of a body as a request. Behind a proxy that reuses its
//!   connections, an attacker can send requests in the name of another client.
//!
#![doc = include_str!("hostile.md")]
//!
//! Further properties of these servers:
//!
//! - `oxhttp` uses a thread for each connection, and limits their number. Its timeout applies to each read, and a head,
//!   the line with a chunk's size, or trailers may have 16,384 bytes. So a client that sends a byte every few seconds
//!   keeps its connection for many hours. With as many such connections as the limit allows (8,192 in the example), it
//!   keeps new clients out for that time. **A limit of connections per address must stand in front**, in a firewall or
//!   a proxy.
//! - `oxhttp` accepts chunks that end with a line feed alone, and size lines without digits. A proxy in front of it
//!   must refuse malformed requests.
//! - `oxhttp` answers the first of several requests that a client sends at once (pipelining, which browsers and usual
//!   proxies do not use). It loses up to 16 KiB of the others, and reads the rest as if it began with a request. So a
//!   part of a body may be answered as a request: a proxy in front of it must not pipeline. A connection without a
//!   request gets an answer with status 500 when the timeout ends it. A request target that is not a path (`GET x`)
//!   makes the thread of its connection panic. The other threads continue: do not build it with `panic = "abort"`. It
//!   sends no `Date`.
//! - `oxhttp` writes a line to standard error for each broken connection, in its listening thread. If standard error is
//!   a pipe whose reader stalls or has ended, one client can stop or end the server with reset connections. Send
//!   standard error to a file or the journal, or copy the solution of the example `oxhttp`.
//! - `axum::serve` has no timeouts: it waits for a stalled head without limit. Choose it for tens of thousands of
//!   connections, with a limit of connections per address in front. The guard runs on `spawn_blocking`. In server mode
//!   one client can hold all blocking threads for up to about the timeout. Limit concurrent requests per client in
//!   front, or raise `max_blocking_threads`.
//! - In `tiny_http`, and in `rouille` on top of it, each request of the version `HTTP/2.0` or `HTTP/3.0` holds a thread
//!   and two descriptors until the process ends. Of several connections that arrive together, one may stay unread until
//!   another one ends. Both need a proxy in front that limits and buffers bodies and does not keep its connections to
//!   them open, such as nginx with `proxy_request_buffering on` and `client_max_body_size`. The proxy must also refuse
//!   malformed requests, and must not forward trailers. A service on `tiny_http` must read chunked bodies before each
//!   answer: call `read_chunked_body`, as the examples do.
//! - For a CGI program, the web server in front of it decides all of this.

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
#[cfg(feature = "tiny_http")]
pub use tiny_http::read_chunked_body;
