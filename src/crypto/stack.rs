//! Overwrites the stack that a computation with secrets has used.
//!
//! `hmac` leaves a padded key there, `sha2` its message schedule, `curve25519-dalek` its points: in local arrays
//! that only these crates can name.

use core::hint::black_box;

use hmac::digest::zeroize::Zeroize;

/// Runs `compute`, and then writes zeros over the next `WORDS` words of the stack, where its frames were.
///
/// Both callees start at the same place, so that `WORDS` must be what `compute` takes at its deepest.
#[inline(never)]
pub(super) fn wiped<const WORDS: usize, T>(compute: impl FnOnce() -> T) -> T {
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
