//! Breakers, and the limit on calls in flight.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use apikee::{
    breaker::{BreakerConfig, BreakerState},
    client::{AuthorizeRequest, Call, Event, Received, Transport, TransportError},
    meta::JsonObject,
    policy::{Basis, Fault, Outage},
    protocol::MethodPath,
};

use crate::{
    LONG, ask, decide,
    platform::{Answer, CLIENT, Platform, key, listed, willing},
    wait_until,
};

#[test]
fn after_some_failures_requests_do_not_wait_for_the_platform() {
    let platform = Platform::new(|_| Answer::Error(TransportError::Outage(Outage::Connect)));
    let config = BreakerConfig::DEFAULT.consecutive_failures(3).unwrap();
    let config = config.cool_down(Duration::from_secs(3600), Duration::from_secs(3600)).unwrap();
    let opened = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&opened);
    let apikee = platform
        .builder()
        .breaker(config)
        .observer(move |event: &Event<'_>| {
            if let Event::BreakerOpened = event {
                count.fetch_add(1, Ordering::Relaxed);
            }
        })
        .build()
        .unwrap();
    let key = key(CLIENT, "{}");
    for _ in 0..3 {
        assert_eq!(apikee.breaker_state(), Some(BreakerState::Closed));
        assert_eq!(ask(&apikee, &key), Ok(Basis::FailedOpen(Outage::Connect)));
    }
    for _ in 0..5 {
        assert!(matches!(ask(&apikee, &key), Ok(Basis::FailedOpen(Outage::BreakerOpen { .. }))));
    }
    assert_eq!(apikee.breaker_state(), Some(BreakerState::Open));
    assert_eq!(platform.seen().len(), 3);
    assert_eq!(opened.load(Ordering::Relaxed), 1);
}

#[test]
fn a_recovered_platform_is_asked_again() {
    let down = Arc::new(AtomicBool::new(true));
    let is_down = Arc::clone(&down);
    let platform =
        Platform::new(move |seen| if is_down.load(Ordering::Relaxed) { Answer::status(503) } else { willing(seen) });
    let config = BreakerConfig::DEFAULT.consecutive_failures(1).unwrap();
    let config = config.cool_down(Duration::from_millis(1), Duration::from_millis(1)).unwrap();
    let events = Arc::new(Mutex::new(Vec::new()));
    let note = Arc::clone(&events);
    let apikee = platform
        .builder()
        .breaker(config)
        .observer(move |event: &Event<'_>| match event {
            Event::BreakerOpened => note.lock().unwrap().push("opened"),
            Event::BreakerClosed => note.lock().unwrap().push("closed"),
            _ => {}
        })
        .build()
        .unwrap();
    let (key, other) = (key(CLIENT, "{}"), key(OTHER, "{}"));
    assert_eq!(ask(&apikee, &key), Ok(Basis::FailedOpen(Outage::Status(503))));
    assert_eq!(apikee.breaker_state(), Some(BreakerState::Closed), "one client alone must not open it");
    assert_eq!(ask(&apikee, &other), Ok(Basis::FailedOpen(Outage::Status(503))));
    down.store(false, Ordering::Relaxed);
    wait_until(|| ask(&apikee, &key) == Ok(Basis::Confirmed));
    assert_eq!(apikee.breaker_state(), Some(BreakerState::Closed));
    assert_eq!(*events.lock().unwrap(), ["opened", "closed"]);
}

