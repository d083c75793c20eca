//! The data of a request that the platform receives.

use std::cell::Cell;

use apikee::{
    Apikee,
    protocol::Sealing,
    web::{Guard, RequestView},
};
use serde_json::{Value, json};

use crate::{key, lookup, platform::Platform};

/// The header fields that the platform receives, except the key, which it always receives.
fn seen(guard: impl FnOnce(Apikee) -> Guard, peer: Option<&str>, fields: &[(&str, &[u8])]) -> Value {
    let platform = Platform::willing();
    let guard = guard(platform.builder().build().unwrap());
    let key = key();
    let fields: Vec<_> = fields.iter().copied().chain([("X-Api-Key", key.as_bytes())]).collect();
    let lookup = lookup(&fields);
    let mut request = RequestView::new("GET", "/users", &lookup);
    if let Some(peer) = peer {
        request = request.peer(peer.parse().unwrap());
    }
    assert!(guard.require(&["read"]).check(request).is_ok());
    let mut headers = platform.seen()[0].body["headers"].clone();
    assert_eq!(headers.as_object_mut().unwrap().remove("x-api-key"), Some(json!(key)));
    headers
}

const FIELDS: [(&str, &[u8]); 7] = [
    ("Host", b"api.example.com"),
    ("User-Agent", b"curl/8.5.0"),
    ("Cookie", b"session=1"),
    ("Authorization", b"Basic YTpi"),
    ("X-Forwarded-For", b"198.51.100.1"),
    ("X-Real-IP", b"198.51.100.2"),
    ("X-Request-Id", b"7"),
];

#[test]
fn the_platform_receives_only_user_agent_address_and_key() {
    let address = json!({ "user-agent": "curl/8.5.0", "x-forwarded-for": "203.0.113.9", "x-real-ip": "203.0.113.9" });
    assert_eq!(seen(Guard::new, Some("203.0.113.9"), &FIELDS), address);
    assert_eq!(seen(Guard::new, None, &FIELDS), json!({ "user-agent": "curl/8.5.0" }));
    assert_eq!(seen(Guard::new, None, &[]), json!({}));
}

#[test]
fn the_platform_receives_the_address_from_a_trusted_proxy() {
    let behind = |apikee| Guard::new(apikee).trusted_proxy("10.0.0.0/8").unwrap();
    let fields = [("x-forwarded-for", &b"1.1.1.1, 198.51.100.1"[..]), ("x-real-ip", b"1.1.1.1")];
    let address = json!({ "x-forwarded-for": "198.51.100.1", "x-real-ip": "198.51.100.1" });
    assert_eq!(seen(behind, Some("10.0.0.1"), &fields), address);
}

#[test]
fn other_fields_are_sent_only_if_configured_and_addresses_are_never_copied() {
    let more = |apikee| {
        ["X-Request-ID", "cookie", "X-Forwarded-For", "x-real-ip"]
            .into_iter()
            .fold(Guard::new(apikee), |guard, name| guard.disclose_header(name).unwrap())
    };
    let expected = json!({ "user-agent": "curl/8.5.0", "x-request-id": "7", "cookie": "session=1" });
    assert_eq!(seen(more, None, &FIELDS), expected);
}

#[test]
fn fields_with_the_same_name_are_joined() {
    let fields = [("user-agent", &b"a"[..]), ("User-Agent", b"b")];
    assert_eq!(seen(Guard::new, None, &fields), json!({ "user-agent": "a, b" }));
    let many = [("user-agent", &b"a"[..]); 100];
    assert_eq!(seen(Guard::new, None, &many)["user-agent"], ["a"; 8].join(", "));
}

#[test]
fn a_bearer_token_is_sent_as_the_key_without_its_field() {
    let platform = Platform::willing();
    let guard = Guard::new(platform.builder().build().unwrap()).bearer();
    let key = key();
    let credentials = format!("Bearer {key}");
    let fields = [("authorization", credentials.as_bytes())];
    let lookup = lookup(&fields);
    assert!(guard.require(&["read"]).check(RequestView::new("GET", "/", &lookup)).is_ok());
    assert_eq!(platform.seen()[0].body["headers"], json!({ "x-api-key": key }));
}

#[test]
fn a_long_value_is_cut_and_the_platform_is_still_asked() {
    let long = "\u{e9}".repeat(40_000);
    let sent = seen(Guard::new, None, &[("user-agent", long.as_bytes())]);
    assert_eq!(sent["user-agent"].as_str().unwrap(), &long[..2048]);
}

#[test]
fn many_long_values_are_cut_to_fit_even_after_escaping() {
    let sent = |byte: &str| {
        let long = byte.repeat(2048);
        let fields = [("user-agent", long.as_bytes()); 8];
        seen(|apikee| Guard::new(apikee).disclose_header("User-Agent").unwrap(), Some("203.0.113.9"), &fields)
    };
    let quoted = sent("\"");
    assert_eq!(quoted["user-agent"].as_str().unwrap().matches('"').count(), 2048);
    let controls = sent("\u{1}");
    assert!(controls["user-agent"].as_str().unwrap().chars().all(|c| c != '\u{1}'));
    // The address is always complete.
    assert_eq!((&quoted["x-real-ip"], &controls["x-forwarded-for"]), (&json!("203.0.113.9"), &json!("203.0.113.9")));
}

