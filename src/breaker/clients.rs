//! A breaker that many clients share, and the memory of refused clients. One client cannot open the breaker for the
//! others.
//!
//! ```text
//!                          for all                              for one client
//!            ┌─────────────────────────────────┐   ┌──────────────────────────────────┐
//!  acquire ─>│ Closed ──> Open ──> Half-open   │──>│ Closed ──> Open ──> Half-open    │──> a call
//!            └─────────────────────────────────┘   └──────────────────────────────────┘
//!  record:     Unreachable (DNS, connect) ─┘            Failed (timeout, reset, 5xx) ─┘
//!              Failed, seen by two clients ─┘
//! ```
//!
//! Each of the two is the state machine of a [`Breaker`](crate::breaker::Breaker), with the same settings. A call needs
//! permission from both.
//!
//! - **Unreachable** counts for all clients: a request cannot cause it.
//! - **Failed** counts for its client. A request may have caused it, for example a very long one. It counts for all
//!   only if at least two clients have failed, within the same row of failures or within the same window. If a client's
//!   own breaker has opened since the call began, its failure does not count for others.
//! - **A failed probe for all** leaves the breaker half-open and opens the breaker of the client that made it. Another
//!   client makes the next probe. If that fails too, the breaker opens for all again, and for longer.
//!
//! A refusal is remembered. While the platform cannot be asked, it is used as the platform's answer:
//!
//! | the platform's answer | remembered for | until |
//! |---|---|---|
//! | 429 | the client | `Retry-After` is over; see [`RefusalMemory`] |
//! | `success:false` | the client | 60 s |
//! | 403 | the client and the address that was sent to the platform; after 403s for more than 4 addresses, the client | 60 s after its last 403 |
//! | `success:true` | | clears the client's 429, a 403 of this address, and a `success:false` of this key, if the client's last refusal of that kind came before the question. A 403 for more than 4 addresses stays, and so does a `success:false` of several keys |
//!
//! # Guarantees
//!
//! - One client alone never changes the answer to another, except through [`Evidence::Unreachable`]. The failures of
//!   two clients can open the breaker for all.
//! - [`ClientTable::remembered`] returns every refusal within its time, unless another client needed the client's slot.
//!   A client has a slot from its first failure or refusal on. When all slots are taken, the least recently used one is
//!   reused first. The client that loses it also loses its breaker, and a call from before may count in the next one.
//!   [`ClientTable::displaced`] counts the clients that lost a slot while their refusal was still valid.
//! - If the clock goes back, a wait or a memory starts again. No state lasts longer than that.
//! - No loop has more steps than there are slots.
//!
//! The table has no side effects: time and randomness are arguments, and the caller provides the slots.

use core::{fmt, time::Duration};

use super::{
    circuit::{BreakerOpen, BreakerState, Circuit, Health, nanos},
    config::{BreakerConfig, RefusalMemory},
};
use crate::{
    crypto,
    policy::{Outage, Outcome, Rejection},
};

/// Identifies a client in a [`ClientTable`]: 128 bits, different for each client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ClientRef(u128);

impl ClientRef {
    /// The client with this number, for example a UUID.
    #[must_use]
    pub const fn new(number: u128) -> Self {
        Self(number)
    }

    /// The client with this name: the first 16 bytes of the name's SHA-256.
    #[must_use]
    pub fn of_name(name: &str) -> Self {
        let mut front = [0; 16];
        front.iter_mut().zip(crypto::sha256(name.as_bytes())).for_each(|(place, byte)| *place = byte);
        Self(u128::from_be_bytes(front))
    }
}

/// What a call shows about the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Evidence {
    /// The platform answers. The content of the answer does not matter.
    Answered,
    /// The platform could not be reached: its name was not resolved, or no connection could be made.
    Unreachable,
    /// The call failed in another way: timeout, reset, 5xx. A request can cause this itself.
    Failed,
}

impl Outcome {
    /// What this shows about the platform, for [`ClientTable::record`]. `None` if no call was made: then
    /// [release](ClientTable::release) the permit, if there is one.
    #[must_use]
    pub const fn evidence(self) -> Option<Evidence> {
        match (self.health(), self) {
            (None, _) => None,
            (Some(Health::Up), _) => Some(Evidence::Answered),
            (Some(Health::Down), Self::Outage(Outage::Dns | Outage::Connect)) => Some(Evidence::Unreachable),
            (Some(Health::Down), _) => Some(Evidence::Failed),
        }
    }
}

