//! The secrets that sign keys.

use core::{ffi::c_void, time::Duration};

use apikee::{Keyring, key::MAX_SECRETS};

use crate::{
    args::{self, Span},
    error::{ApikeeError, report},
    slot::{self, Place, StartsAsZeros},
};

/// The maximum number of secrets in a keyring.
pub const APIKEE_MAX_SECRETS: usize = 8;
const _: () = assert!(APIKEE_MAX_SECRETS == MAX_SECRETS);

/// Bytes of an `apikee_keyring`, on every target.
pub const APIKEE_KEYRING_SIZE: usize = 672;

/// The secrets that sign keys: the first signs, and all are accepted. `apikee_keyring_wipe` wipes it.
#[repr(C)]
pub struct ApikeeKeyring {
    opaque: [u64; 84],
}
const _: () = assert!(APIKEE_KEYRING_SIZE == size_of::<ApikeeKeyring>());

impl Place for ApikeeKeyring {
    type Value = Keyring;
    const MARK: u64 = 0x6170_696B_6565_0001;
}

/// All zeros are a keyring without secrets. When the compiler computes this constant, it checks that they are a valid
/// `Keyring`.
///
/// [`Keyring::new`] is not used, because it would move 0.7 kB, which are mostly unused.
// SAFETY: the compiler checks the value of a constant, and this one has no invalid bytes; a keyring has neither
// references nor enums, and counts its secrets by a number.
const _: Keyring = unsafe { core::mem::zeroed() };

// SAFETY: the constant above shows this.
unsafe impl StartsAsZeros for ApikeeKeyring {}

/// Makes a keyring with one secret, which signs and is accepted.
///
/// A secret is a byte string of any length; use 32 random bytes. The keyring contains a state that is derived from the
/// secret, not the secret. It is built in place. The old contents of `keyring` are overwritten, also after an error.
///
/// Errors: `APIKEE_ERROR_EMPTY_SECRET`.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apikee_keyring_init(
    keyring: *mut ApikeeKeyring,
    secret: *const c_void,
    secret_len: usize,
) -> ApikeeError {
    report(|| {
        args::apart([Span::one(keyring)], [Span::bytes(secret, secret_len)])?;
        // SAFETY: the caller keeps the rules, and the two do not overlap.
        unsafe {
            slot::build(keyring, |ring| {
                ring.accept(args::bytes(secret, secret_len)?)?;
                Ok(())
            })
        }
    })
}

/// Adds a secret that is accepted but does not sign.
///
/// Errors: `APIKEE_ERROR_EMPTY_SECRET`, `APIKEE_ERROR_KEYRING_FULL`. The keyring is unchanged then.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apikee_keyring_accept(
    keyring: *mut ApikeeKeyring,
    secret: *const c_void,
    secret_len: usize,
) -> ApikeeError {
    report(|| {
        args::apart([Span::one(keyring)], [Span::bytes(secret, secret_len)])?;
        // SAFETY: the caller keeps the rules, and the two do not overlap.
        let (keyring, secret) = unsafe { (slot::get_mut(keyring)?, args::bytes(secret, secret_len)?) };
        keyring.accept(secret)?;
        Ok(())
    })
}

/// The longest leeway in seconds that `apikee_keyring_set_leeway` accepts: a day.
pub const APIKEE_MAX_LEEWAY: u64 = 86_400;

/// Makes keys good for `seconds` longer, and `seconds` earlier, for a clock that drifts. The leeway is 0 until this is
/// called.
///
/// Errors: `APIKEE_ERROR_TIME_OUT_OF_RANGE` for more than `APIKEE_MAX_LEEWAY`, and for a negative number, which C
/// converts to a large one. The leeway is unchanged then.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apikee_keyring_set_leeway(keyring: *mut ApikeeKeyring, seconds: u64) -> ApikeeError {
    report(|| {
        // SAFETY: the caller keeps the rules.
        let keyring = unsafe { slot::get_mut(keyring) }?;
        if seconds > APIKEE_MAX_LEEWAY {
            return Err(ApikeeError::TimeOutOfRange);
        }
        keyring.set_leeway(Duration::from_secs(seconds));
        Ok(())
    })
}

/// Overwrites a keyring with zeros, whether it was initialised or not. Does nothing if `keyring` is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apikee_keyring_wipe(keyring: *mut ApikeeKeyring) {
    // SAFETY: the caller keeps the rules.
    unsafe { slot::wipe_any(keyring) }
}
