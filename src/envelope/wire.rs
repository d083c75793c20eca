//! The text of an envelope.

use core::ops::Range;

use base64ct::{Base64UrlUnpadded, Encoding as _};

use super::{OpenError, SealError};
use crate::{
    crypto::{self, NONCE_LEN, POINT_LEN, SEAL_LEN},
    json::scan,
    text::{Text, unquote_in_place},
};

const VERSION: &str = "1";
const FRONT: &[u8] = br#"{"v":"1","epk":""#;
const BEFORE_IV: &[u8] = br#"","iv":""#;
const BEFORE_CT: &[u8] = br#"","ct":""#;
const BACK: &[u8] = br#""}"#;
/// Characters of a public key and of a nonce.
const EPK_LEN: usize = base64_len(POINT_LEN);
const IV_LEN: usize = base64_len(NONCE_LEN);

/// Bytes and characters that are encoded at a time.
const CHUNK: usize = 48;
const CHUNK_LEN: usize = 64;

/// Characters of base64 without padding.
const fn base64_len(bytes: usize) -> usize {
    bytes.saturating_mul(4).div_ceil(3)
}

/// Where the ciphertext starts.
const CT_AT: usize = FRONT
    .len()
    .saturating_add(EPK_LEN)
    .saturating_add(BEFORE_IV.len())
    .saturating_add(IV_LEN)
    .saturating_add(BEFORE_CT.len());

/// The length in bytes of an envelope around a plaintext of n: 93 + ⌈4 (n + 16) / 3⌉.
#[must_use]
pub const fn sealed_len(plaintext_len: usize) -> usize {
    CT_AT.saturating_add(base64_len(plaintext_len.saturating_add(SEAL_LEN))).saturating_add(BACK.len())
}

/// Seals `plaintext` into `buf`.
pub(super) fn seal<'b>(
    key: &[u8; 32],
    epk: &[u8; POINT_LEN],
    iv: &[u8; NONCE_LEN],
    plaintext: &[u8],
    buf: &'b mut [u8],
) -> Result<&'b str, SealError> {
    let needed = sealed_len(plaintext.len());
    let envelope = buf.get_mut(..needed).ok_or(SealError::BufferTooSmall { needed })?;
    let (front, rest) = envelope.split_at_mut_checked(CT_AT).ok_or(SealError::BufferTooSmall { needed })?;

    // The ciphertext and its tag first, where their base64 will start.
    let (message, after) = rest.split_at_mut_checked(plaintext.len()).ok_or(SealError::BufferTooSmall { needed })?;
    message.copy_from_slice(plaintext);
    let tag = crypto::seal(key, iv, message).ok_or(SealError::BufferTooSmall { needed })?;
    after.get_mut(..SEAL_LEN).ok_or(SealError::BufferTooSmall { needed })?.copy_from_slice(&tag);
    encode_in_place(rest, plaintext.len().saturating_add(SEAL_LEN));

    let mut epk_text = [0; EPK_LEN];
    let mut iv_text = [0; IV_LEN];
    let epk_text = Base64UrlUnpadded::encode(epk, &mut epk_text).unwrap_or_default();
    let iv_text = Base64UrlUnpadded::encode(iv, &mut iv_text).unwrap_or_default();
    let mut out = crate::buf::Writer::new(front);
    for part in [FRONT, epk_text.as_bytes(), BEFORE_IV, iv_text.as_bytes(), BEFORE_CT] {
        out.bytes(part);
    }
    if let Some(back) = rest.last_chunk_mut() {
        *back = *BACK.first_chunk().unwrap_or(b"\"}");
    }
    core::str::from_utf8(envelope).map_err(|_| SealError::BufferTooSmall { needed })
}

/// Replaces the first `len` bytes by their base64, from the last chunk to the first: no chunk's text
/// reaches back into bytes that are still to be read.
fn encode_in_place(place: &mut [u8], len: usize) {
    for chunk in (0..len.div_ceil(CHUNK)).rev() {
        let start = chunk.saturating_mul(CHUNK);
        let mut bytes = [0; CHUNK];
        let Some(source) = place.get(start..len.min(start.saturating_add(CHUNK))) else {
            return;
        };
        let Some(bytes) = bytes.get_mut(..source.len()) else {
            return;
        };
        bytes.copy_from_slice(source);
        let text_at = chunk.saturating_mul(CHUNK_LEN);
        let text_end = text_at.saturating_add(base64_len(bytes.len()));
        if let Some(text) = place.get_mut(text_at..text_end) {
            let _ = Base64UrlUnpadded::encode(bytes, text);
        }
    }
}

