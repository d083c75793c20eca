//! Envelopes: sealed, opened by both sides, and inspected.

use std::path::Path;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use serde_json::{Value, json};

use crate::{Run, apikee, file};

/// The golden cases of this kind.
pub(crate) fn vectors(kind: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/envelopes.json");
    let mut file: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let Value::Array(mut vectors) = file["vectors"].take() else { panic!("no vectors") };
    vectors.retain(|vector| vector["kind"] == kind);
    assert!(!vectors.is_empty());
    vectors
}

pub(crate) fn text<'v>(vector: &'v Value, member: &str) -> &'v str {
    vector[member].as_str().unwrap()
}

/// `seal` with the nonce, the key and the secret of a golden request.
fn sealing(vector: &Value) -> Run {
    apikee(["seal", "--iv", text(vector, "iv")])
        .env("APIKEE_SERVER_PUBLIC_KEY", text(vector, "server_public"))
        .env("APIKEE_EPHEMERAL_SECRET", text(vector, "ephemeral_private"))
}

/// `open` as the client of a golden answer.
fn opening(vector: &Value) -> Run {
    apikee(["open"])
        .env("APIKEE_SERVER_PUBLIC_KEY", text(vector, "server_public"))
        .env("APIKEE_EPHEMERAL_SECRET", text(vector, "ephemeral_private"))
}

/// The envelope of a request as if it came from the server.
fn as_answer(envelope: &str, vector: &Value) -> String {
    let digits = text(vector, "server_public");
    let server: Vec<_> = (0..32).map(|at| u8::from_str_radix(&digits[2 * at..][..2], 16).unwrap()).collect();
    let mut answer: Value = serde_json::from_str(envelope).unwrap();
    answer["epk"] = BASE64_URL_SAFE_NO_PAD.encode(server).into();
    answer.to_string()
}

#[test]
fn pinned_requests_are_sealed_as_the_sdk_seals_them() {
    for vector in vectors("request") {
        let sealed = sealing(&vector).stdin(text(&vector, "plaintext")).done().code(0);
        assert_eq!(sealed.stdout, format!("{}\n", text(&vector, "envelope")), "{}", vector["name"]);
        assert_eq!(sealed.stderr, "");
    }
}

#[test]
fn arguments_mean_the_same_as_variables_and_precede_them() {
    let vector = &vectors("request")[0];
    let secret = file("ephemeral", format!("{}\n", text(vector, "ephemeral_private")).as_bytes());
    let arguments = [
        "seal",
        "--server-public-key",
        text(vector, "server_public"),
        "--ephemeral-secret-file",
        secret.to_str().unwrap(),
        "--iv",
        text(vector, "iv"),
        "--text",
        text(vector, "plaintext"),
    ];
    let run = apikee(arguments)
        .env("APIKEE_SERVER_PUBLIC_KEY", "not a key")
        .env("APIKEE_EPHEMERAL_SECRET", "not a secret")
        .stdin("not this");
    assert_eq!(run.done().code(0).stdout.trim_end(), text(vector, "envelope"));
}

#[test]
fn values_that_are_not_pinned_are_random() {
    let vector = &vectors("request")[0];
    let seal = || {
        let run = apikee(["seal"]).env("APIKEE_SERVER_PUBLIC_KEY", text(vector, "server_public"));
        run.stdin("{}").done().code(0).stdout
    };
    let (one, other) = (seal(), seal());
    let part = |envelope: &str, name: &str| serde_json::from_str::<Value>(envelope).unwrap()[name].clone();
    assert_ne!(part(&one, "epk"), part(&other, "epk"));
    assert_ne!(part(&one, "iv"), part(&other, "iv"));
    let open = apikee(["open"]).env("APIKEE_SERVER_SECRET", text(vector, "server_private"));
    assert_eq!(open.stdin(one).done().code(0).stdout, "{}");
}

