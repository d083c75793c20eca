//! Faults that both Miri and AddressSanitizer must report: `read` reads out of bounds, `free` reads freed memory.

fn main() {
    let fault = std::env::args().nth(1).expect("read or free");
    let bytes = vec![1_u8; 16].into_boxed_slice();
    let start = bytes.as_ptr();
    let at = if fault == "read" { std::hint::black_box(16) } else { 3 };
    if fault == "free" {
        drop(bytes);
    } else {
        std::mem::forget(bytes);
    }
    // SAFETY: none. This is the planted fault.
    println!("{}", unsafe { start.add(at).read_volatile() });
}
