//! From the text of a key to its claims. The checks run in the order of docs/WIRE.md, "Claims".
//!
//! ```text
//! prefix ── '.' ── length ── base62 ── signature ── claims ── expiry, not-before ── scopes
//! └──────────────── untrusted text ────────────┘   └─ VerifiedKey ─────────────────────┘
//! ```
//!
//! The payload is parsed only after its signature has been checked. Base conversion takes quadratic time, so the length
//! is checked before anything is computed.

#[cfg(feature = "std")]
use std::boxed::Box;

#[cfg(feature = "std")]
use super::claims::OwnedClaims;
use super::{
    PREFIX, SEPARATOR,
    base62::{self, DecodeError, TAG_DIGITS},
    claims::{Claims, MissingScopes},
    fingerprint::{Fingerprint, log_prefix},
    keyring::Keyring,
};
use crate::{crypto::Tag, text::has, time::UnixTime};

/// The longest payload in bytes that is decoded, whatever the size of the buffer. This bounds the time that a forged
/// key can cost: less than half a millisecond on a server (docs/BENCHMARKS.md, "Growth").
pub const MAX_PAYLOAD_LEN: usize = 8192;

/// The maximum number of digits of such a payload: 62^11008 > 2^(8 · 8192).
pub(super) const MAX_PAYLOAD_DIGITS: usize = 11_008;

/// The maximum number of characters of a key that is decoded, whatever the size of the buffer.
#[cfg(feature = "client")]
const MAX_KEY_LEN: usize = PREFIX.len().saturating_add(MAX_PAYLOAD_DIGITS).saturating_add(1).saturating_add(TAG_DIGITS);

/// Bytes of buffer that are enough to verify a key of this length: about 3/4 of it.
#[must_use]
pub const fn verify_buffer_len(key_len: usize) -> usize {
    base62::decoded_capacity(key_len.saturating_sub(PREFIX.len()))
}

/// Like [`verify_buffer_len`], but bounded. It is enough for a longer key to get the right error.
#[cfg(feature = "client")]
pub(crate) fn bounded_buffer_len(key: &[u8]) -> usize {
    verify_buffer_len(key.len().min(MAX_KEY_LEN))
}

/// Why a key is refused: the first check that failed (docs/WIRE.md, "Claims").
///
/// There are no details besides the code, because they could help a forger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum KeyError {
    /// The request has no key.
    Missing,
    /// The request has more than one key, even if they are equal. A proxy in front of the service may have checked a
    /// different key than the service would check.
    Multiple,
    /// The key does not start with `apikee_`.
    InvalidPrefix,
    /// The key does not have a `.` after the payload.
    InvalidFormat,
    /// A segment is empty, too long, not base62, or spelt with leading zeros. Or the signature is valid, but the
    /// payload is not a well-formed claims object.
    Decode,
    /// The caller's buffer is too small to verify this key. The key may be valid: this is a mistake of the service, not
    /// of the sender.
    BufferTooSmall {
        /// A length in bytes that is enough for this key.
        needed: usize,
    },
    /// None of the configured secrets has signed the key.
    InvalidSignature,
    /// The key has expired.
    Expired,
    /// The key is not valid yet.
    NotYetValid,
}

impl KeyError {
    /// The code that all Apikee SDKs use. `MULTIPLE_KEYS` and `BUFFER_TOO_SMALL` are our own codes.
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

    /// The HTTP status of the refusal: 500 if the buffer is too small, otherwise 401.
    #[must_use]
    pub const fn http_status(self) -> u16 {
        match self {
            Self::BufferTooSmall { .. } => 500,
            _ => 401,
        }
    }

    /// The sentence for the response's body, the same as in the SDKs' middlewares (docs/WIRE.md, "Claims").
    #[cfg(any(feature = "serde", feature = "web"))]
    pub(crate) const fn sentence(self) -> &'static str {
        match self {
            Self::Missing => "'x-api-key' header is required",
            Self::Multiple => "More than one key was sent",
            Self::InvalidPrefix => "Key does not start with 'apikee_'",
            Self::InvalidFormat => "Key missing signature separator",
            // The SDKs also say whether the payload or the signature is wrong.
            Self::Decode => "Key cannot be decoded",
            Self::BufferTooSmall { .. } => "The service could not read the key",
            Self::InvalidSignature => "Key signature is invalid",
            Self::Expired => "Key has expired",
            Self::NotYetValid => "Key is not yet valid",
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

/// A key whose signature, claims and times have been checked. Only verification makes one.
///
/// It borrows the key's text and the buffer that its payload was decoded into.
///
/// You cannot construct one yourself:
///
/// ```compile_fail
/// fn forge(claims: apikee::Claims<'static>) -> apikee::VerifiedKey<'static> {
///     apikee::VerifiedKey { key: b"apikee_1.1", claims, secret_index: 0 }
/// }
/// ```
///
/// Verification returns one:
///
/// ```
/// fn check<'b>(
///     keys: &apikee::Keyring,
///     header: &'b str,
///     now: apikee::UnixTime,
///     buf: &'b mut [u8],
/// ) -> Result<apikee::VerifiedKey<'b>, apikee::KeyError> {
///     keys.verify(header, now, buf)
/// }
/// ```
#[derive(Clone, Copy)]
pub struct VerifiedKey<'b> {
    key: &'b [u8],
    claims: Claims<'b>,
    secret_index: usize,
}

impl Keyring {
    /// Verifies a key, and decodes its payload into `buf`.
    ///
    /// The length of `buf` limits the length of the key. [`verify_buffer_len`] returns the length that a key needs;
    /// 1024 bytes are enough for most keys. After an error `buf` holds unspecified bytes, perhaps of an unverified
    /// payload.
    ///
    /// # Errors
    ///
    /// The first check that failed; see [`KeyError`].
    pub fn verify<'b, K>(&self, key: &'b K, now: UnixTime, buf: &'b mut [u8]) -> Result<VerifiedKey<'b>, KeyError>
    where
        K: AsRef<[u8]> + ?Sized,
    {
        self.verify_or_tell(key.as_ref(), now, buf).map_err(|(error, _)| error)
    }

