//! The server's side: for emulators, for tests and for compatible platforms.

use core::fmt;

use rand_core::TryCryptoRng;

use super::wire::{self, OpenError, Parts, SealError};
use crate::crypto::{OwnKey, POINT_LEN, Zeroizing};

/// Opens requests with the server's secret key. Wiped on drop.
pub struct Recipient {
    own: OwnKey,
}

/// Seals the answer to one request. Wiped on drop.
pub struct Reply {
    key: Zeroizing<[u8; 32]>,
    server: [u8; POINT_LEN],
}

impl Recipient {
    /// A recipient with the server's X25519 secret key.
    #[must_use]
    pub fn new(secret: [u8; 32]) -> Self {
        Self { own: OwnKey::new(secret) }
    }

    /// The public key to configure clients with.
    #[must_use]
    pub const fn public_key(&self) -> &[u8; POINT_LEN] {
        self.own.public()
    }

    /// Opens a request in place. Returns its plaintext and a [`Reply`] that seals the answer.
    ///
    /// # Errors
    ///
    /// See [`OpenError`]. `request` then holds parts of the envelope, never of a plaintext.
    pub fn open<'b>(&self, request: &'b mut [u8]) -> Result<(&'b mut [u8], Reply), OpenError> {
        let parts = Parts::read(request)?;
        let shared = self.own.agree(&parts.epk).ok_or(OpenError::WrongKey)?;
        let mut key = Zeroizing::new([0; 32]);
        wire::derive_key(&shared, &mut key).ok_or(OpenError::WrongKey)?;
        let plaintext = parts.open(&key)?;
        // A clone: a move would leave the key in its old place.
        Ok((plaintext, Reply { key: key.clone(), server: *self.own.public() }))
    }
}

impl Reply {
    /// Seals the answer into `buf`, which needs [`sealed_len`](super::sealed_len) bytes. Takes 12 bytes of `rng` for
    /// the nonce.
    ///
    /// # Errors
    ///
    /// See [`SealError`]. `buf` then holds unspecified bytes.
    pub fn seal<'b, R>(self, plaintext: &[u8], rng: &mut R, buf: &'b mut [u8]) -> Result<&'b str, SealError>
    where
        R: TryCryptoRng + ?Sized,
    {
        wire::seal(&self.key, &self.server, plaintext, rng, buf).map(|(envelope, _)| envelope)
    }
}

/// Prints the public key, never the secret key.
impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recipient").field("public_key", self.public_key()).finish_non_exhaustive()
    }
}

/// Prints nothing of the key.
impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply").finish_non_exhaustive()
    }
}
