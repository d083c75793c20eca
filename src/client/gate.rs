//! Limits on calls: the breakers decide whether a call is made, and the queue decides when.
//!
//! ```text
//! enter ──> breaker open? ── yes ──────────────────────────────────> outage
//!              │ no   <─── woken: its turn for a slot, or a breaker opened ─┐
//!              v                                                            │
//!           a slot free, and fewer than its share taken by this client? ─ no ──> sleep until the deadline ──> overload
//!              │ yes
//!              v
//!            Slot ── call ── settle ──> breakers are updated, waiting requests woken
//! ```

use core::{cell::Cell, hash::BuildHasher as _, mem, time::Duration};
use std::{
    collections::VecDeque,
    hash::RandomState,
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
    policy::{Outage, Outcome, Overload, Rejection},
};

/// A client, and the origin of its request.
#[derive(Clone, Copy)]
pub(super) struct Caller<'a> {
    pub(super) client: ClientRef,
    /// `None` if no request of the client waits. Then a refusal is not remembered. [`Origin::Everywhere`] for a call
    /// that sends no address.
    pub(super) origin: Option<Origin<'a>>,
    /// The key that the call asks about: only then its success is a confirmation. `None` for other calls.
    pub(super) judged: Option<&'a str>,
    /// The name of the key's tenant. A refusal also counts for it: the look-up of a later key of the tenant may fail.
    /// If no key is judged, a refusal counts only for the name.
    pub(super) tenant: Option<ClientRef>,
    /// The client's id comes from a look-up of the tenant. Then a confirmation also counts for the name.
    pub(super) is_looked_up: bool,
}

impl Caller<'_> {
    /// For a call that does not ask about a key.
    pub(super) const fn of(client: ClientRef) -> Self {
        Self { client, origin: None, judged: None, tenant: None, is_looked_up: false }
    }
}

/// The time limit for all calls of one request together, including the time in the queue.
pub(super) struct Deadline {
    start: Cell<Instant>,
    limit: Duration,
    /// The time that the request has spent in the queue, for all of its calls.
    waited: Cell<Spent>,
    /// The time that the transport has had, for all of its calls.
    asked: Cell<Spent>,
}

/// A sum of times, the last of them, and when it ended.
#[derive(Clone, Copy, Default)]
pub(super) struct Spent {
    pub(super) total: Duration,
    last: Duration,
    until: Option<Instant>,
}

impl Spent {
    fn and(self, time: Duration) -> Self {
        if time.is_zero() {
            return self;
        }
        Self { total: self.total.saturating_add(time), last: time, until: Some(Instant::now()) }
    }

    /// How much of the last time was after `start`. Earlier ones are left out: they then look like this process's own.
    pub(super) fn since(self, start: Instant) -> Duration {
        self.until.map_or(Duration::ZERO, |until| until.saturating_duration_since(start)).min(self.last)
    }
}

impl Deadline {
    pub(super) fn after(limit: Duration) -> Self {
        Self { start: Cell::new(Instant::now()), limit, waited: Cell::default(), asked: Cell::default() }
    }

    /// Runs code of the caller. The time that it takes is added to the limit: otherwise the platform would have less,
    /// and slow code would look like an outage. `None` if the code took as much as the whole limit.
    pub(super) fn suspended<T>(&self, run: impl FnOnce() -> T) -> Option<T> {
        let before = Instant::now();
        let result = run();
        let time = before.elapsed();
        self.start.set(self.start.get().checked_add(time)?);
        (time < self.limit).then_some(result)
    }

    /// The request has spent this time in the queue.
    pub(super) fn has_waited(&self, time: Duration) {
        self.waited.set(self.waited.get().and(time));
    }

    /// Runs the transport, and counts its time.
    pub(super) fn asking<T>(&self, ask: impl FnOnce() -> T) -> T {
        let before = Instant::now();
        let answer = ask();
        self.has_asked(before.elapsed());
        answer
    }

