//! The settings of a client, and the errors in them.

use std::{process::Command, time::Duration};

use apikee::{
    Apikee, ConfigError, Keyring,
    breaker::RefusalMemory,
    client::{ApikeeBuilder, Enforcement, Setting},
    protocol::Sealing,
};

use crate::{
    ask,
    platform::{Answer, Platform, SECRET, key, willing},
};

fn refusal(builder: ApikeeBuilder) -> String {
    builder.build().unwrap_err().to_string()
}

/// The settings that a message names as missing. Each is the text before an explanation.
fn missing(message: &str) -> Vec<&str> {
    let settings = message.strip_prefix("missing: ").unwrap_or_else(|| panic!("{message}"));
    settings.split("; ").map(|setting| setting.split(": ").next().unwrap()).collect()
}

const KEY: &str = "project_key (APIKEE_SERVER_KEY)";
const ENV: &str = "project_env (APIKEE_PROJECT_ENV)";
const PUBLIC: &str = "server_public_key (APIKEE_SERVER_PUBLIC_KEY)";

#[test]
fn a_secret_is_required_and_server_mode_must_be_configured_completely() {
    assert_eq!(missing(&refusal(Apikee::builder())), ["secret (APIKEE_SECRETS, APIKEE_LOCAL_SECRET, APIKEE_SECRET)"]);
    let local = || Apikee::builder().secret(SECRET);
    assert!(!local().build().unwrap().is_server_mode());
    assert!(Platform::willing().builder().build().unwrap().is_server_mode());

    let key = Platform::willing().server_key().to_string();
    for (builder, expected) in [
        (local().project_key("sk_test"), &[ENV, PUBLIC][..]),
        (local().project_env("app"), &[KEY, PUBLIC]),
        (local().server_public_key(&key), &[KEY, ENV]),
        (local().project_key("sk_test").project_env("app"), &[PUBLIC]),
        (local().transport(Platform::willing().transport()), &[KEY, ENV, PUBLIC]),
        (local().enforcement(Enforcement::Observe), &[KEY, ENV, PUBLIC]),
        (local().client_resolver(|_| None), &[KEY, ENV, PUBLIC]),
        (local().sealing(Sealing::Required), &[KEY, ENV, PUBLIC]),
        (local().sealing(Sealing::Requests), &[KEY, ENV, PUBLIC]),
        (local().sealing(Sealing::Off), &[KEY, ENV]),
        (local().sealing(Sealing::Off).project_key("sk_test"), &[ENV]),
    ] {
        assert_eq!(missing(&refusal(builder)), expected);
    }
}

#[test]
fn missing_settings_are_explained() {
    let half = || Apikee::builder().secret(SECRET).project_key("sk_test");
    assert_eq!(
        refusal(half()),
        "missing: project_env (APIKEE_PROJECT_ENV): the slug of project and environment, such as my-app-production, \
         from the project's settings on the platform; server_public_key (APIKEE_SERVER_PUBLIC_KEY): the platform's \
         X25519 public key, 32 bytes as base64 or as 64 hexadecimal digits, from the platform's settings, not needed \
         with APIKEE_SEALING=off"
    );
    let nothing = refusal(Apikee::builder().project_key("sk_test_1"));
    let places = ["secret (", "project_env (", "server_public_key ("].map(|name| nothing.find(name));
    assert!(places.is_sorted() && places.iter().all(Option::is_some), "{nothing}");
    #[cfg(not(feature = "ureq"))]
    assert_eq!(
        refusal(half().project_env("app").sealing(Sealing::Off)),
        "missing: transport: enable the feature ureq or set a transport"
    );
}

