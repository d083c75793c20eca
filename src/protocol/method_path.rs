//! The route of a request.

use core::fmt;

use super::request::{query_byte, query_value};
use crate::{buf::Writer, error::sentences, json::write, key::up_to_key};

/// The method and the path of a request or a route: `GET:::/users`.
///
/// The method is written in upper case, and the path with a leading `/`. Give the path as the router sees it,
/// percent-decoded; it is encoded when a target is written. `Display` prints the text before encoding. Request
/// signatures cover that text.
///
/// A raw key must not be sent in a URL. So a method or a path with a key in it ends after the first 12 characters of
/// the key.
///
/// ```
/// # use apikee::protocol::MethodPath;
/// assert_eq!(MethodPath::new("get", "users?page=2#top")?.to_string(), "GET:::/users");
/// assert_eq!(MethodPath::with_query("get", "users?page=2#top")?.to_string(), "GET:::/users?page=2");
/// # Ok::<_, apikee::protocol::InvalidMethod>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct MethodPath<'a> {
    method: &'a str,
    /// As given: perhaps without the leading slash.
    path: &'a str,
}

/// The separator of method and path. A method has no colon, and a path does not start with one.
const SEPARATOR: &str = ":::";

/// Another separator, which the platform's documentation also shows.
const SHORT_SEPARATOR: &str = ":";

impl<'a> MethodPath<'a> {
    /// Cuts `path` at the first `?` or `#`: a query may hold secrets, and would make every request a different route.
    ///
    /// # Errors
    ///
    /// [`InvalidMethod`] if the method is not a token.
    pub fn new(method: &'a str, path: &'a str) -> Result<Self, InvalidMethod> {
        Self::up_to(method, path, &['?', '#'])
    }

    /// Keeps the query, and cuts `path` at the first `#`. Also use it for the patterns of routers in which `?` has a
    /// meaning.
    ///
    /// # Errors
    ///
    /// [`InvalidMethod`] if the method is not a token.
    pub fn with_query(method: &'a str, path: &'a str) -> Result<Self, InvalidMethod> {
        Self::up_to(method, path, &['#'])
    }

    fn up_to(method: &'a str, path: &'a str, ends: &[char]) -> Result<Self, InvalidMethod> {
        if !is_token(method) {
            return Err(InvalidMethod);
        }
        let path = path.split_once(ends).map_or(path, |(front, _)| front);
        Ok(Self { method: up_to_key(method), path: up_to_key(path) })
    }

    /// The path without the leading slash.
    fn tail(&self) -> &'a str {
        self.path.strip_prefix('/').unwrap_or(self.path)
    }

    /// The method and the path as they were given, except for keys.
    #[cfg(feature = "client")]
    pub(crate) const fn given(&self) -> (&'a str, &'a str) {
        (self.method, self.path)
    }

    /// The method, and the path without the leading slash.
    #[cfg(feature = "client")]
    pub(crate) fn parts(&self) -> (&'a str, &'a str) {
        (self.method, self.tail())
    }

    /// The approximate length in bytes.
    #[cfg(feature = "client")]
    pub(crate) const fn len(&self) -> usize {
        self.method.len().saturating_add(self.path.len())
    }

    /// Whether `text` spells this route: `GET:::/users` or `GET:/users`, not encoded.
    pub(crate) fn is_spelt(&self, text: &str) -> bool {
        let Some((method, rest)) = text.split_at_checked(self.method.len()) else {
            return false;
        };
        let method = method.bytes().eq(self.method.bytes().map(|byte| byte.to_ascii_uppercase()));
        let path = |separator| rest.strip_prefix(separator).and_then(|path| path.strip_prefix('/'));
        method && path(SEPARATOR).or_else(|| path(SHORT_SEPARATOR)) == Some(self.tail())
    }

    /// Writes the route as a query value.
    pub(crate) fn write_query_value(&self, out: &mut Writer<'_>) {
        for byte in self.method.bytes() {
            query_byte(out, byte.to_ascii_uppercase());
        }
        query_value(out, SEPARATOR);
        query_byte(out, b'/');
        query_value(out, self.tail());
    }

    /// Writes the method as the inside of a JSON string. A token never needs escapes.
    pub(crate) fn write_json_method(&self, out: &mut Writer<'_>) {
        for byte in self.method.bytes() {
            out.byte(byte.to_ascii_uppercase());
        }
    }

    /// Writes the path as the inside of a JSON string.
    pub(crate) fn write_json_path(&self, out: &mut Writer<'_>) {
        out.byte(b'/');
        write::escaped(out, self.tail());
    }
}

/// Whether the text is a token (RFC 9110, section 5.6.2). Methods and the names of header fields are tokens.
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_byte)
}

/// `tchar` in that section.
const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
        )
}

/// Prints `GET:::/users`, not encoded.
impl fmt::Display for MethodPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.method.bytes() {
            fmt::Write::write_char(f, char::from(byte.to_ascii_uppercase()))?;
        }
        write!(f, "{SEPARATOR}/{}", self.tail())
    }
}

/// The method is not a token, which every HTTP method is (RFC 9110, "Tokens").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct InvalidMethod;

sentences!(InvalidMethod, "the method is not an HTTP token");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_without_a_leading_slash_gets_one() {
        for (path, expected) in
            [("", "GET:::/"), ("/", "GET:::/"), ("a", "GET:::/a"), ("*", "GET:::/*"), ("//a", "GET::://a")]
        {
            assert_eq!(MethodPath::new("GET", path).unwrap().to_string(), expected);
        }
    }

    #[test]
    fn queries_and_fragments_are_left_out_by_default() {
        for (path, without, with) in [
            ("/a?b=c", "GET:::/a", "GET:::/a?b=c"),
            ("/a#b?c", "GET:::/a", "GET:::/a"),
            ("/a?b#c", "GET:::/a", "GET:::/a?b"),
            ("?a", "GET:::/", "GET:::/?a"),
            ("#a", "GET:::/", "GET:::/"),
        ] {
            assert_eq!(MethodPath::new("GET", path).unwrap().to_string(), without);
            assert_eq!(MethodPath::with_query("GET", path).unwrap().to_string(), with);
        }
    }

    #[test]
    fn a_method_or_a_path_ends_after_the_start_of_a_key() {
        let key = "apikee_1234567890abcdef.ABCDEF";
        let (path, query) = (std::format!("/users/{key}/orders"), std::format!("/orders?key={key}&page=2"));
        assert_eq!(MethodPath::new("GET", &path).unwrap().to_string(), "GET:::/users/apikee_12345");
        assert_eq!(MethodPath::with_query("GET", &query).unwrap().to_string(), "GET:::/orders?key=apikee_12345");
        assert_eq!(MethodPath::new(key, "/").unwrap().to_string(), "APIKEE_12345:::/");
        assert!(!std::format!("{:?}", MethodPath::new(key, &path)).contains("67890"));
    }

    #[test]
    fn methods_that_are_not_tokens_are_refused() {
        for method in ["", " ", "GET ", "GET:", "GE\r\nT", "G\u{c9}T", "GET/", "\0", "\u{7f}", "a\"b", "(GET)"] {
            assert_eq!(MethodPath::new(method, "/").unwrap_err(), InvalidMethod, "{method:?}");
        }
        assert!(MethodPath::new("!#$%&'*+-.^_`|~09azAZ", "/").is_ok());
    }
}