    /// The transport has had this time for the request.
    pub(super) fn has_asked(&self, time: Duration) {
        self.asked.set(self.asked.get().and(time));
    }

    pub(super) fn waited(&self) -> Spent {
        self.waited.get()
    }

    pub(super) fn asked(&self) -> Spent {
        self.asked.get()
    }

    /// A tenth of the time limit. If a request waits longer for a slot, its timeout counts as load.
    fn tenth(&self) -> Duration {
        self.limit.checked_div(10).unwrap_or_default()
    }

    /// What is left of this tenth.
    fn patience(&self) -> Duration {
        self.tenth().saturating_sub(self.waited.get().total)
    }

    /// Whether the queue took more than a tenth of the time. A timeout then shows nothing about the platform: with all
    /// of the time, the platform might have answered. Load must not look like an outage.
    fn was_shortened(&self) -> bool {
        self.waited.get().total > self.tenth()
    }

    /// Whether the request goes on long after its end: this process lacks processor time.
    fn was_overslept(&self) -> bool {
        self.start.get().elapsed() > self.limit.saturating_add(usual_lateness(self.limit))
    }

    /// Whether this process took much of the time for its own work: the platform had less.
    fn was_delayed(&self) -> bool {
        let unusual = self.tenth().max(USUAL_DELAY.min(self.limit.checked_div(2).unwrap_or_default()));
        let accounted = self.waited.get().total.saturating_add(self.asked.get().total);
        self.start.get().elapsed().saturating_sub(accounted) > unusual
    }

    /// How long to wait for another thread with about the same time limit. It may notice the end of its time late.
    pub(super) fn patient_left(&self) -> Duration {
        self.left().unwrap_or_default().saturating_add(usual_lateness(self.limit))
    }

    /// The time that is left: more than zero, or `None`.
    pub(super) fn left(&self) -> Option<Duration> {
        self.limit.checked_sub(self.start.get().elapsed()).filter(|left| !left.is_zero())
    }
}

/// Usual delays of the scheduler are shorter.
const USUAL_DELAY: Duration = Duration::from_millis(100);

/// How late the end of a time limit may be noticed. Linux's timers round it up by an eighth at most (the table in
/// `kernel/time/timer.c`). Only a lack of processor time makes it later.
pub(super) fn usual_lateness(limit: Duration) -> Duration {
    limit.checked_div(8).unwrap_or_default().saturating_add(USUAL_DELAY)
}

/// Limits on calls.
pub(super) struct Limits {
    pub(super) breaker: BreakerConfig,
    pub(super) memory: RefusalMemory,
    /// The maximum number of clients whose failures and refusals are stored.
    pub(super) clients: usize,
    pub(super) in_flight: usize,
    /// By default half of `in_flight`.
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
    /// The table hashes addresses and keys to 32 bits. With a random seed, nobody can search for two with one hash.
    seed: RandomState,
}

struct State {
    table: ClientTable<Vec<ClientSlot>>,
    /// The client of each call in flight; `None` for a call without a client. A linear search is enough, because the
    /// list is no longer than `max_in_flight`.
    in_flight: Vec<Option<ClientRef>>,
    /// The clients that have their share of slots. Each waiting request is compared with these few only.
    full: Vec<ClientRef>,
    /// The requests that wait for a slot, in the order of their arrival.
    waiting: VecDeque<Arc<Waiter>>,
    /// Whether a call has run out of time since the last answer.
    silent: bool,
    /// Buffers of calls that have ended. There are at most as many as there were calls in flight at once.
    scratches: Vec<Scratch>,
}

/// A request that waits for a slot. Its thread sleeps until there is one, a breaker opens, or its time is over.
struct Waiter {
    client: Option<ClientRef>,
    /// The time at which a tenth of its limit is used up.
    prompt_until: Duration,
    thread: Thread,
}

