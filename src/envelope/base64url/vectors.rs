//! Over whole groups in memory, pass by pass, in loops that compile to vector instructions: no branch and no
//! table is faster than those.

use super::{decoded_len, encoded_len};

/// Bytes and digits of a group: a `u64` holds either.
const BYTES: usize = 6;
pub(super) const DIGITS: usize = 8;
/// Groups that fill vectors: no pass is left with a part of one.
const BLOCK: usize = 8;
/// Groups that are coded at a time: for no more than a block, room for a chunk would take longer to clear than
/// to use.
pub(super) const CHUNK: usize = 64;

type Group = [u8; DIGITS];

pub(super) fn encode_in_place(place: &mut [u8], len: usize) -> Option<()> {
    if len > BLOCK.saturating_mul(BYTES) { encode_by::<CHUNK>(place, len) } else { encode_by::<BLOCK>(place, len) }
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

pub(super) fn decode_in_place(text: &mut [u8]) -> Option<&mut [u8]> {
    if text.len() > BLOCK.saturating_mul(DIGITS) { decode_by::<CHUNK>(text) } else { decode_by::<BLOCK>(text) }
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
        *place = digit_by_steps(*place);
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

/// Turns each group of digits into the number of 48 bits that they stand for, at the top of a
/// little-endian `u64`, and says whether all were digits.
///
/// Not inlined, like [`write_digits`].
#[inline(never)]
fn read_digits(groups: &mut [Group]) -> bool {
    let mut least = u8::MAX;
    for place in groups.as_flattened_mut() {
        let shift = shift_by_steps(*place);
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
