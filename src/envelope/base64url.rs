//! Base64url without padding (RFC 4648, section 5), in the one spelling that each string of bytes has.
//!
//! Nothing in an envelope's text is secret: it travels in the clear. So time may depend on it, as it
//! does on where the first character stands that is no digit. Both ways go over whole groups in memory,
//! pass by pass, in loops that compile to vector instructions where there are any.

/// Bytes and digits of a group: a `u64` holds either.
const BYTES: usize = 6;
const DIGITS: usize = 8;
/// Groups that fill vectors: no pass is left with a part of one.
const BLOCK: usize = 8;
/// Groups that are coded at a time.
const CHUNK: usize = 64;
/// The same for no more than a block, where room for a chunk would take longer to clear than to use.
const SHORT: usize = if VECTORS { BLOCK } else { CHUNK };

/// Where there are vectors, no branch and no table is faster than those; elsewhere each is.
const VECTORS: bool = cfg!(target_pointer_width = "64");

type Group = [u8; DIGITS];

/// Digits of so many bytes.
pub(super) const fn encoded_len(bytes: usize) -> usize {
    bytes.saturating_mul(4).div_ceil(3)
}

/// Bytes that so many digits stand for; `None` if they stand for none.
fn decoded_len(digits: usize) -> Option<usize> {
    // One digit over has too few bits for a byte.
    let over = match digits % 4 {
        0 => 0,
        1 => return None,
        over => over.saturating_sub(1),
    };
    Some((digits / 4).saturating_mul(3).saturating_add(over))
}

/// Writes the digits of `bytes` at the front of `place`; `None` if they do not fit.
pub(super) fn encode(bytes: &[u8], place: &mut [u8]) -> Option<()> {
    place.get_mut(..bytes.len())?.copy_from_slice(bytes);
    encode_in_place(place, bytes.len())
}

/// Replaces the first `len` bytes of `place` by their digits; `None` if those do not fit.
pub(super) fn encode_in_place(place: &mut [u8], len: usize) -> Option<()> {
    if len > SHORT.saturating_mul(BYTES) { encode_by::<CHUNK>(place, len) } else { encode_by::<SHORT>(place, len) }
}

/// Not inlined, like [`decode_by`]: its groups would add to the stack that encryption takes.
#[inline(never)]
#[expect(clippy::arithmetic_side_effects, reason = "a chunk is never empty")]
fn encode_by<const CHUNK: usize>(place: &mut [u8], len: usize) -> Option<()> {
    let mut place = place.get_mut(..encoded_len(len))?;
    let mut end = len;
    let mut groups = [[0; DIGITS]; CHUNK];
    // From the last chunk to the first: no chunk's digits reach back into bytes that are still to be read.
    while let Some(last) = end.checked_sub(1) {
        let start = last.saturating_sub(last % CHUNK.saturating_mul(BYTES));
        let bytes = place.get(start..end)?;
        let groups = groups.get_mut(..bytes.len().div_ceil(BYTES).next_multiple_of(BLOCK))?;
        spread(bytes, groups);
        write_digits(groups);
        let (before, digits) = place.split_at_mut_checked(encoded_len(start))?;
        digits.copy_from_slice(groups.as_flattened().get(..digits.len())?);
        (place, end) = (before, start);
    }
    Some(())
}

/// Replaces the digits in `text` by the bytes that they stand for, and returns those.
///
/// `None` if a character is no digit, if so many digits stand for no number of bytes, or if a bit of
/// the last digit is set that is in no byte; `text` then holds a part of the bytes.
pub(super) fn decode_in_place(text: &mut [u8]) -> Option<&mut [u8]> {
    if text.len() > SHORT.saturating_mul(DIGITS) { decode_by::<CHUNK>(text) } else { decode_by::<SHORT>(text) }
}

#[inline(never)]
fn decode_by<const CHUNK: usize>(text: &mut [u8]) -> Option<&mut [u8]> {
    let len = decoded_len(text.len())?;
    let mut groups = [[0; DIGITS]; CHUNK];
    let (mut read, mut written) = (0, 0);
    while written != len {
        let digits = text.get(read..)?;
        let digits = digits.get(..CHUNK.saturating_mul(DIGITS)).unwrap_or(digits);
        let groups = groups.get_mut(..digits.len().div_ceil(DIGITS).next_multiple_of(BLOCK))?;
        let (front, back) = groups.as_flattened_mut().split_at_mut_checked(digits.len())?;
        front.copy_from_slice(digits);
        back.fill(b'A');
        if !read_digits(groups) {
            return None;
        }
        read = read.saturating_add(digits.len());
        let place = text.get_mut(written..len)?;
        let end = place.len().min(CHUNK.saturating_mul(BYTES));
        let (places, rest) = place.get_mut(..end)?.as_chunks_mut();
        for (place, group) in places.iter_mut().zip(groups.iter()) {
            *place = bytes_of(group);
        }
        // Past the last digit stand zeros.
        let last = groups.get(places.len()).map_or([0; BYTES], bytes_of);
        let (bytes, unused) = last.split_at_checked(rest.len())?;
        rest.copy_from_slice(bytes);
        if unused.iter().any(|byte| *byte != 0) {
            return None;
        }
        written = written.saturating_add(end);
    }
    text.get_mut(..len)
}

