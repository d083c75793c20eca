//! The text of an envelope.

use core::ops::Range;

use super::{OpenError, SealError, base64url};
use crate::{
    crypto::{self, NONCE_LEN, POINT_LEN, SEAL_LEN},
    json::{
        cursor::{Cursor, is_plain},
        scan::Reader,
    },
    names::Malformed,
    text::{Text, unquote_in_place},
};

const VERSION: &str = "1";
/// Characters of a public key and of a nonce.
const EPK_LEN: usize = base64url::encoded_len(POINT_LEN);
const IV_LEN: usize = base64url::encoded_len(NONCE_LEN);

/// With dots where the public key and the nonce come to stand.
const FRONT: &[u8; CT_AT] =
    br#"{"v":"1","epk":"...........................................","iv":"................","ct":""#;
const BACK: &[u8; 2] = br#""}"#;
const V_AT: usize = br#"{"v":""#.len();
const EPK_AT: usize = br#"{"v":"1","epk":""#.len();
const IV_AT: usize = EPK_AT + EPK_LEN + br#"","iv":""#.len();
const CT_AT: usize = IV_AT + IV_LEN + br#"","ct":""#.len();

/// The length in bytes of an envelope around a plaintext of n: 93 + ⌈4 (n + 16) / 3⌉.
#[must_use]
pub const fn sealed_len(plaintext_len: usize) -> usize {
    CT_AT.saturating_add(base64url::encoded_len(plaintext_len.saturating_add(SEAL_LEN))).saturating_add(BACK.len())
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
    let envelope = buf.get_mut(..needed).and_then(|place| fill(key, epk, iv, plaintext, place));
    envelope.ok_or(SealError::BufferTooSmall { needed })
}

/// Fills `envelope` to its last byte; `None` if it has another length than it takes.
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
    // The ciphertext and its tag first, at the end of the place of their base64.
    let sealed_len = plaintext.len().checked_add(SEAL_LEN)?;
    let (_, sealed) = digits.split_at_mut_checked(digits.len().checked_sub(sealed_len)?)?;
    let (message, tag) = sealed.split_last_chunk_mut()?;
    message.copy_from_slice(plaintext);
    *tag = crypto::seal(key, iv, message)?;
    base64url::encode_in_place(digits, sealed_len)?;
    core::str::from_utf8(envelope).ok()
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
        if string(envelope, v).ok_or(OpenError::Version)? != VERSION.as_bytes() {
            return Err(OpenError::Version);
        }
        let epk = decoded(envelope, epk)?.as_ref().try_into().map_err(|_| OpenError::Encoding)?;
        let iv = decoded(envelope, iv)?.as_ref().try_into().map_err(|_| OpenError::Encoding)?;
        let sealed = decoded(envelope, Some(ct))?;
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
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    v: Option<Range<usize>>,
    epk: Option<Range<usize>>,
    iv: Option<Range<usize>>,
    ct: Option<Range<usize>>,
}

impl Found {
    fn scan(envelope: &[u8]) -> Result<Self, OpenError> {
        let in_place = if cfg!(target_pointer_width = "64") { Self::as_sealed(envelope) } else { None };
        in_place.map_or_else(|| Self::anywhere(envelope), Ok).map_err(|Malformed| OpenError::Malformed)
    }

    /// Of an envelope that is spelt as [`seal`] does it, where each member has its place. Most are, and it takes a
    /// fraction of the time; on narrow processors it would only add to the code.
    fn as_sealed(envelope: &[u8]) -> Option<Self> {
        let (front, rest) = envelope.split_first_chunk::<CT_AT>()?;
        let ct = rest.strip_suffix(BACK)?;
        for (fixed, own) in [(0..EPK_AT, EPK_LEN), (EPK_AT + EPK_LEN..IV_AT, IV_LEN), (IV_AT + IV_LEN..CT_AT, ct.len())]
        {
            let text = envelope.get(fixed.end..)?.get(..own)?;
            if front.get(fixed.clone()) != FRONT.get(fixed) || !text.iter().all(|byte| is_plain(*byte)) {
                return None;
            }
        }
        Some(Self {
            v: Some(quoted(V_AT, VERSION.len())),
            epk: Some(quoted(EPK_AT, EPK_LEN)),
            iv: Some(quoted(IV_AT, IV_LEN)),
            ct: Some(quoted(CT_AT, ct.len())),
        })
    }

    fn anywhere(envelope: &[u8]) -> Result<Self, Malformed> {
        let mut found = Self::default();
        let mut reader = Reader::new(Cursor::new(envelope));
        reader.outermost()?;
        while reader.next()? {
            let (name, value) = (reader.name(), reader.value()?);
            found.note(name, value);
        }
        reader.end()?;
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

/// A string with its quotes, from where it starts without them.
const fn quoted(at: usize, len: usize) -> Range<usize> {
    at.saturating_sub(1)..at.saturating_add(len).saturating_add(1)
}

/// The characters of a member that is a string, where they stand.
fn string(envelope: &mut [u8], at: Option<Range<usize>>) -> Option<&mut [u8]> {
    let value = envelope.get_mut(at?)?;
    let inner = unquote_in_place(value)?;
    value.get_mut(inner)
}

/// The bytes that such a member means, where it stands.
fn decoded(envelope: &mut [u8], at: Option<Range<usize>>) -> Result<&mut [u8], OpenError> {
    string(envelope, at).and_then(base64url::decode_in_place).ok_or(OpenError::Encoding)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: &[u8] = b"\0\n\x1F \"+,-/19:=AZ[\\]_az{}\x7F\x80\xC3\xE9\xFF";

    #[test]
    fn members_are_found_in_their_places_only_where_a_reader_finds_them() {
        let mut sealed = vec![0; sealed_len(70)];
        seal(&[1; 32], &[2; POINT_LEN], &[3; NONCE_LEN], &[b'x'; 70], &mut sealed).unwrap();
        let mut in_place = 0;
        let mut try_with = |envelope: &[u8]| {
            if let Some(found) = Found::as_sealed(envelope) {
                assert_eq!(Ok(found), Found::anywhere(envelope), "{}", envelope.escape_ascii());
                in_place += 1;
            }
        };
        try_with(&sealed);
        for at in 0..=sealed.len() {
            try_with(&sealed[..at]);
            for byte in BYTES {
                let mut longer = sealed.clone();
                longer.insert(at, *byte);
                try_with(&longer);
                if at < sealed.len() {
                    let mut other = sealed.clone();
                    other[at] = *byte;
                    try_with(&other);
                    other.remove((at + 1) % sealed.len());
                    try_with(&other);
                }
            }
        }
        // The digits of key, nonce and ciphertext, each with 17 of the bytes, and where one more digit fits.
        assert!(in_place > (EPK_LEN + IV_LEN) * 17, "{in_place}");
    }
}
