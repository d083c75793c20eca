//! AES-256-GCM (NIST SP 800-38D) with 12-byte nonces, 16-byte tags and no associated data.
//!
//! Put together from AES, its counter mode and GHASH as the crate `aes-gcm` does it. That unwraps the
//! error of a message too long for the counter, and so keeps a panic in the program.

use aes::{
    Aes256, Block,
    cipher::{BlockCipherEncrypt, InnerIvInit, KeyInit, StreamCipherCore},
};
use ctr::{CtrCore, flavors::Ctr32BE};
use ghash::{GHash, universal_hash::UniversalHash};
use subtle::ConstantTimeEq;

use super::Zeroizing;

pub(crate) const NONCE_LEN: usize = 12;
/// Bytes that a sealed message is longer than its plaintext: the tag.
pub(crate) const SEAL_LEN: usize = 16;

/// Bytes of a message at most (section 5.2.1.1).
const MAX_LEN: u64 = (1 << 36) - 32;

/// A message was not made with this key, or is not what was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unauthentic;

/// Encrypts `message` where it stands and returns the tag; `None` past 2^36 - 32 bytes.
pub(crate) fn seal(key: &[u8; 32], nonce: &[u8; NONCE_LEN], message: &mut [u8]) -> Option<[u8; SEAL_LEN]> {
    let cipher = Aes256::new(key.into());
    let (stream, mask) = start(&cipher, nonce, message.len())?;
    stream.try_apply_keystream_partial((&mut *message).into()).ok()?;
    Some(authenticate(&cipher, &mask, message).to_ne_bytes())
}

/// Decrypts `message` where it stands, if its tag is right. If not, it stays as it is.
pub(crate) fn open(
    key: &[u8; 32],
    nonce: &[u8; NONCE_LEN],
    message: &mut [u8],
    tag: &[u8; SEAL_LEN],
) -> Result<(), Unauthentic> {
    let cipher = Aes256::new(key.into());
    let (stream, mask) = start(&cipher, nonce, message.len()).ok_or(Unauthentic)?;
    if !bool::from(authenticate(&cipher, &mask, message).ct_eq(&u128::from_ne_bytes(*tag))) {
        return Err(Unauthentic);
    }
    stream.try_apply_keystream_partial(message.into()).map_err(|_| Unauthentic)
}

type KeyStream<'c> = CtrCore<&'c Aes256, Ctr32BE>;

/// The key stream for a message of that length, and the block before it, which masks the tag (section 7.1,
/// steps 2, 3 and 6); `None` if the message is too long.
fn start<'c>(cipher: &'c Aes256, nonce: &[u8; NONCE_LEN], len: usize) -> Option<(KeyStream<'c>, Zeroizing<Block>)> {
    if u64::try_from(len).ok()? > MAX_LEN {
        return None;
    }
    let mut first = Block::default();
    for (place, byte) in first.iter_mut().zip(nonce.iter().chain(&[0, 0, 0, 1])) {
        *place = *byte;
    }
    let mut stream = KeyStream::inner_iv_init(cipher, &first);
    let mut mask = Zeroizing::new(Block::default());
    stream.write_keystream_block(&mut mask);
    Some((stream, mask))
}

/// The tag of a ciphertext (section 7.1, steps 1, 4, 5 and 6), in the order of its bytes.
fn authenticate(cipher: &Aes256, mask: &Block, ciphertext: &[u8]) -> u128 {
    let mut hash_key = Zeroizing::new(Block::default());
    cipher.encrypt_block(&mut hash_key);
    let mut hash = GHash::new(&hash_key);
    hash.update_padded(ciphertext);
    // Two lengths in bits, of 64 bits each: of the associated data, and of the ciphertext.
    let bits = u64::try_from(ciphertext.len()).unwrap_or(u64::MAX).wrapping_mul(8);
    hash.update(&[u128::from(bits).to_be_bytes().into()]);
    u128::from_ne_bytes(hash.finalize().into()) ^ u128::from_ne_bytes((*mask).into())
}
