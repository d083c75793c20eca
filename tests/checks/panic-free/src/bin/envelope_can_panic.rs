//! What must not link: it does as `envelope` does, and indexes the text that comes back.
#![no_std]
#![no_main]

panic_free::program!(|arguments| panic_free::envelope::run(arguments, |text| {
    core::hint::black_box(text[0]);
}));
