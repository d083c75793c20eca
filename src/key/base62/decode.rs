//! Text to bytes: Horner's rule, a block of as many digits as a limb has bits a step.
//!
//! A block becomes six limbs: its digits are joined into eight words, and those into 2, 4 and 8 words by
//! a tree of multiplications. The limbs so far, times 62^W, plus the block is then one pass over the
//! buffer, which multiplies by the five limbs of 31^W and moves every limb one place up.
//!
//! The same code serves three widths of limbs:
//!
//! | limb | for processors that multiply | a block |
//! |---|---|---|
//! | `u64` | 64 · 64 to 128 bits | 64 digits, eight words of 8 |
//! | `u32` | 32 · 32 to 64 bits: Cortex-M3 and up, RISC-V, WebAssembly | 32 digits, eight words of 4 |
//! | `u16` | 32 · 32 to 32 bits: Cortex-M0 | 16 digits, eight words of 2 |
//!
//! A block has as many digits as a limb has bits, W, and fills six limbs: 62^W < 2^(6 W). As 62^W is
//! 2^W · 31^W, a number times 62^W is the number times the five limbs of 31^W, one limb further up.

use core::{marker::PhantomData, ops::BitOr};

use super::{product, without_leading};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DecodeError {
    /// Empty, a byte that is not a digit, a leading zero, or a tag of more than 256 bits.
    Spelling,
    /// The buffer is too small; this many bytes are enough.
    Room(usize),
}

const WORDS: usize = 8;
const BLOCK_LIMBS: usize = 6;
const ODD_LIMBS: usize = 5;

/// Digits of the widest block.
const MAX_BLOCK: usize = WORDS * size_of::<u64>();

/// Bytes of buffer that [`decode`](super::decode()) needs for so many digits: 3/4 of a byte a digit, a multiple of 8
/// whatever the limbs are.
pub(crate) const fn decoded_capacity(digits: usize) -> usize {
    limbs_of(digits, size_of::<u64>()).saturating_mul(size_of::<u64>())
}

/// Limbs of so many bytes that hold so many digits: a digit is less than 6 bits.
#[expect(clippy::arithmetic_side_effects, reason = "the divisors are a limb's; the result is smaller than `digits`")]
const fn limbs_of(digits: usize, bytes: usize) -> usize {
    let bits = 8 * bytes;
    digits / bits * BLOCK_LIMBS + (digits % bits * 6).div_ceil(bits)
}

/// As [`decode`](super::decode()), by limbs of that width.
pub(super) fn decode_by<'b, L: Limb<BYTES>, const BYTES: usize>(
    digits: &[u8],
    out: &'b mut [u8],
) -> Result<&'b mut [u8], DecodeError> {
    // One spelling: no leading zero, except in zero itself.
    if matches!(digits, [] | [b'0', _, ..]) {
        return Err(DecodeError::Spelling);
    }
    let needed = decoded_capacity(digits.len());
    let out = out.get_mut(..needed).ok_or(DecodeError::Room(needed))?;
    // Narrow limbs may take less than wide ones.
    let unused = needed.saturating_sub(limbs_of(digits.len(), BYTES).saturating_mul(BYTES));
    let out = out.get_mut(unused..).ok_or(DecodeError::Room(needed))?;
    Number::<L, BYTES>::write(digits, out).ok_or(DecodeError::Spelling)?;
    without_leading(0, out).ok_or(DecodeError::Spelling)
}

/// A number that grows from the end of a buffer towards its front.
struct Number<'o, L, const BYTES: usize> {
    places: &'o mut [[u8; BYTES]],
    /// The limbs that it has.
    used: usize,
    limbs: PhantomData<L>,
}

impl<'o, L: Limb<BYTES>, const BYTES: usize> Number<'o, L, BYTES> {
    const BLOCK_DIGITS: usize = WORDS.saturating_mul(BYTES);

