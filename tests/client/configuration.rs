//! What a client can be configured with, and what it says of the rest.

use std::{error::Error, process::Command, time::Duration};

use apikee::{Apikee, ApikeeBuilder, ConfigError, Enforcement, Keyring, Setting};

use crate::platform::{Platform, SECRET};

fn message(error: &ConfigError) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

fn refusal(builder: ApikeeBuilder) -> String {
    message(&builder.build().unwrap_err())
}

#[test]
fn a_secret_there_must_be_and_server_mode_is_whole_or_not_at_all() {
    assert_eq!(refusal(Apikee::builder()), "missing: secret (APIKEE_SECRETS, APIKEE_LOCAL_SECRET, APIKEE_SECRET)");
    let local = || Apikee::builder().secret(SECRET);
    assert!(!local().build().unwrap().is_server_mode());
    assert!(Platform::willing().builder().build().unwrap().is_server_mode());

    let key = Platform::willing().server_key().to_string();
    let [with_key, with_env, with_public] = [
        "project_key (APIKEE_SERVER_KEY)",
        "project_env (APIKEE_PROJECT_ENV)",
        "server_public_key (APIKEE_SERVER_PUBLIC_KEY)",
    ];
    for (builder, missing) in [
        (local().project_key("sk_test"), [with_env, with_public].join("; ")),
        (local().project_env("app"), [with_key, with_public].join("; ")),
        (local().server_public_key(&key), [with_key, with_env].join("; ")),
        (local().project_key("sk_test").project_env("app"), with_public.to_owned()),
        (local().transport(Platform::willing().transport()), [with_key, with_env, with_public].join("; ")),
        (local().enforcement(Enforcement::Observe), [with_key, with_env, with_public].join("; ")),
        (local().accept_unsealed_answers(), [with_key, with_env, with_public].join("; ")),
        (local().client_resolver(|_| None), [with_key, with_env, with_public].join("; ")),
    ] {
        assert_eq!(refusal(builder), format!("missing: {missing}"));
    }
}

#[test]
fn a_setting_that_cannot_be_used_is_named() {
    let whole = || Platform::willing().builder();
    let placeholder = "0".repeat(64);
    for (builder, start) in [
        (whole().secret(b""), "secret (APIKEE_SECRETS"),
        (whole().project_key("sk\r\nx: y"), "project_key (APIKEE_SERVER_KEY) cannot be used: "),
        (whole().project_env(""), "project_env (APIKEE_PROJECT_ENV) cannot be used: it is empty"),
        (whole().server_public_key(&placeholder), "server_public_key (APIKEE_SERVER_PUBLIC_KEY) cannot be used: "),
        (whole().server_public_key("?"), "server_public_key (APIKEE_SERVER_PUBLIC_KEY) cannot be used: "),
        (whole().user_agent("a\nb"), "user_agent cannot be used: "),
        (whole().timeout(Duration::ZERO), "timeout cannot be used: it must be more than zero"),
        (whole().max_in_flight(0), "max_in_flight cannot be used: it must be more than zero"),
        (whole().queue_len(0), "queue_len cannot be used: it must be more than zero"),
        (whole().queue_bytes(0), "queue_bytes cannot be used: it must be more than zero"),
        (whole().enforcement(Enforcement::Observe), "background_thread cannot be used: "),
    ] {
        let refusal = refusal(builder);
        assert!(refusal.starts_with(start), "{refusal}");
    }
}

#[test]
fn the_first_thing_that_is_wrong_is_told_and_nothing_of_it() {
    let error = Apikee::builder().secret(SECRET).project_key("pl\u{e4}intext").user_agent("").build().unwrap_err();
    assert!(matches!(error, ConfigError::Unusable(Setting::ProjectKey, _)));
    assert!(!format!("{error:?} {}", message(&error)).contains("intext"));
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
    assert_eq!(apikee.verify(&issued(b"old"), &mut [0; 1024]).unwrap().secret_index(), 1);
    let mut buf = [0; 1024];
    let key = apikee.issue(&apikee::NewKey::new("t"), &mut buf).unwrap();
    assert_eq!(apikee.verify(key.key(), &mut [0; 1024]).unwrap().secret_index(), 0);
}

