//! The examples with a guard. Each runs as a separate program, and `curl` and `ureq` call it.
//!
//! `cargo test --all-features` builds them, `cargo test --test examples` alone does not:
//! `cargo build --all-features --examples && cargo test --all-features --test examples`.

mod caller;
#[path = "../support/closed.rs"]
mod closed;
#[cfg(unix)]
mod fleet;
mod gateway;
mod keys;
mod local;
mod platform;
mod service;
mod smuggling;
mod stopping;
mod waiting;

/// Far longer than any step of these tests takes.
const LONG: std::time::Duration = std::time::Duration::from_secs(60);
