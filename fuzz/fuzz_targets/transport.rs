#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| apikee_fuzz::bodies::transport::body(input));
