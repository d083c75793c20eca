//! The checking reader: one pass, a fixed stack of open objects and arrays, no recursion.

use core::ops::Range;

use super::members::Members;
use crate::{
    names::{Budget, MAX_DEPTH, Malformed, Names},
    text::Text,
};

/// Checks that `text` is one JSON object, `outer` levels deep in something else, and calls `member`
/// for each of its members with the name and with where in `text` the value stands.
pub(crate) fn object<'t>(
    text: &'t [u8],
    outer: usize,
    mut member: impl FnMut(Text<'t>, Range<usize>) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    let mut cursor = Cursor { text, at: 0 };
    let mut open = Open { levels: [Level::ARRAY; MAX_DEPTH], depth: outer, budget: Budget::of(text.len()) };
    let members_depth = outer.saturating_add(1);
    // The name of the outermost object's member at hand, and where its value starts.
    let (mut name, mut start) = (Text::plain(&[]), 0);

    cursor.skip_space();
    if cursor.peek() != Some(b'{') {
        return Err(Malformed);
    }
    loop {
        let value = cursor.value_start(&mut open)?;
        let mut next = match value {
            Start::Scalar => Next::AfterValue,
            Start::Object | Start::Array => Next::AfterOpening,
        };
        // Closes what closes here, up to where the next value stands.
        loop {
            if next == Next::AfterValue {
                if open.depth == outer {
                    cursor.skip_space();
                    return if cursor.at == text.len() { Ok(()) } else { Err(Malformed) };
                }
                if open.depth == members_depth {
                    member(name, start..cursor.at)?;
                }
            }
            cursor.skip_space();
            let in_object = open.in_object()?;
            match (cursor.peek().ok_or(Malformed)?, next) {
                (b'}', _) if in_object => {}
                (b']', _) if !in_object => {}
                (b',', Next::AfterValue) => {
                    cursor.advance();
                    cursor.skip_space();
                    break;
                }
                (_, Next::AfterOpening) => break,
                _ => return Err(Malformed),
            }
            cursor.advance();
            open.depth = open.depth.saturating_sub(1);
            next = Next::AfterValue;
        }
        if open.in_object()? {
            let this = cursor.member_name(&mut open)?;
            if open.depth == members_depth {
                (name, start) = (this, cursor.at);
            }
        }
    }
}

enum Start {
    Scalar,
    Object,
    Array,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    AfterOpening,
    AfterValue,
}

/// The objects and arrays around the cursor.
struct Open {
    levels: [Level; MAX_DEPTH],
    depth: usize,
    budget: Budget,
}

#[derive(Clone, Copy)]
struct Level {
    /// Where the members of an object start; for an array the number that is no place.
    members_at: u32,
    names: Names,
}

impl Level {
    const ARRAY: Self = Self { members_at: u32::MAX, names: Names::NONE };
}

impl Open {
    fn push(&mut self, level: Level) -> Result<(), Malformed> {
        *self.levels.get_mut(self.depth).ok_or(Malformed)? = level;
        self.depth = self.depth.saturating_add(1);
        Ok(())
    }

    fn innermost(&mut self) -> Result<&mut Level, Malformed> {
        self.levels.get_mut(self.depth.saturating_sub(1)).ok_or(Malformed)
    }

    fn in_object(&mut self) -> Result<bool, Malformed> {
        Ok(self.innermost()?.members_at != Level::ARRAY.members_at)
    }
}

/// A place in a text.
pub(crate) struct Cursor<'t> {
    pub(crate) text: &'t [u8],
    pub(crate) at: usize,
}

impl<'t> Cursor<'t> {
    pub(crate) fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    pub(crate) fn rest(&self) -> &'t [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Only called where there is a byte to pass.
    pub(crate) fn advance(&mut self) {
        self.at = self.at.saturating_add(1);
    }

