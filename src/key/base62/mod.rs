//! Base62 as Apikee uses it: the whole byte string is one big-endian integer, written with the most significant digit
//! first, in the alphabet `0-9A-Za-z` (docs/WIRE.md, "Keys").
//!
//! A number has one spelling: a leading `0` is an error, except in the number zero itself. Conversion takes quadratic
//! time, so callers limit the length first. Both directions read and write the caller's buffer. They use no table that
//! is indexed by key material, so their time depends only on the length.
//!
//! Digits are joined to limbs as wide as the processor can multiply. Together with the inlining this saves a fifth of a
//! verification: a decoder with one loop and without inlining took 130 ns longer for a key with 135 bytes of payload
//! (x86-64). With that decoder, a key of 2 kB would take more than 0.1 ms on slower machines. Apikee's documentation
//! promises 0.1 ms for a verification.

mod decode;
mod encode;
mod limb;

use decode::{decode_by, decode_tag_by};
use limb::Native;

pub(crate) use decode::{DecodeError, decoded_capacity};
pub(crate) use encode::{encode, encoded_capacity};

/// Reads `digits` as one integer. Its bytes, big-endian and without leading zeros, are at the end of the first
/// [`decoded_capacity`] bytes of `out`. Zero is one zero byte.
pub(crate) fn decode<'b>(digits: &[u8], out: &'b mut [u8]) -> Result<&'b mut [u8], DecodeError> {
    decode_by::<Native, { size_of::<Native>() }>(digits, out)
}

/// Reads a tag, which is a 256-bit number, and pads it on the left to 32 bytes.
pub(crate) fn decode_tag(digits: &[u8]) -> Result<[u8; 32], DecodeError> {
    decode_tag_by::<Native, { size_of::<Native>() }>(digits)
}

/// Cuts the zeros off the start. If all are zeros, the last one stays.
fn without_leading(zero: u8, number: &mut [u8]) -> Option<&mut [u8]> {
    let zeros = number.iter().take_while(|byte| **byte == zero).count();
    let zeros = zeros.min(number.len().saturating_sub(1));
    number.get_mut(zeros..)
}

/// The maximum number of digits of a tag: 62^43 > 2^256.
pub(crate) const TAG_DIGITS: usize = 43;

#[expect(clippy::as_conversions, reason = "cutting off the high half is the purpose")]
const fn low(wide: u128) -> u64 {
    wide as u64
}

#[expect(clippy::as_conversions, reason = "64 of 128 bits are left")]
const fn high(wide: u128) -> u64 {
    (wide >> 64) as u64
}

/// `a * b`. WebAssembly has no instruction for it: the compiler would call a function, which returns it through memory.
#[inline(always)]
#[expect(clippy::as_conversions, reason = "widening; `From` is not const")]
#[expect(clippy::arithmetic_side_effects, reason = "the product fits")]
const fn product(a: u64, b: u64) -> u128 {
    if cfg!(target_family = "wasm") { mul_by_halves(a, b) } else { a as u128 * b as u128 }
}

/// `a * b`, from the four products of their halves.
#[inline(always)]
#[expect(clippy::as_conversions, reason = "widening; `From` is not const")]
#[expect(clippy::arithmetic_side_effects, reason = "products of halves, with the three halves that carry into each")]
const fn mul_by_halves(a: u64, b: u64) -> u128 {
    const HALF: u64 = u32::MAX as u64;
    let (a0, a1, b0, b1) = (a & HALF, a >> 32, b & HALF, b >> 32);
    let (p00, p01, p10, p11) = (a0 * b0, a0 * b1, a1 * b0, a1 * b1);
    let middle = (p00 >> 32) + (p01 & HALF) + (p10 & HALF);
    let upper = p11 + (p01 >> 32) + (p10 >> 32) + (middle >> 32);
    (upper as u128) << 64 | (middle << 32 | p00 & HALF) as u128
}

#[cfg(test)]
mod tests {
    use num_bigint::BigUint;
    use proptest::{collection::vec, prelude::*, test_runner::RngSeed};

    use super::*;

