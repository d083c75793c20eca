//! Identifies keys without revealing them: the fingerprint for storage and deny-lists, the prefix for logs.

use core::{fmt, str::FromStr};

#[cfg(feature = "envelope")]
use super::{PREFIX, SEPARATOR};
use crate::{crypto::sha256, error::sentences, hex};

/// The SHA-256 of a whole key string. The SDKs call it the hash of the key, and print it as 64 lower-case hexadecimal
/// digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The fingerprint of this key.
    #[must_use]
    pub fn of(key: &str) -> Self {
        Self(sha256(key.as_bytes()))
    }

    /// A fingerprint from the 32 bytes of a hash.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes of the hash.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

/// The text is not a fingerprint, which is 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct InvalidFingerprint;

sentences!(InvalidFingerprint, "a fingerprint is 64 hexadecimal digits");

/// Reads 64 hexadecimal digits, in upper or lower case.
impl FromStr for Fingerprint {
    type Err = InvalidFingerprint;

    fn from_str(text: &str) -> Result<Self, InvalidFingerprint> {
        hex::read(text).map(Self).ok_or(InvalidFingerprint)
    }
}

/// Fingerprints of revoked keys: a sorted slice with binary search.
///
/// ```
/// use apikee::{Fingerprint, key::DenyList};
///
/// let mut revoked = [Fingerprint::of("apikee_one.two"), Fingerprint::of("apikee_three.four")];
/// revoked.sort_unstable();
/// let deny = DenyList::new(&revoked)?;
/// assert!(deny.contains(&Fingerprint::of("apikee_three.four")));
/// assert!(!deny.contains(&Fingerprint::of("apikee_five.six")));
/// # Ok::<(), apikee::key::Unsorted>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct DenyList<'l>(&'l [Fingerprint]);

impl<'l> DenyList<'l> {
    /// A deny-list over a sorted slice. Duplicates are harmless.
    ///
    /// # Errors
    ///
    /// [`Unsorted`] if the slice is not sorted: the search would miss revoked keys.
    pub fn new(sorted: &'l [Fingerprint]) -> Result<Self, Unsorted> {
        if sorted.is_sorted() { Ok(Self(sorted)) } else { Err(Unsorted) }
    }

    /// Whether the key with this fingerprint is revoked.
    #[must_use]
    pub fn contains(&self, fingerprint: &Fingerprint) -> bool {
        self.0.binary_search(fingerprint).is_ok()
    }
}

/// The fingerprints of a deny-list are not in ascending order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Unsorted;

sentences!(Unsorted, "the fingerprints are not sorted");

/// The length of a key's start that is safe for logs.
const LOG_PREFIX_LEN: usize = 12;

/// The start of a key, safe for logs: the first 12 characters, that is `apikee_` and 5 more. Keys with claims of the same
/// length often begin alike, so it does not tell keys apart. It is shorter if byte 12 is inside a character that is not
/// ASCII.
#[must_use]
pub fn log_prefix(key: &str) -> &str {
    let mut len = key.len().min(LOG_PREFIX_LEN);
    while !key.is_char_boundary(len) {
        len = len.saturating_sub(1);
    }
    key.get(..len).unwrap_or_default()
}

/// Splits a text at the first key in it: the text up to the fifth character after `apikee_`, and the text after the
/// key. The rest of the key is left out. `None` if the text has no key.
///
/// A key is `apikee_` with letters, digits and `.` after it, and has a `.`. It ends at the first other character. Two
/// keys that follow each other directly count as one.
#[cfg(feature = "envelope")]
pub(crate) fn split_at_key(text: &str) -> Option<(&str, &str)> {
    /// Characters after `apikee_` that are shown.
    const SHOWN: usize = LOG_PREFIX_LEN.saturating_sub(PREFIX.len());
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('_') {
        rest = after;
        let start = text.len().saturating_sub(after.len());
        if !text.get(..start)?.ends_with(PREFIX) {
            continue;
        }
        let ends_prefix = |at: usize| after.get(..=at).is_some_and(|text| text.ends_with(PREFIX));
        let is_of_key = |&(at, byte): &(usize, u8)| match byte {
            b'_' => ends_prefix(at),
            _ => byte.is_ascii_alphanumeric() || byte == SEPARATOR,
        };
        let (key, behind) = after.split_at_checked(after.bytes().enumerate().take_while(is_of_key).count())?;
        if let Some(payload) = key.bytes().position(|byte| byte == SEPARATOR) {
            return Some((text.get(..start.saturating_add(payload.min(SHOWN)))?, behind));
        }
        rest = behind;
    }
    None
}

