//! The two encodings of a payload behind one face.

use core::ops::Range;

use crate::{names::Malformed, text::Text};

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

const NAMES: [&str; 7] = ["id", "tid", "scp", "env", "exp", "nbf", "meta"];

/// Where the claims stand in a payload; no value is empty, so an empty range is an absent member.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) id: Range<usize>,
    pub(crate) tid: Range<usize>,
    pub(crate) scp: Range<usize>,
    pub(crate) env: Range<usize>,
    pub(crate) exp: Range<usize>,
    pub(crate) nbf: Range<usize>,
    pub(crate) meta: Range<usize>,
}

impl Found {
    /// Takes note of a member.
    pub(crate) fn note(&mut self, name: Text<'_>, value: Range<usize>) {
        if let Some(place) = self.place_for(name) {
            *place = value;
        }
    }

    fn place_for(&mut self, name: Text<'_>) -> Option<&mut Range<usize>> {
        let name = match name.as_bytes() {
            Some(name) => name,
            // Spelt with escapes, as hardly any is.
            None => NAMES.iter().find(|known| name == **known)?.as_bytes(),
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

/// Reads one encoding. The payload is scanned once, which checks all of it; the other functions
/// read the values that the scan has found, and rely on that.
pub(crate) trait Read {
    /// Checks that `payload` is one object and finds the claims in it.
    fn scan(payload: &[u8]) -> Result<Found, Malformed>;

    fn is_null(value: &[u8]) -> bool;

    /// Brings the string that `value` is into plain UTF-8 and returns where in `value` it stands.
    fn string(value: &mut [u8]) -> Result<Range<usize>, Malformed>;

    /// Packs the strings of the array that `value` is at its front, each with an
    /// [`END`](super::scopes::END) after it; returns the packed length.
    fn pack_strings(value: &mut [u8]) -> Result<usize, Malformed>;

    fn integer(value: &[u8]) -> Result<i64, Malformed>;

    fn is_object(value: &[u8]) -> bool;
}
