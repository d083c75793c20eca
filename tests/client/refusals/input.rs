//! Resolvers and observers that panic or block, and values of `Retry-After`.

use std::{
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use apikee::{
    client::{Call, Event, Received, Transport, TransportError},
    policy::{Basis, Fault, Outage, Rejection},
    protocol::ClientId,
};

use super::{
    Denied, LONG, ask, at_once, builder_at, id,
    platform::{Answer, Platform, key},
    server::Server,
};

#[test]
fn resolver_that_panics_counts_as_none_and_does_not_affect_other_requests() {
    let platform = Platform::new(|seen| match seen.looked_up() {
        Some(_) => super::platform::listed(&[(&id(1), "acme-corp"), (&id(2), "other")]),
        None if seen.target.contains(&id(1)) => Answer::no(),
        None => Answer::yes(),
    });
    let apikee = platform
        .builder()
        .tenant_is_client_id(false)
        .client_resolver(|claims| {
            assert_ne!(claims.tenant(), "acme-corp", "a resolver that panics");
            None
        })
        .build()
        .unwrap();
    let keys = [key("acme-corp", "{}"), key("other", "{}")];
    for (number, answer) in at_once(16, 4, |number| (number, ask(&apikee, &keys[number % 2]))) {
        let expected =
            if number % 2 == 0 { Err(Denied::Rejected(Rejection::UNSUCCESSFUL)) } else { Ok(Basis::Confirmed) };
        assert_eq!(answer, expected);
    }
}

/// While it blocks, other requests get their answers. Its delay is not an outage of the platform.
#[test]
fn resolver_that_blocks_delays_only_its_own_request_which_is_denied() {
    let platform = Platform::willing();
    let entered = Arc::new(Barrier::new(2));
    let leaves = Arc::clone(&entered);
    let limit = Duration::from_secs(3);
    let apikee = platform
        .builder()
        .tenant_is_client_id(false)
        .timeout(limit)
        .client_resolver(move |claims| {
            if claims.tenant() == "slow" {
                leaves.wait();
                leaves.wait();
            }
            ClientId::new(&id(1)).ok().filter(|_| claims.tenant() != "slow")
        })
        .build()
        .unwrap();
    let [slow, other] = ["slow", "other"].map(|tenant| key(tenant, "{}"));
    thread::scope(|scope| {
        let blocked = scope.spawn(|| ask(&apikee, &slow));
        entered.wait();
        for _ in 0..8 {
            assert_eq!(ask(&apikee, &other), Ok(Basis::Confirmed));
        }
        // Waits until the request's time is over.
        thread::sleep(limit);
        entered.wait();
        assert_eq!(blocked.join().unwrap(), Err(Denied::Fault(Fault::UnknownClient)));
    });
    assert!(platform.seen().iter().all(is_of_other), "the platform was asked about the slow client");
}

fn is_of_other(seen: &super::platform::Seen) -> bool {
    seen.target.contains(&id(1))
}

#[test]
fn observer_that_panics_changes_no_answer() {
    let down = Arc::new(AtomicBool::new(false));
    let is_down = Arc::clone(&down);
    let platform = Platform::new(move |seen| match seen.target.contains(&id(1)) {
        _ if is_down.load(Ordering::Relaxed) => Answer::Error(TransportError::Outage(Outage::Connect)),
        true => Answer::Limited(60),
        false => Answer::yes(),
    });
    let apikee = platform.builder().observer(|_: &Event<'_>| panic!("an observer that panics")).build().unwrap();
    let [refused, good] = [1, 2].map(|number| key(&id(number), "{}"));
    assert!(ask(&apikee, &refused).is_err());
    assert_eq!(ask(&apikee, &good), Ok(Basis::Confirmed));
    down.store(true, Ordering::Relaxed);
    for _ in 0..16 {
        assert!(matches!(ask(&apikee, &refused), Err(Denied::Remembered(_))));
        assert!(matches!(ask(&apikee, &good), Ok(Basis::FailedOpen(_))));
    }
}

/// The observer is called without a lock.
#[test]
fn observer_that_blocks_delays_only_its_own_request() {
    let platform = Platform::new(|seen| if seen.target.contains(&id(1)) { Answer::no() } else { Answer::yes() });
    let entered = Arc::new(Barrier::new(2));
    let leaves = Arc::clone(&entered);
    let apikee = platform
        .builder()
        .observer(move |event: &Event<'_>| {
            if let Event::Denied { .. } = event {
                leaves.wait();
                leaves.wait();
            }
        })
        .build()
        .unwrap();
    let [refused, good] = [1, 2].map(|number| key(&id(number), "{}"));
    thread::scope(|scope| {
        let blocked = scope.spawn(|| ask(&apikee, &refused));
        entered.wait();
        for answer in at_once(8, 4, |_| ask(&apikee, &good)) {
            assert_eq!(answer, Ok(Basis::Confirmed));
        }
        entered.wait();
        assert_eq!(blocked.join().unwrap(), Err(Denied::Rejected(Rejection::UNSUCCESSFUL)));
    });
}

/// The remembered time of a 429 from this transport, in seconds.
fn remembered_seconds(transport: &Arc<impl Transport + 'static>) -> u32 {
    loop {
        let (platform, transport, calls) = (Platform::willing(), Arc::clone(transport), AtomicUsize::new(0));
        let apikee = platform
            .builder()
            .timeout(LONG)
            .transport(move |call: &Call<'_>, answer: &mut [u8]| match calls.fetch_add(1, Ordering::Relaxed) {
                0 => transport.call(call, answer),
                _ => Err(TransportError::Outage(Outage::Connect)),
            })
            .build()
            .unwrap();
        let key = key(&id(1), "{}");
        let refused = ask(&apikee, &key);
        let start = Instant::now();
        assert!(matches!(refused, Err(Denied::Rejected(Rejection::RateLimited { .. }))), "{refused:?}");
        let answer = ask(&apikee, &key);
        // A busy machine may need longer than the shortest of these times.
        if start.elapsed() < Duration::from_millis(500) {
            match answer {
                Err(Denied::Remembered(Rejection::RateLimited { retry_after: Some(seconds) })) => return seconds,
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn retry_after_is_remembered_for_at_least_a_second_and_at_most_an_hour() {
    for (retry_after, expected) in
        [(None, 60), (Some(0), 1), (Some(1), 1), (Some(90), 90), (Some(7200), 3600), (Some(u32::MAX), 3600)]
    {
        let transport = move |_: &Call<'_>, _: &mut [u8]| Ok(Received { status: 429, len: 0, retry_after });
        // The remaining time is rounded up, so a delay of less than a second has no effect.
        assert_eq!(remembered_seconds(&Arc::new(transport)), expected, "{retry_after:?}");
    }
}

#[test]
fn retry_after_that_is_not_a_number_of_seconds_is_ignored() {
    for (field, expected) in [
        ("", 60),
        ("Retry-After: -1\r\n", 60),
        ("Retry-After: 1e9\r\n", 60),
        ("Retry-After: 1.5\r\n", 60),
        ("Retry-After: +7\r\n", 60),
        ("Retry-After: soon\r\n", 60),
        ("Retry-After: Wed, 21 Oct 2015 07:28:00 GMT\r\n", 60),
        ("Retry-After: 0\r\n", 1),
        ("Retry-After: 7200\r\n", 3600),
        ("Retry-After: 30\r\n", 30),
    ] {
        let server = Server::answering(format!("HTTP/1.1 429 Slow Down\r\n{field}Content-Length: 2\r\n\r\n{{}}"));
        let transport = Arc::new(apikee::client::UreqTransport::new(&server.url()).unwrap());
        assert_eq!(remembered_seconds(&transport), expected, "{field}");
        // The same with the default transport.
        let direct = ask(&builder_at(&server.url()).build().unwrap(), &key(&id(1), "{}"));
        assert!(matches!(direct, Err(Denied::Rejected(Rejection::RateLimited { .. }))), "{field}: {direct:?}");
    }
}
