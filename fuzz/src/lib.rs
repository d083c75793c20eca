//! The checks of the fuzz targets. In `cargo test`, `tests/fuzz_corpus.rs` of the crate runs the same bodies over the
//! corpora. So they only use the crate's dev-dependencies.

pub mod bodies;

#[path = "../../tests/support/mod.rs"]
pub mod support;
