//! The secrets that keys are signed with.

use core::{fmt, time::Duration};

use heapless::Vec;
use subtle::{Choice, ConditionallySelectable as _};

use crate::crypto::{MacKey, Tag};

/// Secrets that a [`Keyring`] holds at most.
pub const MAX_SECRETS: usize = 8;

/// The secrets that keys are signed with: the first signs, and any is accepted.
///
/// A secret is a byte string of any length; 32 random bytes are advised. The documentation's 64
/// hexadecimal digits are used as text, without decoding. What is kept is each secret's HMAC state,
/// computed once and wiped on drop.
///
/// To rotate, put the new secret first and [`accept`](Self::accept) the old one until the last key
/// that it signed has expired.
pub struct Keyring {
    secrets: Vec<MacKey, MAX_SECRETS>,
    leeway: u64,
}

impl Keyring {
    /// A ring of one secret, which signs and is accepted.
    ///
    /// # Errors
    ///
    /// [`KeyringError::EmptySecret`].
    pub fn new(secret: &[u8]) -> Result<Self, KeyringError> {
        let mut ring = Self { secrets: Vec::new(), leeway: 0 };
        ring.accept(secret)?;
        Ok(ring)
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
        let secret = MacKey::new(secret).ok_or(KeyringError::EmptySecret)?;
        self.secrets.push(secret).map_err(|_| KeyringError::Full)?;
        Ok(self)
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

impl fmt::Display for KeyringError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EmptySecret => "a secret is empty",
            Self::Full => "a keyring holds 8 secrets at most",
        })
    }
}

impl core::error::Error for KeyringError {}
