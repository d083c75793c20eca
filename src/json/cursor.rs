//! A position in a JSON text, and the steps over one token.

use crate::{
    names::Malformed,
    text::{Text, character},
};

/// A position in a text.
#[derive(Clone)]
pub(crate) struct Cursor<'t> {
    pub(crate) text: &'t [u8],
    pub(crate) at: usize,
}

impl<'t> Cursor<'t> {
    pub(crate) const fn new(text: &'t [u8]) -> Self {
        Self { text, at: 0 }
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    pub(crate) fn rest(&self) -> &'t [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Passes one byte. Only call it where there is one.
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

    /// Passes white space, and returns the next byte without passing it. At the end it returns 0, which is not a token.
    ///
    /// Inlined, like [`string`](Self::string): otherwise a verifier on a Cortex-M4 takes 206 instructions and 64 bytes
    /// more.
    #[inline]
    pub(crate) fn token(&mut self) -> u8 {
        match self.peek() {
            // Most payloads have no white space.
            Some(byte) if byte > b' ' => byte,
            _ => self.token_behind_space(),
        }
    }

    /// Not inlined: inlining it adds 176 bytes to a verifier on a Cortex-M4.
    #[inline(never)]
    fn token_behind_space(&mut self) -> u8 {
        loop {
            match self.peek() {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.advance(),
                other => return other.unwrap_or(0),
            }
        }
    }

    /// Passes a string and returns its text between the quotes.
    #[inline]
    pub(crate) fn string(&mut self) -> Result<Text<'t>, Malformed> {
        let start = self.at.wrapping_add(1);
        let escaped = self.pass_string()?;
        let raw = self.text.get(start..self.at.wrapping_sub(1)).ok_or(Malformed)?;
        Ok(Text::json(raw, escaped))
    }

    /// Passes a string. Returns whether it has escapes.
    pub(crate) fn pass_string(&mut self) -> Result<bool, Malformed> {
        if self.peek() != Some(b'"') {
            return Err(Malformed);
        }
        self.advance();
        if self.next_special() == Some(b'"') {
            self.advance();
            return Ok(false);
        }
        self.pass_rest_of_string()
    }

    /// Passes plain characters of a string. Returns the next byte, which is not plain.
    fn next_special(&mut self) -> Option<u8> {
        self.at = self.at.wrapping_add(plain_len(self.rest()));
        self.peek()
    }

    /// Passes the rest of a string, from the first byte that is not plain. Returns whether it has escapes.
    fn pass_rest_of_string(&mut self) -> Result<bool, Malformed> {
        let mut escaped = false;
        loop {
            let len = match self.next_special() {
                Some(b'"') => {
                    self.advance();
                    return Ok(escaped);
                }
                None | Some(0..0x20) => return Err(Malformed),
                Some(byte) => {
                    escaped |= byte == b'\\';
                    character(self.rest(), true).ok_or(Malformed)?.1
                }
            };
            self.at = self.at.wrapping_add(len);
        }
    }

    /// Passes `true`, `false` or `null`. A letter right behind it is left, and is then refused as a token.
    pub(super) fn literal(&mut self) -> Result<(), Malformed> {
        let rest = self.rest();
        let word = LITERALS.iter().find(|word| rest.starts_with(word)).ok_or(Malformed)?;
        self.at = self.at.wrapping_add(word.len());
        Ok(())
    }

    /// Passes a number. Digits behind a leading zero are left, and are then refused as a token.
    pub(super) fn number(&mut self) -> Result<(), Malformed> {
        let mut value = 0;
        self.pass_byte(b'-');
        if !self.pass_byte(b'0') {
            self.digits(&mut value)?;
        }
        if self.pass_byte(b'.') {
            self.digits(&mut value)?;
        }
        if self.pass_byte(b'e') || self.pass_byte(b'E') {
            if !self.pass_byte(b'+') {
                self.pass_byte(b'-');
            }
            self.digits(&mut value)?;
        }
        Ok(())
    }

    /// Passes a number that is written as an integer and fits in an `i64`.
    pub(crate) fn integer(&mut self) -> Result<i64, Malformed> {
        let negative = self.pass_byte(b'-');
        let (start, first) = (self.at, self.peek());
        let mut value = 0;
        self.digits(&mut value)?;
        let len = self.at.wrapping_sub(start);
        if len > MAX_DIGITS || len > 1 && first == Some(b'0') {
            return Err(Malformed);
        }
        let value = value.cast_signed();
        let value = if negative { value.wrapping_neg() } else { value };
        if value != 0 && negative != (value < 0) { Err(Malformed) } else { Ok(value) }
    }

