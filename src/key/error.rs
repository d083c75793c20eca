//! Why a key is refused.

/// Why a key is refused: the code of the first check that fails (docs/WIRE.md, "Claims").
///
/// There is no more detail than the code has, since whoever could use it may be a forger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum KeyError {
    /// There is no key at all.
    Missing,
    /// There is more than one key, even if they are equal: whatever stands before the service may have looked at another
    /// one.
    Multiple,
    /// It does not start with `apikee_`.
    InvalidPrefix,
    /// There is no `.` behind the payload.
    InvalidFormat,
    /// A segment is empty, too long, not base62 or not in its one spelling; or the payload, though
    /// signed, is not a well-formed claims object.
    Decode,
    /// The key may be good, but the caller's buffer is too small to find out. That is a mistake of the service, not of
    /// whoever sent the key.
    BufferTooSmall {
        /// A length in bytes that is enough for this key.
        needed: usize,
    },
    /// No configured secret has signed it.
    InvalidSignature,
    /// It was good until a time that is past.
    Expired,
    /// It is good from a time that is yet to come.
    NotYetValid,
}

impl KeyError {
    /// The code that all Apikee SDKs use, or, ours, `MULTIPLE_KEYS` and `BUFFER_TOO_SMALL`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Missing => "MISSING_KEY",
            Self::InvalidPrefix => "INVALID_PREFIX",
            Self::InvalidFormat => "INVALID_FORMAT",
            Self::Multiple => "MULTIPLE_KEYS",
            Self::Decode => "DECODE_ERROR",
            Self::BufferTooSmall { .. } => "BUFFER_TOO_SMALL",
            Self::InvalidSignature => "INVALID_SIGNATURE",
            Self::Expired => "EXPIRED",
            Self::NotYetValid => "NOT_YET_VALID",
        }
    }

    /// The HTTP status to refuse the request with: 500 if the buffer is too small, otherwise 401.
    #[must_use]
    pub const fn http_status(self) -> u16 {
        match self {
            Self::BufferTooSmall { .. } => 500,
            _ => 401,
        }
    }
}

impl core::fmt::Display for KeyError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Missing => "no key was given",
            Self::Multiple => "more than one key was given",
            Self::InvalidPrefix => "the key does not start with 'apikee_'",
            Self::InvalidFormat => "the key has no signature",
            Self::Decode => "the key cannot be decoded",
            Self::BufferTooSmall { needed } => {
                return write!(f, "the buffer is too small for the key: {needed} bytes are needed");
            }
            Self::InvalidSignature => "the key's signature is invalid",
            Self::Expired => "the key has expired",
            Self::NotYetValid => "the key is not yet valid",
        })
    }
}

impl core::error::Error for KeyError {}
