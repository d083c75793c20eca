//! Text to bytes, by Horner's rule in blocks. A block has as many digits as a limb has bits.
//!
//! Each block becomes six limbs: its digits are joined into eight words, and those into 2, 4 and 8 words by a tree of
//! multiplications. One pass over the buffer then replaces the number by itself times 62^W plus the block. It
//! multiplies by the five limbs of 31^W and moves every limb one place up. See [`limb`](super::limb) for W, the width
//! of a limb.

use core::marker::PhantomData;

use super::{
    TAG_DIGITS,
    limb::{BLOCK_LIMBS, Limb, WORDS},
    without_leading,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DecodeError {
    /// The text is empty, has a leading zero or a byte that is not a digit, or is a tag of more than 256 bits.
    Spelling,
    /// The buffer is too small. This many bytes are enough.
    Room(usize),
}

/// Characters of a tag, filled up to whole blocks of any width, and the bytes of the limbs of those blocks.
const TAG_TEXT: usize = 64;
const TAG_ROOM: usize = 48;

/// Bytes of buffer that [`decode`](super::decode()) needs for this number of digits: 3/4 of a byte for each digit, as a
/// multiple of 8 for every width of limbs.
pub(crate) const fn decoded_capacity(digits: usize) -> usize {
    limbs_of(digits, size_of::<u64>()).saturating_mul(size_of::<u64>())
}

/// Limbs of `bytes` bytes each that can hold this number of digits. A digit is less than 6 bits.
#[expect(clippy::arithmetic_side_effects, reason = "the divisors are a limb's; the result is smaller than `digits`")]
const fn limbs_of(digits: usize, bytes: usize) -> usize {
    let bits = 8 * bytes;
    digits / bits * BLOCK_LIMBS + (digits % bits * 6).div_ceil(bits)
}

/// [`decode`](super::decode()) with limbs of this width.
#[expect(clippy::arithmetic_side_effects, reason = "a batch is never empty")]
pub(super) fn decode_by<'b, L: Limb<BYTES>, const BYTES: usize>(
    digits: &[u8],
    out: &'b mut [u8],
) -> Result<&'b mut [u8], DecodeError> {
    check_spelling(digits)?;
    let needed = decoded_capacity(digits.len());
    let out = out.get_mut(..needed).ok_or(DecodeError::Room(needed))?;
    // Narrow limbs may need fewer bytes than wide ones.
    let unused = needed.saturating_sub(limbs_of(digits.len(), BYTES).saturating_mul(BYTES));
    let out = out.get_mut(unused..).ok_or(DecodeError::Room(needed))?;

    let mut batch = L::BATCH;
    let batch = batch.as_mut();
    let (head, batches) = digits.split_at_checked(digits.len() % batch.len()).unwrap_or_default();
    let mut number = Number::<L, BYTES>::new(digits.len(), out);
    number.append_padded(head, batch).ok_or(DecodeError::Spelling)?;
    if L::READS_TEXT {
        number.append_all(batches).ok_or(DecodeError::Spelling)?;
    } else {
        for digits in batches.chunks_exact(batch.len()) {
            number.append_padded(digits, batch).ok_or(DecodeError::Spelling)?;
        }
    }
    without_leading(0, out).ok_or(DecodeError::Spelling)
}

/// [`decode_tag`](super::decode_tag) with limbs of this width.
#[expect(clippy::arithmetic_side_effects, reason = "a block is never empty, and at most 64 is divided")]
pub(super) fn decode_tag_by<L: Limb<BYTES>, const BYTES: usize>(digits: &[u8]) -> Result<[u8; 32], DecodeError> {
    check_spelling(digits)?;
    if digits.len() > TAG_DIGITS {
        return Err(DecodeError::Spelling);
    }
    let mut text = [b'0'; TAG_TEXT];
    let at = TAG_TEXT.saturating_sub(digits.len());
    text.get_mut(at..).ok_or(DecodeError::Spelling)?.copy_from_slice(digits);
    if !L::prepare(&mut text) {
        return Err(DecodeError::Spelling);
    }
    let mut room = [0; TAG_ROOM];
    let mut number = Number::<L, BYTES>::new(digits.len(), &mut room);
    if Number::<L, BYTES>::BLOCK_DIGITS == TAG_TEXT {
        store::<L, BYTES>(number.places, value(&text, &mut [L::default(); WORDS]).ok_or(DecodeError::Spelling)?);
    } else {
        // Skip the blocks that consist of padding only.
        let start = at / Number::<L, BYTES>::BLOCK_DIGITS * Number::<L, BYTES>::BLOCK_DIGITS;
        number.append_all(text.get(start..).unwrap_or_default()).ok_or(DecodeError::Spelling)?;
    }
    let (above, tag) = room.split_first_chunk().ok_or(DecodeError::Spelling)?;
    if *above != [0; TAG_ROOM - 32] {
        return Err(DecodeError::Spelling);
    }
    tag.first_chunk().copied().ok_or(DecodeError::Spelling)
}

pub(super) fn check_spelling(digits: &[u8]) -> Result<(), DecodeError> {
    match digits {
        [] | [b'0', _, ..] => Err(DecodeError::Spelling),
        _ => Ok(()),
    }
}

/// A number that grows from the end of a buffer towards its front.
struct Number<'o, L, const BYTES: usize> {
    places: &'o mut [[u8; BYTES]],
    /// The number of its limbs now, and with the next block.
    used: usize,
    then: usize,
    limbs: PhantomData<L>,
}

impl<'o, L: Limb<BYTES>, const BYTES: usize> Number<'o, L, BYTES> {
    const BLOCK_DIGITS: usize = 8 * BYTES;