    /// Verifies the value of a request's key header, if the request has that header.
    ///
    /// # Errors
    ///
    /// The same as [`verify`](Self::verify), and [`KeyError::Missing`] for `None`.
    pub fn verify_header<'b, K>(
        &self,
        header: Option<&'b K>,
        now: UnixTime,
        buf: &'b mut [u8],
    ) -> Result<VerifiedKey<'b>, KeyError>
    where
        K: AsRef<[u8]> + ?Sized,
    {
        self.verify(header.ok_or(KeyError::Missing)?, now, buf)
    }

    /// Like [`verify`](Self::verify). If a key is signed with one of the secrets but is not valid at this time, its
    /// claims come with the error. They are for audit logs only.
    pub(crate) fn verify_or_tell<'b>(
        &self,
        key: &'b [u8],
        now: UnixTime,
        buf: &'b mut [u8],
    ) -> Result<VerifiedKey<'b>, (KeyError, Option<Claims<'b>>)> {
        let (claims, secret_index) = self.signed_claims(key, buf).map_err(|error| (error, None))?;
        match self.check_times(&claims, now) {
            Ok(()) => Ok(VerifiedKey { key, claims, secret_index }),
            Err(error) => Err((error, Some(claims))),
        }
    }

    /// Returns the claims, and the index of the secret that signed them. It does not check their times.
    fn signed_claims<'b>(&self, key: &[u8], buf: &'b mut [u8]) -> Result<(Claims<'b>, usize), KeyError> {
        let Segments { payload, signature } = Segments::of(key, buf.len())?;
        let tag = Tag(base62::decode_tag(signature).map_err(|_| KeyError::Decode)?);
        let payload = base62::decode(payload, buf).map_err(|error| match error {
            DecodeError::Spelling => KeyError::Decode,
            DecodeError::Room(_) => too_small(key),
        })?;
        if payload.len() > MAX_PAYLOAD_LEN {
            return Err(KeyError::Decode);
        }
        let secret_index = self.signer_of(payload, &tag).ok_or(KeyError::InvalidSignature)?;
        let claims = Claims::read(payload).map_err(|_| KeyError::Decode)?;
        Ok((claims, secret_index))
    }

    fn check_times(&self, claims: &Claims<'_>, now: UnixTime) -> Result<(), KeyError> {
        // Whether `one` is later than `other` by more than the leeway.
        let later = |one: UnixTime, other: UnixTime| {
            let (one, other) = (one.as_secs(), other.as_secs());
            one > other && one.abs_diff(other) > self.leeway_secs()
        };
        if claims.expires_at().is_some_and(|at| later(now, at)) {
            return Err(KeyError::Expired);
        }
        if claims.not_before().is_some_and(|at| later(at, now)) {
            return Err(KeyError::NotYetValid);
        }
        Ok(())
    }
}

/// The two parts of a key.
struct Segments<'k> {
    payload: &'k [u8],
    signature: &'k [u8],
}

impl<'k> Segments<'k> {
    /// Splits a key into its parts. Fails if `room` bytes of buffer cannot hold the payload.
    fn of(key: &'k [u8], room: usize) -> Result<Self, KeyError> {
        let text = key.strip_prefix(PREFIX.as_bytes()).ok_or(KeyError::InvalidPrefix)?;
        // The payload of a well-formed key has at least this many digits.
        let shortest = text.len().saturating_sub(TAG_DIGITS).saturating_sub(1);
        // A well-formed signature is short, so its separator is searched for near the end.
        let (front, tail) = text.split_at_checked(shortest).ok_or(KeyError::Decode)?;
        let Some(separator) = tail.iter().position(|byte| *byte == SEPARATOR) else {
            let malformed = if has(front, SEPARATOR) { KeyError::Decode } else { KeyError::InvalidFormat };
            return Err(malformed);
        };
        if shortest > MAX_PAYLOAD_DIGITS {
            return Err(KeyError::Decode);
        }
        if base62::decoded_capacity(shortest) > room {
            return Err(too_small(key));
        }
        let (payload, rest) = text.split_at_checked(shortest.saturating_add(separator)).ok_or(KeyError::Decode)?;
        let (_, signature) = rest.split_first().ok_or(KeyError::Decode)?;
        Ok(Self { payload, signature })
    }
}

