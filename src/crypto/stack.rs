//! Overwrites the stack that a computation with secrets has used.
//!
//! Some secrets stay in local arrays that only the cryptographic crates can name: `hmac` leaves a padded key, `sha2`
//! its message schedule, `aes-gcm` blocks of key stream, and `curve25519-dalek` its points.

use core::hint::black_box;

use hmac::digest::zeroize::Zeroize;

/// More than setting up a key takes: 0.5 kB on x86-64 (3 kB without optimisation), 0.7 kB on a Cortex-M, 0.85 kB on a
/// 32-bit RISC-V core.
pub(crate) const HASH: usize = words(512, 224, 200);

/// More than a message takes.
#[cfg(feature = "envelope")]
pub(super) const AEAD: usize = words(512, 320, 320);

/// More than a multiplication takes: 1.6 kB on a Cortex-M, and 2.1 kB on a 32-bit RISC-V core.
#[cfg(feature = "envelope")]
pub(super) const KEX: usize = words(1024, 544, 416);

/// The number of words for this processor: a 64-bit one, a 32-bit RISC-V, or another one. Small processors have little
/// stack, so each kind has its own size.
const fn words(wide: usize, riscv32: usize, narrow: usize) -> usize {
    if cfg!(target_pointer_width = "64") {
        wide
    } else if cfg!(target_arch = "riscv32") {
        riscv32
    } else {
        narrow
    }
}

/// Runs `compute`, then writes zeros over the next `WORDS` words of the stack, where its frames were.
///
/// Both callees start at the same address, so `WORDS` must cover the deepest stack of `compute`. Inlined, their frames
/// would be part of this one, and each would start at another address.
#[inline(never)]
pub(crate) fn wiped<const WORDS: usize, T>(compute: impl FnOnce() -> T) -> T {
    let result = in_a_frame_below(compute);
    overwrite::<WORDS>();
    result
}

/// Like [`wiped`], for 16 kB. Our own part of a call to the platform takes less, and so does reading secrets. Values
/// that move in `compute` leave copies on the stack.
#[cfg(feature = "client")]
pub(crate) fn wiped_deep<T>(compute: impl FnOnce() -> T) -> T {
    wiped::<2048, _>(compute)
}

#[inline(never)]
fn in_a_frame_below<T>(compute: impl FnOnce() -> T) -> T {
    compute()
}

#[inline(never)]
fn overwrite<const WORDS: usize>() {
    let mut words = [0_usize; WORDS];
    words.zeroize();
    black_box(&words);
}
