//! Which client of the platform's a tenant is.
//!
//! ```text
//! find(tenant) ──> known, and not too long ago ─────────────────────────────> its id
//!                    │ no
//!                    v
//!                  somebody is looking it up ── yes: wait for their result ──> that
//!                    │ no
//!                    v
//!                  look it up, tell who waits ───────────────────────────────> that
//! ```

use core::time::Duration;
use std::{
    boxed::Box,
    collections::{HashMap, VecDeque},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

use super::deadline::Deadline;
use crate::{
    crypto::sha256,
    policy::{Outcome, Overload},
    protocol::ClientId,
};

/// Stands for a tenant's name: its SHA-256. What is remembered has a bound then, whatever the length of the name.
type Digest = [u8; 32];

/// The ids that the platform has told, by tenant.
pub(super) struct Clients {
    state: Mutex<State>,
    capacity: usize,
    time_to_live: Duration,
}

#[derive(Default)]
struct State {
    known: HashMap<Digest, Known>,
    by_age: VecDeque<Digest>,
    displaced: u64,
    pending: HashMap<Box<str>, Arc<LookUp>>,
}

struct Known {
    id: ClientId,
    /// When it was told; `None` if it is to be asked for again.
    since: Option<Duration>,
}

/// One look-up, whose result is for all that wait.
#[derive(Default)]
struct LookUp {
    result: Mutex<Option<Result<ClientId, Outcome>>>,
    ended: Condvar,
}

/// An id, and whether the platform had to be asked for it.
pub(super) struct Found {
    pub(super) id: ClientId,
    pub(super) asked: bool,
}

impl Clients {
    pub(super) fn new(capacity: usize, time_to_live: Duration) -> Self {
        Self { state: Mutex::default(), capacity, time_to_live }
    }

    /// The client of that tenant. Of all who ask for one tenant at the same time, one does `look_up`.
    pub(super) fn find(
        &self,
        tenant: &str,
        now: Duration,
        deadline: Deadline,
        look_up: impl FnOnce() -> Result<ClientId, Outcome>,
    ) -> Result<Found, Outcome> {
        let digest = sha256(tenant.as_bytes());
        let mut state = self.lock();
        if let Some(known) = state.known.get(&digest)
            && known.since.is_some_and(|since| now.saturating_sub(since) < self.time_to_live)
        {
            return Ok(Found { id: known.id, asked: false });
        }
        let asked = |id| Found { id, asked: true };
        if let Some(pending) = state.pending.get(tenant) {
            let pending = Arc::clone(pending);
            drop(state);
            return pending.wait(deadline).map(asked);
        }
        let pending = Arc::<LookUp>::default();
        state.pending.insert(tenant.into(), Arc::clone(&pending));
        drop(state);
        // Also if the look-up panics: the caller's transport may.
        let ending = Ending { clients: self, tenant, pending: &pending, result: Err(NOT_MADE) };
        ending.with(look_up()).map(asked)
    }

    /// Keeps an id that the platform has told. How many ids were displaced so far, if this displaced one.
    pub(super) fn remember(&self, tenant: &str, id: ClientId, now: Duration) -> Option<u64> {
        let digest = sha256(tenant.as_bytes());
        let mut state = self.lock();
        let known = Known { id, since: Some(now) };
        if let Some(own) = state.known.get_mut(&digest) {
            *own = known;
            return None;
        }
        let mut displaced = None;
        if state.known.len() >= self.capacity
            && let Some(oldest) = state.by_age.pop_front()
        {
            state.known.remove(&oldest);
            state.displaced = state.displaced.saturating_add(1);
            displaced = Some(state.displaced);
        }
        state.by_age.push_back(digest);
        state.known.insert(digest, known);
        displaced
    }

    /// Has the tenant looked up again: the platform does not know that client any more.
    pub(super) fn give_up(&self, tenant: &str, id: ClientId) {
        if let Some(known) = self.lock().known.get_mut(&sha256(tenant.as_bytes()))
            && known.id == id
        {
            known.since = None;
        }
    }

    /// The last id that the platform told of the tenant, however long ago. It is not good enough to ask about, but
    /// says who was refused.
    pub(super) fn last_known(&self, tenant: &str) -> Option<ClientId> {
        self.lock().known.get(&sha256(tenant.as_bytes())).map(|known| known.id)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What those who wait for a look-up hear that was never made.
const NOT_MADE: Outcome = Outcome::Overload(Overload::OutOfResources);

impl LookUp {
    /// Its deadline is no later than that of who waits, so that there is a result by then. If there is no result
    /// then, this process was too slow.
    fn wait(&self, deadline: Deadline) -> Result<ClientId, Outcome> {
        let result = self.result.lock().unwrap_or_else(PoisonError::into_inner);
        let (result, _) = self
            .ended
            .wait_timeout_while(result, deadline.left().unwrap_or_default(), |result| result.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        result.unwrap_or(Err(Outcome::Overload(Overload::TooManyInFlight)))
    }
}

/// Tells who waits that a look-up has ended, however it did.
struct Ending<'e> {
    clients: &'e Clients,
    tenant: &'e str,
    pending: &'e LookUp,
    result: Result<ClientId, Outcome>,
}

impl Ending<'_> {
    fn with(mut self, result: Result<ClientId, Outcome>) -> Result<ClientId, Outcome> {
        self.result = result;
        result
    }
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.clients.lock().pending.remove(self.tenant);
        *self.pending.result.lock().unwrap_or_else(PoisonError::into_inner) = Some(self.result);
        self.pending.ended.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::{
        format,
        string::ToString as _,
        sync::{
            Barrier,
            atomic::{AtomicUsize, Ordering::SeqCst},
        },
        thread,
    };

    use super::*;
    use crate::policy::{Fault, Outage};

    const MINUTE: Duration = Duration::from_secs(60);

    fn id(number: usize) -> ClientId {
        ClientId::new(&format!("497f6eca-6276-4993-bfeb-{number:012x}")).unwrap()
    }

    fn later() -> Deadline {
        Deadline::after(MINUTE)
    }

    /// The id, and whether it was looked up.
    fn find(clients: &Clients, tenant: &str, now: Duration, told: ClientId) -> (ClientId, bool) {
        let look_up = || {
            clients.remember(tenant, told, now);
            Ok(told)
        };
        let found = clients.find(tenant, now, later(), look_up).unwrap();
        (found.id, found.asked)
    }

    #[test]
    fn an_id_is_looked_up_once_and_again_when_it_is_old() {
        let clients = Clients::new(10, 10 * MINUTE);
        assert_eq!(find(&clients, "a", MINUTE, id(1)), (id(1), true));
        assert_eq!(find(&clients, "a", 10 * MINUTE, id(2)), (id(1), false));
        assert_eq!(find(&clients, "a", 11 * MINUTE, id(2)), (id(2), true));
        assert_eq!(find(&clients, "a", MINUTE, id(3)), (id(2), false), "a clock that went back");
    }

    #[test]
    fn an_id_that_is_given_up_is_looked_up_and_still_says_who_it_was() {
        let clients = Clients::new(10, MINUTE);
        clients.remember("a", id(1), Duration::ZERO);
        clients.give_up("a", id(2));
        assert_eq!(find(&clients, "a", Duration::ZERO, id(3)), (id(1), false), "it is another's");
        clients.give_up("a", id(1));
        assert_eq!(clients.last_known("a"), Some(id(1)));
        assert_eq!(find(&clients, "a", Duration::ZERO, id(3)), (id(3), true));
    }

    #[test]
    fn the_oldest_is_displaced_and_counted_when_there_is_no_room() {
        let clients = Clients::new(2, MINUTE);
        let remember = |tenant: &str| clients.remember(tenant, id(1), Duration::ZERO);
        assert_eq!(["a", "b", "a", "c", "d"].map(remember), [None, None, None, Some(1), Some(2)]);
        assert_eq!(["a", "b", "c", "d"].map(|tenant| clients.last_known(tenant).is_some()), [false, false, true, true]);
        assert_eq!(clients.lock().by_age.len(), 2);
    }

    #[test]
    fn a_tenant_of_any_length_is_kept() {
        let clients = Clients::new(2, MINUTE);
        for len in [0, 1, 257, 100_000] {
            clients.remember(&"t".repeat(len), id(len), Duration::ZERO);
            assert_eq!(clients.last_known(&"t".repeat(len)), Some(id(len)));
        }
    }

    #[test]
    fn all_who_wait_for_a_tenant_share_one_look_up() {
        for result in [Ok(id(1)), Err(Outcome::Outage(Outage::Reset)), Err(Outcome::Fault(Fault::UnknownClient))] {
            let (clients, look_ups) = (Clients::new(2, MINUTE), AtomicUsize::new(0));
            let waiting = AtomicUsize::new(0);
            let ask = || {
                waiting.fetch_add(1, SeqCst);
                let look_up = || {
                    look_ups.fetch_add(1, SeqCst);
                    // All but this one wait, or are about to.
                    while waiting.load(SeqCst) < 8 || Arc::strong_count(&clients.lock().pending["a"]) < 9 {
                        thread::yield_now();
                    }
                    result
                };
                clients.find("a", MINUTE, later(), look_up).map(|found| found.id)
            };
            thread::scope(|scope| {
                let asked = [(); 8].map(|()| scope.spawn(ask));
                for asked in asked {
                    assert_eq!(asked.join().unwrap(), result);
                }
            });
            assert_eq!(look_ups.load(SeqCst), 1);
            assert!(clients.lock().pending.is_empty());
        }
    }

    #[test]
    fn each_tenant_is_looked_up_by_itself() {
        let (clients, both) = (Clients::new(2, MINUTE), Barrier::new(2));
        thread::scope(|scope| {
            for tenant in 0..2 {
                let (clients, both) = (&clients, &both);
                scope.spawn(move || {
                    let look_up = || {
                        both.wait();
                        Ok(id(tenant))
                    };
                    let found = clients.find(&tenant.to_string(), MINUTE, later(), look_up).unwrap();
                    assert_eq!(found.id, id(tenant));
                });
            }
        });
    }

    #[test]
    fn a_look_up_that_panics_lets_those_go_who_wait_for_it() {
        let clients = Clients::new(2, MINUTE);
        let (clients, entered) = (&clients, Barrier::new(2));
        thread::scope(|scope| {
            let entered = &entered;
            let leader = scope.spawn(move || {
                let look_up = || {
                    entered.wait();
                    while Arc::strong_count(&clients.lock().pending["a"]) < 3 {
                        thread::yield_now();
                    }
                    panic!("a transport that panics")
                };
                clients.find("a", MINUTE, later(), look_up).map(|found| found.id)
            });
            entered.wait();
            let follower = clients.find("a", MINUTE, later(), || unreachable!()).map(|found| found.id);
            assert_eq!(follower, Err(NOT_MADE));
            assert!(leader.join().is_err());
        });
        assert_eq!(find(clients, "a", MINUTE, id(1)), (id(1), true), "the next asks again");
    }
}
