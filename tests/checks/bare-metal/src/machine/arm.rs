//! Cortex-M on Arm's MPS2 boards.

use core::{arch::asm, ffi::c_void, ptr};

/// Entries of the vector table: the stack, and the exceptions that all Cortex-M have.
#[repr(C)]
pub union Entry {
    handler: extern "C" fn() -> !,
    stack: *const u8,
}

// SAFETY: only the processor accesses it, and only reads.
unsafe impl Sync for Entry {}

unsafe extern "C" {
    static stack_start: u8;
}

const FAULT: Entry = Entry { handler: super::fault };

#[unsafe(link_section = ".vectors")]
#[used]
static VECTORS: [Entry; 16] = [
    Entry { stack: &raw const stack_start },
    Entry { handler: start },
    FAULT,
    FAULT,
    FAULT,
    FAULT,
    FAULT,
    FAULT,
    FAULT,
    FAULT,
    FAULT,
    FAULT,
    FAULT,
    FAULT,
    FAULT,
    FAULT,
];

#[unsafe(no_mangle)]
extern "C" fn start() -> ! {
    super::run()
}

/// # Safety
///
/// `argument` must point to the data that the operation reads.
#[inline(always)]
pub unsafe fn semihost(operation: usize, argument: *const c_void) {
    // SAFETY: the host keeps all registers but r0.
    unsafe { asm!("bkpt 0xAB", inout("r0") operation => _, in("r1") argument, options(nostack)) };
}

#[inline(always)]
pub fn stack_pointer() -> usize {
    let sp;
    // SAFETY: reads a register.
    unsafe { asm!("mov {}, sp", out(reg) sp, options(nomem, nostack, preserves_flags)) };
    sp
}

/// The board's timer counts down at a fixed rate. The emulator's clock advances by 2^10 ns for each instruction
/// (`-icount shift=10`).
struct Timer {
    registers: *mut u32,
    nanoseconds: u64,
}

#[cfg(not(feature = "cortex-m33"))]
const TIMER: Timer = Timer { registers: ptr::without_provenance_mut(0x4000_0000), nanoseconds: 40 };
#[cfg(feature = "cortex-m33")]
const TIMER: Timer = Timer { registers: ptr::without_provenance_mut(0x5000_0000), nanoseconds: 50 };

/// The number of instructions between before and after `work`.
#[inline(never)]
pub fn between(work: impl FnOnce()) -> u64 {
    let Timer { registers, nanoseconds } = TIMER;
    let [control, value, reload] = [0, 1, 2].map(|at| registers.wrapping_add(at));
    // SAFETY: these are the timer's registers, which nothing else uses.
    let ticks = unsafe {
        control.write_volatile(0);
        reload.write_volatile(u32::MAX);
        value.write_volatile(u32::MAX);
        control.write_volatile(1);
        let before = value.read_volatile();
        work();
        before.wrapping_sub(value.read_volatile())
    };
    (u64::from(ticks) * nanoseconds + 512) / 1024
}
