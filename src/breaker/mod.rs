//! When to stop asking a platform that does not answer, and when to ask again.
//!
//! - **Closed**: every call is made. What each came to is kept, for the last 64 of them.
//! - **Open**: too many of them failed. No call is made until a cool-down is over.
//! - **Half-open**: the cool-down is over. One call, the probe, is made at a time.
//!
//! ```text
//!                too many failures
//!   ┌────────┐ ─────────────────────> ┌──────┐
//!   │ Closed │                        │ Open │ <─────────────┐
//!   └────────┘ <────────┐             └──────┘               │ the probe fails:
//!                       │                 │ the cool-down    │ a longer cool-down
//!            the probe  │                 v is over          │
//!            gets an    │          ┌───────────┐             │
//!            answer     └───────── │ Half-open │ ────────────┘
//!                                  └───────────┘
//!                                    │       ^ the probe is released, or lost:
//!                                    └───────┘ the next caller is the probe
//! ```
//!
//! [`Breaker::acquire`] gives a [`Permit`] for a call or says how long to wait, and
//! [`Breaker::record`] takes the permit back with what the call came to. Only an outage is a failure
//! ([`Outcome::health`](crate::Outcome::health)): a rejection and a fault prove that the platform
//! answers. The breaker opens at so many failures in a row, or at so many among the last calls
//! ([`BreakerConfig`]). The first cool-down is short, and each failed probe doubles it up to a
//! longest, since a probe costs a caller the whole time limit of a call. The caller's randomness
//! takes away up to half of each, so that a fleet does not come back all at once.
//!
//! The machine is pure: time and randomness are arguments, and there is no lock and no atomic in it.
//! Whoever shares it puts it into a mutex, and holds that for `acquire` and `record`, not for the
//! call in between.
//!
//! # Invariants
//!
//! - While half-open, there is one permit whose result counts. A probe that does not come back is
//!   given up after [`BreakerConfig::probe_timeout`].
//! - A permit counts only in the state that gave it, and there once: results that come late neither
//!   open nor close anything.
//! - A refusal says to wait for the longest cool-down or the probe's time limit at most, whatever the
//!   clock does. When time goes backwards, the wait begins anew, and no state is kept forever.
//!
//! # Example
//!
//! ```
//! use apikee::{Breaker, BreakerConfig, BreakerState, Health};
//! use core::time::Duration;
//!
//! let config = BreakerConfig::DEFAULT.consecutive_failures(2)?;
//! let mut breaker = Breaker::new(config);
//! let (at, random) = (Duration::from_secs, u32::MAX);
//!
//! for _ in 0..2 {
//!     let permit = breaker.acquire(at(10))?;
//!     breaker.record(permit, Health::Down, at(10), random);
//! }
//! assert_eq!(breaker.state(at(10)), BreakerState::Open);
//! assert!(breaker.acquire(at(10)).is_err());
//!
//! let probe = breaker.acquire(at(11))?;
//! assert!(breaker.acquire(at(11)).is_err(), "one probe at a time");
//! breaker.record(probe, Health::Up, at(11), random);
//! assert_eq!(breaker.state(at(11)), BreakerState::Closed);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod config;

use core::{fmt, time::Duration};

pub use config::{BreakerConfig, BreakerConfigError};

/// A circuit breaker: says whether to make a call.
///
/// While closed, it permits every call; it opens when too many of them fail, and permits none until a
/// cool-down is over; then it is half-open and permits one probe at a time, whose answer closes it and
/// whose failure opens it for longer. A permit counts only in the state that gave it, and a probe that
/// is lost is given up.
///
/// It has no lock: share it in a mutex, held for [`acquire`](Self::acquire) and
/// [`record`](Self::record), not for the call in between.
///
/// `now` is the time since any fixed start, on a clock that does not go backwards (`Instant::elapsed`
/// gives it).
#[derive(Debug)]
pub struct Breaker {
    config: BreakerConfig,
    phase: Phase,
    /// Which phase this is, counted from the start: a permit is good in its own only. 2^64 of them
    /// do not happen.
    generation: u64,
    /// The next cool-down at most, in milliseconds.
    cool_down: u32,
}

#[derive(Debug)]
enum Phase {
    /// A bit for each result since this phase began, 1 for a failure, the latest lowest.
    Closed { failures: u64 },
    /// Nobody is asking. After `wait`, somebody may.
    Open { since: Duration, wait: Duration },
    /// A probe is under way.
    Probing { since: Duration },
}

/// Leave for one call, to be given back to [`Breaker::record`] or [`Breaker::release`].
///
/// It cannot be copied, so a call counts once:
///
/// ```compile_fail
/// # use apikee::{Breaker, Health, Permit};
/// fn record(breaker: &mut Breaker, permit: Permit, now: core::time::Duration) {
///     breaker.record(permit, Health::Down, now, 0);
///     breaker.record(permit, Health::Down, now, 0);
/// }
/// ```
///
/// ```
/// # use apikee::{Breaker, Health, Permit};
/// fn record(breaker: &mut Breaker, permit: Permit, now: core::time::Duration) {
///     breaker.record(permit, Health::Down, now, 0);
/// }
/// ```
#[derive(Debug)]
#[must_use = "a probe that is not given back stops all others until it is given up"]
pub struct Permit {
    generation: u64,
}