/// Puts six bytes into each group: three at the top of each half, read as big-endian.
fn spread(bytes: &[u8], groups: &mut [Group]) {
    let (sixes, rest) = bytes.as_chunks();
    for (group, six) in groups.iter_mut().zip(sixes) {
        *group = halves(six);
    }
    if let Some(group) = groups.get_mut(sixes.len()) {
        let mut six = [0; BYTES];
        for (place, byte) in six.iter_mut().zip(rest) {
            *place = *byte;
        }
        *group = halves(&six);
    }
}

/// Two reads that overlap, for there are no three bytes to read at once.
#[inline(always)]
fn halves(six: &[u8; BYTES]) -> Group {
    let first = six.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes));
    let second = six.last_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes)) << 8;
    (u64::from(first) | u64::from(second) << 32).to_le_bytes()
}

/// Turns each group from [`spread`] into its digits.
///
/// Not inlined: as a function over memory its loops are vectorised.
#[inline(never)]
fn write_digits(groups: &mut [Group]) {
    // Six bits a byte, the first six in the lowest.
    for half in groups.as_flattened_mut().as_chunks_mut::<4>().0 {
        let bits = u32::from_le_bytes(*half);
        let values = bits >> 26 | bits >> 12 & 0x3F00 | bits << 2 & 0x3F_0000 | bits << 16 & 0x3F00_0000;
        *half = values.to_le_bytes();
    }
    for place in groups.as_flattened_mut() {
        *place = if VECTORS { digit_by_steps(*place) } else { digit_by_table(*place) };
    }
}

/// Compared and added, as vectors can do it.
#[inline(always)]
#[expect(clippy::arithmetic_side_effects, reason = "a factor of 0 or 1")]
fn digit_by_steps(value: u8) -> u8 {
    // Signed, as vectors compare.
    let from = |first: i8| u8::from(value.cast_signed() >= first);
    // Each step adds what its characters are further on than those before it.
    let steps = [
        from(26) * b'a'.wrapping_sub(b'Z' + 1),
        from(52) * b'0'.wrapping_sub(b'z' + 1),
        from(62) * b'-'.wrapping_sub(b'9' + 1),
        from(63) * b'_'.wrapping_sub(b'-' + 1),
    ];
    steps.into_iter().fold(value.wrapping_add(b'A'), u8::wrapping_add)
}

#[inline(always)]
fn digit_by_table(value: u8) -> u8 {
    const TABLE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    TABLE.get(usize::from(value % 64)).copied().unwrap_or_default()
}

/// Turns each group of digits into the number of 48 bits that they stand for, at the top of a
/// little-endian `u64`, and says whether all were digits.
///
/// Not inlined, like [`write_digits`].
#[inline(never)]
fn read_digits(groups: &mut [Group]) -> bool {
    let mut least = u8::MAX;
    for place in groups.as_flattened_mut() {
        let shift = if VECTORS { shift_by_steps(*place) } else { shift_by_branches(*place) };
        least = least.min(shift);
        *place = place.wrapping_add(shift);
    }
    for place in groups {
        let ones = u64::from_le_bytes(*place);
        let pairs = ones << 6 & 0x0FC0_0FC0_0FC0_0FC0 | ones >> 8 & 0x003F_003F_003F_003F;
        let fours = pairs << 12 & 0x00FF_F000_00FF_F000 | pairs >> 16 & 0x0000_0FFF_0000_0FFF;
        let eight = fours << 40 | fours >> 16 & 0x00FF_FFFF_0000;
        *place = eight.to_le_bytes();
    }
    least != 0
}

/// What a character is moved by to its value: never 0 for a digit, and 0 for what is none.
#[inline(always)]
fn shift_by_steps(c: u8) -> u8 {
    move_by(c, b'A', 26, 0)
        | move_by(c, b'a', 26, 26)
        | move_by(c, b'0', 10, 52)
        | move_by(c, b'-', 1, 62)
        | move_by(c, b'_', 1, 63)
}

#[inline(always)]
fn shift_by_branches(c: u8) -> u8 {
    let (first, value) = match c {
        b'a'..=b'z' => (b'a', 26_u8),
        b'A'..=b'Z' => (b'A', 0),
        b'0'..=b'9' => (b'0', 52),
        b'-' => (b'-', 62),
        b'_' => (b'_', 63),
        _ => return 0,
    };
    value.wrapping_sub(first)
}

/// If `c` is one of the `count` characters from `first` on, what leads from there to the values from
/// `value` on; else 0.
#[inline(always)]
#[expect(clippy::arithmetic_side_effects, reason = "a factor of 0 or 1")]
fn move_by(c: u8, first: u8, count: u8, value: u8) -> u8 {
    // Less than `count`, but compared signed, as vectors do it.
    const SIGN: u8 = 0x80;
    let within = c.wrapping_sub(first).wrapping_add(SIGN).cast_signed() < count.wrapping_add(SIGN).cast_signed();
    u8::from(within) * value.wrapping_sub(first)
}