    /// Writes the number that `digits` spell over all of `out`, which has as many limbs as [`limbs_of`] says; `None` if
    /// a character is not a digit.
    #[expect(clippy::arithmetic_side_effects, reason = "a block is never empty")]
    fn write(digits: &[u8], out: &'o mut [u8]) -> Option<()> {
        let mut number = Self { places: out.as_chunks_mut().0, used: 0, limbs: PhantomData };
        // The first block may have fewer digits than the others, and takes fewer limbs.
        let (head, blocks) = digits.split_at_checked(digits.len() % Self::BLOCK_DIGITS)?;
        let mut padded = [b'0'; MAX_BLOCK];
        let place = padded.get_mut(MAX_BLOCK.checked_sub(head.len())?..)?;
        if place.len() == head.len() {
            place.copy_from_slice(head);
        }
        let (_, first) = padded.split_at_checked(MAX_BLOCK.checked_sub(Self::BLOCK_DIGITS)?)?;
        let first = (!head.is_empty()).then_some((first, limbs_of(head.len(), BYTES)));
        let others = blocks.chunks_exact(Self::BLOCK_DIGITS).map(|block| (block, BLOCK_LIMBS));
        for (block, limbs) in first.into_iter().chain(others) {
            number.append(value(block)?, limbs);
        }
        Some(())
    }

    /// Replaces the number by itself times 62^W plus `block`, in six limbs more, or in as many of them as
    /// there are; the first block takes `more`.
    fn append(&mut self, block: [L; BLOCK_LIMBS], more: usize) {
        let at = self.places.len().saturating_sub(self.used);
        let Some((free, used)) = self.places.split_at_mut_checked(at) else {
            return;
        };
        let mut sum = block;
        for place in used.iter_mut().rev() {
            // The lowest limb of the sum stays in that place; what stood there goes, times 31^W, to the others.
            let limb = L::from_be_bytes(*place);
            let [ready, above @ ..] = sum;
            *place = ready.to_be_bytes();
            sum = L::products(limb, above);
        }
        for (place, limb) in free.iter_mut().rev().zip(sum) {
            *place = limb.to_be_bytes();
        }
        self.used = self.used.saturating_add(more);
    }
}

/// The value of a block, least significant limb first; `None` if there is a character that is not a digit.
fn value<L: Limb<BYTES>, const BYTES: usize>(block: &[u8]) -> Option<[L; BLOCK_LIMBS]> {
    let characters: &[_; WORDS] = block.as_chunks().0.first_chunk()?;
    let (mut words, mut bad) = ([L::default(); WORDS], L::default());
    for (word, characters) in words.iter_mut().zip(characters) {
        let (value, flags) = L::word(*characters);
        *word = value;
        bad = bad | flags;
    }
    let [a, b, c, d, e, f, g, h] = words;
    let [u0, u1, u2, _] = mul_add_2x2(join(a, b), L::TWO_WORDS, join(c, d));
    let [v0, v1, v2, _] = mul_add_2x2(join(e, f), L::TWO_WORDS, join(g, h));
    (bad == L::default()).then(|| mul_add_3x3([u0, u1, u2], L::FOUR_WORDS, [v0, v1, v2]))
}

fn join<L: Limb<BYTES>, const BYTES: usize>(upper: L, lower: L) -> [L; 2] {
    let (low, high) = L::mul_add(upper, L::WORD, lower, L::default());
    [low, high]
}

/// `a * b + c`, limb by limb.
fn mul_add_2x2<L: Limb<BYTES>, const BYTES: usize>([a0, a1]: [L; 2], [b0, b1]: [L; 2], [c0, c1]: [L; 2]) -> [L; 4] {
    let (r0, carry) = L::mul_add(a0, b0, c0, L::default());
    let (t1, t2) = L::mul_add(a0, b1, c1, carry);
    let (r1, carry) = L::mul_add(a1, b0, t1, L::default());
    let (r2, r3) = L::mul_add(a1, b1, t2, carry);
    [r0, r1, r2, r3]
}

/// `a * b + c`, limb by limb.
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

/// A limb of `BYTES` bytes, which are the characters of a word, too.
pub(super) trait Limb<const BYTES: usize>: Copy + Default + Eq + BitOr<Output = Self> {
    /// 62 to the number of digits in one, two and four words, least significant limb first.
    const WORD: Self;
    const TWO_WORDS: [Self; 2];
    const FOUR_WORDS: [Self; 3];
    /// 31^W, likewise.
    const ODD: [Self; ODD_LIMBS];