/// What a call says of the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Health {
    /// It answers, whatever the answer is.
    Up,
    /// It could not be reached, or failed.
    Down,
}

/// The state of a [`Breaker`] at some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum BreakerState {
    /// Every call is made.
    Closed,
    /// No call is made.
    Open,
    /// One call at a time is made, to find out.
    HalfOpen,
}

impl Breaker {
    /// A closed breaker.
    #[must_use]
    pub const fn new(config: BreakerConfig) -> Self {
        Self { config, phase: Phase::Closed { failures: 0 }, generation: 0, cool_down: config.first_cool_down }
    }

    /// Leave for a call.
    ///
    /// # Errors
    ///
    /// [`BreakerOpen`] during a cool-down, and while another call is the probe.
    pub fn acquire(&mut self, now: Duration) -> Result<Permit, BreakerOpen> {
        if let Phase::Open { since, .. } | Phase::Probing { since } = &mut self.phase {
            // A clock that went backwards must not keep the state for as long as it went.
            *since = now.min(*since);
        }
        let retry_after = self.remaining(now);
        if !retry_after.is_zero() {
            return Err(BreakerOpen { retry_after });
        }
        if !matches!(self.phase, Phase::Closed { .. }) {
            self.enter(Phase::Probing { since: now });
        }
        Ok(Permit { generation: self.generation })
    }

    /// Takes note of what a permitted call came to. `random` is 32 random bits, of which a cool-down
    /// makes use; they need not be secret.
    ///
    /// Nothing changes if the state that gave the permit has ended.
    pub fn record(&mut self, permit: Permit, health: Health, now: Duration, random: u32) {
        if permit.generation != self.generation {
            return;
        }
        match (&mut self.phase, health) {
            (Phase::Closed { failures }, health) => {
                *failures = failures.wrapping_shl(1) | u64::from(health == Health::Down);
                if self.config.trips(*failures) {
                    self.open(now, random);
                }
            }
            (Phase::Probing { .. }, Health::Down) => self.open(now, random),
            (Phase::Probing { .. }, Health::Up) => {
                self.cool_down = self.config.first_cool_down;
                self.enter(Phase::Closed { failures: 0 });
            }
            // Gives no permits.
            (Phase::Open { .. }, _) => {}
        }
    }

    /// Takes back a permit without a call. If it was the probe's, the next caller may be the probe.
    pub fn release(&mut self, permit: Permit) {
        if permit.generation == self.generation && matches!(self.phase, Phase::Probing { .. }) {
            self.enter(Phase::Open { since: Duration::ZERO, wait: Duration::ZERO });
        }
    }

    /// The state at that time.
    #[must_use]
    pub fn state(&self, now: Duration) -> BreakerState {
        match self.phase {
            Phase::Closed { .. } => BreakerState::Closed,
            Phase::Open { .. } if !self.remaining(now).is_zero() => BreakerState::Open,
            Phase::Open { .. } | Phase::Probing { .. } => BreakerState::HalfOpen,
        }
    }

    /// How long nobody else may call.
    fn remaining(&self, now: Duration) -> Duration {
        let (since, wait) = match self.phase {
            Phase::Closed { .. } => return Duration::ZERO,
            Phase::Open { since, wait } => (since, wait),
            Phase::Probing { since } => (since, self.config.probe_timeout),
        };
        wait.saturating_sub(now.saturating_sub(since))
    }

    fn open(&mut self, now: Duration, random: u32) {
        let wait = jittered(self.cool_down, random);
        self.cool_down = self.cool_down.saturating_mul(2).min(self.config.longest_cool_down);
        self.enter(Phase::Open { since: now, wait });
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.generation = self.generation.wrapping_add(1);
    }
}

/// From half of so many milliseconds to all of them.
fn jittered(millis: u32, random: u32) -> Duration {
    let half = u64::from(millis.wrapping_shr(1));
    // At most `half`, since `random + 1` is at most 2^32; and 2^31 · 2^32 fits.
    let spread = half.wrapping_mul(u64::from(random).wrapping_add(1)).wrapping_shr(32);
    Duration::from_millis(u64::from(millis).saturating_sub(half).saturating_add(spread))
}

impl Default for Breaker {
    fn default() -> Self {
        Self::new(BreakerConfig::DEFAULT)
    }
}

/// No call is to be made now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct BreakerOpen {
    retry_after: Duration,
}

impl BreakerOpen {
    /// How long to wait at least, never zero. Another caller may be first then.
    #[must_use]
    pub const fn retry_after(self) -> Duration {
        self.retry_after
    }
}

impl fmt::Display for BreakerOpen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the circuit breaker is open")
    }
}

impl core::error::Error for BreakerOpen {}