    /// An empty number, to which this number of digits will be appended. The first block may have fewer digits than the
    /// others.
    #[expect(clippy::arithmetic_side_effects, reason = "a block is never empty")]
    fn new(digits: usize, out: &'o mut [u8]) -> Self {
        let (places, _) = out.as_chunks_mut();
        let first = (digits.saturating_sub(1) % Self::BLOCK_DIGITS).saturating_add(1);
        Self { places, used: 0, then: limbs_of(first, BYTES), limbs: PhantomData }
    }

    /// Appends at most as many digits as `batch` holds. Puts zeros before them to fill a block. `None` if a character
    /// is not a digit.
    #[inline(always)]
    fn append_padded(&mut self, digits: &[u8], batch: &mut [u8]) -> Option<()> {
        let len = digits.len().next_multiple_of(Self::BLOCK_DIGITS);
        let blocks = batch.get_mut(..len)?;
        let (zeros, place) = blocks.split_at_mut_checked(len.saturating_sub(digits.len()))?;
        zeros.fill(b'0');
        if place.len() == digits.len() {
            place.copy_from_slice(digits);
        }
        if !L::prepare(blocks) {
            return None;
        }
        self.append_all(blocks)
    }

    /// Appends whole blocks. `None` if a character is not a digit.
    fn append_all(&mut self, blocks: &[u8]) -> Option<()> {
        let mut words = [L::default(); WORDS];
        for block in blocks.chunks_exact(Self::BLOCK_DIGITS) {
            self.append(value(block, &mut words)?);
        }
        Some(())
    }

    /// Replaces the number by itself times 62^W plus `block`. It then has six limbs more, or as many more as there are
    /// places for.
    #[inline(always)]
    fn append(&mut self, block: [L; BLOCK_LIMBS]) {
        let at = self.places.len().saturating_sub(self.used);
        let Some((free, used)) = self.places.split_at_mut_checked(at) else {
            return;
        };
        let mut sum = block;
        for place in used.iter_mut().rev() {
            // The lowest limb of the sum stays in this place. The limb that was there, times 31^W, goes to the others.
            let limb = L::from_be_bytes(*place);
            let [ready, above @ ..] = sum;
            *place = ready.to_be_bytes();
            sum = L::products(limb, above);
        }
        store(free, sum);
        self.used = self.then;
        self.then = self.then.saturating_add(BLOCK_LIMBS);
    }
}

/// Puts limbs at the end of `places`. Limbs without a place are dropped.
#[inline(always)]
fn store<L: Limb<BYTES>, const BYTES: usize>(places: &mut [[u8; BYTES]], limbs: [L; BLOCK_LIMBS]) {
    for (place, limb) in places.iter_mut().rev().zip(limbs) {
        *place = limb.to_be_bytes();
    }
}

/// The value of a block after [`Limb::prepare`], least significant limb first; `None` if a character is not a digit.
/// `words` is room for the words of the block. The caller need not clear it between blocks.
#[inline(always)]
fn value<L: Limb<BYTES>, const BYTES: usize>(block: &[u8], words: &mut [L; WORDS]) -> Option<[L; BLOCK_LIMBS]> {
    let mut bad = 0;
    for (word, characters) in words.iter_mut().zip(block.as_chunks().0) {
        let (value, flags) = L::word(*characters);
        *word = value;
        bad |= flags;
    }
    let [a, b, c, d, e, f, g, h] = *words;
    let [u0, u1, u2, _] = mul_add_2x2(join(a, b), L::TWO_WORDS, join(c, d));
    let [v0, v1, v2, _] = mul_add_2x2(join(e, f), L::TWO_WORDS, join(g, h));
    (bad & L::BAD == 0).then(|| mul_add_3x3([u0, u1, u2], L::FOUR_WORDS, [v0, v1, v2]))
}

#[inline(always)]
fn join<L: Limb<BYTES>, const BYTES: usize>(upper: L, lower: L) -> [L; 2] {
    let (low, high) = L::mul_add(upper, L::WORD, lower, L::default());
    [low, high]
}

/// `a * b + c`, limb by limb.
#[inline(always)]
fn mul_add_2x2<L: Limb<BYTES>, const BYTES: usize>([a0, a1]: [L; 2], [b0, b1]: [L; 2], [c0, c1]: [L; 2]) -> [L; 4] {
    let (r0, carry) = L::mul_add(a0, b0, c0, L::default());
    let (t1, t2) = L::mul_add(a0, b1, c1, carry);
    let (r1, carry) = L::mul_add(a1, b0, t1, L::default());
    let (r2, r3) = L::mul_add(a1, b1, t2, carry);
    [r0, r1, r2, r3]
}

/// `a * b + c`, limb by limb.
#[inline(always)]
fn mul_add_3x3<L: Limb<BYTES>, const BYTES: usize>(a: [L; 3], b: [L; 3], c: [L; 3]) -> [L; BLOCK_LIMBS] {
    let ([a0, a1, a2], [b0, b1, b2], [c0, c1, c2]) = (a, b, c);
    let (r0, carry) = L::mul_add(a0, b0, c0, L::default());
    let (t1, carry) = L::mul_add(a0, b1, c1, carry);
    let (t2, t3) = L::mul_add(a0, b2, c2, carry);
    let (r1, carry) = L::mul_add(a1, b0, t1, L::default());
    let (t2, carry) = L::mul_add(a1, b1, t2, carry);
    let (t3, t4) = L::mul_add(a1, b2, t3, carry);
    let (r2, carry) = L::mul_add(a2, b0, t2, L::default());
    let (r3, carry) = L::mul_add(a2, b1, t3, carry);
    let (r4, r5) = L::mul_add(a2, b2, t4, carry);
    [r0, r1, r2, r3, r4, r5]
}
