//! The claims of a verified key.

use core::ffi::c_void;

use apikee::{UnixTime, VerifiedKey};

use crate::{
    args::{self, ApikeeText, Span},
    error::{ApikeeError, report},
    slot,
    verify::ApikeeClaims,
};

type Key = VerifiedKey<'static>;

/// # Safety
///
/// The caller in C must keep the rules of the header.
unsafe fn give<T: Copy>(
    claims: *const ApikeeClaims,
    out: *mut T,
    none: T,
    read: impl FnOnce(&Key) -> Option<T>,
) -> ApikeeError {
    report(|| {
        args::apart([Span::one(out)], [Span::one(claims)])?;
        // SAFETY: the caller of this function guarantees it, and the output does not overlap.
        let key = unsafe {
            args::put(out, none)?;
            slot::get(claims)?
        };
        let value = read(key).ok_or(ApikeeError::Absent)?;
        // SAFETY: as above.
        unsafe { args::put(out, value) }
    })
}

/// # Safety
///
/// The caller in C must keep the rules of the header.
unsafe fn give_text(
    claims: *const ApikeeClaims,
    out: *mut ApikeeText,
    read: impl FnOnce(&Key) -> &'static str,
) -> ApikeeError {
    // SAFETY: the caller of this function guarantees it.
    unsafe { give(claims, out, ApikeeText::NONE, |key| Some(ApikeeText::of(read(key).as_bytes()))) }
}

/// # Safety
///
/// The caller in C must keep the rules of the header.
unsafe fn give_time(
    claims: *const ApikeeClaims,
    out: *mut i64,
    read: impl FnOnce(&Key) -> Option<UnixTime>,
) -> ApikeeError {
    // SAFETY: the caller of this function guarantees it.
    unsafe { give(claims, out, 0, |key| read(key).map(UnixTime::as_secs)) }
}

/// # Safety
///
/// The caller in C must keep the rules of the header.
unsafe fn require(claims: *const ApikeeClaims, scope: *const c_void, scope_len: usize) -> Result<(), ApikeeError> {
    // SAFETY: the caller of this function guarantees it.
    let (key, scope) = unsafe { (slot::get(claims)?, args::text(scope, scope_len)?) };
    if key.claims().scopes().contains(scope) { Ok(()) } else { Err(ApikeeError::InsufficientScope) }
}

/// Whether the key has this scope. A scope matches only itself: there are no wildcards.
///
/// True only for the claims of a key that was verified; false after any error.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apikee_claims_has_scope(
    claims: *const ApikeeClaims,
    scope: *const c_void,
    scope_len: usize,
) -> bool {
    // SAFETY: the caller keeps the rules.
    unsafe { require(claims, scope, scope_len) }.is_ok()
}

/// Checks that the key has this scope. A scope matches only itself: there are no wildcards.
///
/// Errors: `APIKEE_ERROR_INSUFFICIENT_SCOPE`.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apikee_claims_require_scope(
    claims: *const ApikeeClaims,
    scope: *const c_void,
    scope_len: usize,
) -> ApikeeError {
    // SAFETY: the caller keeps the rules.
    report(|| unsafe { require(claims, scope, scope_len) })
}

/// Checks that the key has all of these scopes. An empty list needs no scope.
///
/// `missing` may be null. It receives the index of the first scope that the key lacks, or `count` if it lacks none.
///
/// Errors: `APIKEE_ERROR_INSUFFICIENT_SCOPE`.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apikee_claims_require_scopes(
    claims: *const ApikeeClaims,
    scopes: *const ApikeeText,
    count: usize,
    missing: *mut usize,
) -> ApikeeError {
    let tell = |at| {
        // SAFETY: the caller keeps the rules.
        if missing.is_null() { Ok(()) } else { unsafe { args::put(missing, at) } }
    };
    report(|| {
        args::apart([Span::one(missing)], [Span::one(claims), Span::array(scopes, count)])?;
        tell(0)?;
        // SAFETY: the caller keeps the rules, and the output does not overlap.
        let (key, scopes) = unsafe { (slot::get(claims)?, args::array(scopes, count)?) };
        let own = key.claims().scopes();
        for (at, scope) in scopes.iter().enumerate() {
            args::apart([Span::one(missing)], [scope.span()])?;
            // SAFETY: as above.
            if !own.contains(unsafe { scope.read() }?) {
                tell(at)?;
                return Err(ApikeeError::InsufficientScope);
            }
        }
        tell(count)
    })
}

/// The tenant that owns the key. Empty if the issuer did not name one.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apikee_claims_get_tenant(claims: *const ApikeeClaims, tenant: *mut ApikeeText) -> ApikeeError {
    // SAFETY: the caller keeps the rules.
    unsafe { give_text(claims, tenant, |key| key.claims().tenant()) }
}

/// The key's id. Ids sort by their time of issue. Empty if the key has none.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apikee_claims_get_id(claims: *const ApikeeClaims, id: *mut ApikeeText) -> ApikeeError {
    // SAFETY: the caller keeps the rules.
    unsafe { give_text(claims, id, |key| key.claims().id()) }
}

/// The environment tag. `"production"` if the key has none.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apikee_claims_get_environment(
    claims: *const ApikeeClaims,
    environment: *mut ApikeeText,
) -> ApikeeError {
    // SAFETY: the caller keeps the rules.
    unsafe { give_text(claims, environment, |key| key.claims().environment()) }
}

/// The last second in which the key is good, since 1970.
///
/// Errors: `APIKEE_ERROR_ABSENT` if the key never expires.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apikee_claims_get_expires_at(claims: *const ApikeeClaims, seconds: *mut i64) -> ApikeeError {
    // SAFETY: the caller keeps the rules.
    unsafe { give_time(claims, seconds, |key| key.claims().expires_at()) }
}

/// The first second in which the key is good, since 1970.
///
/// Errors: `APIKEE_ERROR_ABSENT` if the key has no such time.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apikee_claims_get_not_before(claims: *const ApikeeClaims, seconds: *mut i64) -> ApikeeError {
    // SAFETY: the caller keeps the rules.
    unsafe { give_time(claims, seconds, |key| key.claims().not_before()) }
}

/// The index of the secret that signed the key: 0 is the one of `apikee_keyring_init`, the others follow in the
/// order of `apikee_keyring_accept`.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apikee_claims_get_secret_index(claims: *const ApikeeClaims, index: *mut usize) -> ApikeeError {
    // SAFETY: the caller keeps the rules.
    unsafe { give(claims, index, 0, |key| Some(key.secret_index())) }
}

/// The scope with this index, in the issuer's order. To list all scopes, count up from 0 until `APIKEE_ERROR_ABSENT`.
/// Each call starts at the first scope.
///
/// Errors: `APIKEE_ERROR_ABSENT` after the last scope.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apikee_claims_get_scope(
    claims: *const ApikeeClaims,
    index: usize,
    scope: *mut ApikeeText,
) -> ApikeeError {
    let read = |key: &Key| key.claims().scopes().iter().nth(index).map(|own| ApikeeText::of(own.as_bytes()));
    // SAFETY: the caller keeps the rules.
    unsafe { give(claims, scope, ApikeeText::NONE, read) }
}
