//! What the firmware images share: a board to run on, a random number generator that is none, and
//! the size of the stack.
//!
//! | module | knows |
//! |---|---|
//! | `machine` | how a board starts, prints, counts its instructions and ends |
//! | `stack` | how deep a function goes |
//! | `rng` | bytes that a test pins |
//! | `sample` | the key and the request that figures are about |
#![no_std]

pub mod machine;
#[cfg(all(feature = "small-memory", target_arch = "arm"))]
mod memory;
pub mod rng;
pub mod sample;
pub mod stack;
