//! The circuit breaker and its state machine.

use core::time::Duration;

use super::config::BreakerConfig;
use crate::{
    error::sentences,
    policy::{Fault, Outage, Outcome},
};

/// A circuit breaker: it decides whether to make a call.
///
/// - Closed, it permits every call. It opens when too many calls fail.
/// - Open, it permits no calls until a cool-down is over. Then it is half-open.
/// - Half-open, it permits one probe at a time. An answer closes it. A failure opens it for longer.
///
/// A permit counts only in the state that gave it. A probe whose permit does not come back is given up after a time.
///
/// The breaker has no lock. Share it in a mutex. Hold the mutex for [`acquire`](Self::acquire) and
/// [`record`](Self::record), not during the call in between.
///
/// `now` is the time since any fixed start, on a clock that does not go back (`Instant::elapsed` gives it).
#[derive(Debug)]
pub struct Breaker {
    config: BreakerConfig,
    circuit: Circuit,
}

/// The permission for one call. Return it to [`Breaker::record`] or [`Breaker::release`].
///
/// It cannot be copied, so a call counts only once:
///
/// ```compile_fail
/// # use apikee::breaker::{Breaker, Health, Permit};
/// fn record(breaker: &mut Breaker, permit: Permit, now: core::time::Duration) {
///     breaker.record(permit, Health::Down, now, 0);
///     breaker.record(permit, Health::Down, now, 0);
/// }
/// ```
///
/// ```
/// # use apikee::breaker::{Breaker, Health, Permit};
/// fn record(breaker: &mut Breaker, permit: Permit, now: core::time::Duration) {
///     breaker.record(permit, Health::Down, now, 0);
/// }
/// ```
#[derive(Debug)]
#[must_use = "a permit that is not returned blocks all other probes until it is given up"]
pub struct Permit {
    generation: u32,
}

/// What a call shows about the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Health {
    /// The platform answers. The content of the answer does not matter.
    Up,
    /// The platform could not be reached, or it failed.
    Down,
}

impl Outcome {
    /// What this shows about the platform, for [`Breaker::record`](crate::breaker::Breaker::record). `None` if no call
    /// was made: then [release](crate::breaker::Breaker::release) the permit, if there is one.
    #[must_use]
    pub const fn health(self) -> Option<Health> {
        match self {
            Self::Outage(Outage::BreakerOpen { .. })
            | Self::Overload(_)
            | Self::Remembered(_)
            | Self::Fault(Fault::UnknownClient | Fault::NotSent | Fault::Forked) => None,
            Self::Outage(_) => Some(Health::Down),
            Self::Confirmed | Self::Rejected(_) | Self::Fault(_) => Some(Health::Up),
        }
    }
}

/// The state of a [`Breaker`] at some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum BreakerState {
    /// Every call is made.
    Closed,
    /// No call is made.
    Open,
    /// One call at a time is made, to test the platform.
    HalfOpen,
}

impl Breaker {
    /// A closed breaker.
    #[must_use]
    pub const fn new(config: BreakerConfig) -> Self {
        Self { config, circuit: Circuit::CLOSED }
    }

    /// Asks for permission to make a call.
    ///
    /// # Errors
    ///
    /// [`BreakerOpen`] during a cool-down, and while another call is the probe.
    pub fn acquire(&mut self, now: Duration) -> Result<Permit, BreakerOpen> {
        self.circuit.acquire(&self.config, now).map(|generation| Permit { generation })
    }

    /// Records the result of a permitted call. `random` is 32 random bits for the length of a cool-down. They need not
    /// be secret.
    ///
    /// Nothing changes if the state that gave the permit has ended.
    pub fn record(&mut self, permit: Permit, health: Health, now: Duration, random: u32) {
        let Self { config, circuit } = self;
        circuit.record(config, permit.generation, health, now, random, |failures| config.trips(failures));
    }

    /// Takes back a permit without a call. If it was for the probe, the next caller can be the probe.
    pub fn release(&mut self, permit: Permit) {
        self.circuit.release(permit.generation);
    }

    /// The state at this time.
    #[must_use]
    pub fn state(&self, now: Duration) -> BreakerState {
        self.circuit.state(&self.config, now)
    }
}

impl Default for Breaker {
    fn default() -> Self {
        Self::new(BreakerConfig::DEFAULT)
    }
}

/// No call may be made now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct BreakerOpen {
    pub(super) retry_after: Duration,
}

impl BreakerOpen {
    /// The minimum time to wait, never zero. Another caller may come first then.
    #[must_use]
    pub const fn retry_after(self) -> Duration {
        self.retry_after
    }
}

sentences!(BreakerOpen, "the circuit breaker is open");

impl From<BreakerOpen> for Outage {
    fn from(open: BreakerOpen) -> Self {
        Self::BreakerOpen { retry_after: open.retry_after() }
    }
}

/// The state machine, without the shared settings. A [`Breaker`] has one, and so has each client of a
/// [`ClientTable`](super::ClientTable).
#[derive(Debug, Clone, Copy)]
pub(super) struct Circuit {
    phase: Phase,
    /// The number of the phase. A permit is only valid in its own phase. The number wraps after 2^32 phases, which take
    /// longer than any call. In a [`ClientTable`](super::ClientTable) it starts again if the client loses its slot.
    generation: u32,
    /// The upper limit of the next cool-down in milliseconds; 0 for the first one from the settings.
    cool_down: u32,
}