impl State {
    /// Whether a call may be made now. A call without a client says nothing about the platform's health. It is made
    /// only while the breaker is closed.
    fn check(&mut self, client: Option<ClientRef>, now: Duration) -> Result<(), BreakerOpen> {
        match client {
            Some(client) => self.table.check(client, now),
            None => self.table.check_closed(now),
        }
    }

    /// Whether a cool-down of all or of the client is under way.
    fn is_open(&self, client: Option<ClientRef>, now: Duration) -> bool {
        let own = client.map(|client| self.table.client_state(client, now));
        self.table.state(now) == BreakerState::Open || own == Some(BreakerState::Open)
    }

    /// Whether a request that waits goes before those that arrive now. See [`Gate::next`].
    fn prefers(&self, waiter: &Waiter, now: Duration) -> bool {
        !self.silent || waiter.prompt_until >= now
    }
}

impl Gate {
    /// `timeout` is the time of a request for all of its calls.
    pub(super) fn new(limits: &Limits, timeout: Duration) -> Self {
        let breaker = limits.breaker.outlasting(timeout);
        let state = State {
            table: ClientTable::new(breaker, limits.memory, vec![ClientSlot::EMPTY; limits.clients]),
            in_flight: Vec::new(),
            full: Vec::new(),
            waiting: VecDeque::new(),
            silent: false,
            scratches: Vec::new(),
        };
        Self {
            state: Mutex::new(state),
            max_in_flight: limits.in_flight,
            max_per_client: limits.in_flight_per_client.unwrap_or((limits.in_flight / 2).max(1)),
            start: Instant::now(),
            seed: RandomState::new(),
        }
    }

    fn seeded(&self, bytes: &[u8]) -> [u8; 8] {
        self.seed.hash_one(bytes).to_ne_bytes()
    }

    /// The current time on the clock of breakers, memories and sessions.
    pub(super) fn now(&self) -> Duration {
        self.start.elapsed()
    }

    pub(super) fn breaker_state(&self) -> BreakerState {
        self.lock().table.state(self.now())
    }