/// The change that a call caused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum BreakerChange {
    /// The breaker is open for all.
    Opened,
    /// The breaker is open for this client only.
    OpenedForClient,
    /// The breaker is closed again for all.
    Closed,
    /// The breaker is closed again for this client.
    ClosedForClient,
}

/// The permission for one call of one client. Return it to [`ClientTable::record`] or [`ClientTable::release`].
#[derive(Debug)]
#[must_use = "a permit that is not returned blocks all other probes until it is given up"]
pub struct ClientPermit {
    client: ClientRef,
    all: u32,
    /// The generation of the client's own circuit: that of a new one if the client had no slot.
    own: u32,
}

impl ClientPermit {
    /// The client that makes the call.
    #[must_use]
    pub const fn client(&self) -> ClientRef {
        self.client
    }
}

/// The data that a [`ClientTable`] holds about one client, in at most 128 bytes.
#[derive(Debug, Clone, Copy)]
pub struct ClientSlot {
    client: ClientRef,
    circuit: Circuit,
    refusals: Refusals,
    /// The first slot in the bucket with this slot's index.
    bucket: Index,
    /// The next slot in the same bucket.
    next: Index,
    /// The neighbours in the order of the last use.
    newer: Index,
    older: Index,
}

impl ClientSlot {
    /// A slot without a client.
    pub const EMPTY: Self = Self {
        client: ClientRef(0),
        circuit: Circuit::CLOSED,
        refusals: Refusals::NONE,
        bucket: NONE,
        next: NONE,
        newer: NONE,
        older: NONE,
    };
}

type Index = u32;

/// No slot.
const NONE: Index = Index::MAX;

/// For each client, the number of addresses for which a 403 is remembered. A client with a 403 from more addresses is
/// refused from every address while the memory lasts: changing the address does not help it.
const MAX_ADDRESSES: usize = 4;

#[derive(Debug, Clone, Copy)]
struct Refusals {
    /// The client is refused from every address: by a 429, and by `success:false`.
    limited: Refusal,
    unsuccessful: Refusal,
    /// The hash of the key for which `success:false` came. `None` if it came for more than one.
    key: Option<u32>,
    /// The client is refused from these addresses. There may be more of them than are stored.
    forbidden: Refusal,
    addresses: [u32; MAX_ADDRESSES],
    len: u8,
}

/// When a refusal began, in nanoseconds, and how long it lasts, in milliseconds. Without a refusal it lasts 0.
///
/// Packed, so that three of them leave a [`ClientSlot`] within its 128 bytes.
#[derive(Debug, Clone, Copy)]
#[repr(Rust, packed(4))]
struct Refusal {
    since: u64,
    millis: u32,
}

impl Refusal {
    const NONE: Self = Self { since: 0, millis: 0 };

    /// The remaining nanoseconds.
    fn left(&self, now: u64) -> u64 {
        u64::from(self.millis).saturating_mul(1_000_000).saturating_sub(now.saturating_sub(self.since))
    }

    /// The same, if the clock may have gone back.
    fn left_from(&mut self, now: u64) -> u64 {
        self.since = self.since.min(now);
        self.left(now)
    }

    /// Starts again, and does not end earlier than before.
    fn extend(&mut self, now: u64, millis: u32) {
        let left = u32::try_from(self.left_from(now).div_ceil(1_000_000)).unwrap_or(u32::MAX);
        *self = Self { since: now, millis: millis.max(left) };
    }
}

impl Refusals {
    const NONE: Self = Self {
        limited: Refusal::NONE,
        unsuccessful: Refusal::NONE,
        key: None,
        forbidden: Refusal::NONE,
        addresses: [0; MAX_ADDRESSES],
        len: 0,
    };

    fn hold(&self, now: u64) -> bool {
        [self.limited, self.unsuccessful, self.forbidden].iter().any(|refusal| refusal.left(now) > 0)
    }

