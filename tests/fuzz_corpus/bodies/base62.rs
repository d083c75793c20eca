//! Keys made from a payload and a tag. The library must read the same bytes from their digits, and refuse every other
//! spelling. `num-bigint` is the second implementation.
//!
//! | input | |
//! |---|---|
//! | 1 byte | leading zeros of the payload: its lowest two bits; of the signature: the two above |
//! | 1 byte | which tag: the right one, the right one with a bit changed, or the bytes that follow |
//! | 1 byte `n`, then `n` bytes | a tag |
//! | the rest | the payload |

use apikee::{KeyError, UnixTime, key::UntrustedKey, verify_buffer_len};

use num_bigint::BigUint;

use super::{
    claims::{RING, check_signed},
    trees,
};
use crate::support::{self, NOW, SECRET};

pub fn body(input: &[u8]) {
    let [zeros, mode, tag_len, rest @ ..] = input else {
        return;
    };
    let (tag, payload) = rest.split_at(usize::from(tag_len % 41).min(rest.len()));
    // The payload as a number. It has no leading zeros, except that zero is one byte.
    let (payload_zeros, tag_zeros) = (usize::from(zeros & 3), usize::from(zeros >> 2 & 3));
    let number = match payload.iter().position(|byte| *byte != 0) {
        Some(first) => &payload[first..],
        None if payload.is_empty() && payload_zeros == 0 => &[],
        None => &[0],
    };
    let right = support::tag(SECRET, number);
    let tag = match mode % 3 {
        0 => right.to_vec(),
        1 => {
            let mut tag = right.to_vec();
            tag[usize::from(mode / 3) % 32] ^= 1 << (mode % 8);
            tag
        }
        _ => tag.to_vec(),
    };
    check(payload, payload_zeros, &tag, tag_zeros, number, &right);
}

fn check(payload: &[u8], payload_zeros: usize, tag: &[u8], tag_zeros: usize, number: &[u8], right: &[u8; 32]) {
    let payload_text = "0".repeat(payload_zeros) + &digits(payload);
    let signature_text = "0".repeat(tag_zeros) + &digits(tag);
    let key = format!("apikee_{payload_text}.{signature_text}");
    let missing = payload_text.is_empty() || signature_text.is_empty();
    let zeros = [&payload_text, &signature_text].iter().any(|text| text.len() > 1 && text.starts_with('0'));
    let tag_number = tag.iter().skip_while(|byte| **byte == 0).copied().collect::<Vec<_>>();
    let padded = 32_usize.checked_sub(tag_number.len()).map(|zeros| [vec![0; zeros], tag_number].concat());

    let mut buf = vec![0; verify_buffer_len(key.len())];
    let answer = RING.verify(&key, UnixTime::from_secs(NOW), &mut buf);
    let code = answer.err().map(KeyError::code);
    match &padded {
        Some(padded) if !missing && !zeros => {
            if padded != right {
                assert_eq!(code, Some("INVALID_SIGNATURE"), "{key}");
            } else {
                assert_ne!(code, Some("INVALID_SIGNATURE"), "{key}");
                check_signed(&key, number, 0, trees::payload(number).as_ref());
            }
        }
        _ => assert_eq!(code, Some("DECODE_ERROR"), "{key}"),
    }

    match (UntrustedKey::read(&key, &mut buf), &padded) {
        (Ok(untrusted), Some(padded)) => {
            assert!(!missing, "{key}");
            assert_eq!(untrusted.non_canonical, zeros, "{key}");
            assert_eq!(untrusted.signature_starts_with_zero, padded[0] == 0, "{key}");
        }
        (answer, padded) => {
            assert_eq!(answer.err(), Some(KeyError::Decode), "{key}");
            assert!(missing || padded.is_none(), "{key}");
        }
    }
}

/// The digits of this number, by `num-bigint`. No bytes give no digits.
fn digits(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    if bytes.is_empty() {
        return String::new();
    }
    let digits = BigUint::from_bytes_be(bytes).to_radix_be(62);
    let digits: String = digits.into_iter().map(|digit| char::from(DIGITS[usize::from(digit)])).collect();
    // The simple implementation that the other targets use must agree.
    assert_eq!(support::base62(bytes), digits);
    assert_eq!(
        support::base62_decode(digits.as_bytes()).map(|own| BigUint::from_bytes_be(&own)),
        Some(BigUint::from_bytes_be(bytes))
    );
    digits
}
