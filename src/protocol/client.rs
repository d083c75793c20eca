//! Creating clients.

use super::{
    request::{BodyForm, Request, sealed::Sealed, write_project_env, written},
    timestamp::Timestamp,
};
use crate::{
    buf::{BufferTooSmall, Writer},
    json::{JsonObject, write},
};

/// Creates a client with its keys, or brings the one of that name up to date. The answer is a
/// [`ClientRecord`](crate::ClientRecord).
///
/// ```
/// use apikee::{ClientKey, CreateClient, Request as _};
///
/// let keys = [ClientKey::new("acme-corp-key")];
/// let request = CreateClient::new("my-app-production", "acme-corp").keys(&keys);
/// let mut buf = [0; 256];
/// assert_eq!(request.write_target(&mut buf)?, "/client?project_env=my-app-production");
/// assert_eq!(
///     request.write_body(&mut buf)?,
///     r#"{"name":"acme-corp","type":"service","keys":[{"name":"acme-corp-key"}]}"#
/// );
/// # Ok::<_, apikee::BufferTooSmall>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct CreateClient<'a> {
    project_env: &'a str,
    name: &'a str,
    client_type: ClientType,
    keys: &'a [ClientKey<'a>],
    template_id: Option<&'a str>,
    metadata: Option<JsonObject<'a>>,
    ip_whitelist: Option<&'a [&'a str]>,
}

impl<'a> CreateClient<'a> {
    /// A service with one key, `default`.
    #[must_use]
    pub const fn new(project_env: &'a str, name: &'a str) -> Self {
        const KEYS: &[ClientKey<'_>] = &[ClientKey::new("default")];
        Self {
            project_env,
            name,
            client_type: ClientType::Service,
            keys: KEYS,
            template_id: None,
            metadata: None,
            ip_whitelist: None,
        }
    }

    /// What kind of client it is.
    #[must_use]
    pub const fn client_type(self, client_type: ClientType) -> Self {
        Self { client_type, ..self }
    }

    /// The client's keys, instead of `default`.
    #[must_use]
    pub const fn keys(self, keys: &'a [ClientKey<'a>]) -> Self {
        Self { keys, ..self }
    }

    /// The template that the client is made from.
    #[must_use]
    pub const fn template_id(self, template_id: &'a str) -> Self {
        Self { template_id: Some(template_id), ..self }
    }

    /// Anything else about the client.
    #[must_use]
    pub const fn metadata(self, metadata: JsonObject<'a>) -> Self {
        Self { metadata: Some(metadata), ..self }
    }

    /// The networks that the client may call from, in the platform's notation (`203.0.113.0/24`). An
    /// empty list is sent as one.
    #[must_use]
    pub const fn ip_whitelist(self, networks: &'a [&'a str]) -> Self {
        Self { ip_whitelist: Some(networks), ..self }
    }
}

/// A key of a client that is created.
#[derive(Debug, Clone, Copy)]
pub struct ClientKey<'a> {
    name: &'a str,
    expires_at: Option<Timestamp>,
}

impl<'a> ClientKey<'a> {
    /// A key that never expires, as far as the platform knows.
    #[must_use]
    pub const fn new(name: &'a str) -> Self {
        Self { name, expires_at: None }
    }

    /// When it expires.
    #[must_use]
    pub const fn expires_at(self, time: Timestamp) -> Self {
        Self { expires_at: Some(time), ..self }
    }

    fn write(&self, out: &mut Writer<'_>) {
        out.bytes(br#"{"name":""#);
        write::escaped(out, self.name);
        out.byte(b'"');
        if let Some(time) = self.expires_at {
            out.bytes(br#","expiresAt":""#);
            out.bytes(time.as_str().as_bytes());
            out.byte(b'"');
        }
        out.byte(b'}');
    }
}

/// What kind of client it is, in the platform's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ClientType {
    /// A human being.
    Person,
    /// An organisation.
    Company,
    /// A program that others run.
    #[default]
    Service,
    /// A thing.
    Device,
    /// A part of one's own system.
    Internal,
}

impl ClientType {
    /// The platform's word: `"service"`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Company => "company",
            Self::Service => "service",
            Self::Device => "device",
            Self::Internal => "internal",
        }
    }
}

impl Request for CreateClient<'_> {
    const FORM: BodyForm = BodyForm::Sealed;

    fn write_target<'b>(&self, buf: &'b mut [u8]) -> Result<&'b str, BufferTooSmall> {
        written(buf, |out| {
            out.bytes(b"/client");
            write_project_env(out, self.project_env);
        })
    }

    fn write_body<'b>(&self, buf: &'b mut [u8]) -> Result<&'b str, BufferTooSmall> {
        written(buf, |out| {
            out.bytes(br#"{"name":""#);
            write::escaped(out, self.name);
            out.bytes(br#"","type":""#);
            out.bytes(self.client_type.as_str().as_bytes());
            out.bytes(br#"","keys":["#);
            for (at, key) in self.keys.iter().enumerate() {
                if at > 0 {
                    out.byte(b',');
                }
                key.write(out);
            }
            out.byte(b']');
            if let Some(template_id) = self.template_id {
                out.bytes(br#","templateId":""#);
                write::escaped(out, template_id);
                out.byte(b'"');
            }
            if let Some(metadata) = self.metadata {
                out.bytes(br#","metadata":"#);
                metadata.write(out);
            }
            if let Some(networks) = self.ip_whitelist {
                out.bytes(br#","ipWhitelist":["#);
                for (at, network) in networks.iter().enumerate() {
                    out.bytes(if at == 0 { br#"""# } else { br#",""# });
                    write::escaped(out, network);
                    out.byte(b'"');
                }
                out.byte(b']');
            }
            out.byte(b'}');
        })
    }
}

impl Sealed for CreateClient<'_> {}