    /// The tables are computed by the compiler. Here they are computed once more, at run time, and compared.
    #[test]
    fn tables_hold_the_documented_powers() {
        for (k, digits) in encode::powers().iter().enumerate() {
            let sum = digits.iter().rev().fold(BigUint::from(0_u8), |sum, digit| sum * 62_u64.pow(10) + digit);
            assert_eq!(sum, BigUint::from(1_u8) << (56 * k));
        }
        for (base, words, bytes) in [(62, 1, 4), (62, 2, 8), (62, 4, 4), (62, 4, 8), (31, 8, 4), (31, 8, 8)] {
            let limb = |at: usize| BigUint::from(limb::limb_of(base, words, bytes, at)) << (8 * bytes * at);
            let sum: BigUint = (0..40 / bytes).map(limb).sum();
            assert_eq!(sum, BigUint::from(base).pow(u32::try_from(words * bytes).unwrap()));
        }
    }

    /// The product in the formula does not fit into a `usize` for these lengths.
    #[test]
    fn capacities_for_huge_lengths_are_exact_or_as_large_as_possible() {
        let wide = |len: usize| u128::try_from(len).unwrap();
        for base in [0, 119, usize::MAX / 160, usize::MAX / 16, usize::MAX / 10 * 7, usize::MAX - 1000] {
            let mut before = 0;
            for bytes in base.saturating_sub(500)..=base.saturating_add(1000) {
                let exact = (wide(bytes) * 16).div_ceil(119) * 10;
                let capacity = encoded_capacity(bytes);
                assert_eq!(wide(capacity), exact.min(wide(usize::MAX)), "{bytes}");
                assert!(before <= capacity, "{bytes}");
                before = capacity;
            }
        }
    }

    #[test]
    fn products_by_halves_are_the_products() {
        let edges = [0, 1, 61, u64::from(u32::MAX), 1 << 32, u64::MAX - 1, u64::MAX, 0x9E37_79B9_7F4A_7C15];
        for (a, b) in edges.into_iter().flat_map(|a| edges.map(|b| (a, b))) {
            assert_eq!(mul_by_halves(a, b), u128::from(a) * u128::from(b), "{a} {b}");
        }
    }

    /// Bytes without a zero at the start, different for each length.
    fn sample(len: usize) -> Vec<u8> {
        let mut state = len as u64;
        (0..len)
            .map(|at| {
                state = state.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
                (state >> 33) as u8 | u8::from(at == 0)
            })
            .collect()
    }

    const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

    /// Converts by the definition, digit by digit.
    fn by_the_book(bytes: &[u8]) -> String {
        let mut number = bytes.to_vec();
        let mut text = Vec::new();
        while number.iter().any(|&byte| byte != 0) {
            let mut rest = 0;
            for byte in &mut number {
                let value = rest << 8 | u32::from(*byte);
                *byte = (value / 62) as u8;
                rest = value % 62;
            }
            text.push(ALPHABET[rest as usize]);
        }
        text.reverse();
        String::from_utf8(text).unwrap()
    }

    fn encoded(bytes: &[u8]) -> String {
        let mut out = vec![0xAA; encoded_capacity(bytes.len())];
        String::from_utf8(encode(bytes, &mut out).unwrap().to_vec()).unwrap()
    }

    /// Decodes with limbs of each width.
    fn decoded(text: &[u8]) -> Result<Vec<u8>, DecodeError> {
        let mut out = vec![0xAA; decoded_capacity(text.len())];
        let native = decode(text, &mut out).map(|bytes| bytes.to_vec());
        for decode in [decode_by::<u64, 8>, decode_by::<u32, 4>, decode_by::<u16, 2>] {
            out.fill(0xAA);
            assert_eq!(decode(text, &mut out).map(|bytes| bytes.to_vec()), native);
        }
        out.fill(0xAA);
        native
    }

    /// Decodes a tag with limbs of each width.
    fn decoded_tag(text: &[u8]) -> Result<[u8; 32], DecodeError> {
        let native = decode_tag(text);
        for decode_tag in [decode_tag_by::<u64, 8>, decode_tag_by::<u32, 4>, decode_tag_by::<u16, 2>] {
            assert_eq!(decode_tag(text), native);
        }
        native
    }

    #[test]
    fn every_length_agrees_with_the_definition_both_ways() {
        for len in 1..=300 {
            for bytes in [sample(len), vec![0xFF; len], [vec![1], vec![0; len - 1]].concat()] {
                let text = by_the_book(&bytes);
                assert_eq!(encoded(&bytes), text, "{len} bytes");
                assert_eq!(decoded(text.as_bytes()).unwrap(), bytes, "{len} bytes");
            }
        }
    }

