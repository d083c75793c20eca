//! Compares the reading of answers with `serde_json`, and checks that other bytes are refused.

use apikee::protocol::{Answer, ClientId, ClientRecord, FoundClient, FoundClientError};
use proptest::{collection::vec, prelude::*, test_runner::RngSeed};
use serde_json::{Map, Value, json};

const NAMES: [&str; 10] =
    ["success", "clientId", "project_env", "method_path", "durationMs", "error", "code", "message", "id", "other"];

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => any::<bool>().prop_map(Value::from),
        4 => any::<String>().prop_map(Value::from),
        2 => any::<u64>().prop_map(Value::from),
        1 => Just(Value::Null),
        1 => any::<String>().prop_map(|name| json!({ name: [true] })),
    ]
}

/// The members often have the right types, so that answers are accepted as often as refused.
fn answer() -> impl Strategy<Value = Map<String, Value>> {
    let typed = prop_oneof![
        any::<bool>().prop_map(|success| ("success", Value::from(success))),
        (1..4_usize, any::<String>()).prop_map(|(at, text)| (NAMES[at], Value::from(text))),
        (5..8_usize, any::<String>()).prop_map(|(at, text)| (NAMES[at], Value::from(text))),
        any::<u64>().prop_map(|number| ("durationMs", Value::from(number))),
    ];
    let whatever = (proptest::sample::select(&NAMES[..]), value());
    (any::<bool>(), vec(prop_oneof![9 => typed, 1 => whatever], 0..8)).prop_map(|(success, members)| {
        let success = ("success", Value::from(success));
        std::iter::once(success).chain(members).map(|(name, value)| (name.to_owned(), value)).collect()
    })
}

/// The expected content, from the JSON alone; `None` if it is not an answer. A member of the wrong type is absent.
fn expected_answer(answer: &Map<String, Value>) -> Option<Value> {
    let success = answer.get("success")?.as_bool()?;
    let strings = ["clientId", "project_env", "method_path", "error", "code", "message"];
    let subject = strings[..3].iter().filter_map(|name| answer.get(*name));
    if !subject.into_iter().all(|value| value.is_null() || value.is_string()) {
        return None;
    }
    let strings = strings.map(|name| answer.get(name).and_then(Value::as_str));
    Some(json!([success, answer.get("durationMs").and_then(Value::as_u64), strings]))
}

fn read(body: &mut [u8]) -> Option<Value> {
    let answer = Answer::read_unsealed(body).ok()?;
    let (id, env, route) = (answer.client_id(), answer.project_env(), answer.method_path());
    let strings = [id, env, route, answer.error(), answer.code(), answer.message()];
    Some(json!([answer.success(), answer.duration_ms(), strings]))
}

const IDS: [&str; 3] = ["497f6eca-6276-4993-bfeb-53cbbbba6f08", "497F6ECA-6276-4993-BFEB-53CBBBBA6F08", "acme"];

const OTHER_ID: &str = "11111111-2222-4333-8444-555555555555";

/// There are few different names and ids, so that some repeat.
fn records() -> impl Strategy<Value = Value> {
    let name = prop_oneof![3 => Just("acme"), 1 => Just("acme-corp"), 1 => Just("caf\u{e9} \"")].prop_map(Value::from);
    let id = prop_oneof![6 => Just(IDS[0]), 1 => Just(IDS[1]), 1 => Just(IDS[2]), 1 => Just(OTHER_ID)];
    let id = prop_oneof![9 => id.prop_map(Value::from), 1 => value()];
    let record =
        (prop_oneof![9 => name, 1 => value()], id, value(), any::<bool>()).prop_map(|(name, id, other, has)| {
            if has { json!({ "keys": [other], "name": name, "id": id }) } else { json!({ "name": name }) }
        });
    prop_oneof![1 => value(), 19 => vec(prop_oneof![9 => record, 1 => value()], 0..4).prop_map(Value::from)]
}

fn expected_client(body: &Value, name: &str) -> Result<FoundClient, FoundClientError> {
    if body["success"] == false {
        return Err(FoundClientError::Refused);
    }
    let all = body["data"].as_array().ok_or(FoundClientError::NoList)?;
    let named = all.iter().filter(|record| record["name"] == name);
    let ids = named.map(|record| record["id"].as_str().and_then(|id| ClientId::new(id).ok()));
    let ids: Vec<_> = ids.collect();
    match ids[..] {
        [] => Ok(FoundClient::None),
        [None] => Err(FoundClientError::NoId),
        [Some(id), ref others @ ..] if others.iter().all(|other| *other == Some(id)) => Ok(FoundClient::One(id)),
        _ => Ok(FoundClient::Several),
    }
}

