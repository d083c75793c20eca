//! The checks of the fuzz targets. In `cargo test`, `tests/fuzz_corpus` of the crate runs the same bodies, which are
//! there, over the corpora. So they only use the crate's dev-dependencies.

#[path = "../../tests/fuzz_corpus/bodies/mod.rs"]
pub mod bodies;

#[path = "../../tests/support/mod.rs"]
pub mod support;
