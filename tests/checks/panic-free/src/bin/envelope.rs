//! See [`panic_free::envelope::run`].
#![no_std]
#![no_main]

panic_free::program!(|arguments| panic_free::envelope::run(arguments, |_| ()));