/// Runs [`tells_its_mode_by_the_environment`] with that environment.
fn with_environment(variables: &[(&str, &str)]) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "configuration::tells_its_mode_by_the_environment", "--ignored", "--nocapture"])
        .env_clear()
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    assert!(output.status.success());
    let output = String::from_utf8(output.stdout).unwrap();
    output.split_once("<<").and_then(|(_, rest)| rest.split_once(">>")).unwrap().0.to_owned()
}

/// The environment of a process cannot be changed safely, so this one runs in another.
#[test]
#[ignore = "run by the tests below"]
fn tells_its_mode_by_the_environment() {
    let transport = |builder: ApikeeBuilder| match std::env::var_os("APIKEE_SERVER_KEY") {
        Some(key) if key != " " => builder.transport(Platform::willing().transport()),
        _ => builder,
    };
    let told = ApikeeBuilder::from_env()
        .map(transport)
        .and_then(ApikeeBuilder::build)
        .map(|apikee| if apikee.is_server_mode() { "server" } else { "local" }.to_owned());
    println!("<<{}>>", told.unwrap_or_else(|error| message(&error)));
}

#[test]
fn the_environment_configures_and_blank_is_unset() {
    let key = Platform::willing().server_key().to_string();
    let server = [
        ("APIKEE_SECRET", "s"),
        ("APIKEE_SERVER_KEY", " sk_test "),
        ("APIKEE_PROJECT_ENV", "app"),
        ("APIKEE_SERVER_PUBLIC_KEY", key.as_str()),
    ];
    assert_eq!(with_environment(&server), "server");
    assert_eq!(with_environment(&[("APIKEE_LOCAL_SECRET", "s"), ("APIKEE_SERVER_KEY", " ")]), "local");
    assert_eq!(with_environment(&[("APIKEE_SECRETS", " , a, b"), ("APIKEE_SECRET", "")]), "local");
    assert_eq!(
        with_environment(&[("APIKEE_SECRET", " ")]),
        "missing: secret (APIKEE_SECRETS, APIKEE_LOCAL_SECRET, APIKEE_SECRET)"
    );
    assert_eq!(
        with_environment(&server[..3]),
        "missing: server_public_key (APIKEE_SERVER_PUBLIC_KEY)",
        "never silently local"
    );
}

#[cfg(feature = "request-signing")]
#[test]
fn a_private_key_may_come_from_the_environment_with_its_line_breaks_spelt() {
    let key = Platform::willing().server_key().to_string();
    let pem = include_str!("../data/signing-test-key.pkcs8.pem");
    let [spelt, windows] = ["\\n", "\\r\\n"].map(|line_break| pem.replace('\n', line_break));
    let server = [
        ("APIKEE_SECRET", "s"),
        ("APIKEE_SERVER_KEY", "sk_test"),
        ("APIKEE_PROJECT_ENV", "app"),
        ("APIKEE_SERVER_PUBLIC_KEY", key.as_str()),
    ];
    for pem in [pem, &spelt, &windows] {
        assert_eq!(with_environment(&[&server[..], &[("APIKEE_PRIVATE_KEY", pem)]].concat()), "server");
    }
    let refused = with_environment(&[&server[..], &[("APIKEE_PRIVATE_KEY", "no PEM")]].concat());
    assert!(refused.starts_with("private_key (APIKEE_PRIVATE_KEY) cannot be used: "), "{refused}");
    let alone = with_environment(&[("APIKEE_SECRET", "s"), ("APIKEE_PRIVATE_KEY", pem)]);
    assert!(alone.starts_with("missing: project_key"), "{alone}");
}
