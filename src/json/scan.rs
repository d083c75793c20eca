//! The checking reader: one pass, a fixed stack of open objects and arrays, no recursion.

use core::ops::Range;

use heapless::Vec;

use super::{members::Members, run::plain_run};
use crate::{
    names::{Budget, MAX_DEPTH, Malformed, Names},
    text::Text,
};

/// Checks that `text` is one JSON object, `outer` levels deep in something else, and calls `member`
/// for each of its members with the name and with where in `text` the value stands.
///
/// `member` is a trait object so that there is one reader in the program, of some 2 kB, and not one for each
/// caller.
pub(crate) fn object<'t>(
    text: &'t [u8],
    outer: usize,
    member: &mut dyn FnMut(Text<'t>, Range<usize>),
) -> Result<(), Malformed> {
    read(text, outer, member)
}

/// Checks that `text` is one JSON object, whatever is in it.
///
/// This is in each verification of a key with meta: where there is room, it is worth a reader of its own.
pub(crate) fn any_object(text: &[u8], outer: usize) -> Result<(), Malformed> {
    let mut ignore = |_: Text<'_>, _: Range<usize>| {};
    if cfg!(target_pointer_width = "64") { read(text, outer, &mut ignore) } else { object(text, outer, &mut ignore) }
}

#[inline]
fn read<'t, M: FnMut(Text<'t>, Range<usize>) + ?Sized>(
    text: &'t [u8],
    outer: usize,
    member: &mut M,
) -> Result<(), Malformed> {
    let mut cursor = Cursor { text, at: 0 };
    let mut around = Vec::<Level, MAX_DEPTH>::new();
    let mut depth = outer;
    let mut level = Level::ARRAY;
    let mut budget = Budget::FULL;
    let members_depth = outer.saturating_add(1);
    // The name of the outermost object's member at hand, and where its value starts.
    let (mut name, mut start) = (Text::plain(&[]), 0);

    cursor.skip_space();
    if cursor.peek() != Some(b'{') {
        return Err(Malformed);
    }
    loop {
        // A value starts here.
        let mut complete = true;
        match cursor.peek().ok_or(Malformed)? {
            opening @ (b'{' | b'[') => {
                cursor.advance();
                if depth >= MAX_DEPTH {
                    return Err(Malformed);
                }
                around.push(level).map_err(|_| Malformed)?;
                depth = depth.saturating_add(1);
                level = if opening == b'{' { Level::object(cursor.at)? } else { Level::ARRAY };
                complete = false;
            }
            b'"' => {
                cursor.string()?;
            }
            b't' => cursor.literal(b"true")?,
            b'f' => cursor.literal(b"false")?,
            b'n' => cursor.literal(b"null")?,
            _ => cursor.number()?,
        }
        // Closes what ends here, up to where the next value stands.
        loop {
            if complete {
                if depth == members_depth {
                    member(name, start..cursor.at);
                } else if depth == outer {
                    cursor.skip_space();
                    return if cursor.at == text.len() { Ok(()) } else { Err(Malformed) };
                }
            }
            cursor.skip_space();
            match cursor.peek().ok_or(Malformed)? {
                b',' if complete => {
                    cursor.advance();
                    cursor.skip_space();
                    break;
                }
                closing @ (b'}' | b']') if (closing == b'}') == level.is_object() => {
                    cursor.advance();
                    depth = depth.saturating_sub(1);
                    level = around.pop().ok_or(Malformed)?;
                    complete = true;
                }
                _ if !complete => break,
                _ => return Err(Malformed),
            }
        }
        if level.is_object() {
            let before = cursor.at;
            let this = cursor.string()?;
            let members_at = level.members_at();
            level.names.add(this, &mut budget, || {
                let earlier = text.get(members_at..before).unwrap_or_default();
                (earlier.len(), Members::new(earlier).any(|(other, _)| other == this))
            })?;
            cursor.skip_space();
            cursor.expect(b':')?;
            cursor.skip_space();
            if depth == members_depth {
                (name, start) = (this, cursor.at);
            }
        }
    }
}

/// An object or array around the cursor.
#[derive(Clone, Copy)]
struct Level {
    /// Where the members of an object start; for an array 0, where no member can.
    members_at: u32,
    names: Names,
}

impl Level {
    const ARRAY: Self = Self { members_at: 0, names: Names::NONE };

    fn object(members_at: usize) -> Result<Self, Malformed> {
        let members_at = u32::try_from(members_at).map_err(|_| Malformed)?;
        Ok(Self { members_at, names: Names::NONE })
    }

    const fn is_object(&self) -> bool {
        self.members_at != Self::ARRAY.members_at
    }

    fn members_at(&self) -> usize {
        usize::try_from(self.members_at).unwrap_or(usize::MAX)
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

    /// Passes a string and returns what stands between the quotes.
    #[inline]
    pub(crate) fn string(&mut self) -> Result<Text<'t>, Malformed> {
        self.expect(b'"')?;
        let start = self.at;
        let mut ascii = true;
        let mut escaped = false;
        loop {
            let run = plain_run(self.rest());
            ascii &= run.ascii;
            self.at = self.at.saturating_add(run.len);
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
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

    fn escape(&mut self) -> Result<(), Malformed> {
        self.expect(b'\\')?;
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