    fn forbid(&mut self, address: u32, now: u64, millis: u32) {
        if self.forbidden.left_from(now) == 0 {
            self.len = 0;
        }
        self.forbidden.extend(now, millis);
        if self.names(address) {
            return;
        }
        if let Some(place) = self.addresses.get_mut(usize::from(self.len)) {
            *place = address;
        }
        self.len = self.len.saturating_add(1);
    }

    fn fail(&mut self, key: u32, now: u64, millis: u32) {
        if self.unsuccessful.left_from(now) == 0 {
            self.key = Some(key);
        } else if self.key != Some(key) {
            self.key = None;
        }
        self.unsuccessful.extend(now, millis);
    }

    /// Whether there was a 403 for this address, at any time.
    fn names(&self, address: u32) -> bool {
        match self.addresses.get(..self.len.into()) {
            Some(addresses) => addresses.contains(&address),
            // There were more addresses than are stored.
            None => true,
        }
    }

    /// Forgets refusals from before `asked`. Later ones stay, since the platform confirmed an earlier request.
    fn confirm(&mut self, address: u32, key: u32, asked: u64) {
        if self.limited.since < asked {
            self.limited = Refusal::NONE;
        }
        if self.unsuccessful.since < asked && self.key == Some(key) {
            self.unsuccessful = Refusal::NONE;
        }
        if self.forbidden.since < asked
            && let Some(addresses) = self.addresses.get_mut(..self.len.into())
            && let Some(last) = addresses.last().copied()
            && let Some(place) = addresses.iter_mut().find(|own| **own == address)
        {
            *place = last;
            self.len = self.len.saturating_sub(1);
            if self.len == 0 {
                self.forbidden = Refusal::NONE;
            }
        }
    }
}

/// The results that show that the platform fails for all.
#[derive(Debug, Clone, Copy)]
struct Witnesses {
    /// A bit for each of the last results, without those that a request can cause. 1 means that the platform was
    /// unreachable. The lowest bit is the latest result.
    unreachable: u64,
    /// The client of the last failure, and the number of results since then.
    last: Option<(ClientRef, u32)>,
    /// The number of results since another client failed.
    other: u32,
    /// The client whose probe failed in this half-open state.
    probe: Option<ClientRef>,
}

impl Witnesses {
    const NONE: Self = Self { unreachable: 0, last: None, other: u32::MAX, probe: None };

    fn note(&mut self, evidence: Evidence, client: ClientRef) {
        if evidence != Evidence::Failed {
            self.unreachable = self.unreachable.wrapping_shl(1) | u64::from(evidence == Evidence::Unreachable);
        }
        self.other = self.other.saturating_add(1);
        if let Some((_, age)) = &mut self.last {
            *age = age.saturating_add(1);
        }
        if evidence == Evidence::Failed {
            match self.last {
                Some((last, age)) if last != client => self.other = age,
                _ => {}
            }
            self.last = Some((client, 0));
        }
    }

    /// Whether two clients failed within this number of results.
    fn are_two_within(&self, results: u32) -> bool {
        self.last.is_some_and(|(_, age)| age < results) && self.other < results
    }

    /// Whether these failures open the breaker for all.
    fn trip(&self, config: &BreakerConfig, failures: u64) -> bool {
        let row = if self.are_two_within(failures.trailing_ones()) { failures } else { self.unreachable };
        let window = if self.are_two_within(config.window) { failures } else { self.unreachable };
        config.trips_by_row(row) || config.trips_by_rate(window)
    }
}

