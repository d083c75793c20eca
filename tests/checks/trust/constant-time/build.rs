//! Valgrind's client requests are macros of C.

fn main() {
    println!("cargo:rerun-if-changed=src/valgrind.c");
    cc::Build::new().file("src/valgrind.c").compile("valgrind_requests");
}
