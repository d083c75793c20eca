//! The claims of a key.

use core::ops::Range;

use super::{
    json::Json,
    meta::Meta,
    msgpack::MessagePack,
    payload::{Encoding, Read},
    scopes::Scopes,
};
use crate::{names::Malformed, text::Text, time::UnixTime};

/// The environment of a key that names none.
pub(crate) const DEFAULT_ENVIRONMENT: &str = "production";

/// What the issuer says of a key (WIRE.md, "Claims"), borrowed from the buffer it was decoded into.
#[derive(Debug, Clone, Copy)]
pub struct Claims<'b> {
    id: &'b str,
    tenant: &'b str,
    scopes: Scopes<'b>,
    environment: &'b str,
    expires_at: Option<UnixTime>,
    not_before: Option<UnixTime>,
    meta: Meta<'b>,
}

impl<'b> Claims<'b> {
    /// The key's id; ids sort by the time of issue. Empty if the issuer gave none.
    #[must_use]
    pub const fn id(&self) -> &'b str {
        self.id
    }

    /// Whose key it is. Empty if the issuer did not say.
    #[must_use]
    pub const fn tenant(&self) -> &'b str {
        self.tenant
    }

    /// What the key is good for.
    #[must_use]
    pub const fn scopes(&self) -> Scopes<'b> {
        self.scopes
    }

    /// The environment tag, `"production"` by default.
    #[must_use]
    pub const fn environment(&self) -> &'b str {
        self.environment
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
        match Encoding::of(payload) {
            Encoding::Json => Self::read_as::<Json>(payload, Encoding::Json),
            Encoding::MessagePack => Self::read_as::<MessagePack>(payload, Encoding::MessagePack),
        }
    }

    fn read_as<R: Read>(payload: &'b mut [u8], encoding: Encoding) -> Result<Self, Malformed> {
        let mut found = Found::default();
        R::scan(payload, |name, value| {
            if let Some(place) = found.place_for(name) {
                *place = value;
            }
            Ok(())
        })?;
        let Found { id, tid, scp, env, exp, nbf, meta } = found;

        let id = string::<R>(payload, id)?;
        let tid = string::<R>(payload, tid)?;
        let env = string::<R>(payload, env)?;
        let scp = strings::<R>(payload, scp)?;
        // From here on the payload stays as it is.
        let payload: &'b [u8] = payload;
        let text = |at: Range<usize>| core::str::from_utf8(payload.get(at).unwrap_or_default()).map_err(|_| Malformed);
        Ok(Self {
            id: text(id.unwrap_or_default())?,
            tenant: text(tid.unwrap_or_default())?,
            scopes: scp.and_then(|at| payload.get(at)).map_or(Scopes::NONE, Scopes::from_packed),
            environment: env.map_or(Ok(DEFAULT_ENVIRONMENT), text)?,
            expires_at: integer::<R>(payload, exp)?.map(UnixTime::from_secs),
            not_before: integer::<R>(payload, nbf)?.map(UnixTime::from_secs),
            meta: match present::<R>(payload, meta) {
                None => Meta::NONE,
                Some(value) if R::is_object(value) => Meta::new(value, encoding),
                Some(_) => return Err(Malformed),
            },
        })
    }
}

/// Where the claims stand in a payload; no value is empty, so an empty range is an absent member.
#[derive(Default)]
struct Found {
    id: Range<usize>,
    tid: Range<usize>,
    scp: Range<usize>,
    env: Range<usize>,
    exp: Range<usize>,
    nbf: Range<usize>,
    meta: Range<usize>,
}

impl Found {
    fn place_for(&mut self, name: Text<'_>) -> Option<&mut Range<usize>> {
        // The longest name that is known has four characters.
        let mut plain = [0; 4];
        let name = match name.as_bytes() {
            Some(name) => name,
            None => name.read_into(&mut plain).ok()?.as_bytes(),
        };
        match name {
            b"id" => Some(&mut self.id),
            b"tid" => Some(&mut self.tid),
            b"scp" => Some(&mut self.scp),
            b"env" => Some(&mut self.env),
            b"exp" => Some(&mut self.exp),
            b"nbf" => Some(&mut self.nbf),
            b"meta" => Some(&mut self.meta),
            _ => None,
        }
    }
}

/// The value in that range, unless the member is absent or null.
fn present<R: Read>(payload: &[u8], at: Range<usize>) -> Option<&[u8]> {
    payload.get(at).filter(|value| !value.is_empty() && !R::is_null(value))
}

fn string<R: Read>(payload: &mut [u8], at: Range<usize>) -> Result<Option<Range<usize>>, Malformed> {
    if present::<R>(payload, at.clone()).is_none() {
        return Ok(None);
    }
    let start = at.start;
    let inner = R::string(payload.get_mut(at).ok_or(Malformed)?)?;
    Ok(Some(start.saturating_add(inner.start)..start.saturating_add(inner.end)))
}

fn strings<R: Read>(payload: &mut [u8], at: Range<usize>) -> Result<Option<Range<usize>>, Malformed> {
    if present::<R>(payload, at.clone()).is_none() {
        return Ok(None);
    }
    let start = at.start;
    let len = R::strings(payload.get_mut(at).ok_or(Malformed)?)?;
    Ok(Some(start..start.saturating_add(len)))
}

fn integer<R: Read>(payload: &[u8], at: Range<usize>) -> Result<Option<i64>, Malformed> {
    present::<R>(payload, at).map(R::integer).transpose()
}
