//! What can go wrong with an envelope, an enum for each operation.

use core::fmt;

/// A public key of the platform cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ServerKeyError {
    /// It is neither 64 hexadecimal digits nor base64 of 32 bytes.
    Malformed,
    /// It is of low order: every shared secret would be zero. The published SDKs ship such a key as a
    /// placeholder.
    LowOrder,
}

impl fmt::Display for ServerKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "the server's public key is neither 64 hexadecimal digits nor base64 of 32 bytes",
            Self::LowOrder => "the server's public key is of low order, as a placeholder is",
        })
    }
}

impl core::error::Error for ServerKeyError {}

/// The random number generator failed, so no session was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct EstablishError;

impl fmt::Display for EstablishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the random number generator failed")
    }
}

impl core::error::Error for EstablishError {}

/// A message cannot be sealed. The session or reply is used up all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SealError {
    /// The buffer is too small.
    BufferTooSmall {
        /// The length in bytes that the envelope has.
        needed: usize,
    },
    /// The random number generator failed.
    Rng,
}

impl fmt::Display for SealError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BufferTooSmall { needed } => {
                write!(f, "the buffer is too small for the envelope: {needed} bytes are needed")
            }
            Self::Rng => f.write_str("the random number generator failed"),
        }
    }
}

impl core::error::Error for SealError {}

/// An envelope cannot be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum OpenError {
    /// It is not a JSON object, a name is there twice, it is nested too deep, or an object in it has more than 32,768
    /// members (2,048 on 32-bit processors; see [`JsonObject`](crate::JsonObject)).
    Malformed,
    /// It is an object without a ciphertext: an answer in the clear, perhaps.
    Unsealed,
    /// Its version is missing, or none that is known.
    Version,
    /// A member is missing, is not a string of canonical base64url, or has the wrong length.
    Encoding,
    /// It names another key than the one that is pinned: it is not from the server, or is our own
    /// request sent back. From the server's side: the client's key is of low order.
    WrongKey,
    /// It names the right key but has our request's nonce: it is our own request sent back, with its
    /// public key replaced by the server's.
    Reflected,
    /// It was not made with this session's key, or has been changed.
    Forged,
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "the envelope is no well-formed JSON object",
            Self::Unsealed => "the body is not sealed",
            Self::Version => "the envelope's version is not known",
            Self::Encoding => "a member of the envelope is missing or wrongly encoded",
            Self::WrongKey => "the envelope names a key that cannot be trusted",
            Self::Reflected => "the answer is our own request sent back",
            Self::Forged => "the envelope is not authentic",
        })
    }
}

impl core::error::Error for OpenError {}
