//! MessagePack payloads. The Python SDK writes them if `msgpack` is installed.
//!
//! The reader knows the whole format, but names must be strings. It checks every length against the number of bytes
//! that are left before it uses it.

use super::payload::{CLAIMS, END, EXPIRES_AT, Found, ID, META, NOT_BEFORE, SCOPES, Secs, Span, claim};
use crate::{
    names::{MAX_DEPTH, Malformed, Names, distinct},
    text::Text,
};

/// The front of a value: the whole value if it is a scalar, a string or bytes; the length if it is an array or a map.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Item<'p> {
    Nil,
    Bool(bool),
    Int(i64),
    /// Above `i64::MAX`.
    UInt(u64),
    /// The bits of an `f32`.
    Single(u32),
    /// The bits of an `f64`.
    Double(u64),
    Str(&'p [u8]),
    Bin(&'p [u8]),
    Ext(i8, &'p [u8]),
    Array(u32),
    Map(u32),
}

/// The front of a value, before conversion.
struct Head<'p> {
    kind: Kind,
    /// An integer, the bits of a float, or a length.
    number: u64,
    /// The bytes of a `Str`, `Bin` or `Ext`. In an `Ext`, the first byte is its type.
    bytes: &'p [u8],
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Reserved,
    Nil,
    Bool,
    Int,
    UInt,
    Float,
    Str,
    Bin,
    Ext,
    Array,
    Map,
}

/// For the markers from 0xC0 to 0xDF: the kind, how many bytes of number follow the marker, and the number itself if
/// none follow.
const MARKERS: [(Kind, u8, u8); 32] = [
    (Kind::Nil, 0, 0),
    (Kind::Reserved, 0, 0),
    (Kind::Bool, 0, 0),
    (Kind::Bool, 0, 1),
    (Kind::Bin, 1, 0),
    (Kind::Bin, 2, 0),
    (Kind::Bin, 4, 0),
    (Kind::Ext, 1, 0),
    (Kind::Ext, 2, 0),
    (Kind::Ext, 4, 0),
    (Kind::Float, 4, 0),
    (Kind::Float, 8, 0),
    (Kind::UInt, 1, 0),
    (Kind::UInt, 2, 0),
    (Kind::UInt, 4, 0),
    (Kind::UInt, 8, 0),
    (Kind::Int, 1, 0),
    (Kind::Int, 2, 0),
    (Kind::Int, 4, 0),
    (Kind::Int, 8, 0),
    (Kind::Ext, 0, 1),
    (Kind::Ext, 0, 2),
    (Kind::Ext, 0, 4),
    (Kind::Ext, 0, 8),
    (Kind::Ext, 0, 16),
    (Kind::Str, 1, 0),
    (Kind::Str, 2, 0),
    (Kind::Str, 4, 0),
    (Kind::Array, 2, 0),
    (Kind::Array, 4, 0),
    (Kind::Map, 2, 0),
    (Kind::Map, 4, 0),
];

/// A position in a payload.
#[derive(Debug, Clone)]
pub(crate) struct Cursor<'p> {
    bytes: &'p [u8],
    at: usize,
}

impl<'p> Cursor<'p> {
    pub(crate) const fn new(bytes: &'p [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    fn take(&mut self, len: u64) -> Option<&'p [u8]> {
        let (taken, _) = self.bytes.get(self.at..)?.split_at_checked(usize::try_from(len).ok()?)?;
        self.at = self.at.wrapping_add(taken.len());
        Some(taken)
    }

    /// Passes the front of a value and returns it.
    fn head(&mut self) -> Option<Head<'p>> {
        let marker = *self.take(1)?.first()?;
        let (kind, width, own) = match marker {
            0x80..=0x8F => (Kind::Map, 0, marker & 0x0F),
            0x90..=0x9F => (Kind::Array, 0, marker & 0x0F),
            0xA0..=0xBF => (Kind::Str, 0, marker & 0x1F),
            0xC0..=0xDF => *MARKERS.get(usize::from(marker & 0x1F))?,
            _ => (Kind::Int, 0, marker),
        };
        let mut number = self.take(width.into())?.iter().fold(u64::from(own), |all, byte| all << 8 | u64::from(*byte));
        let len = match kind {
            Kind::Reserved => return None,
            Kind::Int => {
                // Moves the sign to the highest bit of an `i64`. The marker's own number fills a byte, too.
                let missing = 64_u32.wrapping_sub(u32::from(width.max(1)).wrapping_mul(8));
                number = number.wrapping_shl(missing).cast_signed().wrapping_shr(missing).cast_unsigned();
                0
            }
            Kind::Str | Kind::Bin => number,
            // One byte for its type.
            Kind::Ext => number.wrapping_add(1),
            _ => 0,
        };
        Some(Head { kind, number, bytes: self.take(len)? })
    }

