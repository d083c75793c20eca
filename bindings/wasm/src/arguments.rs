//! Strings and bytes in the input, each after its length (four bytes, little-endian).

use crate::failure::Failure;

/// The arguments of a call with several arguments.
pub(crate) struct Arguments<'a>(&'a [u8]);

impl<'a> Arguments<'a> {
    pub(crate) const fn new(input: &'a [u8]) -> Self {
        Self(input)
    }

    /// The next argument, or `None` after the last.
    pub(crate) fn next(&mut self) -> Result<Option<&'a [u8]>, Failure> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let (len, rest) = self.0.split_first_chunk().ok_or(Failure::InvalidArgument)?;
        let len = usize::try_from(u32::from_le_bytes(*len)).map_err(|_| Failure::InvalidArgument)?;
        let (bytes, rest) = rest.split_at_checked(len).ok_or(Failure::InvalidArgument)?;
        self.0 = rest;
        Ok(Some(bytes))
    }
}

#[cfg(feature = "issue")]
impl<'a> Arguments<'a> {
    /// The next argument as a string, or `None` after the last.
    pub(crate) fn next_text(&mut self) -> Result<Option<&'a str>, Failure> {
        self.next()?.map(|bytes| core::str::from_utf8(bytes).map_err(|_| Failure::InvalidArgument)).transpose()
    }

    /// The next argument, a required string.
    pub(crate) fn text(&mut self) -> Result<&'a str, Failure> {
        self.next_text()?.ok_or(Failure::InvalidArgument)
    }
}
