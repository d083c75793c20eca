//! Keys: what verifies, what each payload says, and what neither allocates nor stays in memory.

mod alloc;
#[cfg(all(feature = "serde", feature = "envelope"))]
mod envelope_vectors;
mod limits;
#[cfg(target_os = "linux")]
mod memory;
#[cfg(feature = "serde")]
mod payloads;
#[cfg(feature = "serde")]
mod properties;
#[path = "../support/mod.rs"]
mod support;
#[cfg(feature = "serde")]
mod vectors;
