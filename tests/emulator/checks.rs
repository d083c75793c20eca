//! Refused calls, and the codes of the refusals.

use std::time::Duration;

use apikee::{
    Fingerprint, UnixTime,
    emulator::{EmulatedClient, Emulator, InvalidNetwork},
    protocol::{Answer, MethodPath, ProjectKey, RegisterEndpoint, Sealing},
};
use serde_json::json;

use crate::{NOW, builder, calls::Call, id, knowing, started, validation, validation_at, wire::Wire};

fn valid(emulator: &Emulator) -> Call {
    Call::of(emulator, &validation())
}

#[test]
fn a_good_request_is_answered_in_its_envelope() {
    let emulator = started();
    let mut answer = valid(&emulator).to(&emulator).opened().unwrap();
    assert!(answer["durationMs"].take().is_u64());
    let expected = json!({
        "success": true,
        "clientId": id().to_string(),
        "project_env": "my-app-development",
        "method_path": "GET:::/users",
        "durationMs": null,
    });
    assert_eq!(answer, expected);
}

#[test]
fn plain_answers_are_the_same_without_an_envelope() {
    let emulator = builder().sealing(Sealing::Requests).start().unwrap();
    emulator.add_client(id(), EmulatedClient::new("acme-corp"));
    let mut response = valid(&emulator).to(&emulator).response;
    assert_eq!((response.status, &response.json()["success"]), (200, &json!(true)));
    assert!(Answer::read_unsealed(&mut response.body).unwrap().success());
}

#[test]
fn a_request_must_be_a_post_of_json_to_a_known_path() {
    let emulator = started();
    for target in ["/", "/api/v1", "/api/v2/client", "/api/v1/clients?project_env=x", "*", "http://x/api/v1/client"] {
        valid(&emulator).target(|_| target.to_owned()).to(&emulator).failed(404, "UNKNOWN_PATH");
    }
    for content_type in [None, Some("text/plain"), Some("application/jsonp"), Some("")] {
        valid(&emulator).header("content-type", content_type).to(&emulator).failed(415, "NOT_JSON");
    }
    let charset = Some("Application/JSON; charset=utf-8");
    valid(&emulator).header("content-type", charset).to(&emulator).accepted();

    let mut wire = Wire::to(&emulator);
    wire.write(format!("PATCH {} HTTP/1.1\r\n\r\n", valid(&emulator).target));
    assert_eq!(wire.read().unwrap().status, 405);
}

#[test]
fn only_the_right_project_key_is_accepted() {
    let emulator = started();
    for key in [None, Some(""), Some("sk_test_emulato"), Some("sk_test_emulator2"), Some("SK_TEST_EMULATOR")] {
        valid(&emulator).header("x-api-key", key).to(&emulator).failed(401, "INVALID_PROJECT_KEY");
    }
    let emulator = builder().project_key(ProjectKey::new("sk_test_other").unwrap()).start().unwrap();
    valid(&emulator).to(&emulator).failed(401, "INVALID_PROJECT_KEY");
    let other = valid(&emulator).header("x-api-key", Some("sk_test_other"));
    other.to(&emulator).refused("UNKNOWN_CLIENT");
}

#[test]
fn an_unknown_project_env_is_a_404() {
    let emulator = started();
    for name in ["other", "", "My-app-development"] {
        let call = valid(&emulator).target(|target| target.replace("my-app-development", name));
        call.to(&emulator).failed(404, "UNKNOWN_PROJECT_ENV");
    }
}

#[test]
fn malformed_and_ambiguous_queries_are_refused() {
    let emulator = started();
    let path = format!("/api/v1/client/{}", id());
    for query in [
        "",
        "?project_env=my-app-development",
        "?method_path=GET:::/users",
        "?project_env=my-app-development&method_path=GET::/users",
        "?project_env=my-app-development&method_path=get:::/users",
        "?project_env=my-app-development&method_path=GET:::users",
        "?project_env=my-app-development&method_path=:::/users",
        "?project_env=my-app-development&method_path=GET%3A%3A%3A%2Fusers%",
        "?project_env=my-app-development&method_path=GET%3A%3A%3A%2Fusers%f",
        "?project_env=my-app-development&method_path=GET%3A%3A%3A%2Fusers%+f",
        "?project_env=my-app-development&method_path=GET%3A%3A%3A%2Fusers%FF",
        "?project_env=my-app-development&method_path=GET:::/a&method_path=GET:::/b",
    ] {
        let call = valid(&emulator).target(|_| format!("{path}{query}"));
        call.to(&emulator).failed(400, "MALFORMED_REQUEST");
    }
    let call = valid(&emulator).target(|target| target.replace("6f08", "6f0"));
    call.to(&emulator).failed(400, "MALFORMED_REQUEST");
}

