//! Which calls are made at all, for whom, until when, and how many at once: the breakers, and the queue for a slot.
//!
//! ```text
//! enter ──> breaker open? ── yes ──────────────────────────────────> outage
//!              │ no   <─── woken: its turn for a slot, or a breaker opened ─┐
//!              v                                                            │
//!           a slot free, and fewer than its share taken by this client? ─ no ──> sleep until the deadline ──> overload
//!              │ yes
//!              v
//!            Slot ── call ── settle ──> breakers take note, who waits is woken
//! ```

use core::{mem, time::Duration};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, Thread},
    time::Instant,
    vec,
    vec::Vec,
};

use super::{
    event::{Event, Events},
    request::Origin,
};
use crate::{
    breaker::{
        BreakerChange, BreakerConfig, BreakerOpen, BreakerState, ClientPermit, ClientRef, ClientSlot, ClientTable,
        Evidence, RefusalMemory,
    },
    buf::BufferTooSmall,
    crypto::Zeroize as _,
    policy::{Outcome, Overload, Rejection},
};

/// A client, and where its request comes from.
#[derive(Clone, Copy)]
pub(super) struct Caller<'a> {
    pub(super) client: ClientRef,
    /// `None` if no request of the client's waits: then a refusal is not the client's.
    pub(super) origin: Option<Origin<'a>>,
    /// Whether the call is about the request itself, so that its success is a confirmation.
    pub(super) judged: bool,
}

/// The time for all calls of one request together.
#[derive(Clone, Copy)]
pub(super) struct Deadline {
    start: Instant,
    limit: Duration,
}

impl Deadline {
    pub(super) fn after(limit: Duration) -> Self {
        Self { start: Instant::now(), limit }
    }

    /// What is left: more than zero.
    pub(super) fn left(&self) -> Option<Duration> {
        self.limit.checked_sub(self.start.elapsed()).filter(|left| !left.is_zero())
    }
}

/// How many calls are made, and for whom.
pub(super) struct Limits {
    pub(super) breaker: BreakerConfig,
    pub(super) memory: RefusalMemory,
    /// Clients that are told from others.
    pub(super) clients: usize,
    pub(super) in_flight: usize,
    /// By default half of those.
    pub(super) in_flight_per_client: Option<usize>,
}

impl Limits {
    pub(super) const DEFAULT: Self = Self {
        breaker: BreakerConfig::DEFAULT,
        memory: RefusalMemory::DEFAULT,
        clients: 4096,
        in_flight: 32,
        in_flight_per_client: None,
    };
}

/// Lets calls through to the platform.
pub(super) struct Gate {
    state: Mutex<State>,
    max_in_flight: usize,
    max_per_client: usize,
    start: Instant,
}

struct State {
    table: ClientTable<Vec<ClientSlot>>,
    /// The client of each call in flight; `None` for a call without a client. It is as short as there may be calls.
    in_flight: Vec<Option<ClientRef>>,
    /// Who waits for a slot, the first first.
    waiting: VecDeque<Arc<Waiter>>,
    /// The buffers of calls that have ended, as many as were ever under way at once.
    scratches: Vec<Scratch>,
}

/// A request that waits for a slot. Its thread sleeps until there is one, a breaker opens, or its time is over.
struct Waiter {
    client: Option<ClientRef>,
    thread: Thread,
}

impl State {
    /// Whether a call may be made now. One that is not a client's says nothing of the platform's health, and is made only
    /// while the breaker is closed.
    fn check(&mut self, client: Option<ClientRef>, now: Duration) -> Result<(), BreakerOpen> {
        match client {
            Some(client) => self.table.check(client, now),
            None => self.table.check_closed(now),
        }
    }
}

