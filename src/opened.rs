//! The proof that a body came out of an envelope.

use core::fmt;

/// The plaintext of an answer that was sealed, and was opened: the platform wrote it, for this request.
///
/// There is no public constructor, so bytes that came in the clear cannot be taken for it.
pub struct Opened<'b>(&'b mut [u8]);

impl<'b> Opened<'b> {
    /// Only for what authenticates the plaintext.
    pub(crate) const fn new(plaintext: &'b mut [u8]) -> Self {
        Self(plaintext)
    }

    /// The plaintext.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        self.0
    }

    /// The plaintext, which from here on is bytes like any other.
    #[must_use]
    pub const fn into_bytes(self) -> &'b mut [u8] {
        self.0
    }
}

/// The length only: a body may hold what belongs in no log.
impl fmt::Debug for Opened<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").field("len", &self.0.len()).finish_non_exhaustive()
    }
}
