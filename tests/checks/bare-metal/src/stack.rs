//! Measures how much stack a function takes, by painting the stack below it.

use crate::machine::stack_pointer;

unsafe extern "C" {
    static stack_end: u32;
}

const PAINT: u32 = 0x5AFE_57AC;
/// Bytes below the stack pointer that are not painted, for the calls of this file.
const MARGIN: usize = 64;

/// The bytes of stack that `work` takes below the stack pointer of this function.
#[inline(never)]
pub fn depth(work: impl FnOnce()) -> usize {
    let here = stack_pointer();
    let lowest = &raw const stack_end as usize;
    let words = (here - MARGIN - lowest) / size_of::<u32>();
    let place = |word: usize| (lowest + word * size_of::<u32>()) as *mut u32;
    for word in 0..words {
        // SAFETY: between the last static and the stack pointer there is nothing else.
        unsafe { place(word).write_volatile(PAINT) };
    }
    work();
    // SAFETY: as above.
    let untouched = (0..words).take_while(|word| unsafe { place(*word).read_volatile() } == PAINT).count();
    here - lowest - untouched * size_of::<u32>()
}
