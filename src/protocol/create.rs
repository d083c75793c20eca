//! Creating a client: [`CreateClient`], and its answer, a [`ClientRecord`].

use core::str::FromStr;

use super::{
    client_id::ClientId,
    request::{Request, sealed::Sealed, string, strings, written, written_target},
    timestamp::Timestamp,
};
use crate::{
    buf::{BufferTooSmall, Writer},
    envelope::Opened,
    error::sentences,
    json::{JsonObject, find},
    names::Malformed,
};

/// Creates the client with this name and its keys, or replaces its record. The answer is a [`ClientRecord`].
///
/// ```
/// use apikee::protocol::{ClientKey, CreateClient, Request as _};
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
    /// A client of type `service` with one key named `default`.
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

    /// Sets the type of the client.
    #[must_use]
    pub const fn client_type(self, client_type: ClientType) -> Self {
        Self { client_type, ..self }
    }

    /// Sets the keys of the client. They replace `default`.
    #[must_use]
    pub const fn keys(self, keys: &'a [ClientKey<'a>]) -> Self {
        Self { keys, ..self }
    }

    /// Sets the template for the client.
    #[must_use]
    pub const fn template_id(self, template_id: &'a str) -> Self {
        Self { template_id: Some(template_id), ..self }
    }

    /// Sets any other data about the client.
    #[must_use]
    pub const fn metadata(self, metadata: JsonObject<'a>) -> Self {
        Self { metadata: Some(metadata), ..self }
    }

    /// Sets the networks that the client may call from, in the platform's notation (`203.0.113.0/24`). An empty list is
    /// sent as an empty list.
    #[must_use]
    pub const fn ip_whitelist(self, networks: &'a [&'a str]) -> Self {
        Self { ip_whitelist: Some(networks), ..self }
    }
}

/// A key of the new client.
#[derive(Debug, Clone, Copy)]
pub struct ClientKey<'a> {
    name: &'a str,
    expires_at: Option<Timestamp>,
}

impl<'a> ClientKey<'a> {
    /// A key without an expiry on the platform.
    #[must_use]
    pub const fn new(name: &'a str) -> Self {
        Self { name, expires_at: None }
    }

    /// Sets when the key expires.
    #[must_use]
    pub const fn expires_at(self, time: Timestamp) -> Self {
        Self { expires_at: Some(time), ..self }
    }

    fn write(&self, out: &mut Writer<'_>) {
        string(out, br#"{"name":""#, self.name);
        if let Some(time) = self.expires_at {
            string(out, br#","expiresAt":""#, time.as_str());
        }
        out.byte(b'}');
    }
}

/// The type of a client, in the platform's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ClientType {
    /// A human.
    Person,
    /// An organisation.
    Company,
    /// A program that others run.
    #[default]
    Service,
    /// A piece of hardware.
    Device,
    /// A part of your own system.
    Internal,
}

impl ClientType {
    /// The platform's word, for example `"service"`.
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

/// Reads the platform's word.
impl FromStr for ClientType {
    type Err = InvalidClientType;

