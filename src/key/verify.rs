//! From the text of a key to its claims, in docs/WIRE.md's order of checks.
//!
//! ```text
//! prefix ── length ── '.' ── base62 ── signature ── claims ── expiry, not-before ── scopes
//! └──────────────── untrusted text ────────────┘   └─ VerifiedKey ─────────────────────┘
//! ```
//!
//! Nothing is parsed before its signature has been checked, and nothing is computed before the
//! length has: base conversion is quadratic.

use super::{
    PREFIX, SEPARATOR,
    base62::{self, DecodeError, TAG_DIGITS},
    claims::Claims,
    error::KeyError,
    fingerprint::{Fingerprint, log_prefix},
    keyring::Keyring,
    scopes::MissingScopes,
};
use crate::{crypto::Tag, text::has, time::UnixTime};

/// The longest payload in bytes that is decoded, whatever buffer there is: it keeps the time that a
/// forged key can cost in the order of the documentation's 0.1 ms.
pub const MAX_PAYLOAD_LEN: usize = 8192;

/// Digits of such a payload at most: 62^11008 > 2^(8 · 8192).
pub(super) const MAX_PAYLOAD_DIGITS: usize = 11_008;

/// Bytes of buffer that are enough to verify a key of that length: about 3/4 of it.
#[must_use]
pub const fn verify_buffer_len(key_len: usize) -> usize {
    base62::decoded_capacity(key_len.saturating_sub(PREFIX.len()))
}

/// A key whose signature, claims and times have been checked. There is no other way to have one.
///
/// It borrows the key's text and the buffer that its payload was decoded into.
///
/// A key cannot be made up:
///
/// ```compile_fail
/// fn forge(claims: apikee::Claims<'static>) -> apikee::VerifiedKey<'static> {
///     apikee::VerifiedKey { key: b"apikee_1.1", claims, secret_index: 0 }
/// }
/// ```
///
/// It comes out of verification:
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
    /// `buf` is the limit on the length of a key: [`verify_buffer_len`] says how much a key needs,
    /// and 1024 bytes are enough for most. After an error it holds unspecified bytes, perhaps of an
    /// unverified payload.
    ///
    /// # Errors
    ///
    /// The first check that fails, as [`KeyError`] says.
    pub fn verify<'b, K>(&self, key: &'b K, now: UnixTime, buf: &'b mut [u8]) -> Result<VerifiedKey<'b>, KeyError>
    where
        K: AsRef<[u8]> + ?Sized,
    {
        self.verify_bytes(key.as_ref(), now, buf)
    }

    /// Verifies what a request has as its key header, if it has one.
    ///
    /// # Errors
    ///
    /// As [`verify`](Self::verify), and [`KeyError::Missing`] for `None`.
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

    fn verify_bytes<'b>(&self, key: &'b [u8], now: UnixTime, buf: &'b mut [u8]) -> Result<VerifiedKey<'b>, KeyError> {
        let (claims, secret_index) = self.signed_claims(key, now, buf)?;
        Ok(VerifiedKey { key, claims, secret_index })
    }

    /// The claims, which borrow from the buffer alone, and which secret signed them.
    #[inline]
    fn signed_claims<'b>(&self, key: &[u8], now: UnixTime, buf: &'b mut [u8]) -> Result<(Claims<'b>, usize), KeyError> {
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
        self.check_times(&claims, now)?;
        Ok((claims, secret_index))
    }

    fn check_times(&self, claims: &Claims<'_>, now: UnixTime) -> Result<(), KeyError> {
        // Later by more than the leeway.
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

#[cfg(feature = "client")]
impl Keyring {
    /// As [`verify`](Self::verify), and the key's scopes, which borrow from the buffer alone: a refusal for
    /// missing scopes may outlive the request, and the key's text with it.
    pub(crate) fn verify_with_scopes<'k, 'b: 'k>(
        &self,
        key: &'k [u8],
        now: UnixTime,
        buf: &'b mut [u8],
    ) -> Result<(VerifiedKey<'k>, super::Scopes<'b>), KeyError> {
        let (claims, secret_index) = self.signed_claims(key, now, buf)?;
        Ok((VerifiedKey { key, claims, secret_index }, claims.scopes()))
    }
}

/// The two parts of a key's text.
struct Segments<'k> {
    payload: &'k [u8],
    signature: &'k [u8],
}

impl<'k> Segments<'k> {
    /// Splits a key of which `room` bytes of buffer can hold the payload. What it costs to find that
    /// they cannot does not depend on the key's length.
    fn of(key: &'k [u8], room: usize) -> Result<Self, KeyError> {
        let text = key.strip_prefix(PREFIX.as_bytes()).ok_or(KeyError::InvalidPrefix)?;
        // So long a payload there is at least, if the key is well-formed.
        let shortest = text.len().saturating_sub(TAG_DIGITS).saturating_sub(1);
        if shortest > MAX_PAYLOAD_DIGITS {
            return Err(KeyError::Decode);
        }
        if base62::decoded_capacity(shortest) > room {
            return Err(too_small(key));
        }
        // A well-formed signature is short, so its separator is found from the end.
        let (front, tail) = text.split_at_checked(shortest).ok_or(KeyError::Decode)?;
        let Some(separator) = tail.iter().position(|byte| *byte == SEPARATOR) else {
            let malformed = if has(front, SEPARATOR) { KeyError::Decode } else { KeyError::InvalidFormat };
            return Err(malformed);
        };
        let (payload, rest) = text.split_at_checked(shortest.saturating_add(separator)).ok_or(KeyError::Decode)?;
        let (_, signature) = rest.split_first().ok_or(KeyError::Decode)?;
        Ok(Self { payload, signature })
    }
}

fn too_small(key: &[u8]) -> KeyError {
    KeyError::BufferTooSmall { needed: verify_buffer_len(key.len()) }
}

impl<'b> VerifiedKey<'b> {
    /// What the issuer says of the key.
    #[must_use]
    pub const fn claims(&self) -> &Claims<'b> {
        &self.claims
    }

    /// Checks that the key has all of these scopes. A scope matches only itself.
    ///
    /// # Errors
    ///
    /// [`MissingScopes`] names those that it lacks.
    pub fn require<'a>(&'a self, scopes: &'a [&'a str]) -> Result<(), MissingScopes<'a>> {
        MissingScopes::check(self.claims.scopes(), scopes)
    }

    /// The index of the secret that signed the key: 0 is the one that signs, the others follow in
    /// the order of [`Keyring::accept`].
    #[must_use]
    pub const fn secret_index(&self) -> usize {
        self.secret_index
    }

    /// The key itself. It is a credential: not for logs.
    #[must_use]
    pub fn raw(&self) -> &'b str {
        // A verified key is ASCII.
        core::str::from_utf8(self.key).unwrap_or_default()
    }

    /// The front of the key, safe for logs: see [`log_prefix`].
    #[must_use]
    pub fn prefix(&self) -> &'b str {
        log_prefix(self.raw())
    }

    /// The key's name for storage and deny-lists.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(self.raw())
    }
}

/// With the prefix instead of the key.
impl core::fmt::Debug for VerifiedKey<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("VerifiedKey")
            .field("prefix", &self.prefix())
            .field("claims", &self.claims)
            .field("secret_index", &self.secret_index)
            .finish()
    }
}
