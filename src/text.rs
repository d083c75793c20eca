//! Strings as they stand in a payload: perhaps with JSON escapes.

use core::{
    fmt::{self, Write as _},
    ops::Range,
};

use crate::buf::{BufferTooSmall, Writer};

/// A string of a payload, borrowed as it stands there: perhaps with JSON escapes.
///
/// It compares, prints and iterates as the string it means. Most have no escapes, and
/// [`as_str`](Self::as_str) borrows those; [`read_into`](Self::read_into) serves for all.
#[derive(Clone, Copy)]
pub struct Text<'t> {
    /// Well-formed UTF-8, checked before this is built.
    raw: &'t [u8],
    /// Backslashes in `raw` are JSON escapes, checked likewise.
    escaped: bool,
}

impl<'t> Text<'t> {
    /// A string that means what it says.
    pub(crate) const fn plain(raw: &'t [u8]) -> Self {
        Self { raw, escaped: false }
    }

    /// What stands between the quotes of a JSON string.
    pub(crate) const fn json(raw: &'t [u8], escaped: bool) -> Self {
        Self { raw, escaped }
    }

    fn raw(self) -> &'t str {
        core::str::from_utf8(self.raw).unwrap_or_default()
    }

    /// The string itself, unless it is written with escapes.
    #[must_use]
    pub fn as_str(self) -> Option<&'t str> {
        (!self.escaped).then(|| self.raw())
    }

    /// The bytes of [`as_str`](Self::as_str).
    pub(crate) fn as_bytes(self) -> Option<&'t [u8]> {
        (!self.escaped).then_some(self.raw)
    }

    /// The characters, escapes undone.
    #[must_use]
    pub fn chars(self) -> Chars<'t> {
        Chars { rest: self.raw(), escaped: self.escaped }
    }

    /// Copies the string into `buf`, escapes undone, and returns the copy.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] with the exact length; `buf` then holds a part of the string.
    pub fn read_into(self, buf: &mut [u8]) -> Result<&str, BufferTooSmall> {
        let mut writer = Writer::new(buf);
        match self.as_bytes() {
            Some(plain) => writer.bytes(plain),
            None => self.chars().for_each(|c| writer.bytes(c.encode_utf8(&mut [0; 4]).as_bytes())),
        }
        let needed = writer.len();
        let copy = buf.get(..needed).ok_or(BufferTooSmall { needed })?;
        Ok(core::str::from_utf8(copy).unwrap_or_default())
    }
}

/// The characters of a [`Text`].
#[derive(Debug, Clone)]
pub struct Chars<'t> {
    rest: &'t str,
    escaped: bool,
}

impl Iterator for Chars<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        let plain = self.rest.chars().next()?;
        let (c, len) = match plain {
            '\\' if self.escaped => undo_escape(self.rest.as_bytes())?,
            _ => (plain, plain.len_utf8()),
        };
        self.rest = self.rest.get(len..)?;
        Some(c)
    }
}

/// The character that the escape at the front of `raw` means, and the escape's length in bytes; `None` if it is
/// no escape, or half a surrogate pair.
#[inline(never)]
pub(crate) fn undo_escape(raw: &[u8]) -> Option<(char, usize)> {
    let c = match raw.get(1)? {
        itself @ (b'"' | b'\\' | b'/') => char::from(*itself),
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => {
            let first = code_unit(raw, 2)?;
            if first & !0x3FF != 0xD800 {
                // A low surrogate is no character.
                return Some((char::from_u32(first)?, 6));
            }
            if raw.get(6..8)? != br"\u" {
                return None;
            }
            let low = code_unit(raw, 8).filter(|unit| unit & !0x3FF == 0xDC00)?;
            let pair = (first & 0x3FF) << 10 | low & 0x3FF;
            return Some((char::from_u32(pair.wrapping_add(0x1_0000))?, 12));
        }
        _ => return None,
    };
    Some((c, 2))
}

/// Four hexadecimal digits.
fn code_unit(raw: &[u8], at: usize) -> Option<u32> {
    let digits = raw.get(at..)?.first_chunk::<4>()?;
    digits.iter().try_fold(0, |unit, digit| Some(unit << 4 | char::from(*digit).to_digit(16)?))
}

