//! Keys: which ones verify, how each payload is read, that nothing allocates, and that secrets do not stay in memory.

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
#[cfg(all(feature = "msgpack", feature = "getrandom"))]
mod values;
#[cfg(feature = "serde")]
mod vectors;
