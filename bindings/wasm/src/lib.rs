//! The kernel as a WebAssembly module without imports, for `apikee.mjs` beside it.
//!
//! | module | knows |
//! |---|---|
//! | `exports` | the boundary: what JavaScript calls, and the only `unsafe` |
//! | `module` | all that the module holds, in one fixed place |
//! | `keys`, `envelopes` | what the calls do |
//! | `arguments` | strings and bytes, one after the other, in the input |
//! | `output` | claims, as JavaScript reads them |
//! | `failure` | what JavaScript throws, by number |
//! | `slots` | handles |
//!
//! # The boundary
//!
//! There is no allocator. JavaScript writes into the input (and random bytes into `random`), calls, and reads the
//! output. A call returns the number of bytes there, or a handle; a negative number says why it failed.
//! A handle has a generation, so one that was freed names nothing.
//!
//! Nothing here reads a clock or draws a random byte: there is nothing to import them from.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![cfg_attr(not(target_arch = "wasm32"), expect(dead_code, reason = "only the exports use it"))]
#![deny(unsafe_code)]

mod arguments;
#[cfg(feature = "envelope")]
mod envelopes;
#[cfg(target_arch = "wasm32")]
mod exports;
mod failure;
mod keys;
mod module;
mod output;
#[cfg(any(feature = "issue", feature = "envelope"))]
mod random;
mod slots;
