//! MessagePack payloads: what the Python SDK writes where `msgpack` is installed.
//!
//! The whole format is read, as far as a payload can have it: names are strings, and every length
//! is checked against the bytes that are there before anything is done with it.

use super::{
    payload::{CLAIMS, ENVIRONMENT, EXPIRES_AT, Found, ID, META, NOT_BEFORE, SCOPES, Secs, Span, TENANT, claim},
    scopes::END,
};
use crate::{
    json::run::plain_end,
    names::{Budget, MAX_DEPTH, Malformed, Names},
    text::{Text, character},
};

/// The front of a value: all of a scalar, the length of the rest.
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

/// A place in a payload.
#[derive(Debug, Clone)]
pub(crate) struct Cursor<'p> {
    bytes: &'p [u8],
    at: usize,
}

impl<'p> Cursor<'p> {
    pub(crate) const fn new(bytes: &'p [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    fn take(&mut self, len: usize) -> Result<&'p [u8], Malformed> {
        let end = self.at.checked_add(len).ok_or(Malformed)?;
        let taken = self.bytes.get(self.at..end).ok_or(Malformed)?;
        self.at = end;
        Ok(taken)
    }

    /// A big-endian number of one, two, four or eight bytes.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn number(&mut self, width: usize) -> Result<u64, Malformed> {
        Ok(self.take(width)?.iter().fold(0, |all, byte| all << 8 | u64::from(*byte)))
    }

    /// The number of elements or members that follow.
    fn count(&mut self, width: usize) -> Result<u32, Malformed> {
        u32::try_from(self.number(width)?).map_err(|_| Malformed)
    }

    fn run(&mut self, width: usize) -> Result<&'p [u8], Malformed> {
        let len = self.number(width)?;
        self.take(usize::try_from(len).map_err(|_| Malformed)?)
    }

    fn ext(&mut self, len: u64) -> Result<Item<'p>, Malformed> {
        let kind = self.take(1)?.first().ok_or(Malformed)?.cast_signed();
        Ok(Item::Ext(kind, self.take(usize::try_from(len).map_err(|_| Malformed)?)?))
    }

    /// Passes the front of a value.
    pub(crate) fn item(&mut self) -> Result<Item<'p>, Malformed> {
        let marker = *self.take(1)?.first().ok_or(Malformed)?;
        // Markers of one kind stand in the order of the width of what comes first: 1, 2, 4 or 8 bytes.
        let width = |first: u8| 1_usize.wrapping_shl(u32::from(marker.wrapping_sub(first)));
        Ok(match marker {
            0x00..=0x7F | 0xE0..=0xFF => Item::Int(i64::from(marker.cast_signed())),
            0x80..=0x8F => Item::Map(u32::from(marker & 0x0F)),
            0x90..=0x9F => Item::Array(u32::from(marker & 0x0F)),
            0xA0..=0xBF => Item::Str(self.take(usize::from(marker & 0x1F))?),
            0xC0 => Item::Nil,
            0xC1 => return Err(Malformed),
            0xC2 | 0xC3 => Item::Bool(marker == 0xC3),
            0xC4..=0xC6 => Item::Bin(self.run(width(0xC4))?),
            0xC7..=0xC9 => {
                let len = self.number(width(0xC7))?;
                self.ext(len)?
            }
            0xCA => Item::Single(self.count(4)?),
            0xCB => Item::Double(self.number(8)?),
            0xCC..=0xCF => {
                let value = self.number(width(0xCC))?;
                i64::try_from(value).map_or(Item::UInt(value), Item::Int)
            }
            0xD0..=0xD3 => {
                let width = width(0xD0);
                let value = self.number(width)?.cast_signed();
                // Brings the sign to where that of an `i64` is.
                let missing = 64_u32.wrapping_sub(u32::try_from(width).map_err(|_| Malformed)?.wrapping_mul(8));
                Item::Int(value.wrapping_shl(missing).wrapping_shr(missing))
            }
            0xD4..=0xD8 => self.ext(u64::try_from(width(0xD4)).map_err(|_| Malformed)?)?,
            0xD9..=0xDB => Item::Str(self.run(width(0xD9))?),
            0xDC | 0xDD => Item::Array(self.count(width(0xDB))?),
            0xDE | 0xDF => Item::Map(self.count(width(0xDD))?),
        })
    }

    fn name(&mut self) -> Result<Text<'p>, Malformed> {
        let Item::Str(name) = self.item()? else {
            return Err(Malformed);
        };
        Ok(Text::plain(name))
    }

    /// Passes a whole value and returns it. Relies on the bytes having been scanned.
    pub(crate) fn value(&mut self) -> Option<&'p [u8]> {
        let start = self.at;
        let mut pending = 1_u64;
        while pending > 0 {
            let inner = match self.item().ok()? {
                Item::Array(len) => u64::from(len),
                Item::Map(len) => u64::from(len).saturating_mul(2),
                _ => 0,
            };
            pending = pending.wrapping_sub(1).saturating_add(inner);
        }
        self.bytes.get(start..self.at)
    }

    /// Passes a member, name and value.
    pub(crate) fn member(&mut self) -> Option<(Text<'p>, &'p [u8])> {
        Some((self.name().ok()?, self.value()?))
    }
}

/// The maps and arrays around the cursor.
struct Open {
    levels: [Level; MAX_DEPTH],
    depth: usize,
}

