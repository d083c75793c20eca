//! The state machine that a [`Breaker`](super::Breaker) and each client of a [`ClientTable`](super::ClientTable)
//! have, without the settings that they share.

use core::time::Duration;

use super::{BreakerConfig, BreakerOpen, BreakerState, Health};

#[derive(Debug, Clone, Copy)]
pub(super) struct Circuit {
    phase: Phase,
    /// Which phase this is, counted from the start: a permit is good in its own only. 2^32 of them, of a
    /// millisecond at least, do not pass within one call.
    generation: u32,
    /// The next cool-down at most, in milliseconds; 0 for the first one of the settings.
    cool_down: u32,
}

/// Times are nanoseconds.
#[derive(Debug, Clone, Copy)]
enum Phase {
    /// A bit for each result since this phase began, 1 for a failure, the latest lowest.
    Closed { failures: u64 },
    /// Nobody is asking. After `wait`, somebody may.
    Open { since: u64, wait: u64 },
    /// A probe is under way.
    Probing { since: u64 },
}

impl Circuit {
    pub(super) const CLOSED: Self = Self { phase: Phase::Closed { failures: 0 }, generation: 0, cool_down: 0 };

    /// Which phase this is.
    pub(super) const fn generation(&self) -> u32 {
        self.generation
    }

    pub(super) const fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed { .. })
    }

    pub(super) const fn is_probing(&self) -> bool {
        matches!(self.phase, Phase::Probing { .. })
    }

    /// How long nobody may call, and why not, if there is a reason.
    pub(super) fn check(&mut self, config: &BreakerConfig, now: Duration) -> Result<(), BreakerOpen> {
        if let Phase::Open { since, .. } | Phase::Probing { since } = &mut self.phase {
            // A clock that went backwards must not keep the state for as long as it went.
            *since = nanos(now).min(*since);
        }
        match self.remaining(config, now) {
            0 => Ok(()),
            left => Err(BreakerOpen { retry_after: Duration::from_nanos(left) }),
        }
    }

    /// Leave for a call: the generation that it counts in.
    pub(super) fn acquire(&mut self, config: &BreakerConfig, now: Duration) -> Result<u32, BreakerOpen> {
        self.check(config, now)?;
        if !self.is_closed() {
            self.enter(Phase::Probing { since: nanos(now) });
        }
        Ok(self.generation)
    }

    /// Takes note of what a call of that generation came to. `trips` says of a closed circuit's failures whether
    /// they open it.
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
            // Gives no permits.
            (Phase::Open { .. }, _) => {}
        }
    }

    /// Takes back leave for a call that was not made. If it was the probe's, the next caller may be the probe.
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

    /// How long nobody else may call.
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

/// 584 years of them fit.
pub(super) fn nanos(time: Duration) -> u64 {
    time.as_secs().saturating_mul(1_000_000_000).saturating_add(time.subsec_nanos().into())
}

/// A random time from half of `millis` milliseconds to all of it, in nanoseconds.
fn jittered(millis: u32, random: u32) -> u64 {
    let half = u64::from(millis.wrapping_shr(1));
    // At most `half`, since `random + 1` is at most 2^32; and 2^31 · 2^32 fits.
    let spread = half.wrapping_mul(u64::from(random).wrapping_add(1)).wrapping_shr(32);
    u64::from(millis).saturating_sub(half).saturating_add(spread).saturating_mul(1_000_000)
}