    /// Lets one call through as soon as there is a slot for it, or returns the reason why not.
    pub(super) fn enter<'g>(
        &'g self,
        caller: Option<Caller<'g>>,
        deadline: &Deadline,
        events: &'g Events,
    ) -> Result<Slot<'g>, Outcome> {
        let client = caller.map(|caller| caller.client);
        // Before the lock: with many requests, waiting for it is a part of the queue.
        let arrived = self.now();
        let prompt_until = arrived.saturating_add(deadline.patience());
        let mut state = self.lock();
        let mut place = None;
        loop {
            let now = self.now();
            let waited = now.saturating_sub(arrived);
            if let Err(open) = state.check(client, now) {
                self.leave(state, place.as_ref());
                return Err(Outcome::Outage(open.into()));
            }
            if self.is_next(&state, place.as_ref(), client, now) {
                deadline.has_waited(waited);
                let permit = client.map(|client| state.table.acquire(client, now)).transpose();
                if permit.is_ok() {
                    state.in_flight.push(client);
                    let own = state.in_flight.iter().filter(|own| **own == client).count();
                    state.full.extend(client.filter(|_| own >= self.max_per_client));
                }
                let scratch = state.scratches.pop().unwrap_or_default();
                // Two slots may have been returned before this request woke up.
                self.leave(state, place.as_ref());
                let permit = permit.map_err(|open| Outcome::Outage(open.into()))?;
                let mut slot = Slot { gate: self, events, caller, entered: now, permit, outcome: None, scratch };
                if slot.scratch.answer.is_empty() {
                    slot.scratch = Scratch::new().ok_or(Outcome::Overload(Overload::OutOfResources))?;
                }
                return Ok(slot);
            }
            let Some(left) = deadline.left() else {
                deadline.has_waited(waited);
                self.leave(state, place.as_ref());
                return Err(Outcome::Overload(Overload::TooManyInFlight));
            };
            if place.is_none() {
                let waiter = Arc::new(Waiter { client, prompt_until, thread: thread::current() });
                state.waiting.push_back(Arc::clone(&waiter));
                place = Some(waiter);
            }
            // This request may have been woken for a slot while another one became the next: wake that one.
            self.wake_next(&state, now);
            drop(state);
            thread::park_timeout(left);
            state = self.lock();
        }
    }

    /// Whether a request may have a slot now. `place` is its place in the queue. A request without a place has just
    /// arrived.
    fn is_next(&self, state: &State, place: Option<&Arc<Waiter>>, client: Option<ClientRef>, now: Duration) -> bool {
        let next = self.next(state, now);
        match place {
            Some(place) => next.is_some_and(|next| Arc::ptr_eq(next, place)),
            None => self.has_room(state, client) && next.is_none_or(|next| !state.prefers(next, now)),
        }
    }

    /// The waiting request that may have the next slot. Requests of a client that already has its share of slots have
    /// to wait. The oldest request goes first.
    ///
    /// When calls run out of time, those that have waited for more than a tenth of their time come after the others.
    /// Otherwise, with too many requests, each call would begin with too little time. Then no call could succeed, and
    /// no timeout could show that the platform does not answer: its silence would never open a breaker.
    fn next<'s>(&self, state: &'s State, now: Duration) -> Option<&'s Arc<Waiter>> {
        if state.in_flight.len() >= self.max_in_flight {
            return None;
        }
        let mut able = state.waiting.iter().filter(|waiter| self.has_room(state, waiter.client));
        let preferred = able.clone().find(|waiter| state.prefers(waiter, now));
        preferred.or_else(|| able.next())
    }

    fn wake_next(&self, state: &State, now: Duration) {
        if let Some(next) = self.next(state, now) {
            next.thread.unpark();
        }
    }

    fn has_room(&self, state: &State, client: Option<ClientRef>) -> bool {
        state.in_flight.len() < self.max_in_flight && client.is_none_or(|client| !state.full.contains(&client))
    }

    /// Leaves the queue if the request is in it, and wakes the next request that may have a slot.
    fn leave(&self, mut state: MutexGuard<'_, State>, place: Option<&Arc<Waiter>>) {
        if let Some(place) = place {
            state.waiting.retain(|other| !Arc::ptr_eq(place, other));
        }
        self.wake_next(&state, self.now());
    }

    /// The outcome of a request whose call ended with this outage. A timeout is an outage if the platform had the time.
    /// If the request waited long for a slot, or if this process lacked processor time, it is an overload, unless the
    /// breaker is open now.
    pub(super) fn judge(&self, client: Option<ClientRef>, deadline: &Deadline, outage: Outage) -> Outcome {
        let overload = match outage {
            Outage::Timeout if deadline.was_shortened() => Overload::TooManyInFlight,
            Outage::Timeout if deadline.was_delayed() => Overload::OutOfResources,
            // The handshake of TLS has a time limit, too, and then there is no connection.
            Outage::Timeout | Outage::Connect if deadline.was_overslept() => Overload::OutOfResources,
            _ => return Outcome::Outage(outage),
        };
        let (mut state, now) = (self.lock(), self.now());
        match state.check(client, now) {
            Err(open) if state.is_open(client, now) => Outcome::Outage(open.into()),
            // This call may itself be the probe of a half-open breaker.
            _ => Outcome::Overload(overload),
        }
    }

    /// The outage of a call about this client, if a breaker is open now.
    pub(super) fn open(&self, client: ClientRef) -> Option<Outage> {
        let mut state = self.lock();
        // Read under the lock, so that the table never sees the time go back.
        let now = self.now();
        state.check(Some(client), now).err().map(Outage::from)
    }

    /// A remembered refusal that still applies to one of these clients at this address. If there are several, it is one
    /// that no policy admits.
    pub(super) fn remembered(
        &self,
        clients: impl IntoIterator<Item = ClientRef>,
        origin: Origin<'_>,
    ) -> Option<Rejection> {
        let origins = [origin, Origin::Everywhere].map(|origin| self.seeded(origin.as_bytes()));
        let pairs = clients.into_iter().flat_map(|client| origins.map(|origin| (client, origin)));
        let mut state = self.lock();
        // Read under the lock. Otherwise this time could be earlier than the refusal of another thread. That refusal
        // would then look older than it is, and the answer to an earlier request could undo it.
        let now = self.now();
        let refusals = pairs.filter_map(|(client, origin)| state.table.remembered(client, &origin, now));
        refusals.min_by_key(|rejection| matches!(rejection, Rejection::Unsuccessful(_)))
    }

    /// Poisoning is ignored: a panic cannot interrupt a change of the state.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call in flight, with its buffers. It counts until it is dropped, also after a panic.
