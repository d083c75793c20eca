//! Proxies from the environment. A process with threads cannot change its environment safely, so each test runs in a
//! new process.

use std::{
    env,
    process::{self, Command},
};

use apikee::{
    client::{ApikeeBuilder, UreqTransport, UreqTransportError},
    policy::Fault,
};

use super::{
    AMPLE, post,
    proxy::proxy,
    server::{OK, Server},
    tls::{Authority, serve},
};

/// The variable that is set in the new process.
const RERUN: &str = "APIKEE_TEST_RERUN";

/// Runs the test with this name again in a new process with these variables, and without other proxy variables. Returns
/// `true` in that process.
pub(crate) fn runs_with(name: &str, variables: &[(&str, String)]) -> bool {
    run_by(Command::new(env::current_exe().unwrap()), name, variables).is_none()
}

/// The same with a command that runs this program with its arguments. Returns the output of that process, or `None` in
/// that process.
pub(crate) fn run_by(mut command: Command, name: &str, variables: &[(&str, String)]) -> Option<String> {
    if env::var_os(RERUN).is_some() {
        return None;
    }
    command.args(["--exact", name, "--nocapture"]).env(RERUN, "1");
    for (variable, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("APIKEE_")) {
        if variable != RERUN {
            command.env_remove(variable);
        }
    }
    for variable in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"] {
        command.env_remove(variable).env_remove(variable.to_ascii_lowercase());
    }
    let output = command.envs(variables.iter().map(|(name, value)| (name, value))).output().unwrap();
    let text = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    Some(text)
}

fn url_of(proxy: &Server) -> String {
    format!("http://127.0.0.1:{}", proxy.port())
}

fn everything(value: &str) -> Vec<(&'static str, String)> {
    ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"]
        .map(|name| (name, value.to_owned()))
        .to_vec()
}

#[test]
fn proxies_of_the_environment_are_ignored() {
    let proxy = proxy();
    if runs_with("ureq::environment::proxies_of_the_environment_are_ignored", &everything(&url_of(&proxy))) {
        let server = Server::answering(OK);
        post(&UreqTransport::new(&server.url()).unwrap(), AMPLE).unwrap();
        assert_eq!(server.connections(), 1);
        return;
    }
    assert_eq!(proxy.connections(), 0);
}

#[test]
fn proxies_of_the_environment_are_ignored_under_cgi() {
    let proxy = proxy();
    let mut variables = everything(&url_of(&proxy));
    variables.push(("REQUEST_METHOD", "GET".into()));
    if runs_with("ureq::environment::proxies_of_the_environment_are_ignored_under_cgi", &variables) {
        let server = Server::answering(OK);
        post(&UreqTransport::new(&server.url()).unwrap(), AMPLE).unwrap();
        assert_eq!(server.connections(), 1);
        return;
    }
    assert_eq!(proxy.connections(), 0);
}

fn from_env(server: &Server) -> UreqTransport {
    UreqTransport::builder().base_url(&server.url()).proxy_from_env().build().unwrap()
}

#[test]
fn proxy_of_the_environment_is_used_if_configured() {
    let proxy = proxy();
    let variables = [("http_proxy", url_of(&proxy)), ("ALL_PROXY", "http://127.0.0.1:1".into())];
    if runs_with("ureq::environment::proxy_of_the_environment_is_used_if_configured", &variables) {
        post(&from_env(&Server::answering(OK)), AMPLE).unwrap();
        return;
    }
    assert_eq!(proxy.connections(), 1);
}

#[test]
fn request_header_does_not_become_a_proxy() {
    let proxy = proxy();
    let variables = [("HTTP_PROXY", url_of(&proxy)), ("REQUEST_METHOD", "GET".into())];
    if runs_with("ureq::environment::request_header_does_not_become_a_proxy", &variables) {
        post(&from_env(&Server::answering(OK)), AMPLE).unwrap();
        return;
    }
    assert_eq!(proxy.connections(), 0);
}

#[test]
fn hosts_in_no_proxy_are_reached_directly() {
    let proxy = proxy();
    let variables = [("ALL_PROXY", url_of(&proxy)), ("NO_PROXY", "other.example, 127.0.0.1".into())];
    if runs_with("ureq::environment::hosts_in_no_proxy_are_reached_directly", &variables) {
        let server = Server::answering(OK);
        let transport = from_env(&server);
        for _ in 0..2 {
            post(&transport, AMPLE).unwrap();
        }
        assert_eq!(server.connections(), 1);
        return;
    }
    assert_eq!(proxy.connections(), 0);
}

#[test]
fn malformed_proxy_variable_is_refused() {
    if runs_with("ureq::environment::malformed_proxy_variable_is_refused", &everything("socks5://127.0.0.1:1080")) {
        let error = UreqTransport::builder().proxy_from_env().build().map(|_| ());
        assert_eq!(error, Err(UreqTransportError::ProxyFromEnv));
        UreqTransport::builder().build().unwrap();
    }
}

