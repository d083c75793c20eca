//! The key that the platform knows a project by.

use core::fmt;

use crate::crypto::Zeroize as _;

/// Bytes that a [`ProjectKey`] holds at most.
pub const MAX_PROJECT_KEY_LEN: usize = 256;

/// The project key, `sk_live_...` or `sk_test_...`: the secret that every call carries in the header
/// `x-api-key`.
///
/// It is visible ASCII, so it cannot split a header. Wiped on drop; `Debug` shows nothing of it.
///
/// ```
/// # use apikee::{ProjectKey, ProjectKeyError};
/// let key = ProjectKey::new("sk_test_example")?;
/// assert_eq!(format!("{key:?}"), "ProjectKey { .. }");
/// assert_eq!(ProjectKey::new("sk_test\r\nx: y").unwrap_err(), ProjectKeyError::NotVisibleAscii);
/// # Ok::<_, ProjectKeyError>(())
/// ```
pub struct ProjectKey {
    bytes: [u8; MAX_PROJECT_KEY_LEN],
    len: usize,
}

impl ProjectKey {
    /// Takes a copy of the key.
    ///
    /// # Errors
    ///
    /// As [`ProjectKeyError`] says.
    pub fn new(key: &str) -> Result<Self, ProjectKeyError> {
        if key.is_empty() {
            return Err(ProjectKeyError::Empty);
        }
        if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ProjectKeyError::NotVisibleAscii);
        }
        let mut this = Self { bytes: [0; MAX_PROJECT_KEY_LEN], len: key.len() };
        this.bytes.get_mut(..key.len()).ok_or(ProjectKeyError::TooLong)?.copy_from_slice(key.as_bytes());
        Ok(this)
    }

    /// For the one header that it belongs in.
    pub(crate) fn header_value(&self) -> &str {
        let key = self.bytes.get(..self.len).unwrap_or_default();
        core::str::from_utf8(key).unwrap_or_default()
    }
}

impl Drop for ProjectKey {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

/// Nothing of the key.
impl fmt::Debug for ProjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProjectKey").finish_non_exhaustive()
    }
}

/// Why a text is not a project key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ProjectKeyError {
    /// A key has at least one byte.
    Empty,
    /// It has more than [`MAX_PROJECT_KEY_LEN`] bytes.
    TooLong,
    /// A control character, a space or a character beyond ASCII, which a header cannot hold.
    NotVisibleAscii,
}

impl fmt::Display for ProjectKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the project key is empty",
            Self::TooLong => "the project key is longer than 256 bytes",
            Self::NotVisibleAscii => "the project key has characters other than visible ASCII",
        })
    }
}

impl core::error::Error for ProjectKeyError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_could_split_a_header_are_refused() {
        for key in ["a\r\nb", "a\nb", "a b", " a", "a\t", "a\0", "a\u{7f}", "caf\u{e9}"] {
            assert_eq!(ProjectKey::new(key).unwrap_err(), ProjectKeyError::NotVisibleAscii, "{key:?}");
        }
        assert_eq!(ProjectKey::new("").unwrap_err(), ProjectKeyError::Empty);
    }

    #[test]
    fn a_key_of_256_bytes_is_the_longest() {
        let longest = "k".repeat(256);
        assert_eq!(ProjectKey::new(&longest).unwrap().header_value(), longest);
        assert_eq!(ProjectKey::new(&"k".repeat(257)).unwrap_err(), ProjectKeyError::TooLong);
    }
}
