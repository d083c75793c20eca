//! The responses to refused requests.

use std::time::Duration;

use apikee::{
    Apikee, BufferTooSmall, Expiry, Keyring, NewKey, Policy, SysRng, UnixTime,
    breaker::BreakerConfig,
    client::TransportError,
    policy::{FailOpen, Fault, Outage, Overload},
    web::{Guard, Refusal, RequestView},
};
use serde_json::{Value, json};

use crate::{
    guard, key, lookup,
    platform::{Answer, CLIENT, Platform, SECRET},
};

/// Status, body, `WWW-Authenticate` and `Retry-After`.
type Response = (u16, Value, Option<String>, Option<String>);

/// The response to a request to `GET /users` with this key, for a route that needs these scopes.
fn refused(guard: &Guard, key: Option<&str>, scopes: &[&str]) -> Response {
    let fields: Vec<_> = key.map(|key| ("x-api-key", key.as_bytes())).into_iter().collect();
    let lookup = lookup(&fields);
    response(&guard.require(scopes).check(RequestView::new("GET", "/users", &lookup)).unwrap_err())
}

fn response(refusal: &Refusal<'_>) -> Response {
    let field = |name: &str| {
        let mut named = refusal.headers().filter(|field| field.0 == name);
        let value = named.next().map(|field| field.1.into_owned());
        assert!(named.next().is_none(), "{name} twice");
        value
    };
    assert_eq!(field("Content-Type").unwrap(), "application/json");
    (refusal.status(), serde_json::from_str(&refusal.body()).unwrap(), field("WWW-Authenticate"), field("Retry-After"))
}

fn issued(now: UnixTime, new: NewKey<'_>) -> String {
    Keyring::new(SECRET).unwrap().issue(&new, now, &mut SysRng, &mut [0; 1024]).unwrap().to_owned()
}

fn body(code: &str, message: &str) -> Value {
    json!({ "error": code, "message": message })
}

const CHALLENGE: &str = r#"ApiKey realm="apikee", header="x-api-key""#;

#[test]
fn bad_keys_get_the_sdks_bodies_and_a_challenge() {
    let good = key();
    let expired = issued(UnixTime::from_secs(1_700_000_000), NewKey::new("a"));
    let early = NewKey::new("a").expires(Expiry::Never).not_before(UnixTime::from_secs(99_999_999_999));
    let early = issued(UnixTime::now(), early);
    for (key, code, message) in [
        (None, "MISSING_KEY", "'x-api-key' header is required"),
        (Some("sk_live_1"), "INVALID_PREFIX", "Key does not start with 'apikee_'"),
        (Some("apikee_abc"), "INVALID_FORMAT", "Key missing signature separator"),
        (Some("apikee_a-b.c"), "DECODE_ERROR", "Key cannot be decoded"),
        (Some("apikee_a.b-c"), "DECODE_ERROR", "Key cannot be decoded"),
        (Some(&good[..good.len() - 1]), "INVALID_SIGNATURE", "Key signature is invalid"),
        (Some(&expired), "EXPIRED", "Key has expired"),
        (Some(&early), "NOT_YET_VALID", "Key is not yet valid"),
    ] {
        let expected = (401, body(code, message), Some(CHALLENGE.into()), None);
        assert_eq!(refused(&guard(), key, &[]), expected, "{code}");
    }
}

#[test]
fn a_revoked_key_gets_a_401_with_the_code_revoked() {
    let apikee = Apikee::builder().secret(SECRET).revoked(|key| key.claims().tenant() == CLIENT).build().unwrap();
    let expected = (401, body("REVOKED", "Key is revoked"), Some(CHALLENGE.into()), None);
    assert_eq!(refused(&Guard::new(apikee), Some(&key()), &["admin"]), expected);
}

#[test]
fn missing_scopes_are_named_in_a_403_in_the_order_of_the_route() {
    let (guard, key) = (guard(), key());
    let message = |list: &str| format!("Key missing required scopes: {list}");
    for (scopes, named) in [
        (&["write"][..], "write"),
        (&["write", "read", "admin"], "write, admin"),
        (&["write", "admin", "write"], "write, admin"),
        (&["a\"b", "c\\d", "e\r\nf", "\u{e9}"], "a\"b, c\\d, e\r\nf, \u{e9}"),
    ] {
        let expected = (403, body("INSUFFICIENT_SCOPE", &message(named)), None, None);
        assert_eq!(refused(&guard, Some(&key), scopes), expected);
    }
}

#[test]
fn each_answer_and_failure_of_the_platform_has_its_status() {
    let strict = Policy::DEFAULT.fail_open(FailOpen::Closed);
    let rejected = body("SERVER_REJECTED", "Server validation failed");
    let unavailable = body("SERVER_UNAVAILABLE", "Server validation is unavailable");
    let overload = (503, unavailable.clone(), None, Some("1".to_owned()));
    let fault = body("SERVER_FAULT", "Server validation gave no trustworthy answer");
    let challenge = || Some(CHALLENGE.to_owned());
    let cases: [(fn() -> Answer, Response); 10] = [
        (Answer::no, (401, rejected.clone(), challenge(), None)),
        (|| Answer::status(403), (401, rejected.clone(), challenge(), None)),
        (|| Answer::status(429), (401, rejected.clone(), challenge(), None)),
        (|| Answer::Limited(17), (401, rejected, challenge(), Some("17".into()))),
        (|| Answer::status(503), (503, unavailable.clone(), None, None)),
        (|| Answer::Error(TransportError::Outage(Outage::Dns)), (503, unavailable.clone(), None, None)),
        (|| Answer::Error(TransportError::Overload(Overload::TooManyInFlight)), overload.clone()),
        (|| Answer::Error(TransportError::Overload(Overload::OutOfResources)), overload.clone()),
        (|| Answer::Error(TransportError::Overload(Overload::NoRandomness)), overload),
        (|| Answer::Error(TransportError::Fault(Fault::UntrustedCertificate)), (502, fault, None, None)),
    ];
    for (at, (answer, expected)) in cases.into_iter().enumerate() {
        let platform = Platform::new(move |_| answer());
        let guard = Guard::new(platform.builder().policy(strict).build().unwrap());
        assert_eq!(refused(&guard, Some(&key()), &["read"]), expected, "case {at}");
    }
}

