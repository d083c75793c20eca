//! Asks the platform about a key that has passed local verification: [`ValidateRequest`], and the platform's verdict,
//! an [`Answer`].

use core::fmt;
#[cfg(feature = "client")]
use core::net::{IpAddr, SocketAddr};

use super::{
    client_id::ClientId,
    method_path::MethodPath,
    request::{Request, project_env, sealed::Sealed, string, written},
    timestamp::Timestamp,
};
use crate::{
    buf::{BufferTooSmall, Writer},
    envelope::Opened,
    error::sentences,
    json::{JsonObject, find, write},
    key::log_prefix,
    names::Malformed,
};

/// Asks whether a client may now make a request with this method and path.
///
/// ```
/// use apikee::{UnixTime, protocol::{ClientId, MethodPath, Request as _, Timestamp, ValidateRequest}};
///
/// let client = ClientId::new("497f6eca-6276-4993-bfeb-53cbbbba6f08")?;
/// let now = Timestamp::new(UnixTime::from_millis(1_795_486_905_017))?;
/// let headers = [("user-agent", "curl/8.5.0")];
/// let request = ValidateRequest::new(client, "my-app-production", MethodPath::new("GET", "/users")?, now)
///     .headers(&headers);
///
/// let (mut target, mut body) = ([0; 256], [0; 1024]);
/// assert_eq!(
///     request.write_target(&mut target)?,
///     "/client/497f6eca-6276-4993-bfeb-53cbbbba6f08?project_env=my-app-production&method_path=GET%3A%3A%3A%2Fusers"
/// );
/// assert_eq!(
///     request.write_body(&mut body)?,
///     r#"{"name":"default","timestamp":"2026-11-24T02:21:45.017Z","headers":{"user-agent":"curl/8.5.0"}}"#
/// );
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
pub struct ValidateRequest<'a> {
    client: ClientId,
    project_env: &'a str,
    method_path: MethodPath<'a>,
    timestamp: Timestamp,
    key_name: &'a str,
    headers: &'a [(&'a str, &'a str)],
    raw_key: RawKey<'a>,
    payload: Option<JsonObject<'a>>,
    max_body_len: usize,
}

/// How the caller's raw key is handled.
#[derive(Clone, Copy)]
enum RawKey<'a> {
    /// The key is not known here. It may be one of the headers.
    Unknown,
    /// The key is added to the headers.
    #[cfg_attr(not(feature = "client"), expect(dead_code, reason = "only the client uses it"))]
    Added(&'a str),
    /// The key is not sent in any part of the body.
    Withheld(&'a str),
}

impl<'a> RawKey<'a> {
    const fn added(self) -> Option<&'a str> {
        match self {
            Self::Added(raw_key) => Some(raw_key),
            Self::Unknown | Self::Withheld(_) => None,
        }
    }

    /// Whether the text contains more of the key than its [`log_prefix`], and so must not be sent. The caller may have cut
    /// the text within the key. Control characters do not count, because they are not written.
    fn forbids(self, text: &str) -> bool {
        let Self::Withheld(raw_key) = self else {
            return false;
        };
        let front = raw_key.as_bytes().get(..=log_prefix(raw_key).len()).unwrap_or(raw_key.as_bytes());
        let text = text.as_bytes();
        let starts_at = |at| {
            let written = text.get(at..).unwrap_or_default().iter().filter(|byte| !byte.is_ascii_control());
            text.get(at) == front.first() && written.take(front.len()).eq(front)
        };
        (0..text.len()).any(starts_at)
    }
}

/// The text in front of the payload.
const PAYLOAD: &[u8] = br#","payload":"#;

/// The text in front of the raw key.
const KEY_FIELD: &[u8] = br#""x-api-key":""#;

/// The name of the header with the raw key.
pub(crate) const KEY_HEADER: &str = "x-api-key";

/// The names of the headers with the client's address. If a request has both, the first counts.
pub(crate) const ADDRESS_HEADERS: [&str; 2] = ["x-forwarded-for", "x-real-ip"];

/// Parses an address in the formats of proxies: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]` or
/// `[2001:db8::1]:80`.
#[cfg(feature = "client")]
pub(crate) fn read_address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

