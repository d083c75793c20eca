//! Assertions that hold only on x86-64. On another machine they must fail, which shows that the tests run there.

#[test]
fn least_byte_comes_first() {
    assert_eq!(u32::from_ne_bytes([1, 0, 0, 0]), 1);
}

#[test]
fn pointers_have_64_bits() {
    assert_eq!(usize::BITS, 64);
}

#[test]
fn compiled_for_x86_64() {
    assert_eq!(std::env::consts::ARCH, "x86_64");
}
