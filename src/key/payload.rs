//! The two encodings of a payload behind one face.

use core::ops::Range;

use super::{json, msgpack};
use crate::{
    json::scan,
    names::Malformed,
    text::{Text, unquote_in_place},
};

/// How a payload is encoded; its first byte tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Encoding {
    /// JSON, as the Node SDK writes it, and we.
    Json,
    /// MessagePack, as the Python SDK writes it where `msgpack` is installed.
    MessagePack,
}

impl Encoding {
    /// MessagePack maps start with bytes that JSON never starts with.
    pub(crate) const fn of(payload: &[u8]) -> Self {
        match payload {
            [0x80..=0x8F | 0xDE | 0xDF, ..] => Self::MessagePack.if_read(),
            _ => Self::Json,
        }
    }

    /// Without the feature `msgpack` all is read as JSON. As the compiler can see that, it leaves
    /// the other reader out.
    pub(crate) const fn if_read(self) -> Self {
        if cfg!(feature = "msgpack") { self } else { Self::Json }
    }
}

/// The payload is scanned once, which checks all of it; the other functions read the values that the scan has
/// found, and rely on that.
impl Encoding {
    /// Checks that `payload` is one object and finds the claims in it.
    pub(super) fn scan(self, payload: &[u8]) -> Result<Found, Malformed> {
        match self {
            Self::Json => json::scan(payload),
            Self::MessagePack => msgpack::scan(payload),
        }
    }

    /// Brings the string that stands at `at` into plain UTF-8 and returns where it then stands.
    pub(super) fn string(self, payload: &mut [u8], at: Range<usize>, escaped: bool) -> Result<Range<usize>, Malformed> {
        let value = payload.get_mut(at.clone()).ok_or(Malformed)?;
        let inner = match self {
            Self::Json => unquote_in_place(value, escaped).ok_or(Malformed)?,
            Self::MessagePack => msgpack::string(value)?,
        };
        Ok(at.start.wrapping_add(inner.start)..at.start.wrapping_add(inner.end))
    }

    /// Brings the array of strings that stands at `at` into the form of [`Scopes`].
    pub(super) fn scopes(self, payload: &mut [u8], at: Range<usize>, escaped: bool) -> Result<Range<usize>, Malformed> {
        let end = match self {
            Self::Json => json::strings(payload, at.clone(), escaped)?,
            Self::MessagePack => msgpack::pack_strings(payload, at.clone())?,
        };
        Ok(at.start..end)
    }

    pub(super) fn integer(self, value: &[u8]) -> Result<i64, Malformed> {
        match self {
            Self::Json => scan::integer(value).ok_or(Malformed),
            Self::MessagePack => msgpack::integer(value),
        }
    }

    pub(super) fn is_object(self, value: &[u8]) -> bool {
        match self {
            Self::Json => value.first() == Some(&b'{'),
            Self::MessagePack => msgpack::is_map(value),
        }
    }
}

/// Where the claims stand in a payload; no value is empty, so an empty range is a member that is absent or null.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) id: Range<usize>,
    pub(crate) tid: Range<usize>,
    pub(crate) scp: Range<usize>,
    pub(crate) env: Range<usize>,
    pub(crate) exp: Range<usize>,
    pub(crate) nbf: Range<usize>,
    pub(crate) meta: Range<usize>,
    /// A string somewhere in the payload has JSON escapes.
    pub(crate) escaped: bool,
}

impl Found {
    /// Takes note of a member.
    pub(crate) fn note(&mut self, name: Text<'_>, value: Range<usize>) {
        if let Some(place) = self.place_for(name) {
            *place = value;
        }
    }

    fn place_for(&mut self, name: Text<'_>) -> Option<&mut Range<usize>> {
        let mut short = [0; 4];
        let name = match name.as_bytes() {
            Some(name) => name,
            None => spelt_out(name, &mut short)?,
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

/// The bytes of a name with escapes, if it has no more than fit: ours are short, and ASCII.
///
/// [`Text::read_into`] would do, but writes any string: that is 180 bytes more of flash in each verifier.
fn spelt_out<'s>(name: Text<'_>, short: &'s mut [u8; 4]) -> Option<&'s [u8]> {
    let mut len = 0_usize;
    for c in name.chars() {
        *short.get_mut(len)? = u8::try_from(c).ok().filter(u8::is_ascii)?;
        len = len.wrapping_add(1);
    }
    short.get(..len)
}
