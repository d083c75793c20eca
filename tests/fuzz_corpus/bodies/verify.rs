//! Any bytes as a key. They verify exactly if docs/WIRE.md accepts them.

use apikee::{Fingerprint, KeyError, UnixTime, VerifiedKey, key::UntrustedKey, verify_buffer_len};
use sha2::{Digest, Sha256};

use super::{
    claims::{RING, check_signed},
    trees,
};
use crate::support::{self, NOW, OTHER_SECRET, SECRET};

pub fn body(key: &[u8]) {
    check_buffers(key);
    // A key of about this length or more is always too long.
    if key.len() > 10_000 {
        return;
    }
    let answer = expected_result(key);
    let mut buf = vec![0; verify_buffer_len(key.len())];
    match (RING.verify(key, UnixTime::from_secs(NOW), &mut buf), answer) {
        (ours, Err(code)) => assert_eq!(ours.map(|_| ()).map_err(KeyError::code), Err(code)),
        (ours, Ok((payload, secret_index))) => {
            if let Ok(verified) = ours {
                check_names(&verified);
            }
            let key = std::str::from_utf8(key).expect("a well-formed key is ASCII");
            check_signed(key, &payload, secret_index, trees::payload(&payload).as_ref());
        }
    }
}

/// docs/WIRE.md's checks 2 to 5: the payload and the index of the secret that signed it, or the code.
pub fn expected_result(key: &[u8]) -> Result<(Vec<u8>, usize), &'static str> {
    let text = key.strip_prefix(b"apikee_").ok_or("INVALID_PREFIX")?;
    let dot = text.iter().position(|byte| *byte == b'.').ok_or("INVALID_FORMAT")?;
    let payload = canonical(&text[..dot]).ok_or("DECODE_ERROR")?;
    let signature = canonical(&text[dot + 1..]).ok_or("DECODE_ERROR")?;
    let mut tag = [0; 32];
    let padding = tag.len().checked_sub(signature.len()).ok_or("DECODE_ERROR")?;
    tag[padding..].copy_from_slice(&signature);
    let secret_index = [SECRET, OTHER_SECRET].iter().position(|secret| support::tag(secret, &payload) == tag);
    Ok((payload, secret_index.ok_or("INVALID_SIGNATURE")?))
}

/// The bytes of these digits, if the digits are the canonical ones.
fn canonical(text: &[u8]) -> Option<Vec<u8>> {
    let bytes = support::base62_decode(text)?;
    (support::base62(&bytes).as_bytes() == text).then_some(bytes)
}

/// Checks that a buffer of the documented length is enough. A shorter buffer gives the same result, or an error with a
/// length that is enough.
fn check_buffers(key: &[u8]) {
    let enough = verify_buffer_len(key.len());
    let answer = verify(key, enough);
    assert!(!matches!(answer, Err(KeyError::BufferTooSmall { .. })));
    for room in [0, 1, enough / 2, enough.saturating_sub(9), enough.saturating_sub(8), enough.saturating_sub(1)] {
        match verify(key, room) {
            Err(KeyError::BufferTooSmall { needed }) => assert!(needed > room && needed <= enough, "{room}"),
            same => assert_eq!(same, answer, "{room} of {enough}"),
        }
    }
}

fn verify(key: &[u8], room: usize) -> Result<serde_json::Value, KeyError> {
    let (mut buf, mut other) = (vec![0; room], vec![0; room]);
    let untrusted = UntrustedKey::read(key, &mut other);
    let verified = RING.verify(key, UnixTime::from_secs(NOW), &mut buf)?;
    let claims = serde_json::to_value(verified.claims()).unwrap();
    let untrusted = untrusted.expect("a key that verifies can be read").claims;
    assert_eq!(serde_json::to_value(untrusted).unwrap(), claims);
    Ok(claims)
}

fn check_names(verified: &VerifiedKey<'_>) {
    let hash: [u8; 32] = Sha256::digest(verified.raw()).into();
    assert_eq!(verified.fingerprint(), Fingerprint::from_bytes(hash));
    assert_eq!(verified.fingerprint().to_string().parse(), Ok(verified.fingerprint()));
}
