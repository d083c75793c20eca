//! `Serialize` for denials.

use serde::{Serialize, Serializer, ser::SerializeStruct as _};

use super::Denial;

/// As the body that the SDKs' middlewares answer with: `error`, the code, and `message`.
impl Serialize for Denial<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Key(error) => error.serialize(serializer),
            Self::MissingScopes(missing) => missing.serialize(serializer),
            Self::Revoked
            | Self::Rejected(_)
            | Self::Remembered(_)
            | Self::Outage(_)
            | Self::Overload(_)
            | Self::Fault(_) => {
                let mut object = serializer.serialize_struct("Refusal", 2)?;
                object.serialize_field("error", self.code())?;
                object.serialize_field("message", &format_args!("{self}"))?;
                object.end()
            }
        }
    }
}
