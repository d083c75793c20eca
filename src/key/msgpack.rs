//! MessagePack payloads: what the Python SDK writes where `msgpack` is installed.
//!
//! The whole format is read, as far as a payload can have it: names are strings, and every length
//! is checked against the bytes that are there before anything is done with it.

use core::ops::Range;

use super::{
    payload::{Found, Read},
    scopes::END,
};
use crate::{
    buf::move_within,
    names::{Budget, MAX_DEPTH, Malformed, Names},
    text::Text,
};

/// The front of a value: all of a scalar, the length of the rest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Item<'p> {
    Nil,
    Bool(bool),
    Int(i64),
    /// Above `i64::MAX`.
    UInt(u64),
    Float(f64),
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

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        self.take(N)?.try_into().map_err(|_| Malformed)
    }

    /// A big-endian length of one, two or four bytes.
    fn length<const N: usize>(&mut self) -> Result<u32, Malformed> {
        Ok(self.array::<N>()?.iter().fold(0, |all, byte| all << 8 | u32::from(*byte)))
    }

    fn run<const N: usize>(&mut self) -> Result<&'p [u8], Malformed> {
        let len = self.length::<N>()?;
        self.take(usize::try_from(len).map_err(|_| Malformed)?)
    }

    fn ext(&mut self, len: usize) -> Result<Item<'p>, Malformed> {
        let [kind] = self.array::<1>()?;
        Ok(Item::Ext(kind.cast_signed(), self.take(len)?))
    }

    fn ext_run<const N: usize>(&mut self) -> Result<Item<'p>, Malformed> {
        let len = self.length::<N>()?;
        self.ext(usize::try_from(len).map_err(|_| Malformed)?)
    }

    /// Passes the front of a value.
    pub(crate) fn item(&mut self) -> Result<Item<'p>, Malformed> {
        let [marker] = self.array::<1>()?;
        Ok(match marker {
            0x00..=0x7F => Item::Int(i64::from(marker)),
            0x80..=0x8F => Item::Map(u32::from(marker & 0x0F)),
            0x90..=0x9F => Item::Array(u32::from(marker & 0x0F)),
            0xA0..=0xBF => Item::Str(self.take(usize::from(marker & 0x1F))?),
            0xC0 => Item::Nil,
            0xC1 => return Err(Malformed),
            0xC2 => Item::Bool(false),
            0xC3 => Item::Bool(true),
            0xC4 => Item::Bin(self.run::<1>()?),
            0xC5 => Item::Bin(self.run::<2>()?),
            0xC6 => Item::Bin(self.run::<4>()?),
            0xC7 => self.ext_run::<1>()?,
            0xC8 => self.ext_run::<2>()?,
            0xC9 => self.ext_run::<4>()?,
            0xCA => Item::Float(f64::from(f32::from_be_bytes(self.array()?))),
            0xCB => Item::Float(f64::from_be_bytes(self.array()?)),
            0xCC => Item::Int(i64::from(u8::from_be_bytes(self.array()?))),
            0xCD => Item::Int(i64::from(u16::from_be_bytes(self.array()?))),
            0xCE => Item::Int(i64::from(u32::from_be_bytes(self.array()?))),
            0xCF => {
                let value = u64::from_be_bytes(self.array()?);
                i64::try_from(value).map_or(Item::UInt(value), Item::Int)
            }
            0xD0 => Item::Int(i64::from(i8::from_be_bytes(self.array()?))),
            0xD1 => Item::Int(i64::from(i16::from_be_bytes(self.array()?))),
            0xD2 => Item::Int(i64::from(i32::from_be_bytes(self.array()?))),
            0xD3 => Item::Int(i64::from_be_bytes(self.array()?)),
            0xD4 => self.ext(1)?,
            0xD5 => self.ext(2)?,
            0xD6 => self.ext(4)?,
            0xD7 => self.ext(8)?,
            0xD8 => self.ext(16)?,
            0xD9 => Item::Str(self.run::<1>()?),
            0xDA => Item::Str(self.run::<2>()?),
            0xDB => Item::Str(self.run::<4>()?),
            0xDC => Item::Array(self.length::<2>()?),
            0xDD => Item::Array(self.length::<4>()?),
            0xDE => Item::Map(self.length::<2>()?),
            0xDF => Item::Map(self.length::<4>()?),
            0xE0..=0xFF => Item::Int(i64::from(marker.cast_signed())),
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
            pending = pending.saturating_sub(1).saturating_add(inner);
        }
        self.bytes.get(start..self.at)
    }

    /// Passes a member, name and value.
    pub(crate) fn member(&mut self) -> Option<(Text<'p>, &'p [u8])> {
        Some((self.name().ok()?, self.value()?))
    }
}

