//! A cache of the platform's records: the client of each tenant, and the routes that were registered.
//!
//! ```text
//! find(tenant) ──> known and recent? ── yes ────────────────────────────────> the stored id
//!                    │ no
//!                    v
//!                  another thread is looking it up? ── yes: wait ───────────> its result, or an open breaker
//!                    │ no
//!                    v
//!                  look it up, and wake the threads that wait ──────────────> the result
//! ```
//!
//! The caller passes the time, from a clock that never goes back.

use core::{mem, time::Duration};
use std::{
    boxed::Box,
    collections::{HashMap, VecDeque},
    string::{String, ToString as _},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use super::gate::{Deadline, Spent};
use crate::{
    crypto::sha256,
    policy::{Outage, Outcome, Overload},
    protocol::{ClientId, MethodPath},
};

/// The SHA-256 of a tenant's name. It has a fixed size, whatever the length of the name.
type Digest = [u8; 32];

/// The client ids that the platform returned, by tenant.
pub(super) struct Clients {
    state: Mutex<Tenants>,
    capacity: usize,
    time_to_live: Duration,
}

#[derive(Default)]
struct Tenants {
    known: HashMap<Digest, Known>,
    by_age: VecDeque<Digest>,
    displaced: u64,
    pending: HashMap<Box<str>, Arc<LookUp>>,
}

struct Known {
    id: ClientId,
    /// When the platform returned it. `None` if it must be looked up again.
    since: Option<Duration>,
}

/// One look-up. All threads that wait for it share its result.
#[derive(Default)]
struct LookUp {
    ended: Mutex<Option<Ended>>,
    changed: Condvar,
}

/// The end of a look-up.
#[derive(Clone, Copy)]
struct Ended {
    result: Result<ClientId, Outcome>,
    /// The time that its thread has spent in the queue. For a thread that joined later, only the part since then counts.
    waited: Spent,
    /// The time that the transport has had.
    asked: Spent,
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

    /// Returns the client of a tenant. If several threads ask for one tenant at the same time, one of them calls
    /// `look_up`, and the others wait for its result, unless a breaker is `open`. If it gets no slot in time, the next of
    /// them looks it up.
    pub(super) fn find(
        &self,
        tenant: &str,
        now: Duration,
        deadline: &Deadline,
        open: impl Fn() -> Option<Outage>,
        look_up: impl FnOnce() -> Result<ClientId, Outcome>,
    ) -> Result<Found, Outcome> {
        let digest = sha256(tenant.as_bytes());
        let asked = |id| Found { id, asked: true };
        let mut state = self.lock();
        loop {
            if let Some(known) = state.known.get(&digest)
                && known.since.is_some_and(|since| now.saturating_sub(since) < self.time_to_live)
            {
                return Ok(Found { id: known.id, asked: false });
            }
            let start = Instant::now();
            let Some(pending) = state.pending.get(tenant).cloned() else {
                break;
            };
            drop(state);
            if let Some(outage) = open() {
                return Err(Outcome::Outage(outage));
            }
            match pending.wait(start, deadline) {
                // The other thread had less time left for a slot.
                Err(Outcome::Overload(Overload::TooManyInFlight)) if deadline.left().is_some() => state = self.lock(),
                result => return result.map(asked),
            }
        }
        let pending = Arc::<LookUp>::default();
        state.pending.insert(tenant.into(), Arc::clone(&pending));
        drop(state);
        // The guard ends the look-up even if it panics, because it runs the caller's transport.
        let ending = Ending { clients: self, tenant, pending: &pending, deadline, result: Err(NOT_MADE) };
        ending.with(look_up()).map(asked)
    }

    /// Stores an id that the platform returned. If this displaced another id, returns the total of displaced ids.
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

    /// Marks the tenant for a new look-up, because the platform does not know that client any more.
    pub(super) fn give_up(&self, tenant: &str, id: ClientId) {
        if let Some(known) = self.lock().known.get_mut(&sha256(tenant.as_bytes()))
            && known.id == id
        {
            known.since = None;
        }
    }

    /// The last id that the platform returned for the tenant, of any age. An old id is not used to ask the platform,
    /// but remembered refusals are found under it.
    pub(super) fn last_known(&self, tenant: &str) -> Option<ClientId> {
        self.lock().known.get(&sha256(tenant.as_bytes())).map(|known| known.id)
    }

    fn lock(&self) -> MutexGuard<'_, Tenants> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The result for all waiting threads if the look-up panics.
const NOT_MADE: Outcome = Outcome::Overload(Overload::OutOfResources);

impl LookUp {
    /// Waits for the result, since `start`. The look-up usually ends before the deadline of the waiting thread, or a
    /// little after it if its own time limit is noticed late. A result that is missing even then is an overload: this
    /// process was too slow, an observer of the other thread blocked, or this thread has waited for another look-up
    /// before.
    fn wait(&self, start: Instant, deadline: &Deadline) -> Result<ClientId, Outcome> {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let (ended, _) = self
            .changed
            .wait_timeout_while(ended, deadline.patient_left(), |ended| ended.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        let Ended { result, waited, asked } = ended.ok_or(Outcome::Overload(Overload::TooManyInFlight))?;
        let waited = waited.since(start);
        deadline.has_waited(waited);
        let asked = asked.since(start).min(start.elapsed().saturating_sub(waited));
        deadline.has_asked(asked);
        result
    }
}

/// Reports the end of a look-up to all waiting threads, even after a panic.
struct Ending<'e> {
    clients: &'e Clients,
    tenant: &'e str,
    pending: &'e LookUp,
    deadline: &'e Deadline,
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
        let ended = Ended { result: self.result, waited: self.deadline.waited(), asked: self.deadline.asked() };
        *self.pending.ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(ended);
        self.pending.changed.notify_all();
    }
}

/// The routes that were registered with the platform. Entries are never removed, so the number has a limit.
#[derive(Default)]
pub(super) struct Routes(Mutex<Registry>);

/// Several times the number of routes of a large service. A program with more probably passes paths as templates, and
/// their number is unlimited. The longest routes take about 600 kB together.
pub(super) const MAX_ROUTES: usize = 1024;

/// A longer text is not accepted as a route.
const MAX_ROUTE_LEN: usize = 512;

/// The pause after the first failure. Each further failure doubles it.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

const MAX_PAUSE: Duration = Duration::from_secs(60 * 60);

#[derive(Default)]
struct Registry {
    routes: HashMap<String, Entry>,
    /// A route found no room before.
    was_full: bool,
}

struct Entry {
    route: Route,
    /// The body that describes the route, if the service has described it.
    description: Option<Arc<str>>,
}

#[derive(Clone, Copy)]
enum Route {
    /// Its registration is queued or in progress after `failures` failures, or it is registered.
    Taken { failures: u32 },
    /// The last registration failed.
    Failed { failures: u32, due: Duration },
}

/// What the caller must do about a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// Register it. Call [`Routes::failed`] if that fails.
    Register,
    Nothing,
    /// Report that there is no room for it. This is returned only once.
    Full,
}

