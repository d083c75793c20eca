//! Digit by digit: two fifths of the code, for processors without vectors.

use super::{decoded_len, encoded_len};

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// From the last three bytes to the first: their four digits never reach back into bytes that are still to be read.
pub(super) fn encode_in_place(place: &mut [u8], len: usize) -> Option<()> {
    let place = place.get_mut(..encoded_len(len))?;
    let mut groups = len.div_ceil(3);
    while let Some(group) = groups.checked_sub(1) {
        let three = place.get(group.wrapping_mul(3)..len)?;
        let byte = |at: usize| three.get(at).map_or(0, |byte| u32::from(*byte));
        let mut bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in place.get_mut(group.wrapping_mul(4)..)?.iter_mut().take(4) {
            *digit = *ALPHABET.get(usize::try_from(bits >> 18).ok()? % 64)?;
            bits <<= 6;
        }
        groups = group;
    }
    Some(())
}

pub(super) fn decode_in_place(text: &mut [u8]) -> Option<&mut [u8]> {
    let len = decoded_len(text.len())?;
    let (mut written, mut bits, mut count) = (0_usize, 0_u32, 0_u32);
    for at in 0..text.len() {
        bits = bits << 6 | u32::from(value_of(*text.get(at)?)?);
        count = count.wrapping_add(6);
        if let Some(left) = count.checked_sub(8) {
            let [.., byte] = (bits >> left).to_be_bytes();
            *text.get_mut(written)? = byte;
            written = written.wrapping_add(1);
            count = left;
        }
    }
    let left_over = bits & 1_u32.wrapping_shl(count).wrapping_sub(1);
    if left_over == 0 { text.get_mut(..len) } else { None }
}

fn value_of(digit: u8) -> Option<u8> {
    let (first, value) = match digit {
        b'a'..=b'z' => (b'a', 26_u8),
        b'A'..=b'Z' => (b'A', 0),
        b'0'..=b'9' => (b'0', 52),
        b'-' => (b'-', 62),
        b'_' => (b'_', 63),
        _ => return None,
    };
    Some(digit.wrapping_sub(first).wrapping_add(value))
}
