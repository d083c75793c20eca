//! Text to bytes, word by word: 600 bytes less of code than [`decode`](mod@super::decode), which joins the words of a
//! block before it multiplies. As fast on WebAssembly, where a product of 64 bits is one instruction, and to turn the
//! bytes of a limb takes ten.
//!
//! A word has four digits, and a pass takes four words through all limbs: a limb times 62^4, plus what the word has
//! carried so far, is the limb that the next word sees, and a new carry.

use super::{
    TAG_DIGITS,
    decode::{DecodeError, check_spelling, decoded_capacity},
    limb::Limb,
    without_leading,
};

const DIGITS: usize = 4 * size_of::<u32>();

/// Of the limbs that a pass makes more: 16 digits are less than 96 bits.
const LIMBS: usize = 3;

/// As [`decode`](super::decode()).
pub(super) fn decode<'b>(digits: &[u8], out: &'b mut [u8]) -> Result<&'b mut [u8], DecodeError> {
    check_spelling(digits)?;
    let needed = decoded_capacity(digits.len());
    let out = out.get_mut(..needed).ok_or(DecodeError::Room(needed))?;
    fill(digits, out).ok_or(DecodeError::Spelling)?;
    without_leading(0, out).ok_or(DecodeError::Spelling)
}

/// As [`decode_tag`](super::decode_tag).
pub(super) fn decode_tag(digits: &[u8]) -> Result<[u8; 32], DecodeError> {
    check_spelling(digits)?;
    if digits.len() > TAG_DIGITS {
        return Err(DecodeError::Spelling);
    }
    let mut room = [0; 40];
    fill(digits, &mut room).ok_or(DecodeError::Spelling)?;
    let (above, tag) = room.split_first_chunk().ok_or(DecodeError::Spelling)?;
    if u64::from_ne_bytes(*above) != 0 {
        return Err(DecodeError::Spelling);
    }
    tag.first_chunk().copied().ok_or(DecodeError::Spelling)
}

/// Writes the number over all of `out`, big-endian, which has place for it; `None` if a character is no digit.
///
/// Not inlined: both kinds of numbers are read by it.
#[inline(never)]
fn fill(digits: &[u8], out: &mut [u8]) -> Option<()> {
    out.fill(0);
    let mut number = Number { places: out.as_chunks_mut().0, limbs: 0 };
    let (head, rest) = digits.split_at_checked(digits.len() % DIGITS)?;
    let mut first = [b'0'; DIGITS];
    for (place, digit) in first.iter_mut().rev().zip(head.iter().rev()) {
        *place = *digit;
    }
    number.append(&first)?;
    number.append(rest)?;
    for place in number.places {
        *place = u32::from_ne_bytes(*place).to_be_bytes();
    }
    Some(())
}

/// A number that grows from the end of a buffer towards its front, each limb in the processor's order of bytes.
struct Number<'o> {
    places: &'o mut [[u8; 4]],
    /// Limbs that it has at most.
    limbs: usize,
}

impl Number<'_> {
    /// Appends whole passes of digits; `None` if one is no digit.
    #[inline(never)]
    fn append(&mut self, digits: &[u8]) -> Option<()> {
        for pass in digits.as_chunks::<DIGITS>().0 {
            let mut words = [0; 4];
            let mut bad = 0;
            for (word, characters) in words.iter_mut().zip(pass.as_chunks().0) {
                let (value, flags) = u32::word(*characters);
                *word = value;
                bad |= flags;
            }
            if bad & u32::BAD != 0 {
                return None;
            }
            let [mut a, mut b, mut c, mut d] = words;
            self.limbs = self.limbs.saturating_add(LIMBS);
            for place in self.places.iter_mut().rev().take(self.limbs) {
                let mut limb = u32::from_ne_bytes(*place);
                (limb, a) = <u32 as Limb<4>>::mul_add(limb, u32::WORD, a, 0);
                (limb, b) = <u32 as Limb<4>>::mul_add(limb, u32::WORD, b, 0);
                (limb, c) = <u32 as Limb<4>>::mul_add(limb, u32::WORD, c, 0);
                (limb, d) = <u32 as Limb<4>>::mul_add(limb, u32::WORD, d, 0);
                *place = limb.to_ne_bytes();
            }
        }
        Some(())
    }
}
