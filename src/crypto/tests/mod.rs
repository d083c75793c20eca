//! The algorithms as this module has them, held against published vectors.

#[cfg(feature = "envelope")]
mod aead;
#[cfg(feature = "envelope")]
mod kdf;
mod mac;

/// The bytes of hexadecimal text.
#[cfg(feature = "envelope")]
pub(super) fn hex(text: &str) -> Vec<u8> {
    assert_eq!(text.len() % 2, 0);
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

#[cfg(feature = "envelope")]
pub(super) fn hex32(text: &str) -> [u8; 32] {
    hex(text).try_into().unwrap()
}
