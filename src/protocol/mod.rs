//! What is said to the platform and what it says back (docs/WIRE.md, "The platform's API"), without a
//! socket: requests write themselves into the caller's buffers, answers are read where they stand.
//!
//! | request | method, and target behind the base URL | body | answer |
//! |---|---|---|---|
//! | [`ValidateRequest`] | `POST /client/{uuid}?project_env=...&method_path=...` | sealed | [`Answer`] |
//! | [`CreateClient`] | `POST /client?project_env=...` | sealed | [`ClientRecord`] |
//! | [`FindClient`] | `GET /client?project_env=...&name=...&limit=...` | none | [`FoundClient`] |
//! | [`RegisterEndpoint`] | `POST /endpoint?project_env=...` | plain | none is read |
//!
//! A request and its answer are one file. `request` has what they share.
//!
//! Whatever the parts of a request say, it stays one request with those parts. What could break out
//! is refused when the part is made ([`ClientId`], the method of a [`MethodPath`], [`ProjectKey`],
//! [`UserAgent`], [`JsonObject`](crate::meta::JsonObject), [`Timestamp`]); everything else is percent-encoded or
//! escaped. So writing can only fail for want of room.

mod client_id;
mod create;
mod endpoint;
mod find;
mod headers;
mod method_path;
mod request;
mod timestamp;
mod validate;

pub use client_id::{ClientId, InvalidClientId};
pub use create::{ClientKey, ClientRecord, ClientRecordError, ClientType, CreateClient};
#[cfg(feature = "client")]
pub(crate) use endpoint::WrittenEndpoint;
pub use endpoint::{Endpoint, RegisterEndpoint};
pub use find::{FindClient, FoundClient, FoundClientError};
pub use headers::{InvalidUserAgent, MAX_PROJECT_KEY_LEN, ProjectKey, ProjectKeyError, UserAgent};
#[cfg(feature = "web")]
pub(crate) use method_path::is_token;
pub use method_path::{InvalidMethod, MethodPath};
pub use request::{BodyForm, HeaderFields, HttpMethod, InvalidSealing, Request, Sealing};
pub use timestamp::{Timestamp, TimestampOutOfRange};
#[cfg(feature = "client")]
pub(crate) use validate::KEY_HEADER;
pub use validate::{Answer, AnswerError, Provenance, ValidateRequest};