/// The settings of server mode, except those of the transport.
fn server_mode(more: &[(&'static str, String)]) -> Vec<(&'static str, String)> {
    let mut variables = vec![
        ("APIKEE_SECRET", "secret".into()),
        ("APIKEE_SERVER_KEY", "sk_test_example".into()),
        ("APIKEE_PROJECT_ENV", "app".into()),
        ("APIKEE_SEALING", "off".into()),
    ];
    variables.extend_from_slice(more);
    variables
}

/// Makes a call with a client from the environment, and returns the error.
fn asked() -> String {
    let apikee = ApikeeBuilder::from_env().unwrap().timeout(AMPLE).background_thread(false).build().unwrap();
    let mut buf = [0; 1024];
    let new = apikee::NewKey::new("acme-corp");
    let error = apikee.issue(&new, &mut buf).map(|issued| format!("{issued:?}")).unwrap_err();
    std::error::Error::source(&error).unwrap().to_string()
}

#[test]
fn base_url_and_authorities_of_the_environment_are_used() {
    let ca = Authority::new();
    let server =
        serve(ca.config("localhost"), |connection| while connection.request().is_some() && connection.write(OK) {});
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("environment-ca-{}.pem", process::id()));
    if env::var_os(RERUN).is_none() {
        std::fs::write(&file, ca.pem()).unwrap();
    }
    let url = format!("https://localhost:{}/api/v1/", server.port());
    let variables =
        server_mode(&[("APIKEE_BASE_URL", url.clone()), ("APIKEE_CA_FILE", file.to_str().unwrap().to_owned())]);
    if runs_with("ureq::environment::base_url_and_authorities_of_the_environment_are_used", &variables) {
        assert_eq!(asked(), Fault::Unreadable.to_string(), "an answer must have arrived");
        return;
    }
    assert_eq!(server.requests()[0].line, "POST /api/v1/client?project_env=app HTTP/1.1");
}

#[test]
fn authority_that_is_not_configured_is_not_trusted() {
    let ca = Authority::new();
    let server = serve(ca.config("localhost"), |connection| {
        connection.request();
    });
    let url = format!("https://localhost:{}/api/v1", server.port());
    if runs_with(
        "ureq::environment::authority_that_is_not_configured_is_not_trusted",
        &server_mode(&[("APIKEE_BASE_URL", url)]),
    ) {
        assert_eq!(asked(), Fault::UntrustedCertificate.to_string());
    }
}

#[test]
fn unusable_values_are_errors_that_name_the_variable() {
    const NAME: &str = "ureq::environment::unusable_values_are_errors_that_name_the_variable";
    let case = env::var("APIKEE_TEST_CASE");
    if let Ok(expected) = &case {
        let said = ApikeeBuilder::from_env().and_then(ApikeeBuilder::build).unwrap_err().to_string();
        assert!(said.starts_with(expected) && said.contains("(expected: ") && !said.contains("hunter2"), "{said}");
        return;
    }
    for (name, value, expected) in [
        ("APIKEE_BASE_URL", "hunter2.example", "base_url does not start with https:// or http://"),
        ("APIKEE_BASE_URL", "https://user:hunter2@apikee.dev", "base_url has a user or a password"),
        ("APIKEE_BASE_URL", "https://apikee.dev/?hunter2", "base_url has a query or a fragment"),
        ("APIKEE_BASE_URL", "https://apikee.dev/#hunter2", "base_url has a query or a fragment"),
        ("APIKEE_BASE_URL", "\"https://hunter2.example\"", "base_url is not an http or https URL"),
        ("APIKEE_BASE_URL", "http://hunter2.example", "base_url is plain http to another machine"),
        ("APIKEE_CA_FILE", "no/such/hunter2.pem", ""),
    ] {
        let setting = if name == "APIKEE_BASE_URL" { "base_url" } else { "ca_file" };
        let expected = format!("{setting} ({name}) cannot be used: {expected}");
        let variables = server_mode(&[(name, value.to_owned()), ("APIKEE_TEST_CASE", expected)]);
        runs_with(NAME, &variables);
    }
}

#[test]
fn plain_http_may_be_permitted_by_the_environment() {
    let variables =
        [("APIKEE_BASE_URL", "http://apikee.example".to_owned()), ("APIKEE_ALLOW_PLAIN_HTTP", "true".to_owned())];
    if runs_with("ureq::environment::plain_http_may_be_permitted_by_the_environment", &server_mode(&variables)) {
        assert!(ApikeeBuilder::from_env().unwrap().build().unwrap().is_server_mode());
    }
}
