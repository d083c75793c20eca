//! The claim `meta`: further data from the issuer.

use core::ffi::c_void;

use apikee::{
    key::{Encoding, MAX_PAYLOAD_LEN},
    meta::Meta,
};

use crate::{
    args::{self, ApikeeText, Span},
    error::{ApikeeError, report},
    slot,
    verify::ApikeeClaims,
};

/// The encoding of `meta`.
#[repr(u32)]
pub enum ApikeeEncoding {
    /// JSON.
    Json = 0,
    /// MessagePack.
    Msgpack = 1,
}

/// # Safety
///
/// The caller in C must keep the rules of the header.
unsafe fn meta(claims: *const ApikeeClaims) -> Result<Meta<'static>, ApikeeError> {
    // SAFETY: the caller of this function guarantees it.
    Ok(unsafe { slot::get(claims) }?.claims().meta())
}

/// The bytes of `meta` as the issuer wrote them. `{}` if the key has no `meta`. `encoding` receives their encoding: an
/// `apikee_encoding`.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apikee_claims_get_meta(
    claims: *const ApikeeClaims,
    bytes: *mut ApikeeText,
    encoding: *mut u32,
) -> ApikeeError {
    report(|| {
        args::apart([Span::one(bytes), Span::one(encoding)], [Span::one(claims)])?;
        // SAFETY: the caller keeps the rules, and the output does not overlap.
        let meta = unsafe {
            args::put(bytes, ApikeeText::NONE)?;
            args::put(encoding, 0)?;
            meta(claims)?
        };
        let written = match meta.encoding() {
            Encoding::Json => ApikeeEncoding::Json,
            Encoding::MessagePack => ApikeeEncoding::Msgpack,
        };
        #[expect(clippy::as_conversions, reason = "the number is what the enum is")]
        // SAFETY: as above.
        unsafe {
            args::put(encoding, written as u32)?;
            args::put(bytes, ApikeeText::of(meta.as_bytes()))
        }
    })
}

/// Copies the member of `meta` with this name into `buf`, if it is a string. `len` receives its length in bytes. The
/// string does not end with a NUL, and may contain NULs.
///
/// Errors: `APIKEE_ERROR_ABSENT`; `APIKEE_ERROR_BUFFER_TOO_SMALL`, with the string's length in `len` and a part
/// of it in `buf`.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apikee_claims_get_meta_str(
    claims: *const ApikeeClaims,
    name: *const c_void,
    name_len: usize,
    buf: *mut c_void,
    buf_len: usize,
    len: *mut usize,
) -> ApikeeError {
    report(|| {
        args::apart([Span::bytes(buf, buf_len), Span::one(len)], [Span::one(claims), Span::bytes(name, name_len)])?;
        // SAFETY: the caller keeps the rules, and the output does not overlap.
        let (meta, name) = unsafe {
            args::put(len, 0)?;
            (meta(claims)?, args::text(name, name_len)?)
        };
        let text = meta.get_str(name).ok_or(ApikeeError::Absent)?;
        args::apart([Span::bytes(buf, buf_len)], [ApikeeText::of(meta.as_bytes()).span()])?;
        // SAFETY: as above, and the string itself does not overlap.
        let buf = unsafe { args::buffer(buf, buf_len, MAX_PAYLOAD_LEN) }?;
        let (needed, fits) = match text.read_into(buf) {
            Ok(copy) => (copy.len(), Ok(())),
            Err(error) => (error.needed, Err(ApikeeError::BufferTooSmall)),
        };
        // SAFETY: as above.
        unsafe { args::put(len, needed) }?;
        fits
    })
}

/// # Safety
///
/// The caller in C must keep the rules of the header.
unsafe fn give<T: Copy + Default>(
    claims: *const ApikeeClaims,
    name: *const c_void,
    name_len: usize,
    out: *mut T,
    read: impl FnOnce(Meta<'static>, &str) -> Option<T>,
) -> ApikeeError {
    report(|| {
        args::apart([Span::one(out)], [Span::one(claims), Span::bytes(name, name_len)])?;
        // SAFETY: the caller of this function guarantees it, and the output does not overlap.
        let (meta, name) = unsafe {
            args::put(out, T::default())?;
            (meta(claims)?, args::text(name, name_len)?)
        };
        let value = read(meta, name).ok_or(ApikeeError::Absent)?;
        // SAFETY: as above.
        unsafe { args::put(out, value) }
    })
}

/// The member of `meta` with this name, if it is an integer that fits.
///
/// Errors: `APIKEE_ERROR_ABSENT`.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apikee_claims_get_meta_int(
    claims: *const ApikeeClaims,
    name: *const c_void,
    name_len: usize,
    value: *mut i64,
) -> ApikeeError {
    // SAFETY: the caller keeps the rules.
    unsafe { give(claims, name, name_len, value, |meta, name| meta.get_i64(name)) }
}

/// The member of `meta` with this name, if it is a boolean. Check the error first: `value` is also false if there is no
/// such member.
///
/// Errors: `APIKEE_ERROR_ABSENT`.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apikee_claims_get_meta_bool(
    claims: *const ApikeeClaims,
    name: *const c_void,
    name_len: usize,
    value: *mut bool,
) -> ApikeeError {
    // SAFETY: the caller keeps the rules.
    unsafe { give(claims, name, name_len, value, |meta, name| meta.get_bool(name)) }
}
