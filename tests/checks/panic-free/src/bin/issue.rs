//! See [`panic_free::issue::run`].
#![no_std]
#![no_main]

panic_free::program!(|arguments| panic_free::issue::run(arguments, None));
