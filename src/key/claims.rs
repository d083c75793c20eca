//! The claims of a key, including its scopes.

#[cfg(feature = "std")]
use std::boxed::Box;

use super::{
    issued,
    meta::Meta,
    msgpack,
    payload::{END, ENVIRONMENT, EXPIRES_AT, Encoding, Found, ID, META, NOT_BEFORE, SCOPES, Span, TENANT, read_json},
};
use crate::{names::Malformed, time::UnixTime};

/// The environment of a key without an environment claim.
pub(crate) const DEFAULT_ENVIRONMENT: &str = "production";

/// The claims of a key (docs/WIRE.md, "Claims"), borrowed from the buffer that the payload was decoded into.
#[derive(Clone, Copy)]
pub struct Claims<'b> {
    payload: &'b [u8],
    found: Found,
}

impl<'b> Claims<'b> {
    /// The key's id. Ids sort by the time of issue. Empty if the issuer gave none.
    #[must_use]
    pub fn id(&self) -> &'b str {
        self.text(self.found.places[ID])
    }

    /// The tenant that owns the key. Empty if the issuer named none.
    #[must_use]
    pub fn tenant(&self) -> &'b str {
        self.text(self.found.places[TENANT])
    }

    /// The scopes that the key has.
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

    /// The last second in which the key is valid; `None` if it never expires.
    #[must_use]
    pub const fn expires_at(&self) -> Option<UnixTime> {
        self.found.time(EXPIRES_AT)
    }

    /// The first second in which the key is valid; `None` if it is valid at once.
    #[must_use]
    pub const fn not_before(&self) -> Option<UnixTime> {
        self.found.time(NOT_BEFORE)
    }

    /// The object that the issuer added. Its content is up to the issuer; empty by default.
    #[must_use]
    pub fn meta(&self) -> Meta<'b> {
        let at = self.found.places[META];
        if at.is_some() { Meta::new(at.of(self.payload), Encoding::of(self.payload)) } else { Meta::NONE }
    }

    /// Checks that `payload` is one object, and reads the claims in it.
    ///
    /// This changes the payload: it replaces each string claim by plain UTF-8, in the same place, and converts the
    /// scopes into the form that [`Scopes`] reads. The first byte stays.
    pub(crate) fn read(payload: &'b mut [u8]) -> Result<Self, Malformed> {
        let mut found = Found::default();
        match Encoding::of(payload) {
            Encoding::Json => match issued::find(payload) {
                Some(short) => found = short,
                None => read_json(payload, &mut found)?,
            },
            Encoding::MessagePack => msgpack::read(payload, &mut found)?,
        }
        Ok(Self { payload, found })
    }

    /// The text there. It was checked to be UTF-8 when the claims were read.
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

/// [`Claims`] that own their data. With the feature `std`.
#[cfg(feature = "std")]
#[derive(Clone)]
pub struct OwnedClaims {
    payload: Box<[u8]>,
    found: Found,
}

#[cfg(feature = "std")]
impl Claims<'_> {
    /// A copy of the claims that borrows nothing.
    #[must_use]
    pub fn to_owned(&self) -> OwnedClaims {
        OwnedClaims { payload: self.payload.into(), found: self.found }
    }
}

#[cfg(feature = "std")]
impl OwnedClaims {
    /// The claims, borrowed from here.
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

/// The scopes of a key, in the issuer's order, with duplicates.
#[derive(Clone, Copy)]
pub struct Scopes<'b>(
    // The strings are UTF-8; this was checked. There are two forms, and the last byte tells them apart:
    // - A JSON array of strings without escapes. Split at the quotes, every second piece is a scope.
    // - The scopes one after the other, with an `END` after each.
    &'b [u8],
);

impl<'b> Scopes<'b> {
    pub(crate) const fn new(text: &'b [u8]) -> Self {
        Self(text)
    }

    /// Whether the key has exactly this scope. There are no wildcards.
    #[must_use]
    pub fn contains(&self, scope: &str) -> bool {
        self.raw().any(|own| own == scope.as_bytes())
    }

