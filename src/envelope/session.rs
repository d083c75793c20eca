//! The client's side: a session seals one request, and what is then pending opens one answer.

use core::fmt;

use rand_core::TryCryptoRng;

use super::{
    EstablishError, INFO, OpenError, SealError, ServerKey,
    wire::{self, Parts},
};
use crate::{
    crypto::{self, NONCE_LEN, POINT_LEN, Zeroize as _, Zeroizing},
    opened::Opened,
};

/// A key shared with the server, for one request and its answer. Wiped on drop.
///
/// It takes two X25519 operations to establish, and may be established ahead of time: see
/// [`SessionPool`](super::SessionPool).
///
/// It cannot seal twice:
///
/// ```compile_fail
/// fn twice(session: apikee::Session, rng: &mut impl rand_core::CryptoRng, a: &mut [u8], b: &mut [u8]) {
///     let first = session.seal(b"{}", rng, a);
///     let second = session.seal(b"{}", rng, b);
/// }
/// ```
///
/// Once it can:
///
/// ```
/// fn once(session: apikee::Session, rng: &mut impl rand_core::CryptoRng, a: &mut [u8]) {
///     let first = session.seal(b"{}", rng, a);
/// }
/// ```
pub struct Session {
    key: Zeroizing<[u8; 32]>,
    epk: [u8; POINT_LEN],
    server: [u8; POINT_LEN],
}

/// A request is under way; this opens its answer. Wiped on drop.
///
/// It cannot open twice:
///
/// ```compile_fail
/// fn twice(pending: apikee::Pending, first: &mut [u8], second: &mut [u8]) {
///     let _ = pending.open(first);
///     let _ = pending.open(second);
/// }
/// ```
///
/// Once it can:
///
/// ```
/// fn once(pending: apikee::Pending, first: &mut [u8]) {
///     let _ = pending.open(first);
/// }
/// ```
pub struct Pending {
    key: Zeroizing<[u8; 32]>,
    server: [u8; POINT_LEN],
    /// The request's own nonce.
    iv: [u8; NONCE_LEN],
}

impl Session {
    /// Establishes a session: draws an ephemeral secret (32 bytes of `rng`), computes its public key
    /// and the shared key, and wipes the secret.
    ///
    /// # Errors
    ///
    /// [`EstablishError`] if `rng` fails.
    pub fn establish<R>(server: &ServerKey, rng: &mut R) -> Result<Self, EstablishError>
    where
        R: TryCryptoRng + ?Sized,
    {
        let mut secret = Zeroizing::new([0; 32]);
        rng.try_fill_bytes(secret.as_mut_slice()).map_err(|_| EstablishError)?;
        let agreement = server.peer.agree(&secret);
        let key = crypto::derive(&agreement.shared, INFO).ok_or(EstablishError)?;
        Ok(Self { key, epk: agreement.public, server: *server.as_bytes() })
    }

    /// Seals a request into `buf`, of [`sealed_len`](super::sealed_len) bytes, and draws its nonce
    /// (12 bytes of `rng`). Returns the envelope and what opens its answer.
    ///
    /// # Errors
    ///
    /// As [`SealError`] says; the session is used up then, too, and `buf` holds unspecified bytes.
    pub fn seal<'b, R>(self, plaintext: &[u8], rng: &mut R, buf: &'b mut [u8]) -> Result<(&'b str, Pending), SealError>
    where
        R: TryCryptoRng + ?Sized,
    {
        let iv = draw_nonce(rng)?;
        let envelope = wire::seal(&self.key, &self.epk, &iv, plaintext, buf)?;
        Ok((envelope, Pending { key: self.key, server: self.server, iv }))
    }

    /// Moves a session out of a place that lives on, and overwrites its key there: a move by itself copies.
    pub(super) fn take(&mut self) -> Self {
        let taken = Self { key: self.key.clone(), epk: self.epk, server: self.server };
        self.wipe();
        taken
    }

    /// Overwrites the key in its place.
    pub(super) fn wipe(&mut self) {
        self.key.zeroize();
    }
}

impl Pending {
    /// Opens the answer where it stands.
    ///
    /// The answer must name the server's key and have another nonce than the request. Both directions
    /// use one key, and the name is not authenticated: without the second check, our own request with
    /// the server's key written over its own would open as an answer (docs/WIRE.md, "Envelopes"). Whoever
    /// changes the nonce of a request breaks its tag.
    ///
    /// # Errors
    ///
    /// As [`OpenError`] says. `answer` then holds parts of the envelope, never of a plaintext.
    pub fn open(self, answer: &mut [u8]) -> Result<Opened<'_>, OpenError> {
        let parts = Parts::read(answer)?;
        if parts.epk != self.server {
            return Err(OpenError::WrongKey);
        }
        if parts.iv == self.iv {
            return Err(OpenError::Reflected);
        }
        parts.open(&self.key).map(Opened::new)
    }
}

pub(super) fn draw_nonce<R>(rng: &mut R) -> Result<[u8; NONCE_LEN], SealError>
where
    R: TryCryptoRng + ?Sized,
{
    let mut iv = [0; NONCE_LEN];
    rng.try_fill_bytes(&mut iv).map_err(|_| SealError::Rng)?;
    Ok(iv)
}

/// Nothing of the key.
impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

/// Nothing of the key.
impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").finish_non_exhaustive()
    }
}
