//! The claims of a key.

use core::ops::Range;

use super::{
    issued::Issued,
    meta::Meta,
    payload::{Encoding, Found},
    scopes::Scopes,
};
use crate::{names::Malformed, time::UnixTime};

/// The environment of a key that names none.
pub(crate) const DEFAULT_ENVIRONMENT: &str = "production";

/// What the issuer says of a key (WIRE.md, "Claims"), borrowed from the buffer it was decoded into.
#[derive(Clone, Copy)]
pub struct Claims<'b> {
    id: &'b [u8],
    tenant: &'b [u8],
    scopes: Scopes<'b>,
    environment: &'b [u8],
    expires_at: Option<UnixTime>,
    not_before: Option<UnixTime>,
    meta: Meta<'b>,
}

impl<'b> Claims<'b> {
    /// The key's id; ids sort by the time of issue. Empty if the issuer gave none.
    #[must_use]
    pub fn id(&self) -> &'b str {
        utf8(self.id)
    }

    /// Whose key it is. Empty if the issuer did not say.
    #[must_use]
    pub fn tenant(&self) -> &'b str {
        utf8(self.tenant)
    }

    /// What the key is good for.
    #[must_use]
    pub const fn scopes(&self) -> Scopes<'b> {
        self.scopes
    }

    /// The environment tag, `"production"` by default.
    #[must_use]
    pub fn environment(&self) -> &'b str {
        utf8(self.environment)
    }

    /// The last second in which the key is good; `None` if it never expires.
    #[must_use]
    pub const fn expires_at(&self) -> Option<UnixTime> {
        self.expires_at
    }

    /// The first second in which the key is good; `None` if it always was.
    #[must_use]
    pub const fn not_before(&self) -> Option<UnixTime> {
        self.not_before
    }

    /// Anything the issuer put there.
    #[must_use]
    pub const fn meta(&self) -> Meta<'b> {
        self.meta
    }

    /// Reads a payload, changing it on the way: escapes are undone where they stand.
    pub(crate) fn read(payload: &'b mut [u8]) -> Result<Self, Malformed> {
        if let Some(issued) = Issued::find(payload) {
            return Ok(Self::from_issued(payload, issued));
        }
        Self::read_any(payload)
    }

    fn from_issued(payload: &'b [u8], issued: Issued) -> Self {
        let part = |at: Range<usize>| payload.get(at).unwrap_or_default();
        Self {
            id: part(issued.id),
            tenant: part(issued.tid),
            scopes: Scopes::from_quoted(part(issued.scp)),
            environment: part(issued.env),
            expires_at: issued.exp.map(UnixTime::from_secs),
            not_before: issued.nbf.map(UnixTime::from_secs),
            meta: issued.meta.map_or(Meta::NONE, |at| Meta::new(part(at), Encoding::Json)),
        }
    }

    /// Not inlined: its stack is not taken by the keys that go the short way.
    #[inline(never)]
    fn read_any(payload: &'b mut [u8]) -> Result<Self, Malformed> {
        let encoding = Encoding::of(payload);
        let Found { mut id, mut tid, mut scp, mut env, exp, nbf, meta, escaped } = encoding.scan(payload)?;
        let has_env = !env.is_empty();
        for at in [&mut id, &mut tid, &mut env] {
            if at.start != at.end {
                *at = encoding.string(payload, at.clone(), escaped)?;
            }
        }
        if !scp.is_empty() {
            scp = encoding.scopes(payload, scp, escaped)?;
        }
        // From here on the payload stays as it is.
        let payload: &'b [u8] = payload;
        let part = |at: Range<usize>| payload.get(at).unwrap_or_default();
        let time = |at: Range<usize>| match part(at) {
            [] => Ok(None),
            value => encoding.integer(value).map(|secs| Some(UnixTime::from_secs(secs))),
        };
        Ok(Self {
            id: part(id),
            tenant: part(tid),
            scopes: match encoding {
                Encoding::Json if !escaped => Scopes::from_quoted(part(scp)),
                _ => Scopes::from_packed(part(scp)),
            },
            environment: if has_env { part(env) } else { DEFAULT_ENVIRONMENT.as_bytes() },
            expires_at: time(exp)?,
            not_before: time(nbf)?,
            meta: match part(meta) {
                [] => Meta::NONE,
                object if encoding.is_object(object) => Meta::new(object, encoding),
                _ => return Err(Malformed),
            },
        })
    }
}

/// What was checked to be UTF-8 when the claims were read.
fn utf8(text: &[u8]) -> &str {
    core::str::from_utf8(text).unwrap_or_default()
}

impl core::fmt::Debug for Claims<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Claims")
            .field("id", &self.id())
            .field("tenant", &self.tenant())
            .field("scopes", &self.scopes)
            .field("environment", &self.environment())
            .field("expires_at", &self.expires_at)
            .field("not_before", &self.not_before)
            .field("meta", &self.meta)
            .finish()
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
            assert!(Issued::find(&short).is_some(), "{payload}");
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
