//! What must not link: it does as `verify` does, and indexes the tenant of a good key.
#![no_std]
#![no_main]

panic_free::program!(|arguments| panic_free::verify::run(arguments, |key| {
    core::hint::black_box(key.claims().tenant().as_bytes()[key.secret_index()]);
}));