/// Whether a header field with this name is never cut: a part of an address can be another address.
fn is_never_cut(name: &str) -> bool {
    name.eq_ignore_ascii_case(KEY_HEADER) || is_address(name)
}

/// Whether a header field with this name has the client's address.
pub(crate) fn is_address(name: &str) -> bool {
    ADDRESS_HEADERS.iter().any(|own| own.eq_ignore_ascii_case(name))
}

impl<'a> ValidateRequest<'a> {
    /// A request with the key name `default`, without headers and payload.
    #[must_use]
    pub const fn new(
        client: ClientId,
        project_env: &'a str,
        method_path: MethodPath<'a>,
        timestamp: Timestamp,
    ) -> Self {
        Self {
            client,
            project_env,
            method_path,
            timestamp,
            key_name: "default",
            headers: &[],
            raw_key: RawKey::Unknown,
            payload: None,
            max_body_len: usize::MAX,
        }
    }

    /// Sets the name of the key. A client may have several keys.
    #[must_use]
    pub const fn key_name(self, key_name: &'a str) -> Self {
        Self { key_name, ..self }
    }

    /// Sets the header fields of the incoming request that the platform sees. Choose them; never send all. The raw key
    /// may be among them if the body is sealed.
    ///
    /// Fields whose names differ at most in case are sent as one, with the first spelling, and their values are joined
    /// by `", "` (RFC 9110, section 5.3): a JSON object must not name a member twice. Control characters (U+0000 to
    /// U+001F and U+007F) are left out of the values. Of these, HTTP only allows the tab.
    #[must_use]
    pub const fn headers(self, headers: &'a [(&'a str, &'a str)]) -> Self {
        Self { headers, ..self }
    }

    /// Sets the maximum length of the body in bytes, not counting the value of the payload. No limit by default.
    ///
    /// Untrusted callers write the header fields, so the fields are cut to fit. Each value is cut where the room ends.
    /// The escaped length counts, and a cut is always between characters. A field is left out if its name does not fit.
    /// The first fields get room first.
    ///
    /// The key name, the raw key and the addresses (`x-forwarded-for` and `x-real-ip`) are never cut: room for them is
    /// reserved, whatever their position. Otherwise a long field could make the platform see another address. If these
    /// alone exceed the limit, the body is longer, and other header fields are left out. Do not send such a body: a
    /// server may refuse it, and an untrusted caller may have written the addresses. `Apikee` does not send it.
    #[must_use]
    pub const fn max_body_len(self, len: usize) -> Self {
        Self { max_body_len: len, ..self }
    }

    /// Sets the raw key. It is added to the headers and replaces any header of its name.
    #[cfg(feature = "client")]
    pub(crate) const fn raw_key(self, raw_key: &'a str) -> Self {
        Self { raw_key: RawKey::Added(raw_key), ..self }
    }

    /// Sets the raw key for a plain body: it is not sent. A header field is left out if it has the key's header name,
    /// or if its value contains the key. A payload that contains the key is left out; the buffer still needs room for
    /// it, and `Apikee` still counts its length.
    #[must_use]
    pub const fn withhold_key(self, raw_key: &'a str) -> Self {
        Self { raw_key: RawKey::Withheld(raw_key), ..self }
    }

    /// Sets other data about the request for the platform.
    #[must_use]
    pub const fn payload(self, payload: JsonObject<'a>) -> Self {
        Self { payload: Some(payload), ..self }
    }

    /// Writes the members of `headers`. They end before `end`, unless the fields that are never cut are longer.
    fn write_headers(&self, out: &mut Writer<'_>, end: usize) {
        let start = out.len();
        let mut kept = self.reserved_len();
        for (at, (name, _)) in self.headers.iter().enumerate() {
            let mut before = self.headers.iter().take(at);
            if before.any(|(own, _)| own.eq_ignore_ascii_case(name)) || !self.may_send(name) {
                continue;
            }
            let mut end = end.saturating_sub(kept);
            if is_never_cut(name) {
                (kept, end) = (kept.saturating_sub(self.field_len(name)), usize::MAX);
            }
            write_field(out, out.len() > start, name, self.values(name), end);
        }
        if let Some(raw_key) = self.raw_key.added() {
            if out.len() > start {
                out.byte(b',');
            }
            out.bytes(KEY_FIELD);
            // A verified key never needs escapes.
            out.bytes(raw_key.as_bytes());
            out.byte(b'"');
        }
    }

