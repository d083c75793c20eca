//! What JavaScript throws: a code and a message.

use apikee::{KeyError, KeyringError};

/// Why a call failed. The code of a key's refusal is the SDKs'; the others are the binding's own.
pub(crate) struct Failure {
    code: &'static str,
    message: &'static str,
}

impl Failure {
    pub(crate) const ARGUMENT: Self = Self::new("INVALID_ARGUMENT", "an argument has the wrong type, length or form");
    pub(crate) const FREED: Self = Self::new("FREED", "the object has been freed");
    pub(crate) const FULL: Self = Self::new("TOO_MANY_OBJECTS", "too many objects are in use: free some");
    pub(crate) const TOO_LONG: Self = Self::new("TOO_LONG", "an argument is too long");

    pub(crate) const fn new(code: &'static str, message: &'static str) -> Self {
        Self { code, message }
    }

    /// Writes the failure and returns its length, negated.
    pub(crate) fn write(&self, output: &mut [u8]) -> i32 {
        let (code, message) = (self.code.as_bytes(), self.message.as_bytes());
        let mut len = 0_i32;
        for (place, byte) in output.iter_mut().zip(code.iter().chain(b"\n").chain(message)) {
            *place = *byte;
            len = len.saturating_sub(1);
        }
        len
    }
}

// The kernel's messages go through `core::fmt`, which this module does without.
impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Self {
        let message = match error {
            KeyError::InvalidPrefix => "the key does not start with 'apikee_'",
            KeyError::InvalidFormat => "the key has no signature",
            KeyError::InvalidSignature => "the key's signature is invalid",
            KeyError::Expired => "the key has expired",
            KeyError::NotYetValid => "the key is not yet valid",
            _ => "the key cannot be decoded",
        };
        Self::new(error.code(), message)
    }
}

impl From<KeyringError> for Failure {
    fn from(error: KeyringError) -> Self {
        match error {
            KeyringError::EmptySecret => Self::new("EMPTY_SECRET", "a secret is empty"),
            _ => Self::new("TOO_MANY_SECRETS", "a keyring holds 8 secrets at most"),
        }
    }
}
