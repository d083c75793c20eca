//! Which calls are made at all, and how many at once: the breakers, and the queue for a slot.
//!
//! ```text
//! enter ──> breaker open? ── yes ──────────────────────────────────> outage
//!              │ no   <──────── woken: a slot is free, or a breaker opened ─┐
//!              v                                                            │
//!           a slot free, and fewer than its share taken by this client? ─ no ──> sleep until the deadline ──> overload
//!              │ yes
//!              v
//!            Slot ── call ── settle ──> breakers take note, who waits is woken
//! ```

use core::time::Duration;
use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Instant,
    vec,
    vec::Vec,
};

use super::{
    caller::{Caller, Origin},
    deadline::Deadline,
    event::{Event, Events},
    scratch::Scratch,
};
use crate::{
    breaker::{
        BreakerChange, BreakerConfig, BreakerOpen, BreakerState, ClientPermit, ClientRef, ClientSlot, ClientTable,
        Evidence, RefusalMemory,
    },
    policy::{Outcome, Overload, Rejection},
};

/// How many calls are made, and for whom.
pub(super) struct Limits {
    pub(super) breaker: BreakerConfig,
    pub(super) memory: RefusalMemory,
    /// Clients that are told from others.
    pub(super) clients: usize,
    pub(super) in_flight: usize,
    pub(super) in_flight_per_client: usize,
}

/// Lets calls through to the platform.
pub(super) struct Gate {
    state: Mutex<State>,
    /// A slot is free, or a breaker has opened.
    changed: Condvar,
    max_in_flight: usize,
    max_per_client: usize,
    start: Instant,
}

struct State {
    table: ClientTable<Vec<ClientSlot>>,
    /// The client of each call in flight; `None` for a call without a client. It is as short as there may be calls.
    in_flight: Vec<Option<ClientRef>>,
    waiting: usize,
    /// The buffers of calls that have ended, as many as were ever under way at once.
    scratches: Vec<Scratch>,
}

impl Gate {
    pub(super) fn new(limits: &Limits) -> Self {
        let state = State {
            table: ClientTable::new(limits.breaker, limits.memory, vec![ClientSlot::EMPTY; limits.clients]),
            in_flight: Vec::new(),
            waiting: 0,
            scratches: Vec::new(),
        };
        Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
            max_in_flight: limits.in_flight,
            max_per_client: limits.in_flight_per_client,
            start: Instant::now(),
        }
    }

    /// The time by the clock that breakers, memories and sessions go by.
    pub(super) fn now(&self) -> Duration {
        self.start.elapsed()
    }

    pub(super) fn breaker_state(&self) -> BreakerState {
        self.lock().table.state(self.now())
    }

    /// Lets one call through, as soon as there is a slot for it, or says why not. A call without a client says
    /// nothing of the platform's health, and is made only while the breaker is closed.
    pub(super) fn enter<'g>(
        &'g self,
        caller: Option<Caller<'g>>,
        deadline: Deadline,
        events: &'g Events,
    ) -> Result<Slot<'g>, Outcome> {
        let client = caller.map(|caller| caller.client);
        let mut state = self.lock();
        let mut arrived = None;
        loop {
            let now = self.now();
            let waited = now.saturating_sub(*arrived.get_or_insert(now));
            let open = |open: BreakerOpen| Outcome::Outage(open.into());
            match client {
                Some(client) => state.table.check(client, now).map_err(open)?,
                None => state.table.check_closed(now).map_err(open)?,
            }
            if self.has_room(&state, client) {
                let permit = match client {
                    Some(client) => Some(state.table.acquire(client, now).map_err(open)?),
                    None => None,
                };
                state.in_flight.push(client);
                let scratch = state.scratches.pop();
                drop(state);
                let mut slot =
                    Slot { gate: self, events, caller, waited, entered: now, permit, outcome: None, scratch };
                if slot.scratch.is_none() {
                    slot.scratch = Some(Scratch::new().ok_or(Outcome::Overload(Overload::OutOfResources))?);
                }
                return Ok(slot);
            }
            let left = deadline.left().ok_or(Outcome::Overload(Overload::TooManyInFlight))?;
            state.waiting = state.waiting.saturating_add(1);
            (state, _) = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
            state.waiting = state.waiting.saturating_sub(1);
        }
    }

    fn has_room(&self, state: &State, client: Option<ClientRef>) -> bool {
        let in_flight = &state.in_flight;
        let own = || in_flight.iter().filter(|own| client.is_some() && **own == client).count();
        in_flight.len() < self.max_in_flight && own() < self.max_per_client
    }

    /// A refusal that still holds for one of these clients at that address.
    pub(super) fn remembered(
        &self,
        clients: impl IntoIterator<Item = ClientRef>,
        origin: Origin<'_>,
    ) -> Option<Rejection> {
        let now = self.now();
        let mut state = self.lock();
        clients.into_iter().find_map(|client| state.table.remembered(client, origin.as_bytes(), now))
    }

    /// Forgets the refusals of that client that came before the platform was asked at that time.
    pub(super) fn confirm(&self, client: ClientRef, origin: Origin<'_>, asked: Duration) {
        self.lock().table.confirm(client, origin.as_bytes(), asked);
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
    caller: Option<Caller<'g>>,
    waited: Duration,
    entered: Duration,
    permit: Option<ClientPermit>,
    outcome: Option<Outcome>,
    scratch: Option<Scratch>,
}

