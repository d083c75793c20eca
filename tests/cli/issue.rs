//! Keys that the command issues.

use apikee::emulator::{Emulator, Misbehaviour, Occasion};
use serde_json::{Value, json};

use crate::{SECRET, issued, with_secret};

#[test]
fn standard_output_has_only_the_key_with_the_requested_claims() {
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
fn by_default_keys_are_for_production_and_90_days() {
    let said = with_secret(["verify", "--json", &issued([])]).done().code(0).json();
    assert_eq!((&said["environment"], &said["scopes"], &said["meta"]), (&json!("production"), &json!([]), &json!({})));
    assert_eq!(said["not_before"], json!(null));
    let now = i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap();
    let left = said["expires_at"].as_i64().unwrap() - now;
    // The test may have taken a while.
    assert!((89 * 86_400..=90 * 86_400).contains(&left), "{left}");
}

#[test]
fn a_key_can_be_issued_without_expiry() {
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
fn a_key_is_written_as_message_pack_on_request() {
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
    assert!(done.stderr.contains("has expired, or expires in this second"), "{}", done.stderr);
}

#[test]
fn a_key_that_expires_before_it_becomes_valid_is_issued_with_a_note() {
    let done = with_secret(["issue", "--tenant", "t", "--not-before", "2099-01-01", "--expires", "1d"]).done().code(0);
    assert!(done.stderr.contains("is never valid"), "{}", done.stderr);
}

#[test]
fn wrong_data_about_a_client_is_wrong_use_and_the_platform_is_not_called() {
    let platform = Emulator::start().unwrap();
    for option in
        [&["--client-name", ""][..], &["--template", ""], &["--key-name", ""], &["--ip", ""], &["--ip", "10.0.0.0/33"]]
    {
        let issue = ["issue", "--tenant", "t", "--upsert"].into_iter().chain(option.iter().copied());
        let run = with_secret(issue)
            .env("APIKEE_SERVER_KEY", Emulator::PROJECT_KEY)
            .env("APIKEE_BASE_URL", platform.url())
            .env("APIKEE_PROJECT_ENV", platform.project_env())
            .env("APIKEE_SERVER_PUBLIC_KEY", platform.public_key());
        let done = run.done().code(2);
        assert!(done.stdout.is_empty() && done.stderr.contains(option[0]), "{}", done.stderr);
    }
    assert!(platform.log().is_empty());
}

#[test]
fn wrong_use_repeats_no_key_and_no_secret() {
    let key = issued([]);
    let long = "91f81462dd0bd1d8f1a58f23b2cf8b1fb9f2b8ef3c0d0b3f1dd1e36f8b7aef6c";
    let header = format!("Authorization: Bearer {key}");
    for arguments in [
        &["doctor", &key][..],
        &[&key],
        &["secret", &key],
        &["demo", &key],
        &["authorize", "--header", &header],
        &["authorize", "--client", &key],
        &["issue", "--expires", &key],
        &["seal", long],
        &["open", long],
        &["verify", "--secret-file", long, "x"],
    ] {
        let done = with_secret(arguments.iter().copied()).done().code(2);
        let parts = key["apikee_".len()..].split('.').chain([long]);
        for part in parts {
            assert!(!done.stderr.contains(&part[5..]), "{arguments:?}: {}", done.stderr);
        }
        assert!(done.stderr.contains("...") || done.stderr.contains("not shown"), "{}", done.stderr);
    }
    let done = with_secret(["doctor", "--secret-file", long]).done().code(1);
    assert!(!done.stdout.contains(long) && !done.stderr.contains(long), "{}", done.stdout);
}

#[test]
fn a_secret_is_not_accepted_as_an_argument() {
    for (option, commands) in [
        ("--secret", ["issue", "verify", "inspect"]),
        ("--project-key", ["issue", "authorize", "doctor"]),
        ("--server-secret", ["open", "seal", "platform"]),
    ] {
        let joined = format!("{option}=hunter2");
        for command in commands {
            for done in [with_secret([command, option, "hunter2"]), with_secret([command, &joined])] {
                let done = done.done().code(2);
                assert!(done.stdout.is_empty());
                assert!(!done.stderr.contains("hunter2") && !done.stderr.contains(SECRET), "{}", done.stderr);
            }
        }
    }
}

#[test]
fn the_data_of_an_issued_key_is_printed_as_json() {
    let said = with_secret(["issue", "--tenant", "acme-corp", "--expires", "2100-01-01T00:00:00Z", "--json"]);
    let said = said.done().code(0).json();
    let key = said["key"].as_str().unwrap();
    let verified = with_secret(["verify", "--json", key]).done().code(0).json();
    assert_eq!(said["id"], verified["id"]);
    assert_eq!(said["fingerprint"], verified["fingerprint"]);
    assert_eq!(said["prefix"], key[..12]);
    assert_eq!(said["expires_at"], 4_102_444_800_u64);
    assert_eq!((&said["upsert"], &said["client_id"]), (&json!("local"), &json!(null)));
    let said = with_secret(["issue", "--tenant", "t", "--expires", "never", "--json"]).done().code(0).json();
    assert_eq!(said["expires_at"], json!(null));
}

#[test]
fn with_upsert_the_client_is_created_on_the_platform() {
    let platform = Emulator::start().unwrap();
    let issue = |arguments: &[&'static str]| {
        with_secret(["issue", "--tenant", "acme-corp", "--json"].into_iter().chain(arguments.iter().copied()))
            .env("APIKEE_SERVER_KEY", Emulator::PROJECT_KEY)
            .env("APIKEE_PROJECT_ENV", platform.project_env())
            .env("APIKEE_SERVER_PUBLIC_KEY", platform.public_key())
            .env("APIKEE_BASE_URL", platform.url())
    };
    assert_eq!(issue(&[]).done().code(0).json()["upsert"], "local", "there is no --upsert");
    assert!(platform.log().is_empty());

    let options = [
        "--upsert",
        "--client-type",
        "company",
        "--template",
        "tmpl_pro",
        "--ip",
        "203.0.113.0/24",
        "--ip",
        "::/0",
        "--client-metadata",
        r#"{"plan":"pro"}"#,
        "--key-name",
        "production",
        "--expires",
        "never",
    ];
    let said = issue(&options).done().code(0).json();
    assert_eq!(said["upsert"], "done");
    let verified = with_secret(["verify", "--json", said["key"].as_str().unwrap()]).done().code(0).json();
    assert_eq!(verified["meta"]["clientId"], said["client_id"]);
    let body: Value = serde_json::from_str(platform.log()[0].body.as_ref().unwrap()).unwrap();
    assert_eq!(
        body,
        json!({
            "name": "acme-corp",
            "type": "company",
            "keys": [{ "name": "production" }],
            "templateId": "tmpl_pro",
            "metadata": { "plan": "pro" },
            "ipWhitelist": ["203.0.113.0/24", "::/0"],
        })
    );

    platform.misbehave(Misbehaviour::Status(503), Occasion::Always);
    let done = issue(&["--upsert"]).done().code(0);
    assert_eq!(done.json()["upsert"], "postponed");
    assert!(done.stderr.contains("the client could not be reported to the platform"), "{}", done.stderr);
    let skipped = issue(&["--upsert", "--meta", r#"{"clientId":"mine"}"#]).done().code(0);
    assert_eq!(skipped.json()["upsert"], "skipped");
    assert!(skipped.stderr.contains("because --meta has a clientId"), "{}", skipped.stderr);
    let half = with_secret(["issue", "--tenant", "t", "--upsert"]).done().code(2);
    assert!(half.stdout.is_empty() && half.stderr.contains("missing: project_key"), "{}", half.stderr);
    let alone = with_secret(["issue", "--tenant", "t", "--template", "tmpl_pro"]).done().code(2);
    assert!(alone.stderr.contains("--upsert"), "{}", alone.stderr);
}

#[test]
fn scopes_may_be_separated_by_commas() {
    for scopes in
        [&["--scope", "read,write"][..], &["--scope", "read, write"], &["--scope", "read", "--scope", "write"]]
    {
        let key = issued(scopes.iter().copied());
        let said = with_secret(["verify", "--json", "--scope", "write,read", &key]).done().code(0).json();
        assert_eq!(said["scopes"], json!(["read", "write"]), "{scopes:?}");
        let said = with_secret(["verify", "--json", "--scope", "read,admin", &key]).done().code(1).json();
        assert_eq!(said["code"], "INSUFFICIENT_SCOPE");
    }
    for scopes in ["", ",", "read,", ",read", "read,,write", " "] {
        with_secret(["issue", "--tenant", "t", "--scope", scopes]).done().code(2);
        with_secret(["verify", "--scope", scopes, "apikee_1.1"]).done().code(2);
    }
}

#[test]
fn a_key_expires_after_weeks_or_years_or_on_a_date() {
    let expiry = |when: &str| {
        let said = with_secret(["issue", "--tenant", "t", "--json", "--expires", when]).done().code(0).json();
        said["expires_at"].as_i64().unwrap()
    };
    let now = apikee::UnixTime::now().as_secs();
    for (when, secs) in [("12w", 12 * 7 * 86_400), ("1y", 365 * 86_400), ("90d", 90 * 86_400)] {
        assert!((0..600).contains(&(expiry(when) - now - secs)), "{when}");
    }
    for when in ["2099-01-31", "2099-01-31T00:00:00Z", "2099-01-31T02:00:00+02:00"] {
        assert_eq!(expiry(when), 4_073_500_800, "{when}");
    }
    for when in ["2099-02-29", "31.01.2099", "1month", "-1w", "2099-01-31T00:00:00"] {
        let done = with_secret(["issue", "--tenant", "t", &format!("--expires={when}")]).done().code(2);
        assert!(done.stderr.contains("12w") && done.stderr.contains("2027-01-31"), "{}", done.stderr);
    }
}
