//! The checking reader: one pass, a fixed stack of open objects and arrays, no recursion.

use core::ops::Range;

use heapless::Vec;

use super::{members::Members, run::plain_run};
use crate::{
    names::{Budget, MAX_DEPTH, Malformed, Names},
    text::{Text, undo_escape},
};

/// Checks that `text` is one JSON object, `outer` levels deep in something else, and calls `member`
/// for each of its members with the name and with where in `text` the value stands. Returns whether any string
/// in it has escapes.
///
/// `member` is a trait object so that there is one reader in the program, of some 1.5 kB, and not one for each
/// caller. Not inlined: its stack of levels is taken while it runs, and no longer.
#[inline(never)]
pub(crate) fn object<'t>(
    text: &'t [u8],
    outer: usize,
    member: &mut dyn FnMut(Text<'t>, Range<usize>),
) -> Result<bool, Malformed> {
    read(text, outer, member)
}

/// Checks that `text` is one JSON object, whatever is in it.
///
/// This is in each verification of a key with meta: where there is room, it is worth a reader of its own.
pub(crate) fn any_object(text: &[u8], outer: usize) -> Result<bool, Malformed> {
    let mut ignore = |_: Text<'_>, _: Range<usize>| {};
    if cfg!(target_pointer_width = "64") { read(text, outer, &mut ignore) } else { object(text, outer, &mut ignore) }
}

#[inline]
fn read<'t, M: FnMut(Text<'t>, Range<usize>) + ?Sized>(
    text: &'t [u8],
    outer: usize,
    member: &mut M,
) -> Result<bool, Malformed> {
    let mut cursor = Cursor { text, at: 0 };
    let mut around = Vec::<Level, MAX_DEPTH>::new();
    let mut depth = outer;
    let mut level = Level::ARRAY;
    let mut budget = Budget::FULL;
    let mut escaped = false;
    let members_depth = outer.saturating_add(1);
    // The name of the outermost object's member at hand, and where its value starts.
    let (mut name, mut start) = (Text::plain(&[]), 0);

    let mut token = cursor.token();
    if token != b'{' {
        return Err(Malformed);
    }
    loop {
        // A value starts here.
        if depth == members_depth {
            start = cursor.at;
        }
        let mut complete = true;
        match token {
            b'{' | b'[' => {
                cursor.advance();
                if depth >= MAX_DEPTH {
                    return Err(Malformed);
                }
                around.push(level).map_err(|_| Malformed)?;
                depth = depth.wrapping_add(1);
                level = if token == b'{' { Level::object(cursor.at)? } else { Level::ARRAY };
                complete = false;
            }
            b'"' => escaped |= cursor.pass_string()?,
            b'a'..=b'z' => cursor.literal()?,
            _ => cursor.number()?,
        }
        // Closes what ends here, up to where the next value stands.
        loop {
            if complete {
                if depth == members_depth {
                    member(name, start..cursor.at);
                } else if depth == outer {
                    cursor.token();
                    return if cursor.at == text.len() { Ok(escaped) } else { Err(Malformed) };
                }
            }
            token = cursor.token();
            match token {
                b',' if complete => {
                    cursor.advance();
                    token = cursor.token();
                    break;
                }
                b'}' | b']' if (token == b'}') == level.is_object() => {
                    cursor.advance();
                    depth = depth.wrapping_sub(1);
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
            escaped |= this.as_bytes().is_none();
            let members_at = level.members_at();
            level.names.add(this, &mut budget, || {
                let earlier = text.get(members_at..before).unwrap_or_default();
                (earlier.len(), Members::new(earlier).any(|(other, _)| other == this))
            })?;
            if cursor.token() != b':' {
                return Err(Malformed);
            }
            cursor.advance();
            token = cursor.token();
            if depth == members_depth {
                name = this;
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
        self.at = self.at.wrapping_add(1);
    }

    /// Passes a byte if it is this one.
    fn pass_byte(&mut self, byte: u8) -> bool {
        let passed = self.peek() == Some(byte);
        if passed {
            self.advance();
        }
        passed
    }

    /// Passes white space, and returns what comes next: 0, which is no token, at the end.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn token(&mut self) -> u8 {
        loop {
            match self.peek() {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.advance(),
                other => return other.unwrap_or(0),
            }
        }
    }

    /// Passes a string and returns what stands between the quotes.
    #[inline]
    pub(crate) fn string(&mut self) -> Result<Text<'t>, Malformed> {
        let start = self.at.wrapping_add(1);
        let escaped = self.pass_string()?;
        let raw = self.text.get(start..self.at.wrapping_sub(1)).ok_or(Malformed)?;
        Ok(Text::json(raw, escaped))
    }

    /// Passes a string, and returns whether it has escapes.
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn pass_string(&mut self) -> Result<bool, Malformed> {
        let [b'"', rest @ ..] = self.rest() else {
            return Err(Malformed);
        };
        let (mut after, mut ascii, mut escaped) = (rest, true, false);
        loop {
            let run = plain_run(after);
            ascii &= run.ascii;
            after = after.get(run.len..).unwrap_or_default();
            match after {
                [b'"', ..] => break,
                [b'\\', ..] => {
                    escaped = true;
                    let (_, len) = undo_escape(after).ok_or(Malformed)?;
                    after = after.get(len..).unwrap_or_default();
                }
                _ => return Err(Malformed),
            }
        }
        let len = rest.len().wrapping_sub(after.len());
        if !ascii && rest.get(..len).is_none_or(|raw| core::str::from_utf8(raw).is_err()) {
            return Err(Malformed);
        }
        self.at = self.at.wrapping_add(len).wrapping_add(2);
        Ok(escaped)
    }

    fn literal(&mut self) -> Result<(), Malformed> {
        let start = self.at;
        while let Some(b'a'..=b'z') = self.peek() {
            self.advance();
        }
        match self.text.get(start..self.at) {
            Some(b"true" | b"false" | b"null") => Ok(()),
            _ => Err(Malformed),
        }
    }

    fn number(&mut self) -> Result<(), Malformed> {
        self.pass_byte(b'-');
        if !self.pass_byte(b'0') {
            self.digits()?;
        }
        if self.pass_byte(b'.') {
            self.digits()?;
        }
        if self.pass_byte(b'e') || self.pass_byte(b'E') {
            if !self.pass_byte(b'+') {
                self.pass_byte(b'-');
            }
            self.digits()?;
        }
        Ok(())
    }

    /// Passes at least one digit.
    fn digits(&mut self) -> Result<(), Malformed> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
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
    let (value, len) = leading_digits(digits);
    if len == 0 || len > MAX_DIGITS || len != digits.len() {
        return None;
    }
    if negative { 0_i64.checked_sub_unsigned(value) } else { 0_i64.checked_add_unsigned(value) }
}

/// Digits of the longest `i64`, and of none that a `u64` does not hold.
pub(crate) const MAX_DIGITS: usize = 19;

/// How many digits `text` starts with, and their value if there are at most [`MAX_DIGITS`].
#[cfg_attr(target_pointer_width = "64", inline)]
#[cfg_attr(not(target_pointer_width = "64"), inline(never))]
pub(crate) fn leading_digits(text: &[u8]) -> (u64, usize) {
    let (mut value, mut len) = (0_u64, 0_usize);
    for byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
        len = len.wrapping_add(1);
    }
    (value, len)
}