    /// Passes at least one digit. Sets `said` to the value if there are at most [`MAX_DIGITS`] digits.
    fn digits(&mut self, said: &mut u64) -> Result<(), Malformed> {
        let (mut value, mut len) = (0_u64, 0_usize);
        for byte in self.rest() {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                break;
            }
            value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
            len = len.wrapping_add(1);
        }
        self.at = self.at.wrapping_add(len);
        *said = value;
        if len == 0 { Err(Malformed) } else { Ok(()) }
    }

    /// Passes everything before the next byte of this value.
    pub(super) fn skip_to(&mut self, byte: u8) -> Option<()> {
        while self.peek()? != byte {
            self.advance();
        }
        Some(())
    }

    /// Passes a value and returns it. The text must have been checked before.
    pub(crate) fn pass_value(&mut self) -> Option<&'t [u8]> {
        self.token();
        let (text, start) = (self.text, self.at);
        let mut depth = 0_usize;
        loop {
            match self.peek()? {
                b'"' => {
                    self.string().ok()?;
                }
                opening_or_closing => {
                    match opening_or_closing {
                        b'{' | b'[' => depth = depth.saturating_add(1),
                        b'}' | b']' => depth = depth.saturating_sub(1),
                        _ => {}
                    }
                    self.advance();
                }
            }
            let ends = matches!(self.peek(), None | Some(b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r'));
            if depth == 0 && ends {
                return text.get(start..self.at);
            }
        }
    }
}

/// Strings are read eight bytes at a time where a word has eight bytes. Byte by byte, opening an answer with 450 bytes
/// of plaintext takes a ninth longer (x86-64).
const BY_WORDS: bool = cfg!(target_pointer_width = "64");

/// The number of bytes at the start of `text` that are ASCII and need no special care in a string.
pub(crate) fn plain_len(text: &[u8]) -> usize {
    let mut len = 0_usize;
    if BY_WORDS {
        let words = text.as_chunks().0.iter().take_while(|word| is_all_plain(u64::from_le_bytes(**word)));
        len = words.count().wrapping_mul(size_of::<u64>());
    }
    let rest = text.get(len..).unwrap_or_default();
    len.wrapping_add(rest.iter().take_while(|byte| is_plain(**byte)).count())
}

/// Whether each of eight bytes is plain. These are the usual tests for a byte of a word that is zero or less than n.
const fn is_all_plain(word: u64) -> bool {
    const ONES: u64 = u64::MAX / 0xFF;
    const HIGH: u64 = ONES << 7;
    let (quote, backslash) = (word ^ (ONES * 0x22), word ^ (ONES * 0x5C));
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    (word | control | quote.wrapping_sub(ONES) & !quote | backslash.wrapping_sub(ONES) & !backslash) & HIGH == 0
}

fn is_plain(byte: u8) -> bool {
    (byte.wrapping_sub(0x20) < 0x60) & (byte != b'"') & (byte != b'\\')
}

const LITERALS: [&[u8]; 3] = [b"true", b"false", b"null"];

/// The longest `i64` has this many digits. Any number of this many digits fits in a `u64`.
const MAX_DIGITS: usize = 19;

/// The value of a checked number, if it is written as an integer and fits in an `i64`.
pub(crate) fn integer(number: &[u8]) -> Option<i64> {
    let mut cursor = Cursor::new(number);
    cursor.integer().ok().filter(|_| cursor.at == number.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Otherwise its bytes would be looked at one by one.
    #[test]
    fn a_word_is_plain_if_each_of_its_bytes_is() {
        for byte in u8::MIN..=u8::MAX {
            for at in 0..8 {
                let mut word = *b"abcdefgh";
                word[at] = byte;
                assert_eq!(is_all_plain(u64::from_le_bytes(word)), is_plain(byte), "{byte:#x} at {at}");
            }
        }
    }

    #[test]
    fn a_byte_that_is_not_plain_ends_plain_text_at_each_position() {
        for len in 0..40 {
            for at in 0..len {
                for byte in 0..=u8::MAX {
                    // The bytes behind it must not matter.
                    for behind in [b'a', b'"', 0x1F, 0x80, 0xFF] {
                        let mut text = vec![b'x'; len];
                        text[at] = byte;
                        text[at + 1..].fill(behind);
                        let plain = text.iter().position(|byte| !is_plain(*byte)).unwrap_or(len);
                        assert_eq!(plain_len(&text), plain, "{}", text.escape_ascii());
                    }
                }
            }
        }
    }
}