#[test]
fn the_server_opens_requests_to_exactly_their_plaintext() {
    for vector in vectors("request") {
        let secret = file(&format!("server-{}", text(&vector, "name")), text(&vector, "server_private").as_bytes());
        // The secret in a variable, and in a file. If a file is named, the other side's variable is ignored.
        let runs = [
            apikee(["open"]).env("APIKEE_SERVER_SECRET", text(&vector, "server_private")),
            apikee(["open", "--server-secret-file", secret.to_str().unwrap()])
                .env("APIKEE_EPHEMERAL_SECRET", text(&vector, "ephemeral_private")),
        ];
        for run in runs {
            let opened = run.stdin(text(&vector, "envelope")).done().code(0);
            assert_eq!((opened.stdout.as_str(), opened.stderr.as_str()), (text(&vector, "plaintext"), ""));
        }
    }
}

#[test]
fn the_client_opens_only_good_answers() {
    for vector in vectors("response") {
        let name = text(&vector, "name");
        let done = opening(&vector).stdin(text(&vector, "envelope")).done();
        if vector["ok"] == true {
            assert_eq!((done.code, done.stdout.as_str()), (0, text(&vector, "plaintext")), "{name}");
            assert_eq!(done.stderr, "", "{name}");
        } else {
            assert_eq!((done.code, done.stdout.as_str()), (1, ""), "{name}");
            assert!(done.stderr.starts_with("apikee: ") && done.stderr.lines().count() == 1, "{}", done.stderr);
        }
    }
}

#[test]
fn a_request_that_is_sent_back_is_refused_if_it_is_known() {
    let request = &vectors("request")[0];
    let sent = file("request", text(request, "envelope").as_bytes());
    let reflected = as_answer(text(request, "envelope"), request);
    let open = |arguments: &[&str]| {
        let mut run = opening(request).stdin(&reflected);
        run.command.args(arguments);
        run.done()
    };
    assert_eq!(open(&[]).code(0).stdout, text(request, "plaintext"));
    let done = open(&["--request", sent.to_str().unwrap()]).code(1);
    assert!(done.stdout.is_empty() && done.stderr.contains("sent back"), "{}", done.stderr);
    for wrong in ["no-such-file", file("no-request", b"{}").to_str().unwrap()] {
        let done = open(&["--request", wrong]).code(2);
        assert!(done.stderr.contains("cannot be used"), "{}", done.stderr);
    }
}

/// A test server may answer with a pinned nonce.
#[test]
fn an_answer_with_any_nonce_is_opened_if_the_request_is_not_given() {
    let request = &vectors("request")[0];
    let run = apikee(["seal", "--iv", &"0".repeat(24), "--text", "{}"])
        .env("APIKEE_SERVER_PUBLIC_KEY", text(request, "server_public"))
        .env("APIKEE_EPHEMERAL_SECRET", text(request, "ephemeral_private"));
    let answer = as_answer(&run.done().code(0).stdout, request);
    assert_eq!(opening(request).stdin(answer).done().code(0).stdout, "{}");
}

#[test]
fn an_answer_is_not_opened_with_the_servers_secret() {
    let vector = &vectors("request")[0];
    let request = file("request-of-no-client", text(vector, "envelope").as_bytes());
    let done = apikee(["open", "--request", request.to_str().unwrap()])
        .env("APIKEE_SERVER_PUBLIC_KEY", text(vector, "server_public"))
        .env("APIKEE_SERVER_SECRET", secret(vector))
        .stdin("{}")
        .done()
        .code(2);
    assert!(done.stderr.contains("APIKEE_EPHEMERAL_SECRET"), "{}", done.stderr);
    assert!(!done.stderr.contains("APIKEE_SERVER_SECRET"), "{}", done.stderr);
}

#[test]
fn a_refusal_names_its_reason() {
    let vectors = vectors("response");
    for (name, why) in [
        ("reflected-request", "the envelope names a key that cannot be trusted"),
        ("tampered-iv", "the envelope is not authentic"),
        ("malformed-v2", "the envelope's version is not known"),
        ("malformed-plaintext-answer", "the body is not sealed"),
        ("malformed-html", "the envelope is not a well-formed JSON object"),
    ] {
        let vector = vectors.iter().find(|vector| vector["name"] == name).unwrap();
        let done = opening(vector).stdin(text(vector, "envelope")).done().code(1);
        assert_eq!(done.stderr, format!("apikee: {why}\n"), "{name}");
    }
}