/// Times are nanoseconds.
#[derive(Debug, Clone, Copy)]
enum Phase {
    /// A bit for each result since this phase began: 1 for a failure. The lowest bit is the latest result.
    Closed { failures: u64 },
    /// No call is made. After `wait`, one may be made.
    Open { since: u64, wait: u64 },
    /// A probe is under way.
    Probing { since: u64 },
}

impl Circuit {
    pub(super) const CLOSED: Self = Self { phase: Phase::Closed { failures: 0 }, generation: 0, cool_down: 0 };

    /// The number of the phase.
    pub(super) const fn generation(&self) -> u32 {
        self.generation
    }

    pub(super) const fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed { .. })
    }

    pub(super) const fn is_probing(&self) -> bool {
        matches!(self.phase, Phase::Probing { .. })
    }

    /// Whether a call may be made, or how long to wait.
    pub(super) fn check(&mut self, config: &BreakerConfig, now: Duration) -> Result<(), BreakerOpen> {
        if let Phase::Open { since, .. } | Phase::Probing { since } = &mut self.phase {
            // If the clock has gone back, the wait starts again, but it does not get longer.
            *since = nanos(now).min(*since);
        }
        match self.remaining(config, now) {
            0 => Ok(()),
            left => Err(BreakerOpen { retry_after: Duration::from_nanos(left) }),
        }
    }

    /// Asks for permission to make a call. Returns the generation in which it counts.
    pub(super) fn acquire(&mut self, config: &BreakerConfig, now: Duration) -> Result<u32, BreakerOpen> {
        self.check(config, now)?;
        if !self.is_closed() {
            self.enter(Phase::Probing { since: nanos(now) });
        }
        Ok(self.generation)
    }

    /// Records the result of a call of this generation. `trips` says whether the failures of a closed circuit open it.
    pub(super) fn record(
        &mut self,
        config: &BreakerConfig,
        generation: u32,
        health: Health,
        now: Duration,
        random: u32,
        trips: impl FnOnce(u64) -> bool,
    ) {
        if generation != self.generation {
            return;
        }
        match (&mut self.phase, health) {
            (Phase::Closed { failures }, health) => {
                *failures = failures.wrapping_shl(1) | u64::from(health == Health::Down);
                if trips(*failures) {
                    self.open(config, now, random);
                }
            }
            (Phase::Probing { .. }, Health::Down) => self.open(config, now, random),
            (Phase::Probing { .. }, Health::Up) => {
                self.cool_down = 0;
                self.enter(Phase::Closed { failures: 0 });
            }
            // An open circuit gives no permits.
            (Phase::Open { .. }, _) => {}
        }
    }

    /// Takes back the permission for a call that was not made. If it was for the probe, the next caller can be the
    /// probe.
    pub(super) fn release(&mut self, generation: u32) {
        if generation == self.generation && self.is_probing() {
            self.enter(Phase::Open { since: 0, wait: 0 });
        }
    }

    pub(super) fn state(&self, config: &BreakerConfig, now: Duration) -> BreakerState {
        match self.phase {
            Phase::Closed { .. } => BreakerState::Closed,
            Phase::Open { .. } if self.remaining(config, now) > 0 => BreakerState::Open,
            Phase::Open { .. } | Phase::Probing { .. } => BreakerState::HalfOpen,
        }
    }

    pub(super) fn open(&mut self, config: &BreakerConfig, now: Duration, random: u32) {
        let cool_down = self.cool_down.max(config.first_cool_down);
        self.cool_down = cool_down.saturating_mul(2).min(config.longest_cool_down);
        self.enter(Phase::Open { since: nanos(now), wait: jittered(cool_down, random) });
    }

    /// How long no other call may be made.
    fn remaining(&self, config: &BreakerConfig, now: Duration) -> u64 {
        let (since, wait) = match self.phase {
            Phase::Closed { .. } => return 0,
            Phase::Open { since, wait } => (since, wait),
            Phase::Probing { since } => (since, nanos(config.probe_timeout)),
        };
        wait.saturating_sub(nanos(now).saturating_sub(since))
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.generation = self.generation.wrapping_add(1);
    }
}

/// The time in nanoseconds. 584 years fit.
pub(super) fn nanos(time: Duration) -> u64 {
    time.as_secs().saturating_mul(1_000_000_000).saturating_add(time.subsec_nanos().into())
}

/// A random time between half of `millis` and all of it, in nanoseconds.
fn jittered(millis: u32, random: u32) -> u64 {
    let half = u64::from(millis.wrapping_shr(1));
    // At most `half`, since `random + 1` is at most 2^32. The product fits: it is at most 2^31 · 2^32.
    let spread = half.wrapping_mul(u64::from(random).wrapping_add(1)).wrapping_shr(32);
    u64::from(millis).saturating_sub(half).saturating_add(spread).saturating_mul(1_000_000)
}
