//! SHA-256 (FIPS 180-4).

use sha2::{Digest, Sha256};

pub(crate) fn sha256(message: &[u8]) -> [u8; 32] {
    Sha256::digest(message).into()
}
