//! The cursor over a caller's buffer. Everything is written through it.

use core::ops::Range;

/// The caller's buffer is too small.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct BufferTooSmall {
    /// A length in bytes that is enough.
    pub needed: usize,
}

impl core::fmt::Display for BufferTooSmall {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "the buffer is too small: {} bytes are needed", self.needed)
    }
}

impl core::error::Error for BufferTooSmall {}

/// Moves the bytes at `from` to `to`. The two ranges may overlap. `None` if one of them is not in `buf`. Unlike
/// `copy_within` it cannot panic.
pub(crate) fn move_within(buf: &mut [u8], from: Range<usize>, to: usize) -> Option<()> {
    let len = buf.get(from.clone())?.len();
    if to > buf.len().checked_sub(len)? {
        return None;
    }
    buf.copy_within(from, to);
    Some(())
}

/// Writes to the start of a buffer. Bytes that do not fit are only counted, so that the error at the end can say how
/// many are needed.
pub(crate) struct Writer<'b> {
    buf: &'b mut [u8],
    len: usize,
}

impl<'b> Writer<'b> {
    pub(crate) fn new(buf: &'b mut [u8]) -> Self {
        Self { buf, len: 0 }
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        if let Some(room) = self.buf.get_mut(self.len..).and_then(|room| room.get_mut(..bytes.len())) {
            room.copy_from_slice(bytes);
        }
        self.len = self.len.saturating_add(bytes.len());
    }

    pub(crate) fn byte(&mut self, byte: u8) {
        if let Some(room) = self.buf.get_mut(self.len) {
            *room = byte;
        }
        self.len = self.len.saturating_add(1);
    }

    /// The number of bytes written so far, including those that did not fit.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Takes back everything written after the first `len` bytes.
    #[cfg(feature = "envelope")]
    pub(crate) fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }
}

/// Never fails; see [`Writer::len`].
impl core::fmt::Write for Writer<'_> {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        self.bytes(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::move_within;

    #[test]
    fn overlapping_ranges_are_moved() {
        let mut buf = *b"0123456789";
        assert_eq!(move_within(&mut buf, 2..6, 0), Some(()));
        assert_eq!(&buf, b"2345456789");
        assert_eq!(move_within(&mut buf, 0..4, 6), Some(()));
        assert_eq!(&buf, b"2345452345");
    }

    #[test]
    fn ranges_outside_the_buffer_are_not_moved() {
        let mut buf = *b"0123456789";
        for (from, to) in [(0..4, 7), (7..11, 0), (11..11, 0), (0..0, 11), (0..1, usize::MAX), (0..usize::MAX, 0)] {
            assert_eq!(move_within(&mut buf, from.clone(), to), None, "{from:?} to {to}");
        }
        #[expect(clippy::reversed_empty_ranges, reason = "such a range is not in any buffer")]
        let backwards = 6..2;
        assert_eq!(move_within(&mut buf, backwards, 0), None);
        assert_eq!(&buf, b"0123456789");
    }
}
