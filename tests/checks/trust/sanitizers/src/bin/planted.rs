//! Faults that Miri and AddressSanitizer must each report: `read` is out of bounds, `free` reads what was freed.

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
    // SAFETY: none: it is the fault that is planted.
    println!("{}", unsafe { start.add(at).read_volatile() });
}