#[test]
fn the_encrypted_header_must_match_the_body() {
    let emulator = started();
    for value in [None, Some("0"), Some("true")] {
        valid(&emulator).header("x-apikee-encrypted", value).to(&emulator).failed(400, "WRONG_ENCRYPTED_HEADER");
    }
    let endpoint = RegisterEndpoint::new(Emulator::PROJECT_ENV, MethodPath::new("GET", "/users").unwrap());
    let call = Call::of(&emulator, &endpoint).header("x-apikee-encrypted", Some("1"));
    call.to(&emulator).failed(400, "WRONG_ENCRYPTED_HEADER");
}

#[test]
fn unreadable_envelopes_are_refused() {
    let (emulator, other) = (started(), started());
    valid(&other).to(&emulator).failed(400, "UNREADABLE_ENVELOPE");
    for body in ["", "{}", "[1]", "\0\u{1}", r#"{"name":"default"}"#, r#"{"v":"1","epk":"","iv":"","ct":""}"#] {
        let call = Call { body: body.into(), ..valid(&emulator) };
        call.to(&emulator).failed(400, "UNREADABLE_ENVELOPE");
    }
}

#[test]
fn the_envelope_must_contain_a_validate_request() {
    let emulator = started();
    let nested = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    for body in [
        "",
        "[]",
        "null",
        "\u{0}",
        r#"{"timestamp":"2026-11-24T02:21:45Z","headers":{}}"#,
        r#"{"name":1,"timestamp":"2026-11-24T02:21:45Z","headers":{}}"#,
        r#"{"name":"default","headers":{}}"#,
        r#"{"name":"default","timestamp":"yesterday","headers":{}}"#,
        r#"{"name":"default","timestamp":1795486905,"headers":{}}"#,
        r#"{"name":"default","timestamp":"2026-11-24T02:21:45Z"}"#,
        r#"{"name":"default","timestamp":"2026-11-24T02:21:45Z","headers":[]}"#,
        r#"{"name":"default","timestamp":"2026-11-24T02:21:45Z","headers":{"a":1}}"#,
        r#"{"name":"default","timestamp":"2026-11-24T02:21:45Z","headers":{},"payload":[]}"#,
        &nested,
    ] {
        let call = valid(&emulator).sealing(&emulator, body.as_bytes());
        call.to(&emulator).failed(400, "MALFORMED_REQUEST");
    }
    let call = valid(&emulator).sealing(&emulator, b"\xFF");
    call.to(&emulator).failed(400, "MALFORMED_REQUEST");
}

#[test]
fn a_timestamp_may_differ_by_up_to_five_minutes() {
    let emulator = started();
    let ask = |millis: i64| {
        let time = UnixTime::from_millis(NOW.as_secs() * 1000 + i64::from(NOW.subsec_millis()) + millis);
        Call::of(&emulator, &validation_at(time)).to(&emulator)
    };
    ask(300_000).accepted();
    ask(-300_000).accepted();
    ask(300_001).refused("STALE_REQUEST");
    ask(-300_001).refused("STALE_REQUEST");

    let body = br#"{"name":"default","timestamp":"2026-11-24T02:21:45.017486+00:00","headers":{}}"#;
    valid(&emulator).sealing(&emulator, body).to(&emulator).accepted();
    emulator.advance(Duration::from_secs(301));
    valid(&emulator).to(&emulator).refused("STALE_REQUEST");
    emulator.set_time(NOW);
    valid(&emulator).to(&emulator).accepted();
}

#[test]
fn the_check_of_timestamps_can_be_turned_off() {
    let emulator = builder().timestamp_tolerance(None).start().unwrap();
    emulator.add_client(id(), EmulatedClient::new("acme-corp"));
    Call::of(&emulator, &validation_at(UnixTime::from_secs(0))).to(&emulator).accepted();
}

#[test]
fn a_client_is_unknown_before_it_is_added_and_after_it_is_removed() {
    let emulator = builder().start().unwrap();
    valid(&emulator).to(&emulator).refused("UNKNOWN_CLIENT");
    emulator.add_client(id(), EmulatedClient::new("acme-corp"));
    valid(&emulator).to(&emulator).accepted();
    assert!(emulator.remove_client(id()) && !emulator.remove_client(id()));
    valid(&emulator).to(&emulator).refused("UNKNOWN_CLIENT");
}

