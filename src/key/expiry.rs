//! When a new key expires.

use core::{str::FromStr, time::Duration};

use crate::{error::sentences, time::UnixTime};

const DAY: u64 = 24 * 60 * 60;

/// From 0001-01-01T00:00:00Z to 9999-12-31T23:59:59Z: the first and the last second of Python's `datetime`. For a key
/// with a time outside this range, the Python SDK raises an uncaught exception, and the Node SDK makes an invalid date.
const YEARS: core::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;

/// When a new key expires: after 90 days by default.
///
/// The time must be in the years 1 to 9999, whether it is given or computed. Issuing a key with any other time is an
/// error: see [`IssueError::TimeOutOfRange`](super::IssueError::TimeOutOfRange).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    /// Time from issue to expiry, in whole seconds.
    After(Duration),
    /// At the end of this second.
    At(UnixTime),
    /// The key never expires.
    Never,
}

impl Default for Expiry {
    fn default() -> Self {
        Self::After(Duration::from_secs(90 * DAY))
    }
}

impl Expiry {
    /// The `exp` claim of a key that is issued `now`; `Ok(None)` for a key that never expires.
    pub(crate) fn claim(self, now: UnixTime) -> Result<Option<i64>, TimeOutOfRange> {
        let at = match self {
            Self::After(duration) => now.as_secs().checked_add_unsigned(duration.as_secs()).ok_or(TimeOutOfRange)?,
            Self::At(time) => time.as_secs(),
            Self::Never => return Ok(None),
        };
        in_range(at).map(Some)
    }
}

/// Returns the time if all SDKs can read it.
pub(crate) fn in_range(secs: i64) -> Result<i64, TimeOutOfRange> {
    if YEARS.contains(&secs) { Ok(secs) } else { Err(TimeOutOfRange) }
}

/// A time in the claims is not in the years 1 to 9999.
pub(crate) struct TimeOutOfRange;

/// The text is not in a form like `90d`, `24h`, `60m`, `3600s` or `never`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct InvalidDuration;

sentences!(InvalidDuration, "a duration must be like 90d, 24h, 60m, 3600s or never");

/// Reads a duration in the form that the SDKs use: `"90d"`, `"24h"`, `"60m"`, `"3600s"` or `"never"`.
///
/// ```
/// use apikee::Expiry;
/// use core::time::Duration;
///
/// assert_eq!("24h".parse(), Ok(Expiry::After(Duration::from_secs(86_400))));
/// assert_eq!("never".parse(), Ok(Expiry::Never));
/// assert!("1w".parse::<Expiry>().is_err());
/// ```
impl FromStr for Expiry {
    type Err = InvalidDuration;

    fn from_str(text: &str) -> Result<Self, InvalidDuration> {
        if text == "never" {
            return Ok(Self::Never);
        }
        let (number, seconds) = [('d', DAY), ('h', 60 * 60), ('m', 60), ('s', 1)]
            .into_iter()
            .find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, seconds)))
            .ok_or(InvalidDuration)?;
        // `parse` alone would also accept a sign.
        if !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(InvalidDuration);
        }
        let number: u64 = number.parse().map_err(|_| InvalidDuration)?;
        number.checked_mul(seconds).map(Duration::from_secs).map(Self::After).ok_or(InvalidDuration)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_the_sdks_write_them() {
        for (text, seconds) in [("90d", 90 * DAY), ("24h", DAY), ("60m", 3600), ("3600s", 3600), ("0s", 0)] {
            assert_eq!(text.parse(), Ok(Expiry::After(Duration::from_secs(seconds))), "{text}");
        }
        for text in ["", "d", "90", "+1d", "-1d", "1.5h", " 1d", "1d ", "1D", "1w", "Never", "99999999999999999999d"] {
            assert_eq!(text.parse::<Expiry>(), Err(InvalidDuration), "{text:?}");
        }
        let most = u64::MAX / DAY;
        assert!(format!("{most}d").parse::<Expiry>().is_ok());
        assert!(format!("{}d", most + 1).parse::<Expiry>().is_err());
    }
}