    pub(crate) fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.advance();
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), Malformed> {
        if self.peek() != Some(byte) {
            return Err(Malformed);
        }
        self.advance();
        Ok(())
    }

    /// Passes a scalar, or opens an object or array.
    fn value_start(&mut self, open: &mut Open) -> Result<Start, Malformed> {
        match self.peek().ok_or(Malformed)? {
            b'{' => {
                self.advance();
                let members_at = u32::try_from(self.at).map_err(|_| Malformed)?;
                open.push(Level { members_at, names: Names::NONE })?;
                return Ok(Start::Object);
            }
            b'[' => {
                self.advance();
                open.push(Level::ARRAY)?;
                return Ok(Start::Array);
            }
            b'"' => {
                self.string()?;
            }
            b't' => self.literal(b"true")?,
            b'f' => self.literal(b"false")?,
            b'n' => self.literal(b"null")?,
            _ => self.number()?,
        }
        Ok(Start::Scalar)
    }

    /// Passes a name, the colon and the space around it.
    fn member_name(&mut self, open: &mut Open) -> Result<Text<'t>, Malformed> {
        let before = self.at;
        let name = self.string()?;
        let Open { levels, depth, budget } = open;
        let level = levels.get_mut(depth.saturating_sub(1)).ok_or(Malformed)?;
        let first = usize::try_from(level.members_at).map_err(|_| Malformed)?;
        let earlier = self.text.get(first..before).ok_or(Malformed)?;
        level.names.add(name, budget, earlier.len(), || Members::new(earlier).any(|(other, _)| other == name))?;
        self.skip_space();
        self.expect(b':')?;
        self.skip_space();
        Ok(name)
    }

    /// Passes a string and returns what stands between the quotes.
    pub(crate) fn string(&mut self) -> Result<Text<'t>, Malformed> {
        self.expect(b'"')?;
        let start = self.at;
        let (mut escaped, mut ascii) = (false, true);
        loop {
            let run = plain_run(self.rest());
            ascii &= run.ascii;
            self.at = self.at.saturating_add(run.len);
            match self.peek().ok_or(Malformed)? {
                b'"' => break,
                b'\\' => {
                    escaped = true;
                    self.advance();
                    self.escape()?;
                }
                _ => return Err(Malformed),
            }
        }
        let raw = self.text.get(start..self.at).ok_or(Malformed)?;
        if !ascii && core::str::from_utf8(raw).is_err() {
            return Err(Malformed);
        }
        self.advance();
        Ok(Text::json(raw, escaped))
    }

    /// Passes an escape, its backslash passed already.
    fn escape(&mut self) -> Result<(), Malformed> {
        let kind = self.peek().ok_or(Malformed)?;
        self.advance();
        match kind {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(()),
            b'u' => match self.code_unit()? {
                0xD800..=0xDBFF => {
                    self.expect(b'\\')?;
                    self.expect(b'u')?;
                    if matches!(self.code_unit()?, 0xDC00..=0xDFFF) { Ok(()) } else { Err(Malformed) }
                }
                0xDC00..=0xDFFF => Err(Malformed),
                _ => Ok(()),
            },
            _ => Err(Malformed),
        }
    }

    fn code_unit(&mut self) -> Result<u32, Malformed> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16)).ok_or(Malformed)?;
            unit = unit << 4 | digit;
            self.advance();
        }
        Ok(unit)
    }

    fn literal(&mut self, word: &[u8]) -> Result<(), Malformed> {
        if !self.rest().starts_with(word) {
            return Err(Malformed);
        }
        self.at = self.at.saturating_add(word.len());
        Ok(())
    }

    fn number(&mut self) -> Result<(), Malformed> {
        if self.peek() == Some(b'-') {
            self.advance();
        }
        if self.peek() == Some(b'0') {
            self.advance();
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.advance();
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.advance();
            if let Some(b'+' | b'-') = self.peek() {
                self.advance();
            }
            self.digits()?;
        }
        Ok(())
    }

    /// Passes at least one digit.
    fn digits(&mut self) -> Result<(), Malformed> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.advance();
        }
        if self.at == start { Err(Malformed) } else { Ok(()) }
    }
}

/// The bytes of a string up to a quote, a backslash or a control character.
pub(crate) struct Run {
    pub(crate) len: usize,
    /// No byte above 127 is in it; if this is false there may still be none.
    ascii: bool,
}

/// Eight bytes at a time, by the usual tests for a byte of a word that is zero or less than n:
/// they may err above the first byte that is found, never below it.
#[expect(clippy::arithmetic_side_effects, reason = "multiplications of constants; the rest wraps")]
pub(crate) fn plain_run(bytes: &[u8]) -> Run {
    const ONES: u64 = u64::MAX / 0xFF;
    const HIGH: u64 = ONES << 7;
    let zero = |word: u64| word.wrapping_sub(ONES) & !word;
    let (words, _) = bytes.as_chunks::<8>();
    let (mut len, mut high) = (0_usize, 0);
    for word in words {
        let word = u64::from_le_bytes(*word);
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        let stop = (control | zero(word ^ ONES * 0x22) | zero(word ^ ONES * 0x5C)) & HIGH;
        high |= word;
        if stop != 0 {
            return Run { len: len.saturating_add(lowest_byte(stop)), ascii: high & HIGH == 0 };
        }
        len = len.saturating_add(8);
    }
    let mut ascii = high & HIGH == 0;
    for byte in bytes.iter().skip(len) {
        if matches!(byte, b'"' | b'\\' | 0..0x20) {
            break;
        }
        ascii &= byte.is_ascii();
        len = len.saturating_add(1);
    }
    Run { len, ascii }
}

/// The place of the lowest byte that is not zero.
#[expect(clippy::as_conversions, reason = "0 to 8")]
const fn lowest_byte(word: u64) -> usize {
    (word.trailing_zeros() / 8) as usize
}

/// The value of a checked number, if it is written as an integer and an `i64` holds it.
pub(crate) fn integer(number: &[u8]) -> Option<i64> {
    let (digits, negative) = match number {
        [b'-', digits @ ..] => (digits, true),
        digits => (digits, false),
    };
    if digits.is_empty() {
        return None;
    }
    let mut value = 0_i64;
    for byte in digits {
        let digit = i64::from(char::from(*byte).to_digit(10)?);
        value = value.checked_mul(10)?;
        value = if negative { value.checked_sub(digit)? } else { value.checked_add(digit)? };
    }
    Some(value)
}
