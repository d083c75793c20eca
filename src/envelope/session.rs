//! The client's side: a session seals one request, and the resulting pending opens one answer. A pool keeps sessions
//! that were established ahead of time.

use core::{fmt, time::Duration};

use heapless::Deque;
use rand_core::TryCryptoRng;

use super::{
    server_key::ServerKey,
    wire::{self, OpenError, Parts, SealError},
};
use crate::{
    crypto::{NONCE_LEN, POINT_LEN, Zeroize as _, Zeroizing},
    error::sentences,
};

/// A key shared with the server, for one request and its answer. Wiped on drop.
///
/// Establishing it takes two X25519 operations. It can be established ahead of time: see [`SessionPool`].
///
/// It cannot seal twice:
///
/// ```compile_fail
/// fn twice(session: apikee::envelope::Session, rng: &mut impl rand_core::CryptoRng, a: &mut [u8], b: &mut [u8]) {
///     let first = session.seal(b"{}", rng, a);
///     let second = session.seal(b"{}", rng, b);
/// }
/// ```
///
/// It can seal once:
///
/// ```
/// fn once(session: apikee::envelope::Session, rng: &mut impl rand_core::CryptoRng, a: &mut [u8]) {
///     let first = session.seal(b"{}", rng, a);
/// }
/// ```
pub struct Session {
    key: Zeroizing<[u8; 32]>,
    epk: [u8; POINT_LEN],
    server: [u8; POINT_LEN],
}

/// Opens the answer to a request that was sealed. Wiped on drop.
///
/// It cannot open twice:
///
/// ```compile_fail
/// fn twice(pending: apikee::envelope::Pending, first: &mut [u8], second: &mut [u8]) {
///     let _ = pending.open(first);
///     let _ = pending.open(second);
/// }
/// ```
///
/// It can open once:
///
/// ```
/// fn once(pending: apikee::envelope::Pending, first: &mut [u8]) {
///     let _ = pending.open(first);
/// }
/// ```
pub struct Pending {
    key: Zeroizing<[u8; 32]>,
    server: [u8; POINT_LEN],
    /// The nonce of the request.
    iv: [u8; NONCE_LEN],
}

impl Session {
    /// Establishes a session. Draws an ephemeral secret (32 bytes of `rng`), computes its public key and the shared
    /// key, and wipes the secret.
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
        let mut key = Zeroizing::new([0; 32]);
        wire::derive_key(&agreement.shared, &mut key).ok_or(EstablishError)?;
        // A clone: a move would leave the key in its old place.
        Ok(Self { key: key.clone(), epk: agreement.public, server: *server.as_bytes() })
    }

    /// Seals a request into `buf`, which needs [`sealed_len`](super::sealed_len) bytes. Takes 12 bytes of `rng` for the
    /// nonce. Returns the envelope, and a [`Pending`] that opens its answer.
    ///
    /// # Errors
    ///
    /// See [`SealError`]. The session is used up, and `buf` holds unspecified bytes.
    pub fn seal<'b, R>(self, plaintext: &[u8], rng: &mut R, buf: &'b mut [u8]) -> Result<(&'b str, Pending), SealError>
    where
        R: TryCryptoRng + ?Sized,
    {
        let (envelope, iv) = wire::seal(&self.key, &self.epk, plaintext, rng, buf)?;
        // A clone, as in `establish`.
        Ok((envelope, Pending { key: self.key.clone(), server: self.server, iv }))
    }

    /// Moves a session out of `self` and overwrites the key in `self`: a plain move would leave a copy there.
    fn take(&mut self) -> Self {
        let taken = Self { key: self.key.clone(), epk: self.epk, server: self.server };
        self.wipe();
        taken
    }

    /// Overwrites the key.
    fn wipe(&mut self) {
        self.key.zeroize();
    }
}

impl Pending {
    /// Opens the answer in place.
    ///
    /// The answer must name the server's key, and its nonce must differ from the request's. Both directions use one
    /// key, and the name is not authenticated. So without the check of the nonce, an attacker could send our own
    /// request back with its public key replaced by the server's, and it would open as an answer (docs/WIRE.md,
    /// "Envelopes"). Changing the nonce of the request breaks its tag.
    ///
    /// # Errors
    ///
    /// See [`OpenError`]. `answer` then holds parts of the envelope, never of a plaintext.
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

/// The plaintext of a sealed answer that was opened. The platform wrote it for this request.
///
/// There is no public constructor, so a plain answer cannot be mistaken for it.
pub struct Opened<'b>(&'b mut [u8]);

impl<'b> Opened<'b> {
    /// Only call this with a plaintext that has been authenticated.
    pub(crate) const fn new(plaintext: &'b mut [u8]) -> Self {
        Self(plaintext)
    }

    /// The plaintext.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        self.0
    }

    /// The plaintext as ordinary bytes.
    #[must_use]
    pub const fn into_bytes(self) -> &'b mut [u8] {
        self.0
    }
}

/// The random number generator failed, so no session was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct EstablishError;

sentences!(EstablishError, "the random number generator failed");

/// Prints nothing of the key.
impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

/// Prints nothing of the key.
impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").finish_non_exhaustive()
    }
}

/// Prints only the length: a body may hold data that must not be logged.
impl fmt::Debug for Opened<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").field("len", &self.0.len()).finish_non_exhaustive()
    }
}

/// At most `N` sessions that were established ahead of time, so that a request only pays for AES. `N` must be at least
/// 1.
///
/// Each session is taken once. Sessions older than a set age are dropped, which limits how long an unused key stays in
/// memory. A session that leaves the pool is overwritten there. But moving the pool itself leaves its bytes behind, so
/// fill it where it stays.
///
/// Times come from any clock that does not go back, and count from any start. If the clock goes back, sessions with a
/// later time count as new.
pub struct SessionPool<const N: usize> {
    sessions: Deque<(Duration, Session), N>,
    max_age: Duration,
}

impl<const N: usize> SessionPool<N> {
    /// An empty pool. Its sessions can be used for `max_age` after they were put in.
    #[must_use]
    pub const fn new(max_age: Duration) -> Self {
        Self { sessions: Deque::new(), max_age }
    }

    /// Puts a session in, after dropping those that are too old.
    ///
    /// # Errors
    ///
    /// The session, if the pool is full.
    pub fn put(&mut self, session: Session, now: Duration) -> Result<(), Session> {
        self.drop_old(now);
        self.sessions.push_back((now, session)).map_err(|(_, session)| session)
    }

    /// Takes the oldest session that can still be used.
    pub fn take(&mut self, now: Duration) -> Option<Session> {
        self.drop_old(now);
        let session = self.sessions.front_mut().map(|(_, session)| session.take());
        self.sessions.pop_front();
        session
    }

    /// The number of sessions, including those that are too old.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether the pool has no sessions.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// Whether the pool is full, counting sessions that are too old.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.sessions.is_full()
    }

    /// Drops the sessions that are too old to be used.
    pub fn drop_old(&mut self, now: Duration) {
        while let Some((since, session)) = self.sessions.front_mut() {
            if now.saturating_sub(*since) <= self.max_age {
                break;
            }
            session.wipe();
            self.sessions.pop_front();
        }
    }
}

impl<const N: usize> fmt::Debug for SessionPool<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionPool").field("len", &self.len()).field("max_age", &self.max_age).finish()
    }
}
