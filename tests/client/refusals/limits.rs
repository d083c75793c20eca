//! Load, and failures that one client causes.

use std::{
    net::TcpStream,
    panic::catch_unwind,
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
    client::{Call, Event, Transport, TransportError},
    emulator::{EmulatedClient, Misbehaviour, Occasion},
    policy::{Basis, Outage, Overload, Rejection},
};

use super::{
    Denied, LONG, ask, at_once, builder, builder_at, emulator, id,
    platform::{Answer, Platform, key},
    server::{Connection, Server},
    wait_until,
};

/// The limit was reached before this client started, so the client remembers nothing.
#[test]
fn exceeded_rate_limit_denies_any_number_of_requests_at_once() {
    let emulator = emulator().start().unwrap();
    let key = key("acme-corp", "{}");
    emulator.add_client(id(1).parse().unwrap(), EmulatedClient::new("acme-corp").hourly(1));
    assert!(ask(&builder(&emulator).build().unwrap(), &key).is_ok());
    emulator.misbehave(Misbehaviour::Delay(Duration::from_millis(20)), Occasion::Always);
    for threads in [48, 64, 256] {
        let apikee = builder(&emulator).build().unwrap();
        for answer in at_once(threads, 1, |_| ask(&apikee, &key)) {
            assert!(matches!(answer, Err(Denied::Rejected(Rejection::RateLimited { .. }))), "{threads}: {answer:?}");
        }
        assert_eq!(apikee.breaker_state(), Some(BreakerState::Closed), "load must not open a breaker");
    }
}

/// A transport whose calls take this time, and the number of calls so far.
fn slow(platform: &Arc<Platform>, latency: Duration) -> (impl Transport + 'static, Arc<AtomicUsize>) {
    let (transport, calls) = (platform.transport(), Arc::new(AtomicUsize::new(0)));
    let called = Arc::clone(&calls);
    let slow = move |call: &Call<'_>, answer: &mut [u8]| {
        called.fetch_add(1, Ordering::Relaxed);
        thread::sleep(latency.min(call.timeout));
        if call.timeout < latency {
            return Err(TransportError::Outage(Outage::Timeout));
        }
        transport.call(call, answer)
    };
    (slow, calls)
}