    /// Whether the caller's header field with this name is sent.
    fn may_send(&self, name: &str) -> bool {
        match self.raw_key {
            RawKey::Unknown => true,
            RawKey::Added(_) => !name.eq_ignore_ascii_case(KEY_HEADER),
            RawKey::Withheld(_) => {
                !name.eq_ignore_ascii_case(KEY_HEADER)
                    && !self.raw_key.forbids(name)
                    && self.values(name).next().is_some()
            }
        }
    }

    /// The values of the header fields with this name that may be sent.
    fn values(&self, name: &str) -> impl Iterator<Item = &'a str> {
        let named = self.headers.iter().filter(move |(own, _)| own.eq_ignore_ascii_case(name));
        named.map(|(_, value)| *value).filter(|value| !self.raw_key.forbids(value))
    }

    /// The length in bytes of the fields that are never cut, each with a comma.
    fn reserved_len(&self) -> usize {
        // The last quote and a comma.
        let added =
            self.raw_key.added().map_or(0, |raw_key| KEY_FIELD.len().saturating_add(raw_key.len()).saturating_add(2));
        let [first, second] = ADDRESS_HEADERS;
        [KEY_HEADER, first, second].iter().fold(added, |len, name| len.saturating_add(self.field_len(name)))
    }

    /// The length in bytes of the whole field with this name, with a comma; 0 if it is not sent.
    fn field_len(&self, name: &str) -> usize {
        let mut counter = Writer::new(&mut []);
        if self.may_send(name) && self.values(name).next().is_some() {
            write_field(&mut counter, true, name, self.values(name), usize::MAX);
        }
        counter.len()
    }

    /// Whether everything that is never cut fits into the maximum length, and no address is left out because it
    /// contains the key. Otherwise the platform would see another address, or a server could refuse the body.
    #[cfg(feature = "client")]
    pub(crate) fn is_whole(&self) -> bool {
        let mut counter = Writer::new(&mut []);
        self.write_front(&mut counter);
        let mut addresses = self.headers.iter().filter(|(name, _)| is_address(name));
        counter.len().saturating_add(self.reserved_len()) <= self.headers_end()
            && addresses.all(|(_, value)| !self.raw_key.forbids(value))
    }
}

/// Writes a header field. Cuts its values so that it ends before `end`; writes nothing if the name does not fit.
fn write_field<'v>(
    out: &mut Writer<'_>,
    is_behind_another: bool,
    name: &str,
    values: impl Iterator<Item = &'v str>,
    end: usize,
) {
    let start = out.len();
    out.bytes(if is_behind_another { br#",""# } else { br#"""# });
    write::escaped(out, name);
    out.bytes(br#"":""#);
    if out.len() >= end {
        out.truncate(start);
        return;
    }
    let end = end.saturating_sub(1);
    for (at, value) in values.enumerate() {
        // A value after a cut would look like the rest of the value that was cut.
        if at > 0 && !write::escaped_up_to(out, ", ", end) || !write::escaped_up_to(out, value, end) {
            break;
        }
    }
    out.byte(b'"');
}

impl Request for ValidateRequest<'_> {
    fn write_target<'b>(&self, buf: &'b mut [u8]) -> Result<&'b str, BufferTooSmall> {
        written(buf, |out| {
            out.bytes(b"/client/");
            out.bytes(&self.client.text());
            project_env(out, self.project_env);
            out.bytes(b"&method_path=");
            self.method_path.write_query_value(out);
        })
    }

    fn write_body<'b>(&self, buf: &'b mut [u8]) -> Result<&'b str, BufferTooSmall> {
        let payload = self.payload_to_send(buf);
        written(buf, |out| self.write(out, payload))
    }
}

