//! Verification of keys.

use core::ffi::c_void;

use apikee::{KeyError, UnixTime, VerifiedKey, verify_buffer_len};

use crate::{
    args::{self, Span},
    error::{ApikeeError, report},
    keyring::ApikeeKeyring,
    slot::{self, Place},
};

/// Bytes of an `apikee_claims`, on every target.
pub const APIKEE_CLAIMS_SIZE: usize = 112;

/// The claims of a verified key. They point into the key's text and into the buffer that the key was verified with:
/// keep both unchanged while you use them.
#[repr(C)]
pub struct ApikeeClaims {
    opaque: [u64; 14],
}
const _: () = assert!(APIKEE_CLAIMS_SIZE == size_of::<ApikeeClaims>());

impl Place for ApikeeClaims {
    /// The lifetime is the caller's responsibility: the rules require the memory to stay.
    type Value = VerifiedKey<'static>;
    const MARK: u64 = 0x6170_696B_6565_0002;
}

/// Verifies a key: its signature, then its claims, then its times. Only `APIKEE_ERROR_OK` means that it is good.
///
/// `now` is in seconds since 1970. A clock at 0, or one that is too early for another reason, makes expired keys good:
/// a device whose clock starts at 1970 must not verify keys until it knows the time.
///
/// The size of `buf` limits the length of a key: `APIKEE_VERIFY_BUFFER_LEN(key_len)` bytes are enough, and 1024
/// are enough for most keys. A null `key` with length 0 is a request without a key. After an error, `claims` is
/// all zeros, and `buf` contains unspecified bytes.
///
/// Errors: those from `APIKEE_ERROR_MISSING_KEY` to `APIKEE_ERROR_NOT_YET_VALID`, for the first check that
/// fails.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apikee_verify(
    keyring: *const ApikeeKeyring,
    key: *const c_void,
    key_len: usize,
    now: i64,
    buf: *mut c_void,
    buf_len: usize,
    claims: *mut ApikeeClaims,
) -> ApikeeError {
    report(|| {
        let inputs = [Span::one(keyring), Span::bytes(key, key_len)];
        args::apart([Span::one(claims)], inputs)?;
        // Before any other check, so that a caller who ignores the code finds no claims of an earlier key.
        // SAFETY: the caller keeps the rules, and no input is wiped.
        unsafe { slot::wipe(claims) }?;
        args::apart([Span::one(claims), Span::bytes(buf, buf_len)], inputs)?;
        // SAFETY: the caller keeps the rules, and the output does not overlap.
        let (keyring, key_bytes) = unsafe { (slot::get(keyring)?, args::bytes(key, key_len)?) };
        if key.is_null() {
            return Err(KeyError::Missing.into());
        }
        // SAFETY: as above.
        let buf = unsafe { args::buffer(buf, buf_len, verify_buffer_len(key_len)) }?;
        let verified = keyring.verify(key_bytes, UnixTime::from_secs(now), buf)?;
        // SAFETY: as above.
        unsafe { slot::init(claims, verified) }
    })
}
