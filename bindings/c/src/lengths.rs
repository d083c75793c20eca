//! How large buffers must be. The header has each as a macro as well.

/// Bytes of buffer that are enough to verify a key with that length.
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn apikee_verify_buffer_len(key_len: usize) -> usize {
    apikee::verify_buffer_len(key_len)
}

/// Bytes of buffer that are enough to issue a key whose payload, compact JSON, has that length.
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn apikee_issue_buffer_len(payload_len: usize) -> usize {
    apikee::issue_buffer_len(payload_len)
}

/// Bytes of the envelope around a plaintext with that length.
#[cfg(feature = "envelope")]
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn apikee_sealed_len(plaintext_len: usize) -> usize {
    apikee::envelope::sealed_len(plaintext_len)
}
