//! The board: start, output and exit by semihosting, and the number of instructions.
//!
//! An image calls [`entry!`](crate::entry) with a function that returns whether everything succeeded. The result
//! becomes the emulator's exit code.

#[cfg(target_arch = "arm")]
mod arm;
#[cfg(target_arch = "arm")]
use arm as board;
#[cfg(target_arch = "riscv32")]
mod riscv;
#[cfg(target_arch = "riscv32")]
use riscv as board;

use core::{ffi::c_void, fmt, hint::black_box};

unsafe extern "Rust" {
    /// The image's function: see [`entry!`](crate::entry).
    safe fn image_main() -> bool;
}

/// Names the function that the image runs.
#[macro_export]
macro_rules! entry {
    ($main:path) => {
        #[unsafe(no_mangle)]
        fn image_main() -> bool {
            let main: fn() -> bool = $main;
            main()
        }
    };
}

/// Prints a line.
#[macro_export]
macro_rules! say {
    ($($arguments:tt)*) => { $crate::machine::print(format_args!("{}\n", format_args!($($arguments)*))) };
}

extern "C" fn run() -> ! {
    exit(image_main())
}

extern "C" fn fault() -> ! {
    write(c"a processor fault occurred\n");
    exit(false)
}

// Semihosting's operations (Arm, "Semihosting for AArch32 and AArch64").
const SYS_WRITE0: usize = 0x04;
const SYS_EXIT_EXTENDED: usize = 0x20;
const APPLICATION_EXIT: usize = 0x2_0026;

/// Ends the emulator, with exit code 0 on success.
pub fn exit(well: bool) -> ! {
    let block = [APPLICATION_EXIT, usize::from(!well)];
    loop {
        // SAFETY: the operation reads two words.
        unsafe { board::semihost(SYS_EXIT_EXTENDED, (&raw const block).cast()) };
    }
}

fn write(text: &core::ffi::CStr) {
    // SAFETY: the operation reads up to a zero byte.
    unsafe { board::semihost(SYS_WRITE0, text.as_ptr().cast::<c_void>()) };
}

/// Prints without a line end: see [`say!`](crate::say).
pub fn print(arguments: fmt::Arguments<'_>) {
    struct Host;
    impl fmt::Write for Host {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            for piece in text.as_bytes().chunks(63) {
                let mut buf = [0; 64];
                buf[..piece.len()].copy_from_slice(piece);
                write(core::ffi::CStr::from_bytes_until_nul(&buf).map_err(|_| fmt::Error)?);
            }
            Ok(())
        }
    }
    let _ = fmt::Write::write_fmt(&mut Host, arguments);
}

/// The number of instructions that `work` takes.
pub fn instructions<T>(work: impl FnOnce() -> T) -> u64 {
    let cost_of_counting = board::between(|| {});
    let all = board::between(|| {
        black_box(work());
    });
    all - cost_of_counting
}

/// Approximately the current position of the stack.
#[inline(always)]
pub fn stack_pointer() -> usize {
    board::stack_pointer()
}