    #[test]
    fn powers_of_the_inner_bases_survive() {
        // Carries reach furthest just below, at and just above a power of an inner radix.
        for exponent in [8, 10, 16, 32, 60, 64, 70, 128, 130] {
            let power = [b"1".to_vec(), vec![b'0'; exponent]].concat();
            let below = vec![b'z'; exponent];
            let above = [b"1".to_vec(), vec![b'0'; exponent - 1], b"1".to_vec()].concat();
            for text in [power, below, above] {
                let bytes = decoded(&text).unwrap();
                assert_eq!(by_the_book(&bytes).as_bytes(), text);
                assert_eq!(encoded(&bytes).as_bytes(), text);
            }
        }
    }

    #[test]
    fn only_the_62_digits_are_read() {
        for byte in 0..=255 {
            for at in 0..9 {
                let mut text = *b"1zzzzzzzz";
                text[at] = byte;
                let good = byte.is_ascii_alphanumeric() && (at > 0 || byte != b'0');
                assert_eq!(decoded(&text).is_ok(), good, "{byte:#x} at {at}");
                assert_eq!(decoded_tag(&text).is_ok(), good, "{byte:#x} at {at}");
            }
        }
    }

    #[test]
    fn zero_is_one_byte_and_has_one_spelling() {
        assert_eq!(decoded(b"0"), Ok(vec![0]));
        for text in [&b""[..], b"00", b"01", b"0z"] {
            assert_eq!(decoded(text), Err(DecodeError::Spelling));
            assert_eq!(decoded_tag(text), Err(DecodeError::Spelling));
        }
        assert_eq!(encoded(&[0]), "0");
        assert_eq!(encoded(&[0, 0, 61]), "z");
    }

    #[test]
    fn a_short_buffer_is_refused_with_a_length_that_is_enough() {
        let text = [b'1'; 182];
        let needed = decoded_capacity(text.len());
        for room in 0..needed {
            assert_eq!(decode(&text, &mut vec![0; room]), Err(DecodeError::Room(needed)));
        }
        assert!(encode(&[1; 135], &mut vec![0; encoded_capacity(135) - 1]).is_none());
    }

    #[test]
    fn a_tag_is_left_padded_and_its_256_bits_are_the_limit() {
        assert_eq!(decoded_tag(b"1"), Ok(core::array::from_fn(|at| u8::from(at == 31))));
        let largest = by_the_book(&[0xFF; 32]);
        assert_eq!(decoded_tag(largest.as_bytes()), Ok([0xFF; 32]));
        let mut past = largest.into_bytes();
        *past.last_mut().unwrap() += 1;
        assert_eq!(decoded_tag(&past), Err(DecodeError::Spelling));
        assert_eq!(decoded_tag(&[b'1'; 44]), Err(DecodeError::Spelling));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1024, rng_seed: RngSeed::Fixed(62), ..ProptestConfig::default() })]

        #[test]
        fn bytes_are_the_digits_of_the_big_integer(bytes in vec(any::<u8>(), 1..=700)) {
            let digits = BigUint::from_bytes_be(&bytes).to_radix_be(62);
            let text: Vec<u8> = digits.iter().map(|digit| ALPHABET[usize::from(*digit)]).collect();
            prop_assert_eq!(encoded(&bytes).into_bytes(), text);
        }

        #[test]
        fn digits_are_the_bytes_of_the_big_integer(digits in vec(0..62_u8, 1..=900)) {
            prop_assume!(digits[0] != 0);
            let text: Vec<u8> = digits.iter().map(|digit| ALPHABET[usize::from(*digit)]).collect();
            let bytes = BigUint::from_radix_be(&digits, 62).unwrap().to_bytes_be();
            prop_assert_eq!(decoded(&text), Ok(bytes));
        }

        #[test]
        fn encoded_bytes_are_decoded_by_each_width(bytes in vec(any::<u8>(), 1..=700)) {
            prop_assume!(bytes[0] != 0);
            prop_assert_eq!(decoded(encoded(&bytes).as_bytes()), Ok(bytes));
        }

        #[test]
        fn each_width_accepts_the_same_texts(text in "[0-9A-Za-z]{0,600}|[ -~]{1,64}", at in any::<prop::sample::Index>(), byte: u8) {
            let _ = (decoded(text.as_bytes()), decoded_tag(text.as_bytes()));
            let mut text = text.into_bytes();
            text.push(b'7');
            let at = at.index(text.len());
            text[at] = byte;
            let digits = text.iter().all(u8::is_ascii_alphanumeric) && (text.len() == 1 || text[0] != b'0');
            prop_assert_eq!(decoded(&text).is_ok(), digits);
            let _ = decoded_tag(&text);
        }
    }
}
