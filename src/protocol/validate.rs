//! Asking the platform about a key that has passed local verification.

use core::fmt;

use super::{
    client_id::ClientId,
    method_path::MethodPath,
    request::{BodyForm, Request, sealed::Sealed, write_project_env, written},
    timestamp::Timestamp,
};
use crate::{
    buf::{BufferTooSmall, Writer},
    json::{JsonObject, write},
    key::log_prefix,
};

/// Asks whether a client may make a request of that method and path, now.
///
/// ```
/// use apikee::{ClientId, MethodPath, Request as _, Timestamp, UnixTime, ValidateRequest};
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

/// What becomes of the caller's raw key.
#[derive(Clone, Copy)]
enum RawKey<'a> {
    /// It is not known here. It may be among the headers.
    Unknown,
    /// It is one of the headers, added by itself.
    #[cfg_attr(not(feature = "client"), expect(dead_code, reason = "the client tells it"))]
    Told(&'a str),
    /// It stands nowhere in the body.
    Withheld(&'a str),
}

impl<'a> RawKey<'a> {
    const fn told(self) -> Option<&'a str> {
        match self {
            Self::Told(raw_key) => Some(raw_key),
            Self::Unknown | Self::Withheld(_) => None,
        }
    }

    /// Whether that text has the key in it and must not be sent. A caller may have cut it within the key: no more of
    /// the key may stand at its end than logs may have.
    fn forbids(self, text: &str) -> bool {
        let Self::Withheld(raw_key) = self else {
            return false;
        };
        let secret = log_prefix(raw_key).len().saturating_add(1)..=raw_key.len();
        let is_cut = |len| raw_key.get(..len).is_some_and(|front| text.ends_with(front));
        text.contains(raw_key) || secret.into_iter().any(is_cut)
    }
}

/// What stands in front of the payload.
const PAYLOAD: &[u8] = br#","payload":"#;

/// What stands in front of the raw key behind another header field.
const KEY_FIELD: &[u8] = br#","x-api-key":""#;

/// What the raw key is called among the headers.
pub(crate) const KEY_HEADER: &str = "x-api-key";

impl<'a> ValidateRequest<'a> {
    /// With the key name `default`, and neither headers nor payload.
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

    /// The name of the key among the client's.
    #[must_use]
    pub const fn key_name(self, key_name: &'a str) -> Self {
        Self { key_name, ..self }
    }

    /// The header fields of the incoming request that the platform is to see: those that the caller
    /// chose, never all. The raw key may be among them, as it travels in the envelope only.
    ///
    /// Fields of one name, whatever the case, are sent as one, under the first spelling, values
    /// joined by `", "` (RFC 9110, section 5.3): the JSON object names nothing twice. Control characters
    /// (U+0000 to U+001F and U+007F) are left out of the values. HTTP allows none of them but the tab.
    #[must_use]
    pub const fn headers(self, headers: &'a [(&'a str, &'a str)]) -> Self {
        Self { headers, ..self }
    }

    /// How many bytes the body may have, not counting the payload's own. No bound is set by default.
    ///
    /// A stranger writes the header fields, so it is they that give way. Their values are cut where
    /// the room ends, counted as they are escaped and between characters, and a field whose name has no
    /// room is left out. Those that come first have the room first: put first what has to arrive whole,
    /// such as an address. The raw key is never cut and its room is kept free wherever it stands.
    ///
    /// The key name and the raw key are sent whole in any case, so where these two alone take more, the
    /// body is longer and has no other header fields.
    #[must_use]
    pub const fn max_body_len(self, len: usize) -> Self {
        Self { max_body_len: len, ..self }
    }

    /// The raw key, which is added to the headers by itself, instead of any of that name.
    #[cfg(feature = "client")]
    pub(crate) const fn raw_key(self, raw_key: &'a str) -> Self {
        Self { raw_key: RawKey::Told(raw_key), ..self }
    }

    /// The raw key, for a body that travels plain: it is not sent. Header fields that are called as the key's own, or
    /// have the key in a value, are left out, and so is a payload that has the key in it.
    #[must_use]
    pub const fn withhold_key(self, raw_key: &'a str) -> Self {
        Self { raw_key: RawKey::Withheld(raw_key), ..self }
    }

    /// What else the platform sees of the request.
    #[must_use]
    pub const fn payload(self, payload: JsonObject<'a>) -> Self {
        Self { payload: Some(payload), ..self }
    }

    /// What it asks about.
    pub(crate) const fn subject(&self) -> (ClientId, &'a str, MethodPath<'a>) {
        (self.client, self.project_env, self.method_path)
    }

    /// What `x-apikee-signature` vouches for.
    #[cfg(feature = "client")]
    pub(crate) const fn signed(&self) -> (ClientId, MethodPath<'a>, Timestamp) {
        (self.client, self.method_path, self.timestamp)
    }