pub(super) struct Slot<'g> {
    gate: &'g Gate,
    events: &'g Events,
    caller: Option<Caller<'g>>,
    entered: Duration,
    permit: Option<ClientPermit>,
    outcome: Option<Outcome>,
    pub(super) scratch: Scratch,
}

impl Slot<'_> {
    /// The time when the gate let it through, on the gate's clock.
    pub(super) const fn entered(&self) -> Duration {
        self.entered
    }

    /// Ends the call with its outcome.
    pub(super) fn settle(mut self, outcome: Outcome) {
        self.outcome = Some(outcome);
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let evidence = self.outcome.and_then(Outcome::evidence);
        // Only cool-downs and refusals need the time, and only cool-downs need randomness.
        let fails = matches!(evidence, Some(Evidence::Failed | Evidence::Unreachable));
        let random = if fails { random() } else { 0 };
        let seeded = self.caller.and_then(|caller| {
            let (key, origin) = (caller.judged.unwrap_or_default(), caller.origin?);
            Some([key.as_bytes(), origin.as_bytes()].map(|bytes| self.gate.seeded(bytes)))
        });
        // A body that was not sealed, and an answer after a panic.
        self.scratch.body.0.as_mut_slice().zeroize();
        if self.outcome.is_none() {
            self.scratch.answer.as_mut_slice().zeroize();
        }
        let mut state = self.gate.lock();
        // Read under the lock, so that the table never sees the time go back.
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
        state.silent = match (evidence, self.outcome) {
            (Some(Evidence::Answered), _) => false,
            (_, Some(Outcome::Overload(Overload::TooManyInFlight) | Outcome::Outage(Outage::Timeout))) => true,
            _ => state.silent,
        };
        let client = self.caller.map(|caller| caller.client);
        if let Some(at) = state.in_flight.iter().position(|own| *own == client) {
            state.in_flight.swap_remove(at);
            state.full.retain(|full| Some(*full) != client);
        }
        if let (Some(Caller { client, judged, tenant, is_looked_up, .. }), Some([key, origin])) = (self.caller, seeded)
        {
            match self.outcome {
                Some(Outcome::Rejected(rejection)) => {
                    // The client comes last. So in a full table, the tenant's name cannot take its slot.
                    for client in tenant.into_iter().chain(judged.map(|_| client)) {
                        state.table.refuse_key(client, &key, rejection, &origin, now);
                    }
                }
                Some(Outcome::Confirmed) if judged.is_some() => {
                    state.table.confirm_key(client, &key, &origin, self.entered);
                    if let Some(tenant) = tenant.filter(|_| is_looked_up) {
                        // Also refusals of look-ups.
                        let everywhere = self.gate.seeded(Origin::Everywhere.as_bytes());
                        for origin in [origin, everywhere] {
                            state.table.confirm_key(tenant, &key, &origin, self.entered);
                        }
                    }
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

/// Randomness for the jitter of a cool-down. Without randomness there is no jitter.
fn random() -> u32 {
    getrandom::u32().unwrap_or(0)
}

/// The longest answer that is read, in bytes.
const MAX_ANSWER_LEN: usize = 64 * 1024;

/// Enough for a usual target and a usual body.
const USUAL_LEN: usize = 1024;

/// The buffers of one call. They are kept for the next call.
#[derive(Default)]
pub(super) struct Scratch {
    pub(super) target: Vec<u8>,
    /// A body before sealing. It may contain a raw key, so it is wiped after use.
    pub(super) body: Plaintext,
    pub(super) envelope: Vec<u8>,
    pub(super) answer: Vec<u8>,
}

impl Scratch {
    /// `None` if there is no memory.
    pub(super) fn new() -> Option<Self> {
        Some(Self {
            target: zeroed(USUAL_LEN)?,
            body: Plaintext(zeroed(USUAL_LEN)?),
            envelope: zeroed(USUAL_LEN)?,
            answer: zeroed(MAX_ANSWER_LEN)?,
        })
    }

    /// Whether to keep the buffers. They are not kept if they have no memory, or if a very long request made them
    /// large.
    fn is_usual(&self) -> bool {
        let lens = [self.target.len(), self.body.0.len(), self.envelope.len()];
        !self.answer.is_empty() && lens.into_iter().all(|len| len <= MAX_ANSWER_LEN)
    }
}

/// `None` if there is no memory.
fn zeroed(len: usize) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(len).ok()?;
    bytes.resize(len, 0);
    Some(bytes)
}

/// Bytes that are wiped before they are freed or moved.
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

    /// Adds bytes. There must be room for them: otherwise the buffer moves and leaves a copy behind.
    #[cfg(feature = "ureq")]
    pub(super) fn extend(&mut self, bytes: &[u8]) {
        debug_assert!(self.0.capacity().saturating_sub(self.0.len()) >= bytes.len(), "there is room");
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Calls `write`, and enlarges the buffer if it is too small. Returns the written bytes.
    pub(super) fn write(&mut self, write: impl Fn(&mut [u8]) -> Result<usize, BufferTooSmall>) -> &mut [u8] {
        fill(&mut self.0, write)
    }
}

impl Drop for Plaintext {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// Calls `write` with `buf`, and enlarges `buf` if it is too small. Returns the written text.
pub(super) fn write(buf: &mut Vec<u8>, write: impl Fn(&mut [u8]) -> Result<usize, BufferTooSmall>) -> &str {
    let text = core::str::from_utf8(fill(buf, write));
    debug_assert!(text.is_ok(), "targets and bodies are UTF-8");
    text.unwrap_or_default()
}

/// Calls `write` with `buf`, and enlarges `buf` if it is too small. Returns the written bytes. The old buffer is wiped
/// before it is freed, because it may hold a plaintext.
fn fill(buf: &mut Vec<u8>, write: impl Fn(&mut [u8]) -> Result<usize, BufferTooSmall>) -> &mut [u8] {
    let written = write(buf).or_else(|BufferTooSmall { needed }| {
        buf.zeroize();
        *buf = vec![0; needed];
        write(buf)
    });
    let written = written.ok().and_then(|len| buf.get_mut(..len));
    debug_assert!(written.is_some(), "the error named this length");
    written.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The calls that share a look-up with this one have waited for its slot, too.
    #[test]
    fn the_time_in_the_queue_counts_also_if_it_ends_without_a_slot() {
        let gate = Gate::new(&Limits { in_flight: 1, ..Limits::DEFAULT }, Duration::from_secs(60));
        let events = Events::default();
        let _slot = gate.enter(None, &Deadline::after(Duration::from_secs(60)), &events);
        let limit = Duration::from_millis(200);
        let deadline = Deadline::after(limit);
        let result = gate.enter(None, &deadline, &events).map(|_| ());
        assert_eq!(result, Err(Outcome::Overload(Overload::TooManyInFlight)));
        assert!(deadline.was_shortened(), "{:?}", deadline.waited().total);
    }
}
