//! Walking over JSON that a [`Reader`](super::scan::Reader) has checked.

use super::cursor::Cursor;
use crate::text::Text;

/// The members of an object, or of the front of one: names and what stands as their values.
///
/// Each step takes time in the length of the value, and no more.
#[derive(Debug, Clone)]
pub(crate) struct Members<'t> {
    rest: &'t [u8],
}

impl<'t> Members<'t> {
    /// `text` starts at the first member's name, or at the opening brace.
    pub(crate) fn new(text: &'t [u8]) -> Self {
        Self { rest: text }
    }
}

impl<'t> Iterator for Members<'t> {
    type Item = (Text<'t>, &'t [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let mut cursor = Cursor::new(self.rest);
        cursor.skip_to(b'"')?;
        let name = cursor.string().ok()?;
        cursor.skip_to(b':')?;
        cursor.advance();
        let value = cursor.pass_value()?;
        self.rest = cursor.rest();
        Some((name, value))
    }
}

/// The elements of an array.
#[derive(Debug, Clone)]
pub(crate) struct Elements<'t> {
    rest: &'t [u8],
}

impl<'t> Elements<'t> {
    /// `text` starts at the opening bracket.
    pub(crate) fn new(text: &'t [u8]) -> Self {
        Self { rest: text }
    }
}

impl<'t> Iterator for Elements<'t> {
    type Item = &'t [u8];

    fn next(&mut self) -> Option<Self::Item> {
        let mut cursor = Cursor::new(self.rest);
        // Passes the opening bracket or the comma before the element.
        if !matches!(cursor.token(), b'[' | b',') {
            return None;
        }
        cursor.advance();
        if cursor.token() == b']' {
            return None;
        }
        let value = cursor.pass_value()?;
        self.rest = cursor.rest();
        Some(value)
    }
}

impl<'t> Cursor<'t> {
    fn skip_to(&mut self, byte: u8) -> Option<()> {
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