    /// Passes the front of a value and returns it.
    pub(crate) fn item(&mut self) -> Result<Item<'p>, Malformed> {
        let start = self.at;
        let Head { kind, number, bytes } = self.head().ok_or(Malformed)?;
        // Lengths and `f32`s have at most 32 bits.
        let narrow = || u32::try_from(number).map_err(|_| Malformed);
        Ok(match kind {
            Kind::Reserved => return Err(Malformed),
            Kind::Nil => Item::Nil,
            Kind::Bool => Item::Bool(number != 0),
            Kind::Int => Item::Int(number.cast_signed()),
            Kind::UInt => i64::try_from(number).map_or(Item::UInt(number), Item::Int),
            // One marker and four bytes.
            Kind::Float if self.at.wrapping_sub(start) == 5 => Item::Single(narrow()?),
            Kind::Float => Item::Double(number),
            Kind::Str => Item::Str(bytes),
            Kind::Bin => Item::Bin(bytes),
            Kind::Ext => {
                let (kind, bytes) = bytes.split_first().ok_or(Malformed)?;
                Item::Ext(kind.cast_signed(), bytes)
            }
            Kind::Array => Item::Array(narrow()?),
            Kind::Map => Item::Map(narrow()?),
        })
    }

    fn string(&mut self) -> Option<&'p [u8]> {
        let Head { kind, bytes, .. } = self.head()?;
        (kind == Kind::Str).then_some(bytes)
    }

    /// Passes a whole value and returns it. The bytes must have been scanned before.
    pub(crate) fn value(&mut self) -> Option<&'p [u8]> {
        let start = self.at;
        let mut pending = 1_u64;
        while pending > 0 {
            let Head { kind, number, .. } = self.head()?;
            let inner = match kind {
                Kind::Array => number,
                Kind::Map => number.saturating_mul(2),
                _ => 0,
            };
            pending = pending.wrapping_sub(1).saturating_add(inner);
        }
        self.bytes.get(start..self.at)
    }

    /// Passes a member and returns its name and its value.
    pub(crate) fn member(&mut self) -> Option<(Text<'p>, &'p [u8])> {
        Some((Text::plain(self.string()?), self.value()?))
    }
}

/// A map or an array around the cursor.
#[derive(Clone, Copy)]
struct Level {
    /// The number of values still to come. Names count as values, too.
    remaining: u16,
    /// Where the members of a map start; [`NO_MAP`] for an array.
    members_at: u16,
    names: Names,
}

/// Not a place in any payload.
const NO_MAP: u16 = u16::MAX;

/// Checks that `payload` is one map, and reads the claims in it. The scopes are packed at the start of their array.
pub(super) fn read(payload: &mut [u8], found: &mut Found) -> Result<(), Malformed> {
    let values = scan(payload).ok_or(Malformed)?;
    for (claim, value) in values.iter().enumerate().filter(|(_, value)| value.is_some()) {
        let Head { kind, number, bytes } = Cursor { bytes: payload, at: value.start() }.head().ok_or(Malformed)?;
        let place = match (claim, kind) {
            (ID..CLAIMS, Kind::Str) => Span::new(value.end().wrapping_sub(bytes.len()), value.end()),
            (SCOPES, Kind::Array) => Span::new(value.start(), pack_strings(payload, value.start())?),
            (META, Kind::Map) => *value,
            (EXPIRES_AT | NOT_BEFORE, Kind::Int | Kind::UInt) => {
                let secs = number.cast_signed();
                if kind == Kind::UInt && secs < 0 {
                    return Err(Malformed);
                }
                if let Some(time) = found.times.get_mut(claim) {
                    *time = Secs(secs);
                }
                *value
            }
            _ => return Err(Malformed),
        };
        if let Some(own) = found.places.get_mut(claim) {
            *own = place;
        }
    }
    Ok(())
}

