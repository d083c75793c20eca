//! A control: does the same as `envelope`, and also indexes the returned text, which can panic. The image must name
//! this file.
#![no_std]
#![no_main]

panic_free::program!(|arguments| panic_free::envelope::run(arguments, |text| {
    core::hint::black_box(text[0]);
}));