/// An envelope taken apart. The ciphertext stands in the buffer, decoded.
pub(super) struct Parts<'e> {
    pub(super) epk: [u8; POINT_LEN],
    pub(super) iv: [u8; NONCE_LEN],
    pub(super) tag: [u8; SEAL_LEN],
    pub(super) message: &'e mut [u8],
}

impl<'e> Parts<'e> {
    pub(super) fn read(envelope: &'e mut [u8]) -> Result<Self, OpenError> {
        let Found { v, epk, iv, ct } = Found::scan(envelope)?;
        let ct = ct.ok_or(OpenError::Unsealed)?;
        let version: [u8; VERSION.len()] = member(envelope, v, copy).ok_or(OpenError::Version)?;
        if version != VERSION.as_bytes() {
            return Err(OpenError::Version);
        }
        let epk = member(envelope, epk, decode).ok_or(OpenError::Encoding)?;
        let iv = member(envelope, iv, decode).ok_or(OpenError::Encoding)?;

        let ct = envelope.get_mut(ct).ok_or(OpenError::Encoding)?;
        let inner = unquote_in_place(ct).ok_or(OpenError::Encoding)?;
        let ct = ct.get_mut(inner).ok_or(OpenError::Encoding)?;
        // One spelling for each ciphertext: `decode_in_place` does not look at the unused bits of the
        // last digit, `decode` does.
        let (_, last) = ct.as_chunks::<4>();
        Base64UrlUnpadded::decode(last, &mut [0; 3]).map_err(|_| OpenError::Encoding)?;
        let len = Base64UrlUnpadded::decode_in_place(ct).map_err(|_| OpenError::Encoding)?.len();
        let sealed = ct.get_mut(..len).ok_or(OpenError::Encoding)?;
        let (message, tag) = sealed.split_last_chunk_mut().ok_or(OpenError::Encoding)?;
        Ok(Self { epk, iv, tag: *tag, message })
    }

    /// Decrypts the message where it stands.
    pub(super) fn open(self, key: &[u8; 32]) -> Result<&'e mut [u8], OpenError> {
        crypto::open(key, &self.iv, self.message, &self.tag).map_err(|_| OpenError::Forged)?;
        Ok(self.message)
    }
}

/// Where the values of the members stand.
#[derive(Default)]
struct Found {
    v: Option<Range<usize>>,
    epk: Option<Range<usize>>,
    iv: Option<Range<usize>>,
    ct: Option<Range<usize>>,
}

impl Found {
    fn scan(envelope: &[u8]) -> Result<Self, OpenError> {
        let mut found = Self::default();
        scan::object(envelope, 0, |name, value| found.note(name, value)).map_err(|_| OpenError::Malformed)?;
        Ok(found)
    }

    fn note(&mut self, name: Text<'_>, value: Range<usize>) {
        if name == "v" {
            self.v = Some(value);
        } else if name == "epk" {
            self.epk = Some(value);
        } else if name == "iv" {
            self.iv = Some(value);
        } else if name == "ct" {
            self.ct = Some(value);
        }
    }
}

/// A member that is a string and means exactly `N` bytes.
fn member<const N: usize>(
    envelope: &mut [u8],
    at: Option<Range<usize>>,
    read: impl FnOnce(&[u8], &mut [u8; N]) -> Option<()>,
) -> Option<[u8; N]> {
    let value = envelope.get_mut(at?)?;
    let inner = unquote_in_place(value)?;
    let mut bytes = [0; N];
    read(value.get(inner)?, &mut bytes)?;
    Some(bytes)
}

fn copy<const N: usize>(text: &[u8], out: &mut [u8; N]) -> Option<()> {
    *out = text.try_into().ok()?;
    Some(())
}

fn decode<const N: usize>(text: &[u8], out: &mut [u8; N]) -> Option<()> {
    (Base64UrlUnpadded::decode(text, out).ok()?.len() == N).then_some(())
}
