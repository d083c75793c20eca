//! The limbs that [`decode`](mod@super::decode) builds numbers from, one width for each kind of processor.
//!
//! | limb | for processors that multiply | a block |
//! |---|---|---|
//! | `u64` | 64 · 64 to 128 bits | 64 digits, eight words of 8 |
//! | `u32` | 32 · 32 to 64 bits: Cortex-M3 and up, RISC-V | 32 digits, eight words of 4 |
//! | `u16` | 32 · 32 to 32 bits: Cortex-M0 | 16 digits, eight words of 2 |
//!
//! A block has W digits, where W is the number of bits of a limb. It fills six limbs, as 62^W < 2^(6 W). Since 62^W is
//! 2^W · 31^W, a number times 62^W is the number times the five limbs of 31^W, moved up by one limb.

/// The widest limb whose product this target can compute in one instruction. Armv6-M is the Arm without atomics.
#[cfg(target_pointer_width = "64")]
pub(super) type Native = u64;
#[cfg(all(
    target_pointer_width = "32",
    not(all(target_arch = "arm", not(target_has_atomic = "32"))),
    not(all(target_arch = "riscv32", not(target_feature = "m")))
))]
pub(super) type Native = u32;
#[cfg(not(any(
    target_pointer_width = "64",
    all(
        target_pointer_width = "32",
        not(all(target_arch = "arm", not(target_has_atomic = "32"))),
        not(all(target_arch = "riscv32", not(target_feature = "m")))
    )
)))]
pub(super) type Native = u16;

pub(super) const WORDS: usize = 8;
pub(super) const BLOCK_LIMBS: usize = 6;
pub(super) const ODD_LIMBS: usize = 5;

/// A limb of `BYTES` bytes. A word has as many characters as a limb has bytes.
pub(super) trait Limb<const BYTES: usize>: Copy + Default + Eq {
    /// 62 to the number of digits in one, two and four words, least significant limb first.
    const WORD: Self;
    const TWO_WORDS: [Self; 2];
    const FOUR_WORDS: [Self; 3];
    /// 31^W, least significant limb first.
    const ODD: [Self; ODD_LIMBS];

    /// The characters that are read in one go: whole blocks.
    type Batch: AsMut<[u8]>;
    const BATCH: Self::Batch;

    fn from_be_bytes(bytes: [u8; BYTES]) -> Self;
    fn to_be_bytes(self) -> [u8; BYTES];

    /// The low and the high half of `a * b + c + d`, which always fits in both.
    fn mul_add(a: Self, b: Self, c: Self, d: Self) -> (Self, Self);

    /// The bits that [`word`](Self::word) sets for a character that is not a digit.
    const BAD: u32;

    /// Whether words are read directly from the text, without preparing a batch.
    const READS_TEXT: bool;

    /// A pass over a batch in memory before its words are read. Returns false if it found a character that is not a
    /// digit.
    fn prepare(batch: &mut [u8]) -> bool;

    /// The value of the digits in a word, and flags that include a bit of [`BAD`](Self::BAD) if a character is not a
    /// digit.
    fn word(word: [u8; BYTES]) -> (Self, u32);

    /// The product of a limb and 31^W, added to the sums.
    #[inline(always)]
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

/// Implements the parts that are the same for each width.
macro_rules! limb {
    ($limb:ty, $wide:ty, bytes: $bytes:literal, batch: $batch:literal, product: $product:expr, { $($rest:item)* }) => {
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

            type Batch = [u8; $batch];
            const BATCH: Self::Batch = [0; $batch];

            #[inline(always)]
            fn from_be_bytes(bytes: [u8; $bytes]) -> Self {
                Self::from_be_bytes(bytes)
            }

            #[inline(always)]
            fn to_be_bytes(self) -> [u8; $bytes] {
                self.to_be_bytes()
            }

            #[inline(always)]
            #[expect(clippy::arithmetic_side_effects, reason = "(2^W - 1)^2 + 2 (2^W - 1) = 2^(2 W) - 1")]
            fn mul_add(a: Self, b: Self, c: Self, d: Self) -> (Self, Self) {
                let product = $product;
                let wide: $wide = product(a, b) + <$wide>::from(c) + <$wide>::from(d);
                (wide as Self, (wide >> Self::BITS) as Self)
            }

            $($rest)*
        }
    };
}

/// Bytes of 31^64.
const POWER_BYTES: usize = 40;

