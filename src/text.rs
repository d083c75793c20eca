//! Strings of a payload, which may have JSON escapes.

use core::fmt::{self, Write as _};
#[cfg(feature = "envelope")]
use core::ops::Range;

use crate::buf::{BufferTooSmall, Writer};

/// A string of a payload, borrowed from it. It may be written with JSON escapes.
///
/// It compares, prints and iterates without the escapes. Most strings have none, and [`as_str`](Self::as_str) borrows
/// those. [`read_into`](Self::read_into) works for all strings.
#[derive(Clone, Copy)]
pub struct Text<'t> {
    /// Well-formed UTF-8. This was checked before.
    raw: &'t [u8],
    /// Whether backslashes in `raw` are JSON escapes. If so, the escapes were checked before.
    escaped: bool,
}

impl<'t> Text<'t> {
    /// A string without escapes.
    pub(crate) const fn plain(raw: &'t [u8]) -> Self {
        Self { raw, escaped: false }
    }

    /// The text between the quotes of a JSON string.
    pub(crate) const fn json(raw: &'t [u8], escaped: bool) -> Self {
        Self { raw, escaped }
    }

    fn raw(self) -> &'t str {
        core::str::from_utf8(self.raw).unwrap_or_default()
    }

    /// The string itself; `None` if it is written with escapes.
    #[must_use]
    pub fn as_str(self) -> Option<&'t str> {
        (!self.escaped).then(|| self.raw())
    }

    /// The bytes of [`as_str`](Self::as_str).
    pub(crate) fn as_bytes(self) -> Option<&'t [u8]> {
        (!self.escaped).then_some(self.raw)
    }

    /// The bytes as they are written, and whether they have escapes.
    pub(crate) const fn as_written(self) -> (&'t [u8], bool) {
        (self.raw, self.escaped)
    }

    /// The characters, without escapes.
    #[must_use]
    pub fn chars(self) -> Chars<'t> {
        Chars { rest: self }
    }

    /// Copies the string into `buf`, without escapes, and returns the copy.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] with the exact length. `buf` then holds a part of the string.
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
    rest: Text<'t>,
}

impl Iterator for Chars<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        let Text { raw, escaped } = self.rest;
        let (c, len) = match raw.first()? {
            // Most characters are ASCII and need no call.
            plain if plain.is_ascii() && *plain != b'\\' => (char::from(*plain), 1),
            _ => character(raw, escaped)?,
        };
        self.rest.raw = raw.get(len..)?;
        Some(c)
    }
}

/// The first character of `raw`, and the number of bytes that spell it. `None` if they are not well-formed UTF-8. With
/// `escapes`, a backslash starts an escape; `None` if that is not a valid escape, or is half of a surrogate pair.
pub(crate) fn character(raw: &[u8], escapes: bool) -> Option<(char, usize)> {
    let first = *raw.first()?;
    match first {
        b'\\' if escapes => return undo_escape(raw),
        0..0x80 => return Some((char::from(first), 1)),
        0x80..0xC0 => return None,
        _ => {}
    }
    let width = first.leading_ones();
    let mut code = u32::from(first & 0x7F_u8.wrapping_shr(width));
    let width = usize::try_from(width).ok()?;
    for byte in raw.get(1..width)? {
        if byte & 0xC0 != 0x80 {
            return None;
        }
        code = code << 6 | u32::from(byte & 0x3F);
    }
    // A character has at most four bytes, and must have its shortest spelling.
    let c = char::from_u32(code).filter(|c| c.len_utf8() == width)?;
    Some((c, width))
}

/// The letters of escapes, and the characters that they stand for.
const LETTERS: [(u8, u8); 8] = [
    (b'"', b'"'),
    (b'\\', b'\\'),
    (b'/', b'/'),
    (b'b', 0x08),
    (b'f', 0x0C),
    (b'n', b'\n'),
    (b'r', b'\r'),
    (b't', b'\t'),
];

/// Like [`character`], for an escape: the character that it stands for, and its length.
fn undo_escape(raw: &[u8]) -> Option<(char, usize)> {
    let letter = *raw.get(1)?;
    if letter != b'u' {
        let (_, meant) = LETTERS.iter().find(|(own, _)| *own == letter)?;
        return Some((char::from(*meant), 2));
    }
    let (mut code, mut len) = (code_unit(raw)?, 6);
    if code & !0x3FF == 0xD800 {
        let low = raw.get(6..).and_then(code_unit).filter(|unit| unit & !0x3FF == 0xDC00)?;
        code = ((code & 0x3FF) << 10 | low & 0x3FF).wrapping_add(0x1_0000);
        len = 12;
    }
    // A low surrogate is not a character.
    Some((char::from_u32(code)?, len))
}

