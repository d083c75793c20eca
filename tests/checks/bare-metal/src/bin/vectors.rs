//! Runs every vector. Prints the names of the vectors that fail.
#![no_std]
#![no_main]

#[path = "../check/mod.rs"]
mod check;

use apikee_bare_metal::{entry, machine::exit, say};

entry!(main);

fn main() -> bool {
    let mut buffers = check::Buffers { a: [0; 12 * 1024], b: [0; 12 * 1024] };
    let (mut passed, mut failed) = (0, 0);
    check::all(&mut buffers, |name, outcome| match outcome {
        Ok(()) => passed += 1,
        Err(why) => {
            failed += 1;
            say!("FAILED {name}: {why}");
        }
    });
    say!("{passed} vectors passed, {failed} failed");
    // At least all vectors of the repository, and the check of memory.
    failed == 0 && passed >= 143 + 56 + 8 + 1
}

#[panic_handler]
fn panicked(info: &core::panic::PanicInfo<'_>) -> ! {
    say!("{info}");
    exit(false)
}
