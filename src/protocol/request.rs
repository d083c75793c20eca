//! The parts that all requests share: sealing, header fields, and writing.

use core::{fmt, ops::Deref, str::FromStr};

use super::headers::{ProjectKey, UserAgent};
use crate::{
    buf::{BufferTooSmall, Writer},
    error::sentences,
    hex,
    json::write,
};

/// A call to the platform: a method, a target after the base URL, and a body unless the method is
/// [`Get`](HttpMethod::Get).
///
/// Only this crate's requests implement it. A target has at most 82 bytes plus three for each byte of its parts. In a
/// body, each byte of the parts takes at most six. Write to an empty buffer to get the exact length. After the returned
/// text, and after an error, buffers hold unspecified bytes.
pub trait Request: sealed::Sealed {
    /// The HTTP method.
    const METHOD: HttpMethod = HttpMethod::Post;

    /// The form of the body and of its answer, if requests are sealed. A request without a body is
    /// [`Plain`](BodyForm::Plain): nothing is sealed.
    const FORM: BodyForm = BodyForm::Sealed;

    /// The form of the body with this degree of sealing: [`FORM`](Self::FORM), or plain with [`Sealing::Off`].
    #[must_use]
    fn form(sealing: Sealing) -> BodyForm {
        match sealing {
            Sealing::Required | Sealing::Requests => Self::FORM,
            Sealing::Off => BodyForm::Plain,
        }
    }

    /// Writes the target (path and query) to the start of `buf`. Append it to the base URL. The target is visible ASCII,
    /// without `#`.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] with the exact length.
    fn write_target<'b>(&self, buf: &'b mut [u8]) -> Result<&'b str, BufferTooSmall>;

    /// Writes the body, compact JSON, to the start of `buf`; nothing for [`Get`](HttpMethod::Get). If
    /// [`FORM`](Self::FORM) is [`Sealed`](BodyForm::Sealed), it is the plaintext of an envelope. It holds the caller's
    /// raw key if the headers do.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] with the exact length.
    fn write_body<'b>(&self, buf: &'b mut [u8]) -> Result<&'b str, BufferTooSmall>;

    /// The names and values of the call's header fields, except those of HTTP itself and `x-apikee-signature`. The
    /// values come from [`ProjectKey`], which is a secret, and [`UserAgent`]. `Content-Type` and `X-Apikee-Encrypted`
    /// are only there with a body.
    fn header_fields<'h>(&self, key: &'h ProjectKey, user_agent: UserAgent<'h>) -> HeaderFields<'h> {
        self.header_fields_as(Self::FORM, key, user_agent)
    }

    /// Like [`header_fields`](Self::header_fields), for a body in this [`form`](Self::form).
    fn header_fields_as<'h>(&self, form: BodyForm, key: &'h ProjectKey, user_agent: UserAgent<'h>) -> HeaderFields<'h> {
        HeaderFields::new(Self::METHOD, form, key, user_agent)
    }
}

/// The HTTP method of a call to the platform.
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

/// Whether a body is sealed. The header `X-Apikee-Encrypted` tells the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum BodyForm {
    /// In an envelope.
    Sealed,
    /// Not in an envelope.
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

/// How requests and answers are protected (docs/WIRE.md, "The platform's API"). All degrees use HTTPS,
/// unless the user permits plain HTTP.
///
/// | degree | request | answer | the caller's raw key |
/// |---|---|---|---|
/// | `required` | envelope | envelope | in the envelope only |
/// | `requests` | envelope | plain, or an envelope | in the envelope only |
/// | `off` | plain | plain | never sent |
///
/// Only an answer in an envelope proves who wrote it. With the other two degrees, anyone at the point where TLS ends
/// can answer every request.
///
/// ```
/// use apikee::protocol::Sealing;
///
/// assert_eq!(Sealing::default(), Sealing::Required);
/// assert_eq!("requests".parse(), Ok(Sealing::Requests));
/// assert_eq!(Sealing::Off.to_string(), "off");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Sealing {
    /// The request and the answer are envelopes.
    #[default]
    Required,
    /// The request is an envelope. The answer may be plain JSON: the published SDKs can only read plain answers.
    Requests,
    /// The request and the answer are plain JSON. The SDKs since 0.1.2b0 do this if no public key of the platform is
    /// configured.
    Off,
}

impl Sealing {
    /// The value of `APIKEE_SEALING` (docs/WIRE.md, "Configuration names").
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::Requests => "requests",
            Self::Off => "off",
        }
    }
}

/// Prints the value: `required`, `requests` or `off`.
impl fmt::Display for Sealing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Reads the value, in lower case.
impl FromStr for Sealing {
    type Err = InvalidSealing;

    fn from_str(text: &str) -> Result<Self, InvalidSealing> {
        [Self::Required, Self::Requests, Self::Off]
            .into_iter()
            .find(|degree| degree.as_str() == text)
            .ok_or(InvalidSealing)
    }
}

/// The text is not a degree of sealing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct InvalidSealing;

sentences!(InvalidSealing, "sealing must be 'required', 'requests' or 'off'");

