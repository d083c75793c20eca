//! The platform's record of a client.

use core::fmt;

use super::{client_id::ClientId, members};
use crate::{names::Malformed, opened::Opened};

/// The answer to a [`CreateClient`](crate::CreateClient): a JSON object with an `id` that is a UUID.
/// Members that are not known are ignored.
///
/// ```
/// # use apikee::ClientRecord;
/// let mut body = *br#"{"id":"497f6eca-6276-4993-bfeb-53cbbbba6f08","name":"acme-corp"}"#;
/// let record = ClientRecord::read_unsealed(&mut body)?;
/// assert_eq!(record.id().to_string(), "497f6eca-6276-4993-bfeb-53cbbbba6f08");
/// # Ok::<_, apikee::ClientRecordError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientRecord {
    id: ClientId,
}

impl ClientRecord {
    /// Reads what came out of an envelope. Escapes are undone where they stand.
    ///
    /// # Errors
    ///
    /// As [`ClientRecordError`] says.
    pub fn read_opened(body: Opened<'_>) -> Result<Self, ClientRecordError> {
        Self::read(body.into_bytes())
    }

    /// Reads what came without an envelope. **Nothing but the connection says who wrote it**, as for
    /// [`Answer::read_unsealed`](crate::Answer::read_unsealed): whoever sits where TLS ends can have
    /// one client's requests judged as another's. Only for where the user has asked for this.
    ///
    /// Escapes are undone where they stand.
    ///
    /// # Errors
    ///
    /// As [`ClientRecordError`] says.
    pub fn read_unsealed(body: &mut [u8]) -> Result<Self, ClientRecordError> {
        Self::read(body)
    }

    fn read(body: &mut [u8]) -> Result<Self, ClientRecordError> {
        let [id, success] = members::find(body, ["id", "success"])?;
        match body.get(success) {
            Some(b"" | b"true") => {}
            Some(b"false") => return Err(ClientRecordError::Refused),
            _ => return Err(ClientRecordError::Malformed),
        }
        let id = members::string(body, id);
        let id = members::text(body, id).and_then(|id| ClientId::new(id).ok());
        Ok(Self { id: id.ok_or(ClientRecordError::NoId)? })
    }

    /// The client's id, which every [`ValidateRequest`](crate::ValidateRequest) for it names.
    #[must_use]
    pub const fn id(&self) -> ClientId {
        self.id
    }
}

/// Why a body is not a record of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ClientRecordError {
    /// It is not one well-formed JSON object, or its `success` is not a boolean.
    Malformed,
    /// It says `"success":false`.
    Refused,
    /// It has no `id` that is a UUID.
    NoId,
}

impl fmt::Display for ClientRecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "the client record is no well-formed JSON object",
            Self::Refused => "the platform refused to create the client",
            Self::NoId => "the client record has no 'id' that is a UUID",
        })
    }
}

impl core::error::Error for ClientRecordError {}

impl From<Malformed> for ClientRecordError {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

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
    fn the_id_is_read_whatever_stands_beside_it() {
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
    fn what_has_no_uuid_is_no_record() {
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
