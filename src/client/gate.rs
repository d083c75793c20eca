//! Breaker and bulkhead: which calls are made at all, and how many at once.

use core::time::Duration;
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
    vec::Vec,
};

use super::{
    event::{Event, Events},
    scratch::Scratch,
};
use crate::{
    breaker::{Breaker, BreakerConfig, BreakerState, Health, Permit},
    policy::{Outcome, Overload},
};

/// Lets calls through to the platform.
pub(super) struct Gate {
    state: Mutex<State>,
    max_in_flight: usize,
    start: Instant,
}

struct State {
    breaker: Breaker,
    in_flight: usize,
    /// The buffers of calls that have ended, as many as were ever under way at once.
    scratches: Vec<Scratch>,
}

impl Gate {
    pub(super) fn new(config: BreakerConfig, max_in_flight: usize) -> Self {
        let state = State { breaker: Breaker::new(config), in_flight: 0, scratches: Vec::new() };
        Self { state: Mutex::new(state), max_in_flight, start: Instant::now() }
    }

    /// The time by the clock that breaker and sessions go by.
    pub(super) fn now(&self) -> Duration {
        self.start.elapsed()
    }

    pub(super) fn breaker_state(&self) -> BreakerState {
        self.lock().breaker.state(self.now())
    }

    /// Lets one call through, or says why not.
    pub(super) fn enter<'g>(&'g self, events: &'g Events) -> Result<Slot<'g>, Outcome> {
        let mut state = self.lock();
        if state.in_flight >= self.max_in_flight {
            return Err(Outcome::Overload(Overload::TooManyInFlight));
        }
        let now = self.now();
        let permit = state.breaker.acquire(now).map_err(|open| Outcome::Outage(open.into()))?;
        state.in_flight = state.in_flight.saturating_add(1);
        let scratch = state.scratches.pop();
        drop(state);
        let scratch = Some(scratch.unwrap_or_default());
        Ok(Slot { gate: self, events, entered: now, called: false, permit: Some(permit), health: None, scratch })
    }

    /// A panic elsewhere leaves no state of ours half changed.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call under way, with the buffers for it. It counts until it is dropped, however that comes.
pub(super) struct Slot<'g> {
    gate: &'g Gate,
    events: &'g Events,
    entered: Duration,
    called: bool,
    permit: Option<Permit>,
    health: Option<Health>,
    scratch: Option<Scratch>,
}

impl Slot<'_> {
    /// When it was let through, by the gate's clock.
    pub(super) const fn entered(&self) -> Duration {
        self.entered
    }

    pub(super) fn scratch(&mut self) -> &mut Scratch {
        self.scratch.get_or_insert_default()
    }

    /// From here on a call is made.
    pub(super) const fn calls(&mut self) {
        self.called = true;
    }

    pub(super) const fn called(&self) -> bool {
        self.called
    }

    /// Ends the call, and says what it shows of the platform, if anything.
    pub(super) fn settle(mut self, health: Option<Health>) {
        self.health = health.filter(|_| self.called);
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        // Only a cool-down, which a failure begins, has to do with the time and with chance.
        let (now, random) = match self.health {
            Some(Health::Down) => (self.gate.now(), random()),
            Some(Health::Up) | None => (self.entered, 0),
        };
        let mut state = self.gate.lock();
        let before = state.breaker.state(now);
        match (self.permit.take(), self.health) {
            (Some(permit), Some(health)) => state.breaker.record(permit, health, now, random),
            (Some(permit), None) => state.breaker.release(permit),
            (None, _) => {}
        }
        let after = state.breaker.state(now);
        state.in_flight = state.in_flight.saturating_sub(1);
        state.scratches.extend(self.scratch.take().filter(Scratch::is_usual));
        drop(state);
        match (before, after) {
            (BreakerState::Closed | BreakerState::HalfOpen, BreakerState::Open) => {
                self.events.emit(&Event::BreakerOpened);
            }
            (BreakerState::HalfOpen, BreakerState::Closed) => self.events.emit(&Event::BreakerClosed),
            _ => {}
        }
    }
}

/// For the jitter of a cool-down, which is none without randomness.
fn random() -> u32 {
    let mut bytes = [0; 4];
    match rand_core::TryRng::try_fill_bytes(&mut getrandom::SysRng, &mut bytes) {
        Ok(()) => u32::from_ne_bytes(bytes),
        Err(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cool_down_begins_when_a_call_has_failed_and_not_when_it_began() {
        let config = BreakerConfig::DEFAULT.consecutive_failures(1).unwrap();
        let events = Events::default();
        let gate = Gate::new(config, 1);
        let gate = Gate { start: gate.start.checked_sub(Duration::from_secs(10)).unwrap(), ..gate };
        let mut slot = gate.enter(&events).unwrap();
        // Longer ago than the first cool-down lasts.
        slot.entered = Duration::ZERO;
        slot.calls();
        slot.settle(Some(Health::Down));
        assert_eq!(gate.breaker_state(), BreakerState::Open);
    }
}
