//! Splits an input into parts. Parts beyond its end are zero or empty.

pub struct Splitter<'i>(pub &'i [u8]);

impl<'i> Splitter<'i> {
    pub fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    pub fn number(&mut self) -> i64 {
        self.take(8).iter().fold(0, |all, byte| all << 8 | i64::from(*byte))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A text. One byte in front gives its length.
    pub fn text(&mut self) -> String {
        let len = self.byte().into();
        String::from_utf8_lossy(self.take(len)).into_owned()
    }

    fn take(&mut self, len: usize) -> &'i [u8] {
        let (part, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        part
    }
}
