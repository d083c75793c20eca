//! A place in a JSON text, and the steps over one token.

use crate::{
    names::Malformed,
    text::{Text, character},
};

/// A place in a text.
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

    /// Passes white space, and returns what comes next: 0, which is not a token, at the end.
    ///
    /// Inlined, as [`string`](Self::string) is: without, a verifier on a Cortex-M4 takes 206 instructions and 64 bytes more.
    #[inline]
    pub(crate) fn token(&mut self) -> u8 {
        match self.peek() {
            // Most payloads have no white space.
            Some(byte) if byte > b' ' => byte,
            _ => self.token_behind_space(),
        }
    }

    /// Not inlined: that adds 176 bytes to a verifier on a Cortex-M4.
    #[inline(never)]
    fn token_behind_space(&mut self) -> u8 {
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

    /// Passes what is plain in a string, and returns what comes next.
    fn next_special(&mut self) -> Option<u8> {
        let mut at = self.at;
        let special = loop {
            match self.text.get(at) {
                Some(byte) if is_plain(*byte) => at = at.wrapping_add(1),
                special => break special,
            }
        };
        self.at = at;
        special.copied()
    }

    /// Passes a string from the first byte that is not plain.
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

    /// Passes `true`, `false` or `null`. A letter behind it is no token that can follow.
    pub(super) fn literal(&mut self) -> Result<(), Malformed> {
        let rest = self.rest();
        let word = LITERALS.iter().find(|word| rest.starts_with(word)).ok_or(Malformed)?;
        self.at = self.at.wrapping_add(word.len());
        Ok(())
    }

    /// Passes a number. A needless digit in front leaves the others behind, which are no token that can follow.
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

    /// Passes a number that is written as an integer and that an `i64` holds.
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

    /// Passes at least one digit, and says their value if there are at most [`MAX_DIGITS`].
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

    /// Passes all that stands before the next such byte.
    pub(super) fn skip_to(&mut self, byte: u8) -> Option<()> {
        while self.peek()? != byte {
            self.advance();
        }
        Some(())
    }

    /// Passes a value and returns it. Relies on the text having been checked.
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

/// Whether a byte stands for itself in a string and is ASCII.
pub(crate) fn is_plain(byte: u8) -> bool {
    (byte.wrapping_sub(0x20) < 0x60) & (byte != b'"') & (byte != b'\\')
}

const LITERALS: [&[u8]; 3] = [b"true", b"false", b"null"];

/// Digits of the longest `i64`, and of none that a `u64` does not hold.
const MAX_DIGITS: usize = 19;

/// The value of a checked number, if it is written as an integer and an `i64` holds it.
pub(crate) fn integer(number: &[u8]) -> Option<i64> {
    let mut cursor = Cursor::new(number);
    cursor.integer().ok().filter(|_| cursor.at == number.len())
}
