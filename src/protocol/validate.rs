//! Asking the platform about a key that has passed local verification: [`ValidateRequest`], and the platform's verdict,
//! an [`Answer`].

use core::fmt;

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

/// Asks whether a client may make a request of that method and path, now.
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

/// What stands in front of the raw key.
const KEY_FIELD: &[u8] = br#""x-api-key":""#;

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

    /// Writes the members of `headers`, so that they end before `end` unless the raw key does not.
    fn write_headers(&self, out: &mut Writer<'_>, end: usize) {
        let start = out.len();
        let mut kept = self.key_field_len();
        for (at, (name, _)) in self.headers.iter().enumerate() {
            let is_key = name.eq_ignore_ascii_case(KEY_HEADER);
            let mut before = self.headers.iter().take(at);
            if before.any(|(own, _)| own.eq_ignore_ascii_case(name)) || !self.may_send(name) {
                continue;
            }
            let mut end = end.saturating_sub(kept);
            if is_key {
                (kept, end) = (0, usize::MAX);
            }
            write_field(out, out.len() > start, name, self.values(name), end);
        }
        if let Some(raw_key) = self.raw_key.told() {
            if out.len() > start {
                out.byte(b',');
            }
            out.bytes(KEY_FIELD);
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

    /// Bytes of the field of the raw key, its last quote and a comma included; 0 if there is none.
    fn key_field_len(&self) -> usize {
        if let Some(raw_key) = self.raw_key.told() {
            return KEY_FIELD.len().saturating_add(raw_key.len()).saturating_add(2);
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
        string(out, br#"{"name":""#, self.key_name);
        string(out, br#","timestamp":""#, self.timestamp.as_str());
        out.bytes(br#","headers":{"#);
        self.write_headers(out, end);
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

/// The answer to a [`ValidateRequest`], borrowed from the buffer that it was
/// read in.
///
/// A JSON object with a boolean `success`, which alone is the verdict. The other members only describe
/// it: one that is absent, null or of an unexpected type (`"code":403`) is `None` here, and members
/// that are not known are ignored. So an addition to the platform's answers is not an outage.
///
/// There are two ways to read one, and bytes that came in the clear do not fit the first:
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
    /// Reads what came out of an envelope: the platform's own words, on this very request.
    ///
    /// The buffer is changed on the way: escapes are undone where they stand.
    ///
    /// # Errors
    ///
    /// As [`AnswerError`] says; each is a fault, not a verdict.
    pub fn read_opened(body: Opened<'b>) -> Result<Self, AnswerError> {
        Self::read(body.into_bytes(), Provenance::Opened)
    }

    /// Reads what came without an envelope, as some deployments answer.
    ///
    /// **Nothing but the connection says who wrote it**, or for which request: whoever sits where TLS
    /// ends can answer `"success":true` to all. Only for where the user has asked for this.
    ///
    /// The buffer is changed on the way: escapes are undone where they stand.
    ///
    /// # Errors
    ///
    /// As [`AnswerError`] says; each is a fault, not a verdict.
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
        let texts = [client_id, project_env, method_path, error, code, message].map(|at| find::string(body, at));
        // From here on the body stays as it is.
        let body: &'b [u8] = body;
        let [client_id, project_env, method_path, error, code, message] = texts.map(|at| find::text(body, at));
        Ok(Self { success, client_id, project_env, method_path, duration_ms, error, code, message, provenance })
    }

    /// Whether the platform lets the request through.
    #[must_use]
    pub const fn success(&self) -> bool {
        self.success
    }

    /// Whether it is about that request: the client, the project-env and the route that it names, if it
    /// names them, are those that were asked about (docs/WIRE.md, "The platform's API"). An answer that does
    /// not say what it is about passes.
    ///
    /// A success that is about another request is not an answer to this one. In the clear nothing else
    /// ties the two together; out of an envelope it shows that the platform took the request for another.
    ///
    /// Ids are compared as ids, in either case; the text of one that is not a UUID is another client. The
    /// route may be spelt `GET:::/users` or, as the documentation also shows it, `GET:/users`.
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
        let (client, project_env, method_path) = request.subject();
        self.client_id.is_none_or(|id| ClientId::new(id) == Ok(client))
            && self.project_env.is_none_or(|slug| slug == project_env)
            && self.method_path.is_none_or(|text| method_path.is_spelt(text))
    }

    /// The client that was asked about.
    #[must_use]
    pub const fn client_id(&self) -> Option<&'b str> {
        self.client_id
    }

    /// The project and environment that were asked about.
    #[must_use]
    pub const fn project_env(&self) -> Option<&'b str> {
        self.project_env
    }

    /// The method and path that were asked about.
    #[must_use]
    pub const fn method_path(&self) -> Option<&'b str> {
        self.method_path
    }

    /// How long the platform took, in whole milliseconds, rounded down. It decides nothing, so a
    /// number that is below zero, past 64 bits or written with an exponent is `None`.
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

    /// The platform's reason: [`error`](Self::error), or else [`code`](Self::code). It may hold line
    /// breaks and be as long as the answer: escape and cut it in logs.
    #[must_use]
    pub const fn reason(&self) -> Option<&'b str> {
        match self.error {
            Some(error) => Some(error),
            None => self.code,
        }
    }

    /// The reason in words. They may hold line breaks: escape them in logs.
    #[must_use]
    pub const fn message(&self) -> Option<&'b str> {
        self.message
    }

    /// How the answer came.
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

/// How an answer came, and so who may have written it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Provenance {
    /// Out of an envelope: by the platform, for this request.
    Opened,
    /// In the clear: by whoever holds the other end of the connection.
    Unsealed,
}

/// Why a body is not a verdict. Whatever the reason, the platform has not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum AnswerError {
    /// It is not one well-formed JSON object.
    Malformed,
    /// It has no `success` that is true or false.
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
    fn a_member_of_an_unexpected_type_is_as_good_as_absent() {
        for success in [true, false] {
            for value in ["7", "-1.5", "true", "false", "null", "[]", "[\"a\"]", "{}", "{\"success\":true}"] {
                for name in ["clientId", "project_env", "method_path", "error", "code", "message"] {
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
            (r#","code":403,"error":null,"message":"C""#, None),
        ] {
            let mut body = format!("{{\"success\":false{members}}}").into_bytes();
            assert_eq!(Answer::read_unsealed(&mut body).unwrap().reason(), reason, "{members}");
        }
    }

    #[test]
    fn an_answer_about_another_request_is_told_from_ours() {
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
            (true, r#","clientId":7,"project_env":{},"method_path":null"#),
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

    /// The cases of the golden answers, and a few more.
    #[test]
    fn what_is_no_verdict_is_a_fault() {
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
