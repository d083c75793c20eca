//! `Serialize` for the content of keys and for the results of verification.

use serde::{
    Serialize, Serializer,
    ser::{SerializeStruct as _, SerializeTupleStruct as _},
};

use super::{
    Array, Claims, KeyError, Meta, MissingScopes, Number, Scopes, UntrustedClaims, Value, fingerprint::Fingerprint,
};
use crate::{text::Text, time::UnixTime};

impl Serialize for Claims<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Claims", 7)?;
        object.serialize_field("id", self.id())?;
        object.serialize_field("tenant", self.tenant())?;
        object.serialize_field("scopes", &self.scopes())?;
        object.serialize_field("environment", self.environment())?;
        object.serialize_field("expires_at", &self.expires_at())?;
        object.serialize_field("not_before", &self.not_before())?;
        object.serialize_field("meta", &self.meta())?;
        object.end()
    }
}

#[cfg(feature = "std")]
impl Serialize for super::OwnedClaims {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_claims().serialize(serializer)
    }
}

impl Serialize for UntrustedClaims<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.untrusted().serialize(serializer)
    }
}

impl Serialize for Scopes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl Serialize for Meta<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl Serialize for Array<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(value),
            Self::Number(number) => number.serialize(serializer),
            Self::String(text) => text.serialize(serializer),
            Self::Array(array) => array.serialize(serializer),
            Self::Object(object) => object.serialize(serializer),
            Self::Bytes(bytes) => serializer.serialize_bytes(bytes),
            Self::Extension(kind, bytes) => {
                let mut pair = serializer.serialize_tuple_struct("Extension", 2)?;
                pair.serialize_field(&kind)?;
                pair.serialize_field(bytes)?;
                pair.end()
            }
        }
    }
}

/// As an integer if it is one of 64 bits, otherwise as a float of 64 bits. A number that is too large for it is
/// infinite; `serde_json` writes `null` for it.
impl Serialize for Number<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (self.as_i64(), self.as_u64(), self.as_f64()) {
            (Some(value), ..) => serializer.serialize_i64(value),
            (None, Some(value), _) => serializer.serialize_u64(value),
            (None, None, Some(value)) => serializer.serialize_f64(value),
            (None, None, None) => serializer.serialize_unit(),
        }
    }
}

/// As the string without escapes.
impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.as_str() {
            Some(plain) => serializer.serialize_str(plain),
            None => serializer.collect_str(self),
        }
    }
}

/// As whole seconds since 1970.
impl Serialize for UnixTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.as_secs())
    }
}

/// As 64 hexadecimal digits.
impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// As the response body of the SDKs' middlewares: `error`, the code, and `message`.
impl Serialize for KeyError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        refusal(serializer, self.code(), self.sentence())
    }
}

/// As the response body of the SDKs' middlewares: `error`, the code, and `message`.
impl Serialize for MissingScopes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        refusal(serializer, self.code(), &format_args!("{}", Sentence(self)))
    }
}

/// Prints the missing scopes for the response's body.
struct Sentence<'m>(&'m MissingScopes<'m>);

impl core::fmt::Display for Sentence<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(MissingScopes::SENTENCE)?;
        self.0.iter().enumerate().try_for_each(|(at, scope)| {
            f.write_str(if at == 0 { "" } else { ", " })?;
            f.write_str(scope)
        })
    }
}

/// The body of a refusal.
pub(crate) fn refusal<S, M>(serializer: S, code: &str, message: &M) -> Result<S::Ok, S::Error>
where
    S: Serializer,
    M: Serialize + ?Sized,
{
    let mut object = serializer.serialize_struct("Refusal", 2)?;
    object.serialize_field("error", code)?;
    object.serialize_field("message", message)?;
    object.end()
}
