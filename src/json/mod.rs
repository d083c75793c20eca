//! JSON (RFC 8259) on borrowed bytes: a bounded reader and the little of a writer that is needed.
//!
//! A [`Reader`](scan::Reader) goes through a text once, without recursion, stops at each member of the outermost
//! object, and checks all that it passes; [`members`] walks over text that has been checked. Refused, apart
//! from what the grammar refuses: duplicate names, unpaired surrogates, more than
//! [`MAX_DEPTH`](crate::names::MAX_DEPTH) levels, bytes after the end.

pub(crate) mod cursor;
pub(crate) mod members;
mod object;
pub(crate) mod scan;
pub(crate) mod write;

pub use object::{InvalidJsonObject, JsonObject};
