//! The C interface of `apikee`: the declarations of `apikee.h`.
//!
//! | module | contents |
//! |---|---|
//! | `keyring` | secrets, in an object of the caller |
//! | `verify`, `claims`, `meta` | a key and its claims |
//! | `issue` | new keys |
//! | `names` | fingerprints and prefixes for logs |
//! | `lengths` | the needed sizes of buffers |
//! | `session`, `request`, `answer` | server mode, with the feature `envelope` |
//! | `random` | the caller's random number generator |
//! | `slot` | objects in the caller's memory |
//! | `args` | pointers and lengths |
//! | `error` | the error codes |
//!
//! Only `args` and `slot` turn pointers into references. Every other module says for which pointers, and why this is
//! sound.
#![no_std]
#![warn(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

// In the order of the declarations in the header.
mod error;
mod keyring;
mod verify;

mod claims;
mod meta;
mod names;

mod issue;
mod lengths;
mod random;

#[cfg(feature = "envelope")]
mod session;

#[cfg(feature = "envelope")]
mod request;

#[cfg(feature = "envelope")]
mod answer;

mod args;
mod slot;

/// The kernel does not panic. If it did, nothing would continue: a watchdog resets a device, and `abort` ends a
/// process.
#[panic_handler]
fn stop(_: &core::panic::PanicInfo<'_>) -> ! {
    #[cfg(target_os = "none")]
    loop {
        core::hint::spin_loop();
    }
    #[cfg(not(target_os = "none"))]
    {
        unsafe extern "C" {
            safe fn abort() -> !;
        }
        abort()
    }
}