impl<'a> ValidateRequest<'a> {
    /// The payload, unless the key must not be sent and the payload contains it. It is checked as it is written,
    /// because escapes could hide the key. If the buffer is too small for that, it is too small for the body with this
    /// payload, too.
    fn payload_to_send(&self, buf: &mut [u8]) -> Option<JsonObject<'a>> {
        let (RawKey::Withheld(_), Some(payload)) = (self.raw_key, self.payload) else {
            return self.payload;
        };
        match written(buf, |out| payload.write(out)) {
            Ok(text) if self.raw_key.forbids(text) => None,
            Ok(_) | Err(BufferTooSmall { .. }) => Some(payload),
        }
    }

    /// Writes the part before the members of `headers`.
    fn write_front(&self, out: &mut Writer<'_>) {
        string(out, br#"{"name":""#, self.key_name);
        string(out, br#","timestamp":""#, self.timestamp.as_str());
        out.bytes(br#","headers":{"#);
    }

    /// Where the members of `headers` must end. The name of the payload always counts, and so do both closing braces.
    const fn headers_end(&self) -> usize {
        self.max_body_len.saturating_sub(PAYLOAD.len()).saturating_sub(2)
    }

    fn write(&self, out: &mut Writer<'_>, payload: Option<JsonObject<'_>>) {
        self.write_front(out);
        self.write_headers(out, self.headers_end());
        out.byte(b'}');
        if let Some(payload) = payload {
            out.bytes(PAYLOAD);
            payload.write(out);
        }
        out.byte(b'}');
    }
}

impl Sealed for ValidateRequest<'_> {
    fn write_signed(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        write!(out, "{}|{}|{}", self.client, self.method_path, self.timestamp.as_str())
    }
}

/// Does not print the headers: the raw key may be among them.
impl fmt::Debug for ValidateRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ValidateRequest")
            .field("client", &self.client)
            .field("project_env", &self.project_env)
            .field("method_path", &self.method_path)
            .field("timestamp", &self.timestamp)
            .field("key_name", &self.key_name)
            .field("headers", &self.headers.len())
            .field("payload", &self.payload)
            .finish()
    }
}

/// The answer to a [`ValidateRequest`], borrowed from the buffer that it was read from.
///
/// It is a JSON object with a boolean `success`. Only `success` is the verdict; the other members describe it. If one
/// of these is absent, null or of an unexpected type (`"code":403`), it is `None` here. Unknown members are ignored. So
/// an addition to the platform's answers does not make them unreadable. The members that say what the answer is about
/// must be strings if they are present and not null: `clientId`, `project_env` and `method_path`.
///
/// There are two functions to read one. The first does not accept bytes that came without an envelope:
///
/// ```
/// # use apikee::protocol::Answer;
/// let mut body = *br#"{"success":true,"clientId":"497f6eca-6276-4993-bfeb-53cbbbba6f08"}"#;
/// let answer = Answer::read_unsealed(&mut body)?;
/// assert!(answer.success());
/// # Ok::<_, apikee::protocol::AnswerError>(())
/// ```
///
/// ```compile_fail,E0308
/// # use apikee::protocol::Answer;
/// let mut body = *br#"{"success":true,"clientId":"497f6eca-6276-4993-bfeb-53cbbbba6f08"}"#;
/// let answer = Answer::read_opened(&mut body)?;
/// assert!(answer.success());
/// # Ok::<_, apikee::protocol::AnswerError>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Answer<'b> {
    success: bool,
    client_id: Option<&'b str>,
    project_env: Option<&'b str>,
    method_path: Option<&'b str>,
    duration_ms: Option<u64>,
    error: Option<&'b str>,
    code: Option<&'b str>,
    message: Option<&'b str>,
    provenance: Provenance,
}

impl<'b> Answer<'b> {
    /// Reads the plaintext of an envelope: the platform wrote it in answer to this request.
    ///
    /// The buffer is changed: escapes are replaced by the characters, in place.
    ///
    /// # Errors
    ///
    /// See [`AnswerError`]. Each is a fault, not a verdict.
    pub fn read_opened(body: Opened<'b>) -> Result<Self, AnswerError> {
        Self::read(body.into_bytes(), Provenance::Opened)
    }

    /// Reads an answer that came without an envelope. Some deployments answer like this.
    ///
    /// **Only the connection tells who wrote it**, and for which request. Anyone at the point where TLS ends can answer
    /// `"success":true` to every request. Only use this if the user asked for it.
    ///
    /// The buffer is changed: escapes are replaced by the characters, in place.
    ///
    /// # Errors
    ///
    /// See [`AnswerError`]. Each is a fault, not a verdict.
    pub fn read_unsealed(body: &'b mut [u8]) -> Result<Self, AnswerError> {
        Self::read(body, Provenance::Unsealed)
    }

