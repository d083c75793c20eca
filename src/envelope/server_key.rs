//! The platform's public key.

use core::{fmt, str::FromStr};

use base64ct::{Base64, Encoding as _};

use super::base64url;
use crate::{
    crypto::{POINT_LEN, PeerKey},
    error::sentences,
    hex,
};

/// The platform's X25519 public key, ready for [`Session`](super::Session)s.
///
/// With the feature `tables` it holds a table of 30 kB, which takes about a millisecond to compute. So create one for
/// each process, not one for each request.
pub struct ServerKey {
    pub(super) peer: PeerKey,
}

impl ServerKey {
    /// A key from its 32 bytes (RFC 7748, little-endian u-coordinate).
    ///
    /// # Errors
    ///
    /// [`ServerKeyError::LowOrder`] if the key is of low order.
    pub fn from_bytes(bytes: [u8; POINT_LEN]) -> Result<Self, ServerKeyError> {
        PeerKey::new(bytes).map(|peer| Self { peer }).ok_or(ServerKeyError::LowOrder)
    }

    /// The 32 bytes of the key.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; POINT_LEN] {
        self.peer.as_bytes()
    }
}

/// Reads 64 hexadecimal digits, or base64 in either alphabet, with or without padding.
impl FromStr for ServerKey {
    type Err = ServerKeyError;

    fn from_str(text: &str) -> Result<Self, ServerKeyError> {
        Self::from_bytes(hex::read(text).or_else(|| base64(text)).ok_or(ServerKeyError::Malformed)?)
    }
}

/// Characters of the key in base64, without the optional `=`.
const TEXT_LEN: usize = base64url::encoded_len(POINT_LEN);

fn base64(text: &str) -> Option<[u8; POINT_LEN]> {
    let mut digits: [u8; TEXT_LEN] = text.strip_suffix('=').unwrap_or(text).as_bytes().try_into().ok()?;
    let has = |own: [u8; 2]| digits.iter().any(|digit| own.contains(digit));
    // A text must not mix the alphabets.
    if has(*b"+/") && has(*b"-_") {
        return None;
    }
    for digit in &mut digits {
        match digit {
            b'+' => *digit = b'-',
            b'/' => *digit = b'_',
            _ => {}
        }
    }
    base64url::decode_in_place(&mut digits)?.as_ref().try_into().ok()
}

/// Prints the key as padded base64 of the standard alphabet (44 characters), the only form that each SDK reads
/// (docs/WIRE.md, "Configuration names"). Envelopes use another form.
impl fmt::Display for ServerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // One digit for the `=` at the end.
        let mut text = [0; TEXT_LEN + 1];
        f.write_str(Base64::encode(self.as_bytes(), &mut text).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for ServerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerKey({self})")
    }
}

/// Compares in constant time.
impl PartialEq for ServerKey {
    fn eq(&self, other: &Self) -> bool {
        subtle::ConstantTimeEq::ct_eq(self.as_bytes().as_slice(), other.as_bytes().as_slice()).into()
    }
}

impl Eq for ServerKey {}

/// Why a public key cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ServerKeyError {
    /// The text is neither 64 hexadecimal digits nor base64 of 32 bytes.
    Malformed,
    /// The key is of low order: every shared secret would be zero. The published SDKs ship such a key as a placeholder.
    LowOrder,
}

sentences!(
    ServerKeyError,
    Malformed: "the server's public key is neither 64 hexadecimal digits nor base64 of 32 bytes",
    LowOrder: "the server's public key has low order, like a placeholder",
);
