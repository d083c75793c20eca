//! Text to bytes: Horner's rule, 64 digits a step.
//!
//! A block of 64 digits becomes six 64-bit limbs: neighbours are joined into 2, 4 and 8 digits by
//! loops over bytes, which compile to vector instructions where there are any, then into 16, 32
//! and 64 by a tree of multiplications. The limbs so far, times 62^64, plus the block is then one
//! pass over the buffer. As 62^64 is 2^64 · 31^64, that pass multiplies by the five limbs of 31^64
//! and moves every limb one place up.

use super::{TAG_DIGITS, high, low, mul_add};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DecodeError {
    /// Empty, a byte that is no digit, a leading zero, or a tag of more than 256 bits.
    Spelling,
    /// The buffer is too small; so many bytes serve.
    Room(usize),
}

const BLOCK_DIGITS: usize = 64;
const BATCH_DIGITS: usize = 256;
/// 62^64 < 2^384.
const BLOCK_LIMBS: usize = 6;

const POW8: u64 = 62_u64.pow(8);
const POW16: [u64; 2] = {
    let power = 62_u128.pow(16);
    [low(power), high(power)]
};
const POW32: [u64; 3] = {
    let [p0, p1, p2, _] = mul_add_2x2(POW16, POW16, [0, 0]);
    [p0, p1, p2]
};
/// 31^64 = (31^32)^2, least significant limb first; 318 bits.
const ODD_POW64: [u64; 5] = {
    let odd_pow16 = 31_u128.pow(16);
    let [p0, p1, p2, _] = mul_add_2x2([low(odd_pow16), high(odd_pow16)], [low(odd_pow16), high(odd_pow16)], [0, 0]);
    let [s0, s1, s2, s3, s4, _] = mul_add_3x3([p0, p1, p2], [p0, p1, p2], [0; 3]);
    [s0, s1, s2, s3, s4]
};

/// Bytes of buffer that [`decode`] needs for so many digits: 3/4 of a byte a digit, a multiple of 8.
pub(crate) const fn decoded_capacity(digits: usize) -> usize {
    limbs_of(digits).saturating_mul(size_of::<u64>())
}

/// A digit is less than 6 bits.
#[expect(clippy::arithmetic_side_effects, reason = "the quotient is over ten times smaller than `digits`")]
const fn limbs_of(digits: usize) -> usize {
    digits / BLOCK_DIGITS * BLOCK_LIMBS + (digits % BLOCK_DIGITS * 6).div_ceil(64)
}

/// Reads `digits` as one integer; its bytes, big-endian and without leading zeros, end up at the
/// end of the first [`decoded_capacity`] bytes of `out`. Zero is one zero byte.
pub(crate) fn decode<'b>(digits: &[u8], out: &'b mut [u8]) -> Result<&'b mut [u8], DecodeError> {
    check_spelling(digits)?;
    let needed = decoded_capacity(digits.len());
    let out = out.get_mut(..needed).ok_or(DecodeError::Room(needed))?;
    let (limbs, _) = out.as_chunks_mut::<8>();
    // The first block may have fewer digits, and so fewer limbs.
    let first = limbs_of((digits.len().saturating_sub(1) % BLOCK_DIGITS).saturating_add(1));

    let (head, batches) = digits.as_rchunks::<BATCH_DIGITS>();
    let mut batch = [0; BATCH_DIGITS];
    let mut used = 0;
    for digits in core::iter::once(head).chain(batches.iter().map(<[u8; BATCH_DIGITS]>::as_slice)) {
        let blocks = padded(digits, &mut batch);
        if !join_eights(blocks) {
            return Err(DecodeError::Spelling);
        }
        for block in blocks.as_chunks().0 {
            append(limbs, used, value(block));
            // The first block may have fewer digits.
            used = if used == 0 { first } else { used.saturating_add(BLOCK_LIMBS) };
        }
    }
    let zeros = out.iter().take_while(|byte| **byte == 0).count();
    let zeros = zeros.min(out.len().saturating_sub(1));
    out.get_mut(zeros..).ok_or(DecodeError::Spelling)
}