    fn from_be_bytes(bytes: [u8; BYTES]) -> Self;
    fn to_be_bytes(self) -> [u8; BYTES];

    /// `a * b + c + d`, which always fits, as its low and its high half.
    fn mul_add(a: Self, b: Self, c: Self, d: Self) -> (Self, Self);

    /// The value of the digits in a word, and what is not zero if a character is not a digit.
    fn word(word: [u8; BYTES]) -> (Self, Self);

    /// The products of a limb and 31^W, added to what stands there.
    fn products(limb: Self, sums: [Self; ODD_LIMBS]) -> [Self; BLOCK_LIMBS] {
        let ([m0, m1, m2, m3, m4], [s0, s1, s2, s3, s4]) = (Self::ODD, sums);
        let (n0, carry) = Self::mul_add(limb, m0, s0, Self::default());
        let (n1, carry) = Self::mul_add(limb, m1, s1, carry);
        let (n2, carry) = Self::mul_add(limb, m2, s2, carry);
        let (n3, carry) = Self::mul_add(limb, m3, s3, carry);
        let (n4, n5) = Self::mul_add(limb, m4, s4, carry);
        [n0, n1, n2, n3, n4, n5]
    }
}

/// Implements what does not depend on the width.
macro_rules! limb {
    ($limb:ty, $wide:ty, bytes: $bytes:literal, product: $product:expr, join: $join:expr, { $($rest:item)* }) => {
        #[expect(clippy::as_conversions, reason = "a limb of a power fits; the halves of a product")]
        impl Limb<$bytes> for $limb {
            const WORD: Self = limb_of(62, 1, $bytes, 0) as Self;
            const TWO_WORDS: [Self; 2] = [limb_of(62, 2, $bytes, 0) as Self, limb_of(62, 2, $bytes, 1) as Self];
            const FOUR_WORDS: [Self; 3] = [
                limb_of(62, 4, $bytes, 0) as Self,
                limb_of(62, 4, $bytes, 1) as Self,
                limb_of(62, 4, $bytes, 2) as Self,
            ];
            const ODD: [Self; ODD_LIMBS] = [
                limb_of(31, 8, $bytes, 0) as Self,
                limb_of(31, 8, $bytes, 1) as Self,
                limb_of(31, 8, $bytes, 2) as Self,
                limb_of(31, 8, $bytes, 3) as Self,
                limb_of(31, 8, $bytes, 4) as Self,
            ];

            fn from_be_bytes(bytes: [u8; $bytes]) -> Self {
                Self::from_be_bytes(bytes)
            }

            fn to_be_bytes(self) -> [u8; $bytes] {
                self.to_be_bytes()
            }

            #[expect(clippy::arithmetic_side_effects, reason = "(2^W - 1)^2 + 2 (2^W - 1) = 2^(2 W) - 1")]
            fn mul_add(a: Self, b: Self, c: Self, d: Self) -> (Self, Self) {
                let product = $product;
                let wide: $wide = product(a, b) + <$wide>::from(c) + <$wide>::from(d);
                (wide as Self, (wide >> Self::BITS) as Self)
            }

            /// All characters at once, one a byte, and bit 7 of each byte for what is compared: clear where the
            /// character is a digit. A byte above 127 may spoil its neighbours, but shows its own bit 7.
            fn word(word: [u8; $bytes]) -> (Self, Self) {
                const ONES: $limb = <$limb>::MAX / 0xFF;
                const TOPS: $limb = ONES << 7;
                let text = Self::from_le_bytes(word);
                let upper = text.wrapping_add(ONES * (0x80 - 0x41)) >> 7 & ONES;
                let lower = text.wrapping_add(ONES * (0x80 - 0x61)) >> 7 & ONES;
                // From 0x80 upwards, so that '0' leaves bit 7 set. Letters are far enough above it for what follows.
                let not_below = (text | TOPS).wrapping_sub(ONES * 0x30);
                let values = (not_below & !TOPS).wrapping_sub(upper.wrapping_mul(7)).wrapping_sub(lower.wrapping_mul(6));
                // What is not a digit has too large a value for its range: past '9', 'Z' or 'z'.
                let most = (TOPS | (ONES * 9)).wrapping_add(upper.wrapping_add(lower).wrapping_mul(26));
                let not_above = most.wrapping_sub(values);
                let join: fn(Self) -> Self = $join;
                (join(values), (!(not_below & not_above) | text) & TOPS)
            }

            $($rest)*
        }
    };
}