/// A breaker that many clients share, and the memory of refused clients.
///
/// Failures of DNS and of connections count for all clients. Timeouts, resets and 5xx count for their client, until two
/// clients have seen them. [`RefusalMemory`] says how long a refusal is remembered.
///
/// `S` holds the slots: an array, a slice or a `Vec` of [`ClientSlot::EMPTY`]. The table can distinguish as many
/// clients at once as there are slots.
///
/// Like a [`Breaker`](crate::breaker::Breaker) it has no lock, and `now` is the time since any fixed start.
///
/// ```
/// use apikee::{
///     breaker::{BreakerConfig, ClientRef, ClientSlot, ClientTable, Evidence, RefusalMemory},
///     policy::Rejection,
/// };
/// use core::time::Duration;
///
/// let mut table = ClientTable::new(BreakerConfig::DEFAULT, RefusalMemory::DEFAULT, [ClientSlot::EMPTY; 16]);
/// let (acme, other) = (ClientRef::of_name("acme-corp"), ClientRef::of_name("other"));
/// let now = Duration::from_secs(10);
///
/// for _ in 0..5 {
///     let permit = table.acquire(acme, now)?;
///     table.record(permit, Evidence::Failed, now, 0);
/// }
/// assert!(table.acquire(acme, now).is_err());
/// assert!(table.acquire(other, now).is_ok());
///
/// table.refuse(other, Rejection::UNSUCCESSFUL, b"203.0.113.9", now);
/// assert_eq!(table.remembered(other, b"203.0.113.9", now), Some(Rejection::UNSUCCESSFUL));
/// # Ok::<(), apikee::breaker::BreakerOpen>(())
/// ```
pub struct ClientTable<S> {
    config: BreakerConfig,
    memory: RefusalMemory,
    all: Circuit,
    witnesses: Witnesses,
    slots: S,
    /// The number of slots with a client. They are the first ones.
    used: Index,
    newest: Index,
    oldest: Index,
    displaced: u64,
}

impl<S: AsRef<[ClientSlot]> + AsMut<[ClientSlot]>> ClientTable<S> {
    /// A closed breaker without clients. The content of the slots is overwritten.
    #[must_use]
    pub fn new(config: BreakerConfig, memory: RefusalMemory, mut slots: S) -> Self {
        slots.as_mut().fill(ClientSlot::EMPTY);
        Self {
            config,
            memory,
            all: Circuit::CLOSED,
            witnesses: Witnesses::NONE,
            slots,
            used: 0,
            newest: NONE,
            oldest: NONE,
            displaced: 0,
        }
    }

    /// Whether this client may make a call now.
    ///
    /// # Errors
    ///
    /// [`BreakerOpen`] during a cool-down of the client or of all, and while another call is the probe.
    pub fn check(&mut self, client: ClientRef, now: Duration) -> Result<(), BreakerOpen> {
        let config = self.config;
        let all = self.all.check(&config, now);
        let slot = self.find(client).and_then(|at| self.slot(at));
        slot.map_or(Ok(()), |slot| slot.circuit.check(&config, now)).and(all)
    }

    /// Whether a call without a client may be made now: only while the breaker is closed for all.
    ///
    /// # Errors
    ///
    /// [`BreakerOpen`] if the breaker is not closed for all.
    pub fn check_closed(&mut self, now: Duration) -> Result<(), BreakerOpen> {
        self.all.check(&self.config, now)?;
        let wait = BreakerOpen { retry_after: Duration::from_millis(self.config.first_cool_down.into()) };
        if self.all.is_closed() { Ok(()) } else { Err(wait) }
    }

    /// Asks for permission for a call of this client.
    ///
    /// # Errors
    ///
    /// The same as [`check`](Self::check).
    pub fn acquire(&mut self, client: ClientRef, now: Duration) -> Result<ClientPermit, BreakerOpen> {
        self.check(client, now)?;
        let config = self.config;
        let all = self.all.acquire(&config, now)?;
        let slot = self.find(client).and_then(|at| {
            self.touch(at);
            self.slot(at)
        });
        let own = slot.map_or(Ok(Circuit::CLOSED.generation()), |slot| slot.circuit.acquire(&config, now))?;
        Ok(ClientPermit { client, all, own })
    }

