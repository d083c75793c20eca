//! What the requests have in common: how they travel, which header fields they have, and how they are written.

use core::{fmt, ops::Deref, str::FromStr};

use super::headers::{ProjectKey, UserAgent};
use crate::{
    buf::{BufferTooSmall, Writer},
    error::sentences,
    hex,
    json::write,
};

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
    const FORM: BodyForm = BodyForm::Sealed;

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

    /// Writes the body, compact JSON, to the front of `buf`; nothing with [`Get`](HttpMethod::Get). Where
    /// [`FORM`](Self::FORM) is [`Sealed`](BodyForm::Sealed) it is the plaintext of an envelope, and holds the caller's
    /// raw key if the headers do.
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

/// How requests and answers travel (docs/WIRE.md, "The platform's API"). All degrees go over HTTPS.
///
/// | degree | request | answer | the caller's raw key |
/// |---|---|---|---|
/// | `required` | envelope | envelope | in the envelope only |
/// | `requests` | envelope | plain, or an envelope | in the envelope only |
/// | `off` | plain | plain | is never sent |
///
/// Only an answer in an envelope proves who wrote it. With the other two degrees, whoever sits where
/// TLS ends can answer every request.
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
    /// The request is an envelope. The answer may be plain JSON: the published SDKs read no other.
    Requests,
    /// The request and the answer are plain JSON, as the SDKs since 0.1.2b0 send and read it where no
    /// public key of the platform is configured.
    Off,
}

impl Sealing {
    /// The word for it in `APIKEE_SEALING` (docs/WIRE.md, "Configuration names").
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::Requests => "requests",
            Self::Off => "off",
        }
    }
}

/// The word: `required`, `requests` or `off`.
impl fmt::Display for Sealing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Reads the word, in lower case.
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

/// The names and values of a call's header fields: a slice of two without a body, and of four with one.
///
/// None has a line break or another control character. One value is the project key, a secret, so that
/// `Debug` shows the names alone.
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
    /// What describes the body stands at the ends.
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
    /// Keeps [`Request`](super::Request) to this crate.
    pub trait Sealed {
        /// Writes what `x-apikee-signature` vouches for; nothing if the request is not signed.
        fn write_signed(&self, _out: &mut dyn core::fmt::Write) -> core::fmt::Result {
            Ok(())
        }
    }
}

/// What `write` writes to the front of `buf`, which is UTF-8.
pub(super) fn written(buf: &mut [u8], write: impl FnOnce(&mut Writer<'_>)) -> Result<&str, BufferTooSmall> {
    let mut out = Writer::new(buf);
    write(&mut out);
    let needed = out.len();
    let text = core::str::from_utf8(buf.get(..needed).ok_or(BufferTooSmall { needed })?);
    debug_assert!(text.is_ok(), "only whole strings are written");
    Ok(text.unwrap_or_default())
}

/// The target of a call that has that path, and in its query nothing besides the project and environment.
pub(super) fn written_target<'b>(buf: &'b mut [u8], path: &[u8], slug: &str) -> Result<&'b str, BufferTooSmall> {
    written(buf, |out| {
        out.bytes(path);
        project_env(out, slug);
    })
}

/// Writes the part of the query that all targets have.
pub(super) fn project_env(out: &mut Writer<'_>, project_env: &str) {
    out.bytes(b"?project_env=");
    query_value(out, project_env);
}

/// Writes a string of a body behind what ends with its opening quote, and its closing quote.
pub(super) fn string(out: &mut Writer<'_>, before: &[u8], text: &str) {
    out.bytes(before);
    write::escaped(out, text);
    out.byte(b'"');
}

/// Writes a list of strings of a body behind what ends with its opening bracket, and its closing bracket.
pub(super) fn strings(out: &mut Writer<'_>, before: &[u8], texts: &[&str]) {
    out.bytes(before);
    for (at, text) in texts.iter().enumerate() {
        string(out, if at == 0 { br#"""# } else { br#",""# }, text);
    }
    out.byte(b']');
}

/// Writes `text` as a value of a query, to the byte as the published SDKs do (`urlencode` of
/// Python): letters, digits and `-._~` as they are, a space as `+`, any other byte as `%XX`.
pub(super) fn query_value(out: &mut Writer<'_>, text: &str) {
    for byte in text.bytes() {
        query_byte(out, byte);
    }
}

/// Writes one byte of a value.
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
