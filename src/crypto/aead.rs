//! AES-256-GCM (NIST SP 800-38D) with 12-byte nonces, 16-byte tags and no associated data.
//!
//! Put together from AES and GHASH. The crate `aes-gcm` unwraps the error of a message too long for the counter,
//! and so keeps a panic in the program.

use aes::{
    Aes256,
    cipher::{
        Array, BlockCipherEncBackend, BlockCipherEncClosure, BlockCipherEncrypt, BlockSizeUser, KeyInit, ParBlocks,
        consts::U16,
    },
};
use ghash::{GHash, universal_hash::UniversalHash};
use subtle::ConstantTimeEq;

use super::{Zeroize, Zeroizing};

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
    let cipher = Gcm::new(key, nonce, message.len())?;
    cipher.apply(message);
    Some(cipher.tag(message).to_ne_bytes())
}

/// Decrypts `message` where it stands, if its tag is right. If not, it stays as it is.
pub(crate) fn open(
    key: &[u8; 32],
    nonce: &[u8; NONCE_LEN],
    message: &mut [u8],
    tag: &[u8; SEAL_LEN],
) -> Result<(), Unauthentic> {
    let cipher = Gcm::new(key, nonce, message.len()).ok_or(Unauthentic)?;
    if !bool::from(cipher.tag(message).ct_eq(&u128::from_ne_bytes(*tag))) {
        return Err(Unauthentic);
    }
    cipher.apply(message);
    Ok(())
}

/// AES with a key, for one message.
struct Gcm<'m> {
    aes: Aes256,
    nonce: &'m [u8; NONCE_LEN],
}

impl<'m> Gcm<'m> {
    /// `None` if a message of that length is too long for the counter.
    fn new(key: &[u8; 32], nonce: &'m [u8; NONCE_LEN], len: usize) -> Option<Self> {
        (u64::try_from(len).ok()? <= MAX_LEN).then(|| Self { aes: Aes256::new(key.into()), nonce })
    }

    /// Encrypts or decrypts (section 7.1, step 3).
    fn apply(&self, message: &mut [u8]) {
        self.add(2, message);
    }

    /// The tag of a ciphertext (section 7.1, steps 1, 2, 4, 5 and 6), in the order of its bytes.
    #[inline(never)]
    fn tag(&self, ciphertext: &[u8]) -> u128 {
        let mut first = Zeroizing::new([[0; SEAL_LEN]; 2]);
        self.add(0, first.as_flattened_mut());
        let [key, mask] = &*first;
        let mut hash = GHash::new(key.into());
        // Two lengths in bits, of 64 bits each: of the associated data, and of the ciphertext.
        let bits = u64::try_from(ciphertext.len()).unwrap_or(u64::MAX).wrapping_mul(8);
        for part in [ciphertext, &u128::from(bits).to_be_bytes()] {
            hash.update_padded(part);
        }
        u128::from_ne_bytes(hash.finalize().into()) ^ u128::from_ne_bytes(*mask)
    }

    /// Adds key stream to `place`, from the block with that number on.
    #[inline(never)]
    fn add(&self, number: u32, place: &mut [u8]) {
        self.aes.encrypt_with_backend(KeyStream { nonce: self.nonce, number, place });
    }
}

/// Bytes for which a batch is not worth its time, where there are instructions for AES: their batches have 8 to
/// 64 blocks.
const FEW: usize = 2 * SEAL_LEN;

/// The nonce and a number, encrypted (section 6.5), as many blocks at a time as AES is done for at once: on small
/// cores, other code for what is left over would double its size.
struct KeyStream<'m> {
    nonce: &'m [u8; NONCE_LEN],
    number: u32,
    place: &'m mut [u8],
}

impl BlockSizeUser for KeyStream<'_> {
    type BlockSize = U16;
}

impl BlockCipherEncClosure for KeyStream<'_> {
    #[inline(always)]
    fn call<B: BlockCipherEncBackend<BlockSize = U16>>(self, backend: &B) {
        let mut first = [0; SEAL_LEN];
        first.iter_mut().zip(self.nonce).for_each(|(place, byte)| *place = *byte);
        let first = u128::from_be_bytes(first);
        let mut number = self.number;
        let mut blocks = ParBlocks::<B>::default();
        for place in self.place.chunks_mut(size_of::<ParBlocks<B>>()) {
            for block in blocks.iter_mut() {
                // The first number is 1 (section 7.1, step 2). Before it comes the block of zeros, for the hash's key.
                let numbered = if number == 0 { 0 } else { first | u128::from(number) };
                *block = numbered.to_be_bytes().into();
                number = number.wrapping_add(1);
            }
            if cfg!(target_pointer_width = "64") && place.len() <= FEW {
                blocks.iter_mut().take(FEW / SEAL_LEN).for_each(|block| backend.encrypt_block(block.into()));
            } else {
                backend.encrypt_par_blocks((&mut blocks).into());
            }
            for (place, byte) in place.iter_mut().zip(Array::cast_slice_to_core(&blocks).as_flattened()) {
                *place ^= byte;
            }
        }
        blocks.iter_mut().for_each(|block| block.as_mut_slice().zeroize());
    }
}