#[test]
fn blank_variables_are_unset() {
    let vector = &vectors("request")[0];
    let envelope = text(vector, "envelope");
    for blank in ["", " \t\n"] {
        // The secret is random: the nonce is the same, but the key is different.
        let sealed = sealing(vector).env("APIKEE_EPHEMERAL_SECRET", blank).stdin("{}").done().code(0).json();
        let golden: Value = serde_json::from_str(envelope).unwrap();
        assert_eq!(sealed["iv"], golden["iv"]);
        assert_ne!(sealed["epk"], golden["epk"]);

        let done = sealing(vector).env("APIKEE_SERVER_PUBLIC_KEY", blank).done().code(2);
        assert!(done.stderr.contains("APIKEE_SERVER_PUBLIC_KEY") && done.stderr.contains("--server-public-key"));

        let open = || apikee(["open"]).env("APIKEE_EPHEMERAL_SECRET", blank).stdin(envelope);
        let opened = open().env("APIKEE_SERVER_SECRET", text(vector, "server_private")).done().code(0);
        assert_eq!(opened.stdout, text(vector, "plaintext"));
        let done = open().env("APIKEE_SERVER_SECRET", blank).done().code(2);
        for name in
            ["APIKEE_EPHEMERAL_SECRET", "APIKEE_SERVER_SECRET", "--ephemeral-secret-file", "--server-secret-file"]
        {
            assert!(done.stderr.contains(name), "{name}: {}", done.stderr);
        }
    }
}

#[test]
fn wrong_configuration_is_exit_code_2_and_repeats_no_secret() {
    let vector = &vectors("request")[0];
    let (secret, server) = (text(vector, "ephemeral_private"), text(vector, "server_private"));
    let short = &secret[..62];
    let wrong = file("wrong-secret", format!("{secret}{secret}").as_bytes());
    let wrong = wrong.to_str().unwrap();
    let low_order = "0".repeat(64);
    let runs = [
        sealing(vector).env("APIKEE_EPHEMERAL_SECRET", short),
        sealing(vector).env("APIKEE_EPHEMERAL_SECRET", &format!("{short}zz")),
        sealing(vector).env("APIKEE_EPHEMERAL_SECRET", &format!("+{}", &secret[1..])),
        sealing(vector).env("APIKEE_SERVER_PUBLIC_KEY", short),
        sealing(vector).env("APIKEE_SERVER_PUBLIC_KEY", &low_order),
        apikee(["seal", "--server-public-key", text(vector, "server_public"), "--iv", short]),
        apikee(["seal", "--server-public-key", text(vector, "server_public"), "--iv", "zz"]),
        apikee(["seal", "--server-public-key", short]),
        apikee(["seal", "--server-public-key", text(vector, "server_public"), "--ephemeral-secret-file", wrong]),
        apikee([
            "seal",
            "--server-public-key",
            text(vector, "server_public"),
            "--ephemeral-secret-file",
            "no-such-file",
        ]),
        apikee(["open"]).env("APIKEE_SERVER_SECRET", short),
        apikee(["open"]).env("APIKEE_EPHEMERAL_SECRET", secret),
        opening(vector).env("APIKEE_SERVER_SECRET", server),
        apikee(["open", "--server-secret-file", wrong]),
        apikee(["open", "--server-secret-file", wrong, "--ephemeral-secret-file", wrong]),
        apikee(["open", "--server-secret", server]),
    ];
    for run in runs {
        let done = run.stdin(text(vector, "envelope")).done();
        assert_eq!((done.code, done.stdout.as_str()), (2, ""), "{}", done.stderr);
        assert!(!done.stderr.is_empty());
        for secret in [secret, server] {
            assert!(!done.stderr.contains(&secret[..12]), "{}", done.stderr);
        }
    }
}

#[test]
fn the_help_explains_pinned_values() {
    let help = apikee(["seal", "--help"]).done().code(0).stdout;
    for words in ["For debugging only", "Never seal twice", "answer to the request can never be opened"] {
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(help.contains(words), "{words}: {help}");
    }
}

fn inspected(envelope: &str, code: i32) -> Value {
    apikee(["inspect", "--json"]).stdin(envelope).done().code(code).json()
}

/// The warnings, on one line.
fn warnings(said: &Value) -> String {
    said["warnings"].as_array().unwrap().iter().map(|warning| warning.as_str().unwrap()).collect::<Vec<_>>().join("; ")
}

