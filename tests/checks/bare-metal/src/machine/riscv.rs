//! RISC-V on QEMU's own board, in machine mode.

use core::{
    arch::{asm, global_asm},
    ffi::c_void,
};

// The address of a trap handler must be aligned: its two lowest bits select the mode.
global_asm!(
    ".section .start, \"ax\"",
    ".global start",
    "start:",
    "la sp, stack_start",
    "la t0, {fault}",
    "csrw mtvec, t0",
    "j {run}",
    fault = sym aligned_fault,
    run = sym super::run,
);

global_asm!(".section .text.trap, \"ax\"", ".balign 4", "aligned_fault:", "j {fault}", fault = sym super::fault);

unsafe extern "C" {
    fn aligned_fault() -> !;
}

/// # Safety
///
/// `argument` must point to the data that the operation reads.
#[inline(never)]
pub unsafe fn semihost(operation: usize, argument: *const c_void) {
    // These three instructions mark the call. They must be in one page and not compressed.
    // SAFETY: the host keeps all registers but a0.
    unsafe {
        asm!(
            ".option push",
            ".option norvc",
            ".balign 16",
            "slli x0, x0, 0x1f",
            "ebreak",
            "srai x0, x0, 7",
            ".option pop",
            inout("a0") operation => _,
            in("a1") argument,
            options(nostack)
        );
    }
}

#[inline(always)]
pub fn stack_pointer() -> usize {
    let sp;
    // SAFETY: reads a register.
    unsafe { asm!("mv {}, sp", out(reg) sp, options(nomem, nostack, preserves_flags)) };
    sp
}

/// The number of instructions between before and after `work`.
#[inline(never)]
pub fn between(work: impl FnOnce()) -> u64 {
    let before = count();
    work();
    (count() - before) / unit()
}

/// With `-icount` some versions of QEMU count nanoseconds here: 2^10 for each instruction.
fn unit() -> u64 {
    let before = count();
    // SAFETY: does nothing.
    unsafe { asm!("nop", options(nostack)) };
    let one_more = count();
    let none_more = count();
    (one_more - before) - (none_more - one_more)
}

/// Without `nomem`, so that the compiler does not move the work across it.
#[inline(always)]
fn count() -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: reads a counter. It repeats if the high half has changed meanwhile.
    unsafe {
        asm!(
            "2:",
            "csrr {high}, minstreth",
            "csrr {low}, minstret",
            "csrr {again}, minstreth",
            "bne {high}, {again}, 2b",
            low = out(reg) low,
            high = out(reg) high,
            again = out(reg) _,
            options(nostack)
        );
    }
    u64::from(high) << 32 | u64::from(low)
}