impl Routes {
    /// Whether it is time to register a route. If so, it counts as in progress. Without `auto_register`, only described
    /// routes are registered.
    pub(super) fn turn(&self, method_path: &MethodPath<'_>, auto_register: bool, now: Duration) -> Turn {
        if method_path.len() > MAX_ROUTE_LEN {
            return Turn::Nothing;
        }
        let name = method_path.to_string();
        let mut state = self.lock();
        let Registry { routes, was_full } = &mut *state;
        let has_room = routes.len() < MAX_ROUTES;
        match routes.get_mut(&name) {
            Some(Entry { route, .. }) => match *route {
                Route::Failed { failures, due } if due <= now => {
                    *route = Route::Taken { failures };
                    Turn::Register
                }
                Route::Failed { .. } | Route::Taken { .. } => Turn::Nothing,
            },
            None if !auto_register => Turn::Nothing,
            None if has_room => {
                routes.insert(name, Entry { route: Route::Taken { failures: 0 }, description: None });
                Turn::Register
            }
            None if mem::replace(was_full, true) => Turn::Nothing,
            None => Turn::Full,
        }
    }

    /// Stores the body that describes a route. It replaces an earlier one. Then the route must be registered, and
    /// counts as in progress, unless the same body is already registered or in progress.
    pub(super) fn describe(&self, method_path: &MethodPath<'_>, body: &str) -> Turn {
        if method_path.len() > MAX_ROUTE_LEN {
            return Turn::Nothing;
        }
        let mut state = self.lock();
        let Registry { routes, was_full } = &mut *state;
        let has_room = routes.len() < MAX_ROUTES;
        let described = Entry { route: Route::Taken { failures: 0 }, description: Some(body.into()) };
        match routes.get_mut(&method_path.to_string()) {
            Some(Entry { route: Route::Taken { .. }, description: Some(own) }) if **own == *body => Turn::Nothing,
            Some(entry) => {
                *entry = described;
                Turn::Register
            }
            None if has_room => {
                routes.insert(method_path.to_string(), described);
                Turn::Register
            }
            None if mem::replace(was_full, true) => Turn::Nothing,
            None => Turn::Full,
        }
    }

