//! The scenarios: what several threads do at once, and what must hold in every order of their steps.
//!
//! | part | what must hold |
//! |---|---|
//! | queue | each job is done, dropped or given back exactly once. Neither bound is exceeded. Requested work is done at once, not only at the end. `close` returns, and the thread ends |
//! | gate and client table | there are never more calls than slots, and never more calls of one client than its share. Every waiting thread is woken. No failure and no refusal is lost |
//! | keyring | a key that is good before and after a change is also good during it. A replaced secret is refused afterwards. No change is lost |
//! | revocations | a revoked key is always found, also while others change the set |

use core::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    time::Duration,
};
use std::{
    boxed::Box,
    string::String,
    sync::{Arc, Condvar, Mutex},
    thread,
    time::Instant,
    vec,
    vec::Vec,
};

use super::{
    background::{Background, Dropped, Task},
    event::{Event, Events},
    gate::{Caller, Deadline, Gate, Limits},
    request::Origin,
    revocations::Revocations,
    secrets::Keys,
};
use crate::{
    breaker::{BreakerConfig, BreakerState, ClientRef},
    key::{Fingerprint, Keyring, NewKey},
    policy::{Outage, Outcome, Overload, Rejection},
    time::UnixTime,
};

const LONG: Duration = Duration::from_secs(60);

/// The name of a scenario, whether a wait with a time limit may time out in it, and its function.
pub type Scenario = (&'static str, bool, fn());

pub const ALL: [Scenario; 14] = [
    ("queue: no job is lost or done twice", false, no_job_is_lost_or_done_twice),
    ("queue: neither bound is exceeded", false, neither_bound_of_the_queue_is_exceeded),
    ("queue: requested work is done at once", false, requested_work_is_done_at_once),
    ("queue: two threads can close it", false, two_threads_can_close_the_queue),
    ("queue: closing it respects the time limit", true, closing_the_queue_respects_the_time_limit),
    ("gate: no more calls than slots, and all get one", false, no_more_calls_than_slots_and_all_get_one),
    ("gate: a call that gives up keeps no slot", true, a_call_that_gives_up_keeps_no_slot),
    ("table: no failure is lost", false, no_failure_is_lost),
    ("table: an open breaker wakes waiting calls", false, an_open_breaker_wakes_waiting_calls),
    ("table: no refusal is lost", false, no_refusal_is_lost),
    ("keyring: a key that both allow is never refused", false, a_key_that_both_rings_allow_is_never_refused),
    ("keyring: no replacement is lost", false, no_replacement_of_a_keyring_is_lost),
    ("revocations: an added entry is never missed", false, an_added_entry_is_never_missed),
    ("revocations: an entry of both sets is never missed", false, an_entry_of_both_sets_is_never_missed),
];

/// Runs each job on its own thread, and waits for all.
fn all<'a>(jobs: impl IntoIterator<Item = &'a (dyn Fn() + Sync)>) {
    thread::scope(|scope| jobs.into_iter().for_each(|job| _ = scope.spawn(job)));
}

/// Works like the client's thread: does all jobs, and ends.
fn work(queue: &Background<u32>, done: &Mutex<Vec<u32>>) {
    while let Some(task) = queue.next() {
        if let Task::Job(job) = task {
            done.lock().unwrap().push(job);
        }
    }
    queue.ends();
}

fn no_job_is_lost_or_done_twice() {
    let (queue, done, dropped) = (Background::new(2, usize::MAX), Mutex::default(), Mutex::new(Vec::new()));
    let drop_all = |Dropped { jobs, .. }: Dropped<u32>| dropped.lock().unwrap().extend(jobs);
    let push = |first: u32| (first..first + 3).for_each(|job| drop_all(queue.push(job, 0)));
    queue.starts();
    all([&(|| work(&queue, &done)) as &(dyn Fn() + Sync), &|| {
        all([&(|| push(10)) as &(dyn Fn() + Sync), &|| push(20)]);
        drop_all(queue.close(LONG));
    }]);
    let done = done.into_inner().unwrap();
    let Dropped { jobs, total } = queue.close(LONG);
    let dropped = dropped.into_inner().unwrap();
    assert!(jobs.is_empty(), "a job is left after the end");
    assert_eq!(total, u64::try_from(dropped.len()).unwrap(), "the number of dropped jobs");
    for first in [10, 20] {
        let order: Vec<_> = done.iter().filter(|job| (first..first + 3).contains(*job)).collect();
        assert!(order.is_sorted(), "done in another order: {done:?}");
    }
    let mut every: Vec<_> = done.into_iter().chain(dropped).collect();
    every.sort_unstable();
    assert_eq!(every, [10, 11, 12, 20, 21, 22], "each job once");
}