#[test]
fn a_setting_that_cannot_be_used_is_named() {
    let whole = || Platform::willing().builder();
    const ZEROS: &str = "server_public_key (APIKEE_SERVER_PUBLIC_KEY) cannot be used: it is the all-zero placeholder \
                         of the published SDKs (expected: the platform's X25519 public key";
    for (builder, start) in [
        (whole().secret(b""), "secret (APIKEE_SECRETS"),
        (whole().project_key("sk\r\nx: y"), "project_key (APIKEE_SERVER_KEY) cannot be used: "),
        (
            whole().project_key("apikee_1.1"),
            "project_key (APIKEE_SERVER_KEY) cannot be used: the project key is an API key",
        ),
        (
            whole().project_env("sk_test_1"),
            "project_env (APIKEE_PROJECT_ENV) cannot be used: it is a project key, not a slug",
        ),
        (whole().project_env(""), "project_env (APIKEE_PROJECT_ENV) cannot be used: it is empty"),
        (whole().server_public_key(&"0".repeat(64)), ZEROS),
        (whole().server_public_key(&format!("{}=", "A".repeat(43))), ZEROS),
        (whole().server_public_key(&"A".repeat(43)), ZEROS),
        (
            whole().server_public_key(&format!("01{}", "0".repeat(62))),
            "server_public_key (APIKEE_SERVER_PUBLIC_KEY) cannot be used: the server's public key has low order",
        ),
        (whole().server_public_key("?"), "server_public_key (APIKEE_SERVER_PUBLIC_KEY) cannot be used: "),
        (whole().user_agent("a\nb"), "user_agent cannot be used: "),
        (whole().timeout(Duration::ZERO), "timeout (APIKEE_SERVER_TIMEOUT) cannot be used: it must be more than zero"),
        (whole().max_in_flight(0), "max_in_flight cannot be used: it must be more than zero"),
        (whole().max_in_flight_per_client(0), "max_in_flight_per_client cannot be used: it must be more than zero"),
        (whole().max_client_ids(0), "max_client_ids cannot be used: it must be more than zero"),
        (whole().max_clients(0), "max_clients cannot be used: it is out of range (expected: 1 to "),
        (whole().max_clients(20_000_000), "max_clients cannot be used: it is out of range"),
        (whole().queue_len(0), "queue_len cannot be used: it must be more than zero"),
        (whole().queue_bytes(0), "queue_bytes cannot be used: it must be more than zero"),
        (whole().enforcement(Enforcement::Observe), "background_thread cannot be used: "),
    ] {
        let refusal = refusal(builder);
        assert!(refusal.starts_with(start), "{refusal}");
    }
}

#[test]
fn the_longest_durations_are_usable_and_do_not_count_as_none() {
    const LONGEST: Duration = Duration::MAX;
    let platform = Platform::new(|seen| if seen.is_validation() { Answer::no() } else { willing(seen) });
    let apikee = platform
        .builder()
        .timeout(LONGEST)
        .leeway(LONGEST)
        .reload_interval(LONGEST)
        .secret_grace(LONGEST)
        .max_client_id_age(LONGEST)
        .refusal_memory(RefusalMemory::DEFAULT.unsuccessful(LONGEST).forbidden(LONGEST).rate_limited(LONGEST, LONGEST))
        .background_thread(true)
        .build()
        .unwrap();
    let key = key("acme-corp", "{}");
    for _ in 0..2 {
        assert!(ask(&apikee, &key).unwrap_err().starts_with("SERVER_REJECTED"));
    }
    assert_eq!(platform.seen().len(), 3, "one look-up, because its result is remembered, and two validations");
    assert_eq!(apikee.close(LONGEST), 0);
}

#[test]
fn the_error_names_the_first_wrong_setting_and_not_its_value() {
    let error = Apikee::builder().secret(SECRET).project_key("pl\u{e4}intext").user_agent("").build().unwrap_err();
    assert!(matches!(error, ConfigError::Unusable(Setting::ProjectKey, _)));
    assert_eq!(format!("{error:?}"), error.to_string(), "what main prints");
    assert!(error.to_string().contains("(expected: sk_live_") && !error.to_string().contains("intext"), "{error}");
    assert_eq!(format!("{:?}", Apikee::builder().secret(SECRET)), "ApikeeBuilder { .. }");
}

#[test]
fn a_client_is_shared_between_threads() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<Apikee>();
}

#[test]
fn all_secrets_verify_and_the_first_signs() {
    let apikee = Apikee::builder().secret(b"new").secret(b"old").build().unwrap();
    let issued = |secret: &[u8]| {
        let keys = Keyring::new(secret).unwrap();
        let (new, now) = (apikee::NewKey::new("t"), apikee::UnixTime::now());
        keys.issue(&new, now, &mut apikee::SysRng, &mut [0; 1024]).unwrap().to_owned()
    };
    assert_eq!(apikee.verify(&issued(b"old")).unwrap().secret_index(), 1);
    let mut buf = [0; 1024];
    let key = apikee.issue(&apikee::NewKey::new("t"), &mut buf).unwrap();
    assert_eq!(apikee.verify(key.key()).unwrap().secret_index(), 0);
}

/// Runs [`child_prints_its_mode`] in this environment.
fn with_environment(variables: &[(&str, &str)]) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "configuration::child_prints_its_mode", "--ignored", "--nocapture"])
        .env_clear()
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    assert!(output.status.success());
    let output = String::from_utf8(output.stdout).unwrap();
    output.split_once("<<").and_then(|(_, rest)| rest.split_once(">>")).unwrap().0.to_owned()
}

