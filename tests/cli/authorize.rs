//! `apikee authorize`: one request, with a platform and without one.

use std::net::TcpListener;

use apikee::{
    emulator::{EmulatedClient, Emulator, Misbehaviour, Occasion},
    protocol::ClientId,
};

use crate::{Run, SECRET, apikee, issued};

const CLIENT: &str = "497f6eca-6276-4993-bfeb-53cbbbba6f08";

fn platform() -> Emulator {
    let platform = Emulator::start().unwrap();
    platform.add_client(ClientId::new(CLIENT).unwrap(), EmulatedClient::new("acme-corp"));
    platform
}

/// `apikee authorize` with these arguments, configured for this platform.
fn authorize(platform: &Emulator, arguments: &[&str]) -> Run {
    let front = ["authorize", "--url", platform.url(), "--client", CLIENT, "--method", "GET", "--path", "/users"];
    configured(platform, front.into_iter().chain(arguments.iter().copied()))
}

fn configured<'a>(platform: &Emulator, arguments: impl IntoIterator<Item = &'a str>) -> Run {
    apikee(arguments)
        .env("APIKEE_SECRET", SECRET)
        .env("APIKEE_SERVER_KEY", Emulator::PROJECT_KEY)
        .env("APIKEE_PROJECT_ENV", platform.project_env())
        .env("APIKEE_SERVER_PUBLIC_KEY", platform.public_key())
}

