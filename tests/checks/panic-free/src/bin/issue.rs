//! See [`panic_free::issue::run`].
#![no_std]
#![no_main]

panic_free::program!(panic_free::issue::run);