impl Gate {
    /// A request has that time for all of its calls.
    pub(super) fn new(limits: &Limits, timeout: Duration) -> Self {
        let breaker = limits.breaker.outlasting(timeout);
        let state = State {
            table: ClientTable::new(breaker, limits.memory, vec![ClientSlot::EMPTY; limits.clients]),
            in_flight: Vec::new(),
            waiting: VecDeque::new(),
            scratches: Vec::new(),
        };
        Self {
            state: Mutex::new(state),
            max_in_flight: limits.in_flight,
            max_per_client: limits.in_flight_per_client.unwrap_or((limits.in_flight / 2).max(1)),
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

    /// Lets one call through, as soon as there is a slot for it, or says why not. Who came first is first, but for
    /// those whose client has its share already.
    pub(super) fn enter<'g>(
        &'g self,
        caller: Option<Caller<'g>>,
        deadline: Deadline,
        events: &'g Events,
    ) -> Result<Slot<'g>, Outcome> {
        let client = caller.map(|caller| caller.client);
        let mut state = self.lock();
        let mut place = None;
        let mut arrived = None;
        loop {
            let now = self.now();
            let waited = now.saturating_sub(*arrived.get_or_insert(now));
            if let Err(open) = state.check(client, now) {
                self.leave(state, place.as_ref());
                return Err(Outcome::Outage(open.into()));
            }
            if self.is_next(&state, place.as_ref(), client) {
                let permit = client.map(|client| state.table.acquire(client, now)).transpose();
                if permit.is_ok() {
                    state.in_flight.push(client);
                }
                let scratch = state.scratches.pop().unwrap_or_default();
                // Two slots may have been given back before this request woke up.
                self.leave(state, place.as_ref());
                let permit = permit.map_err(|open| Outcome::Outage(open.into()))?;
                let mut slot =
                    Slot { gate: self, events, caller, waited, entered: now, permit, outcome: None, scratch };
                if slot.scratch.answer.is_empty() {
                    slot.scratch = Scratch::new().ok_or(Outcome::Overload(Overload::OutOfResources))?;
                }
                return Ok(slot);
            }
            let Some(left) = deadline.left() else {
                self.leave(state, place.as_ref());
                return Err(Outcome::Overload(Overload::TooManyInFlight));
            };
            if place.is_none() {
                let waiter = Arc::new(Waiter { client, thread: thread::current() });
                state.waiting.push_back(Arc::clone(&waiter));
                place = Some(waiter);
            }
            drop(state);
            thread::park_timeout(left);
            state = self.lock();
        }
    }

    /// Whether a request, at its place or behind all who wait, may have a slot now.
    fn is_next(&self, state: &State, place: Option<&Arc<Waiter>>, client: Option<ClientRef>) -> bool {
        let before = state.waiting.iter().take_while(|other| place.is_none_or(|place| !Arc::ptr_eq(place, other)));
        self.has_room(state, client) && !before.into_iter().any(|other| self.has_room(state, other.client))
    }

    fn has_room(&self, state: &State, client: Option<ClientRef>) -> bool {
        let in_flight = &state.in_flight;
        let own = || in_flight.iter().filter(|own| client.is_some() && **own == client).count();
        in_flight.len() < self.max_in_flight && own() < self.max_per_client
    }

    /// Gives up a place in the queue, if there is one, and wakes who may have a slot now.
    fn leave(&self, mut state: MutexGuard<'_, State>, place: Option<&Arc<Waiter>>) {
        if let Some(place) = place {
            state.waiting.retain(|other| !Arc::ptr_eq(place, other));
        }
        if let Some(next) = state.waiting.iter().find(|waiter| self.has_room(&state, waiter.client)) {
            next.thread.unpark();
        }
    }

