//! The text of an envelope.

use core::{fmt, ops::Range};

use rand_core::TryCryptoRng;

use super::base64url;
use crate::{
    crypto::{self, NONCE_LEN, POINT_LEN, SEAL_LEN},
    error::sentences,
    json::find::{find, string},
    names::Malformed,
};

/// The purpose that keys are derived for.
const INFO: &[u8] = b"apikee-v1";

const VERSION: &[u8] = b"1";
/// Characters of the public key and of the nonce.
const EPK_LEN: usize = base64url::encoded_len(POINT_LEN);
const IV_LEN: usize = base64url::encoded_len(NONCE_LEN);

/// The dots are replaced by the public key and the nonce.
const FRONT: &[u8; CT_AT] =
    br#"{"v":"1","epk":"...........................................","iv":"................","ct":""#;
const BACK: &[u8; 2] = br#""}"#;
const EPK_AT: usize = br#"{"v":"1","epk":""#.len();
const IV_AT: usize = EPK_AT + EPK_LEN + br#"","iv":""#.len();
const CT_AT: usize = IV_AT + IV_LEN + br#"","ct":""#.len();

/// The length in bytes of an envelope for a plaintext of n bytes: 93 + ⌈4 (n + 16) / 3⌉; `usize::MAX` if it is larger
/// than that.
#[must_use]
pub const fn sealed_len(plaintext_len: usize) -> usize {
    CT_AT.saturating_add(base64url::encoded_len(plaintext_len.saturating_add(SEAL_LEN))).saturating_add(BACK.len())
}

/// Writes the key of an envelope to its place. Never `None`, as [`crypto::derive`] says.
pub(super) fn derive_key(shared: &[u8; 32], key: &mut [u8; 32]) -> Option<()> {
    crypto::derive(shared, INFO, key)
}

/// Seals `plaintext` into `buf` with a new nonce. Returns the envelope and the nonce.
pub(super) fn seal<'b, R>(
    key: &[u8; 32],
    epk: &[u8; POINT_LEN],
    plaintext: &[u8],
    rng: &mut R,
    buf: &'b mut [u8],
) -> Result<(&'b str, [u8; NONCE_LEN]), SealError>
where
    R: TryCryptoRng + ?Sized,
{
    let mut iv = [0; NONCE_LEN];
    rng.try_fill_bytes(&mut iv).map_err(|_| SealError::Rng)?;
    let needed = sealed_len(plaintext.len());
    let envelope = buf.get_mut(..needed).and_then(|place| fill(key, epk, &iv, plaintext, place));
    Ok((envelope.ok_or(SealError::BufferTooSmall { needed })?, iv))
}

/// Fills all of `envelope`. `None` if it does not have exactly the right length.
fn fill<'b>(
    key: &[u8; 32],
    epk: &[u8; POINT_LEN],
    iv: &[u8; NONCE_LEN],
    plaintext: &[u8],
    envelope: &'b mut [u8],
) -> Option<&'b str> {
    let (front, rest) = envelope.split_first_chunk_mut()?;
    *front = *FRONT;
    base64url::encode(epk, front.get_mut(EPK_AT..)?)?;
    base64url::encode(iv, front.get_mut(IV_AT..)?)?;
    let (digits, back) = rest.split_last_chunk_mut()?;
    *back = *BACK;
    // First the ciphertext and its tag, at the end of the room for their base64.
    let sealed_len = plaintext.len().checked_add(SEAL_LEN)?;
    let (_, sealed) = digits.split_at_mut_checked(digits.len().checked_sub(sealed_len)?)?;
    let (message, tag) = sealed.split_last_chunk_mut()?;
    message.copy_from_slice(plaintext);
    *tag = crypto::seal(key, iv, message)?;
    base64url::encode_in_place(digits, sealed_len)?;
    core::str::from_utf8(envelope).ok()
}

/// The parts of an envelope. The ciphertext is in the buffer, decoded.
pub(super) struct Parts<'e> {
    pub(super) epk: [u8; POINT_LEN],
    pub(super) iv: [u8; NONCE_LEN],
    pub(super) tag: [u8; SEAL_LEN],
    pub(super) message: &'e mut [u8],
}

impl<'e> Parts<'e> {
    pub(super) fn read(envelope: &'e mut [u8]) -> Result<Self, OpenError> {
        let [v, epk, iv, ct] = find(envelope, ["v", "epk", "iv", "ct"]).map_err(|Malformed| OpenError::Malformed)?;
        if ct.is_empty() {
            return Err(OpenError::Unsealed);
        }
        if string(envelope, v).and_then(|at| envelope.get(at)) != Some(VERSION) {
            return Err(OpenError::Version);
        }
        let epk = decoded(envelope, epk)?.as_ref().try_into().map_err(|_| OpenError::Encoding)?;
        let iv = decoded(envelope, iv)?.as_ref().try_into().map_err(|_| OpenError::Encoding)?;
        let sealed = decoded(envelope, ct)?;
        let (message, tag) = sealed.split_last_chunk_mut().ok_or(OpenError::Encoding)?;
        Ok(Self { epk, iv, tag: *tag, message })
    }

    /// Decrypts the message in place.
    pub(super) fn open(self, key: &[u8; 32]) -> Result<&'e mut [u8], OpenError> {
        crypto::open(key, &self.iv, self.message, &self.tag).map_err(|_| OpenError::Forged)?;
        Ok(self.message)
    }
}

/// Decodes the string at `at` in place, and returns its bytes.
fn decoded(envelope: &mut [u8], at: Range<usize>) -> Result<&mut [u8], OpenError> {
    let digits = string(envelope, at).and_then(|at| envelope.get_mut(at));
    digits.and_then(base64url::decode_in_place).ok_or(OpenError::Encoding)
}

/// Why a message cannot be sealed. The session or reply is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SealError {
    /// The buffer is too small.
    BufferTooSmall {
        /// The length of the envelope in bytes.
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

/// Why an envelope cannot be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum OpenError {
    /// Not a well-formed JSON object, a duplicate name, too many levels, or perhaps an object with more than 32,768
    /// members (2,048 on 32-bit processors and in WebAssembly; see [`JsonObject`](crate::meta::JsonObject)).
    Malformed,
    /// The object has no ciphertext. It may be a plain answer.
    Unsealed,
    /// The version is missing or unknown.
    Version,
    /// A member is missing, is not a string of canonical base64url, or has the wrong length.
    Encoding,
    /// The envelope names another key than the pinned one: it is not from the server, or it is our own request sent
    /// back. On the server's side: the client's key is of low order.
    WrongKey,
    /// The envelope names the right key but has the nonce of our request. It is our own request sent back, with its
    /// public key replaced by the server's.
    Reflected,
    /// The envelope was not made with this session's key, or it was changed.
    Forged,
}

sentences!(
    OpenError,
    Malformed: "the envelope is not a well-formed JSON object",
    Unsealed: "the body is not sealed",
    Version: "the envelope's version is not known",
    Encoding: "a member of the envelope is missing or wrongly encoded",
    WrongKey: "the envelope names a key that cannot be trusted",
    Reflected: "the answer is our own request sent back",
    Forged: "the envelope is not authentic",
);