fn too_small(key: &[u8]) -> KeyError {
    KeyError::BufferTooSmall { needed: verify_buffer_len(key.len()) }
}

impl<'b> VerifiedKey<'b> {
    /// The claims that the issuer gave the key.
    #[must_use]
    pub const fn claims(&self) -> &Claims<'b> {
        &self.claims
    }

    /// Checks that the key has all of these scopes. A scope matches only itself.
    ///
    /// # Errors
    ///
    /// [`MissingScopes`] names the missing ones.
    pub fn require<'a>(&self, scopes: &'a [&'a str]) -> Result<(), MissingScopes<'a>> {
        MissingScopes::check(self.claims.scopes(), scopes)
    }

    /// The index of the secret that signed the key. 0 is the secret that signs; the others follow in the order of
    /// [`Keyring::accept`].
    #[must_use]
    pub const fn secret_index(&self) -> usize {
        self.secret_index
    }

    /// The key's text. It is a credential: do not log it.
    #[must_use]
    pub fn raw(&self) -> &'b str {
        // A verified key is ASCII.
        core::str::from_utf8(self.key).unwrap_or_default()
    }

    /// The start of the key, safe for logs: see [`log_prefix`].
    #[must_use]
    pub fn prefix(&self) -> &'b str {
        log_prefix(self.raw())
    }

    /// The key's fingerprint, for storage and deny-lists.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(self.raw())
    }
}

/// A [`VerifiedKey`] that owns its data: for threads, sessions and async handlers. With the feature `std`.
///
/// It does not hold the key's text, which is a credential. So you can clone it and keep it, and nothing in it needs to
/// be wiped.
///
/// You can only get one from a verified key, and cannot construct one yourself:
///
/// ```compile_fail
/// fn forge(claims: apikee::key::OwnedClaims, fingerprint: apikee::Fingerprint) -> apikee::OwnedKey {
///     apikee::OwnedKey { claims, fingerprint, prefix: "apikee_12345".into(), secret_index: 0 }
/// }
/// ```
///
/// A verified key returns one:
///
/// ```
/// fn keep(key: &apikee::VerifiedKey<'_>) -> apikee::OwnedKey {
///     key.to_owned()
/// }
/// ```
#[cfg(feature = "std")]
#[derive(Clone)]
pub struct OwnedKey {
    claims: OwnedClaims,
    prefix: Box<str>,
    fingerprint: Fingerprint,
    secret_index: usize,
}

#[cfg(feature = "std")]
impl VerifiedKey<'_> {
    /// The same key without its text. You can keep it as long as you like.
    #[must_use]
    pub fn to_owned(&self) -> OwnedKey {
        OwnedKey {
            claims: self.claims.to_owned(),
            prefix: self.prefix().into(),
            fingerprint: self.fingerprint(),
            secret_index: self.secret_index,
        }
    }
}

#[cfg(feature = "std")]
impl OwnedKey {
    /// The claims that the issuer gave the key.
    #[must_use]
    pub fn claims(&self) -> Claims<'_> {
        self.claims.as_claims()
    }

    /// Checks that the key has all of these scopes; see [`VerifiedKey::require`].
    ///
    /// # Errors
    ///
    /// [`MissingScopes`] names the missing ones.
    pub fn require<'a>(&self, scopes: &'a [&'a str]) -> Result<(), MissingScopes<'a>> {
        MissingScopes::check(self.claims().scopes(), scopes)
    }

    /// The index of the secret that signed the key; see [`VerifiedKey::secret_index`].
    #[must_use]
    pub const fn secret_index(&self) -> usize {
        self.secret_index
    }

    /// The start of the key, safe for logs: see [`log_prefix`].
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The key's fingerprint, for storage and deny-lists.
    #[must_use]
    pub const fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }
}

#[cfg(feature = "std")]
impl core::fmt::Debug for OwnedKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("OwnedKey")
            .field("prefix", &self.prefix)
            .field("claims", &self.claims())
            .field("secret_index", &self.secret_index)
            .finish()
    }
}

/// Prints the prefix, never the key.
impl core::fmt::Debug for VerifiedKey<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("VerifiedKey")
            .field("prefix", &self.prefix())
            .field("claims", &self.claims)
            .field("secret_index", &self.secret_index)
            .finish()
    }
}

#[cfg(test)]
#[cfg(feature = "client")]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_for_any_text_is_as_long_as_the_longest_key_needs() {
        let text = std::vec![b'a'; 2 * MAX_KEY_LEN];
        for len in [0, 1, 100, MAX_KEY_LEN, MAX_KEY_LEN + 1, 2 * MAX_KEY_LEN] {
            let expected = verify_buffer_len(len.min(MAX_KEY_LEN));
            assert_eq!(text.get(..len).map(bounded_buffer_len), Some(expected), "{len}");
        }
    }
}
