//! `apikee inspect` shows keys without a secret.

use serde_json::{Value, json};

use crate::{apikee, vector};

fn inspected(key: &str) -> Value {
    apikee(["inspect", "--json", key]).done().code(0).json()
}

/// The key of a golden case.
fn key(name: &str) -> String {
    vector(name)["key"].as_str().unwrap().to_owned()
}

#[test]
fn claims_are_shown_under_a_line_that_says_they_are_not_verified() {
    let key = key("json-tenant-1");
    let done = apikee(["inspect", &key]).done().code(0);
    let mut lines = done.stdout.lines();
    assert!(lines.next().unwrap().starts_with("NOT VERIFIED"), "{}", done.stdout);
    assert!(lines.any(|line| line == r#"  tenant       "a""#), "{}", done.stdout);
    assert!(done.stdout.contains("  encoding     JSON\n") && !done.stdout.contains("warning"), "{}", done.stdout);
    let said = inspected(&key);
    assert_eq!((&said["verified"], &said["warnings"]), (&json!(false), &json!([])));
    assert!(said.get("ok").is_none());
    for claim in ["id", "tenant", "scopes", "environment", "expires_at", "not_before", "meta"] {
        assert_eq!(said[claim], vector("json-tenant-1")["expect"][claim], "{claim}");
    }
}

#[test]
fn inspect_names_the_sdks_that_can_read_a_key() {
    for (name, encoding, readers) in [
        ("json-tenant-1", "JSON", &["Node", "Python without msgpack", "this crate"][..]),
        ("msgpack-tenant-30", "MessagePack", &["Python with msgpack", "this crate"]),
    ] {
        let key = key(name);
        let said = inspected(&key);
        assert_eq!((&said["encoding"], &said["read_by"]), (&json!(encoding), &json!(readers)));
        let text = apikee(["inspect", &key]).done().code(0).stdout;
        assert!(text.contains(&format!("  read by      {}\n", readers.join(", "))), "{text}");
    }
}

#[test]
fn inspect_warns_of_keys_that_the_published_sdks_read_wrongly() {
    let cases = [
        ("json-signature-leading-zero-2-860", "zero byte"),
        ("msgpack-tenant-30", "MessagePack"),
        ("bad-noncanonical-zeros-payload", "leading zeros"),
        ("bad-noncanonical-zeros-both", "leading zeros"),
    ];
    for (name, word) in cases {
        let said = inspected(&key(name));
        let warnings = said["warnings"].as_array().unwrap();
        assert!(matches!(&warnings[..], [one] if one.as_str().unwrap().contains(word)), "{name}: {said}");
        let text = apikee(["inspect", &key(name)]).done().code(0).stdout;
        assert_eq!(text.matches("  warning      ").count(), 1, "{text}");
    }
}

#[test]
fn a_payload_that_is_not_a_claims_object_is_exit_code_1() {
    let done = apikee(["inspect", "--json", &key("bad-shape-exp-string")]).done().code(1);
    let said = done.json();
    assert_eq!((&said["verified"], &said["code"]), (&json!(false), &json!("DECODE_ERROR")));
    assert!(said["warnings"][0].as_str().unwrap().contains("claims object"), "{said}");
}

#[test]
fn a_line_that_cannot_be_decoded_is_exit_code_1_and_the_next_is_read() {
    let stdin = format!("sk_live_4242\n{}\n", key("json-tenant-1"));
    let said = apikee(["inspect", "--json"]).stdin(&stdin).done().code(1).json_lines();
    assert_eq!((&said[0]["code"], &said[1]["tenant"]), (&json!("INVALID_PREFIX"), &json!("a")));
    assert!(said.iter().all(|said| said["verified"] == false));
    let text = apikee(["inspect"]).stdin(&stdin).done().code(1).stdout;
    assert!(text.contains("line 1: refused, INVALID_PREFIX"), "{text}");
}

#[test]
fn meta_that_json_cannot_represent_is_still_shown() {
    // MessagePack of {"meta": {"n": NaN, "b": two bytes}}.
    let said = inspected("apikee_1OigxCj1CGOwwmeFMs7OFk17YrWU37iN8.1");
    assert_eq!(said["meta"], json!({"n": null, "b": [1, 2]}));
}
