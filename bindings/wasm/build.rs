//! Sets the memory layout of the module.

/// Bytes of stack. `tests/module.test.mjs` checks that the deepest call uses at most half of it.
const STACK: u32 = 16 * 1024;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let target = std::env::var("CARGO_CFG_TARGET_ARCH").unwrap_or_default();
    if target == "wasm32" {
        // The stack comes first, so an overflow traps instead of overwriting other data. The stack pointer is
        // exported, so that JavaScript knows what to wipe.
        println!("cargo::rustc-cdylib-link-arg=--stack-first");
        println!("cargo::rustc-cdylib-link-arg=-zstack-size={STACK}");
        println!("cargo::rustc-cdylib-link-arg=--export=__stack_pointer");
        // Fixed size, because growth would detach JavaScript's views of the memory.
        println!("cargo::rustc-cdylib-link-arg=--no-growable-memory");
    }
}
