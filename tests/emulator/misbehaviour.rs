//! What each misbehaviour sends, and when.

use std::{
    io::ErrorKind,
    time::{Duration, Instant},
};

use apikee::{
    emulator::{EmulatedClient, Emulator, Misbehaviour, Occasion, RequestKind},
    envelope::{OpenError, ServerKey},
    protocol::{CreateClient, MethodPath, RegisterEndpoint, Sealing},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::{
    builder,
    calls::{Answered, Call},
    id, started, validation,
    wire::Wire,
};

/// The answer to the next request with this misbehaviour.
fn asked(emulator: &Emulator, misbehaviour: Misbehaviour) -> Answered {
    emulator.misbehave(misbehaviour, Occasion::Next(1));
    valid(emulator).to(emulator)
}

fn valid(emulator: &Emulator) -> Call {
    Call::of(emulator, &validation())
}

/// A connection over which the next request was sent.
fn sent(emulator: &Emulator, misbehaviour: Misbehaviour) -> Wire {
    emulator.misbehave(misbehaviour, Occasion::Next(1));
    let mut wire = Wire::to(emulator);
    valid(emulator).write(&mut wire);
    wire
}

#[test]
fn a_status_replaces_the_answer() {
    let emulator = started();
    for status in [201, 400, 401, 403, 404, 429, 500, 502, 503, 504] {
        let response = asked(&emulator, Misbehaviour::Status(status)).failed(status, "MISBEHAVIOUR");
        assert_eq!(response.header("Retry-After"), None);
    }
    let response = asked(&emulator, Misbehaviour::Unavailable { retry_after: 7 }).failed(503, "MISBEHAVIOUR");
    assert_eq!(response.header("Retry-After"), Some("7"));
    asked(&emulator, Misbehaviour::Delay(Duration::ZERO)).accepted();
}

#[test]
fn a_redirect_has_its_location_in_one_field() {
    let emulator = started();
    let away = "http://evil.example/\r\nX: y".to_owned();
    let response = asked(&emulator, Misbehaviour::Redirect(away)).failed(307, "MISBEHAVIOUR");
    assert_eq!(response.header("Location"), Some("http://evil.example/X: y"));
    assert_eq!(response.header("X"), None);
}

#[test]
fn a_delay_passes_before_the_first_byte() {
    let emulator = started();
    let before = Instant::now();
    asked(&emulator, Misbehaviour::Delay(Duration::from_millis(50))).accepted();
    assert!(before.elapsed() >= Duration::from_millis(50));
}

#[test]
fn a_drip_is_the_right_answer_byte_by_byte() {
    let emulator = started();
    let before = Instant::now();
    let answered = asked(&emulator, Misbehaviour::Drip { every: Duration::from_micros(100) });
    // At least 100 microseconds for each byte of the body. The head takes additional time.
    let len = u32::try_from(answered.response.body.len()).unwrap();
    assert!(before.elapsed() >= Duration::from_micros(100) * len);
    answered.accepted();

    let mut wire = sent(&emulator, Misbehaviour::Drip { every: Duration::from_secs(3_600) });
    assert_eq!(wire.read_some(), 1);
}

#[test]
fn a_reset_is_seen_as_a_connection_reset() {
    let emulator = started();
    let error = sent(&emulator, Misbehaviour::Reset).read_to_end().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[test]
fn a_hang_up_closes_the_connection_regularly() {
    let emulator = started();
    sent(&emulator, Misbehaviour::HangUp).assert_ended();
}

#[test]
fn used_connections_can_also_end_without_an_answer() {
    let emulator = started();
    for misbehaviour in [Misbehaviour::Reset, Misbehaviour::HangUp] {
        let mut wire = Wire::to(&emulator);
        valid(&emulator).over(&mut wire).accepted();
        emulator.misbehave(misbehaviour, Occasion::Next(1));
        valid(&emulator).write(&mut wire);
        assert!(wire.read().is_err());
    }
}

#[test]
fn an_idle_connection_can_be_closed_without_notice() {
    let emulator = started();
    emulator.misbehave(Misbehaviour::CloseIdle, Occasion::Next(1));
    let mut wire = Wire::to(&emulator);
    let answered = valid(&emulator).over(&mut wire);
    assert_eq!(answered.response.header("Connection"), None);
    answered.accepted();
    wire.assert_ended();
}

#[test]
fn a_truncated_answer_has_half_of_its_content_length() {
    let emulator = started();
    let bytes = sent(&emulator, Misbehaviour::Truncate).read_to_end().unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let promised = head.split_once("Content-Length: ").unwrap().1.parse::<usize>().unwrap();
    assert_eq!(body.len(), promised / 2);
    assert!(head.starts_with("HTTP/1.1 200 ") && body.starts_with(r#"{"v":"1","#), "{text}");
    assert!(sent(&emulator, Misbehaviour::Truncate).read().is_err());
}

#[test]
fn garbage_and_oversized_answers_have_status_200() {
    let emulator = started();
    let response = asked(&emulator, Misbehaviour::Garbage).response;
    assert_eq!(response.status, 200);
    assert!(serde_json::from_slice::<Value>(&response.body).is_err());
    for len in [10, 11, 65_537, 1_000_000] {
        let response = asked(&emulator, Misbehaviour::Oversized(len)).response;
        assert_eq!((response.status, response.body.len()), (200, len));
        assert!(response.json().is_object());
    }
    let response = asked(&emulator, Misbehaviour::Oversized(usize::MAX)).response;
    assert_eq!((response.status, response.body.len()), (200, 16 * 1024 * 1024));
}

#[test]
fn answers_from_others_and_to_others_cannot_be_opened() {
    let emulator = started();
    for (misbehaviour, error) in [
        (Misbehaviour::Forged, OpenError::Forged),
        (Misbehaviour::Replayed, OpenError::Forged),
        (Misbehaviour::Impostor, OpenError::WrongKey),
        (Misbehaviour::Reflected, OpenError::WrongKey),
        (Misbehaviour::Unsealed, OpenError::Unsealed),
    ] {
        let answered = asked(&emulator, misbehaviour.clone());
        assert_eq!(answered.opened().unwrap_err(), error, "{misbehaviour:?}");
        valid(&emulator).to(&emulator).accepted();
    }
}

#[test]
fn a_replay_has_the_servers_key_and_an_impostor_another_key() {
    let emulator = started();
    let epk = |misbehaviour| {
        let envelope = asked(&emulator, misbehaviour).response.json();
        envelope["epk"].as_str().unwrap().parse::<ServerKey>().unwrap().to_string()
    };
    let own = emulator.public_key().parse::<ServerKey>().unwrap().to_string();
    assert_eq!(epk(Misbehaviour::Replayed), own);
    assert_eq!(epk(Misbehaviour::Forged), own);
    assert_ne!(epk(Misbehaviour::Impostor), own);
}

#[test]
fn an_unsealed_answer_is_the_right_answer() {
    let emulator = started();
    assert_eq!(asked(&emulator, Misbehaviour::Unsealed).response.json()["clientId"], json!(id().to_string()));
}

#[test]
fn a_reflected_request_has_its_own_key_and_the_servers_key_alternately() {
    let emulator = started();
    emulator.misbehave(Misbehaviour::Reflected, Occasion::Next(4));
    for with_servers_key in [false, true, false, true] {
        let call = valid(&emulator);
        let body = call.body.clone();
        let answered = call.to(&emulator);
        if with_servers_key {
            let mut request: Value = serde_json::from_slice(&body).unwrap();
            let key: ServerKey = emulator.public_key().parse().unwrap();
            request["epk"] = BASE64_URL_SAFE_NO_PAD.encode(key.as_bytes()).into();
            assert_eq!(answered.response.json(), request);
            assert_eq!(answered.opened().unwrap_err(), OpenError::Reflected);
        } else {
            assert_eq!(answered.response.body, body);
            assert_eq!(answered.opened().unwrap_err(), OpenError::WrongKey);
        }
    }
    valid(&emulator).to(&emulator).accepted();
}

#[test]
fn a_reflected_plain_request_is_returned_unchanged() {
    let emulator = started();
    emulator.misbehave(Misbehaviour::Reflected, Occasion::Next(2));
    for _ in 0..2 {
        let request = RegisterEndpoint::new(Emulator::PROJECT_ENV, MethodPath::new("GET", "/users").unwrap());
        let call = Call::of(&emulator, &request);
        let body = call.body.clone();
        assert_eq!(call.to(&emulator).response.body, body);
    }
}

#[test]
fn a_refusal_can_be_sealed_or_plain() {
    let emulator = started();
    assert_eq!(asked(&emulator, Misbehaviour::Refuse).opened().unwrap(), json!({ "success": false }));
    let plain = builder().sealing(Sealing::Requests).start().unwrap();
    plain.add_client(id(), EmulatedClient::new("acme-corp"));
    assert_eq!(asked(&plain, Misbehaviour::Refuse).response.json(), json!({ "success": false }));
    emulator.misbehave(Misbehaviour::Refuse, Occasion::Next(1));
    valid(&emulator).header("x-api-key", None).to(&emulator).failed(401, "INVALID_PROJECT_KEY");
}

#[test]
fn a_misbehaving_platform_still_executes_the_request() {
    let emulator = started();
    emulator.misbehave(Misbehaviour::HangUp, Occasion::Next(1));
    let mut wire = Wire::to(&emulator);
    Call::of(&emulator, &CreateClient::new(Emulator::PROJECT_ENV, "other")).write(&mut wire);
    wire.assert_ended();
    assert!(emulator.client_named("other").is_some());
}

/// For each of the next requests, whether it fails.
fn pattern(emulator: &Emulator, requests: usize) -> Vec<bool> {
    let mut wire = Wire::to(emulator);
    // Endpoints are fast, because they need no cryptography.
    let request = RegisterEndpoint::new(Emulator::PROJECT_ENV, MethodPath::new("GET", "/users").unwrap());
    (0..requests).map(|_| Call::of(emulator, &request).over(&mut wire).response.status != 200).collect()
}

#[test]
fn misbehaviours_apply_in_their_order_and_for_their_occasions() {
    let emulator = started();
    emulator.misbehave(Misbehaviour::Status(503), Occasion::Next(2));
    emulator.misbehave(Misbehaviour::Status(502), Occasion::Next(1));
    emulator.misbehave(Misbehaviour::Status(500), Occasion::Next(0));
    let mut wire = Wire::to(&emulator);
    let statuses = [(); 4].map(|()| valid(&emulator).over(&mut wire).response.status);
    assert_eq!(statuses, [503, 503, 502, 200]);

    emulator.misbehave(Misbehaviour::Status(503), Occasion::Always);
    assert_eq!(pattern(&emulator, 3), [true; 3]);
    emulator.behave();
    assert_eq!(pattern(&emulator, 3), [false; 3]);
}

#[test]
fn a_misbehaviour_can_apply_to_one_kind_of_request() {
    let emulator = started();
    emulator.misbehave_at(RequestKind::Client, Misbehaviour::Status(503), Occasion::Next(1));
    valid(&emulator).to(&emulator).accepted();
    let create = || Call::of(&emulator, &CreateClient::new(Emulator::PROJECT_ENV, "other")).to(&emulator);
    create().failed(503, "MISBEHAVIOUR");
    create().opened().unwrap();
}

#[test]
fn random_misbehaviour_is_the_same_for_the_same_seed() {
    let fails = |percent, seed| {
        let emulator = started();
        emulator.misbehave(Misbehaviour::Status(503), Occasion::Randomly { percent, seed });
        pattern(&emulator, 50)
    };
    let some = fails(30, 7);
    assert_eq!(fails(30, 7), some);
    assert_ne!(fails(30, 8), some);
    let failed = some.iter().filter(|failed| **failed).count();
    assert!((5..=25).contains(&failed), "{failed}");
    assert_eq!(fails(0, 7), [false; 50]);
    assert_eq!(fails(100, 7), [true; 50]);
}
