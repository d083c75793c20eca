//! Work on the client's background thread.

use std::{
    sync::{Arc, Mutex, mpsc},
    time::{Duration, Instant},
};

use apikee::{
    Apikee, Policy, UnixTime,
    client::{AuthorizeRequest, Call, Enforcement, Event, Transport, TransportError},
    meta::JsonObject,
    policy::{Basis, Fault, OnFault, Outage},
    protocol::{ClientId, Endpoint, MethodPath, Timestamp},
};

use serde_json::{Value, json};

use crate::{
    LONG, ask, ask_for, decide,
    platform::{Answer, CLIENT, Platform, SECRET, Seen, key, willing},
    wait_until,
};

/// An observer, and the events that it records.
fn notes() -> (impl Fn(&Event<'_>) + Send + Sync + 'static, mpsc::Receiver<String>) {
    let (sender, receiver) = mpsc::channel();
    let sender = Mutex::new(sender);
    let observer = move |event: &Event<'_>| {
        let note = match event {
            Event::Granted { basis, .. } => format!("granted: {basis}"),
            Event::Denied { denial, .. } => format!("denied: {}", denial.code()),
            Event::Observed { verdict, .. } => {
                format!("observed: {:?}", verdict.as_ref().map_err(|denial| denial.code()))
            }
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
fn each_route_is_registered_once_and_in_the_background() {
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
    assert_eq!(
        registrations[0].body,
        json!({ "method": "GET", "path": "/users", "name": "GET /users", "metadata": { "scopes": ["read"] } })
    );
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

fn described() -> Endpoint<'static> {
    Endpoint::new(MethodPath::new("GET", "/users").unwrap())
        .description("All users")
        .response(JsonObject::new(r#"{"users":[]}"#).unwrap())
        .scopes(&["read", "list"])
        .tags(&["users"])
        .deprecated()
}

/// The body that the platform receives for [`described`].
fn description() -> Value {
    json!({
        "method": "GET",
        "path": "/users",
        "name": "GET /users",
        "description": "All users",
        "response": { "users": [] },
        "metadata": { "scopes": ["read", "list"], "tags": ["users"], "deprecated": true },
    })
}

/// The bodies of all calls that register a route, including failed calls.
fn registered_bodies(platform: &Platform) -> Vec<Value> {
    platform.seen().into_iter().filter(|seen| !seen.sealed).map(|seen| seen.body).collect()
}

#[test]
fn a_described_route_is_registered_once_and_replaces_its_bare_registration() {
    for thread in [false, true] {
        let platform = Platform::willing();
        let apikee = platform.builder().auto_register(true).background_thread(thread).build().unwrap();
        let key = key(CLIENT, "{}");
        assert!(ask(&apikee, &key).is_ok());
        for _ in 0..2 {
            apikee.describe(&described());
            assert!(ask(&apikee, &key).is_ok());
        }
        assert_eq!(apikee.close(LONG), 0);
        let bare =
            json!({ "method": "GET", "path": "/users", "name": "GET /users", "metadata": { "scopes": ["read"] } });
        assert_eq!(registered_bodies(&platform), [bare, description()]);
    }
}

#[test]
fn a_description_is_sent_without_automatic_registration_and_retried_after_a_failure() {
    let tries = Mutex::new(0);
    let platform = Platform::new(move |seen: &Seen| {
        if seen.sealed {
            return willing(seen);
        }
        let mut tries = tries.lock().unwrap();
        *tries += 1;
        if *tries == 1 { Answer::status(503) } else { willing(seen) }
    });
    let apikee = platform.builder().build().unwrap();
    let key = key(CLIENT, "{}");
    apikee.describe(&described());
    let start = Instant::now();
    while registered_bodies(&platform).len() < 2 {
        assert!(start.elapsed() < LONG, "it must be tried again");
        assert!(ask(&apikee, &key).is_ok());
        assert!(ask_route(&apikee, &key, "/other").is_ok());
    }
    assert_eq!(registered_bodies(&platform), [description(), description()]);
}

#[test]
fn in_local_mode_a_description_is_ignored() {
    let apikee = Apikee::builder().secret(SECRET).build().unwrap();
    apikee.describe(&described());
    assert_eq!(ask(&apikee, &key(CLIENT, "{}")), Ok(Basis::Local));
}

/// A request to the route `GET path`, with a key that needs no scope.
fn ask_route(apikee: &Apikee, key: &str, path: &str) -> Result<Basis, String> {
    decide(apikee, &AuthorizeRequest::new(Some(key), MethodPath::new("GET", path).unwrap()).as_route())
}

/// The paths of all calls that register a route, including failed calls.
fn registrations(platform: &Platform) -> Vec<String> {
    let seen = platform.seen().into_iter().filter(|seen| !seen.sealed);
    seen.map(|seen| seen.body["path"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn only_requests_marked_as_routes_are_registered_in_both_enforcement_modes() {
    for enforcement in [Enforcement::Enforce, Enforcement::Observe] {
        let platform = Platform::willing();
        let builder = platform.builder().enforcement(enforcement).auto_register(true).background_thread(true);
        let (observer, notes) = notes();
        let apikee = builder.observer(observer).build().unwrap();
        let key = key(CLIENT, "{}");
        for path in ["/users/7", "/users/{id}"] {
            let method_path = MethodPath::new("GET", path).unwrap();
            decide(&apikee, &AuthorizeRequest::new(Some(&key), method_path)).unwrap();
        }
        ask_route(&apikee, &key, "/users/{id}").unwrap();
        ask_route(&apikee, &key, "/users/{id}").unwrap();
        while notes.recv_timeout(LONG).expect("the route is registered") != "registered: GET:::/users/{id}" {}
        assert_eq!(apikee.close(LONG), 0);
        assert_eq!(registrations(&platform), ["/users/{id}"], "{enforcement:?}");
        assert_eq!(platform.seen().len(), 5, "the platform is asked about all requests");
    }
}

#[test]
fn a_refused_request_registers_no_route() {
    let refusing = Platform::new(|seen| if seen.is_validation() { Answer::no() } else { willing(seen) });
    let apikee = refusing.builder().auto_register(true).build().unwrap();
    assert!(ask(&apikee, &key(CLIENT, "{}")).is_err());
    assert_eq!(refusing.seen().len(), 1);
}

/// A caller chooses the method of its request. It must not be able to fill the list of routes with methods.
#[test]
fn a_method_that_a_caller_has_made_up_is_not_registered() {
    let platform = Platform::willing();
    let apikee = platform.builder().auto_register(true).build().unwrap();
    let key = key(CLIENT, "{}");
    let route = |method| AuthorizeRequest::new(Some(&key), MethodPath::new(method, "/users").unwrap()).as_route();
    for method in ["A0", "GETS", "PROPFIND", "GE"] {
        decide(&apikee, &route(method)).unwrap();
    }
    assert!(registrations(&platform).is_empty());
    for method in ["GET", "patch", "DELETE"] {
        decide(&apikee, &route(method)).unwrap();
    }
    assert_eq!(registrations(&platform), ["/users", "/users", "/users"]);
}

#[test]
fn a_failing_registry_is_called_once_per_route_and_does_not_open_the_breaker() {
    let failing = Platform::new(|seen| if seen.sealed { willing(seen) } else { Answer::status(503) });
    let apikee = failing.builder().auto_register(true).build().unwrap();
    let key = key(CLIENT, "{}");
    let paths: Vec<_> = (0..70).map(|n| format!("/{n}")).collect();
    for path in &paths {
        assert_eq!(ask_route(&apikee, &key, path), Ok(Basis::Confirmed));
    }
    assert_eq!(registrations(&failing), paths);
}

/// Asks until a route is registered on the second try, and returns the pause between the two tries.
fn pause_before_the_second_try(
    builder: impl FnOnce(&Arc<Platform>) -> apikee::client::ApikeeBuilder,
    first: fn() -> Answer,
) -> Duration {
    let tries = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&tries);
    let platform = Platform::new(move |seen: &Seen| {
        if seen.sealed {
            return willing(seen);
        }
        let is_first = {
            let mut noted = noted.lock().unwrap();
            noted.push(Instant::now());
            noted.len() == 1
        };
        if is_first { first() } else { willing(seen) }
    });
    let (observer, notes) = notes();
    let apikee = builder(&platform).auto_register(true).observer(observer).build().unwrap();
    let key = key(CLIENT, "{}");
    let is_registered = || notes.try_iter().any(|note| note == "registered: GET:::/users");
    let start = Instant::now();
    while !is_registered() {
        assert!(start.elapsed() < LONG, "it must be tried again");
        assert_eq!(ask(&apikee, &key), Ok(Basis::Confirmed));
    }
    for _ in 0..3 {
        assert_eq!(ask(&apikee, &key), Ok(Basis::Confirmed));
    }
    let tries = tries.lock().unwrap();
    assert_eq!(tries.len(), 2, "no further try after the registration");
    tries[1].duration_since(tries[0])
}

#[test]
fn a_failed_registration_is_retried_after_a_pause() {
    const PAUSE: Duration = Duration::from_secs(1);
    let failures: [fn() -> Answer; 6] = [
        || Answer::Error(TransportError::Outage(Outage::Timeout)),
        || Answer::Error(TransportError::Fault(Fault::UntrustedCertificate)),
        || Answer::status(403),
        || Answer::status(400),
        || Answer::no(),
        || panic!("a registry that panics"),
    ];
    std::thread::scope(|scope| {
        for failure in failures {
            for thread in [false, true] {
                scope.spawn(move || {
                    let pause =
                        pause_before_the_second_try(|platform| platform.builder().background_thread(thread), failure);
                    assert!(pause >= PAUSE, "{pause:?}");
                });
            }
        }
    });
}

#[test]
fn a_registration_that_the_queue_dropped_is_sent_later() {
    let (entered, arrivals) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let (entered, released) = (Mutex::new(entered), Mutex::new(released));
    let platform = Platform::new(move |seen| {
        if !seen.sealed {
            let _ = entered.lock().unwrap().send(());
            let _ = released.lock().unwrap().recv();
        }
        willing(seen)
    });
    let builder = platform.builder().auto_register(true).background_thread(true).queue_len(1);
    let (apikee, key) = (builder.build().unwrap(), key(CLIENT, "{}"));
    ask_route(&apikee, &key, "/first").unwrap();
    arrivals.recv().unwrap();
    ask_route(&apikee, &key, "/dropped").unwrap();
    ask_route(&apikee, &key, "/last").unwrap();
    drop(release);
    let start = Instant::now();
    while registrations(&platform).len() < 3 {
        assert!(start.elapsed() < LONG);
        ask_route(&apikee, &key, "/dropped").unwrap();
    }
    assert_eq!(registrations(&platform), ["/first", "/last", "/dropped"]);
}

#[test]
fn a_full_list_of_routes_is_reported_once_and_requests_continue() {
    let platform = Platform::willing();
    let (observer, notes) = notes();
    let apikee = platform.builder().auto_register(true).observer(observer).build().unwrap();
    let key = key(CLIENT, "{}");
    for n in 0..1024 + 3 {
        assert_eq!(ask_route(&apikee, &key, &format!("/{n}")), Ok(Basis::Confirmed));
    }
    assert_eq!(registrations(&platform).len(), 1024);
    let notes: Vec<_> = notes.try_iter().collect();
    let full = notes.iter().position(|note| note == "RoutesFull { limit: 1024 }").expect("the full list is reported");
    assert_eq!(notes.iter().filter(|note| note.starts_with("RoutesFull")).count(), 1);
    assert_eq!(
        notes[full - 1..full + 2],
        ["granted: confirmed by the platform", &notes[full], "granted: confirmed by the platform"]
    );
}

#[test]
fn an_observed_request_does_not_wait_and_is_sent_to_the_platform() {
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let platform = Platform::new(move |seen| {
        let _ = released.lock().unwrap().recv();
        if seen.is_validation() { Answer::no() } else { willing(seen) }
    });
    let (observer, notes) = notes();
    let apikee = platform
        .builder()
        .enforcement(Enforcement::Observe)
        .background_thread(true)
        .observer(observer)
        .build()
        .unwrap();
    // The platform does not answer before `release` is dropped.
    let good = key("acme-corp", "{}");
    assert_eq!(ask(&apikee, &good), Ok(Basis::Observed));
    assert_eq!(ask_for(&apikee, Some(&good), &["admin"]), Err("INSUFFICIENT_SCOPE".into()));
    assert!(ask(&apikee, &good[1..]).is_err());
    drop(release);
    assert_eq!(apikee.close(LONG), 0);

    let seen = platform.seen();
    assert_eq!(seen.len(), 2, "a look-up, and a validation");
    assert_eq!(seen[1].body["headers"]["x-api-key"], good);
    let notes: Vec<_> = notes.try_iter().collect();
    assert_eq!(notes.iter().filter(|note| *note == "observed: Err(\"SERVER_REJECTED\")").count(), 1, "{notes:?}");
    assert_eq!(ask(&apikee, &good), Ok(Basis::Observed), "requests still work after the end");
}

#[test]
fn a_full_queue_drops_its_oldest_entry_and_reports_it() {
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
    // The first is being sent. Two of the others fit.
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

/// Everything in an entry counts: a small entry fits, and an entry with one long part does not.
#[test]
fn the_size_of_a_queue_includes_every_part_of_an_entry() {
    let (good, long_key) = (key(CLIENT, "{}"), key(CLIENT, &format!(r#"{{"a":"{}"}}"#, "x".repeat(600))));
    let long = "x".repeat(1500);
    let payload = format!(r#"{{"a":"{long}"}}"#);
    let request = |key, method, path| AuthorizeRequest::new(Some(key), MethodPath::new(method, path).unwrap());
    let plain = request(&*good, "GET", "/users").headers(&[("a", "b")]).payload(JsonObject::EMPTY);
    let (long_name, long_value, many) = ([(&*long, "b")], [("a", &*long)], [("a", "b"); 50]);
    for (at, (large, dropped)) in [
        (plain, false),
        (request(&long_key, "GET", "/users"), true),
        (request(&good, &long, "/users"), true),
        (request(&good, "GET", &long), true),
        (plain.key_name(&long), true),
        (plain.headers(&long_name), true),
        (plain.headers(&long_value), true),
        (plain.headers(&many), true),
        (plain.payload(JsonObject::new(&payload).unwrap()), true),
    ]
    .into_iter()
    .enumerate()
    {
        let platform = Platform::willing();
        let (observer, notes) = notes();
        let builder = platform.builder().enforcement(Enforcement::Observe).background_thread(true);
        let apikee = builder.queue_bytes(1200).observer(observer).build().unwrap();
        assert_eq!(decide(&apikee, &large), Ok(Basis::Observed), "case {at}");
        assert_eq!(apikee.close(LONG), 0);
        assert_eq!(platform.seen().len(), usize::from(!dropped), "case {at}");
        let notes: Vec<_> = notes.try_iter().filter(|note| note.starts_with("dropped")).collect();
        assert_eq!(notes, if dropped { &["dropped: 1"][..] } else { &[] }, "case {at}");
    }
}

/// The same as with `Enforce`: see `refused_client_is_not_admitted_by_a_fault_of_its_own`.
#[test]
fn an_observed_request_that_cannot_be_sent_gets_the_remembered_refusal() {
    let platform = Platform::new(|_| Answer::Limited(3600));
    let (observer, notes) = notes();
    let builder = platform.builder().enforcement(Enforcement::Observe).background_thread(true);
    let policy = Policy::DEFAULT.on_fault(OnFault::Admit);
    let apikee = builder.policy(policy).observer(observer).build().unwrap();
    let (key, payload) = (key(CLIENT, "{}"), format!(r#"{{"a":"{}"}}"#, "v".repeat(66_000)));
    let long = AuthorizeRequest::new(Some(&key), MethodPath::new("GET", "/users").unwrap());
    let long = long.payload(JsonObject::new(&payload).unwrap());
    let observed = || notes.iter().find(|note| note.starts_with("observed")).unwrap();
    assert_eq!(decide(&apikee, &long), Ok(Basis::Observed));
    assert!(observed().starts_with("observed: Ok(DespiteFault("));
    assert_eq!(ask(&apikee, &key), Ok(Basis::Observed));
    for _ in 0..2 {
        assert_eq!(observed(), r#"observed: Err("SERVER_REJECTED")"#);
        assert_eq!(decide(&apikee, &long), Ok(Basis::Observed));
    }
    // The refusal is that of the client that the request names.
    observed();
    let client = |id: &str| ClientId::new(id).unwrap();
    for (request, expected) in [
        (long.client(client(CLIENT)), "Err(\"SERVER_REJECTED\")"),
        (long.client(client("11111111-2222-4333-8444-555555555555")), "Ok(DespiteFault("),
    ] {
        assert_eq!(decide(&apikee, &request), Ok(Basis::Observed));
        let observed = observed();
        assert!(observed.starts_with(&format!("observed: {expected}")), "{observed}");
    }
}

/// A client in observe mode with three entries. One is being sent, and the platform answers when the sender is dropped.
/// Two are queued.
fn two_are_queued() -> (Arc<Platform>, Apikee, mpsc::Receiver<String>, mpsc::Sender<()>) {
    let (release, released) = mpsc::channel::<()>();
    let (entered, arrivals) = mpsc::channel();
    let released = Mutex::new(released);
    let platform = Platform::new(move |seen| {
        let _ = entered.send(());
        let _ = released.lock().unwrap().recv();
        willing(seen)
    });
    let (observer, notes) = notes();
    let builder = platform.builder().enforcement(Enforcement::Observe).background_thread(true);
    let apikee = builder.observer(observer).build().unwrap();
    for _ in 0..3 {
        assert_eq!(ask(&apikee, &key(CLIENT, "{}")), Ok(Basis::Observed));
    }
    arrivals.recv().unwrap();
    (platform, apikee, notes, release)
}

fn dropped(notes: &mpsc::Receiver<String>) -> Vec<String> {
    notes.try_iter().filter(|note| note.starts_with("dropped")).collect()
}

#[test]
fn close_keeps_its_timeout_and_reports_the_remaining_entries() {
    let (_, apikee, notes, _release) = two_are_queued();
    assert_eq!(apikee.close(Duration::from_millis(20)), 2, "one of three is being sent");
    assert_eq!(dropped(&notes), ["dropped: 2"]);
    assert_eq!(apikee.close(Duration::ZERO), 0);
    assert_eq!(dropped(&notes), [""; 0], "nothing is reported twice");
    assert_eq!(ask(&apikee, &key(CLIENT, "{}")), Ok(Basis::Observed));
    drop(apikee);
    assert_eq!(dropped(&notes), ["dropped: 3"], "an entry after the end is dropped, too");
}

/// After `close`, a call has less than the usual time. That the platform does not answer in it shows nothing.
#[test]
fn a_call_that_close_cuts_short_is_not_an_outage() {
    let (sender, closing) = mpsc::channel::<()>();
    let closing = Mutex::new(closing);
    let (entered, arrivals) = mpsc::channel();
    let (observer, notes) = notes();
    let builder = Platform::willing().builder().enforcement(Enforcement::Observe).background_thread(true);
    let transport = move |call: &Call<'_>, _: &mut [u8]| {
        let _ = entered.send(());
        // The first call ends when the client is being closed.
        if closing.lock().unwrap().recv().is_err() {
            std::thread::sleep(call.timeout);
        }
        Err(TransportError::Outage(Outage::Timeout))
    };
    let apikee = builder.observer(observer).transport(transport).build().unwrap();
    for _ in 0..2 {
        assert_eq!(ask(&apikee, &key(CLIENT, "{}")), Ok(Basis::Observed));
    }
    arrivals.recv().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| apikee.close(Duration::from_secs(2)));
        // Requests are not queued any more when the client is being closed.
        wait_until(|| {
            ask(&apikee, &key(CLIENT, "{}")).is_ok() && notes.try_iter().any(|note| note.contains("dropped"))
        });
        sender.send(()).unwrap();
        drop(sender);
    });
    // Ends the notes.
    drop(apikee);
    let verdicts: Vec<_> = notes.iter().filter(|note| note.starts_with("observed")).take(2).collect();
    assert_eq!(verdicts, ["observed: Ok(FailedOpen(Timeout))", "observed: Err(\"SERVER_UNAVAILABLE\")"]);
}

/// The platform refuses old timestamps.
#[test]
fn an_observed_request_has_the_time_when_it_is_sent() {
    let (platform, apikee, _, release) = two_are_queued();
    let before = Timestamp::new(UnixTime::now()).unwrap();
    wait_until(|| Timestamp::new(UnixTime::now()).unwrap() != before);
    drop(release);
    assert_eq!(apikee.close(LONG), 0);
    let times: Vec<_> =
        platform.seen().iter().map(|seen| seen.body["timestamp"].as_str().unwrap().to_owned()).collect();
    assert!(
        times[0].as_str() <= before.as_str() && times[1..].iter().all(|time| time.as_str() > before.as_str()),
        "{times:?}"
    );
}

#[test]
fn a_dropped_client_reports_the_remaining_entries() {
    let (_, apikee, notes, _release) = two_are_queued();
    drop(apikee);
    assert_eq!(dropped(&notes), ["dropped: 2"]);

    let (observer, notes) = self::notes();
    drop(Platform::willing().builder().background_thread(true).observer(observer).build().unwrap());
    assert_eq!(notes.try_iter().count(), 0, "no entry was left");
}

#[test]
fn an_observed_request_whose_secret_was_removed_is_reported_as_dropped() {
    let (platform, apikee, notes, release) = two_are_queued();
    apikee.set_keyring(apikee::Keyring::new(b"another secret of 32 bytes or so").unwrap());
    drop(release);
    assert_eq!(apikee.close(LONG), 0);
    assert_eq!(platform.seen().len(), 1);
    let after_the_requests: Vec<_> = notes.try_iter().skip(4).collect();
    assert_eq!(after_the_requests, ["observed: Ok(Confirmed)", "dropped: 1", "dropped: 2"]);
}

#[test]
fn after_a_job_that_panics_the_thread_continues() {
    let platform = Platform::willing();
    let transport = platform.transport();
    let calls = std::sync::atomic::AtomicUsize::new(0);
    let (observer, notes) = notes();
    let apikee = platform
        .builder()
        .enforcement(Enforcement::Observe)
        .background_thread(true)
        .observer(observer)
        .transport(move |call: &Call<'_>, answer: &mut [u8]| {
            let first = calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0;
            assert!(!first, "a transport that panics");
            Transport::call(&transport, call, answer)
        })
        .build()
        .unwrap();
    for _ in 0..2 {
        assert_eq!(ask(&apikee, &key(CLIENT, "{}")), Ok(Basis::Observed));
    }
    assert_eq!(apikee.close(LONG), 0);
    assert_eq!(platform.seen().len(), 1);
    let notes: Vec<_> = notes.try_iter().filter(|note| !note.starts_with("granted")).collect();
    assert_eq!(notes, ["dropped: 1", "observed: Ok(Confirmed)"]);
}

#[test]
fn the_thread_ends_with_the_client() {
    let platform = Platform::willing();
    let weak = Arc::downgrade(&platform);
    let apikee = platform.builder().background_thread(true).build().unwrap();
    drop(platform);
    drop(apikee);
    // The thread drops the last reference to the transport, which owns the platform.
    wait_until(|| weak.upgrade().is_none());
}

#[test]
fn outages_of_all_calls_are_events() {
    let platform = Platform::new(|_| Answer::Error(TransportError::Outage(Outage::Connect)));
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

#[test]
fn an_observer_that_blocks_delays_only_its_own_request() {
    let (entered, arrivals) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let (entered, released) = (Mutex::new(entered), Mutex::new(Some(released)));
    let platform = Platform::willing();
    let observer = move |_: &Event<'_>| {
        let blocking = released.lock().unwrap().take();
        if let Some(released) = blocking {
            entered.lock().unwrap().send(()).unwrap();
            let _ = released.recv();
        }
    };
    let apikee = platform.builder().observer(observer).build().unwrap();
    let key = key("acme-corp", "{}");
    std::thread::scope(|scope| {
        let blocked = scope.spawn(|| ask(&apikee, &key));
        arrivals.recv().unwrap();
        assert_eq!(ask(&apikee, &key), Ok(Basis::Confirmed));
        assert!(!blocked.is_finished());
        drop(release);
        assert_eq!(blocked.join().unwrap(), Ok(Basis::Confirmed));
    });
}