/// A process cannot change its environment safely, so this test runs in another process.
#[test]
#[ignore = "run by the tests below"]
fn child_prints_its_mode() {
    let transport = |builder: ApikeeBuilder| match std::env::var_os("APIKEE_SERVER_KEY") {
        Some(key) if key != " " => builder.transport(Platform::willing().transport()).background_thread(false),
        _ => builder,
    };
    let mode = ApikeeBuilder::from_env()
        .map(transport)
        .and_then(ApikeeBuilder::build)
        .map(|apikee| if apikee.is_server_mode() { "server" } else { "local" }.to_owned());
    println!("<<{}>>", mode.unwrap_or_else(|error| error.to_string()));
}

/// All settings of server mode, for the platform of these tests.
fn server() -> Vec<(&'static str, String)> {
    vec![
        ("APIKEE_SECRET", "s".into()),
        ("APIKEE_SERVER_KEY", " sk_test ".into()),
        ("APIKEE_PROJECT_ENV", "app".into()),
        ("APIKEE_SERVER_PUBLIC_KEY", Platform::willing().server_key().to_string()),
    ]
}

/// The result with the settings of [`server`] and one additional or changed variable.
fn server_with(name: &'static str, value: &str) -> String {
    let mut variables = server();
    variables.retain(|(own, _)| *own != name);
    variables.push((name, value.into()));
    with_environment(&variables.iter().map(|(name, value)| (*name, value.as_str())).collect::<Vec<_>>())
}

#[test]
fn variables_configure_the_client_and_blank_ones_are_unset() {
    assert_eq!(server_with("APIKEE_SECRET", "s"), "server");
    assert_eq!(with_environment(&[("APIKEE_LOCAL_SECRET", "s"), ("APIKEE_SERVER_KEY", " ")]), "local");
    assert_eq!(with_environment(&[("APIKEE_SECRETS", " , a, b"), ("APIKEE_SECRET", "")]), "local");
    let commas = with_environment(&[("APIKEE_SECRETS", ",,"), ("APIKEE_SECRET", "old")]);
    assert!(commas.contains("APIKEE_SECRETS") && commas.contains("the list is empty"), "{commas}");
    let secrets = ["secret (APIKEE_SECRETS, APIKEE_LOCAL_SECRET, APIKEE_SECRET)"];
    assert_eq!(missing(&with_environment(&[("APIKEE_SECRET", " ")])), secrets);
    assert_eq!(missing(&server_with("APIKEE_SERVER_PUBLIC_KEY", " ")), [PUBLIC], "it must not silently use local mode");
    for name in SERVER_MODE {
        assert_eq!(with_environment(&[("APIKEE_SECRET", "s"), (name, " ")]), "local", "{name}");
    }
}

#[test]
fn files_from_variables_are_read_and_do_not_switch_server_mode_on() {
    let write = |name: &str, content: &str| {
        let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        std::fs::write(&path, content).unwrap();
        path.into_os_string().into_string().unwrap()
    };
    let (secrets, list) = (write("env-secrets", "new\nold\n"), write("env-deny-list", "# none\n"));
    let (secrets, list, bad) = (secrets.as_str(), list.as_str(), write("env-bad", "\u{FEFF}hunter2"));
    assert_eq!(with_environment(&[("APIKEE_SECRET_FILE", secrets), ("APIKEE_DENY_LIST_FILE", list)]), "local");
    assert_eq!(with_environment(&[("APIKEE_SECRET_FILE", secrets), ("APIKEE_SECRET_GRACE", "1.5")]), "local");
    assert_eq!(with_environment(&[("APIKEE_SECRET_FILE", " "), ("APIKEE_SECRET", "s")]), "local");
    for (name, value, start) in [
        ("APIKEE_SECRET_FILE", bad.as_str(), "secret_file (APIKEE_SECRET_FILE) cannot be used: the secret file "),
        (
            "APIKEE_DENY_LIST_FILE",
            "no-such-file",
            "deny_list_file (APIKEE_DENY_LIST_FILE) cannot be used: the deny-list",
        ),
        (
            "APIKEE_SECRET_GRACE",
            "soon",
            "secret_grace (APIKEE_SECRET_GRACE) cannot be used: the value is not understood",
        ),
        ("APIKEE_SECRET", "hunter2\nhunter3", "secret (APIKEE_SECRETS, APIKEE_LOCAL_SECRET, APIKEE_SECRET) cannot be"),
    ] {
        let error = with_environment(&[("APIKEE_LOCAL_SECRET", ""), ("APIKEE_SECRET", "s"), (name, value)]);
        assert!(error.starts_with(start) && !error.contains("hunter"), "{error}");
    }
}

