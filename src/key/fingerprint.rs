//! Names for keys that do not reveal the key: the fingerprint for storage and deny-lists, the prefix for logs.

use core::{fmt, str::FromStr};

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

/// The start of a key, safe for logs: the first 12 characters, that is `apikee_` and 5 more. It is shorter if byte 12
/// is inside a character that is not ASCII.
#[must_use]
pub fn log_prefix(key: &str) -> &str {
    let mut len = key.len().min(12);
    while !key.is_char_boundary(len) {
        len = len.saturating_sub(1);
    }
    key.get(..len).unwrap_or_default()
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
}