#[test]
fn a_key_in_the_headers_must_belong_to_the_client() {
    let client = EmulatedClient::new("acme-corp").fingerprint(Fingerprint::of("apikee_good.signature"));
    let emulator = knowing(client);
    let ask = |headers: &[(&str, &str)]| Call::of(&emulator, &validation().headers(headers)).to(&emulator);
    ask(&[("X-Api-Key", "apikee_good.signature")]).accepted();
    ask(&[("x-api-key", "apikee_evil.signature")]).refused("UNKNOWN_KEY");
    ask(&[]).accepted();

    emulator.add_client(id(), EmulatedClient::new("acme-corp"));
    let ask = Call::of(&emulator, &validation().headers(&[("x-api-key", "apikee_evil.signature")]));
    ask.to(&emulator).accepted();
}

#[test]
fn a_named_key_is_accepted_until_it_expires() {
    let client = EmulatedClient::new("acme-corp").key("default", Some(NOW)).key("eternal", None);
    let emulator = knowing(client);
    let ask = |name| Call::of(&emulator, &validation().key_name(name)).to(&emulator);
    ask("default").accepted();
    emulator.advance(Duration::from_secs(1));
    ask("default").refused("EXPIRED_KEY");
    ask("eternal").accepted();
    ask("unheard-of").accepted();
}

#[test]
fn addresses_outside_the_clients_networks_are_refused() {
    let client = EmulatedClient::new("acme-corp").network("203.0.113.0/24").unwrap();
    let emulator = knowing(client.network("2001:db8::/32").unwrap().network("192.0.2.7").unwrap());
    let ask = |headers: &[(&str, &str)]| Call::of(&emulator, &validation().headers(headers)).to(&emulator);
    for address in [
        "203.0.113.9",
        "203.0.113.9, 10.0.0.1",
        " 203.0.113.9 ",
        "203.0.113.9:4711",
        "::ffff:203.0.113.9",
        "2001:db8::1",
        "[2001:db8::1]",
        "[2001:db8::1]:4711",
        "192.0.2.7",
    ] {
        ask(&[("X-Forwarded-For", address)]).accepted();
        ask(&[("x-real-ip", address)]).accepted();
    }
    for address in ["203.0.114.9", "10.0.0.1, 203.0.113.9", "192.0.2.8", "2001:db9::1", "unknown", ""] {
        ask(&[("x-forwarded-for", address)]).failed(403, "IP_NOT_ALLOWED");
    }
    ask(&[("x-forwarded-for", "10.0.0.1"), ("x-real-ip", "203.0.113.9")]).failed(403, "IP_NOT_ALLOWED");
    ask(&[]).failed(403, "IP_NOT_ALLOWED");

    emulator.add_client(id(), EmulatedClient::new("acme-corp").network("127.0.0.0/8").unwrap());
    valid(&emulator).to(&emulator).accepted();
}

#[test]
fn malformed_networks_are_refused() {
    for text in ["", "203.0.113.0/33", "203.0.113", "example.org", "::/129"] {
        assert_eq!(EmulatedClient::new("acme-corp").network(text).unwrap_err(), InvalidNetwork, "{text}");
    }
}

#[test]
fn limits_reset_with_each_hour_and_day() {
    let emulator = knowing(EmulatedClient::new("acme-corp").hourly(2).daily(3));
    let hour_ends = 3600 - NOW.as_secs() % 3600;
    let day_ends = 86_400 - NOW.as_secs() % 86_400;
    let ask = || Call::of(&emulator, &validation_at(emulator.now())).to(&emulator);
    #[track_caller]
    fn retry_after(answered: crate::calls::Answered) -> i64 {
        answered.failed(429, "RATE_LIMITED").header("Retry-After").unwrap().parse().unwrap()
    }
    ask().accepted();
    ask().accepted();
    assert_eq!(retry_after(ask()), hour_ends);
    emulator.advance(Duration::from_secs(hour_ends.unsigned_abs() - 1));
    assert_eq!(retry_after(ask()), 1);
    emulator.advance(Duration::from_secs(1));
    ask().accepted();
    assert_eq!(retry_after(ask()), day_ends - hour_ends);
    emulator.advance(Duration::from_secs((day_ends - hour_ends).unsigned_abs()));
    ask().accepted();
}

#[test]
fn a_refused_request_does_not_count_against_limits() {
    let client = EmulatedClient::new("acme-corp").hourly(1).network("203.0.113.0/24").unwrap();
    let emulator = knowing(client);
    valid(&emulator).to(&emulator).failed(403, "IP_NOT_ALLOWED");
    Call::of(&emulator, &validation_at(UnixTime::from_secs(0))).to(&emulator).refused("STALE_REQUEST");
    let headers = [("x-forwarded-for", "203.0.113.1")];
    Call::of(&emulator, &validation().headers(&headers)).to(&emulator).accepted();
    Call::of(&emulator, &validation().headers(&headers)).to(&emulator).failed(429, "RATE_LIMITED");
}