    /// Whether the key has no scopes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.raw().next().is_none()
    }

    /// Iterates over the scopes.
    pub fn iter(&self) -> impl Iterator<Item = &'b str> + Clone + use<'b> {
        self.raw().map(|scope| core::str::from_utf8(scope).unwrap_or_default())
    }

    fn raw(&self) -> impl Iterator<Item = &'b [u8]> + Clone + use<'b> {
        let delimiter = if self.0.last() == Some(&b']') { b'"' } else { END };
        // Each piece ends with a closing quote or an `END`. In JSON, a piece with an opening quote precedes it.
        let mut pieces = self.0.split_inclusive(move |byte| *byte == delimiter);
        core::iter::from_fn(move || {
            if delimiter == b'"' {
                pieces.next();
            }
            pieces.next()?.strip_suffix(&[delimiter])
        })
    }
}

impl core::fmt::Debug for Scopes<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// The scopes that a route needs and a key lacks. It borrows only the route's list.
#[derive(Clone, Copy)]
pub struct MissingScopes<'a> {
    /// The route's list, starting with the first missing scope.
    required: &'a [&'a str],
    /// One bit for each of the first 64 of these scopes: 1 if it is missing. The lowest bit stands for the first.
    missing: u64,
}

impl<'a> MissingScopes<'a> {
    /// Returns `Ok` if `scopes` has all that are `required`.
    pub(crate) fn check(scopes: Scopes<'_>, required: &'a [&'a str]) -> Result<(), Self> {
        let Some(first) = required.iter().position(|scope| !scopes.contains(scope)) else {
            return Ok(());
        };
        let required = required.get(first..).unwrap_or_default();
        let missing = (0..u64::BITS)
            .zip(required)
            .filter(|(_, scope)| !scopes.contains(scope))
            .fold(0, |missing, (at, _)| missing | 1_u64.wrapping_shl(at));
        Err(Self { required, missing })
    }

    /// The missing scopes, in the order of the requirement, each once.
    ///
    /// The first missing scope is always named. Scopes more than 63 places after it in the requirement are not named.
    pub fn iter(&self) -> impl Iterator<Item = &'a str> + Clone + use<'a> {
        let Self { required, missing } = *self;
        let is_missing = move |at| missing.checked_shr(at).is_some_and(|bits| bits & 1 == 1);
        let named = move |((at, bit), scope): ((usize, u32), &&'a str)| {
            let before = required.get(..at).unwrap_or_default();
            (is_missing(bit) && !before.contains(scope)).then_some(*scope)
        };
        (0_usize..).zip(0..u64::BITS).zip(required).filter_map(named)
    }

    /// The start of the sentence for the response's body; the scopes follow. The same as in the SDKs' middlewares.
    #[cfg(any(feature = "serde", feature = "web"))]
    pub(crate) const SENTENCE: &'static str = "Key missing required scopes: ";

    /// The code that all Apikee SDKs use: `INSUFFICIENT_SCOPE`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        "INSUFFICIENT_SCOPE"
    }

    /// The HTTP status to refuse the request with: 403.
    #[must_use]
    pub const fn http_status(&self) -> u16 {
        403
    }
}

impl core::fmt::Debug for MissingScopes<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Names the missing scopes.
impl core::fmt::Display for MissingScopes<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the key lacks these scopes: ")?;
        for (at, scope) in self.iter().enumerate() {
            f.write_str(if at == 0 { "" } else { ", " })?;
            write!(f, "{scope:?}")?;
        }
        Ok(())
    }
}

/// Names the missing scopes.
#[cfg(feature = "defmt")]
impl defmt::Format for MissingScopes<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        let mut before = "the key lacks these scopes: ";
        for scope in self.iter() {
            defmt::write!(f, "{=str}{=str}", before, scope);
            before = ", ";
        }
    }
}

impl core::error::Error for MissingScopes<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_packed_if_a_string_of_the_payload_has_escapes() {
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
