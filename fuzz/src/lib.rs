//! The bodies of the fuzz targets. They are in the crate's `tests/fuzz_corpus`, which also runs them over the corpora
//! in `cargo test`. So they may use only the crate's dev-dependencies.

#[path = "../../tests/fuzz_corpus/bodies/mod.rs"]
pub mod bodies;

#[path = "../../tests/support/mod.rs"]
pub mod support;
