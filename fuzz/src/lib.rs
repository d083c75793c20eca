//! What the fuzz targets check. `tests/fuzz_corpus.rs` of the crate replays the same bodies over the
//! corpora in `cargo test`, so they need nothing but its dev-dependencies.

pub mod bodies;

#[path = "../../tests/support/mod.rs"]
pub mod support;
