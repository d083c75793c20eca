//! Programs that link only if nothing in them can panic: a panic calls a function that is not there.
//!
//! With the feature `located` they link all the same, and name in their image each file that a panic can come from.
//!
//! What they work on comes from the command line, so that the compiler knows nothing of it and cannot
//! leave anything out. They run, too: with something left out they would give the wrong answers.
#![no_std]

mod arguments;
#[cfg(feature = "envelope")]
pub mod envelope;
mod generator;
pub mod issue;
pub mod verify;

pub use arguments::Arguments;

// For `memcpy` and its like, and for what calls `main`.
#[cfg(target_os = "linux")]
#[link(name = "c")]
unsafe extern "C" {}

#[cfg(not(feature = "located"))]
unsafe extern "C" {
    /// Defined nowhere: what calls it does not link.
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

/// Makes a program of a function from its arguments to its exit code.
#[macro_export]
macro_rules! program {
    ($run:expr) => {
        #[unsafe(no_mangle)]
        extern "C" fn main(count: core::ffi::c_int, arguments: *const *const core::ffi::c_char) -> core::ffi::c_int {
            // SAFETY: this is what a C runtime calls `main` with.
            let mut arguments = unsafe { $crate::Arguments::new(count, arguments) };
            let _name = arguments.bytes();
            $run(&mut arguments)
        }
    };
}