/// A request that waited for its client's share of the slots may become the probe of a half-open breaker. Its timeout
/// then shows nothing, and it must not pass because of its own probe.
#[test]
fn a_probe_that_waited_long_for_a_slot_is_an_overload() {
    const OTHER: &str = "11111111-2222-4333-8444-555555555555";
    let (release, released) = mpsc::channel();
    let (released, calls) = (Mutex::new(released), Arc::new(AtomicUsize::new(0)));
    let made = Arc::clone(&calls);
    let (asked, has_asked) = mpsc::channel();
    let inner = Platform::willing();
    let answers = inner.transport();
    let transport = move |call: &Call<'_>, answer: &mut [u8]| match calls.fetch_add(1, Ordering::Relaxed) {
        0 => {
            asked.send(()).unwrap();
            released.lock().unwrap().recv().unwrap();
            answers.call(call, answer)
        }
        1 => Err(TransportError::Outage(Outage::Connect)),
        _ => {
            thread::sleep(call.timeout);
            Err(TransportError::Outage(Outage::Timeout))
        }
    };
    let config = BreakerConfig::DEFAULT.consecutive_failures(1).unwrap();
    let config = config.cool_down(Duration::from_millis(1), Duration::from_millis(1)).unwrap();
    let builder = inner.builder().transport(transport).timeout(Duration::from_secs(4));
    let apikee = builder.breaker(config).max_in_flight(2).max_in_flight_per_client(1).build().unwrap();
    thread::scope(|scope| {
        let first = scope.spawn(|| ask(&apikee, &key(CLIENT, "{}")));
        has_asked.recv().unwrap();
        assert_eq!(ask(&apikee, &key(OTHER, "{}")), Ok(Basis::FailedOpen(Outage::Connect)));
        wait_until(|| apikee.breaker_state() == Some(BreakerState::HalfOpen));
        let probe = scope.spawn(|| ask(&apikee, &key(CLIENT, "{}")));
        // More than a tenth of its time.
        thread::sleep(Duration::from_millis(1500));
        release.send(()).unwrap();
        assert!(first.join().unwrap().is_ok());
        let answer = probe.join().unwrap();
        assert!(answer.as_ref().is_err_and(|denial| denial.starts_with("SERVER_UNAVAILABLE")), "{answer:?}");
    });
    assert_eq!(made.load(Ordering::Relaxed), 3, "the probe was sent");
}

/// Otherwise each probe by a look-up would hold all requests of its tenant until it times out.
#[test]
fn nobody_waits_for_a_look_up_that_is_the_probe_of_a_breaker() {
    let (asked, has_asked) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let (released, calls) = (Mutex::new(released), AtomicUsize::new(0));
    let transport = move |_: &Call<'_>, _: &mut [u8]| -> Result<Received, TransportError> {
        if calls.fetch_add(1, Ordering::Relaxed) > 0 {
            asked.send(()).unwrap();
            let _ = released.lock().unwrap().recv();
        }
        Err(TransportError::Outage(Outage::Connect))
    };
    let config = BreakerConfig::DEFAULT.consecutive_failures(1).unwrap();
    let config = config.cool_down(Duration::from_millis(1), Duration::from_millis(1)).unwrap();
    let builder = Platform::willing().builder().transport(transport).breaker(config).timeout(LONG);
    let apikee = builder.tenant_is_client_id(false).build().unwrap();
    let key = key("acme-corp", "{}");
    assert_eq!(ask(&apikee, &key), Ok(Basis::FailedOpen(Outage::Connect)));
    wait_until(|| apikee.breaker_state() == Some(BreakerState::HalfOpen));
    thread::scope(|scope| {
        let probe = scope.spawn(|| ask(&apikee, &key));
        has_asked.recv().unwrap();
        let answer = ask(&apikee, &key);
        assert!(matches!(answer, Ok(Basis::FailedOpen(Outage::BreakerOpen { .. }))), "{answer:?}");
        drop(release);
        assert_eq!(probe.join().unwrap(), Ok(Basis::FailedOpen(Outage::Connect)));
    });
}