    /// Records the result of a permitted call. `random` is 32 random bits for the length of a cool-down. They need not
    /// be secret. Returns the change, if there is one; if both breakers change, the one for all.
    pub fn record(
        &mut self,
        permit: ClientPermit,
        evidence: Evidence,
        now: Duration,
        random: u32,
    ) -> Option<BreakerChange> {
        let before = (self.state(now), self.client_state(permit.client, now));
        match evidence {
            Evidence::Answered | Evidence::Unreachable => self.record_all(&permit, evidence, now, random),
            Evidence::Failed if self.counts(&permit) => {
                self.fail_client(&permit, now, random);
                self.record_all(&permit, evidence, now, random);
            }
            // The state that gave the client's permit has ended.
            Evidence::Failed => self.all.release(permit.all),
        }
        let config = self.config;
        if let Some(at) = self.find(permit.client)
            && let Some(slot) = self.slot(at)
        {
            match evidence {
                Evidence::Answered => slot.circuit.record(&config, permit.own, Health::Up, now, 0, |_| false),
                // This shows nothing about the client.
                Evidence::Unreachable => slot.circuit.release(permit.own),
                Evidence::Failed => {}
            }
        }
        let after = (self.state(now), self.client_state(permit.client, now));
        change(before.0, after.0, BreakerChange::Opened, BreakerChange::Closed)
            .or_else(|| change(before.1, after.1, BreakerChange::OpenedForClient, BreakerChange::ClosedForClient))
    }

    /// Takes back a permit without a call. If it was for the probe, the next caller can be the probe.
    pub fn release(&mut self, permit: ClientPermit) {
        self.all.release(permit.all);
        if let Some(at) = self.find(permit.client)
            && let Some(slot) = self.slot(at)
        {
            slot.circuit.release(permit.own);
        }
    }

    /// The state of the breaker for all.
    #[must_use]
    pub fn state(&self, now: Duration) -> BreakerState {
        self.all.state(&self.config, now)
    }

    /// The state of this client's own breaker.
    #[must_use]
    pub fn client_state(&self, client: ClientRef, now: Duration) -> BreakerState {
        let slot = self.find(client).and_then(|at| self.slots.as_ref().get(index(at)));
        slot.map_or(BreakerState::Closed, |slot| slot.circuit.state(&self.config, now))
    }

    /// Remembers that the platform refused the client. `address` is the origin of the request as it was sent to the
    /// platform, in any form; empty if it was not sent. The table keeps a hash of 32 bits. So if a client can choose
    /// among many addresses, pass a hash with a secret seed: otherwise it can find two addresses that the table takes
    /// for one.
    pub fn refuse(&mut self, client: ClientRef, rejection: Rejection, address: &[u8], now: Duration) {
        self.refuse_key(client, b"", rejection, address, now);
    }

    /// Like [`refuse`](Self::refuse), for a client with several keys. A `success:false` may be about `key` alone. So
    /// only a confirmation of this key forgets it. `key` is anything that names the key, such as its id.
    pub fn refuse_key(&mut self, client: ClientRef, key: &[u8], rejection: Rejection, address: &[u8], now: Duration) {
        let RefusalMemory { unsuccessful, forbidden, rate_limited, longest } = self.memory;
        let (address, now) = (hash(address), nanos(now));
        let millis = match rejection {
            Rejection::Unsuccessful(_) => unsuccessful,
            Rejection::Forbidden => forbidden,
            Rejection::RateLimited { retry_after: None } => rate_limited,
            Rejection::RateLimited { retry_after: Some(secs) } => secs.max(1).saturating_mul(1_000).min(longest),
        };
        if millis == 0 {
            return;
        }
        let Some(at) = self.find_or_add(client, now) else { return };
        let Some(slot) = self.slot(at) else { return };
        match rejection {
            Rejection::Forbidden => slot.refusals.forbid(address, now, millis),
            Rejection::RateLimited { .. } => slot.refusals.limited.extend(now, millis),
            Rejection::Unsuccessful(_) => slot.refusals.fail(hash(key), now, millis),
        }
    }

    /// Records that the platform confirmed a request of the client; `asked` is the time of the question. Forgets a 429,
    /// a `success:false`, and a 403 for this address. If a refusal of one of these kinds came since `asked`, all of
    /// that kind stay, also for another address. Many requests run at once, so the answer to the last allowed request
    /// may come after the first refusal of a rate limit.
    pub fn confirm(&mut self, client: ClientRef, address: &[u8], asked: Duration) {
        self.confirm_key(client, b"", address, asked);
    }

    /// Like [`confirm`](Self::confirm), for a client with several keys; see [`refuse_key`](Self::refuse_key).
    pub fn confirm_key(&mut self, client: ClientRef, key: &[u8], address: &[u8], asked: Duration) {
        if let Some(at) = self.find(client)
            && let Some(slot) = self.slot(at)
        {
            slot.refusals.confirm(hash(address), hash(key), nanos(asked));
        }
    }