    fn read(body: &'b mut [u8], provenance: Provenance) -> Result<Self, AnswerError> {
        let [success, client_id, project_env, method_path, duration_ms, error, code, message] = find::find(
            body,
            ["success", "clientId", "project_env", "method_path", "durationMs", "error", "code", "message"],
        )
        .map_err(|Malformed| AnswerError::Malformed)?;
        let success = match body.get(success) {
            Some(b"true") => true,
            Some(b"false") => false,
            _ => return Err(AnswerError::NoVerdict),
        };
        let duration_ms = match body.get(duration_ms) {
            Some(number @ [b'-' | b'0'..=b'9', ..]) => whole(number),
            _ => None,
        };
        let subject = [client_id, project_env, method_path];
        let named = subject.clone().map(|at| body.get(at).is_some_and(|value| !value.is_empty() && value != b"null"));
        let subject = subject.map(|at| find::string(body, at));
        let texts = [error, code, message].map(|at| find::string(body, at));
        // From here on the body does not change.
        let body: &'b [u8] = body;
        let subject = subject.map(|at| find::text(body, at));
        // Such an answer would be about any request.
        if named != subject.map(|text| text.is_some()) {
            return Err(AnswerError::Malformed);
        }
        let [client_id, project_env, method_path] = subject;
        let [error, code, message] = texts.map(|at| find::text(body, at));
        Ok(Self { success, client_id, project_env, method_path, duration_ms, error, code, message, provenance })
    }

    /// Whether the platform lets the request through.
    #[must_use]
    pub const fn success(&self) -> bool {
        self.success
    }

    /// Whether the answer is about this request. The client, the project and environment, and the route must be those
    /// of the request, if the answer names them (docs/WIRE.md, "The platform's API"). An answer that names none of them
    /// passes.
    ///
    /// A success about another request must not count for this one. Without an envelope, only these members tie the
    /// answer to the request. In an envelope, a difference shows that the platform mistook the request for another.
    ///
    /// Ids are compared as UUIDs, in upper or lower case. A text that is not a UUID counts as another client. The route
    /// may be spelt `GET:::/users` or `GET:/users`: the documentation shows both.
    ///
    /// ```
    /// # use apikee::{UnixTime, protocol::{Answer, ClientId, MethodPath, Timestamp, ValidateRequest}};
    /// let client = ClientId::new("497f6eca-6276-4993-bfeb-53cbbbba6f08")?;
    /// let now = Timestamp::new(UnixTime::from_secs(1_795_486_905))?;
    /// let request = ValidateRequest::new(client, "my-app", MethodPath::new("GET", "/users")?, now);
    /// let mut body = *br#"{"success":true,"method_path":"DELETE:::/users"}"#;
    /// let answer = Answer::read_unsealed(&mut body)?;
    /// assert!(answer.success() && !answer.is_about(&request));
    /// # Ok::<_, Box<dyn core::error::Error>>(())
    /// ```
    #[must_use]
    pub fn is_about(&self, request: &ValidateRequest<'_>) -> bool {
        self.client_id.is_none_or(|id| ClientId::new(id) == Ok(request.client))
            && self.project_env.is_none_or(|slug| slug == request.project_env)
            && self.method_path.is_none_or(|text| request.method_path.is_spelt(text))
    }