#[test]
fn while_the_breaker_is_open_the_response_has_a_retry_after_field() {
    let platform = Platform::new(|_| Answer::status(500));
    let breaker = BreakerConfig::DEFAULT.consecutive_failures(1).unwrap();
    let strict = Policy::DEFAULT.fail_open(FailOpen::Closed);
    let guard = Guard::new(platform.builder().policy(strict).breaker(breaker).build().unwrap());
    assert_eq!(refused(&guard, Some(&key()), &[]).3, None);
    let (status, body, challenge, retry_after) = refused(&guard, Some(&key()), &[]);
    assert_eq!((status, &body["error"], challenge), (503, &json!("SERVER_UNAVAILABLE"), None));
    let seconds: u64 = retry_after.unwrap().parse().unwrap();
    assert!(seconds >= 1 && Duration::from_secs(seconds) < Duration::from_secs(600), "{seconds}");
    assert_eq!(platform.seen().len(), 1);
}

#[test]
fn with_bearer_tokens_the_challenge_has_the_bearer_scheme() {
    let guard = guard().bearer();
    let challenge = |key: Option<&str>, scopes: &[&str]| refused(&guard, key, scopes).2.unwrap();
    assert_eq!(challenge(None, &[]), r#"Bearer realm="apikee""#);
    let limited = Platform::new(|_| Answer::Limited(17));
    let limited = Guard::new(limited.builder().build().unwrap()).bearer();
    assert_eq!(refused(&limited, Some(&key()), &[]).2.unwrap(), r#"Bearer realm="apikee""#);
    let early = NewKey::new("a").expires(Expiry::Never).not_before(UnixTime::from_secs(99_999_999_999));
    let early = issued(UnixTime::now(), early);
    assert_eq!(challenge(Some(&early), &[]), r#"Bearer realm="apikee""#, "it will be good");
    assert_eq!(challenge(Some("apikee_x"), &[]), r#"Bearer realm="apikee", error="invalid_token""#);
    assert_eq!(challenge(Some(&key()), &["admin"]), r#"Bearer realm="apikee", error="insufficient_scope""#);
}

#[test]
fn the_refusal_names_the_configured_header() {
    let (_, body, challenge, _) = refused(&guard().header("X-Acme-Key").unwrap(), None, &[]);
    assert_eq!(body["message"], "'x-acme-key' header is required");
    assert_eq!(challenge.unwrap(), r#"ApiKey realm="apikee", header="x-acme-key""#);
}

#[test]
fn a_body_is_written_only_into_a_buffer_that_is_large_enough() {
    let (guard, key) = (guard(), key());
    let long = "scope".repeat(100);
    let scopes = [&*long, "other"];
    let fields = [("x-api-key", key.as_bytes())];
    let lookup = lookup(&fields);
    let refusal = guard.require(&scopes).check(RequestView::new("GET", "/", &lookup)).unwrap_err();
    let body = refusal.body();
    assert!(body.len() > 500);
    assert_eq!(refusal.write_body(&mut vec![0; body.len()]), Ok(&*body));
    for len in [0, 1, body.len() - 1] {
        assert_eq!(refusal.write_body(&mut vec![0; len]), Err(BufferTooSmall { needed: body.len() }));
    }
}

/// Some servers consume the request to send the response. If the refusal borrowed the request, this would not compile.
#[test]
fn a_refusal_outlives_the_request() {
    let guard = guard();
    let refusal = {
        let key = key();
        let fields = [("x-api-key", key.as_bytes())];
        let lookup = lookup(&fields);
        guard.require(&["write"]).check(RequestView::new("GET", "/", &lookup)).unwrap_err()
    };
    assert_eq!(refusal.body(), r#"{"error":"INSUFFICIENT_SCOPE","message":"Key missing required scopes: write"}"#);
}

#[test]
fn a_refusal_shows_its_cause_and_no_key() {
    let (guard, key) = (guard(), key());
    let forged = &key[..key.len() - 1];
    let fields = [("x-api-key", forged.as_bytes())];
    let lookup = lookup(&fields);
    let view = RequestView::new("GET", "/users?token=secret", &lookup);
    let refusal = guard.require(&[]).check(view).unwrap_err();
    let shown = format!("{refusal:?} {refusal} {} {view:?} {guard:?}", std::error::Error::source(&refusal).unwrap());
    assert!(format!("{guard:?}").contains(r#"header: "x-api-key""#));
    assert!(shown.contains("InvalidSignature") && shown.contains("the key's signature is invalid"), "{shown}");
    for secret in [&forged[7..20], "token", "secret"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
