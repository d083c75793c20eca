//! The calls to the platform, and the results of its answers.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use apikee::{
    Expiry, Fingerprint, Keyring, NewKey, Policy, Revocations, SysRng, UnixTime,
    client::{AuthorizeRequest, Call, Enforcement, Event, Received, Transport, TransportError},
    meta::JsonObject,
    policy::{Basis, FailOpen, Fault, OnFault, OnRejection, Outage, Overload, Reason},
    protocol::{ClientId, MethodPath, Sealing},
};
use serde_json::json;

use crate::{
    ask, ask_for, code_and_cause, decide,
    platform::{Answer, CLIENT, PROJECT_KEY, Platform, Seen, key, listed, willing},
};

#[test]
fn the_platform_receives_the_request_and_confirms_it() {
    let platform = Platform::willing();
    let apikee = platform.builder().build().unwrap();
    let key = key(CLIENT, "{}");
    let headers = [("user-agent", "curl/8.5.0"), ("X-Api-Key", "not what was verified")];
    let request = AuthorizeRequest::new(Some(&key), MethodPath::new("get", "/users?token=1").unwrap())
        .key_name("web")
        .headers(&headers)
        .payload(JsonObject::new(r#"{"userId": 1}"#).unwrap());
    let grant = apikee.authorize(&request).unwrap();
    assert_eq!(grant.basis(), Basis::Confirmed);
    assert_eq!(grant.key().claims().tenant(), CLIENT);

    let [seen] = &platform.seen()[..] else {
        panic!("not exactly one call");
    };
    assert_eq!(seen.target, format!("/client/{CLIENT}?project_env=my-app-production&method_path=GET%3A%3A%3A%2Fusers"));
    assert_eq!(seen.header("x-api-key"), Some(PROJECT_KEY));
    assert_eq!(seen.header("content-type"), Some("application/json"));
    assert!(seen.header("user-agent").unwrap().starts_with("apikee-rust/"));
    assert_eq!(seen.header("x-apikee-signature"), None);
    assert_eq!(seen.body["name"], "web");
    assert_eq!(seen.body["headers"], json!({ "user-agent": "curl/8.5.0", "x-api-key": key }));
    assert_eq!(seen.body["payload"], json!({ "userId": 1 }));
}

#[test]
fn the_platform_is_not_asked_about_a_bad_key() {
    let platform = Platform::willing();
    let apikee = platform.builder().policy(Policy::DEFAULT.on_fault(OnFault::Admit)).build().unwrap();
    let good = key(CLIENT, "{}");
    assert_eq!(ask_for(&apikee, None, &[]), Err("MISSING_KEY: no key was given".into()));
    assert!(ask(&apikee, &good[..good.len() - 1]).unwrap_err().starts_with("INVALID_SIGNATURE"));
    assert_eq!(ask_for(&apikee, Some(&good), &["read", "admin"]), Err("INSUFFICIENT_SCOPE".into()));
    assert!(platform.seen().is_empty());
}

#[test]
fn a_revoked_key_is_refused_before_scopes_are_checked_and_the_platform_is_asked() {
    let platform = Platform::willing();
    let (good, revoked) = (key(CLIENT, "{}"), key(CLIENT, "{}"));
    let fingerprint = Fingerprint::of(&revoked);
    let lax = Policy::DEFAULT.on_rejection(OnRejection::AdmitUnsuccessful).on_fault(OnFault::Admit);
    let builder = platform.builder().policy(lax).revoked(move |key| key.fingerprint() == fingerprint);
    let apikee = builder.build().unwrap();
    assert_eq!(ask_for(&apikee, Some(&revoked), &["admin"]), Err("REVOKED".into()));
    assert!(platform.seen().is_empty());
    assert_eq!(ask(&apikee, &good), Ok(Basis::Confirmed));
    assert!(ask(&apikee, &revoked[..revoked.len() - 1]).unwrap_err().starts_with("INVALID_SIGNATURE"));
}

#[test]
fn a_key_outside_of_its_time_is_refused_before_the_platform_is_asked() {
    let platform = Platform::willing();
    let apikee = platform.builder().policy(Policy::DEFAULT.on_fault(OnFault::Admit)).build().unwrap();
    let now = UnixTime::now();
    let [past, future] = [-10, 1_000].map(|secs| UnixTime::from_secs(now.as_secs() + secs));
    let new = NewKey::new(CLIENT).scopes(&["read"]);
    for (new, code) in [(new.expires(Expiry::At(past)), "EXPIRED"), (new.not_before(future), "NOT_YET_VALID")] {
        let mut buf = [0; 512];
        let key = Keyring::new(crate::platform::SECRET).unwrap().issue(&new, now, &mut SysRng, &mut buf).unwrap();
        assert!(ask(&apikee, key).unwrap_err().starts_with(code));
    }
    assert!(platform.seen().is_empty());
}

#[test]
fn a_revocation_check_that_panics_counts_as_revoked() {
    let platform = Platform::willing();
    let apikee = platform.builder().revoked(|_| panic!("the list is gone")).build().unwrap();
    assert_eq!(ask(&apikee, &key(CLIENT, "{}")), Err("REVOKED".into()));
    assert!(platform.seen().is_empty());
}

#[test]
fn the_policy_decides_about_each_answer() {
    type Case = (fn() -> Answer, Result<Basis, &'static str>, Result<Basis, &'static str>);
    let strict = Policy::DEFAULT.fail_open(FailOpen::Closed);
    let lax = Policy::DEFAULT.on_rejection(OnRejection::AdmitUnsuccessful).on_fault(OnFault::Admit);
    let cases: [Case; 12] = [
        (Answer::yes, Ok(Basis::Confirmed), Ok(Basis::Confirmed)),
        (Answer::no, Err("SERVER_REJECTED: the platform refuses the key"), Ok(Basis::DespiteRejection)),
        (
            || Answer::status(403),
            Err("SERVER_REJECTED: the platform forbids the request"),
            Err("SERVER_REJECTED: the platform forbids the request"),
        ),
        (
            || Answer::status(429),
            Err("SERVER_REJECTED: rate limit exceeded"),
            Err("SERVER_REJECTED: rate limit exceeded"),
        ),
        (
            || Answer::status(500),
            Err("SERVER_UNAVAILABLE: the platform answered with status 500"),
            Ok(Basis::FailedOpen(Outage::Status(500))),
        ),
        (
            || Answer::Error(TransportError::Outage(Outage::Dns)),
            Err("SERVER_UNAVAILABLE: the platform's name cannot be resolved"),
            Ok(Basis::FailedOpen(Outage::Dns)),
        ),
        (
            || Answer::status(401),
            Err("SERVER_FAULT: the platform refused the project key"),
            Ok(Basis::DespiteFault(Fault::ProjectKeyRefused)),
        ),
        (
            || Answer::status(302),
            Err("SERVER_FAULT: the platform answered with a redirect"),
            Ok(Basis::DespiteFault(Fault::Redirect)),
        ),
        (
            || Answer::Plain(200, br#"{"success":true}"#.to_vec()),
            Err(
                "SERVER_FAULT: the platform's answer is not sealed (APIKEE_SEALING=requests accepts plain answers, which \
                 can be forged)",
            ),
            Ok(Basis::DespiteFault(Fault::Unsealed)),
        ),
        (
            || Answer::Plain(200, b"<html>".to_vec()),
            Err("SERVER_FAULT: the platform's answer is not well-formed"),
            Ok(Basis::DespiteFault(Fault::Unreadable)),
        ),
        (
            || Answer::Plain(200, vec![b' '; 70_000]),
            Err("SERVER_FAULT: the platform's answer is too long"),
            Ok(Basis::DespiteFault(Fault::Oversized)),
        ),
        (
            || Answer::Sealed(json!({ "success": "true" })),
            Err("SERVER_FAULT: the platform's answer is not well-formed"),
            Ok(Basis::DespiteFault(Fault::Unreadable)),
        ),
    ];
    let key = key(CLIENT, "{}");
    for (answer, strictly, laxly) in cases {
        let platform = Platform::new(move |_| answer());
        for (policy, expected) in [(strict, strictly), (lax, laxly)] {
            let apikee = platform.builder().policy(policy).build().unwrap();
            assert_eq!(ask(&apikee, &key), expected.map_err(str::to_owned));
        }
    }
}

#[test]
fn unsealed_answers_are_accepted_if_configured() {
    let answer = |json: &'static str| Platform::new(move |_| Answer::Plain(200, json.as_bytes().to_vec()));
    let key = key(CLIENT, "{}");
    for (json, expected) in [
        (r#"{"success":true}"#, Ok(Basis::Confirmed)),
        (r#"{"success":true,"clientId":"497f6eca-6276-4993-bfeb-53cbbbba6f08"}"#, Ok(Basis::Confirmed)),
        (r#"{"success":false}"#, Err("SERVER_REJECTED: the platform refuses the key".to_owned())),
        (
            r#"{"success":true,"clientId":"00000000-0000-4000-8000-000000000000"}"#,
            Err("SERVER_FAULT: the platform's answer is not authentic".to_owned()),
        ),
        (r#"{"success":true,"clientId":"x"}"#, Err("SERVER_FAULT: the platform's answer is not authentic".to_owned())),
        (
            r#"{"success":true,"project_env":"another"}"#,
            Err("SERVER_FAULT: the platform's answer is not authentic".to_owned()),
        ),
        (
            r#"{"success":false,"clientId":"00000000-0000-4000-8000-000000000000"}"#,
            Err("SERVER_FAULT: the platform's answer is not authentic".to_owned()),
        ),
        (r#"{"success":true,"clientId":7}"#, Err("SERVER_FAULT: the platform's answer is not well-formed".to_owned())),
        ("OK", Err("SERVER_FAULT: the platform's answer is not well-formed".to_owned())),
    ] {
        let apikee = answer(json).builder().sealing(Sealing::Requests).build().unwrap();
        assert_eq!(ask(&apikee, &key), expected, "{json}");
    }
}

#[test]
fn a_refusal_of_another_request_is_not_a_verdict_that_a_policy_could_overrule() {
    let lax = Policy::DEFAULT.on_rejection(OnRejection::AdmitUnsuccessful);
    for sealed in [true, false] {
        let platform = Platform::new(move |_| {
            let other = json!({ "success": false, "clientId": "00000000-0000-4000-8000-000000000000" });
            if sealed { Answer::Sealed(other) } else { Answer::Plain(200, other.to_string().into_bytes()) }
        });
        let sealing = if sealed { Sealing::Required } else { Sealing::Requests };
        let apikee = platform.builder().sealing(sealing).policy(lax).build().unwrap();
        assert_eq!(
            ask(&apikee, &key(CLIENT, "{}")),
            Err("SERVER_FAULT: the platform's answer is not authentic".to_owned())
        );
    }
}

#[test]
fn the_platforms_reason_is_shown_escaped_and_cut_and_only_to_operators() {
    let long = "x".repeat(1_000);
    for (members, reason) in [
        (json!({}), None),
        (json!({ "error": "IP_NOT_ALLOWED" }), Some("IP_NOT_ALLOWED".to_owned())),
        (
            json!({ "code": "IP_NOT_ALLOWED", "message": "not on the list" }),
            Some("IP_NOT_ALLOWED: not on the list".into()),
        ),
        (json!({ "error": "A\"\r\n\u{1b}[2J" }), Some(r#"A\"\r\n\u{1b}[2J"#.into())),
        (json!({ "message": long }), Some("x".repeat(Reason::MAX_LEN))),
    ] {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&seen);
        let observer = move |event: &Event<'_>| {
            if let Event::Denied { denial, .. } = event {
                notes.lock().unwrap().push(denial.reason().map(str::to_owned));
            }
        };
        let mut answer = members.clone();
        answer["success"] = false.into();
        let platform = Platform::new(move |_| Answer::Sealed(answer.clone()));
        let apikee = platform.builder().observer(observer).build().unwrap();
        let key = key(CLIENT, "{}");
        let request = AuthorizeRequest::new(Some(&key), MethodPath::new("GET", "/users").unwrap());
        let denial = apikee.authorize(&request).unwrap_err();
        assert_eq!(denial.reason(), reason.as_deref(), "{members}");
        assert_eq!(*seen.lock().unwrap(), std::slice::from_ref(&reason));
        assert!(code_and_cause(denial).ends_with(reason.as_deref().unwrap_or("the platform refuses the key")));
        assert_eq!(denial.to_string(), "the platform rejects the request");
        #[cfg(feature = "serde")]
        assert_eq!(
            serde_json::to_value(denial).unwrap(),
            json!({ "error": "SERVER_REJECTED", "message": "Server validation failed" })
        );
    }
}

/// `reason` is what is left of the answer. The secrets in the answer are escaped, too, so the decoded text is compared.
#[test]
fn a_secret_that_the_platform_repeats_is_in_no_log_and_no_error() {
    const LIVE_KEY: &str = "sk_live_8f3kQz7Lw2Vn5RtYb1Xc9MdP";
    let key = key(CLIENT, "{}");
    let (payload, signature) = key["apikee_".len()..].split_once('.').unwrap();
    let shown = &key[..12];
    let (x, key_and_more) = ("x".repeat(80), format!("{key} is not active"));
    for (code, message, reason) in [
        ("NO_ACCESS", format!("project key {LIVE_KEY} has no access"), Some("NO_ACCESS".to_owned())),
        (LIVE_KEY, "no access".into(), Some("no access".into())),
        (LIVE_KEY, key.clone(), Some(shown.into())),
        ("A", format!("{}...", &LIVE_KEY[..9]), Some("A".into())),
        ("A", format!("...{}", &LIVE_KEY[20..]), Some("A".into())),
        ("A", format!("{x}{LIVE_KEY}"), Some("A".into())),
        ("A", "use an sk_live_ key".into(), Some("A: use an sk_live_ key".into())),
        ("A", format!("key {key_and_more}"), Some(format!("A: key {shown} is not active"))),
        (
            "A",
            format!("{key_and_more}, {key_and_more}"),
            Some(format!("A: {shown} is not active, {shown} is not active")),
        ),
        ("A", format!("{x}{key}"), Some(format!("A: {x}{shown}"))),
        ("A", format!("{x}{payload}"), Some("A".into())),
        ("A", format!("{}, and more", &key[..30]), Some("A".into())),
        ("A", format!("signature {signature}"), Some("A".into())),
        (&key_and_more, LIVE_KEY.into(), Some(format!("{shown} is not active"))),
        (LIVE_KEY, LIVE_KEY.into(), None),
    ] {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&lines);
        let observer = move |event: &Event<'_>| notes.lock().unwrap().extend([event.to_string(), format!("{event:?}")]);
        let answer = json!({ "success": false, "error": code, "message": message }).to_string();
        let answer = answer.replace("_", r"\u005f").replace('7', r"\u0037");
        let platform = Platform::new(move |_| Answer::Plain(200, answer.clone().into_bytes()));
        let builder = platform.builder().sealing(Sealing::Requests).project_key(LIVE_KEY);
        let apikee = builder.observer(observer).build().unwrap();
        let request = AuthorizeRequest::new(Some(&key), MethodPath::new("GET", "/users").unwrap());
        let denial = apikee.authorize(&request).unwrap_err();
        assert_eq!(denial.reason(), reason.as_deref(), "{code}: {message}");
        let texts = [denial.to_string(), format!("{denial:?}"), code_and_cause(denial)];
        let mut lines = lines.lock().unwrap();
        assert!(lines.iter().any(|line| line.starts_with("event=denied")));
        lines.extend(texts);
        for secret in [LIVE_KEY, payload, signature] {
            let mut parts = secret.as_bytes().windows(9).map(|part| std::str::from_utf8(part).unwrap());
            assert!(!parts.any(|part| lines.iter().any(|line| line.contains(part))), "{lines:?}");
        }
    }
}

#[test]
fn the_client_id_comes_from_meta_else_the_resolver_else_the_tenant_else_the_platform() {
    const OTHER: &str = "11111111-2222-4333-8444-555555555555";
    let platform = Platform::willing();
    let apikee = platform
        .builder()
        .client_resolver(|claims| match claims.tenant() {
            "resolved" => ClientId::new(OTHER).ok(),
            "trap" => panic!("a resolver that panics"),
            _ => None,
        })
        .build()
        .unwrap();
    let asked_about = |tenant: &str, meta: &str| {
        let before = platform.seen().len();
        assert_eq!(ask(&apikee, &key(tenant, meta)), Ok(Basis::Confirmed));
        let seen = platform.seen().split_off(before);
        let look_ups = seen.iter().filter(|call| !call.is_validation()).count();
        let client = seen.last().unwrap().target["/client/".len()..][..36].to_owned();
        (client, look_ups)
    };
    let named = format!(r#"{{"clientId":"{OTHER}"}}"#);
    assert_eq!(asked_about(CLIENT, &named), (OTHER.into(), 0));
    assert_eq!(asked_about(CLIENT, r#"{"clientId":"no uuid"}"#), (CLIENT.into(), 0));
    assert_eq!(asked_about("resolved", "{}"), (OTHER.into(), 0));
    assert_eq!(asked_about("acme-corp", "{}"), (CLIENT.into(), 1));
    assert_eq!(asked_about("acme-corp", "{}"), (CLIENT.into(), 0), "the id is remembered");
    assert_eq!(asked_about("trap", "{}"), (CLIENT.into(), 1), "a panic counts as None");
    assert_eq!(asked_about("resolved", "{}"), (OTHER.into(), 0), "the panic has no effect on others");

    let look_up = platform.seen().into_iter().find(|call| call.looked_up() == Some("acme-corp")).unwrap();
    assert_eq!(look_up.target, "/client?project_env=my-app-production&name=acme-corp&limit=100");
    assert!(!look_up.sealed && look_up.body.is_null());
}

#[test]
fn a_tenant_that_is_a_uuid_is_an_ordinary_name() {
    const OTHER: &str = "11111111-2222-4333-8444-555555555555";
    let platform = Platform::new(|seen| match seen.looked_up() {
        Some(tenant) => listed(&[(OTHER, tenant)]),
        None => willing(seen),
    });
    let apikee = platform.builder().tenant_is_client_id(false).build().unwrap();
    assert_eq!(ask(&apikee, &key(CLIENT, "{}")), Ok(Basis::Confirmed));
    let seen = platform.seen();
    assert_eq!(seen[0].looked_up(), Some(CLIENT));
    assert!(seen[1].target.starts_with(&format!("/client/{OTHER}?")));
}

#[test]
fn an_unknown_tenant_is_denied_and_created_only_if_configured() {
    let unknown = Err(format!("SERVER_FAULT: {}", Fault::UnknownClient));
    let key = key("acme-corp", "{}");
    for clients in [&[][..], &[(CLIENT, "acme-corp-staging")], &[(CLIENT, "acme-corp"), (OTHER_ID, "acme-corp")]] {
        let platform = Platform::new(move |seen| match seen.looked_up() {
            Some(_) => listed(clients),
            None => willing(seen),
        });
        let apikee = platform.builder().build().unwrap();
        for _ in 0..2 {
            assert_eq!(ask(&apikee, &key), unknown);
        }
        assert!(platform.seen().iter().all(|call| call.looked_up().is_some()));

        let apikee = platform.builder().create_unknown_clients(true).build().unwrap();
        let several = clients.len() == 2;
        assert_eq!(ask(&apikee, &key), if several { unknown.clone() } else { Ok(Basis::Confirmed) });
        let created = platform.seen().into_iter().find(|call| call.body["keys"].is_array());
        assert_eq!(created.is_none(), several);
        if let Some(upsert) = created {
            assert_eq!(upsert.target, "/client?project_env=my-app-production");
            assert_eq!(
                (&upsert.body["name"], &upsert.body["keys"][0]["name"]),
                (&"acme-corp".into(), &"default".into())
            );
            assert!(upsert.body["keys"][0]["expiresAt"].is_null(), "the expiry is in each key");
        }
    }
    let platform = Platform::willing();
    let apikee = platform.builder().create_unknown_clients(true).build().unwrap();
    assert_eq!(ask(&apikee, &crate::platform::key("", "{}")), unknown, "without a tenant there is no look-up");
    assert!(platform.seen().is_empty());
}

const OTHER_ID: &str = "11111111-2222-4333-8444-555555555555";

/// For each answer that says that the client is unknown.
#[test]
fn a_client_that_was_deleted_is_looked_up_again() {
    let unknown = || format!("SERVER_FAULT: {}", Fault::UnknownClient);
    let ways: [(fn() -> Answer, _); 3] = [
        (|| Answer::status(404), format!("SERVER_FAULT: {}", Fault::Status(404))),
        (|| Answer::Sealed(json!({ "success": false, "code": "UNKNOWN_CLIENT" })), unknown()),
        (|| Answer::Sealed(json!({ "success": false, "error": "CLIENT_NOT_FOUND" })), unknown()),
    ];
    for (way, expected) in ways {
        // The client was deleted, and created again with another id.
        let platform = Platform::new(move |seen| {
            if let Some(tenant) = seen.looked_up() {
                return listed(&[(CLIENT, tenant)]);
            }
            if seen.target.starts_with(&format!("/client/{CLIENT}")) { way() } else { Answer::yes() }
        });
        let apikee = platform.builder().build().unwrap();
        for _ in 0..2 {
            assert_eq!(ask(&apikee, &key("acme-corp", "{}")), Err(expected.clone()));
        }
        assert_eq!(platform.seen().iter().filter(|call| call.looked_up().is_some()).count(), 2);
    }
    let platform = Platform::new(|seen| if seen.is_validation() { Answer::no() } else { willing(seen) });
    let apikee = platform.builder().build().unwrap();
    for _ in 0..2 {
        assert!(ask(&apikee, &key("acme-corp", "{}")).is_err());
    }
    assert_eq!(platform.seen().len(), 3, "another refusal causes no look-up");
}

#[test]
fn a_failed_look_up_decides_the_request() {
    let key = key("acme-corp", "{}");
    let unreadable = Err(format!("SERVER_FAULT: {}", Fault::Unreadable));
    for (answer, expected) in [
        ((|| Answer::status(503)) as fn() -> Answer, Ok(Basis::FailedOpen(Outage::Status(503)))),
        (|| Answer::status(403), Err("SERVER_REJECTED: the platform forbids the request".to_owned())),
        (|| Answer::status(429), Err("SERVER_REJECTED: rate limit exceeded".to_owned())),
        (|| Answer::Plain(200, b"OK".to_vec()), unreadable.clone()),
        (|| Answer::Plain(200, vec![b' '; 70_000]), Err(format!("SERVER_FAULT: {}", Fault::Oversized))),
        (|| Answer::Plain(200, br#"{"data":[{"name":"acme-corp"}]}"#.to_vec()), unreadable),
    ] {
        let platform = Platform::new(move |seen| if seen.is_validation() { willing(seen) } else { answer() });
        let lax = Policy::DEFAULT.on_rejection(OnRejection::AdmitUnsuccessful);
        let apikee = platform.builder().policy(lax).create_unknown_clients(true).build().unwrap();
        assert_eq!(ask(&apikee, &key), expected);
        assert_eq!(platform.seen().len(), 1, "only the look-up was sent");
    }
}

#[test]
fn the_timeout_of_a_request_covers_all_of_its_calls() {
    let (limit, took) = (Duration::from_secs(5), Duration::from_millis(50));
    let platform = Platform::willing();
    let transport = platform.transport();
    let left = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let noted = std::sync::Arc::clone(&left);
    let apikee = platform
        .builder()
        .timeout(limit)
        .transport(move |call: &apikee::client::Call<'_>, answer: &mut [u8]| {
            noted.lock().unwrap().push(call.timeout);
            std::thread::sleep(took);
            apikee::client::Transport::call(&transport, call, answer)
        })
        .build()
        .unwrap();
    assert_eq!(ask(&apikee, &key("acme-corp", "{}")), Ok(Basis::Confirmed));
    let left = left.lock().unwrap();
    assert!(limit > left[0] && left[0] >= left[1] + took, "{left:?}");
}

#[test]
fn a_request_past_its_timeout_makes_no_call() {
    let platform = Platform::willing();
    let apikee = platform.builder().timeout(Duration::from_nanos(1)).build().unwrap();
    let overload = "SERVER_UNAVAILABLE: too many calls to the platform are in flight";
    assert_eq!(ask(&apikee, &key(CLIENT, "{}")), Err(overload.into()), "our own slowness is not an outage");
    assert!(platform.seen().is_empty());
}

#[test]
fn each_prepared_session_is_used_once() {
    let platform = Platform::willing();
    let apikee = platform.builder().build().unwrap();
    assert_eq!(apikee.prepare(), 32);
    assert_eq!(apikee.prepare(), 0);
    let key = key(CLIENT, "{}");
    for _ in 0..40 {
        assert_eq!(ask(&apikee, &key), Ok(Basis::Confirmed));
    }
    assert_eq!(apikee.prepare(), 32);
}

#[test]
fn long_paths_and_payloads_are_sent_completely() {
    let platform = Platform::willing();
    let apikee = platform.builder().build().unwrap();
    let key = key(CLIENT, "{}");
    for len in [10, 1_000, 60_000, 10] {
        let (path, payload) = (format!("/{}", "p".repeat(len)), json!({ "a": "v".repeat(len) }));
        let text = payload.to_string();
        let request = AuthorizeRequest::new(Some(&key), MethodPath::new("GET", &path).unwrap());
        let request = request.payload(JsonObject::new(&text).unwrap());
        assert_eq!(apikee.authorize(&request).unwrap().basis(), Basis::Confirmed);
        let seen = platform.seen().pop().unwrap();
        assert!(seen.target.ends_with(&path[1..]));
        assert_eq!(seen.body["payload"], payload);
    }
}

/// Otherwise an untrusted caller could prevent the call about a good key with long headers.
#[test]
fn header_values_are_cut_to_fit_into_the_body() {
    let platform = Platform::willing();
    let apikee = platform.builder().build().unwrap();
    let key = key(CLIENT, "{}");
    for (value, least) in [("v".repeat(200_000), 15_000), ("\"".repeat(200_000), 7_500), ("\u{1}".repeat(200_000), 0)] {
        let headers = [("x-real-ip", "203.0.113.9"), ("user-agent", value.as_str()), ("x-more", value.as_str())];
        let request = AuthorizeRequest::new(Some(&key), MethodPath::new("GET", "/").unwrap()).headers(&headers);
        assert_eq!(apikee.authorize(&request).unwrap().basis(), Basis::Confirmed);
        let body = platform.seen().pop().unwrap().body;
        assert!(body.to_string().len() < 16 * 1024);
        assert_eq!(
            (&body["headers"]["x-real-ip"], &body["headers"]["x-api-key"]),
            (&json!("203.0.113.9"), &json!(key))
        );
        let agent = body["headers"]["user-agent"].as_str().unwrap();
        assert!(agent.len() >= least && value.starts_with(agent), "{}", agent.len());
    }
}

/// Otherwise a client could make the platform check another address, or none: `203.0.113.4` instead of `203.0.113.45`.
#[test]
fn an_address_is_sent_whole_whatever_the_length_of_the_fields_before_it() {
    let key = key(CLIENT, "{}");
    for enforcement in [Enforcement::Enforce, Enforcement::Observe] {
        let platform = Platform::willing();
        let builder = platform.builder().enforcement(enforcement);
        let apikee = builder.background_thread(enforcement == Enforcement::Observe).build().unwrap();
        // The user agent alone fills the body after about 16,050 bytes.
        let agents: Vec<String> = (15_900..16_200).step_by(5).map(|len| "v".repeat(len)).collect();
        let quotes = "\"".repeat(200_000);
        for agent in agents.iter().chain([&quotes]) {
            let headers =
                [("user-agent", agent.as_str()), ("X-Real-IP", "203.0.113.4"), ("x-forwarded-for", "203.0.113.45")];
            let request = AuthorizeRequest::new(Some(&key), MethodPath::new("GET", "/").unwrap()).headers(&headers);
            assert!(decide(&apikee, &request).is_ok());
        }
        apikee.close(Duration::from_secs(60));
        let seen = platform.seen();
        assert_eq!(seen.len(), agents.len() + 1);
        for Seen { body, .. } in seen {
            let headers = &body["headers"];
            assert_eq!(headers["x-forwarded-for"], "203.0.113.45", "{enforcement:?}");
            assert_eq!((&headers["X-Real-IP"], &headers["x-api-key"]), (&json!("203.0.113.4"), &json!(key)));
            assert!(body.to_string().len() <= 16 * 1024);
        }
    }
}

#[test]
fn a_request_whose_address_cannot_be_sent_whole_is_not_sent() {
    let key = key(CLIENT, "{}");
    let long = "203.0.113.45, ".repeat(1_200);
    let quotes = "\"".repeat(8_190);
    let with_key = format!("203.0.113.45, {key}");
    for (sealing, address) in [(Sealing::Required, &long), (Sealing::Required, &quotes), (Sealing::Off, &with_key)] {
        for name in ["x-forwarded-for", "X-Real-Ip"] {
            for enforcement in [Enforcement::Enforce, Enforcement::Observe] {
                let platform = Platform::willing();
                let verdicts = Arc::new(Mutex::new(Vec::new()));
                let notes = Arc::clone(&verdicts);
                let observer = move |event: &Event<'_>| {
                    if let Event::Denied { denial, .. } | Event::Observed { verdict: Err(denial), .. } = event {
                        notes.lock().unwrap().push(code_and_cause(*denial));
                    }
                };
                let builder = platform.builder().enforcement(enforcement).sealing(sealing).observer(observer);
                let apikee = builder.background_thread(enforcement == Enforcement::Observe).build().unwrap();
                let headers = [("user-agent", "curl/8.5.0"), (name, address.as_str())];
                let request = AuthorizeRequest::new(Some(&key), MethodPath::new("GET", "/").unwrap()).headers(&headers);
                assert_eq!(decide(&apikee, &request).is_ok(), enforcement == Enforcement::Observe);
                apikee.close(Duration::from_secs(60));
                let expected = format!("SERVER_FAULT: {}", Fault::NotSent);
                assert_eq!(*verdicts.lock().unwrap(), [expected], "{name}, {enforcement:?}, {sealing}");
                assert!(platform.seen().is_empty());
            }
        }
    }
}

#[test]
fn a_request_that_is_too_long_to_send_is_denied_and_not_sent() {
    let platform = Platform::willing();
    let apikee = platform.builder().build().unwrap();
    let (key, payload) = (key(CLIENT, "{}"), json!({ "a": "v".repeat(66_000) }).to_string());
    let request = AuthorizeRequest::new(Some(&key), MethodPath::new("GET", "/").unwrap());
    let request = request.payload(JsonObject::new(&payload).unwrap());
    let denial = apikee.authorize(&request).map(|_| ()).map_err(code_and_cause);
    assert_eq!(denial, Err("SERVER_FAULT: the request cannot be sent to the platform".into()));
    assert!(platform.seen().is_empty());
}

#[test]
fn a_slow_check_for_revoked_keys_is_not_a_platform_outage() {
    let platform = Platform::new(|_| Answer::no());
    let limit = Duration::from_millis(300);
    let builder = platform.builder().timeout(limit).revoked(move |_| {
        std::thread::sleep(limit);
        false
    });
    let apikee = builder.build().unwrap();
    let decision = ask(&apikee, &key(CLIENT, "{}"));
    assert!(decision.unwrap_err().starts_with("SERVER_REJECTED"));
    assert_eq!(platform.seen().len(), 1);
}

/// The transport ends in time. If its thread goes on much later, the machine has no processor for it.
#[test]
fn a_time_limit_that_is_noticed_late_is_an_overload() {
    let limit = Duration::from_secs(2);
    for outage in [Outage::Timeout, Outage::Connect] {
        for (late, expected) in [
            (Duration::ZERO, Ok(Basis::FailedOpen(outage))),
            (Duration::from_millis(500), Err(format!("SERVER_UNAVAILABLE: {}", Overload::OutOfResources))),
        ] {
            let platform = Platform::new(move |_| {
                std::thread::sleep(limit + late);
                Answer::Error(TransportError::Outage(outage))
            });
            let apikee = platform.builder().timeout(limit).build().unwrap();
            assert_eq!(ask(&apikee, &key(CLIENT, "{}")), expected);
        }
    }
}

/// It is slow before its call, as a process without processor time is. Then it never answers in time.
struct LateToAsk(Duration);

impl Transport for LateToAsk {
    fn max_target_len(&self) -> usize {
        std::thread::sleep(self.0);
        1024
    }

    fn call(&self, call: &Call<'_>, _: &mut [u8]) -> Result<Received, TransportError> {
        std::thread::sleep(call.timeout);
        Err(TransportError::Outage(Outage::Timeout))
    }
}

#[test]
fn a_time_limit_is_no_evidence_if_the_platform_had_little_of_it() {
    for (late, expected) in [
        (Duration::ZERO, Ok(Basis::FailedOpen(Outage::Timeout))),
        (Duration::from_secs(2), Err(format!("SERVER_UNAVAILABLE: {}", Overload::OutOfResources))),
    ] {
        let builder = Platform::willing().builder().transport(LateToAsk(late));
        let apikee = builder.timeout(Duration::from_secs(4)).build().unwrap();
        assert_eq!(ask(&apikee, &key(CLIENT, "{}")), expected);
    }
}

/// The connection may break after the last byte of the answer.
#[test]
fn a_whole_answer_counts_even_if_its_call_fails() {
    const PLAIN: fn() -> Answer = || Answer::Plain(200, b"{\"success\":false}".into());
    // 32 levels, as deep as an answer may be.
    const DEEP: fn() -> Answer = || {
        let text = format!(r#"{{"success":false,"details":{}{}}}"#, "[".repeat(31), "]".repeat(31));
        Answer::Plain(200, text.into_bytes())
    };
    let failed = |outage| Ok(Basis::FailedOpen(outage));
    let refused = Err("SERVER_REJECTED: the platform refuses the key".into());
    for outage in [Outage::Reset, Outage::Timeout] {
        for (answer, missing, sealing, expected) in [
            (Answer::no as fn() -> Answer, 0, Sealing::Required, refused.clone()),
            (Answer::yes, 0, Sealing::Required, Ok(Basis::Confirmed)),
            (Answer::no, 0, Sealing::Requests, refused.clone()),
            (Answer::no, 1, Sealing::Required, failed(outage)),
            (Answer::no, 100_000, Sealing::Required, failed(outage)),
            (Answer::no, 0, Sealing::Off, refused.clone()),
            (Answer::no, 1, Sealing::Off, failed(outage)),
            (PLAIN, 0, Sealing::Requests, refused.clone()),
            (PLAIN, 1, Sealing::Requests, failed(outage)),
            (DEEP, 0, Sealing::Off, refused.clone()),
            (DEEP, 1, Sealing::Off, failed(outage)),
            (PLAIN, 0, Sealing::Required, Err(format!("SERVER_FAULT: {}", Fault::Unsealed))),
            (PLAIN, 1, Sealing::Required, failed(outage)),
        ] {
            let platform = Platform::new(move |_| answer());
            let inner = platform.transport();
            let transport = move |call: &Call<'_>, answer: &mut [u8]| -> Result<Received, TransportError> {
                let received = inner.call(call, answer)?;
                answer[received.len.saturating_sub(missing)..].fill(0);
                Err(TransportError::Outage(outage))
            };
            let apikee = platform.builder().sealing(sealing).transport(transport).build().unwrap();
            assert_eq!(ask(&apikee, &key(CLIENT, "{}")), expected, "{sealing}, without {missing}");
        }
    }
}

/// The front of an answer that is too long may look like a whole answer: white space may follow it.
#[test]
fn an_answer_that_is_too_long_does_not_count() {
    for (answer, sealing) in [(Answer::yes as fn() -> Answer, Sealing::Required), (Answer::no, Sealing::Off)] {
        let platform = Platform::new(move |_| answer());
        let inner = platform.transport();
        let transport = move |call: &Call<'_>, answer: &mut [u8]| -> Result<Received, TransportError> {
            let received = inner.call(call, answer)?;
            answer[received.len..].fill(b' ');
            Err(TransportError::OVERSIZED)
        };
        let apikee = platform.builder().sealing(sealing).transport(transport).build().unwrap();
        assert_eq!(ask(&apikee, &key(CLIENT, "{}")), Err(format!("SERVER_FAULT: {}", Fault::Oversized)));
    }
}

#[test]
fn a_slow_resolver_is_not_a_platform_outage() {
    let platform = Platform::willing();
    let limit = Duration::from_millis(20);
    let apikee = platform
        .builder()
        .timeout(limit)
        .client_resolver(move |_| {
            std::thread::sleep(limit);
            None
        })
        .build()
        .unwrap();
    let unknown = format!("SERVER_FAULT: {}", Fault::UnknownClient);
    assert_eq!(ask(&apikee, &key("acme-corp", "{}")), Err(unknown));
    assert!(platform.seen().is_empty());
}

#[test]
fn verify_does_not_check_revocations() {
    let key = key(CLIENT, "{}");
    let revocations = Revocations::from_iter([Fingerprint::of(&key)]);
    let apikee = Platform::willing().builder().revocations(revocations).build().unwrap();
    assert!(apikee.verify(&key).is_ok() && apikee.verify_in(&key, &mut [0; 1024]).is_ok());
    assert_eq!(ask(&apikee, &key), Err("REVOKED".into()));
}
