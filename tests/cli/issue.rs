//! Keys that the command issues.

use serde_json::json;

use crate::{SECRET, issued, with_secret};

#[test]
fn a_key_stands_alone_on_standard_output_and_says_what_was_asked_for() {
    let key = with_secret([
        "issue",
        "--tenant",
        "acme-corp",
        "--scope",
        "read",
        "--scope",
        "write",
        "--expires",
        "2100-01-01T00:00:00Z",
        "--not-before",
        "2020-01-01T00:00:00Z",
        "--env",
        "staging",
        "--meta",
        r#"{ "plan": "pro" }"#,
    ])
    .done()
    .code(0);
    assert!(key.stdout.starts_with("apikee_") && key.stdout.ends_with('\n') && key.stderr.is_empty());
    assert_eq!(key.stdout.lines().count(), 1);

    let mut said = with_secret(["verify", "--json"]).stdin(&key.stdout).done().code(0).json();
    let id = said["id"].take();
    assert_eq!(id.as_str().map(str::len), Some(21));
    said["fingerprint"].take();
    assert_eq!(
        said,
        json!({
            "ok": true,
            "line": 1,
            "id": null,
            "tenant": "acme-corp",
            "scopes": ["read", "write"],
            "environment": "staging",
            "expires_at": 4_102_444_800_u64,
            "not_before": 1_577_836_800,
            "meta": {"plan": "pro"},
            "secret": 0,
            "fingerprint": null,
        })
    );
}

#[test]
fn keys_are_for_production_and_90_days_if_nothing_is_said() {
    let said = with_secret(["verify", "--json", &issued([])]).done().code(0).json();
    assert_eq!((&said["environment"], &said["scopes"], &said["meta"]), (&json!("production"), &json!([]), &json!({})));
    assert_eq!(said["not_before"], json!(null));
    let now = i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap();
    let left = said["expires_at"].as_i64().unwrap() - now;
    // The test may have taken a while.
    assert!((89 * 86_400..=90 * 86_400).contains(&left), "{left}");
}

#[test]
fn a_key_may_last_for_ever() {
    let said = with_secret(["verify", "--json", &issued(["--expires", "never"])]).done().code(0).json();
    assert_eq!(said["expires_at"], json!(null));
}

#[test]
fn long_claims_get_a_larger_buffer_until_they_are_too_long() {
    let meta = |len| format!(r#"{{"note":"{}"}}"#, "z".repeat(len));
    let key = issued(["--meta", &meta(5000)]);
    assert!(key.len() > 6000);
    with_secret(["verify"]).stdin(key).done().code(0);
    let refused = with_secret(["issue", "--tenant", "t", "--meta", &meta(9000)]).done().code(2);
    assert_eq!((refused.stdout.as_str(), refused.stderr.as_str()), ("", "apikee: the claims are too long for a key\n"));
}

#[test]
fn a_key_is_written_as_message_pack_if_asked_for() {
    let key = issued(["--msgpack", "--scope", "read", "--meta", r#"{"seats":5}"#]);
    let said = with_secret(["verify", "--json", &key]).done().code(0).json();
    assert_eq!((&said["scopes"], &said["meta"]), (&json!(["read"]), &json!({"seats": 5})));
    let said = with_secret(["inspect", "--json", &key]).done().code(0).json();
    assert_eq!(said["encoding"], json!("MessagePack"));
    let refused =
        with_secret(["issue", "--tenant", "t", "--msgpack", "--meta", r#"{"n":18446744073709551616}"#]).done().code(2);
    assert!(refused.stdout.is_empty() && refused.stderr.contains("64 bits"), "{}", refused.stderr);
}

#[test]
fn a_key_that_expires_past_the_year_9999_is_not_issued() {
    let refused = with_secret(["issue", "--tenant", "t", "--expires", "3000000d"]).done().code(2);
    assert!(refused.stdout.is_empty() && refused.stderr.contains("9999"), "{}", refused.stderr);
}

#[test]
fn a_key_that_has_expired_already_is_issued_with_a_note() {
    let done = with_secret(["issue", "--tenant", "t", "--expires", "2020-01-01T00:00:00Z"]).done().code(0);
    assert!(done.stdout.starts_with("apikee_"));
    assert!(done.stderr.contains("has expired already"), "{}", done.stderr);
}

#[test]
fn a_secret_is_not_taken_as_an_argument() {
    for arguments in [&["--secret", "hunter2"][..], &["--secret=hunter2"]] {
        for command in ["issue", "verify"] {
            let done = with_secret([command].into_iter().chain(arguments.iter().copied())).done().code(2);
            assert!(done.stdout.is_empty());
            assert!(!done.stderr.contains("hunter2") && !done.stderr.contains(SECRET), "{}", done.stderr);
        }
    }
}
