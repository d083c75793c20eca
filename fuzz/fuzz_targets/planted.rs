//! A target with a fault. `tests/checks/trust/fuzz/run` fails unless the fuzzer finds it.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    apikee_fuzz::bodies::json::body(input);
    assert!(!input.starts_with(b"{\"id"), "the planted fault");
});
