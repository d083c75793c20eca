//! Helpers for the firmware images: the board, fixed random bytes, and the measurement of the stack.
//!
//! | module | contains |
//! |---|---|
//! | `machine` | start, output, instruction counter and exit of a board |
//! | `stack` | how much stack a function uses |
//! | `rng` | fixed bytes for tests |
//! | `sample` | the key and the request for the figures |
#![no_std]

pub mod machine;
#[cfg(all(feature = "small-memory", target_arch = "arm"))]
mod memory;
pub mod rng;
pub mod sample;
pub mod stack;
