//! Reads a key without any secret. For debugging only: never base a decision on it.

use super::{
    PREFIX, SEPARATOR,
    base62::{self, DecodeError},
    claims::Claims,
    payload::Encoding,
    verify::{KeyError, MAX_PAYLOAD_DIGITS, MAX_PAYLOAD_LEN},
};

/// The **unverified** content of a key. Anyone can write such a key.
#[derive(Debug, Clone, Copy)]
pub struct UntrustedKey<'b> {
    /// Its claims, if they are well-formed.
    pub claims: Option<UntrustedClaims<'b>>,
    /// The encoding of the claims. Of the SDKs, only Python's reads MessagePack, and only with `msgpack` installed.
    pub encoding: Encoding,
    /// Whether the signature starts with a zero byte. The published SDKs refuse such a key.
    pub signature_starts_with_zero: bool,
    /// Whether the key has leading zeros. The published SDKs accept such spellings, and their deny-lists miss them.
    /// This crate refuses them.
    pub non_canonical: bool,
}

/// **Unverified** claims: anyone can write them. They are a separate type, so that nobody mistakes them for the
/// claims of a [`VerifiedKey`](super::VerifiedKey).
#[derive(Debug, Clone, Copy)]
pub struct UntrustedClaims<'b>(Claims<'b>);

impl<'b> UntrustedClaims<'b> {
    /// The claims. Show them to people, but never base a decision on them.
    #[must_use]
    pub const fn untrusted(&self) -> &Claims<'b> {
        &self.0
    }
}

impl<'b> UntrustedKey<'b> {
    /// Decodes a key into `buf`, which needs [`verify_buffer_len`](super::verify_buffer_len) bytes. It does not check
    /// the signature or the times, and it skips leading zeros.
    ///
    /// # Errors
    ///
    /// The same as [`Keyring::verify`](super::Keyring::verify) for a text that is not spelt like a key, and
    /// [`KeyError::BufferTooSmall`].
    pub fn read<K>(key: &K, buf: &'b mut [u8]) -> Result<Self, KeyError>
    where
        K: AsRef<[u8]> + ?Sized,
    {
        let key = key.as_ref();
        let text = key.strip_prefix(PREFIX.as_bytes()).ok_or(KeyError::InvalidPrefix)?;
        let separator = text.iter().position(|byte| *byte == SEPARATOR).ok_or(KeyError::InvalidFormat)?;
        let (payload, rest) = text.split_at_checked(separator).ok_or(KeyError::Decode)?;
        let (payload, signature) = (canonical(payload), canonical(rest.get(1..).unwrap_or_default()));
        let digits = payload.len().saturating_add(signature.len()).saturating_add(1);
        if payload.len() > MAX_PAYLOAD_DIGITS {
            return Err(KeyError::Decode);
        }
        let tag = base62::decode_tag(signature).map_err(|_| KeyError::Decode)?;
        let payload = base62::decode(payload, buf).map_err(|error| match error {
            DecodeError::Spelling => KeyError::Decode,
            DecodeError::Room(needed) => KeyError::BufferTooSmall { needed },
        })?;
        if payload.len() > MAX_PAYLOAD_LEN {
            return Err(KeyError::Decode);
        }
        Ok(Self {
            encoding: Encoding::of(payload),
            claims: Claims::read(payload).ok().map(UntrustedClaims),
            signature_starts_with_zero: tag.first() == Some(&0),
            non_canonical: digits < text.len(),
        })
    }
}

/// The segment without leading zeros.
fn canonical(mut segment: &[u8]) -> &[u8] {
    while let [b'0', rest @ ..] = segment
        && !rest.is_empty()
    {
        segment = rest;
    }
    segment
}