/// The bytes of a group from [`read_digits`].
fn bytes_of(group: &Group) -> [u8; BYTES] {
    let [bytes @ .., _, _] = u64::from_le_bytes(*group).to_be_bytes();
    bytes
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    use proptest::{collection::vec, prelude::*, test_runner::RngSeed};

    use super::*;

    /// Past a chunk and into a third.
    const LENGTHS: core::ops::RangeInclusive<usize> = 0..=2 * CHUNK * DIGITS + 8;
    const _: () = assert!(*LENGTHS.end() >= 600);

    /// No two bytes near one another are the same.
    fn bytes(len: usize) -> Vec<u8> {
        (0..len).map(|at| (at * 167 + at / 256) as u8).collect()
    }

    #[track_caller]
    fn assert_encoded(bytes: &[u8]) {
        let mut place = vec![0xFF; encoded_len(bytes.len())];
        place[..bytes.len()].copy_from_slice(bytes);
        encode_in_place(&mut place, bytes.len()).unwrap();
        let text = URL_SAFE_NO_PAD.encode(bytes);
        assert_eq!(place, text.as_bytes());
        let mut place = vec![0xFF; text.len() + 1];
        encode(bytes, &mut place).unwrap();
        assert_eq!(place, [text.as_bytes(), &[0xFF]].concat());
    }

    /// As the `base64` crate reads it, which is canonical too.
    #[track_caller]
    fn assert_decoded(text: &[u8]) {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok();
        assert_eq!(decode_in_place(&mut text.to_vec()).as_deref(), bytes.as_deref(), "{}", text.escape_ascii());
    }

    #[test]
    fn bytes_of_each_length_are_encoded_as_base64_does_it() {
        LENGTHS.for_each(|len| assert_encoded(&bytes(len)));
    }

    #[test]
    fn digits_of_each_length_are_decoded_as_base64_does_it() {
        for len in LENGTHS {
            let text = URL_SAFE_NO_PAD.encode(bytes(len));
            assert_decoded(text.as_bytes());
            assert_decoded(&vec![b'A'; len]);
            assert_decoded(&vec![b'_'; len]);
        }
    }

    #[test]
    fn each_byte_in_each_place_is_accepted_only_where_base64_accepts_it() {
        let digits = URL_SAFE_NO_PAD.encode(bytes(66));
        for len in (0..=20).chain([43, 63, 64, 65, 66, 67, 88]) {
            for at in 0..len {
                let mut text = digits.as_bytes()[..len].to_vec();
                for byte in 0..=u8::MAX {
                    text[at] = byte;
                    assert_decoded(&text);
                }
            }
        }
    }

    #[test]
    fn a_byte_that_is_no_digit_is_found_in_each_chunk() {
        let digits = URL_SAFE_NO_PAD.encode(bytes(900));
        for at in 0..digits.len() {
            for byte in *b"+/= \n\\\"\x00\x80\xFF,.:@[`{^" {
                let mut text = digits.as_bytes().to_vec();
                text[at] = byte;
                assert_eq!(decode_in_place(&mut text), None);
            }
        }
    }

    /// Only one way of the two is in a program.
    #[test]
    fn both_ways_to_code_a_digit_are_the_same() {
        for byte in 0..=u8::MAX {
            assert_eq!(shift_by_branches(byte), shift_by_steps(byte), "{byte}");
        }
        for value in 0..64 {
            assert_eq!(digit_by_table(value), digit_by_steps(value), "{value}");
        }
    }

    #[test]
    fn padding_is_refused() {
        for text in ["AA==", "AAA=", "AAAA====", "====", "=", "AAAAAA==", "AA=", "AA=A"] {
            assert_eq!(decode_in_place(&mut text.as_bytes().to_vec()), None, "{text}");
        }
    }

    #[test]
    fn what_does_not_fit_is_not_encoded() {
        assert_eq!(encode(&[0; 32], &mut [0; 42]), None);
        assert_eq!(encode(&[0; 32], &mut [0; 31]), None);
        assert_eq!(encode_in_place(&mut [0; 42], 32), None);
        assert_eq!(encode_in_place(&mut [0; 43], 32), Some(()));
        assert_eq!(encode_in_place(&mut [0; 43], usize::MAX), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2048, rng_seed: RngSeed::Fixed(4648), ..ProptestConfig::default() })]

        #[test]
        fn bytes_are_encoded_as_base64_does_it(bytes in vec(any::<u8>(), 0..=1600)) {
            assert_encoded(&bytes);
        }

        #[test]
        fn digits_are_decoded_as_base64_does_it(text in "[A-Za-z0-9_-]{0,1600}") {
            assert_decoded(text.as_bytes());
        }

        #[test]
        fn text_is_decoded_as_base64_does_it(text in "[ -~]{0,8}|[A-Za-z0-9_+/=-]{0,64}") {
            assert_decoded(text.as_bytes());
        }
    }
}