    /// Writes the members of `headers`, so that they end before `end` unless the raw key does not.
    fn write_headers(&self, out: &mut Writer<'_>, end: usize) {
        let start = out.len();
        let mut kept = self.key_field_len();
        for (at, (name, _)) in self.headers.iter().enumerate() {
            let is_key = name.eq_ignore_ascii_case(KEY_HEADER);
            let before = self.headers.get(..at).unwrap_or_default();
            if before.iter().any(|(own, _)| own.eq_ignore_ascii_case(name)) || !self.may_send(name) {
                continue;
            }
            let mut end = end.saturating_sub(kept);
            if is_key {
                (kept, end) = (0, usize::MAX);
            }
            write_field(out, out.len() > start, name, self.values(name), end);
        }
        if let Some(raw_key) = self.raw_key.told() {
            out.bytes(if out.len() > start { KEY_FIELD } else { KEY_FIELD.strip_prefix(b",").unwrap_or_default() });
            // A verified key has nothing to escape.
            out.bytes(raw_key.as_bytes());
            out.byte(b'"');
        }
    }

    /// Whether the header field of that name is sent as the caller has it.
    fn may_send(&self, name: &str) -> bool {
        match self.raw_key {
            RawKey::Unknown => true,
            RawKey::Told(_) => !name.eq_ignore_ascii_case(KEY_HEADER),
            RawKey::Withheld(_) => {
                !name.eq_ignore_ascii_case(KEY_HEADER)
                    && !self.raw_key.forbids(name)
                    && self.values(name).next().is_some()
            }
        }
    }

    /// The values of the header fields of that name that may be sent.
    fn values(&self, name: &str) -> impl Iterator<Item = &'a str> {
        let named = self.headers.iter().filter(move |(own, _)| own.eq_ignore_ascii_case(name));
        named.map(|(_, value)| *value).filter(|value| !self.raw_key.forbids(value))
    }

    /// Bytes of the field of the raw key, a comma included; 0 if there is none.
    fn key_field_len(&self) -> usize {
        if let Some(raw_key) = self.raw_key.told() {
            return KEY_FIELD.len().saturating_add(raw_key.len()).saturating_add(1);
        }
        let mut counter = Writer::new(&mut []);
        if self.may_send(KEY_HEADER) && self.values(KEY_HEADER).next().is_some() {
            write_field(&mut counter, true, KEY_HEADER, self.values(KEY_HEADER), usize::MAX);
        }
        counter.len()
    }
}

/// Writes a header field, its values cut so that it ends before `end`; nothing if the name has no room.
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
        // What follows a cut would be taken for the rest of what was cut.
        if at > 0 && !write::escaped_up_to(out, ", ", end) || !write::escaped_up_to(out, value, end) {
            break;
        }
    }
    out.byte(b'"');
}

impl Request for ValidateRequest<'_> {
    const FORM: BodyForm = BodyForm::Sealed;

    fn write_target<'b>(&self, buf: &'b mut [u8]) -> Result<&'b str, BufferTooSmall> {
        written(buf, |out| {
            out.bytes(b"/client/");
            out.bytes(&self.client.text());
            write_project_env(out, self.project_env);
            out.bytes(b"&method_path=");
            self.method_path.write_query_value(out);
        })
    }

    fn write_body<'b>(&self, buf: &'b mut [u8]) -> Result<&'b str, BufferTooSmall> {
        let payload = self.payload_to_send(buf)?;
        written(buf, |out| self.write(out, payload))
    }
}

impl<'a> ValidateRequest<'a> {
    /// The payload, unless the key must not be sent and is in it. An escape can hide the key until it is written.
    fn payload_to_send(&self, buf: &mut [u8]) -> Result<Option<JsonObject<'a>>, BufferTooSmall> {
        let (RawKey::Withheld(_), Some(payload)) = (self.raw_key, self.payload) else {
            return Ok(self.payload);
        };
        let text = written(buf, |out| payload.write(out))?;
        Ok(if self.raw_key.forbids(text) { None } else { Some(payload) })
    }

    fn write(&self, out: &mut Writer<'_>, payload: Option<JsonObject<'_>>) {
        // The payload's name counts whether it is there or not, and both braces.
        let end = self.max_body_len.saturating_sub(PAYLOAD.len()).saturating_sub(2);
        out.bytes(br#"{"name":""#);
        write::escaped(out, self.key_name);
        out.bytes(br#"","timestamp":""#);
        out.bytes(self.timestamp.as_str().as_bytes());
        out.bytes(br#"","headers":{"#);
        self.write_headers(out, end);
        out.byte(b'}');
        if let Some(payload) = payload {
            out.bytes(PAYLOAD);
            payload.write(out);
        }
        out.byte(b'}');
    }
}

impl Sealed for ValidateRequest<'_> {}

/// Without the headers' names and values: the raw key may be among them.
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
