//! The claims of a key.

#[cfg(feature = "std")]
use std::boxed::Box;

use super::{
    issued,
    meta::Meta,
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

    /// Reads a payload, changing it on the way: escapes are undone where they stand.
    #[inline]
    pub(crate) fn read(payload: &'b mut [u8]) -> Result<Self, Malformed> {
        // The compiler sees whether there is a short way, and leaves it out where it is not gone.
        if issued::IS_WORTH_IT
            && let Some(found) = issued::find(payload)
        {
            return Ok(Self { payload, found });
        }
        Self::read_any(payload)
    }

    #[inline(always)]
    fn read_any(payload: &'b mut [u8]) -> Result<Self, Malformed> {
        let mut found = Found::default();
        found.read(payload)?;
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
    fn the_short_way_reads_what_the_general_reader_reads() {
        for payload in [
            r#"{"id":"","tid":"","scp":[],"env":""}"#,
            r#"{"id":"i","tid":"t","scp":[""],"env":"production","exp":0}"#,
            r#"{"id":"i","tid":"t","scp":["a","a","b c"],"env":"e","exp":1,"nbf":9223372036854775807,"meta":{"a":["\n"]}}"#,
        ] {
            let (mut short, mut general) = (payload.as_bytes().to_vec(), payload.as_bytes().to_vec());
            assert!(issued::find(&short).is_some(), "{payload}");
            let short = Claims::read(&mut short).unwrap();
            let general = Claims::read_any(&mut general).unwrap();
            assert_eq!(format!("{short:?}"), format!("{general:?}"));
            assert!(short.scopes().iter().eq(general.scopes().iter()));
            assert_eq!(short.meta(), general.meta());
        }
    }

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