    /// The refusal that is valid for a client at an address. Of several, a 429 or 403 precedes `success:false`. For a
    /// rate limit it holds the remaining time in seconds, rounded up.
    ///
    /// [`Policy::recall`](crate::Policy::recall) says what it means for a request.
    pub fn remembered(&mut self, client: ClientRef, address: &[u8], now: Duration) -> Option<Rejection> {
        let (at, now) = (self.find(client)?, nanos(now));
        self.touch(at);
        let refusals = &mut self.slot(at)?.refusals;
        let limited = refusals.limited.left_from(now);
        let forbidden = refusals.forbidden.left_from(now) > 0 && refusals.names(hash(address));
        let unsuccessful = refusals.unsuccessful.left_from(now) > 0;
        if limited > 0 {
            let secs = u32::try_from(limited.div_ceil(1_000_000_000)).unwrap_or(u32::MAX);
            Some(Rejection::RateLimited { retry_after: Some(secs) })
        } else if forbidden {
            Some(Rejection::Forbidden)
        } else {
            unsuccessful.then_some(Rejection::UNSUCCESSFUL)
        }
    }

    /// The number of clients that lost their slot to another client while a refusal of theirs was still valid.
    #[must_use]
    pub const fn displaced(&self) -> u64 {
        self.displaced
    }

    /// Whether the state that gave the client's permit has not ended.
    fn counts(&self, permit: &ClientPermit) -> bool {
        let slot = self.find(permit.client).and_then(|at| self.slots.as_ref().get(index(at)));
        slot.is_none_or(|slot| slot.circuit.generation() == permit.own)
    }

    fn fail_client(&mut self, permit: &ClientPermit, now: Duration, random: u32) {
        let config = self.config;
        let Some(at) = self.find_or_add(permit.client, nanos(now)) else { return };
        let Some(slot) = self.slot(at) else { return };
        slot.circuit.record(&config, permit.own, Health::Down, now, random, |failures| config.trips(failures));
    }

    fn record_all(&mut self, permit: &ClientPermit, evidence: Evidence, now: Duration, random: u32) {
        let Self { config, all, witnesses, .. } = self;
        if permit.all != all.generation() {
            return;
        }
        let health = if evidence == Evidence::Answered { Health::Up } else { Health::Down };
        if evidence == Evidence::Failed && all.is_probing() {
            match witnesses.probe.replace(permit.client) {
                Some(other) if other != permit.client => {}
                _ => {
                    // Only one client has seen a failure. Opening its own breaker also prevents it from making the next
                    // probe.
                    all.release(permit.all);
                    let config = *config;
                    if let Some(at) = self.find_or_add(permit.client, nanos(now))
                        && let Some(slot) = self.slot(at)
                        && slot.circuit.is_closed()
                    {
                        slot.circuit.open(&config, now, random);
                    }
                    return;
                }
            }
        }
        let was_closed = all.is_closed();
        if was_closed {
            witnesses.note(evidence, permit.client);
        }
        all.record(config, permit.all, health, now, random, |failures| witnesses.trip(config, failures));
        if was_closed != all.is_closed() {
            *witnesses = Witnesses::NONE;
        } else if !all.is_closed() {
            witnesses.probe = None;
        }
    }

    fn slot(&mut self, at: Index) -> Option<&mut ClientSlot> {
        self.slots.as_mut().get_mut(index(at))
    }

    /// The bucket of a client: the index of a slot.
    fn bucket(&self, client: ClientRef) -> Index {
        let [high, low] = halves(client.0);
        // Multiplying by 2^64 over the golden ratio puts consecutive numbers into different buckets.
        let mixed = (high ^ low).wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_shr(32);
        let len = u64::try_from(self.slots.as_ref().len()).unwrap_or(u64::MAX).min(u64::from(NONE));
        let bucket = Index::try_from(mixed.wrapping_mul(len).wrapping_shr(32));
        debug_assert!(bucket.is_ok(), "it is below the number of slots");
        bucket.unwrap_or(NONE)
    }

