//! Answers as `serde_json` reads them, and no other bytes.
#![cfg(feature = "envelope")]

use apikee::{Answer, ClientRecord};
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

/// Often of the right types, so that answers are read as often as refused.
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

/// What the text says by its grammar alone: `None` if it is not an answer. What is not of its type is
/// absent.
fn by_the_book(answer: &Map<String, Value>) -> Option<Value> {
    let success = answer.get("success")?.as_bool()?;
    let strings = ["clientId", "project_env", "method_path", "error", "code", "message"];
    let strings = strings.map(|name| answer.get(name).and_then(Value::as_str));
    Some(json!([success, answer.get("durationMs").and_then(Value::as_u64), strings]))
}

fn read(body: &mut [u8]) -> Option<Value> {
    let answer = Answer::read_unsealed(body).ok()?;
    let (id, env, route) = (answer.client_id(), answer.project_env(), answer.method_path());
    let strings = [id, env, route, answer.error(), answer.code(), answer.message()];
    Some(json!([answer.success(), answer.duration_ms(), strings]))
}

/// The same JSON with each character of its strings as an escape.
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
        let expected = by_the_book(&answer);
        prop_assert_eq!(read(&mut with_escapes(&text).into_bytes()), expected.clone());
        prop_assert_eq!(read(&mut serde_json::to_vec_pretty(&answer).unwrap()), expected.clone());
        prop_assert_eq!(read(&mut text.into_bytes()), expected);
    }

    #[test]
    fn a_part_of_an_answer_is_none(answer in answer(), at in any::<proptest::sample::Index>()) {
        let mut text = serde_json::to_vec(&answer).unwrap();
        let len = at.index(text.len());
        prop_assert_eq!(read(&mut text[..len]), None);
    }

    #[test]
    fn what_serde_json_refuses_is_no_answer(
        answer in answer(), at in any::<proptest::sample::Index>(), byte in any::<u8>(),
    ) {
        let mut bytes = serde_json::to_vec(&answer).unwrap();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        // It also refuses numbers that are well-formed but too large for it.
        let refused = serde_json::from_slice::<Value>(&bytes)
            .is_err_and(|error| !error.to_string().contains("number out of range"));
        let answers = read(&mut bytes.clone()).is_some() || ClientRecord::read_unsealed(&mut bytes).is_ok();
        prop_assert!(!(refused && answers));
    }
}