fn neither_bound_of_the_queue_is_exceeded() {
    let by_jobs = Background::new(3, usize::MAX);
    let push = || (0..3).for_each(|job| _ = by_jobs.push(job, 0));
    all([&push as &(dyn Fn() + Sync), &push, &push]);
    assert_eq!(by_jobs.close(Duration::ZERO).jobs.len(), 3);
    let owned = 1000;
    let by_bytes = Background::new(usize::MAX, 2500);
    let push = || (0..3).for_each(|job| _ = by_bytes.push(job, owned));
    all([&push as &(dyn Fn() + Sync), &push]);
    assert_eq!(by_bytes.close(Duration::ZERO).jobs.len(), 2);
}

fn requested_work_is_done_at_once() {
    let queue = Background::new(2, usize::MAX);
    let (tasks, told) = (Mutex::new(0), Condvar::new());
    queue.starts();
    all([
        &(|| {
            while queue.next().is_some() {
                *tasks.lock().unwrap() += 1;
                told.notify_all();
            }
            queue.ends();
        }) as &(dyn Fn() + Sync),
        &|| {
            // Sessions are requested from the start. Only requested work wakes the thread.
            for wish in 1..5 {
                let mut count = tasks.lock().unwrap();
                while *count < wish {
                    count = told.wait(count).unwrap();
                }
                drop(count);
                if wish % 2 == 0 {
                    queue.refill();
                } else {
                    let _ = queue.push(wish, 0);
                }
            }
            let _ = queue.close(LONG);
        },
    ]);
}

fn two_threads_can_close_the_queue() {
    let (queue, done, undone) = (Background::new(4, usize::MAX), Mutex::default(), AtomicUsize::new(0));
    queue.starts();
    let close = || {
        let dropped = [queue.push(1, 0), queue.close(LONG)];
        undone.fetch_add(dropped.map(|dropped| dropped.jobs.len()).iter().sum(), SeqCst);
    };
    all([&(|| work(&queue, &done)) as &(dyn Fn() + Sync), &close, &close]);
    assert_eq!(done.lock().unwrap().len() + undone.load(SeqCst), 2, "each job once");
}

fn closing_the_queue_respects_the_time_limit() {
    let (queue, done) = (Background::new(4, usize::MAX), Mutex::default());
    queue.starts();
    let undone = Mutex::new(Vec::new());
    all([&(|| work(&queue, &done)) as &(dyn Fn() + Sync), &|| {
        (0..3).for_each(|job| _ = queue.push(job, 0));
        let dropped = queue.close(Duration::from_millis(1));
        assert_eq!(queue.push(9, 0).jobs, [9], "no job is accepted after the end");
        undone.lock().unwrap().extend(dropped.jobs);
    }]);
    let mut every: Vec<u32> = done.into_inner().unwrap().into_iter().chain(undone.into_inner().unwrap()).collect();
    every.sort_unstable();
    assert_eq!(every, [0, 1, 2], "each job once");
}

const HERE: Origin<'static> = Origin::Text("here");

fn caller(client: u128) -> Option<Caller<'static>> {
    Some(Caller { origin: Some(HERE), judged: Some("key"), ..Caller::of(ClientRef::new(client)) })
}

fn gate(in_flight: usize, clients: usize) -> Gate {
    let breaker = BreakerConfig::DEFAULT.consecutive_failures(3).unwrap().cool_down(LONG, LONG).unwrap();
    let limits = Limits { breaker, clients, in_flight, in_flight_per_client: Some(1), ..Limits::DEFAULT };
    Gate::new(&limits, LONG)
}

/// Numbers of calls in flight: in all (at most two), and of each client (at most one).
#[derive(Default)]
struct UnderWay([AtomicUsize; 3]);

impl UnderWay {
    fn call(&self, gate: &Gate, client: u128, limit: Duration) -> bool {
        let (total, own) = (&self.0[0], &self.0[usize::try_from(client).unwrap()]);
        match gate.enter(caller(client), &Deadline::after(limit), &Events::default()) {
            Ok(slot) => {
                assert!(total.fetch_add(1, SeqCst) < 2, "more calls than slots");
                assert!(own.fetch_add(1, SeqCst) < 1, "more calls of a client than its share");
                thread::yield_now();
                own.fetch_sub(1, SeqCst);
                total.fetch_sub(1, SeqCst);
                slot.settle(Outcome::Confirmed);
                true
            }
            Err(outcome) => {
                assert_eq!(outcome, Outcome::Overload(Overload::TooManyInFlight));
                false
            }
        }
    }
}