/// Limb `at` of base^(words · bytes), cut into limbs of `bytes` bytes.
#[expect(
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "runs at compile time"
)]
pub(super) const fn limb_of(base: u32, words: usize, bytes: usize, at: usize) -> u64 {
    // The least significant byte comes first.
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

limb!(u64, u128, bytes: 8, batch: 256, product: super::product, {
    const BAD: u32 = 0;
    const READS_TEXT: bool = false;

    fn prepare(batch: &mut [u8]) -> bool {
        join_eights(batch)
    }

    #[inline(always)]
    fn word(word: [u8; 8]) -> (Self, u32) {
        (Self::from_le_bytes(word), 0)
    }

    /// Adds the products of the even limbs first, then those of the odd limbs. This takes two chains of carries. Adding
    /// each product by itself would take two carries for each.
    #[inline(always)]
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

limb!(u32, u64, bytes: 4, batch: 32, product: |a, b| u64::from(a) * u64::from(b), {
    const BAD: u32 = 0x8080_8080;
    const READS_TEXT: bool = true;

    fn prepare(_: &mut [u8]) -> bool {
        true
    }

    /// Reads all four characters at once, one in each byte. Bit 7 of a byte is the flag: clear if the character is a
    /// digit. A byte above 127 may set wrong flags for its neighbours, but it always sets its own.
    #[inline(always)]
    fn word(word: [u8; 4]) -> (Self, u32) {
        const ONES: u32 = 0x0101_0101;
        const TOPS: u32 = u32::BAD;
        let text = Self::from_le_bytes(word);
        let upper = text.wrapping_add(ONES * (0x80 - 0x41)) >> 7 & ONES;
        let lower = text.wrapping_add(ONES * (0x80 - 0x61)) >> 7 & ONES;
        // Bit 7 is set before the subtraction. It stays set if the character is not below '0'.
        let not_below = (text | TOPS).wrapping_sub(ONES * 0x30);
        let values = (not_below & !TOPS).wrapping_sub(upper.wrapping_mul(7)).wrapping_sub(lower.wrapping_mul(6));
        // A character that is not a digit has too large a value for its range: past '9', 'Z' or 'z'.
        let most = (TOPS | (ONES * 9)).wrapping_add(upper.wrapping_add(lower).wrapping_mul(26));
        let not_above = most.wrapping_sub(values);
        let pairs = (values & 0x003F_003F).wrapping_mul(62).wrapping_add(values >> 8 & 0x003F_003F);
        let four = (pairs & 0xFFFF).wrapping_mul(62_u32.pow(2)).wrapping_add(pairs >> 16);
        (four, !(not_below & not_above) | text)
    }
});

limb!(u16, u32, bytes: 2, batch: 16, product: |a, b| u32::from(a) * u32::from(b), {
    const BAD: u32 = 0xFF;
    const READS_TEXT: bool = true;

    fn prepare(_: &mut [u8]) -> bool {
        true
    }

    #[inline(always)]
    #[expect(clippy::arithmetic_side_effects, reason = "62^2 < 2^16")]
    fn word([first, second]: [u8; 2]) -> (Self, u32) {
        let ((first, bad), (second, too)) = (value_of(first), value_of(second));
        (Self::from(first & 0x3F) * 62 + Self::from(second & 0x3F), u32::from(bad | too))
    }
});

/// `a + b` plus a carry, and the carry of that.
#[inline(always)]
fn add(a: u64, b: u64, carry: bool) -> (u64, bool) {
    let (sum, over) = a.overflowing_add(b);
    let (sum, again) = sum.overflowing_add(u64::from(carry));
    (sum, over | again)
}

/// The value of a character, and a number that is 0 if the character is a digit.
#[inline(always)]
#[expect(clippy::arithmetic_side_effects, reason = "a factor of 0 or 1")]
fn value_of(character: u8) -> (u8, u8) {
    // As a signed number, a byte above 127 is below all bounds.
    let upper = u8::from(character.cast_signed() >= b'A'.cast_signed());
    let lower = u8::from(character.cast_signed() >= b'a'.cast_signed());
    let value = character.wrapping_sub(b'0').wrapping_sub(upper * 7).wrapping_sub(lower * 6);
    // A character that is not a digit has too large a value for its range: past '9', 'Z' or 'z', or wrapped.
    (value, value.saturating_sub(9 + upper * 26 + lower * 26))
}

/// Replaces each eight characters by the value of those eight digits, as a little-endian `u64`. Returns whether all
/// were digits.
///
/// Not inlined: in a separate function over memory, the compiler vectorises the loops (two to three times faster).
#[inline(never)]
#[expect(clippy::arithmetic_side_effects, reason = "62^2 < 2^16, 62^4 < 2^32, 62^8 < 2^64")]
fn join_eights(batch: &mut [u8]) -> bool {
    let mut excess = 0;
    for place in batch.iter_mut() {
        let (value, bad) = value_of(*place);
        excess |= bad;
        *place = value;
    }
    for place in batch.as_chunks_mut::<2>().0 {
        let pair = u16::from_le_bytes(*place);
        *place = ((pair & 0x3F) * 62 + (pair >> 8)).to_le_bytes();
    }
    for place in batch.as_chunks_mut::<4>().0 {
        let pair = u32::from_le_bytes(*place);
        *place = ((pair & 0x0FFF) * 62_u32.pow(2) + (pair >> 16)).to_le_bytes();
    }
    for place in batch.as_chunks_mut::<8>().0 {
        let pair = u64::from_le_bytes(*place);
        *place = ((pair & 0xFFFF_FFFF) * 62_u64.pow(4) + (pair >> 32)).to_le_bytes();
    }
    excess == 0
}