#[test]
fn parts_are_shown_as_not_verified() {
    for vector in vectors("request") {
        let envelope = text(&vector, "envelope");
        let golden: Value = serde_json::from_str(envelope).unwrap();
        let len = text(&vector, "plaintext").len();
        let expected = json!({
            "verified": false,
            "line": 1,
            "kind": "envelope",
            "version": "1",
            "epk": golden["epk"],
            "iv": golden["iv"],
            "ciphertext_len": len + 16,
            "plaintext_len": len,
            "warnings": [],
        });
        assert_eq!(inspected(&format!(" \t{envelope}\n"), 0), expected);
        let shown = apikee(["inspect", envelope]).done().code(0).stdout;
        assert!(shown.starts_with("NOT VERIFIED") && shown.contains("\nenvelope: not verified\n"), "{shown}");
        assert!(shown.contains(&format!("  plaintext    {len} bytes\n")), "{shown}");
        assert!(shown.contains(golden["epk"].as_str().unwrap()) && !shown.contains("warning"), "{shown}");
        assert!(!shown.contains("timestamp"), "{shown}");
    }
}

#[test]
fn an_envelope_that_nobody_would_open_gets_a_warning_and_exit_code_1() {
    let cases = [
        ("ct-shorter-than-tag", "ct is shorter than its tag"),
        ("malformed-v2", "the version is not known"),
        ("malformed-v-number", "v is not a string"),
        ("malformed-v-missing", "v is missing"),
        ("malformed-iv-11-bytes", "iv is 11 bytes long, and should be 12"),
        ("malformed-iv-13-bytes", "iv is 13 bytes long"),
        ("malformed-epk-31-bytes", "epk is 31 bytes long, and should be 32"),
        ("malformed-epk-33-bytes", "epk is 33 bytes long"),
        ("malformed-ct-not-base64", "ct is not base64url"),
        ("malformed-ct-standard-alphabet", "ct has padding or another alphabet"),
        ("malformed-plaintext-answer", "the body is not sealed"),
    ];
    let vectors = vectors("response");
    for (name, warning) in cases {
        let vector = vectors.iter().find(|vector| vector["name"] == name).unwrap();
        let said = inspected(text(vector, "envelope"), 1);
        assert!(warnings(&said).contains(warning), "{name}: {said}");
        let shown = apikee(["inspect", text(vector, "envelope")]).done().code(1).stdout;
        assert!(shown.contains("  warning      ") && shown.contains(warning), "{name}: {shown}");
    }
    for twice in [r#"{"v":"1","\u0076":"1"}"#, r#"{"x":1,"x":1}"#] {
        assert!(warnings(&inspected(twice, 1)).contains("a member name occurs twice"), "{twice}");
    }
    let good = vectors.iter().find(|vector| vector["name"] == "ct-shorter-than-tag").unwrap();
    for inner in [r#"{"a":1,"a":2}"#.to_owned(), "[".repeat(40) + &"]".repeat(40)] {
        let envelope = text(good, "envelope").replacen('{', &format!(r#"{{"x":{inner},"#), 1);
        assert!(warnings(&inspected(&envelope, 1)).contains("nested too deep"), "{envelope}");
    }
}

#[test]
fn an_envelope_that_the_client_opens_gets_no_warning() {
    for vector in vectors("response").iter().filter(|vector| vector["ok"] == true) {
        // `inspect` reads one envelope per line.
        let said = inspected(&text(vector, "envelope").replace('\n', " "), 0);
        assert_eq!(warnings(&said), "", "{}", vector["name"]);
        let huge = text(vector, "envelope").replace('\n', " ").replacen('{', r#"{"x":1e999,"#, 1);
        assert_eq!(warnings(&inspected(&huge, 0)), "", "{}", vector["name"]);
    }
}

#[test]
fn a_line_that_is_not_an_object_is_refused_and_the_next_is_read() {
    let envelope = text(&vectors("request")[0], "envelope").to_owned();
    let stdin = format!("{{\"v\":\n{envelope}x\n{envelope}\n");
    let said = apikee(["inspect", "--json"]).stdin(&stdin).done().code(1).json_lines();
    for refused in &said[..2] {
        assert_eq!(refused["message"], "the envelope is not a well-formed JSON object");
        assert_eq!((&refused["verified"], &refused["kind"]), (&json!(false), &json!("envelope")));
    }
    assert_eq!((&said[2]["line"], &said[2]["version"]), (&json!(3), &json!("1")));
    let shown = apikee(["inspect"]).stdin(&stdin).done().code(1).stdout;
    assert!(shown.contains("line 1, envelope: refused: the envelope is not"), "{shown}");
}

#[test]
fn an_epk_of_low_order_gets_a_warning() {
    let vectors = vectors("response");
    let low_order = vectors.iter().filter(|vector| text(vector, "name").starts_with("low-order-epk"));
    for vector in low_order {
        let said = inspected(text(vector, "envelope"), 0);
        assert!(warnings(&said).contains("epk has low order"), "{said}");
    }
}

#[test]
fn with_the_server_key_an_answer_is_distinguished_from_a_request() {
    let vectors = vectors("response");
    let inspect = |name: &str, key: Option<&str>| {
        let vector = vectors.iter().find(|vector| vector["name"] == name).unwrap();
        let run = apikee(["inspect", "--json"]);
        let run = run.env("APIKEE_SERVER_PUBLIC_KEY", key.unwrap_or(text(vector, "server_public")));
        warnings(&run.stdin(text(vector, "envelope")).done().code(0).json())
    };
    assert!(inspect("response-1", None).contains("this is an answer"));
    assert_eq!(inspect("reflected-request", None), "");
    assert_eq!(inspect("response-1", Some(" ")), "");
    let unusable = inspect("response-1", Some("5ec7e7"));
    assert!(unusable.contains("cannot be used") && !unusable.contains("5ec7e7"), "{unusable}");
}

#[test]
fn long_envelopes_are_read_completely() {
    let vector = &vectors("request")[0];
    let sealed = sealing(vector).stdin("z".repeat(100_000)).done().code(0).stdout;
    assert_eq!(inspected(&sealed, 0)["plaintext_len"], 100_000);
    let long = format!("{{{}\n{sealed}", " ".repeat(2_000_000));
    let said = apikee(["inspect", "--json"]).stdin(long).done().code(1).json_lines();
    assert_eq!((said.len(), &said[1]["plaintext_len"]), (2, &json!(100_000)));
}

#[test]
fn envelopes_cannot_send_control_characters_to_the_terminal() {
    let hostile = json!({"v": "\u{1b}[2J\u{202e}", "epk": "\u{1b}", "iv": "\u{1b}", "ct": "\u{1b}"}).to_string();
    for arguments in [&["inspect"][..], &["inspect", "--json"]] {
        let shown = apikee(arguments.iter().copied()).stdin(&hostile).done().code(1).stdout;
        assert!(!shown.contains(is_hostile), "{shown:?}");
    }

    // A good envelope with such a plaintext. Only a terminal gets it escaped.
    let vector = &vectors("request")[0];
    let plaintext = "{\"a\": \"it's \\ \u{e9}\"}\t\u{1b}[2J\u{9b}\u{202e}\u{7f}\r\n";
    let sealed = apikee(["seal", "--server-public-key", text(vector, "server_public")]).stdin(plaintext).done().code(0);
    let open = |options| apikee(["open"].into_iter().chain(options)).env("APIKEE_SERVER_SECRET", secret(vector));
    assert_eq!(open(None).stdin(&sealed.stdout).done().code(0).stdout, plaintext);
    let json = open(Some("--json")).stdin(&sealed.stdout).done().code(0);
    assert!(!json.stdout.contains(is_hostile), "{:?}", json.stdout);
    assert_eq!(json.json()["plaintext"], plaintext);
    #[cfg(target_os = "linux")]
    {
        let envelope = file("hostile-envelope", sealed.stdout.as_bytes());
        let line = format!("apikee open < {}", envelope.display());
        let Some(done) = crate::terminal::at_a_terminal(&line, &[("APIKEE_SERVER_SECRET", secret(vector))], "") else {
            return;
        };
        let shown = "{\"a\": \"it's \\ \u{e9}\"}\t\\u{1b}[2J\\u{9b}\\u{202e}\\u{7f}\\u{d}\r\n";
        assert_eq!((done.code, done.stdout.as_str()), (0, shown));
    }
}

fn is_hostile(c: char) -> bool {
    c != '\n' && (c.is_control() || c == '\u{202e}')
}

fn secret(vector: &Value) -> &str {
    text(vector, "server_private")
}

#[test]
fn an_envelope_that_was_cut_is_refused() {
    let envelope = text(&vectors("request")[0], "envelope").to_owned();
    let blanks = " ".repeat(1 << 20);
    for rest in ["garbage", "", "garbage\n", "\n"] {
        for arguments in [&["inspect"][..], &["inspect", "--json"], &["inspect", "-q"]] {
            let done = apikee(arguments.iter().copied()).stdin(format!("{envelope}{blanks}{rest}")).done().code(1);
            assert_eq!(
                done.stdout.contains("the line is longer than 1 MiB"),
                arguments.get(1) != Some(&"-q"),
                "{rest:?}"
            );
        }
    }
    let most = format!("{envelope}{}\n{envelope}\n", &blanks[envelope.len() + 1..]);
    apikee(["inspect", "-q"]).stdin(most).done().code(0);
}

#[test]
fn a_secret_file_is_read_only_up_to_its_maximum_length() {
    let vector = &vectors("request")[0];
    let padded = file("padded-secret", format!("{}{}\n", secret(vector), " ".repeat(4000)).as_bytes());
    let too_long = file("too-long-secret", format!("{}{}\n", secret(vector), " ".repeat(5000)).as_bytes());
    for (path, code) in [(&padded, 0), (&too_long, 2), (&Path::new("/dev/zero").into(), 2)] {
        for option in ["--server-secret-file", "--ephemeral-secret-file"] {
            let command =
                ["open", option, path.to_str().unwrap(), "--server-public-key", text(vector, "server_public")];
            let done = apikee(command).stdin(text(vector, "envelope")).done();
            // The secret of the server does not open its own request as an answer.
            let expected = if code == 0 && option.starts_with("--eph") { 1 } else { code };
            assert_eq!(done.code, expected, "{path:?}: {}", done.stderr);
            assert!(code != 2 || cfg!(windows) || done.stderr.contains("longer than 4096 bytes"), "{}", done.stderr);
        }
    }
    // The secret instead of its file.
    let done = apikee(["open", "--server-secret-file", secret(vector)]).stdin(text(vector, "envelope")).done().code(2);
    assert!(done.stderr.contains("--server-secret-file") && !done.stderr.contains(secret(vector)), "{}", done.stderr);
}

#[test]
fn envelopes_and_plaintexts_are_printed_as_json_on_request() {
    let server = apikee(["secret", "--json"]).done().code(0).json();
    let secret = server["secret"].as_str().unwrap();
    let platform = apikee(["platform", "--json", "--until-eof"]).env("APIKEE_SERVER_SECRET", secret).done().code(0);
    let public_key = platform.json()["public_key"].as_str().unwrap().to_owned();
    for (plaintext, member, shown) in [
        (&b"{\"caf\xc3\xa9\": 1}\n"[..], "plaintext", "{\"caf\u{e9}\": 1}\n"),
        (b"", "plaintext", ""),
        (b"\xff\xfe", "plaintext_base64", "//4="),
    ] {
        let sealed =
            apikee(["seal", "--json", "--server-public-key", &public_key]).stdin(plaintext).done().code(0).json();
        let open = |options: &'static str, envelope: &str| {
            apikee(["open", options]).env("APIKEE_SERVER_SECRET", secret).stdin(envelope).done()
        };
        let envelope = sealed["envelope"].as_str().unwrap();
        let opened = open("--json", envelope).code(0).json();
        assert_eq!(opened, json!({ "ok": true, member: shown }));
        let quiet = open("--quiet", envelope).code(0);
        assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
        let changed = envelope.replacen("\"ct\":\"", "\"ct\":\"AAAA", 1);
        let refused = open("--json", &changed).code(1).json();
        assert!(refused["ok"] == false && refused["message"].is_string(), "{refused}");
        let quiet = open("-q", &changed).code(1);
        assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
    }
}