    /// The body that describes a route, if there is one.
    pub(super) fn description(&self, method_path: &MethodPath<'_>) -> Option<Arc<str>> {
        self.lock().routes.get(&method_path.to_string())?.description.clone()
    }

    /// Records that a registration failed, for any reason. It is due again after a pause.
    pub(super) fn failed(&self, method_path: &MethodPath<'_>, now: Duration) {
        if let Some(Entry { route, .. }) = self.lock().routes.get_mut(&method_path.to_string())
            && let Route::Taken { failures } = *route
        {
            let pause = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(failures)).min(MAX_PAUSE);
            *route = Route::Failed { failures: failures.saturating_add(1), due: now.saturating_add(pause) };
        }
    }

    fn lock(&self) -> MutexGuard<'_, Registry> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        format,
        sync::{
            Barrier,
            atomic::{AtomicUsize, Ordering::SeqCst},
        },
        thread,
    };

    use super::*;
    use crate::policy::Fault;

    /// No breaker is open.
    fn closed() -> Option<Outage> {
        None
    }

    /// Returns when a second thread waits for the look-up of the tenant `a`, or is about to wait.
    fn until_another_waits(clients: &Clients) {
        while Arc::strong_count(&clients.lock().pending["a"]) < 3 {
            thread::yield_now();
        }
    }

    const START: Duration = Duration::from_secs(1_000);
    const MINUTE: Duration = Duration::from_secs(60);

    fn id(number: usize) -> ClientId {
        ClientId::new(&format!("497f6eca-6276-4993-bfeb-{number:012x}")).unwrap()
    }

    fn later() -> Deadline {
        Deadline::after(MINUTE)
    }

    /// The id, and whether it was looked up.
    fn find(clients: &Clients, tenant: &str, now: Duration, answer: ClientId) -> (ClientId, bool) {
        let look_up = || {
            clients.remember(tenant, answer, now);
            Ok(answer)
        };
        let found = clients.find(tenant, now, &later(), closed, look_up).unwrap();
        (found.id, found.asked)
    }

    #[test]
    fn an_id_is_looked_up_once_and_again_when_it_is_old() {
        let clients = Clients::new(10, 10 * MINUTE);
        assert_eq!(find(&clients, "a", MINUTE, id(1)), (id(1), true));
        assert_eq!(find(&clients, "a", 10 * MINUTE, id(2)), (id(1), false));
        assert_eq!(find(&clients, "a", 11 * MINUTE, id(2)), (id(2), true));
        assert_eq!(find(&clients, "a", MINUTE, id(3)), (id(2), false), "the clock went back");
    }

    #[test]
    fn an_id_that_was_given_up_is_looked_up_again_and_stays_the_last_known() {
        let clients = Clients::new(10, MINUTE);
        clients.remember("a", id(1), Duration::ZERO);
        clients.give_up("a", id(2));
        assert_eq!(find(&clients, "a", Duration::ZERO, id(3)), (id(1), false), "another id was given up");
        clients.give_up("a", id(1));
        assert_eq!(clients.last_known("a"), Some(id(1)));
        assert_eq!(find(&clients, "a", Duration::ZERO, id(3)), (id(3), true));
    }

    #[test]
    fn the_oldest_id_is_displaced_and_counted_when_there_is_no_room() {
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
    fn all_threads_that_wait_for_a_tenant_share_one_look_up() {
        for result in [Ok(id(1)), Err(Outcome::Outage(Outage::Reset)), Err(Outcome::Fault(Fault::UnknownClient))] {
            let (clients, look_ups) = (Clients::new(2, MINUTE), AtomicUsize::new(0));
            let waiting = AtomicUsize::new(0);
            let ask = || {
                waiting.fetch_add(1, SeqCst);
                let look_up = || {
                    look_ups.fetch_add(1, SeqCst);
                    // Wait until all others wait, or are about to wait.
                    while waiting.load(SeqCst) < 8 || Arc::strong_count(&clients.lock().pending["a"]) < 9 {
                        thread::yield_now();
                    }
                    result
                };
                clients.find("a", MINUTE, &later(), closed, look_up).map(|found| found.id)
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

    /// The thread that asks may have waited for a slot before, so its time ends sooner.
    #[test]
    fn a_thread_that_has_time_left_looks_up_again_after_another_had_none() {
        let clients = Clients::new(2, MINUTE);
        let (clients, entered) = (&clients, &Barrier::new(2));
        let overload = Err(Outcome::Overload(Overload::TooManyInFlight));
        thread::scope(|scope| {
            let leader = scope.spawn(move || {
                let look_up = || {
                    entered.wait();
                    until_another_waits(clients);
                    overload
                };
                clients.find("a", MINUTE, &later(), closed, look_up).map(|found| found.id)
            });
            entered.wait();
            assert_eq!(clients.find("a", MINUTE, &later(), closed, || Ok(id(1))).map(|found| found.id), Ok(id(1)));
            assert_eq!(leader.join().unwrap(), overload);
        });
        assert!(clients.lock().pending.is_empty());
    }

    /// The rest of the time was this process's own, and must not look like a slow platform.
    #[test]
    fn a_shared_look_up_counts_only_the_time_that_the_transport_had() {
        for asked in [Duration::ZERO, Duration::from_nanos(1), MINUTE] {
            let clients = Clients::new(2, MINUTE);
            let (clients, entered) = (&clients, &Barrier::new(2));
            thread::scope(|scope| {
                scope.spawn(move || {
                    let deadline = later();
                    let look_up = || {
                        entered.wait();
                        until_another_waits(clients);
                        deadline.has_asked(asked);
                        Ok(id(1))
                    };
                    clients.find("a", MINUTE, &deadline, closed, look_up).map(|found| found.id)
                });
                entered.wait();
                let (deadline, start) = (later(), Instant::now());
                assert!(clients.find("a", MINUTE, &deadline, closed, || unreachable!()).is_ok());
                assert!(deadline.asked().total <= asked.min(start.elapsed()));
                assert_eq!(deadline.asked().total > Duration::ZERO, asked > Duration::ZERO);
            });
        }
    }

    #[test]
    fn a_thread_that_joins_a_look_up_later_has_only_spent_the_time_since_then() {
        let clients = Clients::new(2, MINUTE);
        let (clients, entered) = (&clients, &Barrier::new(2));
        thread::scope(|scope| {
            scope.spawn(move || {
                let deadline = later();
                let look_up = || {
                    deadline.has_waited(MINUTE);
                    deadline.has_asked(MINUTE);
                    entered.wait();
                    until_another_waits(clients);
                    Ok(id(1))
                };
                clients.find("a", MINUTE, &deadline, closed, look_up).map(|found| found.id)
            });
            entered.wait();
            let deadline = later();
            assert!(clients.find("a", MINUTE, &deadline, closed, || unreachable!()).is_ok());
            assert_eq!((deadline.waited().total, deadline.asked().total), (Duration::ZERO, Duration::ZERO));
        });
    }

    /// The look-up ends after the time of the thread that waits.
    #[test]
    fn a_look_up_that_ends_a_little_late_is_shared() {
        let (limit, late) = (Duration::from_secs(4), Duration::from_millis(4250));
        let clients = Clients::new(2, MINUTE);
        let (clients, entered) = (&clients, &Barrier::new(2));
        let outage = Err(Outcome::Outage(Outage::Timeout));
        thread::scope(|scope| {
            scope.spawn(move || {
                let look_up = || {
                    entered.wait();
                    until_another_waits(clients);
                    thread::sleep(late);
                    outage
                };
                clients.find("a", MINUTE, &later(), closed, look_up).map(|found| found.id)
            });
            entered.wait();
            let result = clients.find("a", MINUTE, &Deadline::after(limit), closed, || unreachable!());
            assert_eq!(result.map(|found| found.id), outage);
        });
    }

    #[test]
    fn nobody_waits_for_a_look_up_while_a_breaker_is_open() {
        let clients = Clients::new(2, MINUTE);
        let (clients, entered, answered) = (&clients, &Barrier::new(2), &Barrier::new(2));
        let open = Outage::BreakerOpen { retry_after: Duration::from_secs(1) };
        thread::scope(|scope| {
            scope.spawn(move || {
                let look_up = || {
                    entered.wait();
                    answered.wait();
                    Ok(id(1))
                };
                clients.find("a", MINUTE, &later(), closed, look_up).map(|found| found.id)
            });
            entered.wait();
            let result = clients.find("a", MINUTE, &later(), || Some(open), || unreachable!());
            answered.wait();
            assert_eq!(result.map(|found| found.id), Err(Outcome::Outage(open)));
        });
    }

    #[test]
    fn each_tenant_has_its_own_look_up() {
        let (clients, both) = (Clients::new(2, MINUTE), Barrier::new(2));
        thread::scope(|scope| {
            for tenant in 0..2 {
                let (clients, both) = (&clients, &both);
                scope.spawn(move || {
                    let look_up = || {
                        both.wait();
                        Ok(id(tenant))
                    };
                    let found = clients.find(&tenant.to_string(), MINUTE, &later(), closed, look_up).unwrap();
                    assert_eq!(found.id, id(tenant));
                });
            }
        });
    }

    #[test]
    fn a_look_up_that_panics_releases_all_waiting_threads() {
        let clients = Clients::new(2, MINUTE);
        let (clients, entered) = (&clients, Barrier::new(2));
        thread::scope(|scope| {
            let entered = &entered;
            let leader = scope.spawn(move || {
                let look_up = || {
                    entered.wait();
                    until_another_waits(clients);
                    panic!("a transport that panics")
                };
                clients.find("a", MINUTE, &later(), closed, look_up).map(|found| found.id)
            });
            entered.wait();
            let follower = clients.find("a", MINUTE, &later(), closed, || unreachable!()).map(|found| found.id);
            assert_eq!(follower, Err(NOT_MADE));
            assert!(leader.join().is_err());
        });
        assert_eq!(find(clients, "a", MINUTE, id(1)), (id(1), true), "the next thread asks again");
    }

    #[test]
    fn each_route_is_registered_once_and_a_full_registry_is_reported_once() {
        let routes = Routes::default();
        for n in 0..MAX_ROUTES {
            let path = format!("/{n}");
            let route = MethodPath::new("GET", &path).unwrap();
            assert_eq!([(); 2].map(|()| routes.turn(&route, true, START)), [Turn::Register, Turn::Nothing]);
        }
        let more = MethodPath::new("POST", "/0").unwrap();
        assert_eq!([(); 3].map(|()| routes.turn(&more, true, START)), [Turn::Full, Turn::Nothing, Turn::Nothing]);
        assert_eq!(routes.turn(&MethodPath::new("POST", "/1").unwrap(), true, START), Turn::Nothing);
    }

    #[test]
    fn a_known_route_is_tried_again_even_when_the_registry_is_full() {
        let routes = Routes::default();
        for n in 0..MAX_ROUTES {
            let path = format!("/{n}");
            assert_eq!(routes.turn(&MethodPath::new("GET", &path).unwrap(), true, START), Turn::Register);
        }
        let route = MethodPath::new("GET", "/0").unwrap();
        routes.failed(&route, START);
        assert_eq!(routes.turn(&route, true, START + FIRST_PAUSE), Turn::Register);
    }

    #[test]
    fn each_failure_doubles_the_pause_up_to_an_hour() {
        let (routes, route) = (Routes::default(), MethodPath::new("GET", "/").unwrap());
        let mut now = START;
        assert_eq!(routes.turn(&route, true, now), Turn::Register);
        for failures in 0..100 {
            let pause = Duration::from_secs(2_u64.saturating_pow(failures).min(3_600));
            routes.failed(&route, now);
            assert_eq!(routes.turn(&route, true, now + pause - Duration::from_nanos(1)), Turn::Nothing, "{pause:?}");
            now += pause;
            assert_eq!([(); 2].map(|()| routes.turn(&route, true, now)), [Turn::Register, Turn::Nothing], "{pause:?}");
        }
    }

    #[test]
    fn a_path_that_is_too_long_for_a_route_is_never_registered() {
        let path = "/".repeat(600);
        assert_eq!(Routes::default().turn(&MethodPath::new("GET", &path).unwrap(), true, START), Turn::Nothing);
    }

    #[test]
    fn a_description_replaces_an_earlier_registration_and_is_kept_for_the_next_try() {
        let (routes, route) = (Routes::default(), MethodPath::new("GET", "/").unwrap());
        assert_eq!(routes.turn(&route, true, START), Turn::Register);
        assert_eq!(routes.description(&route), None);
        let described = || routes.description(&route).unwrap().to_string();
        assert_eq!(
            ["a", "a", "b"].map(|body| routes.describe(&route, body)),
            [Turn::Register, Turn::Nothing, Turn::Register]
        );
        assert_eq!((described(), routes.turn(&route, true, START)), ("b".into(), Turn::Nothing));
        routes.failed(&route, START);
        assert_eq!((described(), routes.turn(&route, false, START + FIRST_PAUSE)), ("b".into(), Turn::Register));
        routes.failed(&route, START);
        assert_eq!(routes.describe(&route, "b"), Turn::Register, "it is not registered yet");
    }

    #[test]
    fn without_automatic_registration_only_described_routes_are_registered() {
        let (routes, route) = (Routes::default(), MethodPath::new("GET", "/").unwrap());
        assert_eq!(routes.turn(&route, false, START), Turn::Nothing);
        assert_eq!(routes.describe(&route, "a"), Turn::Register);
        let long = "/".repeat(600);
        assert_eq!(routes.describe(&MethodPath::new("GET", &long).unwrap(), "a"), Turn::Nothing);
    }
}
