//! The buffers of one call, kept for the next.

use std::{vec, vec::Vec};

use crate::{buf::BufferTooSmall, crypto::Zeroize as _};

/// The longest answer that is read, in bytes.
pub(super) const MAX_ANSWER_LEN: usize = 64 * 1024;

/// A target and a body of usual length fit.
const USUAL_LEN: usize = 1024;

pub(super) struct Scratch {
    pub(super) target: Vec<u8>,
    /// A body in the clear, which may hold a raw key: wiped after use.
    pub(super) body: Plaintext,
    pub(super) envelope: Vec<u8>,
    pub(super) answer: Vec<u8>,
}

impl Scratch {
    /// `None` if there is no memory for it.
    pub(super) fn new() -> Option<Self> {
        Some(Self {
            target: zeroed(USUAL_LEN)?,
            body: Plaintext(zeroed(USUAL_LEN)?),
            envelope: zeroed(USUAL_LEN)?,
            answer: zeroed(MAX_ANSWER_LEN)?,
        })
    }

    /// Whether it is worth keeping: one very long request must not hold its memory for good.
    pub(super) fn is_usual(&self) -> bool {
        [self.target.len(), self.body.0.len(), self.envelope.len()].into_iter().all(|len| len <= MAX_ANSWER_LEN)
    }
}

/// `None` if there is no memory for it.
fn zeroed(len: usize) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(len).ok()?;
    bytes.resize(len, 0);
    Some(bytes)
}

/// Bytes that are wiped before they are given back or moved.
pub(super) struct Plaintext(Vec<u8>);

impl Plaintext {
    pub(super) fn copy_of(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// What `write` writes, after making room for it.
    pub(super) fn write(&mut self, write: impl Fn(&mut [u8]) -> Result<usize, BufferTooSmall>) -> &mut [u8] {
        let len = fill(&mut self.0, write);
        self.0.get_mut(..len).unwrap_or_default()
    }
}

impl Drop for Plaintext {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// What `write` writes into `buf`, after making room for it.
pub(super) fn write(buf: &mut Vec<u8>, write: impl Fn(&mut [u8]) -> Result<usize, BufferTooSmall>) -> &str {
    let len = fill(buf, write);
    let text = buf.get(..len).unwrap_or_default();
    core::str::from_utf8(text).unwrap_or_default()
}

/// Has `write` write into `buf`, after making room for it; returns how much. What there was is wiped before it
/// is given back, for it may have been a plaintext.
fn fill(buf: &mut Vec<u8>, write: impl Fn(&mut [u8]) -> Result<usize, BufferTooSmall>) -> usize {
    write(buf).unwrap_or_else(|BufferTooSmall { needed }| {
        buf.zeroize();
        *buf = vec![0; needed];
        // It has said itself that this is enough.
        write(buf).unwrap_or(0)
    })
}
