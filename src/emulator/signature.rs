//! Checks `x-apikee-signature` (docs/WIRE.md, "The platform's API").

use std::{borrow::ToOwned as _, vec, vec::Vec};

use base64ct::{Base64UrlUnpadded, Encoding as _};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use rustls_pki_types::{SubjectPublicKeyInfoDer, pem::PemObject as _};

use crate::error::sentences;

/// The public key for the signatures of a project's requests.
pub(super) struct SigningKey(UnparsedPublicKey<Vec<u8>>);

/// The DER bytes of every RSA key before its numbers: the algorithm's OID, and NULL as its parameters (RFC 3279,
/// section 2.3.1).
const RSA_ENCRYPTION: &[u8] = &[0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01, 0x05, 0x00];

const SEQUENCE: u8 = 0x30;
const BIT_STRING: u8 = 0x03;

impl SigningKey {
    pub(super) fn from_pem(pem: &str) -> Result<Self, InvalidSigningKey> {
        let spki = SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes()).map_err(|_| InvalidSigningKey)?;
        let numbers = rsa_numbers(&spki).ok_or(InvalidSigningKey)?;
        Ok(Self(UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, numbers.to_owned())))
    }

    /// Whether `signature`, base64url without padding, is a signature of the message.
    pub(super) fn accepts(&self, message: &str, signature: &str) -> bool {
        let mut bytes = vec![0; signature.len()];
        let signature = Base64UrlUnpadded::decode(signature, &mut bytes);
        signature.is_ok_and(|signature| self.0.verify(message.as_bytes(), signature).is_ok())
    }
}

/// Parses `SEQUENCE { SEQUENCE { OID, NULL }, BIT STRING { RSAPublicKey } }` and returns the RSAPublicKey, which ring
/// expects.
fn rsa_numbers(spki: &[u8]) -> Option<&[u8]> {
    let (spki, b"") = element(spki, SEQUENCE)? else { return None };
    let (algorithm, rest) = element(spki, SEQUENCE)?;
    let (bits, b"") = element(rest, BIT_STRING)? else { return None };
    let numbers = bits.strip_prefix(&[0])?;
    let (_, b"") = element(numbers, SEQUENCE)? else { return None };
    (algorithm == RSA_ENCRYPTION).then_some(numbers)
}

/// The content of the first DER element, and the bytes after it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (first, rest) = der.strip_prefix(&[tag])?.split_first()?;
    let (len, rest) = match *first {
        len @ ..=0x7F => (usize::from(len), rest),
        0x81 => rest.split_first().map(|(len, rest)| (usize::from(*len), rest))?,
        0x82 => rest.split_first_chunk().map(|(len, rest)| (usize::from(u16::from_be_bytes(*len)), rest))?,
        _ => return None,
    };
    rest.split_at_checked(len)
}

/// The text is not the PEM of an RSA public key (`BEGIN PUBLIC KEY`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidSigningKey;

sentences!(InvalidSigningKey, "not the PEM of an RSA public key");
