//! What a verified key says.

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
/// The caller in C keeps the rules.
unsafe fn give<T: Copy>(
    claims: *const ApikeeClaims,
    out: *mut T,
    none: T,
    read: impl FnOnce(&Key) -> Option<T>,
) -> ApikeeError {
    report(|| {
        args::apart([Span::one(out)], [Span::one(claims)])?;
        // SAFETY: what this function's caller vouches for, and what is written is apart.
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
/// The caller in C keeps the rules.
unsafe fn give_text(
    claims: *const ApikeeClaims,
    out: *mut ApikeeText,
    read: impl FnOnce(&Key) -> &'static str,
) -> ApikeeError {
    // SAFETY: what this function's caller vouches for.
    unsafe { give(claims, out, ApikeeText::NONE, |key| Some(ApikeeText::of(read(key).as_bytes()))) }
}

/// # Safety
///
/// The caller in C keeps the rules.
unsafe fn give_time(
    claims: *const ApikeeClaims,
    out: *mut i64,
    read: impl FnOnce(&Key) -> Option<UnixTime>,
) -> ApikeeError {
    // SAFETY: what this function's caller vouches for.
    unsafe { give(claims, out, 0, |key| read(key).map(UnixTime::as_secs)) }
}

/// Whose key it is. Empty if the issuer did not say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apikee_claims_tenant(claims: *const ApikeeClaims, tenant: *mut ApikeeText) -> ApikeeError {
    // SAFETY: the caller keeps the rules.
    unsafe { give_text(claims, tenant, |key| key.claims().tenant()) }
}

/// The key's id; ids sort by the time of issue. Empty if the issuer gave none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apikee_claims_id(claims: *const ApikeeClaims, id: *mut ApikeeText) -> ApikeeError {
    // SAFETY: the caller keeps the rules.
    unsafe { give_text(claims, id, |key| key.claims().id()) }
}

/// The environment tag, `"production"` if the key has none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apikee_claims_environment(
    claims: *const ApikeeClaims,
    environment: *mut ApikeeText,
) -> ApikeeError {
    // SAFETY: the caller keeps the rules.
    unsafe { give_text(claims, environment, |key| key.claims().environment()) }
}

/// The last second in which the key is good, since 1970.
///
/// Errors: `APIKEE_ERROR_ABSENT` if it never expires.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apikee_claims_expires_at(claims: *const ApikeeClaims, seconds: *mut i64) -> ApikeeError {
    // SAFETY: the caller keeps the rules.
    unsafe { give_time(claims, seconds, |key| key.claims().expires_at()) }
}

/// The first second in which the key is good, since 1970.
///
/// Errors: `APIKEE_ERROR_ABSENT` if it always was.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apikee_claims_not_before(claims: *const ApikeeClaims, seconds: *mut i64) -> ApikeeError {
    // SAFETY: the caller keeps the rules.
    unsafe { give_time(claims, seconds, |key| key.claims().not_before()) }
}

/// Which secret signed the key: 0 is the one that signs, the others follow as they were accepted.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apikee_claims_secret_index(claims: *const ApikeeClaims, index: *mut usize) -> ApikeeError {
    // SAFETY: the caller keeps the rules.
    unsafe { give(claims, index, 0, |key| Some(key.secret_index())) }
}

/// The scope of that index, in the issuer's order; for one scope after the other, count up until there is
/// none. Each call walks from the front.
///
/// Errors: `APIKEE_ERROR_ABSENT` past the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apikee_claims_scope(
    claims: *const ApikeeClaims,
    index: usize,
    scope: *mut ApikeeText,
) -> ApikeeError {
    let read = |key: &Key| key.claims().scopes().iter().nth(index).map(|own| ApikeeText::of(own.as_bytes()));
    // SAFETY: the caller keeps the rules.
    unsafe { give(claims, scope, ApikeeText::NONE, read) }
}

/// Whether the key has exactly this scope. There are no wildcards.
///
/// Errors: `APIKEE_ERROR_INSUFFICIENT_SCOPE` if it does not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apikee_claims_has_scope(
    claims: *const ApikeeClaims,
    scope: *const c_void,
    scope_len: usize,
) -> ApikeeError {
    report(|| {
        // SAFETY: the caller keeps the rules.
        let (key, scope) = unsafe { (slot::get(claims)?, args::text(scope, scope_len)?) };
        if key.claims().scopes().contains(scope) { Ok(()) } else { Err(ApikeeError::InsufficientScope) }
    })
}

/// Makes sure that the key has all of these scopes. `missing`, unless it is null, gets the index of the
/// first that it lacks, or `count`.
///
/// Errors: `APIKEE_ERROR_INSUFFICIENT_SCOPE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apikee_claims_require(
    claims: *const ApikeeClaims,
    scopes: *const ApikeeText,
    count: usize,
    missing: *mut usize,
) -> ApikeeError {
    report(|| {
        args::apart([Span::one(missing)], [Span::one(claims), Span::array(scopes, count)])?;
        // SAFETY: the caller keeps the rules, and what is written is apart.
        let (key, scopes) = unsafe { (slot::get(claims)?, args::array(scopes, count)?) };
        let own = key.claims().scopes();
        let mut lacking = None;
        for (at, scope) in scopes.iter().enumerate() {
            // SAFETY: as above.
            if !own.contains(unsafe { scope.read() }?) {
                lacking = Some(at);
                break;
            }
        }
        if !missing.is_null() {
            // SAFETY: as above.
            unsafe { args::put(missing, lacking.unwrap_or(count)) }?;
        }
        if lacking.is_none() { Ok(()) } else { Err(ApikeeError::InsufficientScope) }
    })
}
