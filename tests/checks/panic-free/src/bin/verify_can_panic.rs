//! A control that must not link: does the same as `verify`, and also indexes the tenant of a good key, which can panic.
#![no_std]
#![no_main]

panic_free::program!(|arguments| panic_free::verify::run(arguments, |key| {
    core::hint::black_box(key.claims().tenant().as_bytes()[key.secret_index()]);
}));