    /// The client that the answer is about.
    #[must_use]
    pub const fn client_id(&self) -> Option<&'b str> {
        self.client_id
    }

    /// The project and environment that the answer is about.
    #[must_use]
    pub const fn project_env(&self) -> Option<&'b str> {
        self.project_env
    }

    /// The method and path that the answer is about.
    #[must_use]
    pub const fn method_path(&self) -> Option<&'b str> {
        self.method_path
    }

    /// How long the platform took, in whole milliseconds, rounded down. It does not affect the decision. So a number
    /// that is negative, larger than 64 bits or written with an exponent is `None`.
    #[must_use]
    pub const fn duration_ms(&self) -> Option<u64> {
        self.duration_ms
    }

    /// Why the request is refused: the member `error`, a code or a phrase.
    #[must_use]
    pub const fn error(&self) -> Option<&'b str> {
        self.error
    }

    /// Why the request is refused: the member `code`, which some answers have instead of `error`.
    #[must_use]
    pub const fn code(&self) -> Option<&'b str> {
        self.code
    }

    /// The platform's reason: [`error`](Self::error), or else [`code`](Self::code), also if `error` is empty. It may
    /// contain line breaks and be as long as the answer: escape and cut it in logs.
    #[must_use]
    pub const fn reason(&self) -> Option<&'b str> {
        match self.error {
            Some(error) if !error.is_empty() => Some(error),
            _ => self.code,
        }
    }

    /// The reason in words. It may contain line breaks: escape it in logs.
    #[must_use]
    pub const fn message(&self) -> Option<&'b str> {
        self.message
    }

    /// Whether the answer came in an envelope.
    #[must_use]
    pub const fn provenance(&self) -> Provenance {
        self.provenance
    }
}

/// The whole part of a checked number.
fn whole(number: &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for byte in number.iter().take_while(|byte| **byte != b'.') {
        value = value.checked_mul(10)?.checked_add(char::from(*byte).to_digit(10)?.into())?;
    }
    (!number.contains(&b'e') && !number.contains(&b'E')).then_some(value)
}

/// How an answer arrived. This tells who may have written it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Provenance {
    /// In an envelope: the platform wrote it for this request.
    Opened,
    /// Without an envelope: whoever holds the other end of the connection wrote it.
    Unsealed,
}

/// Why a body is not a verdict. In each case, the platform's answer is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum AnswerError {
    /// Not one well-formed JSON object, or `clientId`, `project_env` or `method_path` is neither a string nor null.
    Malformed,
    /// `success` is missing or not a boolean.
    NoVerdict,
}

