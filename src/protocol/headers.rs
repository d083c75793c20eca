//! The header fields that identify the sender of a call: the project key and the user agent.

use core::fmt;

use heapless::String;

use crate::{crypto::Zeroize as _, error::sentences, key::PREFIX};

/// The maximum number of bytes in a [`ProjectKey`].
pub const MAX_PROJECT_KEY_LEN: usize = 256;

/// The project key, such as `sk_live_...`: the secret that every call carries in the header `x-api-key`.
///
/// It is visible ASCII, so it cannot split a header. It is wiped on drop, and `Debug` shows nothing of it.
///
/// ```
/// # use apikee::protocol::{ProjectKey, ProjectKeyError};
/// let key = ProjectKey::new("sk_test_example")?;
/// assert_eq!(format!("{key:?}"), "ProjectKey { .. }");
/// assert_eq!(ProjectKey::new("sk_test\r\nx: y").unwrap_err(), ProjectKeyError::NotVisibleAscii);
/// # Ok::<_, ProjectKeyError>(())
/// ```
pub struct ProjectKey(String<MAX_PROJECT_KEY_LEN>);

impl ProjectKey {
    /// Copies the key.
    ///
    /// # Errors
    ///
    /// See [`ProjectKeyError`].
    pub fn new(key: &str) -> Result<Self, ProjectKeyError> {
        if key.is_empty() {
            return Err(ProjectKeyError::Empty);
        }
        if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ProjectKeyError::NotVisibleAscii);
        }
        // Two variables may have been swapped. The project key is sent in a header, and a raw key never is.
        if key.starts_with(PREFIX) {
            return Err(ProjectKeyError::ApiKey);
        }
        key.try_into().map(Self).map_err(|_| ProjectKeyError::TooLong)
    }

    /// The key. Only for the header `x-api-key`, and to keep it out of logs.
    pub(crate) fn header_value(&self) -> &str {
        self.0.as_str()
    }
}

impl Drop for ProjectKey {
    fn drop(&mut self) {
        self.0.as_mut_str().zeroize();
    }
}

/// Prints nothing of the key.
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
    /// The text is empty.
    Empty,
    /// The text has more than [`MAX_PROJECT_KEY_LEN`] bytes.
    TooLong,
    /// The text has a control character, a space or a non-ASCII character. A header cannot hold them.
    NotVisibleAscii,
    /// The text starts like an API key.
    ApiKey,
}

sentences!(
    ProjectKeyError,
    Empty: "the project key is empty",
    TooLong: "the project key is longer than 256 bytes",
    NotVisibleAscii: "the project key has characters other than visible ASCII",
    ApiKey: "the project key is an API key",
);

/// The name and version of a client program: visible ASCII and single spaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserAgent<'a>(&'a str);

impl UserAgent<'static> {
    /// `apikee-rust/` and this crate's version.
    pub const DEFAULT: Self = Self(concat!("apikee-rust/", env!("CARGO_PKG_VERSION")));
}

impl<'a> UserAgent<'a> {
    /// Another user agent than the default.
    ///
    /// # Errors
    ///
    /// [`InvalidUserAgent`] if a header cannot hold the text.
    pub fn new(text: &'a str) -> Result<Self, InvalidUserAgent> {
        let mut words = text.split(' ');
        if words.all(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_graphic())) {
            Ok(Self(text))
        } else {
            Err(InvalidUserAgent)
        }
    }

    /// A user agent that was checked before.
    #[cfg(feature = "client")]
    pub(crate) const fn checked(text: &'a str) -> Self {
        Self(text)
    }

    /// The text of the user agent.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.0
    }
}

impl Default for UserAgent<'_> {
    fn default() -> Self {
        UserAgent::DEFAULT
    }
}

/// The text is empty, or it has anything but visible ASCII with single spaces in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct InvalidUserAgent;

sentences!(InvalidUserAgent, "the user agent has characters that a header cannot hold");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_agents_that_could_split_a_header_are_refused() {
        for text in ["", " ", " a", "a ", "a  b", "a\r\nb", "a\tb", "a\0", "caf\u{e9}"] {
            assert_eq!(UserAgent::new(text), Err(InvalidUserAgent), "{text:?}");
        }
        assert!(UserAgent::new("acme/1.0 (linux; arm)").is_ok());
        assert_eq!(UserAgent::new(UserAgent::DEFAULT.0), Ok(UserAgent::default()));
    }

    #[test]
    fn keys_that_could_split_a_header_are_refused() {
        for key in ["a\r\nb", "a\nb", "a b", " a", "a\t", "a\0", "a\u{7f}", "caf\u{e9}"] {
            assert_eq!(ProjectKey::new(key).unwrap_err(), ProjectKeyError::NotVisibleAscii, "{key:?}");
        }
        assert_eq!(ProjectKey::new("").unwrap_err(), ProjectKeyError::Empty);
        assert_eq!(ProjectKey::new("apikee_1.1").unwrap_err(), ProjectKeyError::ApiKey);
    }

    #[test]
    fn a_key_of_256_bytes_is_the_longest() {
        let longest = "k".repeat(256);
        assert_eq!(ProjectKey::new(&longest).unwrap().header_value(), longest);
        assert_eq!(ProjectKey::new(&"k".repeat(257)).unwrap_err(), ProjectKeyError::TooLong);
    }
}