/// The same JSON, with each character of its strings escaped.
fn with_escapes(text: &str) -> String {
    let mut escaped = String::new();
    let (mut inside, mut chars) = (false, text.chars());
    while let Some(c) = chars.next() {
        match c {
            '"' => {
                inside = !inside;
                escaped.push(c);
            }
            '\\' => {
                escaped.push(c);
                escaped.extend(chars.next());
            }
            c if inside => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| escaped += &format!("\\u{unit:04X}")),
            c => escaped.push(c),
        }
    }
    escaped
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, rng_seed: RngSeed::Fixed(2), ..ProptestConfig::default() })]

    #[test]
    fn answers_are_read_as_serde_json_reads_them(answer in answer()) {
        let text = serde_json::to_string(&answer).unwrap();
        let expected = expected_answer(&answer);
        prop_assert_eq!(read(&mut with_escapes(&text).into_bytes()), expected.clone());
        prop_assert_eq!(read(&mut serde_json::to_vec_pretty(&answer).unwrap()), expected.clone());
        prop_assert_eq!(read(&mut text.into_bytes()), expected);
    }

    #[test]
    fn a_truncated_answer_is_refused(answer in answer(), at in any::<proptest::sample::Index>()) {
        let mut text = serde_json::to_vec(&answer).unwrap();
        let len = at.index(text.len());
        prop_assert_eq!(read(&mut text[..len]), None);
    }

    #[test]
    fn text_that_serde_json_refuses_is_not_an_answer(
        answer in answer(), at in any::<proptest::sample::Index>(), byte in any::<u8>(),
    ) {
        let mut bytes = serde_json::to_vec(&answer).unwrap();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        // `serde_json` also refuses well-formed numbers that are too large for it.
        let refused = serde_json::from_slice::<Value>(&bytes)
            .is_err_and(|error| !error.to_string().contains("number out of range"));
        let answers = read(&mut bytes.clone()).is_some() || ClientRecord::read_unsealed(&mut bytes).is_ok();
        prop_assert!(!(refused && answers));
    }

    #[test]
    fn clients_are_found_as_serde_json_finds_them(
        data in records(), success in proptest::option::weighted(0.2, value()), other in value(),
        at in any::<proptest::sample::Index>(),
    ) {
        let mut body = json!({ "data": data, "pagination": { "data": [{ "name": "acme", "id": OTHER_ID }], "x": other } });
        if let Some(success) = success {
            body["success"] = success;
        }
        let text = body.to_string();
        for name in ["acme", "caf\u{e9} \"", "cafe"] {
            let expected = expected_client(&body, name);
            for text in [&text, &with_escapes(&text), &serde_json::to_string_pretty(&body).unwrap()] {
                prop_assert_eq!(FoundClient::read_unsealed(text.as_bytes(), name), expected);
            }
        }
        let part = &text.as_bytes()[..at.index(text.len())];
        prop_assert_eq!(FoundClient::read_unsealed(part, "acme"), Err(FoundClientError::Malformed));
    }
}

/// The largest possible page of records.
#[test]
fn a_list_of_64_kilobytes_is_read() {
    let record = |at: usize| {
        json!({
            "id": format!("497f6eca-6276-4993-bfeb-{at:012}"), "name": format!("acme-{at}"), "type": "service",
            "keys": [{ "name": "default", "expiresAt": "2027-01-01T00:00:00.000Z", "lastUsed": null }],
            "templateId": "tmpl_pro", "metadata": { "plan": "pro", "note": "\u{e9}".repeat(155) }, "ipWhitelist": ["::1"],
            "createdAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-01-01T00:00:00Z", "status": "active",
        })
    };
    let records: Vec<_> = (0..100).map(record).collect();
    let body = json!({ "data": records, "pagination": { "total": 100 } }).to_string();
    assert!((60_000..=65_536).contains(&body.len()), "{}", body.len());
    for at in [0, 50, 99] {
        let found = FoundClient::read_unsealed(body.as_bytes(), &format!("acme-{at}"));
        let id = ClientId::new(&format!("497f6eca-6276-4993-bfeb-{at:012}")).unwrap();
        assert_eq!(found, Ok(FoundClient::One(id)));
    }
    assert_eq!(FoundClient::read_unsealed(body.as_bytes(), "acme"), Err(FoundClientError::Incomplete));
}
