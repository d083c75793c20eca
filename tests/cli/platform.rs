//! The platform on loopback, asked as a program asks it.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Child, ChildStdout, Stdio},
};

use serde_json::{Value, json};

use crate::{Run, apikee};

/// A platform that runs until this is dropped.
struct Platform {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Platform {
    fn start(mut run: Run) -> Self {
        run.command.arg("--until-eof").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = run.command.spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdout }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line
    }

    fn json(&mut self) -> Value {
        serde_json::from_str(&self.line()).unwrap()
    }

    /// Ends it in good order and returns what it has printed since.
    fn end(mut self) -> String {
        drop(self.child.stdin.take());
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
        rest
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Registers an endpoint and returns all that comes back.
fn register(url: &str, project_key: &str, project_env: &str) -> String {
    let (address, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let body = r#"{"method":"GET","path":"/users","name":"GET /users"}"#;
    let request = format!(
        "POST /{path}/endpoint?project_env={project_env} HTTP/1.1\r\nx-api-key: {project_key}\r\n\
         X-Apikee-Encrypted: 0\r\nContent-Type: application/json\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn one_line_of_json_says_all_that_a_client_needs() {
    let id = "497f6eca-6276-4993-bfeb-53cbbbba6f08";
    let client = format!("acme-corp={id}");
    let arguments = ["platform", "--json", "--port", "0", "--client", &client, "--client", "other", "--hourly", "5"];
    let mut platform = Platform::start(apikee(arguments));
    let line = platform.json();
    let url = line["url"].as_str().unwrap();
    assert!(url.starts_with("http://127.0.0.1:") && url.ends_with("/api/v1"), "{url}");
    assert!(line["public_key"].as_str().unwrap().parse::<apikee::ServerKey>().is_ok());
    assert_eq!(line["clients"][0], json!({ "name": "acme-corp", "id": id }));
    assert!(line["clients"][1]["id"].as_str().unwrap().parse::<apikee::ClientId>().is_ok());

    let text = |member: &str| line[member].as_str().unwrap();
    let answer = register(url, text("project_key"), text("project_env"));
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(platform.end(), "");
}

#[test]
fn the_environment_says_which_keys_and_they_are_not_printed() {
    let secret = "f89adaafc474cee75f4caf37ad017b40c2dca4da6f5bea31315c4129a90edd49";
    let run = |arguments: &[&str]| {
        let run = apikee(arguments.iter().copied()).env("APIKEE_SERVER_KEY", "sk_live_0wn");
        run.env("APIKEE_PROJECT_ENV", "my-app-production").env("APIKEE_SERVER_SECRET", secret)
    };
    let mut platform = Platform::start(run(&["platform", "--json", "--fault", "status:418"]));
    let line = platform.json();
    assert_eq!((&line["project_key"], &line["project_env"]), (&Value::Null, &json!("my-app-production")));
    let public = line["public_key"].as_str().unwrap().to_owned();
    let url = line["url"].as_str().unwrap();
    assert!(register(url, "sk_live_0wn", "my-app-production").starts_with("HTTP/1.1 418 "));
    platform.end();

    let mut platform = Platform::start(run(&["platform"]));
    let mut shown = String::new();
    let url = loop {
        let line = platform.line();
        shown.push_str(&line);
        if let Some(url) = line.trim().strip_prefix("url ") {
            break url.trim().to_owned();
        }
    };
    assert!(register(&url, "sk_live_0wn", "my-app-production").starts_with("HTTP/1.1 200 "));
    assert!(register(&url, "sk_live_other", "my-app-production").starts_with("HTTP/1.1 401 "));
    shown.push_str(&platform.end());
    assert!(shown.contains(&public), "{shown}");
    assert!(shown.ends_with("endpoint: 200\nendpoint: 401, INVALID_PROJECT_KEY\n"), "{shown}");
    assert!(!shown.contains("sk_live") && !shown.contains(secret), "{shown}");
}

#[test]
fn every_kind_of_fault_has_a_name() {
    for fault in [
        "unavailable:7",
        "delay:1ms",
        "drip",
        "drip:1ms",
        "reset",
        "hang-up",
        "close-idle",
        "truncate",
        "garbage",
        "forged",
        "impostor",
        "replayed",
        "reflected",
        "unsealed",
        "oversized:100000",
        "redirect:http://localhost/",
        "refuse",
    ] {
        apikee(["platform", "--json", "--until-eof", "--fault", fault, "--fault-percent", "30"]).done().code(0);
    }
}

#[test]
fn what_cannot_be_run_is_wrong_use() {
    let cases: [&[&str]; 10] = [
        &["--fault", "mischief"],
        &["--fault", "reset:1"],
        &["--fault", "delay:soon"],
        &["--fault", "status:99"],
        &["--fault", "status"],
        &["--fault-percent", "3"],
        &["--hourly", "3"],
        &["--client", "a=b"],
        &["--client", "a", "--ip", "everywhere"],
        &["--port", "65536"],
    ];
    for arguments in cases {
        let done = apikee(["platform", "--json"].into_iter().chain(arguments.iter().copied())).done().code(2);
        assert_eq!(done.stdout, "", "{arguments:?}");
        assert!(!done.stderr.is_empty(), "{arguments:?}");
    }
    let done = apikee(["platform"]).env("APIKEE_SERVER_KEY", "sk_live t0p").done().code(2);
    assert!(!done.stderr.contains("t0p"), "{}", done.stderr);
}

#[test]
fn it_outlives_its_standard_input_unless_told() {
    let mut run = apikee(["platform", "--json"]);
    run.command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = run.command.spawn().unwrap();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let mut platform = Platform { child, stdout };
    let line = platform.json();
    let text = |member: &str| line[member].as_str().unwrap();
    assert!(register(text("url"), text("project_key"), text("project_env")).starts_with("HTTP/1.1 200 "));
    assert!(platform.child.try_wait().unwrap().is_none());
}
