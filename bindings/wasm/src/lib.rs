//! The kernel as a WebAssembly module without imports, for `apikee.mjs`.
//!
//! | module | contains |
//! |---|---|
//! | `exports` | the boundary: the functions that JavaScript calls, and the only `unsafe` code |
//! | `module` | all data of the module, in one fixed place |
//! | `keys`, `envelopes` | the work of the calls |
//! | `arguments` | strings and bytes, one after the other, in the input |
//! | `output` | claims in the form that JavaScript reads |
//! | `failure` | the numbers of failures |
//! | `random` | the random bytes that JavaScript has written |
//! | `slots` | handles |
//!
//! # The boundary
//!
//! There is no allocator. JavaScript writes into the input (and random bytes into `random`), calls, and reads the
//! output. A call returns the number of bytes there, or a handle. A negative number is a failure. A handle contains
//! a generation, so a freed handle is no longer valid.
//!
//! The module reads no clock and draws no random bytes, because it has no imports.
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
