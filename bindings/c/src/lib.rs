//! The C interface of `apikee`: what `apikee.h` declares.
//!
//! | module | knows |
//! |---|---|
//! | `keyring` | secrets, in an object of the caller's |
//! | `verify`, `claims`, `meta` | a key and what it says |
//! | `issue` | new keys |
//! | `names` | fingerprints and prefixes for logs |
//! | `lengths` | how large buffers must be |
//! | `session`, `request`, `answer` | server mode, with the feature `envelope` |
//! | `random` | the caller's generator |
//! | `slot` | objects in the caller's memory |
//! | `args` | pointers and lengths |
//! | `error` | the codes |
//!
//! Pointers become references in `args` and `slot` only. All else says which, and why it may.
#![no_std]
#![warn(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

// In the order in which the header has what they declare.
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

/// The kernel does not panic. Were it to, nothing would run on: a watchdog ends a device, and
/// `abort` a process.
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