/// Whether two clients can get a slot each at the same time, so that no slot is still taken.
fn is_empty(gate: &Gate) -> bool {
    let events = Events::default();
    let enter = |client| gate.enter(caller(client), &Deadline::after(Duration::ZERO), &events);
    let (one, other) = (enter(1), enter(2));
    one.is_ok() && other.is_ok()
}

fn no_more_calls_than_slots_and_all_get_one() {
    let (gate, under_way) = (gate(2, 8), UnderWay::default());
    let call = |client| assert!(under_way.call(&gate, client, LONG), "nobody waits that long");
    let (one, other) = (|| call(1), || call(2));
    all([&one as &(dyn Fn() + Sync), &one, &other, &other]);
    assert!(is_empty(&gate));
}

fn a_call_that_gives_up_keeps_no_slot() {
    let (gate, under_way) = (gate(2, 8), UnderWay::default());
    let call = |client| _ = under_way.call(&gate, client, Duration::from_micros(50));
    let (one, other) = (|| call(1), || call(2));
    all([&one as &(dyn Fn() + Sync), &one, &one, &other]);
    assert!(is_empty(&gate));
}

/// Counts the events with this name.
fn counted(name: &'static str) -> (Events, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    let events = Events::to(move |event: &Event<'_>| {
        if event.name() == name {
            counter.fetch_add(1, SeqCst);
        }
    });
    (events, count)
}

fn no_failure_is_lost() {
    let gate = gate(8, 8);
    let (events, opened) = counted("client_breaker_opened");
    let fail = || {
        // The client's share is one call, so each call waits for the one before it.
        if let Ok(slot) = gate.enter(caller(1), &Deadline::after(LONG), &events) {
            slot.settle(Outcome::Outage(Outage::Timeout));
        }
    };
    all([&fail as &(dyn Fn() + Sync), &fail, &fail]);
    let next = gate.enter(caller(1), &Deadline::after(LONG), &events);
    assert!(matches!(next, Err(Outcome::Outage(Outage::BreakerOpen { .. }))), "three failures open it");
    assert_eq!(opened.load(SeqCst), 1, "and one event reports it");
    drop(next);
    assert!(gate.enter(caller(2), &Deadline::after(LONG), &events).is_ok(), "another client's breaker is closed");
    assert_eq!(gate.breaker_state(), BreakerState::Closed);
}

fn an_open_breaker_wakes_waiting_calls() {
    let gate = gate(2, 8);
    let (events, opened) = counted("breaker_opened");
    let asked = AtomicUsize::new(0);
    let ask = |client| {
        if let Ok(slot) = gate.enter(caller(client), &Deadline::after(LONG), &events) {
            asked.fetch_add(1, SeqCst);
            slot.settle(Outcome::Outage(Outage::Connect));
        }
    };
    let (one, other, third) = (|| ask(1), || ask(2), || ask(3));
    all([&one as &(dyn Fn() + Sync), &one, &other, &other, &third]);
    assert!((3..=4).contains(&asked.load(SeqCst)), "three failures, and perhaps a call that was in flight");
    assert_eq!(opened.load(SeqCst), 1);
    assert_eq!(gate.breaker_state(), BreakerState::Open);
}

fn no_refusal_is_lost() {
    const REFUSED: Outcome = Outcome::Rejected(Rejection::RateLimited { retry_after: Some(600) });
    let gate = Gate::new(&Limits { clients: 2, in_flight_per_client: Some(2), ..Limits::DEFAULT }, LONG);
    let (events, displaced) = counted("refusal_displaced");
    let remembers = |client| gate.remembered([ClientRef::new(client)], HERE).is_some();
    let refuse = |client| {
        let enter = || gate.enter(caller(client), &Deadline::after(LONG), &events).unwrap();
        let earlier = enter();
        enter().settle(REFUSED);
        // A confirmation of an earlier call does not count.
        earlier.settle(Outcome::Confirmed);
        client
    };
    // The table has two slots, for two clients.
    let both = || {
        refuse(1);
        assert!(remembers(1), "lost at once");
    };
    all([&both as &(dyn Fn() + Sync), &|| _ = refuse(2), &|| _ = remembers(1)]);
    assert!(remembers(1) && remembers(2), "lost later");
    assert_eq!(displaced.load(SeqCst), 0);
    // Two more clients at once displace both, and events report it.
    all([&(|| _ = refuse(3)) as &(dyn Fn() + Sync), &|| _ = refuse(4)]);
    assert_eq!([1, 2, 3, 4].map(remembers), [false, false, true, true]);
    assert_eq!(displaced.load(SeqCst), 2);
}