/// These events occur between the calls of one request: a look-up that closes the breaker, displaces an id, or creates
/// the client.
#[test]
fn an_observer_that_blocks_leaves_the_platform_all_of_its_time() {
    const LIMIT: Duration = Duration::from_secs(1);
    for name in ["breaker_closed", "client_id_displaced", "client_upserted"] {
        let down = Arc::new(AtomicBool::new(true));
        let is_down = Arc::clone(&down);
        let platform = Platform::new(move |seen| match seen.looked_up() {
            _ if is_down.load(Ordering::Relaxed) => Answer::Error(TransportError::Outage(Outage::Connect)),
            Some(_) if name == "client_upserted" => listed(&[]),
            Some(tenant) => listed(&[(CLIENT, tenant)]),
            None => willing(seen),
        });
        let blocked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&blocked);
        let config = BreakerConfig::DEFAULT.consecutive_failures(1).unwrap();
        let config = config.cool_down(Duration::from_millis(1), Duration::from_millis(1)).unwrap();
        let builder = platform.builder().breaker(config).timeout(LIMIT).tenant_is_client_id(false).max_client_ids(1);
        let builder = builder.create_unknown_clients(true).observer(move |event: &Event<'_>| {
            if event.name() == name {
                count.fetch_add(1, Ordering::Relaxed);
                thread::sleep(LIMIT);
            }
        });
        let apikee = builder.build().unwrap();
        assert!(ask(&apikee, &key("acme-corp", "{}")).is_ok());
        down.store(false, Ordering::Relaxed);
        wait_until(|| apikee.breaker_state() == Some(BreakerState::HalfOpen));
        for tenant in ["acme-corp", "globex"] {
            assert_eq!(ask(&apikee, &key(tenant, "{}")), Ok(Basis::Confirmed), "{name}");
        }
        assert!(blocked.load(Ordering::Relaxed) > 0, "{name}");
    }
}

/// A tenant that the platform lists twice must not keep the breaker half-open for the others.
#[test]
fn an_answer_that_names_two_clients_closes_the_breaker() {
    let down = Arc::new(AtomicBool::new(true));
    let is_down = Arc::clone(&down);
    let platform = Platform::new(move |seen| match seen.looked_up() {
        _ if is_down.load(Ordering::Relaxed) => Answer::Error(TransportError::Outage(Outage::Connect)),
        Some(tenant) => listed(&[(CLIENT, tenant), (OTHER, tenant)]),
        None => Answer::yes(),
    });
    let config = BreakerConfig::DEFAULT.consecutive_failures(1).unwrap();
    let config = config.cool_down(Duration::from_millis(1), Duration::from_millis(1)).unwrap();
    let apikee = platform.builder().tenant_is_client_id(false).breaker(config).build().unwrap();
    let key = key("acme-corp", "{}");
    assert_eq!(ask(&apikee, &key), Ok(Basis::FailedOpen(Outage::Connect)));
    assert_ne!(apikee.breaker_state(), Some(BreakerState::Closed));
    down.store(false, Ordering::Relaxed);
    wait_until(|| ask(&apikee, &key) == Err(format!("SERVER_FAULT: {}", Fault::UnknownClient)));
    assert_eq!(apikee.breaker_state(), Some(BreakerState::Closed));
}

/// It never calls the platform. It sends targets of up to 1,000 bytes.
struct Away;

impl Transport for Away {
    fn call(&self, _: &Call<'_>, _: &mut [u8]) -> Result<Received, TransportError> {
        Err(TransportError::Outage(Outage::Connect))
    }

    fn max_target_len(&self) -> usize {
        1_000
    }
}

