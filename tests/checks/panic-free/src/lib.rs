//! Programs that link only if nothing in them can panic: a panic calls an undefined function.
//!
//! With the feature `located` they always link, and their image names each file that can panic.
//!
//! Their input comes from the command line, so the compiler cannot know it and optimise code away. `run` also runs
//! them: if code were missing, they would give wrong results.
#![no_std]

mod arguments;
#[cfg(feature = "envelope")]
pub mod envelope;
mod generator;
pub mod issue;
pub mod verify;

pub use arguments::Arguments;

// For `memcpy` and similar functions, and for the code that calls `main`.
#[cfg(target_os = "linux")]
#[link(name = "c")]
unsafe extern "C" {}

#[cfg(not(feature = "located"))]
unsafe extern "C" {
    /// Defined nowhere: a program that calls it does not link.
    safe fn something_can_panic() -> !;
}

#[cfg(not(feature = "located"))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    something_can_panic()
}

#[cfg(feature = "located")]
#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    core::hint::black_box(info.location());
    loop {}
}

/// Makes a program from a function that takes the arguments and returns the exit code.
#[macro_export]
macro_rules! program {
    ($run:expr) => {
        #[unsafe(no_mangle)]
        extern "C" fn main(count: core::ffi::c_int, arguments: *const *const core::ffi::c_char) -> core::ffi::c_int {
            // SAFETY: a C runtime calls `main` with these parameters.
            let mut arguments = unsafe { $crate::Arguments::new(count, arguments) };
            let _name = arguments.bytes();
            $run(&mut arguments)
        }
    };
}
