//! Finding where the plain part of a string ends.

/// The bytes of a string up to a quote, a backslash or a control character.
pub(crate) struct Run {
    pub(crate) len: usize,
    /// No byte above 127 is in it; if this is false there may still be none.
    pub(crate) ascii: bool,
}

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

/// Eight bytes at a time, where that is one word. Narrow processors put it together from bytes, and look for
/// its lowest bit in a loop: one byte after the other is half the work there.
#[cfg_attr(target_pointer_width = "64", inline)]
#[cfg_attr(not(target_pointer_width = "64"), inline(never))]
pub(crate) fn plain_run(bytes: &[u8]) -> Run {
    let mut rest = bytes;
    let mut high = 0;
    while let Some((word, after)) = rest.split_first_chunk().filter(|_| cfg!(target_pointer_width = "64")) {
        let word = u64::from_le_bytes(*word);
        let stop = stops(word);
        high |= word;
        if stop != 0 {
            let len = bytes.len().saturating_sub(rest.len()).saturating_add(lowest_byte(stop));
            return Run { len, ascii: high & HIGH == 0 };
        }
        rest = after;
        if bytes.len().saturating_sub(rest.len()) == BLOCK {
            rest = past_plain_blocks(rest);
        }
    }
    let mut len = bytes.len().wrapping_sub(rest.len());
    let mut above = 0;
    for byte in rest {
        // Letters are passed by the first comparison.
        if *byte <= b'\\' && stops_at(*byte) {
            break;
        }
        above |= *byte;
        len = len.wrapping_add(1);
    }
    Run { len, ascii: high & HIGH == 0 && above < 0x80 }
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
            let run = plain_run(&vec![b'x'; len][..]);
            assert_eq!((run.len, run.ascii), (len, true));
            for at in 0..len {
                for special in [0, b'\n', 0x1F, b'"', b'\\'] {
                    let mut bytes = vec![b'x'; len];
                    bytes[at] = special;
                    bytes[len - 1] = special;
                    let run = plain_run(&bytes);
                    assert_eq!((run.len, run.ascii), (at, true));
                }
            }
        }
    }

    #[test]
    fn a_byte_above_127_is_plain_and_no_ascii_wherever_it_stands() {
        for at in 0..4 * BLOCK {
            for byte in [0x80, 0xA2, 0xDC, 0xFF] {
                let mut bytes = vec![b' '; 4 * BLOCK + 1];
                bytes[at] = byte;
                bytes[4 * BLOCK] = b'"';
                let run = plain_run(&bytes);
                assert_eq!((run.len, run.ascii), (4 * BLOCK, false));
            }
        }
    }
}