/// Behind the gate it would be the breaker's probe, and could keep the breaker half-open for the others.
#[test]
fn a_request_that_is_too_long_to_be_sent_is_denied_in_front_of_the_gate() {
    let config = BreakerConfig::DEFAULT.consecutive_failures(1).unwrap().cool_down(LONG, LONG).unwrap();
    let apikee = Platform::willing().builder().transport(Away).breaker(config).build().unwrap();
    let key = key(CLIENT, "{}");
    assert_eq!(ask(&apikee, &key), Ok(Basis::FailedOpen(Outage::Connect)));
    let (path, payload) = (format!("/{}", "p".repeat(1_000)), format!(r#"{{"a":"{}"}}"#, "v".repeat(66_000)));
    let [short, long] = ["/", &path].map(|path| MethodPath::new("GET", path).unwrap());
    let not_sent = Err(format!("SERVER_FAULT: {}", Fault::NotSent));
    assert_eq!(decide(&apikee, &AuthorizeRequest::new(Some(&key), long)), not_sent);
    let payload = JsonObject::new(&payload).unwrap();
    assert_eq!(decide(&apikee, &AuthorizeRequest::new(Some(&key), short).payload(payload)), not_sent);
    assert!(matches!(ask(&apikee, &key), Ok(Basis::FailedOpen(Outage::BreakerOpen { .. }))));
}

#[test]
fn refusals_and_unreadable_answers_do_not_open_the_breaker() {
    for answer in [Answer::no as fn() -> Answer, || Answer::status(429), || Answer::Plain(200, b"<html>".to_vec())] {
        let platform = Platform::new(move |_| answer());
        let config = BreakerConfig::DEFAULT.consecutive_failures(1).unwrap();
        let apikee = platform.builder().breaker(config).build().unwrap();
        for _ in 0..3 {
            assert!(ask(&apikee, &key(CLIENT, "{}")).is_err());
        }
        assert_eq!(platform.seen().len(), 3);
        assert_eq!(apikee.breaker_state(), Some(BreakerState::Closed));
    }
}

/// A platform that reports each call, and holds it until it is released. When the sender is dropped, it holds no call.
/// So each scope with threads owns the sender: otherwise an assertion that fails in the scope would wait for ever.
fn holding() -> (Arc<Platform>, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (entered, arrivals) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let platform = Platform::new(move |seen| {
        entered.send(()).unwrap();
        let _ = released.lock().unwrap().recv();
        willing(seen)
    });
    (platform, arrivals, release)
}

const OVERLOAD: &str = "SERVER_UNAVAILABLE: too many calls to the platform are in flight";
/// A time that passes in a test. All that must happen in less time takes a few milliseconds.
const SHORT: Duration = Duration::from_secs(1);
const OTHER: &str = "11111111-2222-4333-8444-555555555555";

#[test]
fn a_request_without_a_slot_by_its_deadline_is_denied_as_an_overload() {
    let (platform, arrivals, release) = holding();
    let held = platform.builder().max_in_flight(2).max_in_flight_per_client(2).timeout(SHORT).build().unwrap();
    let key = key(CLIENT, "{}");
    thread::scope(|scope| {
        let release = release;
        let calls = [(); 2].map(|()| scope.spawn(|| ask(&held, &key)));
        arrivals.recv().unwrap();
        arrivals.recv().unwrap();
        // Both calls are at the platform and stay there. A third request waits until its time is over.
        let third = scope.spawn(|| ask(&held, &key));
        assert_eq!(third.join().unwrap(), Err(OVERLOAD.into()));
        assert_eq!(held.breaker_state(), Some(BreakerState::Closed), "load alone must not open a breaker");
        for _ in 0..3 {
            release.send(()).unwrap();
        }
        for call in calls {
            assert_eq!(call.join().unwrap(), Ok(Basis::Confirmed));
        }
        assert_eq!(ask(&held, &key), Ok(Basis::Confirmed), "there is room again");
    });
}

#[test]
fn a_waiting_request_gets_the_next_free_slot() {
    let (platform, arrivals, release) = holding();
    let apikee = platform.builder().max_in_flight(1).timeout(LONG).build().unwrap();
    let key = key(CLIENT, "{}");
    thread::scope(|scope| {
        let release = release;
        let calls: Vec<_> = (0..8).map(|_| scope.spawn(|| ask(&apikee, &key))).collect();
        for _ in 0..8 {
            arrivals.recv().unwrap();
            assert!(arrivals.try_recv().is_err(), "one at a time");
            release.send(()).unwrap();
        }
        for call in calls {
            assert_eq!(call.join().unwrap(), Ok(Basis::Confirmed));
        }
    });
}

#[test]
fn one_client_holds_at_most_its_share_of_the_slots() {
    let (platform, arrivals, release) = holding();
    let apikee = platform.builder().max_in_flight(4).timeout(LONG).build().unwrap();
    let (greedy, other) = (key(CLIENT, "{}"), key(OTHER, "{}"));
    thread::scope(|scope| {
        let release = release;
        let calls: Vec<_> = (0..16).map(|_| scope.spawn(|| ask(&apikee, &greedy))).collect();
        arrivals.recv().unwrap();
        arrivals.recv().unwrap();
        let call = scope.spawn(|| ask(&apikee, &other));
        arrivals.recv().unwrap();
        let fourth = arrivals.recv_timeout(SHORT);
        for _ in 0..17 {
            release.send(()).unwrap();
        }
        assert_eq!(call.join().unwrap(), Ok(Basis::Confirmed));
        for call in calls {
            assert_eq!(call.join().unwrap(), Ok(Basis::Confirmed));
        }
        assert!(fourth.is_err(), "the fourth slot is not for the greedy client");
    });
}

#[test]
fn a_breaker_that_opens_releases_all_waiting_requests() {
    let (platform, arrivals, release) = {
        let (entered, arrivals) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let released = Mutex::new(released);
        let platform = Platform::new(move |_| {
            entered.send(()).unwrap();
            let _ = released.lock().unwrap().recv();
            Answer::Error(TransportError::Outage(Outage::Connect))
        });
        (platform, arrivals, release)
    };
    let config = BreakerConfig::DEFAULT.consecutive_failures(1).unwrap();
    let config = config.cool_down(Duration::from_secs(3600), Duration::from_secs(3600)).unwrap();
    let builder = platform.builder().breaker(config).max_in_flight(1).timeout(LONG);
    let apikee = builder.build().unwrap();
    let keys = [key(CLIENT, "{}"), key(OTHER, "{}")];
    thread::scope(|scope| {
        let release = release;
        let calls: Vec<_> = (0..8)
            .map(|n| {
                scope.spawn({
                    let (apikee, keys) = (&apikee, &keys);
                    move || ask(apikee, &keys[n % 2])
                })
            })
            .collect();
        arrivals.recv().unwrap();
        release.send(()).unwrap();
        let mut came: Vec<_> = calls.into_iter().map(|call| call.join().unwrap().unwrap()).collect();
        came.retain(|basis| matches!(basis, Basis::FailedOpen(Outage::BreakerOpen { .. })));
        assert_eq!(came.len(), 7);
        assert_eq!(platform.seen().len(), 1);
    });
}

#[test]
fn requests_are_admitted_in_an_overload_only_if_configured() {
    let (platform, arrivals, release) = holding();
    let policy = apikee::Policy::DEFAULT.on_overload(apikee::policy::OnOverload::Admit);
    let held = platform.builder().max_in_flight(1).timeout(SHORT).policy(policy).build().unwrap();
    let key = key(CLIENT, "{}");
    thread::scope(|scope| {
        let release = release;
        let call = scope.spawn(|| ask(&held, &key));
        arrivals.recv().unwrap();
        assert_eq!(ask(&held, &key), Ok(Basis::DespiteOverload(apikee::policy::Overload::TooManyInFlight)));
        release.send(()).unwrap();
        assert!(call.join().unwrap().is_ok());
    });
}

#[test]
fn a_transport_that_panics_frees_its_slot() {
    let calls = AtomicUsize::new(0);
    let platform = Platform::willing();
    let transport = platform.transport();
    let apikee = platform
        .builder()
        .max_in_flight(1)
        .transport(move |call: &apikee::client::Call<'_>, answer: &mut [u8]| {
            assert!(calls.fetch_add(1, Ordering::Relaxed) > 0, "a transport that panics");
            apikee::client::Transport::call(&transport, call, answer)
        })
        .build()
        .unwrap();
    let key = key(CLIENT, "{}");
    thread::scope(|scope| assert!(scope.spawn(|| ask(&apikee, &key)).join().is_err()));
    assert_eq!(ask(&apikee, &key), Ok(Basis::Confirmed));
}

#[test]
fn an_observer_that_panics_does_not_affect_requests() {
    let platform = Platform::willing();
    let apikee = platform.builder().observer(|_: &Event<'_>| panic!("an observer that panics")).build().unwrap();
    for _ in 0..3 {
        assert_eq!(ask(&apikee, &key("acme-corp", "{}")), Ok(Basis::Confirmed));
    }
}

#[test]
fn threads_share_one_client_and_each_gets_its_own_answer() {
    // The platform refuses every client whose id ends in an odd digit.
    let platform = Platform::new(|seen| {
        let id = &seen.target["/client/".len()..][..36];
        if u8::from_str_radix(&id[35..], 16).unwrap() % 2 == 1 { Answer::no() } else { Answer::yes() }
    });
    let apikee = platform.builder().max_in_flight(64).background_thread(true).build().unwrap();
    let keys: Vec<_> = (0..16).map(|n| key(&format!("497f6eca-6276-4993-bfeb-53cbbbba6f0{n:x}"), "{}")).collect();
    thread::scope(|scope| {
        for thread in 0..8 {
            let (apikee, keys) = (&apikee, &keys);
            scope.spawn(move || {
                for round in 0..100 {
                    let n = (thread * 7 + round) % 16;
                    assert_eq!(ask(apikee, &keys[n]).is_ok(), n % 2 == 0, "client {n}");
                }
            });
        }
    });
    assert_eq!(platform.seen().len(), 800);
}

#[test]
fn a_displaced_client_id_is_reported() {
    let platform = Platform::willing();
    let totals = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&totals);
    let observer = move |event: &Event<'_>| {
        if let Event::ClientIdDisplaced { total } = event {
            noted.lock().unwrap().push(*total);
        }
    };
    let builder = platform.builder().tenant_is_client_id(false).max_client_ids(1);
    let apikee = builder.observer(observer).build().unwrap();
    for tenant in ["one", "two", "one"] {
        assert_eq!(ask(&apikee, &key(tenant, "{}")), Ok(Basis::Confirmed));
    }
    assert_eq!(*totals.lock().unwrap(), [1, 2]);
    assert_eq!(platform.seen().iter().filter_map(|seen| seen.looked_up()).count(), 3);
}