/// Bytes of 31^64.
const POWER_BYTES: usize = 40;

/// The limb `at` of base^(words · bytes), as a number of so many `bytes` is cut into limbs.
#[expect(
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "runs at compile time"
)]
const fn limb_of(base: u32, words: usize, bytes: usize, at: usize) -> u64 {
    // Least significant byte first.
    let mut power = [0; POWER_BYTES];
    power[0] = 1;
    let mut done = 0;
    while done < words * bytes {
        let (mut place, mut carry) = (0, 0);
        while place < POWER_BYTES {
            carry += power[place] as u32 * base;
            power[place] = carry as u8;
            carry >>= 8;
            place += 1;
        }
        assert!(carry == 0, "the power has no more bytes than are counted with");
        done += 1;
    }
    let (mut limb, mut byte) = (0, bytes);
    while byte > 0 {
        byte -= 1;
        limb = limb << 8 | power[at * bytes + byte] as u64;
    }
    limb
}

// Each number next to its lower neighbour: two digits, then four, then eight.

limb!(u64, u128, bytes: 8, product: product, join: |digits| {
    let pairs = (digits & 0x003F_003F_003F_003F).wrapping_mul(62).wrapping_add(digits >> 8 & 0x003F_003F_003F_003F);
    let fours = (pairs & 0x0000_FFFF_0000_FFFF).wrapping_mul(62_u64.pow(2)).wrapping_add(pairs >> 16 & 0x0000_FFFF_0000_FFFF);
    (fours & 0xFFFF_FFFF).wrapping_mul(62_u64.pow(4)).wrapping_add(fours >> 32)
}, {
    /// The products of the even limbs stand side by side, and so do those of the odd ones: that is two
    /// chains of carries, where adding each product by itself takes two carries for each.
    fn products(limb: Self, [s0, s1, s2, s3, s4]: [Self; ODD_LIMBS]) -> [Self; BLOCK_LIMBS] {
        let [m0, m1, m2, m3, m4] = Self::ODD;
        let [(p0, p1), (p2, p3), (p4, p5)] = [m0, m2, m4].map(|m| Self::mul_add(limb, m, 0, 0));
        let (e0, carry) = add(p0, s0, false);
        let (e1, carry) = add(p1, s1, carry);
        let (e2, carry) = add(p2, s2, carry);
        let (e3, carry) = add(p3, s3, carry);
        let (e4, carry) = add(p4, s4, carry);
        let (e5, _) = add(p5, 0, carry);
        let [(p1, p2), (p3, p4)] = [m1, m3].map(|m| Self::mul_add(limb, m, 0, 0));
        let (n1, carry) = add(p1, e1, false);
        let (n2, carry) = add(p2, e2, carry);
        let (n3, carry) = add(p3, e3, carry);
        let (n4, carry) = add(p4, e4, carry);
        let (n5, _) = add(e5, 0, carry);
        [e0, n1, n2, n3, n4, n5]
    }
});

limb!(u32, u64, bytes: 4, product: |a, b| u64::from(a) * u64::from(b), join: |digits| {
    let pairs = (digits & 0x003F_003F).wrapping_mul(62).wrapping_add(digits >> 8 & 0x003F_003F);
    (pairs & 0xFFFF).wrapping_mul(62_u32.pow(2)).wrapping_add(pairs >> 16)
}, {});

limb!(u16, u32, bytes: 2, product: |a, b| u32::from(a) * u32::from(b), join: |digits| {
    (digits & 0x3F).wrapping_mul(62).wrapping_add(digits >> 8 & 0x3F)
}, {});

/// `a + b` and a carry, and the carry of that.
fn add(a: u64, b: u64, carry: bool) -> (u64, bool) {
    let (sum, over) = a.overflowing_add(b);
    let (sum, again) = sum.overflowing_add(u64::from(carry));
    (sum, over | again)
}