/// The four hexadecimal digits of an escape.
fn code_unit(raw: &[u8]) -> Option<u32> {
    let [b'\\', b'u', digits @ ..] = raw.first_chunk::<6>()? else {
        return None;
    };
    digits.iter().try_fold(0, |unit, digit| Some(unit << 4 | char::from(*digit).to_digit(16)?))
}

/// Moves the text from `from` up to the closing quote of a checked string to `to`, and replaces escapes by the
/// characters. `to` must not be after `from`. Returns where the quote is and where the copy ends.
///
/// A character is never longer than its escape, so bytes are read before they are overwritten.
pub(crate) fn pull(buf: &mut [u8], from: usize, to: usize) -> (usize, usize) {
    let (mut read, mut written) = (from, to);
    while let Some(rest @ [first, ..]) = buf.get(read..)
        && *first != b'"'
        && let Some((c, len)) = character(rest, true)
    {
        let width = c.len_utf8();
        let end = written.wrapping_add(width);
        if let Some(place) = buf.get_mut(written..end) {
            put(place, c);
        }
        read = read.wrapping_add(len);
        written = end;
    }
    (read, written)
}

/// Writes a character in UTF-8. `place` must have exactly its length.
fn put(place: &mut [u8], c: char) {
    let mut code = u32::from(c);
    // The bits of the first byte that tell how many bytes follow.
    let mark = if place.len() == 1 { 0 } else { 0xF00_u32 >> place.len().min(4) & 0xFF };
    let low = |bits: u32| u8::try_from(bits & 0xFF).unwrap_or_default();
    let Some((first, others)) = place.split_first_mut() else {
        return;
    };
    for byte in others.iter_mut().rev() {
        *byte = low(0x80 | code & 0x3F);
        code >>= 6;
    }
    *first = low(mark | code);
}

/// Replaces the escapes of a checked JSON value by the characters, in place. Returns the range of the string within
/// `value`; `None` if the value is not a string.
#[cfg(feature = "envelope")]
pub(crate) fn unquote_in_place(value: &mut [u8]) -> Option<Range<usize>> {
    let [b'"', inner @ .., b'"'] = value else {
        return None;
    };
    let mut end = inner.len().wrapping_add(1);
    if has(inner, b'\\') {
        (_, end) = pull(value, 1, 1);
    }
    Some(1..end)
}

/// Whether `byte` occurs in `text`. The loop does not end early, so that the compiler can vectorise it.
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
    fn escapes_compare_print_and_copy_as_their_characters() {
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
    fn escapes_are_replaced_in_place() {
        let mut value = *br#""\u0041\uD83D\uDE00\n\u00e9x\\\u20ac""#;
        let (quote, end) = pull(&mut value, 1, 1);
        assert_eq!(value[1..end], *"A\u{1F600}\n\u{e9}x\\\u{20ac}".as_bytes());
        assert_eq!(quote, value.len() - 1);
    }

    #[test]
    fn characters_are_those_of_the_standard_library() {
        let mut buf = [0; 4];
        for c in '\0'..=char::MAX {
            let spelt = c.encode_utf8(&mut buf).as_bytes();
            assert_eq!(character(spelt, false), Some((c, spelt.len())));
        }
        // All pairs of two bytes. Three and four bytes with each possible start and the limits of the bytes that
        // follow.
        for first in 0..=u8::MAX {
            for second in 0..=u8::MAX {
                for third in [0x7F, 0x80, 0xBF, 0xC0] {
                    for fourth in [0x7F, 0x80, 0xBF, 0xC0] {
                        let bytes = [first, second, third, fourth];
                        let expected = (1..=4).find_map(|len| core::str::from_utf8(&bytes[..len]).ok()?.chars().next());
                        assert_eq!(character(&bytes, false).map(|(c, _)| c), expected, "{bytes:x?}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_backslash_without_escapes_is_a_backslash() {
        assert_eq!(Text::plain(br"a\n"), r"a\n");
        assert_eq!(Text::plain(br"a\n").as_str(), Some(r"a\n"));
    }
}
