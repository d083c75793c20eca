//! Names for keys that do not reveal the key.

use core::ffi::c_void;

use apikee::{Fingerprint, key::log_prefix};

use crate::{
    args::{self, ApikeeText, Span},
    error::{ApikeeError, report},
};

/// Bytes of a fingerprint.
pub const APIKEE_FINGERPRINT_LEN: usize = 32;

/// The most bytes of a key that are safe in logs.
const PREFIX_LEN: usize = 12;

/// The SHA-256 of a whole key, `APIKEE_FINGERPRINT_LEN` bytes. Use it for storage and deny-lists. The
/// SDKs print it as lower-case hexadecimal digits.
///
/// A text that is not a key has a fingerprint, too. On a deny-list it revokes nothing.
///
/// Errors: `APIKEE_ERROR_MISSING_KEY` if `key` is null and `key_len` is 0.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apikee_get_fingerprint(
    key: *const c_void,
    key_len: usize,
    fingerprint: *mut [u8; APIKEE_FINGERPRINT_LEN],
) -> ApikeeError {
    report(|| {
        args::apart([Span::one(fingerprint)], [Span::bytes(key, key_len)])?;
        // SAFETY: the caller keeps the rules, and the two do not overlap.
        let text = unsafe {
            args::put(fingerprint, [0; APIKEE_FINGERPRINT_LEN])?;
            args::text(key, key_len)?
        };
        if key.is_null() {
            return Err(ApikeeError::MissingKey);
        }
        // SAFETY: as above.
        unsafe { args::put(fingerprint, *Fingerprint::of(text).as_bytes()) }
    })
}

/// The first characters of a key, which do not reveal it: at most 12 bytes, up to the first byte that is not UTF-8. If
/// the key is not verified, they may be control characters: escape them before you log them.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apikee_get_log_prefix(
    key: *const c_void,
    key_len: usize,
    prefix: *mut ApikeeText,
) -> ApikeeError {
    report(|| {
        args::apart([Span::one(prefix)], [Span::bytes(key, key_len)])?;
        // SAFETY: the caller keeps the rules, and the two do not overlap.
        let key = unsafe {
            args::put(prefix, ApikeeText::NONE)?;
            args::bytes(key, key_len)?
        };
        if key.is_empty() {
            return Ok(());
        }
        let front = key.get(..PREFIX_LEN).unwrap_or(key);
        let text = front.utf8_chunks().next().map_or("", |chunk| chunk.valid());
        // SAFETY: as above.
        unsafe { args::put(prefix, ApikeeText::of(log_prefix(text).as_bytes())) }
    })
}