#[derive(Clone, Copy)]
struct Level {
    /// Members or elements still to come.
    remaining: u16,
    /// Where the members of a map start; for an array the number that is no place.
    members_at: u16,
    names: Names,
}

impl Level {
    const NONE: Self = Self { remaining: 0, members_at: u16::MAX, names: Names::NONE };
}

impl Open {
    fn push(&mut self, remaining: u32, members_at: u16) -> Result<(), Malformed> {
        let remaining = u16::try_from(remaining).map_err(|_| Malformed)?;
        *self.levels.get_mut(self.depth).ok_or(Malformed)? = Level { remaining, members_at, names: Names::NONE };
        self.depth = self.depth.wrapping_add(1);
        Ok(())
    }

    fn innermost(&mut self) -> Result<&mut Level, Malformed> {
        self.levels.get_mut(self.depth.wrapping_sub(1)).ok_or(Malformed)
    }
}

/// Checks that `payload` is one map and reads the claims in it. The scopes are packed where their array starts.
pub(super) fn read(payload: &mut [u8], found: &mut Found) -> Result<(), Malformed> {
    let values = scan(payload)?;
    for (claim, value) in values.iter().enumerate().filter(|(_, value)| value.is_some()) {
        let item = Cursor { bytes: payload, at: value.start() }.item()?;
        let place = match (claim, item) {
            (ID | TENANT | ENVIRONMENT, Item::Str(text)) => {
                Span::new(value.end().wrapping_sub(text.len()), value.end())
            }
            (SCOPES, Item::Array(_)) => Span::new(value.start(), pack_strings(payload, value.start())?),
            (META, Item::Map(_)) => *value,
            (EXPIRES_AT | NOT_BEFORE, Item::Int(secs)) => {
                if let Some(time) = found.times.get_mut(claim / 2) {
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

/// Checks all of `payload`, and finds where the values of the claims stand that are there and not null.
///
/// Not inlined: its stack is taken by such payloads alone.
#[inline(never)]
fn scan(payload: &[u8]) -> Result<[Span; CLAIMS], Malformed> {
    let mut found = [Span::default(); CLAIMS];
    let mut note = |name, start, end| {
        if let Some(place) = found.get_mut(claim(name)) {
            *place = Span::new(start, end);
        }
    };
    let mut cursor = Cursor::new(payload);
    let mut open = Open { levels: [Level::NONE; MAX_DEPTH], depth: 0 };
    let mut budget = Budget::FULL;
    let place = |at: usize| u16::try_from(at).ok().filter(|at| *at != u16::MAX).ok_or(Malformed);
    // The name of the outermost map's member at hand, and where its value starts.
    let (mut name, mut start) = (Text::plain(&[]), 0);

    let Item::Map(len) = cursor.item()? else {
        return Err(Malformed);
    };
    open.push(len, place(cursor.at)?)?;
    loop {
        while open.innermost()?.remaining == 0 {
            open.depth = open.depth.wrapping_sub(1);
            match open.depth {
                0 if cursor.at == payload.len() => return Ok(found),
                0 => return Err(Malformed),
                1 => note(name, start, cursor.at),
                _ => {}
            }
        }
        let depth = open.depth;
        let level = open.innermost()?;
        level.remaining = level.remaining.wrapping_sub(1);
        if level.members_at != u16::MAX {
            let before = cursor.at;
            let this = cursor.name()?;
            utf8(this.as_bytes().unwrap_or_default())?;
            if level.names.add(this) {
                let earlier = payload.get(usize::from(level.members_at)..before).unwrap_or_default();
                budget.spend(earlier.len())?;
                let mut cursor = Cursor::new(earlier);
                if core::iter::from_fn(|| cursor.member()).any(|(other, _)| other == this) {
                    return Err(Malformed);
                }
            }
            if depth == 1 {
                (name, start) = (this, cursor.at);
            }
        }
        match cursor.item()? {
            Item::Array(len) => open.push(len, u16::MAX)?,
            Item::Map(len) => open.push(len, place(cursor.at)?)?,
            Item::Nil => {}
            scalar => {
                if let Item::Str(text) = scalar {
                    utf8(text)?;
                }
                if depth == 1 {
                    note(name, start, cursor.at);
                }
            }
        }
    }
}

/// Packs the strings of the array at `array` there, and returns where that ends. A string is packed before its own
/// marker, and its end takes no more than the marker's place: what is still to be read is never overwritten.
fn pack_strings(payload: &mut [u8], array: usize) -> Result<usize, Malformed> {
    let mut cursor = Cursor { bytes: payload, at: array };
    let Item::Array(count) = cursor.item()? else {
        return Err(Malformed);
    };
    let (mut at, mut packed) = (cursor.at, array);
    for _ in 0..count {
        let mut cursor = Cursor { bytes: payload, at };
        let Item::Str(text) = cursor.item()? else {
            return Err(Malformed);
        };
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

/// Narrow processors need no second decoder of UTF-8 for it.
fn utf8(text: &[u8]) -> Result<(), Malformed> {
    if cfg!(target_pointer_width = "64") {
        return core::str::from_utf8(text).map(drop).map_err(|_| Malformed);
    }
    let mut at = plain_end(text, 0);
    while let Some(rest @ [_, ..]) = text.get(at..) {
        let (_, len) = character(rest, false).ok_or(Malformed)?;
        at = plain_end(text, at.wrapping_add(len));
    }
    Ok(())
}