/// The text before a key, and the first 12 characters of the key. All of the text if it has no key.
#[cfg(feature = "envelope")]
pub(crate) fn up_to_key(text: &str) -> &str {
    split_at_key(text).map_or(text, |(front, _)| front)
}

/// The text with all keys cut to their first 12 characters.
#[cfg(feature = "client")]
pub(crate) fn without_keys(text: &str) -> std::string::String {
    // With all of the room from the start, no copy of a secret is left behind.
    let (mut cut, mut rest) = (std::string::String::with_capacity(text.len()), text);
    while let Some((front, behind)) = split_at_key(rest) {
        cut.push_str(front);
        rest = behind;
    }
    cut.push_str(rest);
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_print_and_parse_as_64_hexadecimal_digits() {
        // FIPS 180-4, the one-block example.
        let hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let fingerprint = Fingerprint::of("abc");
        assert_eq!(fingerprint.to_string(), hex);
        assert_eq!(hex.parse(), Ok(fingerprint));
        assert_eq!(hex.to_uppercase().parse(), Ok(fingerprint));
        for bad in ["", "ba78", &hex[1..], &format!("{hex}00"), &hex.replace('f', "g")] {
            assert_eq!(bad.parse::<Fingerprint>(), Err(InvalidFingerprint));
        }
    }

    #[test]
    fn an_unsorted_deny_list_is_refused() {
        let (a, b) = (Fingerprint([1; 32]), Fingerprint([2; 32]));
        assert_eq!(DenyList::new(&[b, a]).err(), Some(Unsorted));
        assert!(DenyList::new(&[a, a, b]).is_ok_and(|list| list.contains(&a) && list.contains(&b)));
        assert!(DenyList::new(&[]).is_ok_and(|list| !list.contains(&a)));
    }

    #[test]
    fn a_log_prefix_is_at_most_12_bytes_and_whole_characters() {
        assert_eq!(log_prefix("apikee_123456789"), "apikee_12345");
        assert_eq!(log_prefix("short"), "short");
        assert_eq!(log_prefix("apikee_1234\u{e9}"), "apikee_1234");
    }

    #[cfg(feature = "envelope")]
    #[test]
    fn a_text_is_split_at_the_first_key_in_it() {
        let key = "apikee_1234567890abcdef.ABCDEF";
        for (text, expected) in [
            (std::format!("/users/{key}"), Some(("/users/apikee_12345", ""))),
            (std::format!("/users/{key}/a"), Some(("/users/apikee_12345", "/a"))),
            (std::format!("a_b_{key}?{key}"), Some(("a_b_apikee_12345", "?apikee_1234567890abcdef.ABCDEF"))),
            (std::format!("{key}{key}"), Some(("apikee_12345", ""))),
            (std::format!("apikee_{key}"), Some(("apikee_apike", ""))),
            (std::format!("apikee_\u{e9}{key}"), Some(("apikee_\u{e9}apikee_12345", ""))),
            ("apikee_1.1".into(), Some(("apikee_1", ""))),
            ("apikee_.1".into(), Some(("apikee_", ""))),
        ] {
            assert_eq!(split_at_key(&text), expected, "{text}");
        }
        for text in ["", "_", "apikee_", "/apikee_guide/a.html", "/apikee/a.b", "/my_apikee/a_b.c", "APIKEE_1.1"] {
            assert_eq!((split_at_key(text), up_to_key(text)), (None, text));
        }
        for text in ["/downloads/apikee_client_1.2.tar.gz", "apikee_1_.1", "apikee_xapikee_", "apikee_1apike_e.1"] {
            assert_eq!((split_at_key(text), up_to_key(text)), (None, text), "no digit is a `_`");
        }
    }

    #[cfg(feature = "client")]
    #[test]
    fn all_keys_of_a_text_are_cut_and_the_rest_stays() {
        let key = "apikee_1234567890abcdef.ABCDEF";
        for (text, expected) in [
            (std::format!("Bearer {key}"), "Bearer apikee_12345"),
            (std::format!("GET:::/users?k={key}&l={key}#a"), "GET:::/users?k=apikee_12345&l=apikee_12345#a"),
            (std::format!("/{key}/a/{key}/b"), "/apikee_12345/a/apikee_12345/b"),
            ("/apikee_documentation".into(), "/apikee_documentation"),
            ("nothing".into(), "nothing"),
        ] {
            let cut = without_keys(&text);
            assert_eq!(cut, expected);
            assert_eq!(without_keys(&cut), expected);
        }
    }
}
