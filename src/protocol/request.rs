//! What the requests have in common.

use super::{
    headers::{HeaderFields, UserAgent},
    percent,
    project_key::ProjectKey,
    sealing::Sealing,
};
use crate::buf::{BufferTooSmall, Writer};

/// A call of the platform: a method, a target behind the base URL, and a body unless the method is
/// [`Get`](HttpMethod::Get).
///
/// Implemented by this crate's requests only. A target has at most 82 bytes and three for each byte
/// of its parts; in a body each takes at most six. An empty buffer finds out the exact length. Buffers
/// hold unspecified bytes behind what is returned, and after an error.
pub trait Request: sealed::Sealed {
    /// The HTTP method.
    const METHOD: HttpMethod = HttpMethod::Post;

    /// How the body travels, and the answer with it, where requests are sealed. Without a body it is
    /// [`Plain`](BodyForm::Plain): nothing is sealed.
    const FORM: BodyForm;

    /// How the body travels with that degree of sealing: as [`FORM`](Self::FORM) says, and plain with
    /// [`Sealing::Off`].
    #[must_use]
    fn form(sealing: Sealing) -> BodyForm {
        match sealing {
            Sealing::Required | Sealing::Requests => Self::FORM,
            Sealing::Off => BodyForm::Plain,
        }
    }

    /// Writes the target, path and query, to the front of `buf`: what follows the base URL's own
    /// path. It is visible ASCII, without `#`.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] with the exact length.
    fn write_target<'b>(&self, buf: &'b mut [u8]) -> Result<&'b str, BufferTooSmall>;

    /// Writes the body, compact JSON, to the front of `buf`; nothing with [`Get`](HttpMethod::Get). Where [`FORM`](Self::FORM) is
    /// [`Sealed`](BodyForm::Sealed) it is the plaintext of an envelope, and holds the caller's raw
    /// key if the headers do.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] with the exact length.
    fn write_body<'b>(&self, buf: &'b mut [u8]) -> Result<&'b str, BufferTooSmall>;

    /// The names and values of the call's header fields, without those of HTTP itself and without
    /// `x-apikee-signature`. The values are those of [`ProjectKey`] and [`UserAgent`]: one of them is
    /// a secret. `Content-Type` and `X-Apikee-Encrypted` are there only with a body.
    fn header_fields<'h>(&self, key: &'h ProjectKey, user_agent: UserAgent<'h>) -> HeaderFields<'h> {
        self.header_fields_as(Self::FORM, key, user_agent)
    }

    /// The same for a body that travels in that [`form`](Self::form).
    fn header_fields_as<'h>(&self, form: BodyForm, key: &'h ProjectKey, user_agent: UserAgent<'h>) -> HeaderFields<'h> {
        HeaderFields::new(Self::METHOD, form, key, user_agent)
    }
}

/// The HTTP method of a call of the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum HttpMethod {
    /// `GET`, which has no body.
    Get,
    /// `POST`.
    Post,
}

impl HttpMethod {
    /// `"GET"` or `"POST"`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

/// How a body travels; the header `X-Apikee-Encrypted` says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum BodyForm {
    /// In an envelope.
    Sealed,
    /// As it is.
    Plain,
}

impl BodyForm {
    /// The value of `X-Apikee-Encrypted`.
    #[must_use]
    pub const fn header_value(self) -> &'static str {
        match self {
            Self::Sealed => "1",
            Self::Plain => "0",
        }
    }
}

pub(crate) mod sealed {
    /// Keeps [`Request`](super::Request) to this crate.
    pub trait Sealed {}
}

/// What `write` writes to the front of `buf`, which is UTF-8.
pub(crate) fn written(buf: &mut [u8], write: impl FnOnce(&mut Writer<'_>)) -> Result<&str, BufferTooSmall> {
    let mut out = Writer::new(buf);
    write(&mut out);
    let needed = out.len();
    let text = buf.get(..needed).ok_or(BufferTooSmall { needed })?;
    Ok(core::str::from_utf8(text).unwrap_or_default())
}

/// The part of the query that all targets have.
pub(crate) fn write_project_env(out: &mut Writer<'_>, project_env: &str) {
    out.bytes(b"?project_env=");
    percent::query_value(out, project_env);
}