/// Checks all of `payload`, and finds the places of the claims. A claim that is null counts as absent.
///
/// Not inlined: only payloads in MessagePack then need its stack.
#[inline(never)]
fn scan(payload: &[u8]) -> Option<[Span; CLAIMS]> {
    let mut found = [Span::default(); CLAIMS];
    let mut cursor = Cursor::new(payload);
    // The outermost level is an array of one value, which is the map.
    let mut levels = [Level { remaining: 1, members_at: NO_MAP, names: Names::NONE }; MAX_DEPTH + 1];
    let mut depth = 0_usize;
    // The current member of the outermost map: its name, and where its value starts.
    let (mut name, mut start) = (Text::plain(&[]), 0);
    loop {
        let level = levels.get_mut(depth)?;
        let mut whole = level.remaining == 0;
        if whole {
            if depth == 0 {
                return (cursor.at == payload.len()).then_some(found);
            }
            if level.names.may_repeat() {
                compare_names(payload, level.members_at.into(), cursor.at)?;
            }
            depth = depth.wrapping_sub(1);
        } else {
            level.remaining = level.remaining.wrapping_sub(1);
            let Head { kind, number, bytes } = cursor.head()?;
            if kind == Kind::Str && core::str::from_utf8(bytes).is_err() || depth == 0 && kind != Kind::Map {
                return None;
            }
            // Names and values alternate, and the last one is a value.
            if level.members_at != NO_MAP && level.remaining & 1 == 1 {
                if kind != Kind::Str {
                    return None;
                }
                let this = Text::plain(bytes);
                level.names.add(this);
                if depth == 1 {
                    (name, start) = (this, cursor.at);
                }
                continue;
            }
            match kind {
                Kind::Array | Kind::Map => {
                    let (each, members_at) = match kind {
                        Kind::Map => (2, u16::try_from(cursor.at).ok().filter(|at| *at != NO_MAP)?),
                        _ => (1, NO_MAP),
                    };
                    let remaining = u16::try_from(number.wrapping_mul(each)).ok()?;
                    depth = depth.wrapping_add(1);
                    *levels.get_mut(depth)? = Level { remaining, members_at, names: Names::NONE };
                }
                Kind::Nil => {}
                _ => whole = true,
            }
        }
        if whole
            && depth == 1
            && let Some(place) = found.get_mut(claim(name))
        {
            *place = Span::new(start, cursor.at);
        }
    }
}

/// Refuses the map whose members start there if a name occurs twice.
///
/// Not inlined: [`distinct`] needs much stack.
#[cold]
#[inline(never)]
fn compare_names(payload: &[u8], start: usize, end: usize) -> Option<()> {
    let mut cursor = Cursor::new(payload.get(start..end)?);
    let names = core::iter::from_fn(move || cursor.member().map(|(name, _)| name));
    distinct(names, end.wrapping_sub(start)).ok()
}

/// Packs the strings of the array at `array` to its start, and returns where they end. A packed string starts before
/// its marker, and the byte that ends it takes no more room than the marker did. So unread bytes are never
/// overwritten.
fn pack_strings(payload: &mut [u8], array: usize) -> Result<usize, Malformed> {
    let mut cursor = Cursor { bytes: payload, at: array };
    let Some(Head { kind: Kind::Array, number: count, .. }) = cursor.head() else {
        return Err(Malformed);
    };
    let (mut at, mut packed) = (cursor.at, array);
    for _ in 0..count {
        let mut cursor = Cursor { bytes: payload, at };
        let text = cursor.string().ok_or(Malformed)?;
        let start = cursor.at.wrapping_sub(text.len());
        at = cursor.at;
        for from in start..at {
            let byte = *payload.get(from).ok_or(Malformed)?;
            *payload.get_mut(packed).ok_or(Malformed)? = byte;
            packed = packed.wrapping_add(1);
        }
        *payload.get_mut(packed).ok_or(Malformed)? = END;
        packed = packed.wrapping_add(1);
    }
    Ok(packed)
}
