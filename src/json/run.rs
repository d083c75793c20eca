//! Finding where the plain part of a string ends.

/// The bytes of a string up to a quote, a backslash or a control character.
pub(crate) struct Run {
    pub(crate) len: usize,
    /// No byte above 127 is in it; if this is false there may still be none.
    pub(crate) ascii: bool,
}

/// Eight bytes at a time, by the usual tests for a byte of a word that is zero or less than n:
/// they may err above the first byte that is found, never below it.
#[inline]
pub(crate) fn plain_run(bytes: &[u8]) -> Run {
    const ONES: u64 = u64::MAX / 0xFF;
    const HIGH: u64 = ONES << 7;
    let mut rest = bytes;
    let mut high = 0;
    while let Some((word, after)) = rest.split_first_chunk() {
        let word = u64::from_le_bytes(*word);
        let (quote, backslash) = (word ^ (ONES * 0x22), word ^ (ONES * 0x5C));
        let control = word.wrapping_sub(ONES * 0x20);
        let stop =
            (control & !word | quote.wrapping_sub(ONES) & !quote | backslash.wrapping_sub(ONES) & !backslash) & HIGH;
        high |= word;
        if stop != 0 {
            let len = bytes.len().saturating_sub(rest.len()).saturating_add(lowest_byte(stop));
            return Run { len, ascii: high & HIGH == 0 };
        }
        rest = after;
    }
    let mut ascii = high & HIGH == 0;
    while let Some((byte, after)) = rest.split_first() {
        if matches!(byte, b'"' | b'\\' | 0..0x20) {
            break;
        }
        ascii &= byte.is_ascii();
        rest = after;
    }
    Run { len: bytes.len().saturating_sub(rest.len()), ascii }
}

/// The place of the lowest byte that is not zero.
#[expect(clippy::as_conversions, reason = "0 to 8")]
const fn lowest_byte(word: u64) -> usize {
    (word.trailing_zeros() / 8) as usize
}
