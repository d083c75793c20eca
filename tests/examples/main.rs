//! The examples of the guard, each started as its own program and asked by `curl` and by `ureq`.
//!
//! `cargo test --all-features` builds them, `cargo test --test examples` alone does not:
//! `cargo build --all-features --examples && cargo test --all-features --test examples`.

mod caller;
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

/// Far more than anything here takes.
const LONG: std::time::Duration = std::time::Duration::from_secs(60);
