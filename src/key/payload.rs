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

/// Reads one encoding. The payload is scanned once, which checks all of it; the other functions
/// read the values that the scan has found, and rely on that.
pub(crate) trait Read {
    /// Checks that `payload` is one object and reports each member's name and value.
    fn scan<'p>(
        payload: &'p [u8],
        member: impl FnMut(Text<'p>, Range<usize>) -> Result<(), Malformed>,
    ) -> Result<(), Malformed>;

    fn is_null(value: &[u8]) -> bool;

    /// Brings the string that `value` is into plain UTF-8 and returns where in `value` it stands.
    fn string(value: &mut [u8]) -> Result<Range<usize>, Malformed>;

    /// Packs the strings of the array that `value` is at its front; returns the packed length.
    fn strings(value: &mut [u8]) -> Result<usize, Malformed>;

    fn integer(value: &[u8]) -> Result<i64, Malformed>;

    fn is_object(value: &[u8]) -> bool;
}
