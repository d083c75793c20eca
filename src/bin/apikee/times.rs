//! Parses times (`90d`, a date, or RFC 3339), and prints them.

use std::{
    fmt,
    time::{Duration, UNIX_EPOCH},
};

use apikee::{Expiry, UnixTime};

/// The last second that RFC 3339 can write: 9999-12-31T23:59:59Z.
const LAST_SECOND: u64 = 253_402_300_799;

/// Reads when a key expires: after a duration, at a time, or never.
pub(crate) fn expiry(text: &str) -> Result<Expiry, &'static str> {
    let never_or_short = || text.parse().ok();
    let expiry = long(text).map(Expiry::After).or_else(never_or_short).or_else(|| time(text).map(Expiry::At));
    expiry.ok_or(
        "expected a duration (1y, 12w, 90d, 24h, 60m or 3600s), a date (2027-01-31) or a time \
         (2027-01-31T18:00:00Z) since 1970, or never",
    )
}

/// Reads weeks, or years of 365 days.
fn long(text: &str) -> Option<Duration> {
    let (number, days) =
        [('w', 7), ('y', 365)].into_iter().find_map(|(unit, days)| Some((text.strip_suffix(unit)?, days)))?;
    // `parse` alone would also accept a sign.
    let number: u64 = number.bytes().all(|byte| byte.is_ascii_digit()).then(|| number.parse().ok())??;
    number.checked_mul(days * 24 * 60 * 60).map(Duration::from_secs)
}

/// Reads an RFC 3339 time, or a date. A date means its first second in UTC.
fn time(text: &str) -> Option<UnixTime> {
    // RFC 3339 permits lower-case letters, and a blank between date and time.
    let text = text.to_ascii_uppercase().replacen(' ', "T", 1);
    let (time, ahead) = match text.len() {
        10 => (format!("{text}T00:00:00Z"), 0),
        _ if text.ends_with('Z') => (text, 0),
        len => {
            let (local, offset) = text.split_at_checked(len.checked_sub("+00:00".len())?)?;
            (format!("{local}Z"), seconds_ahead(offset)?)
        }
    };
    let time: UnixTime = humantime::parse_rfc3339(&time).ok()?.into();
    Some(UnixTime::from_secs(time.as_secs().checked_sub(ahead)?))
}

/// Reads how far a time zone is ahead of UTC: `+02:00`.
fn seconds_ahead(offset: &str) -> Option<i64> {
    let &[sign, ref hours @ .., b':', m1, m2] = offset.as_bytes() else { return None };
    let two_digits = |digits: &[u8], most: i64| {
        let number: i64 =
            digits.iter().all(u8::is_ascii_digit).then(|| str::from_utf8(digits).ok()?.parse().ok())??;
        (number <= most).then_some(number)
    };
    let seconds = two_digits(hours, 23)? * 60 * 60 + two_digits(&[m1, m2], 59)? * 60;
    match sign {
        b'+' => Some(seconds),
        b'-' => Some(-seconds),
        _ => None,
    }
}

/// Reads a time, or a duration from now.
pub(crate) fn moment(text: &str) -> Result<UnixTime, &'static str> {
    let expected = "expected a duration (90d), a date (2027-01-31) or a time (2027-01-31T18:00:00Z) since 1970";
    match expiry(text).map_err(|_| expected)? {
        Expiry::At(time) => Ok(time),
        Expiry::After(duration) => UnixTime::now().checked_add_secs(duration.as_secs()).ok_or("the time is too late"),
        Expiry::Never => Err("never is not a time"),
    }
}

/// Reads a duration.
pub(crate) fn duration(text: &str) -> Result<Duration, &'static str> {
    match expiry(text) {
        Ok(Expiry::After(duration)) => Ok(duration),
        _ => Err("not a duration (30s, 5m or 1h)"),
    }
}

/// Reads a duration, which may be shorter than a second.
pub(crate) fn timeout(text: &str) -> Result<Duration, &'static str> {
    let timeout = humantime::parse_duration(text).ok().filter(|timeout| !timeout.is_zero());
    timeout.ok_or("not a duration of more than zero (3s or 500ms)")
}

/// A time as text, and how far it is from now.
pub(crate) struct Shown {
    pub(crate) time: UnixTime,
    pub(crate) now: UnixTime,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (time, now) = (self.time.as_secs(), self.now.as_secs());
        match u64::try_from(time) {
            Ok(secs) if secs <= LAST_SECOND => {
                let time = UNIX_EPOCH + Duration::from_secs(secs);
                humantime::format_rfc3339_seconds(time).fmt(f)?;
            }
            _ => write!(f, "{time} seconds after 1970")?,
        }
        let (amount, unit) = largest_unit(time.abs_diff(now));
        if time < now { write!(f, " ({amount} {unit} ago)") } else { write!(f, " (in {amount} {unit})") }
    }
}

