//! Breaker and bulkhead.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use apikee::{Basis, BreakerConfig, BreakerState, Event, Outage, TransportError};

use crate::{
    ask,
    platform::{CLIENT, Platform, Told, key, willing},
};

#[test]
fn after_some_failures_requests_do_not_wait_for_the_platform() {
    let platform = Platform::new(|_| Told::Error(TransportError::Outage(Outage::Timeout)));
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
        assert_eq!(ask(&apikee, &key), Ok(Basis::FailedOpen(Outage::Timeout)));
    }
    for _ in 0..5 {
        assert!(matches!(ask(&apikee, &key), Ok(Basis::FailedOpen(Outage::BreakerOpen { .. }))));
    }
    assert_eq!(apikee.breaker_state(), Some(BreakerState::Open));
    assert_eq!(platform.seen().len(), 3);
    assert_eq!(opened.load(Ordering::Relaxed), 1);
}

#[test]
fn a_platform_that_is_back_is_asked_again() {
    let down = Arc::new(AtomicBool::new(true));
    let is_down = Arc::clone(&down);
    let platform =
        Platform::new(move |seen| if is_down.load(Ordering::Relaxed) { Told::status(503) } else { willing(seen) });
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
    let key = key(CLIENT, "{}");
    assert_eq!(ask(&apikee, &key), Ok(Basis::FailedOpen(Outage::Status(503))));
    down.store(false, Ordering::Relaxed);
    while ask(&apikee, &key) != Ok(Basis::Confirmed) {
        thread::yield_now();
    }
    assert_eq!(apikee.breaker_state(), Some(BreakerState::Closed));
    assert_eq!(*events.lock().unwrap(), ["opened", "closed"]);
}

#[test]
fn what_the_platform_refuses_or_garbles_does_not_open_the_breaker() {
    for told in [Told::no as fn() -> Told, || Told::status(429), || Told::Plain(200, b"<html>".to_vec())] {
        let platform = Platform::new(move |_| told());
        let config = BreakerConfig::DEFAULT.consecutive_failures(1).unwrap();
        let apikee = platform.builder().breaker(config).build().unwrap();
        for _ in 0..3 {
            assert!(ask(&apikee, &key(CLIENT, "{}")).is_err());
        }
        assert_eq!(platform.seen().len(), 3);
        assert_eq!(apikee.breaker_state(), Some(BreakerState::Closed));
    }
}

#[test]
fn no_more_calls_than_allowed_are_under_way_at_once() {
    let (entered, arrivals) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let platform = Platform::new(move |seen| {
        entered.send(()).unwrap();
        let _ = released.lock().unwrap().recv();
        willing(seen)
    });
    let apikee = platform.builder().max_in_flight(2).build().unwrap();
    let key = key(CLIENT, "{}");
    thread::scope(|scope| {
        let calls = [(); 2].map(|()| scope.spawn(|| ask(&apikee, &key)));
        arrivals.recv().unwrap();
        arrivals.recv().unwrap();
        // Both are with the platform, and stay there.
        for _ in 0..3 {
            assert_eq!(
                ask(&apikee, &key),
                Err("SERVER_UNAVAILABLE: too many calls to the platform are in flight".into())
            );
        }
        assert_eq!(apikee.breaker_state(), Some(BreakerState::Closed), "load alone opens no breaker");
        release.send(()).unwrap();
        release.send(()).unwrap();
        for call in calls {
            assert_eq!(call.join().unwrap(), Ok(Basis::Confirmed));
        }
        release.send(()).unwrap();
        assert_eq!(ask(&apikee, &key), Ok(Basis::Confirmed), "and there is room again");
    });
}

#[test]
fn a_transport_that_panics_leaves_its_place_to_the_next() {
    let calls = AtomicUsize::new(0);
    let platform = Platform::willing();
    let transport = platform.transport();
    let apikee = platform
        .builder()
        .max_in_flight(1)
        .transport(move |call: &apikee::Call<'_>, answer: &mut [u8]| {
            assert!(calls.fetch_add(1, Ordering::Relaxed) > 0, "a transport that panics");
            apikee::Transport::call(&transport, call, answer)
        })
        .build()
        .unwrap();
    let key = key(CLIENT, "{}");
    thread::scope(|scope| assert!(scope.spawn(|| ask(&apikee, &key)).join().is_err()));
    assert_eq!(ask(&apikee, &key), Ok(Basis::Confirmed));
}

#[test]
fn an_observer_that_panics_takes_no_request_down() {
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
        if u8::from_str_radix(&id[35..], 16).unwrap() % 2 == 1 { Told::no() } else { Told::yes() }
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