pub(crate) enum MessagePack {}

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
        self.depth = self.depth.saturating_add(1);
        Ok(())
    }

    fn innermost(&mut self) -> Result<&mut Level, Malformed> {
        self.levels.get_mut(self.depth.saturating_sub(1)).ok_or(Malformed)
    }
}

impl Read for MessagePack {
    fn scan(payload: &[u8]) -> Result<Found, Malformed> {
        let mut found = Found::default();
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
                open.depth = open.depth.saturating_sub(1);
                match open.depth {
                    0 if cursor.at == payload.len() => return Ok(found),
                    0 => return Err(Malformed),
                    1 => found.note(name, start..cursor.at),
                    _ => {}
                }
            }
            let depth = open.depth;
            let level = open.innermost()?;
            level.remaining = level.remaining.saturating_sub(1);
            if level.members_at != u16::MAX {
                let before = cursor.at;
                let this = cursor.name()?;
                utf8(this.as_bytes().unwrap_or_default())?;
                level.names.add(this, &mut budget, || {
                    let earlier = payload.get(usize::from(level.members_at)..before).unwrap_or_default();
                    let mut cursor = Cursor::new(earlier);
                    (earlier.len(), core::iter::from_fn(|| cursor.member()).any(|(other, _)| other == this))
                })?;
                if depth == 1 {
                    (name, start) = (this, cursor.at);
                }
            }
            match cursor.item()? {
                Item::Array(len) => open.push(len, u16::MAX)?,
                Item::Map(len) => open.push(len, place(cursor.at)?)?,
                scalar => {
                    if let Item::Str(text) = scalar {
                        utf8(text)?;
                    }
                    if depth == 1 {
                        found.note(name, start..cursor.at);
                    }
                }
            }
        }
    }

    fn is_null(value: &[u8]) -> bool {
        value == [0xC0]
    }

    fn string(value: &mut [u8]) -> Result<Range<usize>, Malformed> {
        let Item::Str(text) = Cursor::new(value).item()? else {
            return Err(Malformed);
        };
        Ok(value.len().saturating_sub(text.len())..value.len())
    }

    /// A string is packed before its own marker, and its end takes no more than the marker's place:
    /// what is still to be read is never overwritten.
    fn pack_strings(value: &mut [u8]) -> Result<usize, Malformed> {
        let mut cursor = Cursor::new(value);
        let Item::Array(count) = cursor.item()? else {
            return Err(Malformed);
        };
        let (mut read, mut packed) = (cursor.at, 0_usize);
        for _ in 0..count {
            let mut cursor = Cursor { bytes: value, at: read };
            let Item::Str(text) = cursor.item()? else {
                return Err(Malformed);
            };
            let len = text.len();
            read = cursor.at;
            move_within(value, read.saturating_sub(len)..read, packed).ok_or(Malformed)?;
            packed = packed.saturating_add(len);
            *value.get_mut(packed).ok_or(Malformed)? = END;
            packed = packed.saturating_add(1);
        }
        Ok(packed)
    }

    fn integer(value: &[u8]) -> Result<i64, Malformed> {
        match Cursor::new(value).item()? {
            Item::Int(value) => Ok(value),
            _ => Err(Malformed),
        }
    }

    fn is_object(value: &[u8]) -> bool {
        matches!(Cursor::new(value).item(), Ok(Item::Map(_)))
    }
}

fn utf8(text: &[u8]) -> Result<(), Malformed> {
    core::str::from_utf8(text).map(drop).map_err(|_| Malformed)
}