    /// A refusal that still holds for one of these clients at that address.
    pub(super) fn remembered(
        &self,
        clients: impl IntoIterator<Item = ClientRef>,
        origin: Origin<'_>,
    ) -> Option<Rejection> {
        let mut state = self.lock();
        // Under the lock: a time from before another thread's refusal would make that look older than it is, and an
        // answer to an earlier request could then undo it.
        let now = self.now();
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
    pub(super) scratch: Scratch,
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

    /// What it would have come to if it were waiting for its slot still: load must not look like an outage, and an
    /// outage that others have seen is one.
    pub(super) fn as_if_still_waiting(&self) -> Outcome {
        let client = self.caller.map(|caller| caller.client);
        match self.gate.lock().check(client, self.gate.now()) {
            Err(open) => Outcome::Outage(open.into()),
            Ok(()) => Outcome::Overload(Overload::TooManyInFlight),
        }
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
        let fails = matches!(evidence, Some(Evidence::Failed | Evidence::Unreachable));
        let random = if fails { random() } else { 0 };
        let mut state = self.gate.lock();
        // Under the lock, so that it does not go backwards for the table.
        let timed = fails || matches!(self.outcome, Some(Outcome::Rejected(_)));
        let now = if timed { self.gate.now() } else { self.entered };
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
        state.scratches.extend(Some(mem::take(&mut self.scratch)).filter(Scratch::is_usual));
        if change == Some(BreakerChange::Opened) || change == Some(BreakerChange::OpenedForClient) {
            state.waiting.iter().for_each(|waiter| waiter.thread.unpark());
        }
        self.gate.leave(state, None);
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

/// The longest answer that is read, in bytes.
pub(super) const MAX_ANSWER_LEN: usize = 64 * 1024;

/// A target and a body of usual length fit.
const USUAL_LEN: usize = 1024;

/// The buffers of one call, kept for the next.
#[derive(Default)]
pub(super) struct Scratch {
    pub(super) target: Vec<u8>,
    /// A body in the clear, which may hold a raw key: wiped after use.
    pub(super) body: Plaintext,
    pub(super) envelope: Vec<u8>,
    pub(super) answer: Vec<u8>,
}

impl Scratch {
    /// `None` if there is no memory for it.
    pub(super) fn new() -> Option<Self> {
        Some(Self {
            target: zeroed(USUAL_LEN)?,
            body: Plaintext(zeroed(USUAL_LEN)?),
            envelope: zeroed(USUAL_LEN)?,
            answer: zeroed(MAX_ANSWER_LEN)?,
        })
    }

    /// Whether it is worth keeping: it has memory, and one very long request must not hold that for good.
    pub(super) fn is_usual(&self) -> bool {
        let lens = [self.target.len(), self.body.0.len(), self.envelope.len()];
        !self.answer.is_empty() && lens.into_iter().all(|len| len <= MAX_ANSWER_LEN)
    }
}

/// `None` if there is no memory for it.
fn zeroed(len: usize) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(len).ok()?;
    bytes.resize(len, 0);
    Some(bytes)
}

/// Bytes that are wiped before they are given back or moved.
#[derive(Default)]
pub(super) struct Plaintext(Vec<u8>);

impl Plaintext {
    #[cfg(feature = "ureq")]
    pub(super) const EMPTY: Self = Self(Vec::new());

    pub(super) fn copy_of(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    #[cfg(feature = "ureq")]
    pub(super) const fn of(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    #[cfg(feature = "ureq")]
    pub(super) fn with_capacity(len: usize) -> Self {
        Self(Vec::with_capacity(len))
    }

    /// Adds bytes, for which there must be room: otherwise a copy is left behind.
    #[cfg(feature = "ureq")]
    pub(super) fn extend(&mut self, bytes: &[u8]) {
        debug_assert!(self.0.capacity().saturating_sub(self.0.len()) >= bytes.len(), "there is room");
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// What `write` writes, after making room for it.
    pub(super) fn write(&mut self, write: impl Fn(&mut [u8]) -> Result<usize, BufferTooSmall>) -> &mut [u8] {
        fill(&mut self.0, write)
    }
}

impl Drop for Plaintext {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// What `write` writes into `buf`, after making room for it.
pub(super) fn write(buf: &mut Vec<u8>, write: impl Fn(&mut [u8]) -> Result<usize, BufferTooSmall>) -> &str {
    let text = core::str::from_utf8(fill(buf, write));
    debug_assert!(text.is_ok(), "targets and bodies are UTF-8");
    text.unwrap_or_default()
}

/// Has `write` write into `buf`, after making room for it; returns what it wrote. What there was is wiped before it is
/// given back, for it may have been a plaintext.
fn fill(buf: &mut Vec<u8>, write: impl Fn(&mut [u8]) -> Result<usize, BufferTooSmall>) -> &mut [u8] {
    let written = write(buf).or_else(|BufferTooSmall { needed }| {
        buf.zeroize();
        *buf = vec![0; needed];
        write(buf)
    });
    let written = written.ok().and_then(|len| buf.get_mut(..len));
    debug_assert!(written.is_some(), "it has said itself that this is enough");
    written.unwrap_or_default()
}
