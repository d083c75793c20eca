//! The content of the log.

use std::sync::mpsc;

use apikee::{
    emulator::{EmulatedClient, Emulator, Misbehaviour, Occasion, RequestKind},
    meta::JsonObject,
    protocol::{CreateClient, MethodPath, ProjectKey, RegisterEndpoint},
};

use crate::{builder, calls::Call, id, started, validation, wire::Wire};

#[test]
fn the_log_has_requests_with_their_results() {
    let emulator = started();
    let mut wire = Wire::to(&emulator);
    Call::of(&emulator, &validation()).over(&mut wire).accepted();
    Call::of(&emulator, &CreateClient::new(Emulator::PROJECT_ENV, "other")).over(&mut wire);
    let endpoint = RegisterEndpoint::new(Emulator::PROJECT_ENV, MethodPath::new("GET", "/users").unwrap());
    Call::of(&emulator, &endpoint).over(&mut wire);
    emulator.misbehave(Misbehaviour::HangUp, Occasion::Next(1));
    Call::of(&emulator, &validation()).write(&mut wire);
    wire.assert_ended();
    Call::of(&emulator, &validation()).header("x-api-key", None).to(&emulator);
    let mut wire = Wire::to(&emulator);
    wire.write("\r\n");
    wire.read().unwrap();

    let log = emulator.log();
    let seen: Vec<_> = log.iter().map(|entry| (entry.kind, entry.connection, entry.status, entry.refusal)).collect();
    let expected = [
        (RequestKind::Validate, 1, Some(200), None),
        (RequestKind::Client, 1, Some(200), None),
        (RequestKind::Endpoint, 1, Some(200), None),
        (RequestKind::Validate, 1, None, None),
        (RequestKind::Validate, 2, Some(401), Some("INVALID_PROJECT_KEY")),
        (RequestKind::Other, 3, Some(400), Some("MALFORMED_REQUEST")),
    ];
    assert_eq!(seen, expected);
    assert_eq!((log[0].client, log[1].client), (Some(id()), emulator.client_named("other")));
    assert_eq!(log[0].method_path.as_deref(), Some("GET:::/users"));
    let body = r#"{"name":"default","timestamp":"2026-11-24T02:21:45.017Z","headers":{}}"#;
    assert_eq!(log[0].body.as_deref(), Some(body));
    assert_eq!(log[2].body.as_deref(), Some(r#"{"method":"GET","path":"/users","name":"GET /users"}"#));
    assert_eq!(log[3].misbehaviour, Some(Misbehaviour::HangUp));
    assert!(log[0].headers.contains(&("X-Apikee-Encrypted".to_owned(), "1".to_owned())));

    emulator.clear_log();
    assert!(emulator.log().is_empty());
    assert_eq!(emulator.requests(), 6);
}

#[test]
fn the_log_keeps_only_the_latest_requests() {
    let emulator = builder().log_capacity(2).start().unwrap();
    let mut wire = Wire::to(&emulator);
    for path in ["/a", "/b", "/c"] {
        let target = |target: &str| target.replace("%2Fusers", path);
        Call::of(&emulator, &validation()).target(target).over(&mut wire);
    }
    let routes: Vec<_> = emulator.log().into_iter().filter_map(|entry| entry.method_path).collect();
    assert_eq!(routes, ["GET:::/b", "GET:::/c"]);
}

#[test]
fn no_project_key_is_logged_or_printed() {
    let secret = "sk_live_t0p-s3cr3t";
    let (sender, receiver) = mpsc::channel();
    let builder = builder().project_key(ProjectKey::new(secret).unwrap()).secret([0x5e; 32]);
    let builder = builder.on_request(move |entry| sender.send(format!("{entry:?} {:?}", entry.headers)).unwrap());
    assert!(!format!("{builder:?}").contains(secret));
    let emulator = builder.start().unwrap();
    emulator.add_client(id(), EmulatedClient::new("acme-corp"));

    let payload = r#"{"oops":"sk_live_t0p-s3cr3t","so":"apikee_raw.key"}"#;
    let escaped = r#"{"oops":"sk_live_t0p\u002ds3cr3t"}"#;
    let request = validation().payload(JsonObject::new(payload).unwrap());
    let call = Call::of(&emulator, &request).header("x-api-key", Some(secret));
    let call = call.header("X-Copy", Some(&format!("Bearer {secret}")));
    call.target(|target| target.replace("users", secret)).to(&emulator).accepted();
    Call::of(&emulator, &request).header("x-api-key", Some("sk_live_mistyped")).to(&emulator);

    let request = validation().payload(JsonObject::new(escaped).unwrap());
    Call::of(&emulator, &request).header("x-api-key", Some(secret)).to(&emulator).accepted();

    let log = emulator.log();
    for entry in &log {
        let all = format!("{entry:?} {:?} {:?} {:?}", entry.headers, entry.body, entry.method_path);
        assert!(!all.contains(secret) && !all.contains("mistyped"), "{all}");
        assert!(!format!("{entry:?}").contains("apikee_raw.key"));
    }
    assert!(log[0].headers.contains(&("X-Copy".to_owned(), "Bearer [redacted]".to_owned())));
    assert!(log[0].headers.contains(&("x-api-key".to_owned(), "[redacted]".to_owned())));
    assert!([0, 2].iter().all(|at| log[*at].body.as_ref().unwrap().contains(r#""oops":"[redacted]""#)));
    let observed: Vec<_> = receiver.try_iter().collect();
    assert_eq!(observed.len(), 3);
    assert!(observed.iter().all(|entry| !entry.contains(secret)), "{observed:?}");
    let shown = format!("{emulator:?}");
    assert!(!shown.contains(secret) && !shown.contains("5e5e") && !shown.contains("94, 94"), "{shown}");
}
