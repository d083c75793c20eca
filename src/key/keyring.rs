//! The secrets that keys are signed with.

use core::{fmt, time::Duration};

use heapless::Vec;
use subtle::{Choice, ConditionallySelectable as _};

use crate::{
    crypto::{MacKey, Tag, stack},
    error::sentences,
};

/// The maximum number of secrets that a [`Keyring`] holds.
pub const MAX_SECRETS: usize = 8;

/// A secret with fewer bytes is [weak](Keyring::weak_secrets).
pub const STRONG_SECRET_LEN: usize = 16;

/// The secrets that keys are signed with. The first one signs; keys signed with any of them are accepted.
///
/// A secret is a byte string of at least one byte; 32 random bytes are advised. If you use 64 hexadecimal digits, as
/// Apikee's documentation advises, the digits themselves are the secret: they are not decoded. The ring does not keep
/// the secrets. It keeps the HMAC state of each, which is computed once and wiped on drop.
///
/// To rotate, put the new secret first and [`accept`](Self::accept) the old one until the last key
/// that it signed has expired.
pub struct Keyring {
    secrets: Vec<MacKey, MAX_SECRETS, u8>,
    /// One bit for each secret: 1 if it is weak.
    weak: u8,
    leeway: u64,
}

impl Keyring {
    /// A ring of one secret, for both signing and verifying.
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

    /// Adds a secret for verifying only. It does not sign.
    ///
    /// # Errors
    ///
    /// [`KeyringError::EmptySecret`], or [`KeyringError::Full`] if the ring already holds [`MAX_SECRETS`].
    pub fn accept(&mut self, secret: &[u8]) -> Result<&mut Self, KeyringError> {
        if secret.is_empty() {
            return Err(KeyringError::EmptySecret);
        }
        let added = self.add(|| MacKey::new(secret), secret.len() < STRONG_SECRET_LEN);
        if added { Ok(self) } else { Err(KeyringError::Full) }
    }

    /// Whether there was room. The move of the secret to its place leaves a copy, which is wiped.
    fn add(&mut self, secret: impl FnOnce() -> Option<MacKey>, weak: bool) -> bool {
        if weak {
            // Without room there is no bit.
            self.weak |= bit(self.secrets.len());
        }
        stack::wiped::<{ stack::HASH }, _>(|| secret().is_some_and(|own| self.secrets.push(own).is_ok()))
    }

    /// The number of secrets with fewer than [`STRONG_SECRET_LEN`] bytes. Anyone who has a key can try all short
    /// secrets until one matches its signature, and can then issue keys.
    #[must_use]
    pub fn weak_secrets(&self) -> usize {
        (0..self.secrets.len()).filter(|index| self.weak & bit(*index) != 0).count()
    }

    /// Accepts keys this much earlier and later than their times say, in whole seconds: for devices whose clock drifts.
    /// No leeway by default.
    ///
    /// The leeway is not limited here: with a very long one, expired keys are valid. The C binding accepts at most a
    /// day.
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
    /// Every secret is tried even after a match, so that the time does not reveal which one matched.
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

/// For a client that changes its secrets while it runs.
#[cfg(feature = "client")]
impl Keyring {
    /// The number of secrets.
    pub(crate) fn secrets(&self) -> usize {
        self.secrets.len()
    }

    /// A second ring of the same secrets, with the same leeway.
    pub(crate) fn duplicate(&self) -> Self {
        let mut ring = Self { leeway: self.leeway, ..Self::empty() };
        for (at, secret) in self.secrets.iter().enumerate() {
            // A secret that is there twice stays so: `VerifiedKey::secret_index` counts both.
            ring.add(|| Some(secret.duplicate()), self.weak & bit(at) != 0);
        }
        ring
    }

    /// Also accepts the secrets of an older ring, except for those that this ring already has. Returns the number of
    /// secrets that did not fit.
    pub(crate) fn accept_all_of(&mut self, older: &Self) -> usize {
        let mut left_out = 0_usize;
        for (at, secret) in older.secrets.iter().enumerate() {
            let weak = older.weak & bit(at) != 0;
            let added = self.has(secret) || self.add(|| Some(secret.duplicate()), weak);
            left_out = left_out.saturating_add(usize::from(!added));
        }
        left_out
    }

    /// Whether the ring has this secret. Secrets are compared by their tags of one message.
    fn has(&self, secret: &MacKey) -> bool {
        let tag = secret.tag(b"");
        self.secrets.iter().any(|own| bool::from(own.tag(b"").ct_eq(&tag)))
    }
}

/// The bit with this index; 0 from [`MAX_SECRETS`] on.
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

/// Prints the number of secrets, never a secret.
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
    /// The secret is empty. Anyone could sign with it.
    EmptySecret,
    /// The ring already holds [`MAX_SECRETS`].
    Full,
}

sentences!(
    KeyringError,
    EmptySecret: "a secret is empty",
    Full: "a keyring holds 8 secrets at most",
);

#[cfg(test)]
#[cfg(feature = "client")]
mod tests {
    use super::*;

    fn ring(secrets: &[&str]) -> Keyring {
        let mut keys = Keyring::empty();
        for secret in secrets {
            keys.accept(secret.as_bytes()).unwrap();
        }
        keys
    }

    #[test]
    fn a_duplicate_has_the_same_secrets_and_the_same_leeway() {
        let mut keys = ring(&["weak", "a strong secret of 16 or more", "weak"]);
        keys.set_leeway(Duration::from_secs(7));
        let copy = keys.duplicate();
        assert_eq!((copy.secrets(), copy.weak_secrets(), copy.leeway_secs()), (3, 2, 7));
        for (own, copied) in keys.secrets.iter().zip(&copy.secrets) {
            assert!(bool::from(own.tag(b"x").ct_eq(&copied.tag(b"x"))));
        }
    }

    #[test]
    fn secrets_of_an_older_ring_are_accepted_once_and_as_far_as_there_is_room() {
        let strong = ["1", "2", "3", "4", "5", "6"].map(|number| number.repeat(20));
        let strong = strong.each_ref().map(|secret| &**secret);
        let mut keys = ring(&["new", strong[0]]);
        assert_eq!(keys.accept_all_of(&ring(&[strong[0], "old", strong[1]])), 0);
        assert_eq!((keys.secrets(), keys.weak_secrets()), (4, 2), "one is in both rings");
        assert!(["new", "old", strong[1]].iter().all(|secret| keys.has(&MacKey::new(secret.as_bytes()).unwrap())));
        assert!(!keys.has(&MacKey::new(b"another").unwrap()));
        assert_eq!(keys.accept_all_of(&ring(&strong)), 0, "the last place");
        assert_eq!(keys.accept_all_of(&ring(&["a", "old", "b"])), 2);
        assert_eq!((keys.secrets(), keys.weak_secrets()), (8, 2));
    }
}
