//! Times as RFC 3339 text.

use core::fmt;

use crate::{buf::Writer, error::sentences, time::UnixTime};

/// A time in UTC in the form of RFC 3339, to the millisecond: `2026-11-24T02:21:45.017Z`.
///
/// ```
/// # use apikee::{UnixTime, protocol::Timestamp};
/// assert_eq!(Timestamp::new(UnixTime::from_millis(1_795_486_905_017))?.as_str(), "2026-11-24T02:21:45.017Z");
/// # Ok::<_, apikee::protocol::TimestampOutOfRange>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp([u8; LEN]);

const LEN: usize = "0000-00-00T00:00:00.000Z".len();

const DAY: i64 = 24 * 60 * 60;

impl Timestamp {
    /// The text of this time.
    ///
    /// # Errors
    ///
    /// [`TimestampOutOfRange`] if the year is not in 0 to 9999.
    pub fn new(time: UnixTime) -> Result<Self, TimestampOutOfRange> {
        let days = time.as_secs().div_euclid(DAY);
        let second = u32::try_from(time.as_secs().rem_euclid(DAY)).map_err(|_| TimestampOutOfRange)?;
        let (year, month, day) = civil(days).ok_or(TimestampOutOfRange)?;
        let mut text = [0; LEN];
        let mut out = Writer::new(&mut text);
        digits::<4>(&mut out, year, b'-');
        digits::<2>(&mut out, month, b'-');
        digits::<2>(&mut out, day, b'T');
        digits::<2>(&mut out, second / 3600, b':');
        digits::<2>(&mut out, second / 60 % 60, b':');
        digits::<2>(&mut out, second % 60, b'.');
        digits::<3>(&mut out, u32::from(time.subsec_millis()), b'Z');
        Ok(Self(text))
    }

    /// The text of 24 characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let text = core::str::from_utf8(&self.0);
        debug_assert!(text.is_ok(), "it is ASCII");
        text.unwrap_or_default()
    }
}

/// The year, month and day of the proleptic Gregorian calendar, `days` after 1970-01-01. `None` if the year is not in 0
/// to 9999.
///
/// Years are counted from March, so that the leap day is the last day. They are counted from March of the year -400, so
/// that no number is negative.
#[expect(clippy::arithmetic_side_effects, reason = "the years are checked first, and all else is smaller")]
fn civil(days: i64) -> Option<(u32, u32, u32)> {
    const IN_400_YEARS: u32 = 400 * 365 + 97;
    const FROM_MARCH_OF_0: i64 = 719_468;
    const JANUARY_OF_0: i64 = -FROM_MARCH_OF_0 - 60;
    const END_OF_9999: i64 = 2_932_896;
    if !(JANUARY_OF_0..=END_OF_9999).contains(&days) {
        return None;
    }
    let days = u32::try_from(days + FROM_MARCH_OF_0 + i64::from(IN_400_YEARS)).ok()?;
    let (era, day) = (days / IN_400_YEARS, days % IN_400_YEARS);
    // Does not count the leap days. The last one belongs to the last year.
    let year = (day - day / 1_460 + day / 36_524 - day / (IN_400_YEARS - 1)) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // From March on, months have 31, 30, 31, 30, 31 days, and so on: 153 days in each five months.
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (year, month) = if month < 10 { (year, month + 3) } else { (year + 1, month - 9) };
    Some((400 * era + year - 400, month, day))
}

/// Writes the last `N` digits of `value`, and then `end`.
fn digits<const N: usize>(out: &mut Writer<'_>, mut value: u32, end: u8) {
    let mut digits = [0; N];
    for place in digits.iter_mut().rev() {
        let [digit, ..] = (value % 10).to_le_bytes();
        *place = b'0' | digit;
        value /= 10;
    }
    out.bytes(&digits);
    out.byte(end);
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Timestamp({self})")
    }
}

/// The time is before the year 0 or after the year 9999. RFC 3339 cannot express it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct TimestampOutOfRange;

sentences!(TimestampOutOfRange, "the time is outside the years 0 to 9999");

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use proptest::{prelude::*, test_runner::RngSeed};

    use super::*;

    const LAST_MILLI: i64 = 253_402_300_799_999;

    fn written(millis: i64) -> String {
        Timestamp::new(UnixTime::from_millis(millis)).unwrap().as_str().to_owned()
    }

    #[test]
    fn a_timestamp_is_printed_as_it_is_sent() {
        let timestamp = Timestamp::new(UnixTime::from_millis(0)).unwrap();
        assert_eq!(
            std::format!("{timestamp} {timestamp:?}"),
            "1970-01-01T00:00:00.000Z Timestamp(1970-01-01T00:00:00.000Z)"
        );
    }

    #[test]
    fn times_are_written_to_the_millisecond() {
        for (millis, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (1_795_486_905_017, "2026-11-24T02:21:45.017Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (-2_203_891_200_000, "1900-03-01T00:00:00.000Z"),
            (4_107_542_399_999, "2100-02-28T23:59:59.999Z"),
            (2_147_483_647_000, "2038-01-19T03:14:07.000Z"),
            (LAST_MILLI, "9999-12-31T23:59:59.999Z"),
            (-62_167_219_200_000, "0000-01-01T00:00:00.000Z"),
        ] {
            assert_eq!(written(millis), expected);
        }
    }

    #[test]
    fn years_outside_0_to_9999_are_refused() {
        for time in [
            UnixTime::from_millis(LAST_MILLI + 1),
            UnixTime::from_millis(-62_167_219_200_001),
            UnixTime::from_secs(i64::MAX),
            UnixTime::from_secs(i64::MIN),
        ] {
            assert_eq!(Timestamp::new(time), Err(TimestampOutOfRange));
        }
    }

    #[test]
    fn the_calendar_agrees_with_counting_months() {
        let mut days = -719_528;
        for year in 0..10_000 {
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let february = if leap { 29 } else { 28 };
            for (month, length) in (1..).zip([31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]) {
                assert_eq!(civil(days), Some((year, month, 1)));
                days += length;
                assert_eq!(civil(days - 1), Some((year, month, u32::try_from(length).unwrap())));
            }
        }
        assert_eq!(civil(days), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4096, rng_seed: RngSeed::Fixed(3339), ..ProptestConfig::default() })]

        #[test]
        fn times_are_written_as_humantime_writes_them(millis in 0..=LAST_MILLI) {
            let time = UNIX_EPOCH + Duration::from_millis(millis.unsigned_abs());
            prop_assert_eq!(written(millis), humantime::format_rfc3339_millis(time).to_string());
        }
    }
}
