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
    raw_key: Option<&'a str>,
    payload: Option<JsonObject<'a>>,
}

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
            raw_key: None,
            payload: None,
        }
    }

    /// The name of the key among the client's.
    #[must_use]
    pub const fn key_name(self, key_name: &'a str) -> Self {
        Self { key_name, ..self }
    }

    /// The header fields of the incoming request that the platform shall see: those that the caller
    /// chose, never all. The raw key may be among them, as it travels in the envelope only.
    ///
    /// Fields of one name, whatever the case, are sent as one, under the first spelling, values
    /// joined by `", "` (RFC 9110, section 5.3): the JSON object names nothing twice.
    #[must_use]
    pub const fn headers(self, headers: &'a [(&'a str, &'a str)]) -> Self {
        Self { headers, ..self }
    }

    /// The raw key, which is added to the headers by itself, in place of any that they name so.
    #[cfg(feature = "client")]
    pub(crate) const fn raw_key(self, raw_key: &'a str) -> Self {
        Self { raw_key: Some(raw_key), ..self }
    }

    /// What else the platform shall see of the request.
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

    fn write_headers(&self, out: &mut Writer<'_>) {
        let mut quote = &br#"""#[..];
        let mut before = &[][..];
        let mut rest = self.headers;
        while let Some(((name, value), after)) = rest.split_first() {
            let same = |field: &&(&str, &str)| field.0.eq_ignore_ascii_case(name);
            let is_key = self.raw_key.is_some() && name.eq_ignore_ascii_case(KEY_HEADER);
            if !is_key && !before.iter().any(|field| same(&field)) {
                out.bytes(quote);
                quote = br#",""#;
                write::escaped(out, name);
                out.bytes(br#"":""#);
                write::escaped(out, value);
                for (_, value) in after.iter().filter(same) {
                    out.bytes(b", ");
                    write::escaped(out, value);
                }
                out.byte(b'"');
            }
            rest = after;
            before = self.headers.get(..self.headers.len().saturating_sub(rest.len())).unwrap_or_default();
        }
        if let Some(raw_key) = self.raw_key {
            out.bytes(quote);
            out.bytes(KEY_HEADER.as_bytes());
            out.bytes(br#"":""#);
            write::escaped(out, raw_key);
            out.byte(b'"');
        }
    }
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
        written(buf, |out| {
            out.bytes(br#"{"name":""#);
            write::escaped(out, self.key_name);
            out.bytes(br#"","timestamp":""#);
            out.bytes(self.timestamp.as_str().as_bytes());
            out.bytes(br#"","headers":{"#);
            self.write_headers(out);
            out.byte(b'}');
            if let Some(payload) = self.payload {
                out.bytes(br#","payload":"#);
                payload.write(out);
            }
            out.byte(b'}');
        })
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