/// The variables that only server mode uses. Each alone must switch server mode on.
const SERVER_MODE: [&str; 10] = [
    "APIKEE_SERVER_KEY",
    "APIKEE_PROJECT_ENV",
    "APIKEE_SERVER_PUBLIC_KEY",
    "APIKEE_PRIVATE_KEY",
    "APIKEE_SEALING",
    "APIKEE_FAIL_OPEN",
    "APIKEE_SERVER_TIMEOUT",
    "APIKEE_BASE_URL",
    "APIKEE_CA_FILE",
    "APIKEE_ALLOW_PLAIN_HTTP",
];

#[test]
fn each_variable_of_server_mode_switches_it_on() {
    let key = Platform::willing().server_key().to_string();
    for (name, value, expected) in [
        ("APIKEE_SERVER_KEY", "sk_test", &[ENV, PUBLIC][..]),
        ("APIKEE_PROJECT_ENV", "app", &[KEY, PUBLIC]),
        ("APIKEE_SERVER_PUBLIC_KEY", &key, &[KEY, ENV]),
        ("APIKEE_SEALING", "required", &[KEY, ENV, PUBLIC]),
        ("APIKEE_SEALING", "off", &[KEY, ENV]),
        ("APIKEE_FAIL_OPEN", "true", &[KEY, ENV, PUBLIC]),
        ("APIKEE_SERVER_TIMEOUT", "3", &[KEY, ENV, PUBLIC]),
        ("APIKEE_BASE_URL", "https://apikee.example/api/v1", &[KEY, ENV, PUBLIC]),
        ("APIKEE_CA_FILE", "no such file", &[KEY, ENV, PUBLIC]),
        ("APIKEE_ALLOW_PLAIN_HTTP", "false", &[KEY, ENV, PUBLIC]),
    ] {
        let said = with_environment(&[("APIKEE_SECRET", "s"), (name, value)]);
        assert_eq!(missing(&said), expected, "{name}");
    }
}

#[test]
fn valid_values_are_accepted() {
    for (name, values) in [
        ("APIKEE_SEALING", &["required", "requests", "off"][..]),
        ("APIKEE_FAIL_OPEN", &["true", "false", " false "]),
        ("APIKEE_SERVER_TIMEOUT", &["3", "1.5", "1500ms"]),
        ("APIKEE_ALLOW_PLAIN_HTTP", &["true", "false"]),
    ] {
        for value in values {
            assert_eq!(server_with(name, value), "server", "{name}={value}");
        }
    }
}

#[test]
fn an_invalid_value_is_an_error_that_names_the_variable_and_the_expected_value() {
    for (name, values, expected) in [
        (
            "APIKEE_SERVER_KEY",
            &["hunter 2", "hunter2\u{e9}"][..],
            "sk_live_..., sk_test_... or sk_..., from the project's settings",
        ),
        ("APIKEE_SERVER_PUBLIC_KEY", &["hunter2", "AAAA"], "from the platform's settings"),
        ("APIKEE_PRIVATE_KEY", &["hunter2", "\"hunter2\""], "from the platform"),
        ("APIKEE_SEALING", &["hunter2", "on", "true", "Required"], "required, requests or off"),
        ("APIKEE_FAIL_OPEN", &["hunter2", "yes", "1", "TRUE"], "true or false"),
        (
            "APIKEE_SERVER_TIMEOUT",
            &["hunter2", "3s", "-1", "0", "0ms", "1e3"],
            "seconds such as 1.5, or milliseconds such as 1500ms",
        ),
        ("APIKEE_ALLOW_PLAIN_HTTP", &["hunter2", "yes", "0"], "true or false"),
    ] {
        for value in values {
            let said = server_with(name, value);
            let named = said.contains(&format!("({name}) cannot be used: "));
            // Signing needs a feature. Without it, the error only names the feature.
            let explained = said.contains(expected) || name == "APIKEE_PRIVATE_KEY";
            assert!(named && explained && !said.contains("hunter"), "{name}={value}: {said}");
        }
    }
}

#[cfg(feature = "request-signing")]
#[test]
fn a_private_key_in_a_variable_may_have_escaped_line_breaks() {
    let pem = include_str!("../data/signing-test-key.pkcs8.pem");
    let [spelt, windows] = ["\\n", "\\r\\n"].map(|line_break| pem.replace('\n', line_break));
    for pem in [pem, &spelt, &windows] {
        // As in a file for `docker --env-file`, with quotes.
        for pem in [pem.to_owned(), format!("\"{pem}\""), format!("'{pem}'")] {
            assert_eq!(server_with("APIKEE_PRIVATE_KEY", &pem), "server");
        }
    }
    let alone = with_environment(&[("APIKEE_SECRET", "s"), ("APIKEE_PRIVATE_KEY", pem)]);
    assert_eq!(missing(&alone), [KEY, ENV, PUBLIC]);
}
