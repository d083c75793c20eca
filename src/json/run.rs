//! Finding where the plain part of a string ends.

/// Bytes of a run after which it counts as long, and which are then passed at once.
const BLOCK: usize = 64;

const ONES: u64 = u64::MAX / 0xFF;
const HIGH: u64 = ONES << 7;

/// The high bits of those of eight bytes that end a run, by the usual tests for a byte of a word that is
/// zero or less than n: they may err above the lowest that is found, never below it.
#[inline(always)]
pub(super) const fn stops(word: u64) -> u64 {
    let (quote, backslash) = (word ^ (ONES * 0x22), word ^ (ONES * 0x5C));
    let control = word.wrapping_sub(ONES * 0x20);
    (control & !word | quote.wrapping_sub(ONES) & !quote | backslash.wrapping_sub(ONES) & !backslash) & HIGH
}

pub(super) const fn stops_at(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | 0..0x20)
}

/// Where the plain bytes from `at` on end: at a quote, a backslash, a control character or a byte above 127.
///
/// Eight bytes at a time, where that is one word. Narrow processors put it together from bytes, and look for
/// its lowest bit in a loop: one byte after the other is half the work there.
#[inline]
pub(crate) fn plain_end(text: &[u8], at: usize) -> usize {
    let mut at = at;
    if cfg!(target_pointer_width = "64") {
        let mut rest = text.get(at..).unwrap_or_default();
        let from = rest.len();
        while let Some((word, after)) = rest.split_first_chunk() {
            let word = u64::from_le_bytes(*word);
            let stop = stops(word) | word & HIGH;
            if stop != 0 {
                return text.len().saturating_sub(rest.len()).saturating_add(lowest_byte(stop));
            }
            rest = after;
            if from.saturating_sub(rest.len()) == BLOCK {
                rest = past_plain_blocks(rest);
            }
        }
        at = text.len().saturating_sub(rest.len());
    }
    while text.get(at).is_some_and(|byte| is_plain(*byte)) {
        at = at.wrapping_add(1);
    }
    at
}

#[inline]
pub(super) fn is_plain(byte: u8) -> bool {
    let byte = u32::from(byte);
    // Small letters are passed by the first comparison.
    byte.wrapping_sub(0x5D) < 0x23 || byte.wrapping_sub(0x20) < 0x60 && byte != 0x22 && byte != 0x5C
}

/// What follows the blocks of plain ASCII at the front.
///
/// Not inlined: as a function over memory its inner loop is vectorised.
#[inline(never)]
fn past_plain_blocks(bytes: &[u8]) -> &[u8] {
    let mut rest = bytes;
    while let Some((block, after)) = rest.split_first_chunk::<BLOCK>() {
        let mut special = 0;
        for byte in block {
            // Signed, a byte above 127 is below a space, too.
            special |= u8::from(byte.cast_signed() < 0x20) | u8::from(*byte == b'"') | u8::from(*byte == b'\\');
        }
        if special != 0 {
            break;
        }
        rest = after;
    }
    rest
}

/// The place of the lowest byte that is not zero.
#[expect(clippy::as_conversions, reason = "0 to 8")]
const fn lowest_byte(word: u64) -> usize {
    (word.trailing_zeros() / 8) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_ends_at_the_first_special_byte_wherever_it_stands() {
        for len in 0..=4 * BLOCK {
            assert_eq!(plain_end(&vec![b'x'; len][..], 0), len);
            for at in 0..len {
                for special in [0, b'\n', 0x1F, b'"', b'\\', 0x80, 0xA2, 0xDC, 0xFF] {
                    let mut bytes = vec![b'x'; len];
                    bytes[at] = special;
                    bytes[len - 1] = special;
                    assert_eq!(plain_end(&bytes, 0), at);
                    assert_eq!(plain_end(&bytes, at / 2), at);
                }
            }
        }
    }

    #[test]
    fn a_run_has_all_other_characters() {
        let plain: Vec<u8> = (b' '..0x80).filter(|byte| !matches!(byte, b'"' | b'\\')).collect();
        assert_eq!(plain_end(&plain, 0), plain.len());
    }
}