fn ring(secrets: &[&str]) -> Box<Keyring> {
    let mut keys = Box::new(Keyring::new(secrets[0].as_bytes()).unwrap());
    secrets[1..].iter().for_each(|secret| _ = keys.accept(secret.as_bytes()).unwrap());
    keys
}

fn issued(secret: &str) -> String {
    ring(&[secret]).issue(&NewKey::new("t"), NOW, &mut crate::SysRng, &mut [0; 512]).unwrap().into()
}

const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);

fn good(keys: &Keys, key: &String) -> bool {
    let ring = keys.load(drop);
    // Another thread may replace the ring in between.
    thread::yield_now();
    ring.verify(key, NOW, &mut [0; 512]).is_ok()
}

fn a_key_that_both_rings_allow_is_never_refused() {
    let keys = Keys::new(ring(&["both", "before"]), Duration::ZERO);
    let (both, before, grace) = (issued("both"), issued("before"), issued("grace"));
    let over = AtomicBool::new(false);
    let read = || {
        for _ in 0..3 {
            assert!(good(&keys, &both), "refused, although both rings allow it");
            let over = over.load(SeqCst);
            assert!(!(over && good(&keys, &before)), "good, although its secret was replaced");
        }
    };
    all([
        &read as &(dyn Fn() + Sync),
        &read,
        &|| {
            keys.replace(ring(&["after", "both"]), Duration::ZERO, Instant::now());
            over.store(true, SeqCst);
            keys.replace(ring(&["both", "grace"]), Duration::ZERO, Instant::now());
            // The secret is in no new ring, but its grace period is not over.
            keys.replace(ring(&["both"]), LONG, Instant::now());
            keys.replace(ring(&["other", "both"]), LONG, Instant::now());
            assert!(good(&keys, &grace), "refused before its grace period is over");
        },
        &|| _ = keys.expire(Instant::now()),
    ]);
}

fn no_replacement_of_a_keyring_is_lost() {
    let keys = Keys::new(ring(&["0"]), Duration::ZERO);
    let written = ["0", "1", "2", "3"].map(issued);
    let replace = |secret| {
        keys.replace(ring(&[secret]), LONG, Instant::now());
    };
    all([
        &(|| replace("1")) as &(dyn Fn() + Sync),
        &|| replace("2"),
        &|| replace("3"),
        &|| _ = keys.expire(Instant::now()),
        &|| assert!(good(&keys, &written[0]), "refused before its grace period is over"),
    ]);
    assert!(written.iter().all(|key| good(&keys, key)), "all are good for a minute, whichever replacement was last");
}

/// Fingerprints in the same shard and the same word of its filter. Each has different bits.
fn neighbour(number: u8) -> Fingerprint {
    let mut bytes = [0; 32];
    (bytes[3], bytes[4], bytes[5]) = (number, number, number);
    Fingerprint::from_bytes(bytes)
}

fn an_added_entry_is_never_missed() {
    let set = Revocations::new();
    let [gone, first, second, twice] = [0, 1, 2, 3].map(neighbour);
    set.insert(gone);
    let is_in = AtomicBool::new(false);
    let new = AtomicUsize::new(0);
    let insert = |one| new.fetch_add(usize::from(set.insert(one)), SeqCst);
    all([
        &(|| {
            insert(first);
            assert!(set.contains(&first), "missed by the thread that added it");
            is_in.store(true, SeqCst);
            insert(twice);
        }) as &(dyn Fn() + Sync),
        &|| {
            insert(second);
            insert(twice);
        },
        &|| assert!(set.remove(&gone)),
        &|| {
            for _ in 0..2 {
                let added = is_in.load(SeqCst);
                assert!(!added || set.contains(&first), "missed by another thread");
            }
        },
    ]);
    assert_eq!(set.to_vec(), vec![first, second, twice], "an entry is lost");
    assert_eq!(new.load(SeqCst), 3, "each is new once");
    assert!(!set.contains(&gone));
}

fn an_entry_of_both_sets_is_never_missed() {
    let [shared, old, new, later] = [4, 5, 6, 7].map(neighbour);
    let set: Revocations = [shared, old].into_iter().collect();
    all([&(|| _ = set.replace([shared, new])) as &(dyn Fn() + Sync), &|| _ = set.insert(later), &|| {
        (0..3).for_each(|_| assert!(set.contains(&shared), "missed"))
    }]);
    assert!(set.contains(&shared) && set.contains(&new) && !set.contains(&old));
}
