//! The ids of keys.

use super::base62;
use crate::time::UnixTime;

/// Random bytes in an id.
pub(crate) const RANDOM_LEN: usize = 10;

/// The most characters that an id has; those of the years 1973 to 3120 have one less.
const MAX_LEN: usize = 22;

/// The id of a key: base62 of the time of issue in milliseconds (8 bytes, big-endian) and 10 random
/// bytes, cut to 22 characters (docs/WIRE.md, "Claims"). Ids sort by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyId {
    text: [u8; MAX_LEN],
    len: usize,
}

impl KeyId {
    /// The id for that time and these random bytes. Times before 1970 count as 1970.
    #[must_use]
    pub fn new(now: UnixTime, random: [u8; RANDOM_LEN]) -> Self {
        let mut bytes = [0; 8 + RANDOM_LEN];
        let whole = now.as_millis().to_be_bytes().into_iter().chain(random);
        for (place, byte) in bytes.iter_mut().zip(whole) {
            *place = byte;
        }
        let mut digits = [0; base62::encoded_capacity(8 + RANDOM_LEN)];
        let digits = base62::encode(&bytes, &mut digits).unwrap_or_default();
        let mut id = Self { text: [0; MAX_LEN], len: digits.len().min(MAX_LEN) };
        for (place, digit) in id.text.iter_mut().zip(digits) {
            *place = *digit;
        }
        id
    }

    /// The id as it stands in the claims.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Base62 is ASCII.
        self.text.get(..self.len).and_then(|text| core::str::from_utf8(text).ok()).unwrap_or_default()
    }
}

impl core::fmt::Display for KeyId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_and_have_21_characters_today() {
        let earlier = KeyId::new(UnixTime::from_millis(1_760_000_000_000), [0xFF; 10]);
        let later = KeyId::new(UnixTime::from_millis(1_760_000_000_001), [0; 10]);
        assert_eq!(earlier.as_str().len(), 21);
        assert!(earlier.as_str() < later.as_str());
        // The published Node SDK's `newId`, given this time and these bytes.
        assert_eq!(later.as_str(), "31GnD7aYo8j6oPBo56j0i");
    }

    #[test]
    fn every_time_has_an_id_of_at_most_22_characters() {
        for secs in [i64::MIN, -1, 0, 1, i64::MAX] {
            let id = KeyId::new(UnixTime::from_secs(secs), [1; 10]);
            assert!((1..=MAX_LEN).contains(&id.as_str().len()), "{secs}: {id}");
        }
    }
}