#[test]
fn a_clients_breaker_reports_that_it_opens_and_closes() {
    let down = Arc::new(AtomicBool::new(true));
    let is_down = Arc::clone(&down);
    let platform = Platform::new(move |seen| match is_down.load(Ordering::Relaxed) {
        true => Answer::Error(TransportError::Outage(Outage::Reset)),
        false => willing(seen),
    });
    let changes = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&changes);
    let observer = move |event: &Event<'_>| {
        if event.name().contains("breaker") {
            noted.lock().unwrap().push(event.name());
        }
    };
    let cool_down = Duration::from_millis(1);
    let config = BreakerConfig::DEFAULT.cool_down(cool_down, cool_down).unwrap();
    let apikee = platform.builder().breaker(config).observer(observer).build().unwrap();
    let key = key(CLIENT, "{}");
    wait_until(|| ask(&apikee, &key).is_ok() && !changes.lock().unwrap().is_empty());
    down.store(false, Ordering::Relaxed);
    wait_until(|| ask(&apikee, &key) == Ok(Basis::Confirmed));
    let changes = changes.lock().unwrap();
    assert_eq!((changes.first(), changes.last()), (Some(&"client_breaker_opened"), Some(&"client_breaker_closed")));
    assert!(changes.iter().all(|name| name.starts_with("client_")), "{changes:?}");
}

#[test]
fn a_client_may_have_a_smaller_share() {
    let (platform, arrivals, release) = holding();
    let apikee = platform.builder().max_in_flight(4).max_in_flight_per_client(1).timeout(LONG).build().unwrap();
    let (greedy, other) = (key(CLIENT, "{}"), key(OTHER, "{}"));
    thread::scope(|scope| {
        let release = release;
        let calls = [&greedy, &greedy, &other].map(|key| scope.spawn(|| ask(&apikee, key)));
        arrivals.recv().unwrap();
        arrivals.recv().unwrap();
        let third = arrivals.recv_timeout(SHORT);
        for _ in 0..3 {
            release.send(()).unwrap();
        }
        for call in calls {
            assert_eq!(call.join().unwrap(), Ok(Basis::Confirmed));
        }
        assert!(third.is_err(), "the client has one call in flight already");
    });
    let asked: Vec<_> = platform.seen().iter().take(2).map(|seen| seen.target.contains(OTHER)).collect();
    assert_ne!(asked[0], asked[1], "one call of each client");
}
