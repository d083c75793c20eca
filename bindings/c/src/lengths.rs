//! The needed sizes of buffers. The header has each as a macro as well.

/// The size of a buffer in bytes that is enough to verify a key with this length.
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn apikee_verify_buffer_len(key_len: usize) -> usize {
    apikee::verify_buffer_len(key_len)
}

/// The size of a buffer in bytes that is enough to issue a key whose payload, compact JSON, has this length.
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn apikee_issue_buffer_len(payload_len: usize) -> usize {
    apikee::issue_buffer_len(payload_len)
}

/// The size in bytes of the envelope around a plaintext with this length.
#[cfg(feature = "envelope")]
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn apikee_sealed_len(plaintext_len: usize) -> usize {
    apikee::envelope::sealed_len(plaintext_len)
}