    fn from_str(text: &str) -> Result<Self, InvalidClientType> {
        [Self::Person, Self::Company, Self::Service, Self::Device, Self::Internal]
            .into_iter()
            .find(|client_type| client_type.as_str() == text)
            .ok_or(InvalidClientType)
    }
}

/// The text is not the platform's word for a type of client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct InvalidClientType;

sentences!(InvalidClientType, "not person, company, service, device or internal");

impl Request for CreateClient<'_> {
    fn write_target<'b>(&self, buf: &'b mut [u8]) -> Result<&'b str, BufferTooSmall> {
        written_target(buf, b"/client", self.project_env)
    }

    fn write_body<'b>(&self, buf: &'b mut [u8]) -> Result<&'b str, BufferTooSmall> {
        written(buf, |out| {
            string(out, br#"{"name":""#, self.name);
            string(out, br#","type":""#, self.client_type.as_str());
            out.bytes(br#","keys":["#);
            for (at, key) in self.keys.iter().enumerate() {
                if at > 0 {
                    out.byte(b',');
                }
                key.write(out);
            }
            out.byte(b']');
            if let Some(template_id) = self.template_id {
                string(out, br#","templateId":""#, template_id);
            }
            if let Some(metadata) = self.metadata {
                out.bytes(br#","metadata":"#);
                metadata.write(out);
            }
            if let Some(networks) = self.ip_whitelist {
                strings(out, br#","ipWhitelist":["#, networks);
            }
            out.byte(b'}');
        })
    }
}

impl Sealed for CreateClient<'_> {}

/// The answer to a [`CreateClient`]: a JSON object with an `id` that is a UUID. Unknown members are ignored.
///
/// ```
/// # use apikee::protocol::ClientRecord;
/// let mut body = *br#"{"id":"497f6eca-6276-4993-bfeb-53cbbbba6f08","name":"acme-corp"}"#;
/// let record = ClientRecord::read_unsealed(&mut body)?;
/// assert_eq!(record.id().to_string(), "497f6eca-6276-4993-bfeb-53cbbbba6f08");
/// # Ok::<_, apikee::protocol::ClientRecordError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientRecord {
    id: ClientId,
}

impl ClientRecord {
    /// Reads the plaintext of an envelope. Escapes are replaced by the characters, in place.
    ///
    /// # Errors
    ///
    /// See [`ClientRecordError`].
    pub fn read_opened(body: Opened<'_>) -> Result<Self, ClientRecordError> {
        Self::read(body.into_bytes())
    }

    /// Reads an answer that came without an envelope. **Only the connection tells who wrote it**, as for
    /// [`Answer::read_unsealed`](crate::protocol::Answer::read_unsealed): anyone at the point where TLS ends can return
    /// the id of another client, whose rules the platform then applies. Only use this if the user asked for it.
    ///
    /// Escapes are replaced by the characters, in place.
    ///
    /// # Errors
    ///
    /// See [`ClientRecordError`].
    pub fn read_unsealed(body: &mut [u8]) -> Result<Self, ClientRecordError> {
        Self::read(body)
    }

    fn read(body: &mut [u8]) -> Result<Self, ClientRecordError> {
        let [id, success] = find::find(body, ["id", "success"]).map_err(|Malformed| ClientRecordError::Malformed)?;
        match body.get(success) {
            Some(b"" | b"true") => {}
            Some(b"false") => return Err(ClientRecordError::Refused),
            _ => return Err(ClientRecordError::Malformed),
        }
        let id = find::string(body, id);
        let id = find::text(body, id).and_then(|id| ClientId::new(id).ok());
        Ok(Self { id: id.ok_or(ClientRecordError::NoId)? })
    }

    /// The client's id. Each [`ValidateRequest`](crate::protocol::ValidateRequest) for the client needs it.
    #[must_use]
    pub const fn id(&self) -> ClientId {
        self.id
    }
}

/// Why a body is not the record of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ClientRecordError {
    /// Not one well-formed JSON object, or `success` is not a boolean.
    Malformed,
    /// The body has `"success":false`.
    Refused,
    /// `id` is missing or not a UUID.
    NoId,
}

sentences!(
    ClientRecordError,
    Malformed: "the client record is not a well-formed JSON object",
    Refused: "the platform refused to create the client",
    NoId: "the client record has no UUID in 'id'",
);

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "497f6eca-6276-4993-bfeb-53cbbbba6f08";

    fn read(body: &str) -> Result<ClientRecord, ClientRecordError> {
        let opened = ClientRecord::read_opened(Opened::new(&mut body.as_bytes().to_vec()));
        assert_eq!(opened, ClientRecord::read_unsealed(&mut body.as_bytes().to_vec()));
        opened
    }

    #[test]
    fn the_id_is_read_among_any_other_members() {
        let id = ClientId::new(ID).unwrap();
        for body in [
            format!(r#"{{"id":"{ID}"}}"#),
            format!(r#"{{"success":true,"keys":[{{"id":"x"}}],"id":"{ID}"}}"#),
            format!(r#"{{"\u0069d":"\u0034{}"}}"#, &ID[1..]),
        ] {
            assert_eq!(read(&body).map(|record| record.id()), Ok(id), "{body}");
        }
    }

    #[test]
    fn a_record_without_a_uuid_is_refused() {
        use ClientRecordError::{Malformed, NoId, Refused};
        for (body, error) in [
            ("{}", NoId),
            (r#"{"id":null}"#, NoId),
            (r#"{"id":7}"#, NoId),
            (r#"{"id":""}"#, NoId),
            (r#"{"id":"497f6eca-6276-4993-bfeb-53cbbbba6f0/"}"#, NoId),
            (r#"{"client":{"id":"497f6eca-6276-4993-bfeb-53cbbbba6f08"}}"#, NoId),
            (r#"{"success":false,"id":"497f6eca-6276-4993-bfeb-53cbbbba6f08"}"#, Refused),
            (r#"{"success":0,"id":"497f6eca-6276-4993-bfeb-53cbbbba6f08"}"#, Malformed),
            (r#"{"id":"497f6eca-6276-4993-bfeb-53cbbbba6f08","id":"x"}"#, Malformed),
            (r#"{"id":"497f6eca-6276-4993-bfeb-53cbbbba6f08""#, Malformed),
            ("", Malformed),
        ] {
            assert_eq!(read(body), Err(error), "{body}");
        }
    }
}
