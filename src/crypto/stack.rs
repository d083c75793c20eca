//! Overwrites the stack that a computation with secrets has used.
//!
//! `hmac` leaves a padded key there, `sha2` its message schedule, `aes-gcm` blocks of key stream, `curve25519-dalek`
//! its points: in local arrays that only these crates can name.

use core::hint::black_box;

use hmac::digest::zeroize::Zeroize;

/// More than keying takes: 0.5 kB on x86-64 (3 kB where nothing is optimised), 0.7 kB on a Cortex-M, 0.85 kB on a
/// RISC-V core of 32 bits.
pub(crate) const HASH: usize = words(512, 224, 200);

/// More than a message takes.
#[cfg(feature = "envelope")]
pub(super) const AEAD: usize = words(512, 320, 320);

/// More than a multiplication takes: 1.6 kB on a Cortex-M, and 2.1 kB on a RISC-V core of 32 bits.
#[cfg(feature = "envelope")]
pub(super) const KEX: usize = words(1024, 544, 416);

/// More than our own part of a call of the platform takes, or of reading secrets: what moves about there leaves copies.
#[cfg(feature = "client")]
pub(crate) const CALL: usize = 2048;

/// The words for this processor: of 64 bits, a RISC-V of 32, or another. Small processors have no stack to spare, so
/// each has its own measure.
const fn words(wide: usize, riscv32: usize, narrow: usize) -> usize {
    if cfg!(target_pointer_width = "64") {
        wide
    } else if cfg!(target_arch = "riscv32") {
        riscv32
    } else {
        narrow
    }
}

/// Runs `compute`, and then writes zeros over the next `WORDS` words of the stack, where its frames were.
///
/// Both callees start at the same place, so that `WORDS` must be what `compute` takes at its deepest. Inlined, their
/// frames would be a part of this one, and each would start somewhere else.
#[inline(never)]
pub(crate) fn wiped<const WORDS: usize, T>(compute: impl FnOnce() -> T) -> T {
    let result = in_a_frame_below(compute);
    overwrite::<WORDS>();
    result
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