/// The names and values of a call's header fields: two without a body, four with one.
///
/// They have no line breaks or other control characters. One value is the project key, which is a secret, so `Debug`
/// only shows the names.
///
/// ```
/// # use apikee::protocol::{FindClient, ProjectKey, Request as _, UserAgent};
/// let key = ProjectKey::new("sk_test_example")?;
/// let fields = FindClient::new("my-app", "acme-corp").header_fields(&key, UserAgent::new("acme/1.0")?);
/// assert_eq!(fields[..], [("x-api-key", "sk_test_example"), ("User-Agent", "acme/1.0")]);
/// # Ok::<_, Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
pub struct HeaderFields<'h> {
    /// The first and the last field describe the body.
    all: [(&'static str, &'h str); 4],
    has_body: bool,
}

impl<'h> HeaderFields<'h> {
    fn new(method: HttpMethod, form: BodyForm, key: &'h ProjectKey, user_agent: UserAgent<'h>) -> Self {
        Self {
            all: [
                ("Content-Type", "application/json"),
                ("x-api-key", key.header_value()),
                ("User-Agent", user_agent.as_str()),
                ("X-Apikee-Encrypted", form.header_value()),
            ],
            has_body: method != HttpMethod::Get,
        }
    }
}

impl<'h> Deref for HeaderFields<'h> {
    type Target = [(&'static str, &'h str)];

    fn deref(&self) -> &Self::Target {
        let [_, without_body @ .., _] = &self.all;
        if self.has_body { &self.all } else { without_body }
    }
}

impl fmt::Debug for HeaderFields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(|(name, _)| name)).finish()
    }
}

pub(crate) mod sealed {
    /// Allows only this crate to implement [`Request`](super::Request).
    pub trait Sealed {
        /// Writes the text that `x-apikee-signature` signs; nothing if the request is not signed.
        fn write_signed(&self, _out: &mut dyn core::fmt::Write) -> core::fmt::Result {
            Ok(())
        }
    }
}

/// The text that `write` writes to the start of `buf`. It must be UTF-8.
pub(super) fn written(buf: &mut [u8], write: impl FnOnce(&mut Writer<'_>)) -> Result<&str, BufferTooSmall> {
    let mut out = Writer::new(buf);
    write(&mut out);
    let needed = out.len();
    let text = core::str::from_utf8(buf.get(..needed).ok_or(BufferTooSmall { needed })?);
    debug_assert!(text.is_ok(), "only whole strings are written");
    Ok(text.unwrap_or_default())
}

/// The target of a call with this path. Its query only has the project and environment.
pub(super) fn written_target<'b>(buf: &'b mut [u8], path: &[u8], slug: &str) -> Result<&'b str, BufferTooSmall> {
    written(buf, |out| {
        out.bytes(path);
        project_env(out, slug);
    })
}

/// Writes the part of the query that all targets share.
pub(super) fn project_env(out: &mut Writer<'_>, project_env: &str) {
    out.bytes(b"?project_env=");
    query_value(out, project_env);
}

/// Writes a string of a body. `before` must end with the opening quote; the closing quote is written.
pub(super) fn string(out: &mut Writer<'_>, before: &[u8], text: &str) {
    out.bytes(before);
    write::escaped(out, text);
    out.byte(b'"');
}

/// Writes a list of strings of a body. `before` must end with the opening bracket; the closing bracket is written.
pub(super) fn strings(out: &mut Writer<'_>, before: &[u8], texts: &[&str]) {
    out.bytes(before);
    for (at, text) in texts.iter().enumerate() {
        string(out, if at == 0 { br#"""# } else { br#",""# }, text);
    }
    out.byte(b']');
}

/// Writes `text` as a query value, with exactly the bytes of the published SDKs (Python's `urlencode`). Letters, digits
/// and `-._~` stay as they are, a space becomes `+`, and any other byte becomes `%XX`.
pub(super) fn query_value(out: &mut Writer<'_>, text: &str) {
    for byte in text.bytes() {
        query_byte(out, byte);
    }
}

/// Writes one byte of a query value.
pub(super) fn query_byte(out: &mut Writer<'_>, byte: u8) {
    match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.byte(byte),
        b' ' => out.byte(b'+'),
        _ => {
            let [high, low] = hex::digits(byte).map(|digit| digit.to_ascii_uppercase());
            out.bytes(&[b'%', high, low]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_degree_is_read_as_it_is_written_and_nothing_else_is() {
        for degree in [Sealing::Required, Sealing::Requests, Sealing::Off] {
            assert_eq!(degree.as_str().parse(), Ok(degree));
        }
        for text in ["", "Required", "off ", "on", "true", "none", "request"] {
            assert_eq!(text.parse::<Sealing>(), Err(InvalidSealing), "{text}");
        }
    }

    #[test]
    fn every_ascii_byte_is_encoded_as_python_does() {
        let all: String = (0..128_u8).map(char::from).collect();
        let mut buf = [0; 512];
        let mut out = Writer::new(&mut buf);
        query_value(&mut out, &all);
        let len = out.len();
        // urllib.parse.quote_plus(bytes(range(128)))
        let expected = "%00%01%02%03%04%05%06%07%08%09%0A%0B%0C%0D%0E%0F%10%11%12%13%14%15%16%17%18%19%1A%1B%1C\
                        %1D%1E%1F+%21%22%23%24%25%26%27%28%29%2A%2B%2C-.%2F0123456789%3A%3B%3C%3D%3E%3F%40ABCDEFGHI\
                        JKLMNOPQRSTUVWXYZ%5B%5C%5D%5E_%60abcdefghijklmnopqrstuvwxyz%7B%7C%7D~%7F";
        assert_eq!(core::str::from_utf8(&buf[..len]), Ok(expected));
    }
}
