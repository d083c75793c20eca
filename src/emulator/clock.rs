//! Time and randomness, which can both be fixed: the emulator's clock, timestamps from requests, and the source of ids.

use core::time::Duration;
use std::format;

use rand_core::TryRng as _;

use crate::{SysRng, UnixTime, protocol::ClientId};

/// Follows the system's clock, or stands still.
#[derive(Debug, Clone, Copy)]
pub(super) enum Clock {
    System { ahead: Duration },
    Stopped(UnixTime),
}

impl Clock {
    pub(super) fn now(self) -> UnixTime {
        match self {
            Self::System { ahead } => later(UnixTime::now(), ahead),
            Self::Stopped(time) => time,
        }
    }

    pub(super) fn advance(&mut self, by: Duration) {
        match self {
            Self::System { ahead } => *ahead = ahead.saturating_add(by),
            Self::Stopped(time) => *time = later(*time, by),
        }
    }
}

fn later(time: UnixTime, by: Duration) -> UnixTime {
    UnixTime::from_millis(millis(time).saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
}

fn millis(time: UnixTime) -> i64 {
    time.as_secs().saturating_mul(1000).saturating_add(time.subsec_millis().into())
}

/// Whether two times differ by at most `tolerance`.
pub(super) fn within(one: UnixTime, other: UnixTime, tolerance: Duration) -> bool {
    u128::from(millis(one).abs_diff(millis(other))) <= tolerance.as_millis()
}

/// Parses an RFC 3339 time, and rounds it down to a millisecond. This crate's times end in `Z`. The Python SDK's times
/// have microseconds and end in `+00:00`.
pub(super) fn read_rfc3339(text: &str) -> Option<UnixTime> {
    let (date, time) = text.split_once(['T', 't'])?;
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let zone_at = time.find(['Z', 'z', '+', '-'])?;
    let (time, zone) = time.split_at_checked(zone_at)?;
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let offset = offset(zone)?;
    let days = days(year, month, day);
    // A day that does not exist in its month becomes a day of another month.
    let is_date =
        (1..=12).contains(&month) && self::month(days).0 == year.wrapping_mul(12).wrapping_add(month).wrapping_sub(1);
    // A leap second becomes the second after it.
    if !is_date || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let places = fraction.bytes().chain([b'0'; 3]).take(3);
    let milli = places.fold(0_i64, |milli, digit| milli.wrapping_mul(10).wrapping_add((digit & 0xF).into()));
    Some(UnixTime::from_millis(at(days, hour, minute, second, offset, milli)))
}

/// Parses `Z`, or hours and minutes. Returns minutes.
fn offset(zone: &str) -> Option<i64> {
    let sign = match zone.as_bytes().first()? {
        b'Z' | b'z' => return (zone.len() == 1).then_some(0),
        b'-' => -1,
        _ => 1,
    };
    let [hours, minutes] = numbers(zone.get(1..)?, ':', [2, 2])?;
    (hours < 24 && minutes < 60).then(|| hours.wrapping_mul(60).wrapping_add(minutes).wrapping_mul(sign))
}

/// Parses numbers with these counts of digits, at most four each.
fn numbers<const N: usize>(text: &str, separator: char, lengths: [usize; N]) -> Option<[i64; N]> {
    let mut parts = text.split(separator);
    let mut numbers = [0; N];
    for (number, len) in numbers.iter_mut().zip(lengths) {
        let part = parts.next().filter(|part| part.len() == len && part.bytes().all(|byte| byte.is_ascii_digit()))?;
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(numbers)
}

/// Days from 1970-01-01 to a day in the years 0 to 9999. Internally, years start in March.
#[expect(clippy::arithmetic_side_effects, reason = "all of it is below ten thousand years")]
const fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + (153 * month + 2) / 5 + day
        - 1
        - 719_468
}

/// The number of the month that contains a day, counted from the year 0, and the first day of the next month. Days are
/// counted from 1970-01-01. Internally, years start in March, as in [`days`].
#[expect(clippy::arithmetic_side_effects, reason = "a day is a time of 64 bits by 86400")]
pub(super) const fn month(day: i64) -> (i64, i64) {
    let since = day + 719_468;
    let (era, in_era) = (since.div_euclid(146_097), since.rem_euclid(146_097));
    let year = (in_era - in_era / 1_460 + in_era / 36_524 - in_era / 146_096) / 365;
    let in_year = in_era - (365 * year + year / 4 - year / 100);
    let march = (5 * in_year + 2) / 153;
    // March is month 2, counted from 0.
    let month = (year + era * 400) * 12 + march + 2;
    let next = month + 1;
    (month, days(next.div_euclid(12), next.rem_euclid(12) + 1, 1))
}

#[expect(clippy::arithmetic_side_effects, reason = "all of it is below ten thousand years")]
const fn at(days: i64, hour: i64, minute: i64, second: i64, offset: i64, milli: i64) -> i64 {
    (((days * 24 + hour) * 60 + minute - offset) * 60 + second) * 1000 + milli
}

/// The next number of SplitMix64 (Steele, Lea and Flood, 2014). Use it for repeatable numbers, never for a secret.
pub(super) const fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// The source of ids for new clients.
#[derive(Debug)]
pub(super) enum Ids {
    System,
    /// The state of a generator.
    Seeded(u64),
}

impl Ids {
    /// A random UUID (RFC 9562, version 4). `None` if the system has no randomness.
    pub(super) fn draw(&mut self) -> Option<ClientId> {
        let mut bytes = [0; 16];
        match self {
            Self::System => SysRng.try_fill_bytes(&mut bytes).ok()?,
            Self::Seeded(state) => {
                let (halves, _) = bytes.as_chunks_mut::<8>();
                halves.iter_mut().for_each(|half| *half = split_mix(state).to_be_bytes());
            }
        }
        let id = u128::from_be_bytes(bytes) & !(0xF << 76) & !(0b11 << 62) | 4 << 76 | 0b10 << 62;
        let mut text = format!("{id:032x}");
        [20, 16, 12, 8].into_iter().for_each(|at| text.insert(at, '-'));
        ClientId::new(&text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Timestamp;

    fn read(text: &str) -> Option<i64> {
        read_rfc3339(text).map(millis)
    }

    #[test]
    fn both_spellings_of_a_time_are_read() {
        for text in [
            "2026-11-24T02:21:45.017486+00:00",
            "2026-11-24T02:21:45.017Z",
            "2026-11-24T03:51:45.017+01:30",
            "2026-11-23t21:21:45.0179-05:00",
        ] {
            assert_eq!(read(text), Some(1_795_486_905_017), "{text}");
        }
        assert_eq!(read("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(read("1970-01-01T00:00:00.5Z"), Some(500));
    }

    #[test]
    fn written_times_are_read_back() {
        for millis in (-62_167_219_200_000..253_402_300_800_000_i64).step_by(86_399_999 * 37) {
            let written = Timestamp::new(UnixTime::from_millis(millis)).unwrap();
            assert_eq!(read(written.as_str()), Some(millis), "{written}");
        }
    }

    #[test]
    fn malformed_times_are_refused() {
        for text in [
            "",
            "T",
            "2026-11-24",
            "2026-11-24T02:21:45",
            "2026-11-24 02:21:45Z",
            "2026-11-24T02:21:45.Z",
            "2026-11-24T02:21:45Zé",
            "2026-11-24T02:21:45+0000",
            "2026-11-24T02:21:45+00:00Z",
            "2026-11-24T24:00:00Z",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-01-00T00:00:00Z",
            "+026-01-01T00:00:00Z",
            "99999-01-01T00:00:00Z",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn months_end_where_the_calendar_says() {
        for (date, next) in [
            ("1970-01-01", "1970-02-01"),
            ("1969-12-31", "1970-01-01"),
            ("2024-02-01", "2024-03-01"),
            ("2024-02-29", "2024-03-01"),
            ("2023-02-28", "2023-03-01"),
            ("2000-02-29", "2000-03-01"),
            ("2100-02-28", "2100-03-01"),
            ("2026-11-30", "2026-12-01"),
            ("2026-12-31", "2027-01-01"),
        ] {
            let day = |date: &str| read(&format!("{date}T00:00:00Z")).unwrap() / 86_400_000;
            let (number, end) = month(day(date));
            assert_eq!(end, day(next), "{date}");
            assert_eq!(month(end - 1).0, number, "{date}");
            assert_eq!(month(end).0, number + 1, "{date}");
        }
        assert_eq!(month(0).0, 1970 * 12);
    }

    #[test]
    fn advancing_moves_a_stopped_clock_up_to_the_end_of_the_range() {
        let mut clock = Clock::Stopped(UnixTime::from_millis(999));
        clock.advance(Duration::from_millis(2));
        assert_eq!(clock.now(), UnixTime::from_millis(1_001));
        clock.advance(Duration::MAX);
        assert_eq!(clock.now(), UnixTime::from_millis(i64::MAX));
        let mut clock = Clock::System { ahead: Duration::ZERO };
        clock.advance(Duration::from_secs(3600));
        assert!(clock.now().as_secs() >= UnixTime::now().as_secs() + 3500);
    }
}
