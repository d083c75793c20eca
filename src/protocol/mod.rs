//! The requests to the platform and its answers (docs/WIRE.md, "The platform's API"), without a socket. Requests write
//! themselves into the caller's buffers. Answers are read in place.
//!
//! | request | method, and target after the base URL | body | answer |
//! |---|---|---|---|
//! | [`ValidateRequest`] | `POST /client/{uuid}?project_env=...&method_path=...` | sealed | [`Answer`] |
//! | [`CreateClient`] | `POST /client?project_env=...` | sealed | [`ClientRecord`] |
//! | [`FindClient`] | `GET /client?project_env=...&name=...&limit=...` | none | [`FoundClient`] |
//! | [`RegisterEndpoint`] | `POST /endpoint?project_env=...` | plain | not read |
//!
//! Each request shares a file with its answer. `request` has the code that all requests share.
//!
//! Whatever the parts of a request contain, they cannot change its structure. Parts that could break out are checked
//! when they are made ([`ClientId`], the method of a [`MethodPath`], [`ProjectKey`], [`UserAgent`],
//! [`JsonObject`](crate::meta::JsonObject), [`Timestamp`]). All others are percent-encoded or escaped. So writing fails
//! only if the buffer is too small.

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
pub use create::{ClientKey, ClientRecord, ClientRecordError, ClientType, CreateClient, InvalidClientType};
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
pub(crate) use validate::{ADDRESS_HEADERS, KEY_HEADER, is_address, read_address};
pub use validate::{Answer, AnswerError, Provenance, ValidateRequest};