impl Slot<'_> {
    /// When it was let through, by the gate's clock.
    pub(super) const fn entered(&self) -> Duration {
        self.entered
    }

    /// Whether it has waited for its slot for longer than it has had it.
    pub(super) fn mostly_waited(&self) -> bool {
        self.waited > self.gate.now().saturating_sub(self.entered)
    }

    pub(super) fn scratch(&mut self) -> Option<&mut Scratch> {
        self.scratch.as_mut()
    }

    /// Ends the call, and says what it came to.
    pub(super) fn settle(mut self, outcome: Outcome) {
        self.outcome = Some(outcome);
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let evidence = self.outcome.and_then(Outcome::evidence);
        // Only cool-downs and refusals have to do with the time, and cool-downs with chance.
        let (now, random) = match (evidence, self.outcome) {
            (Some(Evidence::Failed | Evidence::Unreachable), _) => (self.gate.now(), random()),
            (_, Some(Outcome::Rejected(_))) => (self.gate.now(), 0),
            _ => (self.entered, 0),
        };
        let mut state = self.gate.lock();
        let displaced = state.table.displaced();
        let change = match (self.permit.take(), evidence) {
            (Some(permit), Some(evidence)) => state.table.record(permit, evidence, now, random),
            (Some(permit), None) => {
                state.table.release(permit);
                None
            }
            (None, _) => None,
        };
        let client = self.caller.map(|caller| caller.client);
        if let Some(at) = state.in_flight.iter().position(|own| *own == client) {
            state.in_flight.swap_remove(at);
        }
        if let Some(Caller { client, origin, judged }) = self.caller {
            match (self.outcome, origin) {
                (Some(Outcome::Rejected(rejection)), Some(origin)) => {
                    state.table.refuse(client, rejection, origin.as_bytes(), now);
                }
                (Some(Outcome::Confirmed), Some(origin)) if judged => {
                    state.table.confirm(client, origin.as_bytes(), self.entered);
                }
                _ => {}
            }
        }
        let total = state.table.displaced();
        state.scratches.extend(self.scratch.take().filter(Scratch::is_usual));
        let waiting = state.waiting > 0;
        drop(state);
        if waiting {
            // All of them: the first may be of a client that has its share already.
            self.gate.changed.notify_all();
        }
        if total > displaced {
            self.events.emit(&Event::RefusalDisplaced { total });
        }
        if let Some(change) = change {
            self.events.emit(&match change {
                BreakerChange::Opened => Event::BreakerOpened,
                BreakerChange::Closed => Event::BreakerClosed,
                BreakerChange::OpenedForClient => Event::ClientBreakerOpened,
                BreakerChange::ClosedForClient => Event::ClientBreakerClosed,
            });
        }
    }
}

/// For the jitter of a cool-down. Without randomness there is no jitter.
fn random() -> u32 {
    let mut bytes = [0; 4];
    match rand_core::TryRng::try_fill_bytes(&mut getrandom::SysRng, &mut bytes) {
        Ok(()) => u32::from_ne_bytes(bytes),
        Err(_) => 0,
    }
}