/// A proxy adds `cf-ipcountry`. A client must not be able to hide it from the platform.
#[test]
fn long_values_of_a_client_leave_room_for_other_names() {
    // Replaced by U+FFFD, which has three bytes.
    let not_text = [0xff; 2048];
    for (long, shown, count) in [(&[b'v'; 2048], 'v', 2048), (&not_text, '\u{fffd}', 682)] {
        let mut fields = ["user-agent", "accept-language", "referer"].map(|name| (name, &long[..])).repeat(8);
        fields.push(("cf-ipcountry", b"DE"));
        let disclosing = |apikee| {
            ["accept-language", "referer", "cf-ipcountry"]
                .into_iter()
                .fold(Guard::new(apikee), |guard, name| guard.disclose_header(name).unwrap())
        };
        let sent = seen(disclosing, None, &fields);
        assert_eq!(sent["cf-ipcountry"], "DE");
        for name in ["user-agent", "accept-language", "referer"] {
            assert_eq!(sent[name].as_str().unwrap().matches(shown).count(), count, "{name}");
        }
    }
}

#[test]
fn a_character_that_is_cut_in_half_is_left_out() {
    let long = format!("a{}", "\u{e9}".repeat(2000));
    let sent = seen(Guard::new, None, &[("user-agent", long.as_bytes())]);
    assert_eq!(sent["user-agent"].as_str().unwrap(), &long[..2047]);
}

/// An attacker who sends many bad keys must not cause this work.
#[test]
fn header_fields_are_collected_only_after_the_key_is_verified() {
    let platform = Platform::willing();
    let guard = Guard::new(platform.builder().build().unwrap()).trusted_proxy("10.0.0.0/8").unwrap();
    let key = key();
    for (key, scope, gathered) in [(&key[..key.len() - 1], "read", false), (&key, "write", false), (&key, "read", true)]
    {
        let asked_for_more = Cell::new(false);
        let lookup = |name: &str, nth: usize| {
            asked_for_more.set(asked_for_more.get() || name == "user-agent");
            [("x-api-key", key), ("user-agent", "curl")]
                .into_iter()
                .filter(|field| field.0 == name)
                .nth(nth)
                .map(|field| field.1.as_bytes())
        };
        let view = RequestView::new("GET", "/users", &lookup).peer([10, 0, 0, 1].into());
        let scopes = [scope];
        assert_eq!(guard.require(&scopes).check(view).is_ok(), gathered);
        assert_eq!(asked_for_more.get(), gathered, "{scope}");
    }
    assert_eq!(platform.seen().len(), 1);
}

#[test]
fn a_key_is_sent_only_once() {
    let platform = Platform::willing();
    let guard = Guard::new(platform.builder().build().unwrap()).header("x-acme-key").unwrap().bearer();
    let guard = guard.disclose_header("X-Acme-Key").unwrap().disclose_header("authorization").unwrap();
    let key = key();
    let fields = [("x-acme-key", key.as_bytes()), ("authorization", b"Basic YTpi")];
    let lookup = lookup(&fields);
    assert!(guard.require(&["read"]).check(RequestView::new("GET", "/", &lookup)).is_ok());
    assert_eq!(platform.seen()[0].body["headers"], json!({ "x-api-key": key }));
}

#[test]
fn authorization_is_sent_only_where_it_cannot_hold_the_key() {
    let fields: &[(&str, &[u8])] = &[("authorization", b"Basic YTpi"), ("user-agent", b"curl/8.5.0")];
    let disclosing = |guard: Guard| guard.disclose_header("Authorization").unwrap();
    let plain = seen(|apikee| disclosing(Guard::new(apikee)), None, fields);
    assert_eq!((&plain["authorization"], &plain["user-agent"]), (&json!("Basic YTpi"), &json!("curl/8.5.0")));
    let bearer = seen(|apikee| disclosing(Guard::new(apikee).bearer()), None, fields);
    assert_eq!((&bearer["authorization"], &bearer["user-agent"]), (&json!(null), &json!("curl/8.5.0")));
}

#[test]
fn bytes_that_are_not_text_are_replaced() {
    assert_eq!(seen(Guard::new, None, &[("user-agent", b"caf\xe9/1")])["user-agent"], "caf\u{fffd}/1");
}

#[test]
fn a_route_is_registered_with_the_scopes_that_it_needs() {
    let platform = Platform::willing();
    let guard = Guard::new(platform.builder().auto_register(true).build().unwrap());
    let key = key();
    let fields = [("x-api-key", key.as_bytes())];
    let lookup = lookup(&fields);
    let request = RequestView::new("GET", "/users/7", &lookup);
    assert!(guard.route("/users/{id}").require(&["read"]).check(request).is_ok());
    assert_eq!(
        platform.seen()[1].body,
        json!({
            "method": "GET",
            "path": "/users/{id}",
            "name": "GET /users/{id}",
            "metadata": { "scopes": ["read"] },
        })
    );
}

#[test]
fn without_sealing_no_field_that_contains_the_key_is_sent() {
    let key = key();
    let bearer = format!("Bearer {key}");
    // Long values are cut, perhaps inside a key.
    let cut = format!("{}{key}", "x".repeat(2048 - 40));
    for fields in [
        [("x-acme-key", key.as_str()), ("x-other", &key)],
        [("authorization", &bearer), ("x-other", &bearer)],
        [("x-acme-key", &key), ("x-other", &cut)],
    ] {
        let platform = Platform::willing();
        let guard = Guard::new(platform.builder().sealing(Sealing::Off).build().unwrap());
        let guard = guard.header("x-acme-key").unwrap().bearer().disclose_header("x-acme-key").unwrap();
        let guard = guard.disclose_header("authorization").unwrap().disclose_header("x-other").unwrap();
        let fields = fields.map(|(name, value)| (name, value.as_bytes()));
        let lookup = lookup(&fields);
        assert!(guard.require(&["read"]).check(RequestView::new("GET", "/", &lookup)).is_ok());
        let seen = &platform.seen()[0];
        assert_eq!(seen.body["headers"], json!({}));
        assert!(!seen.sealed && !seen.raw_body.contains("apikee_"), "{}", seen.raw_body);
    }
}
