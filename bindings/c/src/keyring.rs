//! The secrets that keys are signed with.

use core::{ffi::c_void, time::Duration};

use apikee::{Keyring, MAX_SECRETS};

use crate::{
    args::{self, Span},
    error::{ApikeeError, report},
    slot::{self, Place},
};

/// Secrets that a keyring holds at most.
pub const APIKEE_MAX_SECRETS: usize = 8;
const _: () = assert!(APIKEE_MAX_SECRETS == MAX_SECRETS);

/// Bytes of an `apikee_keyring`, on every target.
pub const APIKEE_KEYRING_SIZE: usize = 672;

/// Secrets, of which the first signs and any is accepted. Wiped by `apikee_keyring_wipe`.
#[repr(C)]
pub struct ApikeeKeyring {
    opaque: [u64; 84],
}
const _: () = assert!(APIKEE_KEYRING_SIZE == size_of::<ApikeeKeyring>());

impl Place for ApikeeKeyring {
    type Value = Keyring;
    const MARK: u64 = 0x6170_696B_6565_0001;
}

/// Makes a keyring of one secret, which signs and is accepted.
///
/// A secret is a byte string of any length; 32 random bytes are advised. The keyring keeps a state
/// derived from it, not the secret. What stood in `keyring` is overwritten, also if this fails.
///
/// Errors: `APIKEE_ERROR_EMPTY_SECRET`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apikee_keyring_init(
    keyring: *mut ApikeeKeyring,
    secret: *const c_void,
    secret_len: usize,
) -> ApikeeError {
    report(|| {
        args::apart([Span::one(keyring)], [Span::bytes(secret, secret_len)])?;
        // SAFETY: the caller keeps the rules, and the two are apart.
        let secret = unsafe {
            slot::wipe(keyring)?;
            args::bytes(secret, secret_len)?
        };
        let value = Keyring::new(secret)?;
        // SAFETY: as above.
        unsafe { slot::init(keyring, value) }
    })
}

/// Adds a secret that is accepted, but signs nothing.
///
/// Errors: `APIKEE_ERROR_EMPTY_SECRET`, `APIKEE_ERROR_KEYRING_FULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apikee_keyring_accept(
    keyring: *mut ApikeeKeyring,
    secret: *const c_void,
    secret_len: usize,
) -> ApikeeError {
    report(|| {
        args::apart([Span::one(keyring)], [Span::bytes(secret, secret_len)])?;
        // SAFETY: the caller keeps the rules, and the two are apart.
        let (keyring, secret) = unsafe { (slot::get_mut(keyring)?, args::bytes(secret, secret_len)?) };
        keyring.accept(secret)?;
        Ok(())
    })
}

/// Lets keys be good so many seconds longer and earlier, for a clock that drifts. 0 at first.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apikee_keyring_set_leeway(keyring: *mut ApikeeKeyring, seconds: u64) -> ApikeeError {
    report(|| {
        // SAFETY: the caller keeps the rules.
        let keyring = unsafe { slot::get_mut(keyring) }?;
        keyring.set_leeway(Duration::from_secs(seconds));
        Ok(())
    })
}

/// Overwrites a keyring with zeros, whether it was initialised or not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apikee_keyring_wipe(keyring: *mut ApikeeKeyring) -> ApikeeError {
    // SAFETY: the caller keeps the rules.
    report(|| unsafe { slot::wipe(keyring) })
}