/// Reads the 256-bit number that a tag is, left-padded to its 32 bytes.
pub(crate) fn decode_tag(digits: &[u8]) -> Result<[u8; 32], DecodeError> {
    check_spelling(digits)?;
    if digits.len() > TAG_DIGITS {
        return Err(DecodeError::Spelling);
    }
    let mut block = [0; BLOCK_DIGITS];
    let _ = padded(digits, &mut block);
    if !join_eights(&mut block) {
        return Err(DecodeError::Spelling);
    }
    let [l0, l1, l2, l3, 0, 0] = value(&block) else {
        return Err(DecodeError::Spelling);
    };
    let mut tag = [0; 32];
    let (places, _) = tag.as_chunks_mut();
    for (place, limb) in places.iter_mut().zip([l3, l2, l1, l0]) {
        *place = limb.to_be_bytes();
    }
    Ok(tag)
}

fn check_spelling(digits: &[u8]) -> Result<(), DecodeError> {
    match digits {
        [] | [b'0', _, ..] => Err(DecodeError::Spelling),
        _ => Ok(()),
    }
}

/// Copies `digits` into whole blocks at the front of `room`, with zeros before them.
fn padded<'r>(digits: &[u8], room: &'r mut [u8]) -> &'r mut [u8] {
    let len = digits.len().next_multiple_of(BLOCK_DIGITS);
    let blocks = room.get_mut(..len).unwrap_or_default();
    let (zeros, place) = blocks.split_at_mut_checked(len.saturating_sub(digits.len())).unwrap_or_default();
    zeros.fill(b'0');
    if place.len() == digits.len() {
        place.copy_from_slice(digits);
    }
    blocks
}

/// Replaces the number in the last `used` limbs by itself times 62^64 plus `block`, in six limbs
/// more, or in as many of them as there are.
fn append(limbs: &mut [[u8; 8]], used: usize, block: [u64; BLOCK_LIMBS]) {
    let Some((free, used)) = limbs.split_at_mut_checked(limbs.len().saturating_sub(used)) else {
        return;
    };
    let mut sum = block;
    for place in used.iter_mut().rev() {
        slide(place, &mut sum);
    }
    for (place, limb) in free.iter_mut().rev().zip(sum) {
        *place = limb.to_be_bytes();
    }
}

/// Puts the lowest limb of `sum` in that place, and adds what stood there, times 31^64, to the others.
///
/// The products of the even limbs stand side by side, and so do those of the odd ones: that is two
/// chains of carries, where adding each product by itself takes two carries for each.
#[inline(always)]
fn slide(place: &mut [u8; 8], sum: &mut [u64; BLOCK_LIMBS]) {
    let limb = u64::from_be_bytes(*place);
    let [ready, w0, w1, w2, w3, w4] = *sum;
    *place = ready.to_be_bytes();
    let [m0, m1, m2, m3, m4] = ODD_POW64;
    let [p0, p2, p4] = [m0, m2, m4].map(|m| mul_add(limb, m, 0, 0));
    let (e0, carry) = add(low(p0), w0, false);
    let (e1, carry) = add(high(p0), w1, carry);
    let (e2, carry) = add(low(p2), w2, carry);
    let (e3, carry) = add(high(p2), w3, carry);
    let (e4, carry) = add(low(p4), w4, carry);
    let (e5, _) = add(high(p4), 0, carry);
    let [p1, p3] = [m1, m3].map(|m| mul_add(limb, m, 0, 0));
    let n0 = e0;
    let (n1, carry) = add(low(p1), e1, false);
    let (n2, carry) = add(high(p1), e2, carry);
    let (n3, carry) = add(low(p3), e3, carry);
    let (n4, carry) = add(high(p3), e4, carry);
    let (n5, _) = add(e5, 0, carry);
    *sum = [n0, n1, n2, n3, n4, n5];
}

/// `a + b` and a carry, and the carry of that.
#[inline(always)]
#[expect(clippy::as_conversions, reason = "0 or 1; `From` is not const")]
const fn add(a: u64, b: u64, carry: bool) -> (u64, bool) {
    let (sum, over) = a.overflowing_add(b);
    let (sum, again) = sum.overflowing_add(carry as u64);
    (sum, over | again)
}

