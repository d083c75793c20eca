//! How large buffers must be; the header has each as a macro, too.

/// Bytes of buffer that are enough to verify a key of that length.
#[unsafe(no_mangle)]
pub extern "C" fn apikee_verify_buffer_len(key_len: usize) -> usize {
    apikee::verify_buffer_len(key_len)
}

/// Bytes of buffer that are enough to issue a key with a payload, compact JSON, of that length.
#[unsafe(no_mangle)]
pub extern "C" fn apikee_issue_buffer_len(payload_len: usize) -> usize {
    apikee::issue_buffer_len(payload_len)
}

/// Bytes of the envelope around a plaintext of that length.
#[cfg(feature = "envelope")]
#[unsafe(no_mangle)]
pub extern "C" fn apikee_sealed_len(plaintext_len: usize) -> usize {
    apikee::sealed_len(plaintext_len)
}
