//! Looking into a key without any secret: for people who debug, never for deciding anything.

use super::{
    PREFIX, SEPARATOR,
    base62::{self, DecodeError},
    claims::Claims,
    payload::Encoding,
    verify::{KeyError, MAX_PAYLOAD_DIGITS},
};

/// What a key says of itself, **unverified**: anyone can write such a key.
#[derive(Debug, Clone, Copy)]
pub struct UntrustedKey<'b> {
    /// Its claims, if they are well-formed.
    pub claims: Option<UntrustedClaims<'b>>,
    /// How they are written. Only the Python SDK reads MessagePack, and only with `msgpack`.
    pub encoding: Encoding,
    /// Whether the signature starts with a zero byte: the published SDKs refuse such a key.
    pub signature_starts_with_zero: bool,
    /// Whether the key has leading zeros: the published SDKs accept such spellings, and their
    /// deny-lists miss them. We refuse them.
    pub non_canonical: bool,
}

/// Claims that nobody has **verified**: anyone can write them. They have a type of their own, so that they are not
/// taken for those of a [`VerifiedKey`](super::VerifiedKey).
#[derive(Debug, Clone, Copy)]
pub struct UntrustedClaims<'b>(Claims<'b>);

impl<'b> UntrustedClaims<'b> {
    /// What the claims say: to show it to somebody, never to decide anything.
    #[must_use]
    pub const fn untrusted(&self) -> &Claims<'b> {
        &self.0
    }
}

impl<'b> UntrustedKey<'b> {
    /// Decodes a key into `buf`, of [`verify_buffer_len`](super::verify_buffer_len) bytes, without checking its
    /// signature or its times. Leading zeros are passed over.
    ///
    /// # Errors
    ///
    /// As [`Keyring::verify`](super::Keyring::verify) for what is not even spelt like a key.
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