    fn find(&self, client: ClientRef) -> Option<Index> {
        if self.used == 0 {
            return None;
        }
        let slots = self.slots.as_ref();
        let mut at = slots.get(index(self.bucket(client)))?.bucket;
        // A chain is never longer than the number of slots.
        for _ in 0..self.used {
            let slot = slots.get(index(at))?;
            if slot.client == client {
                return Some(at);
            }
            at = slot.next;
        }
        None
    }

    /// Finds the client's slot, or gives it the least recently used one. `None` if there are no slots.
    fn find_or_add(&mut self, client: ClientRef, now: u64) -> Option<Index> {
        if let Some(at) = self.find(client) {
            self.touch(at);
            return Some(at);
        }
        let len = Index::try_from(self.slots.as_ref().len()).unwrap_or(NONE);
        let at = if self.used < len {
            self.used = self.used.saturating_add(1);
            self.used.saturating_sub(1)
        } else {
            let oldest = self.oldest;
            let holds = self.slot(oldest)?.refusals.hold(now);
            self.displaced = self.displaced.saturating_add(u64::from(holds));
            self.take_from_bucket(oldest);
            self.take_from_order(oldest);
            oldest
        };
        let bucket = self.bucket(client);
        let first = core::mem::replace(&mut self.slot(bucket)?.bucket, at);
        let slot = self.slot(at)?;
        *slot = ClientSlot { client, next: first, bucket: slot.bucket, ..ClientSlot::EMPTY };
        self.put_newest(at);
        Some(at)
    }

    fn touch(&mut self, at: Index) {
        if at != self.newest {
            self.take_from_order(at);
            self.put_newest(at);
        }
    }

    fn take_from_bucket(&mut self, at: Index) {
        let Some((client, next)) = self.slot(at).map(|slot| (slot.client, slot.next)) else { return };
        let bucket = self.bucket(client);
        let Some(head) = self.slot(bucket).map(|slot| &mut slot.bucket) else { return };
        if *head == at {
            *head = next;
            return;
        }
        let mut before = *head;
        for _ in 0..self.used {
            let Some(slot) = self.slot(before) else { return };
            if slot.next == at {
                slot.next = next;
                return;
            }
            before = slot.next;
        }
    }

    fn take_from_order(&mut self, at: Index) {
        let Some((newer, older)) = self.slot(at).map(|slot| (slot.newer, slot.older)) else { return };
        match self.slot(newer) {
            Some(slot) => slot.older = older,
            None => self.newest = older,
        }
        match self.slot(older) {
            Some(slot) => slot.newer = newer,
            None => self.oldest = newer,
        }
    }

    fn put_newest(&mut self, at: Index) {
        let second = core::mem::replace(&mut self.newest, at);
        if let Some(slot) = self.slot(at) {
            (slot.newer, slot.older) = (NONE, second);
        }
        match self.slot(second) {
            Some(slot) => slot.newer = at,
            None => self.oldest = at,
        }
    }
}

/// Prints the settings and the state for all, but not the many clients.
impl<S: AsRef<[ClientSlot]>> fmt::Debug for ClientTable<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientTable")
            .field("config", &self.config)
            .field("memory", &self.memory)
            .field("all", &self.all)
            .field("clients", &self.used)
            .field("slots", &self.slots.as_ref().len())
            .finish_non_exhaustive()
    }
}

/// Which of the two changes has happened, if any.
const fn change(
    before: BreakerState,
    after: BreakerState,
    opened: BreakerChange,
    closed: BreakerChange,
) -> Option<BreakerChange> {
    match (before, after) {
        (BreakerState::Closed | BreakerState::HalfOpen, BreakerState::Open) => Some(opened),
        (BreakerState::HalfOpen, BreakerState::Closed) => Some(closed),
        _ => None,
    }
}

fn index(at: Index) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}

#[expect(clippy::as_conversions, reason = "the high and the low half")]
const fn halves(number: u128) -> [u64; 2] {
    [(number >> 64) as u64, number as u64]
}

/// FNV-1a. Two addresses with the same hash share their 403: a confirmation of one also forgets the 403 of the other.
/// The documentation of `refuse` says how to prevent such pairs. A client cannot choose its keys.
fn hash(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811C_9DC5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}
