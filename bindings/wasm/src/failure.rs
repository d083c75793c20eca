//! The numbers of failures. `errors.mjs` has the code and the text of each.

use apikee::{KeyError, key::KeyringError};

/// Why a call failed, as the negative number that it returns.
#[derive(Clone, Copy)]
#[repr(i32)]
pub(crate) enum Failure {
    InvalidArgument = -1,
    Freed = -2,
    TooManyObjects = -3,
    TooLong = -4,
    EmptySecret = -5,
    TooManySecrets = -6,
    InvalidPrefix = -7,
    InvalidFormat = -8,
    DecodeError = -9,
    InvalidSignature = -10,
    Expired = -11,
    NotYetValid = -12,
    #[cfg(feature = "issue")]
    InvalidDuration = -13,
    #[cfg(feature = "issue")]
    InvalidMeta = -14,
    #[cfg(feature = "issue")]
    TimeOutOfRange = -15,
    #[cfg(feature = "issue")]
    UnusableId = -16,
    #[cfg(any(feature = "issue", feature = "envelope"))]
    RngFailed = -17,
    #[cfg(feature = "envelope")]
    LowOrderServerKey = -18,
    #[cfg(feature = "envelope")]
    SessionUsed = -19,
    #[cfg(feature = "envelope")]
    MalformedEnvelope = -20,
    #[cfg(feature = "envelope")]
    Unsealed = -21,
    #[cfg(feature = "envelope")]
    UnknownVersion = -22,
    #[cfg(feature = "envelope")]
    WrongEncoding = -23,
    #[cfg(feature = "envelope")]
    WrongKey = -24,
    #[cfg(feature = "envelope")]
    Reflected = -25,
    #[cfg(feature = "envelope")]
    Forged = -26,
    #[cfg(feature = "envelope")]
    MalformedAnswer = -27,
    #[cfg(feature = "envelope")]
    NoVerdict = -28,
}

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::InvalidPrefix => Self::InvalidPrefix,
            KeyError::InvalidFormat => Self::InvalidFormat,
            KeyError::InvalidSignature => Self::InvalidSignature,
            KeyError::Expired => Self::Expired,
            KeyError::NotYetValid => Self::NotYetValid,
            _ => Self::DecodeError,
        }
    }
}

impl From<KeyringError> for Failure {
    fn from(error: KeyringError) -> Self {
        match error {
            KeyringError::EmptySecret => Self::EmptySecret,
            _ => Self::TooManySecrets,
        }
    }
}
