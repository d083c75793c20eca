//! Compiles the source files of the C interface, with tests in Rust that call it like a C program. Miri cannot run C.
#![cfg_attr(not(test), expect(dead_code, reason = "only the tests call it"))]

#[path = "../../../../../bindings/c/src/answer.rs"]
mod answer;
#[path = "../../../../../bindings/c/src/args.rs"]
mod args;
#[path = "../../../../../bindings/c/src/claims.rs"]
mod claims;
#[path = "../../../../../bindings/c/src/error.rs"]
mod error;
#[path = "../../../../../bindings/c/src/issue.rs"]
mod issue;
#[path = "../../../../../bindings/c/src/keyring.rs"]
mod keyring;
#[path = "../../../../../bindings/c/src/lengths.rs"]
mod lengths;
#[path = "../../../../../bindings/c/src/meta.rs"]
mod meta;
#[path = "../../../../../bindings/c/src/names.rs"]
mod names;
#[path = "../../../../../bindings/c/src/random.rs"]
mod random;
#[path = "../../../../../bindings/c/src/request.rs"]
mod request;
#[path = "../../../../../bindings/c/src/session.rs"]
mod session;
#[path = "../../../../../bindings/c/src/slot.rs"]
mod slot;
#[path = "../../../../../bindings/c/src/verify.rs"]
mod verify;

#[cfg(test)]
mod tests;

/// Whether the environment turns off this check. `plant.py` inserts calls of this function into a copy of the source.
pub fn planted(fault: &str) -> bool {
    std::env::var("PLANTED").is_ok_and(|planted| planted == fault)
}