/// Moves a checked string that stands at `from` in `buf` to `to`, which is not behind it, and undoes its escapes
/// if it has any; returns where it ends then. No character is longer than its escape.
pub(crate) fn pull(buf: &mut [u8], from: Range<usize>, to: usize, escaped: bool) -> usize {
    let (mut read, mut written) = (from.start, to);
    while let Some(&byte) = buf.get(..from.end).and_then(|string| string.get(read)) {
        let mut utf8 = [byte, 0, 0, 0];
        let (mut len, mut width) = (1, 1);
        if escaped && byte == b'\\' {
            let Some((c, escape_len)) = buf.get(read..).and_then(undo_escape) else {
                break;
            };
            width = c.encode_utf8(&mut utf8).len();
            len = escape_len;
        }
        for byte in utf8.into_iter().take(width) {
            if let Some(place) = buf.get_mut(written) {
                *place = byte;
            }
            written = written.wrapping_add(1);
        }
        read = read.wrapping_add(len);
    }
    written
}

/// Undoes the escapes of a checked JSON value where it stands, if it may have some, and returns where in `value`
/// the string then is; `None` if the value is no string.
pub(crate) fn unquote_in_place(value: &mut [u8], escaped: bool) -> Option<Range<usize>> {
    let [b'"', inner @ .., b'"'] = value else {
        return None;
    };
    let mut end = inner.len().wrapping_add(1);
    if escaped && has(inner, b'\\') {
        end = pull(value, 1..end, 1, true);
    }
    Some(1..end)
}

/// Whether `byte` is anywhere in `text`.
///
/// Not inlined and without an early end: as a function over memory its loop is vectorised.
#[inline(never)]
pub(crate) fn has(text: &[u8], byte: u8) -> bool {
    text.iter().fold(0, |found, own| found | u8::from(*own == byte)) != 0
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_str() {
            Some(plain) => f.write_str(plain),
            None => self.chars().try_for_each(|c| f.write_char(c)),
        }
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(plain) = self.as_str() {
            return fmt::Debug::fmt(plain, f);
        }
        f.write_char('"')?;
        for c in self.chars() {
            match c {
                '\'' => f.write_char(c)?,
                _ => write!(f, "{}", c.escape_debug())?,
            }
        }
        f.write_char('"')
    }
}

impl PartialEq<str> for Text<'_> {
    fn eq(&self, other: &str) -> bool {
        match self.as_bytes() {
            Some(plain) => plain == other.as_bytes(),
            None => self.chars().eq(other.chars()),
        }
    }
}

impl PartialEq<&str> for Text<'_> {
    fn eq(&self, other: &&str) -> bool {
        self == *other
    }
}

impl PartialEq for Text<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self.as_bytes(), other.as_bytes()) {
            (Some(ours), Some(theirs)) => ours == theirs,
            _ => self.chars().eq(other.chars()),
        }
    }
}

impl Eq for Text<'_> {}

impl<'t> From<&'t str> for Text<'t> {
    fn from(text: &'t str) -> Self {
        Self::plain(text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_compare_print_and_copy_as_what_they_mean() {
        let text = Text::json(br#"a\"\\\/\b\f\n\r\tcaf\u00e9 \uD83D\ude00"#, true);
        let meant = "a\"\\/\u{8}\u{c}\n\r\tcaf\u{e9} \u{1F600}";
        assert_eq!(text, meant);
        assert_eq!(text, Text::from(meant));
        assert_eq!(text.to_string(), meant);
        assert_eq!(format!("{text:?}"), format!("{meant:?}"));
        assert_eq!(text.as_str(), None);
        let mut buf = [0; 64];
        assert_eq!(text.read_into(&mut buf), Ok(meant));
        assert_eq!(text.read_into(&mut buf[..3]), Err(BufferTooSmall { needed: meant.len() }));
    }

    #[test]
    fn escapes_are_undone_where_they_stand() {
        let mut value = *br#""\u0041\uD83D\uDE00\n\u00e9x\\""#;
        let inner = unquote_in_place(&mut value, true).unwrap();
        assert_eq!(core::str::from_utf8(&value[inner]), Ok("A\u{1F600}\n\u{e9}x\\"));
    }

    #[test]
    fn a_backslash_without_escapes_is_a_backslash() {
        assert_eq!(Text::plain(br"a\n"), r"a\n");
        assert_eq!(Text::plain(br"a\n").as_str(), Some(r"a\n"));
    }
}
