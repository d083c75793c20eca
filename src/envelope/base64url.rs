//! Base64url without padding (RFC 4648, section 5), in place. Only the canonical spelling is accepted.

use base64ct::{Base64UrlUnpadded, Encoding as _};

/// Bytes that are converted at a time. It is a multiple of three, so that only the last chunk can end with a digit that
/// holds fewer bits.
const CHUNK: usize = 96;

/// The number of digits for this number of bytes; `usize::MAX` if it is larger than that.
///
/// Divides first, because 4 times a large number does not fit into a `usize`.
pub(super) const fn encoded_len(bytes: usize) -> usize {
    let (whole, rest) = (bytes / 3, bytes % 3);
    whole.saturating_mul(4).saturating_add(rest.saturating_mul(4).div_ceil(3))
}

/// Writes the digits of `bytes` to the start of `place`. Returns their number; `None` if they do not fit.
pub(super) fn encode(bytes: &[u8], place: &mut [u8]) -> Option<usize> {
    Base64UrlUnpadded::encode(bytes, place).ok().map(str::len)
}

/// Fills `place` with the digits of its last `len` bytes. `None` if `place` does not have exactly their length.
pub(super) fn encode_in_place(place: &mut [u8], len: usize) -> Option<()> {
    if place.len() != encoded_len(len) {
        return None;
    }
    let (mut from, mut to) = (place.len().checked_sub(len)?, 0_usize);
    // Three bytes become four digits, so the digits never overwrite bytes that have not been read yet.
    while let Some(rest) = place.get(from..).filter(|rest| !rest.is_empty()) {
        let mut chunk = [0; CHUNK];
        let bytes = chunk.get_mut(..rest.len().min(CHUNK))?;
        bytes.iter_mut().zip(rest).for_each(|(byte, own)| *byte = *own);
        from = from.checked_add(bytes.len())?;
        to = to.checked_add(encode(bytes, place.get_mut(to..)?)?)?;
    }
    Some(())
}

/// Replaces the digits in `text` by the bytes that they stand for, and returns those bytes.
///
/// `None` if a character is not a digit, if no number of bytes has this number of digits, or if the last digit has bits
/// set that belong to no byte. `text` then holds a part of the bytes.
pub(super) fn decode_in_place(text: &mut [u8]) -> Option<&mut [u8]> {
    // `base64ct` can also decode in place, but then it accepts such extra bits in the last digit.
    let (mut from, mut to) = (0_usize, 0_usize);
    while let Some(rest) = text.get(from..).filter(|rest| !rest.is_empty()) {
        let mut chunk = [0; CHUNK];
        let digits = rest.get(..rest.len().min(encoded_len(CHUNK)))?;
        let bytes = Base64UrlUnpadded::decode(digits, &mut chunk).ok()?;
        from = from.checked_add(digits.len())?;
        let end = to.checked_add(bytes.len())?;
        text.get_mut(to..end)?.copy_from_slice(bytes);
        to = end;
    }
    text.get_mut(..to)
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    use proptest::{collection::vec, prelude::*, test_runner::RngSeed};

    use super::*;

    /// Enough for several chunks.
    const LENGTHS: core::ops::RangeInclusive<usize> = 0..=600;

    /// Bytes in which neighbours are never equal.
    fn bytes(len: usize) -> Vec<u8> {
        (0..len).map(|at| (at * 167 + at / 256) as u8).collect()
    }

    #[track_caller]
    fn assert_encoded(bytes: &[u8]) {
        let text = URL_SAFE_NO_PAD.encode(bytes);
        let mut place = vec![0xFF; encoded_len(bytes.len()) - bytes.len()];
        place.extend_from_slice(bytes);
        encode_in_place(&mut place, bytes.len()).unwrap();
        assert_eq!(place, text.as_bytes());
        let mut place = vec![0xFF; text.len() + 1];
        encode(bytes, &mut place).unwrap();
        assert_eq!(place, [text.as_bytes(), &[0xFF]].concat());
    }

    fn decoded(text: &[u8]) -> Option<Vec<u8>> {
        decode_in_place(&mut text.to_vec()).map(|bytes| bytes.to_vec())
    }

    /// Compares with the `base64` crate, which also accepts the canonical spelling only.
    #[track_caller]
    fn assert_decoded(text: &[u8]) {
        assert_eq!(decoded(text), URL_SAFE_NO_PAD.decode(text).ok(), "{}", text.escape_ascii());
    }

    #[test]
    fn bytes_of_each_length_are_encoded_as_base64_does_it() {
        LENGTHS.for_each(|len| assert_encoded(&bytes(len)));
    }

    /// The product in the formula does not fit into a `usize` for these lengths.
    #[test]
    fn lengths_for_huge_lengths_are_exact_or_as_large_as_possible() {
        let wide = |len: usize| u128::try_from(len).unwrap();
        for base in [0, usize::MAX / 4, usize::MAX / 4 * 3, usize::MAX - 1000] {
            let mut before = 0;
            for bytes in base.saturating_sub(500)..=base.saturating_add(1000) {
                let exact = (wide(bytes) * 4).div_ceil(3);
                assert_eq!(wide(encoded_len(bytes)), exact.min(wide(usize::MAX)), "{bytes}");
                assert!(before <= encoded_len(bytes), "{bytes}");
                before = encoded_len(bytes);
            }
        }
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
    fn a_byte_that_is_not_a_digit_is_found_in_each_chunk() {
        let digits = URL_SAFE_NO_PAD.encode(bytes(900));
        for at in 0..digits.len() {
            for byte in *b"+/= \n\\\"\x00\x80\xFF,.:@[`{^" {
                let mut text = digits.as_bytes().to_vec();
                text[at] = byte;
                assert_eq!(decoded(&text), None);
            }
        }
    }

    #[test]
    fn padding_is_refused() {
        for text in ["AA==", "AAA=", "AAAA====", "====", "=", "AAAAAA==", "AA=", "AA=A"] {
            assert_eq!(decoded(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn bytes_that_do_not_fit_are_not_encoded() {
        assert_eq!(encode(&[0; 32], &mut [0; 42]), None);
        assert_eq!(encode(&[0; 32], &mut [0; 31]), None);
        assert_eq!(encode_in_place(&mut [0; 42], 32), None);
        assert_eq!(encode_in_place(&mut [0; 43], 32), Some(()));
        assert_eq!(encode_in_place(&mut [0; 44], 32), None);
        assert_eq!(encode_in_place(&mut [0; 43], usize::MAX), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2048, rng_seed: RngSeed::Fixed(4648), ..ProptestConfig::default() })]

        #[test]
        fn bytes_are_encoded_as_base64_does_it(bytes in vec(any::<u8>(), 0..=1600)) {
            assert_encoded(&bytes);
        }

        #[test]
        // Not from a pattern: making a text from one takes longer than decoding it.
        fn digits_are_decoded_as_base64_does_it(mut text in vec(any::<u8>(), 0..=1600)) {
            const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
            text.iter_mut().for_each(|byte| *byte = DIGITS[usize::from(*byte % 64)]);
            assert_decoded(&text);
        }

        #[test]
        fn text_is_decoded_as_base64_does_it(text in "[ -~]{0,8}|[A-Za-z0-9_+/=-]{0,64}") {
            assert_decoded(text.as_bytes());
        }
    }
}
