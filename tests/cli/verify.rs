//! `apikee verify` and `apikee fingerprint`: the output and the exit code.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::{SECRET, apikee, file, issued, vector, with_secret};

#[test]
fn good_keys_are_shown_as_readable_claims() {
    let key = issued(["--scope", "read", "--expires", "2100-01-01T00:00:00Z", "--meta", r#"{"plan":"pro"}"#]);
    let done = with_secret(["verify", &key]).done().code(0);
    assert!(done.stdout.starts_with(&format!("{}...: good\n", &key[..12])), "{}", done.stdout);
    for line in [
        r#"  tenant       "acme-corp""#,
        r#"  scopes       "read""#,
        r#"  environment  "production""#,
        "  not before   valid immediately",
        r#"  meta         {"plan":"pro"}"#,
        "  secret       0 (signs new keys)",
    ] {
        assert!(done.stdout.lines().any(|own| own == line), "{line}: {}", done.stdout);
    }
    assert!(done.stdout.contains("  expires      2100-01-01T00:00:00Z (in "), "{}", done.stdout);
}

#[test]
fn refusals_have_the_codes_of_the_sdks_and_do_not_repeat_the_key() {
    let good = issued(["--scope", "read"]);
    let cases = [
        ("sk_live_4242424242424242".into(), "INVALID_PREFIX"),
        (good.split_once('.').unwrap().0.into(), "INVALID_FORMAT"),
        (good.replacen("apikee_", "apikee_0", 1), "DECODE_ERROR"),
        (format!("{good} "), "DECODE_ERROR"),
        (vector("json-tenant-1")["key"].as_str().unwrap().into(), "INVALID_SIGNATURE"),
        (issued(["--expires", "2020-01-01T00:00:00Z"]), "EXPIRED"),
        (issued(["--expires", "never", "--not-before", "2100-01-01T00:00:00Z"]), "NOT_YET_VALID"),
    ];
    for (key, code) in cases {
        let run = |json: &[&str]| {
            with_secret(["verify"].into_iter().chain(json.iter().copied())).stdin(&key).done().code(1).stdout
        };
        let (text, json) = (run(&[]), run(&["--json"]));
        assert!(text.contains(&format!("refused, {code}: ")), "{text}");
        let said: Value = serde_json::from_str(&json).unwrap();
        assert_eq!((&said["ok"], &said["code"]), (&json!(false), &json!(code)));
        assert!(said["message"].is_string());
        let known = key.starts_with("apikee_").then(|| &key[..12]);
        assert_eq!(said["prefix"].as_str(), known);
        assert!(!text.contains(&key[..13]) && !json.contains(&key[..13]), "{text}{json}");
    }
}

#[test]
fn missing_scopes_are_named() {
    let key = issued(["--scope", "read"]);
    with_secret(["verify", "--scope", "read", &key]).done().code(0);
    let said = with_secret(["verify", "--json", "--scope", "read", "--scope", "write", "--scope", "admin", &key]);
    let said = said.done().code(1).json();
    assert_eq!(said["code"], "INSUFFICIENT_SCOPE");
    assert_eq!(said["message"], r#"the key lacks these scopes: "write", "admin""#);
}

#[test]
fn every_line_is_answered_and_one_bad_key_is_exit_code_1() {
    let (good, other) = (issued([]), issued([]));
    let bad = "apikee_1.1";
    let done = with_secret(["verify", "--json"]).stdin(format!("{good}\r\n\n{bad}\n \t\n{other}")).done().code(1);
    let said = done.json_lines();
    let lines: Vec<_> = said.iter().map(|said| (said["line"].as_u64().unwrap(), said["ok"] == true)).collect();
    assert_eq!(lines, [(1, true), (3, false), (5, true)]);
    let text = with_secret(["verify"]).stdin(format!("{good}\n{bad}\n")).done().code(1).stdout;
    assert!(text.contains("line 1, ") && text.contains("\nline 2, apikee_1.1...: refused, "), "{text}");
    with_secret(["verify"]).stdin(format!("{good}\n{other}\n")).done().code(0);
}

#[test]
fn keys_may_be_arguments_and_a_dash_is_standard_input() {
    let (first, second) = (issued(["--env", "first"]), issued(["--env", "second"]));
    let done = with_secret(["verify", "--json", &first, "-"]).stdin(&second).done().code(0);
    let environments: Vec<_> = done.json_lines().iter().map(|said| said["environment"].clone()).collect();
    assert_eq!(environments, ["first", "second"]);
}

#[test]
fn without_a_key_the_result_is_missing_key() {
    for stdin in ["", "\n\n"] {
        let said = with_secret(["verify", "--json"]).stdin(stdin).done().code(1).json();
        assert_eq!(said["code"], "MISSING_KEY");
    }
}

#[test]
fn an_over_long_line_is_refused_and_the_next_is_read() {
    let good = issued([]);
    for long in ["z".repeat(1_000_000), "z".repeat(2_000_000), format!("{good}{}", "z".repeat(16_384))] {
        let stdin = format!("apikee_{long}\n{long}\n{good}\n");
        let said = with_secret(["verify", "--json"]).stdin(stdin).done().code(1).json_lines();
        let codes: Vec<_> = said.iter().map(|said| said["code"].as_str().unwrap_or("ok")).collect();
        let expected =
            if long.starts_with("apikee_") { ["DECODE_ERROR"; 2] } else { ["INVALID_FORMAT", "INVALID_PREFIX"] };
        assert_eq!(codes[..2], expected);
        assert_eq!(codes[2..], ["ok"]);
    }
}

#[test]
fn a_key_has_the_same_code_as_an_argument_and_in_standard_input() {
    for digits in [16_376, 16_377, 20_000, 100_000] {
        let key = format!("apikee_{}.1", "z".repeat(digits));
        for command in ["verify", "inspect", "fingerprint"] {
            let argument = with_secret([command, "--json", &key]).done().code(1).json();
            let input = with_secret([command, "--json"]).stdin(&key).done().code(1).json();
            assert_eq!([&argument["code"], &input["code"]], ["DECODE_ERROR"; 2], "{command}, {digits}");
        }
    }
}

#[test]
fn meta_is_shown_as_it_is_in_the_key() {
    let meta = r#"{"a":1e400,"b":18446744073709551616,"c":[1.10,{"d":-0.0}],"e":"\u001b"}"#;
    let key = issued(["--meta", meta]);
    for command in ["verify", "inspect"] {
        for form in [&[][..], &["--json"]] {
            let arguments = [command].into_iter().chain(form.iter().copied()).chain([key.as_str()]);
            let shown = with_secret(arguments).done().code(0).stdout;
            assert!(shown.contains(meta), "{shown}");
        }
    }
}

#[test]
fn bytes_that_are_not_utf_8_are_refused() {
    let done = with_secret(["verify"]).stdin(b"apikee_\x1b[31m\xff.\xff\n\xff\n").done().code(1);
    assert_eq!(done.stdout.lines().count(), 2);
    assert!(done.stdout.starts_with(r"line 1, apikee_\u{1b}[31m"), "{:?}", done.stdout);
}

#[test]
fn claims_cannot_send_control_characters_to_the_terminal() {
    let hostile = "\u{1b}[2J\u{9b}31m\u{7}\u{7f}\u{202e}\r\n";
    let meta = json!({ hostile: [hostile] }).to_string();
    let issue = ["issue", "--tenant", hostile, "--scope", hostile, "--env", hostile, "--meta", &meta];
    let key = with_secret(issue).done().code(0).stdout;
    let runs = [
        &["verify"][..],
        &["verify", "--json"],
        &["verify", "--scope", "\u{1b}[2J"],
        &["inspect"],
        &["inspect", "--json"],
    ];
    for arguments in runs {
        let shown = with_secret(arguments.iter().copied()).stdin(&key).done().stdout;
        let unprintable = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
        assert!(!shown.contains(unprintable), "{arguments:?}: {shown:?}");
        assert!(shown.contains("1b"), "{arguments:?}: {shown:?}");
    }
    let said = with_secret(["verify", "--json"]).stdin(&key).done().code(0).json();
    for said in [&said["tenant"], &said["scopes"][0], &said["environment"], &said["meta"][hostile][0]] {
        assert_eq!(said, hostile);
    }
}

#[test]
fn leeway_extends_the_expiry_of_a_key() {
    let key = issued(["--expires", "2020-01-01T00:00:00Z"]);
    with_secret(["verify", &key]).done().code(1);
    with_secret(["verify", "--leeway", "36500d", &key]).done().code(0);
}

#[test]
fn a_key_on_the_deny_list_is_revoked() {
    let (revoked, good) = (issued([]), issued([]));
    let fingerprint = |key: &str| apikee(["fingerprint", key]).done().code(0).stdout;
    let mut lines: Vec<_> = (1..20).map(|at| fingerprint(&format!("apikee_{at}1.1"))).collect();
    lines.extend(["# leaked\n\n".into(), fingerprint(&revoked).to_uppercase(), "\r\n".into()]);
    let path = file("deny-list", lines.concat().as_bytes());
    let said = with_secret(["verify", "--json", "--deny-list", path.to_str().unwrap(), &revoked, &good]);
    let said = said.done().code(1).json_lines();
    assert_eq!((&said[0]["code"], &said[1]["ok"]), (&json!("REVOKED"), &json!(true)));
}

#[test]
fn the_deny_list_of_a_service_is_used_unless_an_option_names_another() {
    let (revoked, other) = (issued([]), issued([]));
    let list = |name, key: &str| file(name, apikee(["fingerprint", key]).done().code(0).stdout.as_bytes());
    let (of_service, of_option) = (list("list-of-service", &revoked), list("list-of-option", &other));
    let verify = |options: &[&str]| {
        let arguments = [&["verify", "--json"], options, &[&revoked, &other]].concat();
        let said = with_secret(arguments).env("APIKEE_DENY_LIST_FILE", of_service.to_str().unwrap()).done().code(1);
        said.json_lines().iter().map(|said| said["code"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(verify(&[]), [json!("REVOKED"), Value::Null]);
    assert_eq!(verify(&["--deny-list", of_option.to_str().unwrap()]), [Value::Null, json!("REVOKED")]);
    let verify = || with_secret(["verify", &revoked]);
    verify().env("APIKEE_DENY_LIST_FILE", " ").done().code(0);
    let done = verify().env("APIKEE_DENY_LIST_FILE", "no-such-file").done().code(2);
    assert!(done.stdout.is_empty(), "{}", done.stdout);
}

/// Other systems may refuse such a path.
#[cfg(target_os = "linux")]
#[test]
fn the_path_of_the_deny_list_of_a_service_need_not_be_utf8() {
    let key = issued([]);
    let list = file("list-of-bytes", apikee(["fingerprint", &key]).done().stdout.as_bytes());
    let mut run = with_secret(["verify", "--json", &key]);
    run.command.env("APIKEE_DENY_LIST_FILE", crate::not_utf8(&list));
    assert_eq!(run.done().code(1).json()["code"], "REVOKED");
}

#[test]
fn with_a_malformed_deny_list_no_key_is_verified() {
    let path = file("broken-deny-list", format!("\n{}\nabc\n", "0".repeat(64)).as_bytes());
    let done = with_secret(["verify", "--deny-list", path.to_str().unwrap(), &issued([])]).done().code(2);
    assert!(done.stdout.is_empty());
    assert!(done.stderr.contains("line 3 of the deny-list"), "{}", done.stderr);
}

#[test]
fn a_fingerprint_is_the_sha_256_of_the_key() {
    let (key, other) = (issued([]), issued([]));
    let hex = |key: &str| Sha256::digest(key).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!(apikee(["fingerprint", &key]).done().code(0).stdout, format!("{}\n", hex(&key)));
    let both = apikee(["fingerprint"]).stdin(format!("{key}\r\n\n{other}\n")).done().code(0).stdout;
    assert_eq!(both, format!("{}\n{}\n", hex(&key), hex(&other)));
    let verified = apikee(["verify", "--json", &key]).env("APIKEE_SECRET", SECRET).done().code(0).json();
    assert_eq!(verified["fingerprint"], hex(&key));
}

#[test]
fn text_that_is_not_spelled_like_a_key_has_no_fingerprint() {
    let key = issued([]);
    let stdin = format!("abc\n{}\n{key} \n{key}\n", key.replacen("apikee_", "apikee_0", 1));
    let done = apikee(["fingerprint"]).stdin(stdin).done().code(1);
    let refused = done.stderr.lines().filter(|line| line.contains(": refused, ")).count();
    assert_eq!((done.stdout.lines().count(), refused), (1, 3), "{}", done.stderr);
}

#[test]
fn fingerprints_are_printed_as_json_on_request() {
    let key = issued([]);
    let plain = apikee(["fingerprint", &key]).done().code(0).stdout;
    let said = apikee(["fingerprint", "--json"]).stdin(format!("{key}\nabc\n")).done().code(1).json_lines();
    let good = json!({ "ok": true, "line": 1, "prefix": &key[..12], "fingerprint": plain.trim_end() });
    assert_eq!(said[0], good);
    assert_eq!(
        (&said[1]["ok"], &said[1]["code"], &said[1]["line"]),
        (&json!(false), &json!("INVALID_PREFIX"), &json!(2))
    );
}
