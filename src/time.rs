//! Points in time, as seconds and milliseconds since 1970-01-01T00:00:00Z.
//!
//! The kernel does not have a clock: the caller passes the time. With the feature `std`, [`UnixTime::now`] reads the
//! system clock.

use core::fmt;

/// A point in time, counted from 1970-01-01T00:00:00Z without leap seconds.
///
/// Keys are valid to the second. The milliseconds are only used in the ids of new keys and in timestamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct UnixTime {
    secs: i64,
    millis: u16,
}

impl UnixTime {
    /// The time this many seconds after 1970, or before 1970 if negative.
    #[must_use]
    pub const fn from_secs(secs: i64) -> Self {
        Self { secs, millis: 0 }
    }

    /// The time this many milliseconds after 1970, or before 1970 if negative.
    #[must_use]
    #[expect(clippy::as_conversions, reason = "a rest by 1000")]
    pub const fn from_millis(millis: i64) -> Self {
        Self { secs: millis.div_euclid(1000), millis: millis.rem_euclid(1000) as u16 }
    }

    /// The whole seconds, rounded down.
    #[must_use]
    pub const fn as_secs(self) -> i64 {
        self.secs
    }

    /// The milliseconds past [`as_secs`](Self::as_secs): 0 to 999.
    #[must_use]
    pub const fn subsec_millis(self) -> u16 {
        self.millis
    }

    /// Milliseconds since 1970: 0 for earlier times, `u64::MAX` past the end of the range.
    #[must_use]
    pub(crate) fn as_millis(self) -> u64 {
        let millis = i128::from(self.secs).saturating_mul(1000).saturating_add(i128::from(self.millis));
        u64::try_from(millis.max(0)).unwrap_or(u64::MAX)
    }

    /// The time this many seconds later; `None` past the end of the range.
    #[must_use]
    pub const fn checked_add_secs(self, secs: u64) -> Option<Self> {
        match self.secs.checked_add_unsigned(secs) {
            Some(secs) => Some(Self { secs, millis: self.millis }),
            None => None,
        }
    }
}

#[cfg(feature = "std")]
impl UnixTime {
    /// The time of the system clock.
    #[must_use]
    pub fn now() -> Self {
        std::time::SystemTime::now().into()
    }
}

#[cfg(feature = "std")]
impl From<std::time::SystemTime> for UnixTime {
    fn from(time: std::time::SystemTime) -> Self {
        match time.duration_since(std::time::UNIX_EPOCH) {
            Ok(since) => Self {
                secs: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
                // Always below 1000.
                millis: u16::try_from(since.subsec_millis()).unwrap_or(999),
            },
            Err(before) => {
                let millis = i64::try_from(before.duration().as_millis()).unwrap_or(i64::MAX);
                Self::from_millis(millis.saturating_neg())
            }
        }
    }
}

/// Prints the number of seconds, as in a claim.
impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.secs.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_before_1970_round_down() {
        let time = UnixTime::from_millis(-1);
        assert_eq!((time.as_secs(), time.subsec_millis()), (-1, 999));
        assert_eq!(time.as_millis(), 0);
    }

    #[test]
    fn times_past_the_end_of_the_range_do_not_overflow() {
        assert_eq!(UnixTime::from_secs(i64::MAX).checked_add_secs(1), None);
        assert_eq!(UnixTime::from_secs(i64::MAX).as_millis(), u64::MAX);
    }

    #[cfg(feature = "std")]
    #[test]
    fn system_times_before_and_after_1970_are_converted() {
        use std::time::{Duration, UNIX_EPOCH};
        assert_eq!(UnixTime::from(UNIX_EPOCH + Duration::from_millis(1_500)), UnixTime::from_millis(1_500));
        assert_eq!(UnixTime::from(UNIX_EPOCH - Duration::from_millis(1)), UnixTime::from_millis(-1));
    }
}
