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
//! | `view` | what a guard reads of a request |
//! | `credential` | where the key is |
//! | `address` | whose request it is, behind proxies |
//! | `disclosed` | what the platform is told of a request |
//! | `path` | which paths are the same |
//! | `refusal` | the response to a refused request |
//! | `openapi`, `document` | how an API's description says all that; the latter with the feature `openapi` |
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

mod address;
mod credential;
mod disclosed;
#[cfg(feature = "openapi")]
mod document;
mod guard;
#[cfg(feature = "http")]
mod http;
mod openapi;
mod path;
mod refusal;
#[cfg(feature = "tiny_http")]
mod tiny_http;
mod view;

#[cfg(feature = "openapi")]
pub use document::{NoSuchOperation, NotOpenApi};
pub use guard::{Guard, InvalidHeaderName, RouteGuard};
pub use refusal::Refusal;
pub use view::{HeaderLookup, RequestView};