#[test]
fn a_good_request_is_granted_and_the_platform_sees_it() {
    let platform = platform();
    let key = issued(["--scope", "read"]);
    let done = authorize(&platform, &["--scope", "read", "--header", "user-agent=curl/8.5.0", &key]).done().code(0);
    let headline = format!("{}...: granted, confirmed by the platform\n", &key[..12]);
    assert!(done.stdout.starts_with(&headline), "{}", done.stdout);
    assert!(done.stdout.contains("acme-corp") && done.stdout.contains(" ms\n"), "{}", done.stdout);
    let said = authorize(&platform, &["--json"]).stdin(&key).done().code(0).json();
    assert_eq!((&said["ok"], &said["basis"]), (&true.into(), &"confirmed".into()));
    assert!(said["elapsed_ms"].as_f64().unwrap() > 0.0);

    let seen = platform.log();
    assert_eq!(seen.len(), 2);
    assert!(seen[0].body.as_ref().unwrap().contains(r#""user-agent":"curl/8.5.0""#));
    assert_eq!(seen[0].method_path.as_deref(), Some("GET:::/users"));
}

/// `--secret-file` overrides the variables of secrets, also if they are wrong.
#[test]
fn a_secret_file_overrides_wrong_variables() {
    let platform = platform();
    let path =
        std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("authorize-secret-{}", std::process::id()));
    std::fs::write(&path, SECRET).unwrap();
    let file = ["--secret-file", path.to_str().unwrap()];
    let key = issued([]);
    let run = |arguments: &[&str]| configured(&platform, arguments.iter().copied()).env("APIKEE_SECRETS", ",");
    let front = ["authorize", "--url", platform.url(), "--client", CLIENT];
    run(&[&front[..], &[&key]].concat()).done().code(2);
    run(&[&front[..], &file, &[&key]].concat()).done().code(0);
    let url = |arguments: &[&str]| run(arguments).env("APIKEE_BASE_URL", platform.url());
    url(&[&["issue", "--tenant", "acme-corp", "--upsert"][..], &file].concat()).done().code(0);
    let done = url(&[&["doctor"][..], &file].concat()).done();
    std::fs::remove_file(&path).unwrap();
    assert!(done.stdout.contains("good  configuration"), "{}", done.stdout);
}

#[test]
fn denials_print_code_and_cause_and_have_exit_code_1() {
    let platform = platform();
    let key = issued(["--scope", "read"]);
    let json =
        |arguments: &[&str]| authorize(&platform, &[arguments, &["--json"]].concat()).stdin(&key).done().code(1).json();
    let said = json(&["--scope", "write"]);
    assert_eq!((&said["code"], &said["class"]), (&"INSUFFICIENT_SCOPE".into(), &"scopes".into()));
    let other = issued([]).replace("apikee_", "apikee_1");
    let said = authorize(&platform, &["--json", &other]).done().code(1).json();
    assert_eq!((&said["code"], &said["class"]), (&"INVALID_SIGNATURE".into(), &"key".into()));

    platform.misbehave(Misbehaviour::Status(503), Occasion::Always);
    let said = json(&["--fail-closed"]);
    assert_eq!((&said["code"], &said["http_status"]), (&"SERVER_UNAVAILABLE".into(), &503.into()));
    assert_eq!((&said["class"], &said["cause"]), (&"outage".into(), &"the platform answered with status 503".into()));
    let open = authorize(&platform, &["--json", &key]).done().code(0).json();
    assert_eq!(open["basis"], "failed_open");
    authorize(&platform, &["--json", &key]).env("APIKEE_FAIL_OPEN", "false").done().code(1);
    platform.behave();

    platform.misbehave(Misbehaviour::Unsealed, Occasion::Always);
    let said = json(&[]);
    assert_eq!((&said["code"], &said["class"]), (&"SERVER_FAULT".into(), &"fault".into()));
    assert!(said["cause"].as_str().unwrap().contains("APIKEE_SEALING=requests"), "{said}");
    let requests = authorize(&platform, &["--sealing", "requests", "--json", &key]);
    assert_eq!(requests.done().code(0).json()["basis"], "confirmed");
    let requests = authorize(&platform, &["--json", &key]).env("APIKEE_SEALING", "requests");
    assert_eq!(requests.done().code(0).json()["basis"], "confirmed");
    platform.behave();

    platform.misbehave(Misbehaviour::Status(429), Occasion::Always);
    let text = authorize(&platform, &[&key]).done().code(1).stdout;
    assert!(text.contains(": denied, SERVER_REJECTED\n") && text.contains("rate limit exceeded"), "{text}");
    assert!(text.lines().any(|line| line.split_whitespace().eq(["class", "rejected"])), "{text}");
}

#[test]
fn each_of_several_answers_says_which_key_it_is_about() {
    let platform = platform();
    let key = issued([]);
    let stdin = format!("{key}\n\nnonsense\n");
    let said = authorize(&platform, &["--json"]).stdin(&stdin).done().code(1).json_lines();
    assert_eq!(said.iter().map(|said| said["line"].as_u64()).collect::<Vec<_>>(), [Some(1), Some(3)]);
    assert_eq!((&said[0]["prefix"], &said[0]["tenant"]), (&key[..12].into(), &"acme-corp".into()));
    assert!(said[1]["prefix"].is_null());
    let text = authorize(&platform, &[]).stdin(&stdin).done().code(1).stdout;
    assert!(text.starts_with(&format!("line 1, {}...: granted, ", &key[..12])), "{text}");
    assert!(text.contains("\nline 3: denied, INVALID_PREFIX\n"), "{text}");
}

#[test]
fn the_platforms_own_reason_is_printed() {
    let platform = platform();
    let key = issued([]);
    let unknown = ["authorize", "--url", platform.url(), "--client", "11111111-2222-4333-8444-555555555555"];
    let done = configured(&platform, unknown.into_iter().chain([key.as_str()])).done().code(1);
    let is_reason = |line: &str| line.split_whitespace().eq(["reason", "UNKNOWN_CLIENT"]);
    assert!(done.stdout.lines().any(is_reason), "{}", done.stdout);
    let said = configured(&platform, unknown.into_iter().chain(["--json", &key])).done().code(1).json();
    assert_eq!(said["reason"], "UNKNOWN_CLIENT");
    assert_eq!(said["cause"], "the platform refuses the key: UNKNOWN_CLIENT");
    assert_eq!(said["message"], "the platform rejects the request");
}

#[test]
fn the_timeout_can_be_set_by_argument_and_by_variable() {
    // Accepts connections, and never answers. The default timeout is three seconds.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let platform = platform();
    let url = format!("http://{}/api/v1", silent.local_addr().unwrap());
    let key = issued([]);
    let run = configured(
        &platform,
        ["authorize", "--url", &url, "--client", CLIENT, "--timeout", "2000ms", "--fail-closed", "--json", &key],
    );
    let said = run.done().code(1).json();
    assert_eq!(said["cause"], "the platform did not answer in time");
    assert!((2000.0..2900.0).contains(&said["elapsed_ms"].as_f64().unwrap()), "{said}");
    // The same with environment variables.
    let run = configured(&platform, ["authorize", "--client", CLIENT, "--fail-closed", "--json", &key]);
    let run = run.env("APIKEE_BASE_URL", &url).env("APIKEE_SERVER_TIMEOUT", "2000ms");
    let said = run.done().code(1).json();
    assert!((2000.0..2900.0).contains(&said["elapsed_ms"].as_f64().unwrap()), "{said}");
}

#[test]
fn an_incomplete_or_invalid_configuration_is_exit_code_2() {
    let platform = platform();
    let key = issued([]);
    for (name, value, message) in [
        ("APIKEE_SERVER_KEY", "", "missing: project_key (APIKEE_SERVER_KEY)"),
        ("APIKEE_PROJECT_ENV", " ", "missing: project_env (APIKEE_PROJECT_ENV)"),
        ("APIKEE_SERVER_PUBLIC_KEY", "", "missing: server_public_key (APIKEE_SERVER_PUBLIC_KEY)"),
        ("APIKEE_SERVER_PUBLIC_KEY", "AAAA", "server_public_key (APIKEE_SERVER_PUBLIC_KEY) cannot be used"),
        ("APIKEE_SECRET", "", "there is no secret"),
        ("APIKEE_PRIVATE_KEY", "no PEM", "private_key (APIKEE_PRIVATE_KEY) cannot be used"),
        ("APIKEE_SEALING", "on", "sealing (APIKEE_SEALING) cannot be used"),
        ("APIKEE_FAIL_OPEN", "on", "fail_open (APIKEE_FAIL_OPEN) cannot be used"),
        ("APIKEE_SERVER_TIMEOUT", "soon", "timeout (APIKEE_SERVER_TIMEOUT) cannot be used"),
        ("APIKEE_CA_FILE", "no such file", "ca_file (APIKEE_CA_FILE) cannot be used"),
        ("APIKEE_ALLOW_PLAIN_HTTP", "on", "allow_plain_http (APIKEE_ALLOW_PLAIN_HTTP) cannot be used"),
    ] {
        let done = authorize(&platform, &[&key]).env(name, value).done().code(2);
        assert!(done.stderr.contains(message) && done.stdout.is_empty(), "{name}: {}", done.stderr);
    }
    let local = apikee(["authorize", "--url", platform.url(), &key]).env("APIKEE_SECRET", SECRET).done().code(2);
    assert!(local.stderr.contains("missing: project_key"), "never silently local: {}", local.stderr);
    let off = configured(&platform, ["authorize", "--sealing", "off", "--url", "http://apikee.example", &key]);
    let off = off.env("APIKEE_SERVER_PUBLIC_KEY", "").done().code(2);
    assert!(off.stderr.contains("base_url is plain http"), "the public key is not needed: {}", off.stderr);
    for arguments in [
        &["--client", "x"][..],
        &["--timeout", "soon"],
        &["--timeout", "0s"],
        &["--header", "x"],
        &["--sealing", "on"],
        &["--ca-file", "no such file"],
    ] {
        authorize(&platform, arguments).stdin(&key).done().code(2);
    }
    assert!(platform.log().is_empty());
}

#[test]
fn plain_http_to_another_machine_needs_the_option() {
    let key = apikee(["issue", "--tenant", "497f6eca-6276-4993-bfeb-53cbbbba6f08"]).env("APIKEE_SECRET", SECRET).done();
    let run = |arguments: &[&str]| {
        // Nothing listens there. It is this machine, but not a loopback address.
        let run = apikee(
            ["authorize", "--url", "http://0.0.0.0:1", "--sealing", "off"].into_iter().chain(arguments.iter().copied()),
        );
        let run =
            run.env("APIKEE_SECRET", SECRET).env("APIKEE_SERVER_KEY", "sk_test_1").env("APIKEE_PROJECT_ENV", "app");
        run.stdin(&key.stdout).done()
    };
    let refused = run(&[]).code(2);
    assert!(refused.stderr.contains("plain http to another machine"), "{}", refused.stderr);
    let asked = run(&["--allow-plain-http"]).code(0);
    assert!(asked.stdout.contains("let through in an outage"), "{}", asked.stdout);
}

#[test]
fn a_wrong_header_is_refused_and_not_shown() {
    let platform = platform();
    let key = issued([]);
    for header in ["x-note: hunter2", "a b=hunter2", "=hunter2"] {
        let done = authorize(&platform, &["--header", header, &key]).done().code(2);
        assert!(
            done.stderr.contains("--header is not NAME=VALUE") && !done.stderr.contains("hunter2"),
            "{}",
            done.stderr
        );
    }
}
