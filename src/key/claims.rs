//! The claims of a key.

#[cfg(feature = "std")]
use std::boxed::Box;

use super::{
    json,
    meta::Meta,
    msgpack,
    payload::{ENVIRONMENT, EXPIRES_AT, Encoding, Found, ID, META, NOT_BEFORE, SCOPES, Span, TENANT},
    scopes::Scopes,
};
use crate::{names::Malformed, time::UnixTime};

/// The environment of a key that names none.
pub(crate) const DEFAULT_ENVIRONMENT: &str = "production";

/// What the issuer says of a key (docs/WIRE.md, "Claims"), borrowed from the buffer it was decoded into.
#[derive(Clone, Copy)]
pub struct Claims<'b> {
    payload: &'b [u8],
    found: Found,
}

impl<'b> Claims<'b> {
    /// The key's id; ids sort by the time of issue. Empty if the issuer gave none.
    #[must_use]
    pub fn id(&self) -> &'b str {
        self.text(self.found.places[ID])
    }

    /// Whose key it is. Empty if the issuer did not say.
    #[must_use]
    pub fn tenant(&self) -> &'b str {
        self.text(self.found.places[TENANT])
    }

    /// What the key is good for.
    #[must_use]
    pub fn scopes(&self) -> Scopes<'b> {
        Scopes::new(self.found.places[SCOPES].of(self.payload))
    }

    /// The environment tag, `"production"` by default.
    #[must_use]
    pub fn environment(&self) -> &'b str {
        let at = self.found.places[ENVIRONMENT];
        if at.is_some() { self.text(at) } else { DEFAULT_ENVIRONMENT }
    }

    /// The last second in which the key is good; `None` if it never expires.
    #[must_use]
    pub const fn expires_at(&self) -> Option<UnixTime> {
        self.found.time(EXPIRES_AT)
    }

    /// The first second in which the key is good; `None` if it always was.
    #[must_use]
    pub const fn not_before(&self) -> Option<UnixTime> {
        self.found.time(NOT_BEFORE)
    }

    /// Anything the issuer put there.
    #[must_use]
    pub fn meta(&self) -> Meta<'b> {
        let at = self.found.places[META];
        if at.is_some() { Meta::new(at.of(self.payload), Encoding::of(self.payload)) } else { Meta::NONE }
    }

    /// Checks that `payload` is one object and reads the claims in it, changing it on the way: their strings are
    /// brought into plain UTF-8 where they stand, their scopes into the form of [`Scopes`]; the first byte stays.
    pub(crate) fn read(payload: &'b mut [u8]) -> Result<Self, Malformed> {
        let mut found = Found::default();
        match Encoding::of(payload) {
            Encoding::Json => json::read(payload, &mut found)?,
            Encoding::MessagePack => msgpack::read(payload, &mut found)?,
        }
        Ok(Self { payload, found })
    }

    /// What was checked to be UTF-8 when the claims were read.
    fn text(&self, at: Span) -> &'b str {
        core::str::from_utf8(at.of(self.payload)).unwrap_or_default()
    }
}

impl core::fmt::Debug for Claims<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Claims")
            .field("id", &self.id())
            .field("tenant", &self.tenant())
            .field("scopes", &self.scopes())
            .field("environment", &self.environment())
            .field("expires_at", &self.expires_at())
            .field("not_before", &self.not_before())
            .field("meta", &self.meta())
            .finish()
    }
}

/// [`Claims`] that own what they say. With the feature `std`.
#[cfg(feature = "std")]
#[derive(Clone)]
pub struct OwnedClaims {
    payload: Box<[u8]>,
    found: Found,
}

#[cfg(feature = "std")]
impl Claims<'_> {
    /// A copy of the claims, for as long as you like.
    #[must_use]
    pub fn to_owned(&self) -> OwnedClaims {
        OwnedClaims { payload: self.payload.into(), found: self.found }
    }
}

#[cfg(feature = "std")]
impl OwnedClaims {
    /// The claims themselves.
    #[must_use]
    pub fn as_claims(&self) -> Claims<'_> {
        Claims { payload: &self.payload, found: self.found }
    }
}

#[cfg(feature = "std")]
impl core::fmt::Debug for OwnedClaims {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.as_claims().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_packed_where_a_string_of_the_payload_has_escapes() {
        for (scopes, meant) in [
            (r"[]", &[][..]),
            (r#" [ ] "#, &[]),
            (r#"["\u0061" , "b\"c"]"#, &["a", "b\"c"]),
            (r#"["", "\ud83d\ude00","x"]"#, &["", "\u{1F600}", "x"]),
        ] {
            for id in ["i", r"\u0069"] {
                let mut payload = format!(r#"{{"scp":{scopes},"id":"{id}"}}"#).into_bytes();
                let claims = Claims::read(&mut payload).unwrap();
                assert!(claims.scopes().iter().eq(meant.iter().copied()), "{scopes}: {claims:?}");
                assert_eq!(claims.id(), "i");
            }
        }
    }

    #[test]
    fn scopes_are_an_array_of_strings() {
        for scopes in [r#""a""#, r#"{"a":"b"}"#, "1", "true", r#"["a",1]"#, r#"[["a"]]"#, r#"["a",null]"#, "[{}]"] {
            for id in ["i", r"\u0069"] {
                let mut payload = format!(r#"{{"scp":{scopes},"id":"{id}"}}"#).into_bytes();
                assert!(Claims::read(&mut payload).is_err(), "{scopes}");
            }
        }
    }
}
