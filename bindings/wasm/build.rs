//! How the module is laid out in memory.

/// Bytes of stack. `tests/module.test.mjs` holds the deepest call to half of it.
const STACK: u32 = 16 * 1024;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let target = std::env::var("CARGO_CFG_TARGET_ARCH").unwrap_or_default();
    if target == "wasm32" {
        // The stack comes first, so one that overflows traps instead of writing over what is behind it; its
        // pointer is exported, so that the JavaScript knows what to wipe.
        println!("cargo::rustc-cdylib-link-arg=--stack-first");
        println!("cargo::rustc-cdylib-link-arg=-zstack-size={STACK}");
        println!("cargo::rustc-cdylib-link-arg=--export=__stack_pointer");
        // A memory that grows would detach JavaScript's views of it.
        println!("cargo::rustc-cdylib-link-arg=--no-growable-memory");
    }
}
