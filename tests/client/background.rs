//! What goes on beside the requests.

use std::{
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

use apikee::{Basis, Enforcement, Event, Outage, TransportError};

use crate::{
    ask, ask_for,
    platform::{CLIENT, Platform, Told, key, willing},
};

/// Far more than anything here takes.
const LONG: Duration = Duration::from_secs(60);

/// An observer, and what it writes down.
fn notes() -> (impl Fn(&Event<'_>) + Send + Sync + 'static, mpsc::Receiver<String>) {
    let (sender, receiver) = mpsc::channel();
    let sender = Mutex::new(sender);
    let observer = move |event: &Event<'_>| {
        let note = match event {
            Event::Granted { basis, .. } => format!("granted: {basis}"),
            Event::Denied { denial, .. } => format!("denied: {}", denial.code()),
            Event::Observed { verdict } => format!("observed: {:?}", verdict.as_ref().map_err(|denial| denial.code())),
            Event::EndpointRegistered { method_path } => format!("registered: {method_path}"),
            Event::ClientUpserted { client } => format!("upserted: {client}"),
            Event::Dropped { total } => format!("dropped: {total}"),
            Event::Outage { outage } => format!("outage: {outage}"),
            other => format!("{other:?}"),
        };
        let _ = sender.lock().unwrap().send(note);
    };
    (observer, receiver)
}

#[test]
fn each_route_is_registered_once_and_off_the_path_of_its_request() {
    let platform = Platform::willing();
    let (observer, notes) = notes();
    let apikee = platform.builder().auto_register(true).background_thread(true).observer(observer).build().unwrap();
    let key = key(CLIENT, "{}");
    for _ in 0..3 {
        assert_eq!(ask(&apikee, &key), Ok(Basis::Confirmed));
    }
    assert_eq!(apikee.close(LONG), 0);
    let registrations: Vec<_> = platform.seen().into_iter().filter(|seen| !seen.sealed).collect();
    assert_eq!(registrations.len(), 1);
    assert_eq!(registrations[0].target, "/endpoint?project_env=my-app-production");
    assert_eq!(registrations[0].body.to_string(), r#"{"method":"GET","name":"GET /users","path":"/users"}"#);
    assert!(notes.try_iter().any(|note| note == "registered: GET:::/users"));
}

#[test]
fn without_a_thread_a_route_is_registered_on_its_first_request() {
    let platform = Platform::willing();
    let apikee = platform.builder().auto_register(true).build().unwrap();
    for _ in 0..3 {
        assert_eq!(ask(&apikee, &key(CLIENT, "{}")), Ok(Basis::Confirmed));
    }
    assert_eq!(platform.seen().iter().filter(|seen| !seen.sealed).count(), 1);
}

#[test]
fn a_refused_request_registers_no_route_and_a_failed_registration_is_tried_again() {
    let refusing = Platform::new(|seen| if seen.is_validation() { Told::no() } else { willing(seen) });
    let apikee = refusing.builder().auto_register(true).build().unwrap();
    assert!(ask(&apikee, &key(CLIENT, "{}")).is_err());
    assert_eq!(refusing.seen().len(), 1);

    let failing = Platform::new(|seen| if seen.sealed { willing(seen) } else { Told::status(503) });
    let apikee = failing.builder().auto_register(true).build().unwrap();
    for _ in 0..70 {
        assert_eq!(ask(&apikee, &key(CLIENT, "{}")), Ok(Basis::Confirmed), "the breaker is not for the registry");
    }
    assert_eq!(failing.seen().iter().filter(|seen| !seen.sealed).count(), 3, "it is tried three times");
}

#[test]
fn an_observed_request_does_not_wait_and_the_platform_hears_of_it() {
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let platform = Platform::new(move |seen| {
        let _ = released.lock().unwrap().recv();
        if seen.is_validation() { Told::no() } else { willing(seen) }
    });
    let (observer, notes) = notes();
    let apikee = platform
        .builder()
        .enforcement(Enforcement::Observe)
        .background_thread(true)
        .observer(observer)
        .build()
        .unwrap();
    // The platform does not answer before it is let.
    let good = key("acme-corp", "{}");
    assert_eq!(ask(&apikee, &good), Ok(Basis::Observed));
    assert_eq!(ask_for(&apikee, Some(&good), &["admin"]), Err("INSUFFICIENT_SCOPE".into()));
    assert!(ask(&apikee, &good[1..]).is_err());
    drop(release);
    assert_eq!(apikee.close(LONG), 0);

    let seen = platform.seen();
    assert_eq!(seen.len(), 2, "an upsert, and a question");
    assert_eq!(seen[1].body["headers"]["x-api-key"], good);
    let notes: Vec<_> = notes.try_iter().collect();
    assert_eq!(notes.iter().filter(|note| *note == "observed: Err(\"SERVER_REJECTED\")").count(), 1, "{notes:?}");
    assert_eq!(ask(&apikee, &good), Ok(Basis::Observed), "requests go on after the end");
}

#[test]
fn a_queue_that_is_full_drops_its_oldest_and_says_so() {
    let (release, released) = mpsc::channel::<()>();
    let (entered, arrivals) = mpsc::channel();
    let released = Mutex::new(released);
    let platform = Platform::new(move |seen| {
        let _ = entered.send(());
        let _ = released.lock().unwrap().recv();
        willing(seen)
    });
    let (observer, notes) = notes();
    let apikee = platform
        .builder()
        .enforcement(Enforcement::Observe)
        .background_thread(true)
        .queue_len(2)
        .observer(observer)
        .build()
        .unwrap();
    let keys: Vec<_> = (0..5).map(|n| key(CLIENT, &format!(r#"{{"n":{n}}}"#))).collect();
    assert_eq!(ask(&apikee, &keys[0]), Ok(Basis::Observed));
    // The first is with the platform; of the others two fit.
    arrivals.recv().unwrap();
    for key in &keys[1..] {
        assert_eq!(ask(&apikee, key), Ok(Basis::Observed));
    }
    drop(release);
    assert_eq!(apikee.close(LONG), 0);
    let asked: Vec<_> = platform.seen().iter().map(|seen| seen.body["headers"]["x-api-key"].to_string()).collect();
    assert_eq!(asked, [0, 3, 4].map(|n| format!("\"{}\"", keys[n])));
    let dropped: Vec<_> = notes.try_iter().filter(|note| note.starts_with("dropped")).collect();
    assert_eq!(dropped, ["dropped: 1", "dropped: 2"]);
}

#[test]
fn closing_keeps_to_its_time_and_tells_what_is_undone() {
    let (release, released) = mpsc::channel::<()>();
    let (entered, arrivals) = mpsc::channel();
    let released = Mutex::new(released);
    let platform = Platform::new(move |seen| {
        let _ = entered.send(());
        let _ = released.lock().unwrap().recv();
        willing(seen)
    });
    let apikee = platform.builder().enforcement(Enforcement::Observe).background_thread(true).build().unwrap();
    for _ in 0..3 {
        assert_eq!(ask(&apikee, &key(CLIENT, "{}")), Ok(Basis::Observed));
    }
    arrivals.recv().unwrap();
    assert_eq!(apikee.close(Duration::from_millis(20)), 2, "one is with the platform");
    drop(release);
}

#[test]
fn a_job_that_panics_is_the_last_of_nothing() {
    let platform = Platform::willing();
    let transport = platform.transport();
    let calls = std::sync::atomic::AtomicUsize::new(0);
    let apikee = platform
        .builder()
        .enforcement(Enforcement::Observe)
        .background_thread(true)
        .transport(move |call: &apikee::Call<'_>, answer: &mut [u8]| {
            let first = calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0;
            assert!(!first, "a transport that panics");
            apikee::Transport::call(&transport, call, answer)
        })
        .build()
        .unwrap();
    for _ in 0..2 {
        assert_eq!(ask(&apikee, &key(CLIENT, "{}")), Ok(Basis::Observed));
    }
    assert_eq!(apikee.close(LONG), 0);
    assert_eq!(platform.seen().len(), 1);
}

#[test]
fn the_thread_ends_with_the_client() {
    let platform = Platform::willing();
    let weak = Arc::downgrade(&platform);
    let apikee = platform.builder().background_thread(true).build().unwrap();
    drop(platform);
    drop(apikee);
    // The thread is the last to hold the transport, which holds the platform.
    while weak.upgrade().is_some() {
        std::thread::yield_now();
    }
}

#[test]
fn outages_of_all_calls_are_events() {
    let platform = Platform::new(|_| Told::Error(TransportError::Outage(Outage::Connect)));
    let (observer, notes) = notes();
    let apikee = platform.builder().observer(observer).build().unwrap();
    let _ = ask(&apikee, &key("acme-corp", "{}"));
    assert_eq!(
        notes.try_iter().collect::<Vec<_>>(),
        [
            "outage: could not connect to the platform",
            "granted: let through in an outage: could not connect to the platform"
        ]
    );
}
