//! Which messages are sealed, for each value of `Sealing`.

use apikee::{
    Apikee, NewKey,
    client::{AuthorizeRequest, Enforcement, Upsert},
    meta::JsonObject,
    policy::Basis,
    protocol::{ClientId, MethodPath, Sealing},
};
use serde_json::json;

use crate::{
    ask, decide,
    platform::{Answer, CLIENT, PROJECT_KEY, Platform, SECRET, Seen, key, listed},
};

/// Answers every request without an envelope.
fn plain(seen: &Seen) -> Answer {
    let answer = if seen.body["keys"].is_array() { json!({ "id": CLIENT }) } else { json!({ "success": true }) };
    match seen.looked_up() {
        Some(tenant) => listed(&[(CLIENT, tenant)]),
        None => Answer::Plain(200, answer.to_string().into_bytes()),
    }
}

#[test]
fn each_sealing_setting_accepts_its_answers() {
    let key = key("acme-corp", "{}");
    for (sealing, to_sealed, to_plain) in [
        (Sealing::Required, true, false),
        (Sealing::Requests, true, true),
        // A platform that received a plain request has no session, so it cannot seal the answer.
        (Sealing::Off, true, true),
    ] {
        for (platform, granted) in [(Platform::willing(), to_sealed), (Platform::new(plain), to_plain)] {
            let apikee = platform.builder().sealing(sealing).build().unwrap();
            let decision = ask(&apikee, &key);
            assert_eq!(decision == Ok(Basis::Confirmed), granted, "{sealing}: {decision:?}");
            let validation = platform.seen().into_iter().find(Seen::is_validation).unwrap();
            assert_eq!(validation.sealed, sealing != Sealing::Off);
            let flag = if sealing == Sealing::Off { "0" } else { "1" };
            assert_eq!(validation.header("x-apikee-encrypted"), Some(flag));
            let refused =
                decision.is_err_and(|denial| denial.contains("(APIKEE_SEALING=requests accepts plain answers"));
            assert_eq!(refused, !granted, "the denial says which setting accepts the answer");
        }
    }
}

#[test]
fn without_sealing_the_public_key_is_not_needed_and_clients_are_upserted_plain() {
    let platform = Platform::new(plain);
    let builder = Apikee::builder().secret(SECRET).project_key(PROJECT_KEY).project_env("app");
    let apikee = builder.sealing(Sealing::Off).transport(platform.transport()).background_thread(false);
    let apikee = apikee.build().unwrap();
    assert_eq!(apikee.prepare(), 0, "there are no sessions");
    let mut buf = [0; 1024];
    let issued = apikee.issue(&NewKey::new("acme-corp"), &mut buf).unwrap();
    assert_eq!(issued.upsert(), Upsert::Done(ClientId::new(CLIENT).unwrap()));
    let seen = platform.seen();
    assert!(!seen[0].sealed && seen[0].header("x-apikee-encrypted") == Some("0"));
    assert!(seen[0].raw_body.starts_with(r#"{"name":"acme-corp","#), "{}", seen[0].raw_body);
}

/// All sequences of eight characters of the key that appear in the call.
fn traces(key: &str, seen: &Seen) -> Vec<String> {
    let headers = seen.headers.iter().map(|(name, value)| format!("{name}{value}"));
    let call: Vec<String> = headers.chain([seen.target.clone(), seen.raw_body.clone()]).collect();
    // The common prefix of all keys also appears in names of headers.
    let own = key.strip_prefix("apikee_").unwrap().as_bytes();
    let parts = own.windows(8).map(|part| std::str::from_utf8(part).unwrap());
    parts.filter(|part| call.iter().any(|text| text.contains(part))).map(str::to_owned).collect()
}

#[test]
fn without_sealing_no_part_of_the_raw_key_is_sent_whatever_the_caller_discloses() {
    let key = key("acme-corp", "{}");
    let bearer = format!("Bearer {key}");
    let long = format!("{}{key}", "x".repeat(16 * 1024 - 100));
    // A tab is valid in a header, and control characters are not sent.
    let with_tab = format!("{}\t{}", &key[..20], &key[20..]);
    let cut = format!("{}...", &key[..13]);
    let headers = [
        ("x-api-key", key.as_str()),
        ("X-API-Key", "apikee_another.key"),
        ("x-acme-key", &key),
        ("authorization", &bearer),
        ("x-acme-trace", "kept"),
        ("x-acme-list", "first"),
        ("X-Acme-List", &key),
        ("x-long", &long),
        ("x-tab", &with_tab),
        ("x-cut", &cut),
    ];
    let payload = json!({ "note": format!("<{key}>") }).to_string();
    let escaped = payload.replace("apikee_", r"\u0061pikee_");
    for (enforcement, payload) in [
        (Enforcement::Enforce, &payload),
        (Enforcement::Enforce, &escaped),
        (Enforcement::Observe, &payload),
        (Enforcement::Observe, &escaped),
    ] {
        let platform = Platform::new(plain);
        let builder = platform.builder().sealing(Sealing::Off).enforcement(enforcement);
        let apikee = builder.background_thread(enforcement == Enforcement::Observe).build().unwrap();
        let request = AuthorizeRequest::new(Some(&key), MethodPath::new("GET", "/users").unwrap())
            .headers(&headers)
            .payload(JsonObject::new(payload).unwrap());
        assert!(decide(&apikee, &request).is_ok());
        apikee.close(std::time::Duration::from_secs(20));
        let seen = platform.seen();
        let validation = seen.iter().find(|seen| seen.is_validation()).unwrap();
        assert_eq!(
            validation.body["headers"],
            json!({ "x-acme-trace": "kept", "x-acme-list": "first" }),
            "{enforcement:?}"
        );
        assert!(validation.body["payload"].is_null());
        for seen in &seen {
            assert_eq!(traces(&key, seen), Vec::<String>::new(), "{enforcement:?}");
            assert!(!seen.raw_body.contains("apikee_"), "no other key is sent");
        }
    }
}

#[test]
fn with_sealing_the_raw_key_is_only_in_the_envelope() {
    let key = key(CLIENT, "{}");
    for sealing in [Sealing::Required, Sealing::Requests] {
        let platform = Platform::willing();
        let apikee = platform.builder().sealing(sealing).build().unwrap();
        assert_eq!(ask(&apikee, &key), Ok(Basis::Confirmed));
        let [seen] = &platform.seen()[..] else { panic!("one call") };
        assert_eq!(seen.body["headers"]["x-api-key"], key);
        assert_eq!(traces(&key, seen), Vec::<String>::new());
    }
}
