//! The secrets that keys are signed with.

use core::{fmt, time::Duration};

use heapless::Vec;
use subtle::{Choice, ConditionallySelectable as _};

use crate::{
    crypto::{MacKey, Tag, stack},
    error::sentences,
};

/// Secrets that a [`Keyring`] holds at most.
pub const MAX_SECRETS: usize = 8;

/// A secret of fewer bytes is [weak](Keyring::weak_secrets).
pub const STRONG_SECRET_LEN: usize = 16;

/// The secrets that keys are signed with: the first signs, and any is accepted.
///
/// A secret is a byte string of any length; 32 random bytes are advised. The documentation's 64
/// hexadecimal digits are used as text, without decoding. What is kept is each secret's HMAC state,
/// computed once and wiped on drop.
///
/// To rotate, put the new secret first and [`accept`](Self::accept) the old one until the last key
/// that it signed has expired.
pub struct Keyring {
    secrets: Vec<MacKey, MAX_SECRETS, u8>,
    /// A bit for each secret that is weak.
    weak: u8,
    leeway: u64,
}

impl Keyring {
    /// A ring of one secret, which signs and is accepted.
    ///
    /// # Errors
    ///
    /// [`KeyringError::EmptySecret`].
    pub fn new(secret: &[u8]) -> Result<Self, KeyringError> {
        let mut ring = Self::empty();
        ring.accept(secret)?;
        Ok(ring)
    }

    const fn empty() -> Self {
        Self { secrets: Vec::new(), weak: 0, leeway: 0 }
    }

    /// Adds a secret that is accepted, but signs nothing.
    ///
    /// # Errors
    ///
    /// [`KeyringError::EmptySecret`], or [`KeyringError::Full`] if there are [`MAX_SECRETS`].
    pub fn accept(&mut self, secret: &[u8]) -> Result<&mut Self, KeyringError> {
        if secret.is_empty() {
            return Err(KeyringError::EmptySecret);
        }
        let weak = secret.len() < STRONG_SECRET_LEN;
        // With the move into its place, which leaves a copy.
        stack::wiped::<{ stack::HASH }, _>(|| {
            let secret = MacKey::new(secret).ok_or(KeyringError::EmptySecret)?;
            self.add(secret, weak)
        })?;
        Ok(self)
    }

    fn add(&mut self, secret: MacKey, weak: bool) -> Result<(), KeyringError> {
        let bit = bit(self.secrets.len());
        self.secrets.push(secret).map_err(|_| KeyringError::Full)?;
        if weak {
            self.weak |= bit;
        }
        Ok(())
    }

    /// How many of the secrets have fewer than [`STRONG_SECRET_LEN`] bytes. Whoever has a key can try all secrets of
    /// a few bytes until one fits its signature, and then issue keys.
    #[must_use]
    pub fn weak_secrets(&self) -> usize {
        (0..self.secrets.len()).filter(|index| self.weak & bit(*index) != 0).count()
    }

    /// Lets keys be good that much longer and earlier (whole seconds), for devices whose clock
    /// drifts. None by default.
    pub fn set_leeway(&mut self, leeway: Duration) -> &mut Self {
        self.leeway = leeway.as_secs();
        self
    }

    pub(crate) const fn leeway_secs(&self) -> u64 {
        self.leeway
    }

    /// Signs with the first secret.
    pub(crate) fn sign(&self, payload: &[u8]) -> Option<Tag> {
        self.secrets.first().map(|secret| secret.tag(payload))
    }

    /// The index of the first secret that `tag` was made with.
    ///
    /// Every secret is tried even after a match, so the time does not tell which one it was.
    pub(crate) fn signer_of(&self, payload: &[u8], tag: &Tag) -> Option<usize> {
        let (mut found, mut index) = (Choice::from(0), 0_u8);
        for (at, secret) in (0_u8..).zip(&self.secrets) {
            let matches = secret.tag(payload).ct_eq(tag);
            index.conditional_assign(&at, matches & !found);
            found |= matches;
        }
        bool::from(found).then(|| usize::from(index))
    }
}

/// What a client needs to change its secrets while it serves.
#[cfg(feature = "client")]
impl Keyring {
    /// How many secrets there are.
    pub(crate) fn secrets(&self) -> usize {
        self.secrets.len()
    }

    /// A second ring of the same secrets, with the same leeway.
    pub(crate) fn duplicate(&self) -> Self {
        let mut ring = Self { leeway: self.leeway, ..Self::empty() };
        ring.accept_all_of(self);
        ring
    }

    /// Also accepts the secrets of an older ring, except for those that this ring has. Returns how many there was no
    /// room for.
    pub(crate) fn accept_all_of(&mut self, older: &Self) -> usize {
        let mut left_out = 0_usize;
        for (at, secret) in older.secrets.iter().enumerate() {
            let weak = older.weak & bit(at) != 0;
            let added =
                stack::wiped::<{ stack::HASH }, _>(|| self.has(secret) || self.add(secret.duplicate(), weak).is_ok());
            left_out = left_out.saturating_add(usize::from(!added));
        }
        left_out
    }

    /// Whether a secret is in the ring, by what it makes of a message.
    fn has(&self, secret: &MacKey) -> bool {
        let tag = secret.tag(b"");
        self.secrets.iter().any(|own| bool::from(own.tag(b"").ct_eq(&tag)))
    }
}

/// The bit of that index, none from [`MAX_SECRETS`] on.
const fn bit(index: usize) -> u8 {
    match index {
        0 => 1,
        1 => 2,
        2 => 4,
        3 => 8,
        4 => 16,
        5 => 32,
        6 => 64,
        7 => 128,
        _ => 0,
    }
}

/// How many secrets there are, and nothing of them.
impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").field("secrets", &self.secrets.len()).field("leeway_secs", &self.leeway).finish()
    }
}

/// Why a secret cannot be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum KeyringError {
    /// A secret has at least one byte. Anyone can sign with an empty one.
    EmptySecret,
    /// There are [`MAX_SECRETS`] already.
    Full,
}

sentences!(
    KeyringError,
    EmptySecret: "a secret is empty",
    Full: "a keyring holds 8 secrets at most",
);
