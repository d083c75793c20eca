//! The header fields of every call.

use core::{fmt, ops::Deref};

use super::{
    project_key::ProjectKey,
    request::{BodyForm, HttpMethod},
};

/// What a client calls itself: visible ASCII and single spaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserAgent<'a>(&'a str);

impl UserAgent<'static> {
    /// `apikee-rust/` and this crate's version.
    pub const DEFAULT: Self = Self(concat!("apikee-rust/", env!("CARGO_PKG_VERSION")));
}

impl<'a> UserAgent<'a> {
    /// Takes another name.
    ///
    /// # Errors
    ///
    /// [`InvalidUserAgent`].
    pub fn new(text: &'a str) -> Result<Self, InvalidUserAgent> {
        let mut words = text.split(' ');
        if words.all(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_graphic())) {
            Ok(Self(text))
        } else {
            Err(InvalidUserAgent)
        }
    }

    /// For a name that was checked before.
    #[cfg(feature = "client")]
    pub(crate) const fn checked(text: &'a str) -> Self {
        Self(text)
    }

    /// The name.
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

/// The text is empty, or has something other than visible ASCII and single spaces between it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct InvalidUserAgent;

impl fmt::Display for InvalidUserAgent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the user agent has characters that a header cannot hold")
    }
}

impl core::error::Error for InvalidUserAgent {}

/// The names and values of a call's header fields: a slice of two without a body, and of four with one.
///
/// None has a line break or another control character. One value is the project key, a secret, so that
/// `Debug` shows the names alone.
///
/// ```
/// # use apikee::{FindClient, ProjectKey, Request as _, UserAgent};
/// let key = ProjectKey::new("sk_test_example")?;
/// let fields = FindClient::new("my-app", "acme-corp").header_fields(&key, UserAgent::new("acme/1.0")?);
/// assert_eq!(fields[..], [("x-api-key", "sk_test_example"), ("User-Agent", "acme/1.0")]);
/// # Ok::<_, Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
pub struct HeaderFields<'h> {
    /// What describes the body stands at the ends.
    all: [(&'static str, &'h str); 4],
    has_body: bool,
}

impl<'h> HeaderFields<'h> {
    pub(crate) fn new(method: HttpMethod, form: BodyForm, key: &'h ProjectKey, user_agent: UserAgent<'h>) -> Self {
        Self {
            all: [
                ("Content-Type", "application/json"),
                ("x-api-key", key.header_value()),
                ("User-Agent", user_agent.0),
                ("X-Apikee-Encrypted", form.header_value()),
            ],
            has_body: method != HttpMethod::Get,
        }
    }
}

impl<'h> Deref for HeaderFields<'h> {
    type Target = [(&'static str, &'h str)];

    fn deref(&self) -> &Self::Target {
        let [_, without_body @ .., _] = &self.all;
        if self.has_body { &self.all } else { without_body }
    }
}

impl fmt::Debug for HeaderFields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(|(name, _)| name)).finish()
    }
}

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
}