/// The time in the largest unit of which it has at least two, rounded down.
fn largest_unit(secs: u64) -> (u64, &'static str) {
    [(24 * 60 * 60, "days"), (60 * 60, "hours"), (60, "minutes")]
        .into_iter()
        .map(|(unit, name)| (secs / unit, name))
        .find(|(amount, _)| *amount >= 2)
        .unwrap_or((secs, "seconds"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(time: i64, now: i64) -> String {
        Shown { time: UnixTime::from_secs(time), now: UnixTime::from_secs(now) }.to_string()
    }

    #[test]
    fn times_are_shown_with_their_distance() {
        assert_eq!(shown(1_760_000_000, 1_760_000_000), "2025-10-09T08:53:20Z (in 0 seconds)");
        assert_eq!(shown(90 * 86_400 - 1, 0), "1970-03-31T23:59:59Z (in 89 days)");
        assert_eq!(shown(0, 7200), "1970-01-01T00:00:00Z (2 hours ago)");
        assert_eq!(shown(119, 0), "1970-01-01T00:01:59Z (in 119 seconds)");
    }

    #[test]
    fn times_that_rfc_3339_cannot_write_are_shown_as_numbers() {
        assert_eq!(shown(253_402_300_799, 253_402_300_799), "9999-12-31T23:59:59Z (in 0 seconds)");
        assert_eq!(shown(253_402_300_800, 253_402_300_800), "253402300800 seconds after 1970 (in 0 seconds)");
        assert_eq!(shown(-1, 0), "-1 seconds after 1970 (1 seconds ago)");
        assert!(shown(i64::MAX, i64::MIN).starts_with("9223372036854775807 seconds after 1970 (in "));
        assert!(shown(i64::MIN, i64::MAX).ends_with(" days ago)"));
    }

    #[test]
    fn an_expiry_is_a_duration_a_time_or_never() {
        assert_eq!(expiry("never"), Ok(Expiry::Never));
        assert_eq!(expiry("2h"), Ok(Expiry::After(Duration::from_secs(7200))));
        assert_eq!(expiry("2027-01-01T00:00:00Z"), Ok(Expiry::At(UnixTime::from_secs(1_798_761_600))));
        assert_eq!(expiry("12w"), Ok(Expiry::After(Duration::from_secs(12 * 7 * 86_400))));
        assert_eq!(expiry("1y"), Ok(Expiry::After(Duration::from_secs(365 * 86_400))));
    }

    #[test]
    fn a_time_may_be_a_date_or_have_an_offset() {
        for text in [
            "2027-01-01",
            "2027-01-01T00:00:00Z",
            "2027-01-01t00:00:00z",
            "2027-01-01 00:00:00Z",
            "2027-01-01T00:00:00.000Z",
            "2027-01-01T00:00:00+00:00",
            "2027-01-01T02:00:00+02:00",
            "2026-12-31T18:30:00-05:30",
        ] {
            assert_eq!(expiry(text), Ok(Expiry::At(UnixTime::from_secs(1_798_761_600))), "{text:?}");
        }
    }

    #[test]
    fn texts_that_are_not_times_are_refused() {
        for text in [
            "",
            "tomorrow",
            "2027-01",
            "2027-02-29",
            "2027-13-01",
            "01/31/2027",
            "31.01.2027",
            "2027-01-01T00:00:00",
            "2027-01-01T00:00:00+2:00",
            "2027-01-01T00:00:00+24:00",
            "2027-01-01T00:00:00+02:60",
            "2027-01-01T00:00:00*02:00",
            "2027-01-01T00:00:00++2:00",
            "2027-01-01T00:00:0\u{e9}\u{e9}:00",
            "-1d",
            "-1w",
            "+1y",
            "y",
            "1.5y",
            "1mo",
            "99999999999999999999y",
            "18446744073709551615w",
        ] {
            assert!(expiry(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn never_is_only_an_expiry() {
        assert!(moment("never").is_err());
        assert!(duration("never").is_err());
        assert_eq!(moment("2027-01-01T00:00:00Z"), Ok(UnixTime::from_secs(1_798_761_600)));
        assert_eq!(duration("30s"), Ok(Duration::from_secs(30)));
    }
}