/// The time of a request, and the time that the platform takes for each call, which is less. `busy` requests of another
/// client hold the only slot when the request begins. So it runs out of time because of the other requests, in any of
/// its calls, and not because of the platform.
#[test]
fn waiting_for_a_slot_until_too_little_time_is_left_is_not_an_outage() {
    const LIMIT: Duration = Duration::from_secs(6);
    let hundredths = |part: u32| LIMIT * part / 100;
    // The time of each call, the number of requests before, and whether the client must be looked up.
    let cases = [(67, 1, false), (70, 1, false), (45, 1, true), (30, 2, true), (18, 4, true)];
    thread::scope(|scope| {
        for (latency, busy, by_name) in cases {
            scope.spawn(move || {
                let platform = Platform::willing();
                let (transport, calls) = slow(&platform, hundredths(latency));
                let changes = Arc::new(AtomicUsize::new(0));
                let count = Arc::clone(&changes);
                let apikee = platform
                    .builder()
                    .max_in_flight(1)
                    .timeout(LIMIT)
                    .tenant_is_client_id(!by_name)
                    .breaker(BreakerConfig::DEFAULT.consecutive_failures(1).unwrap())
                    .observer(move |event: &Event<'_>| {
                        if let Event::BreakerOpened | Event::ClientBreakerOpened | Event::Outage { .. } = event {
                            count.fetch_add(1, Ordering::Relaxed);
                        }
                    })
                    .transport(transport)
                    .build()
                    .unwrap();
                let first = key("first", &format!(r#"{{"clientId":"{}"}}"#, id(1)));
                let late = key(&if by_name { "late".to_owned() } else { id(2) }, "{}");
                thread::scope(|scope| {
                    let before: Vec<_> = (0..busy).map(|_| scope.spawn(|| ask(&apikee, &first))).collect();
                    wait_until(|| calls.load(Ordering::Relaxed) == 1);
                    let answer = ask(&apikee, &late);
                    assert_eq!(answer, Err(Denied::Overload(Overload::TooManyInFlight)), "{latency}, {busy}");
                    for thread in before {
                        assert_eq!(thread.join().unwrap(), Ok(Basis::Confirmed));
                    }
                });
                assert_eq!(changes.load(Ordering::Relaxed), 0, "this must not count as evidence");
            });
        }
    });
}

/// A request that has waited long for a slot shows nothing about the platform. So requests that have not must get slots,
/// also when there are too many. Otherwise the silence of the platform would not be noticed.
#[test]
fn a_platform_that_stops_answering_while_requests_wait_opens_the_breaker() {
    const LIMIT: Duration = Duration::from_secs(1);
    let platform = Platform::willing();
    let (transport, hangs) = (platform.transport(), Arc::new(AtomicBool::new(false)));
    let (hanging, opened) = (Arc::clone(&hangs), Arc::new(AtomicBool::new(false)));
    let open = Arc::clone(&opened);
    let apikee = platform
        .builder()
        .max_in_flight(2)
        .timeout(LIMIT)
        .breaker(BreakerConfig::DEFAULT.consecutive_failures(2).unwrap())
        .observer(move |event: &Event<'_>| {
            open.fetch_or(matches!(event, Event::BreakerOpened), Ordering::Relaxed);
        })
        .transport(move |call: &Call<'_>, answer: &mut [u8]| {
            if hanging.load(Ordering::Relaxed) {
                thread::sleep(call.timeout);
                return Err(TransportError::Outage(Outage::Timeout));
            }
            thread::sleep(Duration::from_millis(100).min(call.timeout));
            transport.call(call, answer)
        })
        .build()
        .unwrap();
    let (refused, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        for client in 0..24 {
            let key = key("acme-corp", &format!(r#"{{"clientId":"{}"}}"#, id(1 + client % 4)));
            let (apikee, refused, over) = (&apikee, &refused, &over);
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    if ask(apikee, &key) == Err(Denied::Overload(Overload::TooManyInFlight)) {
                        refused.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        // There are more requests than the slots can serve.
        wait_until(|| refused.load(Ordering::Relaxed) > 10);
        assert!(!opened.load(Ordering::Relaxed), "load must not open a breaker");
        hangs.store(true, Ordering::Relaxed);
        let opens = catch_unwind(|| wait_until(|| opened.load(Ordering::Relaxed)));
        over.store(true, Ordering::Relaxed);
        opens.expect("the breaker opens");
    });
}

/// The time of the caller's own code is not taken from the platform's. Otherwise slow code would look like an outage.
#[test]
fn a_slow_resolver_leaves_the_platform_all_of_its_time() {
    const LIMIT: Duration = Duration::from_secs(20);
    const SLOW: Duration = Duration::from_millis(500);
    for resolved in [Some(id(1).parse().unwrap()), None] {
        let platform = Platform::willing();
        let (transport, shortest) = (platform.transport(), Arc::new(Mutex::new(LIMIT)));
        let seen = Arc::clone(&shortest);
        let apikee = platform
            .builder()
            .timeout(LIMIT)
            .tenant_is_client_id(false)
            .client_resolver(move |_| {
                thread::sleep(SLOW);
                resolved
            })
            .transport(move |call: &Call<'_>, answer: &mut [u8]| {
                let mut shortest = seen.lock().unwrap();
                *shortest = call.timeout.min(*shortest);
                transport.call(call, answer)
            })
            .build()
            .unwrap();
        assert_eq!(ask(&apikee, &key("acme-corp", "{}")), Ok(Basis::Confirmed));
        let shortest = *shortest.lock().unwrap();
        assert!(LIMIT - shortest < SLOW, "{shortest:?}");
    }
}

/// The time of a request that did not wait is the platform's own.
#[test]
fn a_platform_that_takes_too_long_is_an_outage_in_each_call() {
    for (latency, by_name) in [(110, false), (110, true), (60, true)] {
        let limit = Duration::from_secs(2);
        let platform = Platform::willing();
        let (transport, _) = slow(&platform, limit * latency / 100);
        let builder = platform.builder().timeout(limit).tenant_is_client_id(!by_name);
        let apikee = builder.transport(transport).build().unwrap();
        let key = key(&if by_name { "late".to_owned() } else { id(2) }, "{}");
        assert_eq!(ask(&apikee, &key), Ok(Basis::FailedOpen(Outage::Timeout)), "{latency}");
    }
}

/// One of several requests at once is refused. An earlier one is confirmed, but its answer may arrive later.
#[test]
fn confirmation_of_an_earlier_request_keeps_a_later_refusal() {
    let (entered, arrivals) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let calls = AtomicUsize::new(0);
    let platform = Platform::new(move |_| match calls.fetch_add(1, Ordering::Relaxed) {
        0 => {
            entered.send(()).unwrap();
            released.lock().unwrap().recv().unwrap();
            Answer::yes()
        }
        1 => Answer::Limited(3600),
        _ => Answer::Error(TransportError::Outage(Outage::Connect)),
    });
    let apikee = platform.builder().timeout(LONG).build().unwrap();
    let key = key(&id(1), "{}");
    thread::scope(|scope| {
        let earlier = scope.spawn(|| ask(&apikee, &key));
        arrivals.recv().unwrap();
        let refused = ask(&apikee, &key);
        assert!(matches!(refused, Err(Denied::Rejected(Rejection::RateLimited { .. }))), "{refused:?}");
        release.send(()).unwrap();
        assert_eq!(earlier.join().unwrap(), Ok(Basis::Confirmed));
    });
    let answer = ask(&apikee, &key);
    assert!(matches!(answer, Err(Denied::Remembered(Rejection::RateLimited { .. }))), "{answer:?}");
}

/// What a request of the culprit does to the connection. Returns whether the connection continues.
type Cause = fn(&mut Connection<TcpStream>) -> bool;

const CAUSES: [(&str, Cause); 4] = [
    ("500", |connection| connection.write(b"HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\n{}")),
    ("reset", |connection| {
        socket2::SockRef::from(connection.stream()).set_linger(Some(Duration::ZERO)).unwrap();
        false
    }),
    ("half an answer", |connection| {
        connection.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{");
        false
    }),
    ("no answer", |connection| {
        connection.wait_for_end();
        false
    }),
];

#[test]
fn failures_of_one_client_do_not_let_refused_clients_through() {
    let keys: Vec<_> = (0..8).map(|number| key(&id(number), "{}")).collect();
    for (name, cause) in CAUSES {
        let server = Server::run(move |connection, _| {
            while let Some(request) = connection.request() {
                let goes_on = if request.line.contains(&id(0)) {
                    cause(connection)
                } else {
                    connection.write(b"HTTP/1.1 429 Slow Down\r\nRetry-After: 60\r\nContent-Length: 2\r\n\r\n{}")
                };
                if !goes_on {
                    return;
                }
            }
        });
        let opened = Arc::new([(); 2].map(|()| AtomicUsize::new(0)));
        let count = Arc::clone(&opened);
        let apikee = builder_at(&server.url())
            .timeout(Duration::from_secs(1))
            .observer(move |event: &Event<'_>| match event {
                Event::BreakerOpened => _ = count[0].fetch_add(1, Ordering::Relaxed),
                Event::ClientBreakerOpened => _ = count[1].fetch_add(1, Ordering::Relaxed),
                _ => {}
            })
            .build()
            .unwrap();
        // The culprit is alone at first, long enough to open its own breaker.
        for _ in 0..8 {
            assert!(ask(&apikee, &keys[0]).is_ok(), "{name}: an outage");
        }
        let answers = at_once(32, 4, |number| (number % 8, ask(&apikee, &keys[number % 8])));
        for (client, answer) in answers {
            match answer {
                Ok(_) => assert_eq!(client, 0, "{name}: {answer:?}"),
                Err(Denied::Rejected(Rejection::RateLimited { retry_after: Some(60) })) => assert_ne!(client, 0),
                other => panic!("{name}: client {client}: {other:?}"),
            }
        }
        assert_eq!(apikee.breaker_state(), Some(BreakerState::Closed), "{name}");
        assert_eq!(opened[0].load(Ordering::Relaxed), 0, "{name}");
        assert!(opened[1].load(Ordering::Relaxed) > 0, "{name}: it is open for the culprit");
    }
}