sentences!(
    AnswerError,
    Malformed: "the answer is not a well-formed JSON object",
    NoVerdict: "the answer has no boolean 'success'",
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::UnixTime;

    fn refusal(body: &[u8]) -> Option<AnswerError> {
        let opened = Answer::read_opened(Opened::new(&mut body.to_vec())).err();
        assert_eq!(opened, Answer::read_unsealed(&mut body.to_vec()).err());
        opened
    }

    #[test]
    fn members_are_read_with_their_escapes_undone() {
        let mut body = br#" { "x":[{}], "success" : false, "clientId":"a\u00e9\"", "project_env":"",
            "method_path":"GET:::\/users", "durationMs":12.9, "code":"RATE_LIMITED", "err\u006fr":"a\tb", "mess\u0061ge":"a\nb" } "#
            .to_vec();
        let answer = Answer::read_opened(Opened::new(&mut body)).unwrap();
        assert!(!answer.success());
        assert_eq!(answer.client_id(), Some("a\u{e9}\""));
        assert_eq!(answer.project_env(), Some(""));
        assert_eq!(answer.method_path(), Some("GET:::/users"));
        assert_eq!(answer.duration_ms(), Some(12));
        assert_eq!(answer.code(), Some("RATE_LIMITED"));
        assert_eq!(answer.error(), Some("a\tb"));
        assert_eq!(answer.message(), Some("a\nb"));
        assert_eq!(answer.provenance(), Provenance::Opened);
    }

    #[test]
    fn success_alone_is_a_verdict() {
        for members in ["", r#","clientId":null,"durationMs":null,"code":null,"later":{"success":false}"#] {
            let mut body = format!("{{\"success\":true{members}}}").into_bytes();
            let answer = Answer::read_unsealed(&mut body).unwrap();
            assert!(answer.success());
            assert_eq!((answer.client_id(), answer.duration_ms(), answer.code()), (None, None, None));
            assert_eq!(answer.provenance(), Provenance::Unsealed);
        }
    }

    #[test]
    fn a_reason_of_an_unexpected_type_counts_as_absent() {
        for success in [true, false] {
            for value in ["7", "-1.5", "true", "false", "null", "[]", "[\"a\"]", "{}", "{\"success\":true}"] {
                for name in ["error", "code", "message"] {
                    let mut body = format!("{{\"{name}\":{value},\"success\":{success}}}").into_bytes();
                    let answer = Answer::read_unsealed(&mut body).unwrap();
                    assert_eq!(answer.success(), success, "{name}: {value}");
                    let texts = [answer.client_id(), answer.project_env(), answer.method_path(), answer.error()];
                    assert_eq!((texts, answer.code(), answer.message()), ([None; 4], None, None), "{name}: {value}");
                }
            }
            for value in ["\"3\"", "true", "null", "[3]", "{}"] {
                let mut body = format!("{{\"success\":{success},\"durationMs\":{value}}}").into_bytes();
                let answer = Answer::read_unsealed(&mut body).unwrap();
                assert_eq!((answer.success(), answer.duration_ms()), (success, None), "{value}");
            }
        }
    }

    #[test]
    fn the_reason_is_the_error_or_else_the_code() {
        for (members, reason) in [
            ("", None),
            (r#","error":"A""#, Some("A")),
            (r#","code":"B""#, Some("B")),
            (r#","code":"B","error":"A""#, Some("A")),
            (r#","code":"B","error":7"#, Some("B")),
            (r#","code":"B","error":"""#, Some("B")),
            (r#","code":403,"error":null,"message":"C""#, None),
        ] {
            let mut body = format!("{{\"success\":false{members}}}").into_bytes();
            assert_eq!(Answer::read_unsealed(&mut body).unwrap().reason(), reason, "{members}");
        }
    }

    #[test]
    fn an_answer_about_another_request_is_not_about_ours() {
        let client = ClientId::new("497f6eca-6276-4993-bfeb-53cbbbba6f08").unwrap();
        let now = Timestamp::new(UnixTime::from_secs(0)).unwrap();
        let about = |method: &str, path: &str, members: &str| {
            let route = MethodPath::new(method, path).unwrap();
            let request = ValidateRequest::new(client, "my-app", route, now);
            let mut body = format!("{{\"success\":true{members}}}").into_bytes();
            Answer::read_unsealed(&mut body).unwrap().is_about(&request)
        };
        for (ours, members) in [
            (true, ""),
            (true, r#","clientId":"497f6eca-6276-4993-bfeb-53cbbbba6f08""#),
            (true, r#","clientId":"497F6ECA-6276-4993-BFEB-53CBBBBA6F08""#),
            (true, r#","clientId":"\u0034\u00397f6eca-6276-4993-bfeb-53cbbbba6f08""#),
            (false, r#","clientId":"497f6eca-6276-4993-bfeb-53cbbbba6f09""#),
            (false, r#","clientId":"497f6eca62764993bfeb53cbbbba6f08""#),
            (false, r#","clientId":"acme-corp""#),
            (false, r#","clientId":"""#),
            (true, r#","clientId":null,"project_env":null,"method_path":null"#),
            (true, r#","project_env":"my-app""#),
            (false, r#","project_env":"my-app2""#),
            (false, r#","project_env":"My-App""#),
            (false, r#","project_env":"""#),
            (true, r#","method_path":"GET:::/users""#),
            (true, r#","method_path":"GET:::\/users""#),
            (true, r#","method_path":"GET:/users""#),
            (false, r#","method_path":"GET::/users""#),
            (false, r#","method_path":"GET::::/users""#),
            (false, r#","method_path":"GET/users""#),
            (false, r#","method_path":"get:::/users""#),
            (false, r#","method_path":"POST:::/users""#),
            (false, r#","method_path":"GETS:::/users""#),
            (false, r#","method_path":"GET:::users""#),
            (false, r#","method_path":"GET:::/users/""#),
            (false, r#","method_path":"GET:::/user""#),
            (false, r#","method_path":"GET:::/Users""#),
            (false, r#","method_path":"GET%3A%3A%3A%2Fusers""#),
            (false, r#","method_path":"GET""#),
            (false, r#","method_path":"""#),
            (
                true,
                r#","method_path":"GET:/users","project_env":"my-app","clientId":"497f6eca-6276-4993-bfeb-53cbbbba6f08""#,
            ),
            (
                false,
                r#","method_path":"GET:/users","project_env":"other","clientId":"497f6eca-6276-4993-bfeb-53cbbbba6f08""#,
            ),
        ] {
            assert_eq!(about("get", "users", members), ours, "{members}");
        }
        for (path, spelt, ours) in [
            ("", "GET:::/", true),
            ("/", "GET:/", true),
            ("//a", "GET::://a", true),
            ("//a", "GET:::/a", false),
            ("/:a", "GET:/:a", true),
            ("/::/a", "GET:/::/a", true),
            ("/caf\u{e9}", "GET:::/caf\\u00e9", true),
            ("/caf\u{e9}", "GET:::/caf%C3%A9", false),
        ] {
            assert_eq!(about("GET", path, &format!(",\"method_path\":\"{spelt}\"")), ours, "{path} {spelt}");
        }
    }

    #[test]
    fn an_answer_is_malformed_if_what_it_is_about_is_not_a_text() {
        for member in ["clientId", "project_env", "method_path"] {
            for value in ["7", "true", "{}", "[]", r#"["GET:::/users"]"#, r#""\ud800""#, r#"{"clientId":"x"}"#] {
                for success in [true, false] {
                    let mut body = format!("{{\"{member}\":{value},\"success\":{success}}}").into_bytes();
                    let answer = Answer::read_unsealed(&mut body).map(|answer| answer.success());
                    assert_eq!(answer, Err(AnswerError::Malformed), "{member} {value}");
                }
            }
        }
    }

    /// The cases of the golden answers, and a few more.
    #[test]
    fn an_answer_without_a_verdict_is_a_fault() {
        use AnswerError::{Malformed, NoVerdict};
        let cases: &[(&[u8], AnswerError)] = &[
            (br#"{"clientId":"a"}"#, NoVerdict),
            (b"{}", NoVerdict),
            (br#"{"success":"true"}"#, NoVerdict),
            (br#"{"success":1}"#, NoVerdict),
            (br#"{"success":null}"#, NoVerdict),
            (br#"{"success":[true]}"#, NoVerdict),
            (br#"{"data":{"success":true}}"#, NoVerdict),
            (br#"{"Success":true}"#, NoVerdict),
            (br#"{"success ":true}"#, NoVerdict),
            (br#"{"success":false,"success":true}"#, Malformed),
            (br#"{"success":true,"succ\u0065ss":true}"#, Malformed),
            (br#"{"success":true,"x":{"a":1,"a":1}}"#, Malformed),
            (b"{\"success\":true,\"message\":\"\xff\"}", Malformed),
            (b"{\"success\":true,\"\xff\":1}", Malformed),
            (br#"{"success":true"#, Malformed),
            (br#"{"success":true,"#, Malformed),
            (br#"{"success":true}}"#, Malformed),
            (br#"{"success":true}{"success":true}"#, Malformed),
            (br#"{"success":truex}"#, Malformed),
            (br#"[{"success":true}]"#, Malformed),
            (b"true", Malformed),
            (b"null", Malformed),
            (b"OK", Malformed),
            (b"<html></html>", Malformed),
            (b"\xef\xbb\xbf{\"success\":true}", Malformed),
            (b"", Malformed),
            (b" ", Malformed),
            (b"\0", Malformed),
            (br#"{"success":true,"clientId":1x}"#, Malformed),
            (br#"{"success":true,"code":403,"code":403}"#, Malformed),
            (b"{\"success\":false,\"code\":[\"\xff\"]}", Malformed),
        ];
        for (body, error) in cases {
            assert_eq!(refusal(body), Some(*error), "{}", body.escape_ascii());
        }
        let deep = format!("{{\"success\":true,\"x\":{}1{}}}", "[".repeat(32), "]".repeat(32));
        assert_eq!(refusal(deep.as_bytes()), Some(Malformed));
    }

    #[test]
    fn durations_are_rounded_down_or_left_out() {
        for (number, expected) in [
            ("0", Some(0)),
            ("1.999", Some(1)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("-1", None),
            ("-0.5", None),
            ("1e3", None),
            ("1.5E-5", None),
        ] {
            let mut body = format!("{{\"durationMs\":{number},\"success\":true}}").into_bytes();
            assert_eq!(Answer::read_unsealed(&mut body).unwrap().duration_ms(), expected, "{number}");
        }
    }
}