/// The value of a block after [`join_eights`], least significant limb first.
fn value(block: &[u8; BLOCK_DIGITS]) -> [u64; BLOCK_LIMBS] {
    let mut eights = [0; 8];
    for (eight, word) in eights.iter_mut().zip(block.as_chunks().0) {
        *eight = u64::from_le_bytes(*word);
    }
    let [a, b, c, d, e, f, g, h] = eights;
    let [u0, u1, u2, _] = mul_add_2x2(join_sixteen(a, b), POW16, join_sixteen(c, d));
    let [v0, v1, v2, _] = mul_add_2x2(join_sixteen(e, f), POW16, join_sixteen(g, h));
    mul_add_3x3([u0, u1, u2], POW32, [v0, v1, v2])
}

/// Turns each eight characters into the value of those eight digits, a little-endian `u64`, and
/// says whether all were digits.
///
/// Not inlined: as a function over memory its loops are vectorised (two to three times faster).
#[inline(never)]
#[expect(clippy::arithmetic_side_effects, reason = "62^2 < 2^16, 62^4 < 2^32, 62^8 < 2^64")]
fn join_eights(blocks: &mut [u8]) -> bool {
    let mut excess = 0;
    for place in blocks.iter_mut() {
        // Signed, a byte above 127 is below all bounds.
        let upper = u8::from(place.cast_signed() >= b'A'.cast_signed());
        let lower = u8::from(place.cast_signed() >= b'a'.cast_signed());
        let value = place.wrapping_sub(b'0').wrapping_sub(upper * 7).wrapping_sub(lower * 6);
        // What is no digit has too large a value for its range: past '9', 'Z' or 'z', or wrapped.
        excess |= value.saturating_sub(9 + upper * 26 + lower * 26);
        *place = value;
    }
    for place in blocks.as_chunks_mut::<2>().0 {
        let pair = u16::from_le_bytes(*place);
        *place = ((pair & 0x3F) * 62 + (pair >> 8)).to_le_bytes();
    }
    for place in blocks.as_chunks_mut::<4>().0 {
        let pair = u32::from_le_bytes(*place);
        *place = ((pair & 0x0FFF) * 62_u32.pow(2) + (pair >> 16)).to_le_bytes();
    }
    for place in blocks.as_chunks_mut::<8>().0 {
        let pair = u64::from_le_bytes(*place);
        *place = ((pair & 0xFFFF_FFFF) * 62_u64.pow(4) + (pair >> 32)).to_le_bytes();
    }
    excess == 0
}

fn join_sixteen(upper: u64, lower: u64) -> [u64; 2] {
    let wide = mul_add(upper, POW8, lower, 0);
    [low(wide), high(wide)]
}

/// `a * b + c`, limb by limb.
const fn mul_add_2x2(a: [u64; 2], b: [u64; 2], c: [u64; 2]) -> [u64; 4] {
    let ([a0, a1], [b0, b1], [c0, c1]) = (a, b, c);
    let t00 = mul_add(a0, b0, c0, 0);
    let t01 = mul_add(a0, b1, c1, high(t00));
    let t10 = mul_add(a1, b0, low(t01), 0);
    let t11 = mul_add(a1, b1, high(t01), high(t10));
    [low(t00), low(t10), low(t11), high(t11)]
}

/// `a * b + c`, limb by limb.
const fn mul_add_3x3(a: [u64; 3], b: [u64; 3], c: [u64; 3]) -> [u64; 6] {
    let ([a0, a1, a2], [b0, b1, b2], [c0, c1, c2]) = (a, b, c);
    let t00 = mul_add(a0, b0, c0, 0);
    let t01 = mul_add(a0, b1, c1, high(t00));
    let t02 = mul_add(a0, b2, c2, high(t01));
    let t10 = mul_add(a1, b0, low(t01), 0);
    let t11 = mul_add(a1, b1, low(t02), high(t10));
    let t12 = mul_add(a1, b2, high(t02), high(t11));
    let t20 = mul_add(a2, b0, low(t11), 0);
    let t21 = mul_add(a2, b1, low(t12), high(t20));
    let t22 = mul_add(a2, b2, high(t12), high(t21));
    [low(t00), low(t10), low(t20), low(t21), low(t22), high(t22)]
}
