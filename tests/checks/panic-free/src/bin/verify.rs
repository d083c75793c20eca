//! See [`panic_free::verify::run`].
#![no_std]
#![no_main]

panic_free::program!(|arguments| panic_free::verify::run(arguments, |_| ()));
