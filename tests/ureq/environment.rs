//! What the environment says of proxies. A process cannot safely change its own environment while it
//! has threads, so each test runs in a process of its own.

use std::{env, process::Command};

use apikee::{UreqTransport, UreqTransportError};

use crate::{
    AMPLE, post,
    proxy::proxy,
    server::{OK, Server},
};

/// Runs the test of that name again in a process that has these variables, and no others of proxies.
/// `true` if this is that process.
pub(crate) fn runs_with(name: &str, variables: &[(&str, String)]) -> bool {
    run_by(Command::new(env::current_exe().unwrap()), name, variables).is_none()
}

/// The same, by a command that runs this program with its arguments. What that process has written, if this
/// is not it.
pub(crate) fn run_by(mut command: Command, name: &str, variables: &[(&str, String)]) -> Option<String> {
    const RERUN: &str = "APIKEE_TEST_RERUN";
    if env::var_os(RERUN).is_some() {
        return None;
    }
    command.args(["--exact", name, "--nocapture"]).env(RERUN, "1");
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
    if runs_with("environment::proxies_of_the_environment_are_ignored", &everything(&url_of(&proxy))) {
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
    if runs_with("environment::proxies_of_the_environment_are_ignored_under_cgi", &variables) {
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
fn proxy_of_the_environment_is_used_if_asked_for() {
    let proxy = proxy();
    let variables = [("http_proxy", url_of(&proxy)), ("ALL_PROXY", "http://127.0.0.1:1".into())];
    if runs_with("environment::proxy_of_the_environment_is_used_if_asked_for", &variables) {
        post(&from_env(&Server::answering(OK)), AMPLE).unwrap();
        return;
    }
    assert_eq!(proxy.connections(), 1);
}

#[test]
fn request_header_does_not_become_a_proxy() {
    let proxy = proxy();
    let variables = [("HTTP_PROXY", url_of(&proxy)), ("REQUEST_METHOD", "GET".into())];
    if runs_with("environment::request_header_does_not_become_a_proxy", &variables) {
        post(&from_env(&Server::answering(OK)), AMPLE).unwrap();
        return;
    }
    assert_eq!(proxy.connections(), 0);
}

#[test]
fn hosts_that_need_no_proxy_are_reached_without() {
    let proxy = proxy();
    let variables = [("ALL_PROXY", url_of(&proxy)), ("NO_PROXY", "other.example, 127.0.0.1".into())];
    if runs_with("environment::hosts_that_need_no_proxy_are_reached_without", &variables) {
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
fn variable_that_is_no_proxy_is_refused() {
    if runs_with("environment::variable_that_is_no_proxy_is_refused", &everything("socks5://127.0.0.1:1080")) {
        let error = UreqTransport::builder().proxy_from_env().build().map(|_| ());
        assert_eq!(error, Err(UreqTransportError::ProxyFromEnv));
        UreqTransport::builder().build().unwrap();
    }
}
