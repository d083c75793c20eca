//! The settings of a breaker: when it opens, and for how long.

use core::time::Duration;

use crate::error::sentences;

/// The maximum number of results that a breaker remembers: one bit of a word for each.
const MAX_WINDOW: u32 = 64;

/// The longest wait that can be set. A day is more than enough, and its milliseconds fit in 32 bits.
const MAX_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// When a [`Breaker`](crate::breaker::Breaker) opens, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerConfig {
    consecutive: u32,
    failures: u32,
    /// The number of last results that count.
    pub(super) window: u32,
    /// In milliseconds.
    pub(super) first_cool_down: u32,
    /// In milliseconds.
    pub(super) longest_cool_down: u32,
    pub(super) probe_timeout: Duration,
}

impl BreakerConfig {
    /// Opens after 5 failures in a row, or after 16 among the last 32 calls. It stays open for 1 s; each failed probe
    /// doubles this, up to 30 s. A probe is given up after 10 s, about three times the default time limit of a call.
    ///
    /// After the platform is back, it may take up to the longest cool-down until it is asked again. With
    /// [`FailOpen::Open`](crate::policy::FailOpen::Open), a key that it has revoked is let through during that time.
    pub const DEFAULT: Self = Self {
        consecutive: 5,
        failures: 16,
        window: 32,
        first_cool_down: 1_000,
        longest_cool_down: 30_000,
        probe_timeout: Duration::from_secs(10),
    };

    /// Opens after this number of failures in a row: 1 to 64.
    ///
    /// # Errors
    ///
    /// [`BreakerConfigError::Failures`].
    pub const fn consecutive_failures(self, failures: u32) -> Result<Self, BreakerConfigError> {
        if failures == 0 || failures > MAX_WINDOW {
            return Err(BreakerConfigError::Failures);
        }
        Ok(Self { consecutive: failures, ..self })
    }

    /// Opens after this number of failures among the last `window` calls. `window` is 1 to 64, and `failures` is 1 to
    /// `window`. If fewer calls were made since the breaker closed, the missing ones count as successes.
    ///
    /// 64 of 64 turns this rule off in effect: then only failures in a row open the breaker.
    ///
    /// # Errors
    ///
    /// [`BreakerConfigError::Failures`] or [`BreakerConfigError::Window`].
    pub const fn failure_rate(self, failures: u32, window: u32) -> Result<Self, BreakerConfigError> {
        if window == 0 || window > MAX_WINDOW {
            return Err(BreakerConfigError::Window);
        }
        if failures == 0 || failures > window {
            return Err(BreakerConfigError::Failures);
        }
        Ok(Self { failures, window, ..self })
    }

    /// Stays open for `first`, and after each failed probe twice as long as before, up to `longest`. Randomness
    /// shortens each cool-down by up to half. Fractions of a millisecond are ignored.
    ///
    /// # Errors
    ///
    /// [`BreakerConfigError::CoolDown`] if `first` is below a millisecond or above `longest`, or if `longest` is above
    /// a day.
    pub fn cool_down(self, first: Duration, longest: Duration) -> Result<Self, BreakerConfigError> {
        if first > longest || longest > MAX_WAIT {
            return Err(BreakerConfigError::CoolDown);
        }
        match (u32::try_from(first.as_millis()), u32::try_from(longest.as_millis())) {
            (Ok(first_cool_down @ 1..), Ok(longest_cool_down)) => {
                Ok(Self { first_cool_down, longest_cool_down, ..self })
            }
            _ => Err(BreakerConfigError::CoolDown),
        }
    }

    /// Gives up a probe whose permit has not come back after this time. The time should be longer than the time limit
    /// of a call.
    ///
    /// # Errors
    ///
    /// [`BreakerConfigError::ProbeTimeout`] if it is zero or above a day.
    pub fn probe_timeout(self, timeout: Duration) -> Result<Self, BreakerConfigError> {
        if timeout.is_zero() || timeout > MAX_WAIT {
            return Err(BreakerConfigError::ProbeTimeout);
        }
        Ok(Self { probe_timeout: timeout, ..self })
    }

    /// Makes sure that a probe is not given up before its call.
    #[cfg(feature = "client")]
    pub(crate) fn outlasting(self, call: Duration) -> Self {
        Self { probe_timeout: self.probe_timeout.max(call), ..self }
    }

    /// Whether these results open a closed breaker. A bit for each: 1 for a failure. The lowest bit is the latest
    /// result.
    pub(super) const fn trips(&self, failures: u64) -> bool {
        self.trips_by_row(failures) || self.trips_by_rate(failures)
    }

    pub(super) const fn trips_by_row(&self, failures: u64) -> bool {
        failures.trailing_ones() >= self.consecutive
    }

    pub(super) const fn trips_by_rate(&self, failures: u64) -> bool {
        let window = u64::MAX.wrapping_shr(MAX_WINDOW.saturating_sub(self.window));
        (failures & window).count_ones() >= self.failures
    }
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Why the settings are invalid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum BreakerConfigError {
    /// The number of failures is zero, or larger than the number of calls that count.
    Failures,
    /// The window is zero or larger than 64 calls.
    Window,
    /// A cool-down is below a millisecond or above a day, or the first exceeds the longest.
    CoolDown,
    /// The probe's time limit is zero or above a day.
    ProbeTimeout,
}

sentences!(
    BreakerConfigError,
    Failures: "failures must be 1 to the number of calls that count",
    Window: "the window must be 1 to 64 calls",
    CoolDown: "cool-downs must be 1 ms to a day, and the first must not exceed the longest",
    ProbeTimeout: "the probe's time limit must be more than zero and at most a day",
);

/// The longest time that a refusal can be remembered: an hour, in milliseconds.
const MAX_MEMORY: u32 = 60 * 60 * 1_000;

/// How long a [`ClientTable`](crate::breaker::ClientTable) remembers that the platform refused a client. Longer times
/// are cut to an hour, and fractions of a millisecond are ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefusalMemory {
    pub(super) unsuccessful: u32,
    pub(super) forbidden: u32,
    pub(super) rate_limited: u32,
    pub(super) longest: u32,
}

impl RefusalMemory {
    /// `success:false` and 403: 60 s. 429: the time in `Retry-After`, from 1 s to 1 h; 60 s without that header.
    pub const DEFAULT: Self =
        Self { unsuccessful: 60_000, forbidden: 60_000, rate_limited: 60_000, longest: 3_600_000 };

    /// Remembers nothing. If outages fail open, an outage then lets through a client that was refused a moment ago.
    pub const OFF: Self = Self { unsuccessful: 0, forbidden: 0, rate_limited: 0, longest: 0 };

    /// Sets how long a `success:false` is remembered.
    #[must_use]
    pub fn unsuccessful(self, time: Duration) -> Self {
        Self { unsuccessful: memory_millis(time), ..self }
    }

    /// Sets how long a 403 is remembered, for the client together with the address that was sent to the platform. The
    /// time starts again with each 403 of the client. After 403s for more than 4 addresses, it is remembered for all
    /// addresses.
    #[must_use]
    pub fn forbidden(self, time: Duration) -> Self {
        Self { forbidden: memory_millis(time), ..self }
    }

    /// Sets how long a 429 without `Retry-After` is remembered, and the longest time for one with it.
    #[must_use]
    pub fn rate_limited(self, without_retry_after: Duration, longest: Duration) -> Self {
        let longest = memory_millis(longest);
        Self { rate_limited: memory_millis(without_retry_after).min(longest), longest, ..self }
    }
}

impl Default for RefusalMemory {
    fn default() -> Self {
        Self::DEFAULT
    }
}

fn memory_millis(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).map_or(MAX_MEMORY, |millis| millis.min(MAX_MEMORY))
}

#[cfg(all(test, feature = "client"))]
mod tests {
    use super::*;

    #[test]
    fn a_probe_has_at_least_the_time_of_its_call_and_nothing_else_changes() {
        let config =
            BreakerConfig::DEFAULT.consecutive_failures(7).unwrap().probe_timeout(Duration::from_secs(4)).unwrap();
        for (call, expected) in [(3, 4), (5, 5)] {
            let probe_timeout = Duration::from_secs(expected);
            assert_eq!(config.outlasting(Duration::from_secs(call)), BreakerConfig { probe_timeout, ..config });
        }
    }
}
