//! `apikee platform`, the platform on loopback, called by a program.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{self, Child, ChildStdout, Command, Stdio},
    sync::mpsc,
    thread,
};

use apikee::{UnixTime, protocol::Timestamp};
use serde_json::{Value, json};

use crate::{Run, apikee, file};

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

    /// Ends the platform regularly, and returns the rest of its output.
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

/// Registers an endpoint, and returns the whole response.
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
fn requests_are_answered_if_nobody_reads_the_lines_about_them() {
    let mut platform = Platform::start(apikee(["platform", "--sealing", "off"]));
    let [_, _, url] = [(); 3].map(|()| platform.line());
    let url = url.trim_start_matches("  url").trim();
    // A pipe holds 64 kB, and each line has more than 40 bytes.
    for _ in 0..4000 {
        let answer = register(url, apikee::emulator::Emulator::PROJECT_KEY, "my-app-development");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    drop(platform.child.stdin.take());
    assert_eq!(platform.child.wait().unwrap().code(), Some(0));
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_the_log() {
    let path = folder("private").join("log");
    let platform = Platform::start(apikee(["platform", "--json", "--log", path.to_str().unwrap()]));
    platform.end();
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn the_log_goes_on_in_a_new_line_after_half_a_line() {
    let path = folder("half").join("log");
    fs::write(&path, "{\"kind\":\"validate\",\"cli").unwrap();
    for _ in 0..2 {
        let mut platform =
            Platform::start(apikee(["platform", "--json", "--sealing", "off", "--log", path.to_str().unwrap()]));
        let line = platform.json();
        let text = |name: &str| line[name].as_str().unwrap().to_owned();
        register(&text("url"), &text("project_key"), &text("project_env"));
        platform.end();
    }
    let log = fs::read_to_string(&path).unwrap();
    let lines: Vec<_> = log.lines().map(|line| serde_json::from_str::<Value>(line).is_ok()).collect();
    assert_eq!(lines, [false, true, true], "{log}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_log_that_cannot_be_written_is_reported_once() {
    let mut run = apikee(["platform", "--json", "--until-eof", "--sealing", "off", "--log", "/dev/full"]);
    run.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = run.command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let line: Value = serde_json::from_str(&line).unwrap();
    let text = |name: &str| line[name].as_str().unwrap().to_owned();
    for _ in 0..3 {
        register(&text("url"), &text("project_key"), &text("project_env"));
    }
    let stderr = String::from_utf8(child.wait_with_output().unwrap().stderr).unwrap();
    assert_eq!(stderr.matches("the log cannot be written").count(), 1, "{stderr}");
}

#[test]
fn one_line_of_json_has_everything_that_a_client_needs() {
    let id = "497f6eca-6276-4993-bfeb-53cbbbba6f08";
    let client = format!("acme-corp={id}");
    let arguments = ["platform", "--json", "--port", "0", "--client", &client, "--client", "other", "--hourly", "5"];
    let mut platform = Platform::start(apikee(arguments));
    let line = platform.json();
    let url = line["url"].as_str().unwrap();
    assert!(url.starts_with("http://127.0.0.1:") && url.ends_with("/api/v1"), "{url}");
    assert!(line["public_key"].as_str().unwrap().parse::<apikee::envelope::ServerKey>().is_ok());
    assert_eq!((&line["sealing"], line["page"].as_str()), (&json!("required"), url.strip_suffix("api/v1")));
    assert_eq!(line["clients"][0], json!({ "name": "acme-corp", "id": id }));
    assert!(line["clients"][1]["id"].as_str().unwrap().parse::<apikee::protocol::ClientId>().is_ok());

    let text = |member: &str| line[member].as_str().unwrap();
    let answer = register(url, text("project_key"), text("project_env"));
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(platform.end(), "");
}

#[test]
fn keys_from_the_environment_are_used_and_not_printed() {
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

/// The environment of a shell after these lines.
#[cfg(unix)]
fn exported(lines: &str) -> Vec<String> {
    let script = format!("{lines}\nenv");
    let output = Command::new("sh").env_clear().args(["-ec", &script]).output().unwrap();
    assert!(output.status.success());
    let own = |line: &&str| line.starts_with("APIKEE_");
    let mut lines: Vec<_> = str::from_utf8(&output.stdout).unwrap().lines().filter(own).map(str::to_owned).collect();
    lines.sort();
    lines
}

#[cfg(unix)]
#[test]
fn a_shell_can_evaluate_the_variables_of_a_client() {
    for (sealing, degree) in [(&[][..], "required"), (&["--sealing", "off"], "off")] {
        let run = apikee(["platform", "--env"].into_iter().chain(sealing.iter().copied()));
        let mut platform = Platform::start(run.env("APIKEE_PROJECT_ENV", "it's $mine"));
        let mut lines = String::new();
        while !lines.contains("SEALING") {
            lines.push_str(&platform.line());
        }
        let set = exported(&lines);
        let value = |name: &str| set.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).unwrap();
        let url = value("APIKEE_BASE_URL");
        assert_eq!(value("APIKEE_PROJECT_ENV"), "it's $mine");
        // It overrides an older value of the shell.
        assert_eq!(value("APIKEE_SEALING"), degree);
        assert_eq!(set.len(), 5);
        let public_key = value("APIKEE_SERVER_PUBLIC_KEY");
        assert!(public_key.len() == 44 && public_key.parse::<apikee::envelope::ServerKey>().is_ok(), "{public_key}");
        let answer = register(url, value("APIKEE_SERVER_KEY"), "it%27s+%24mine");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert_eq!(platform.end(), "");
    }

    // A project key from the environment is not printed: the user has it, and it is a secret.
    let mut platform = Platform::start(apikee(["platform", "--env"]).env("APIKEE_SERVER_KEY", "sk_live_0wn"));
    let lines = [(); 4].map(|()| platform.line()).concat();
    assert!(lines.contains("PUBLIC_KEY") && !lines.contains("SERVER_KEY=") && !lines.contains("sk_live"), "{lines}");
    assert_eq!(platform.end(), "");
}

const ID: &str = "497f6eca-6276-4993-bfeb-53cbbbba6f08";

/// A plain call over a new connection. `None` if the connection breaks.
fn ask(url: &str, method: &str, path: &str, query: &str, body: &str) -> Option<(u16, Value)> {
    let (address, base) = url.strip_prefix("http://")?.split_once('/')?;
    let mut stream = TcpStream::connect(address).ok()?;
    let request = format!(
        "{method} /{base}{path}?project_env=my-app-development{query} HTTP/1.1\r\nx-api-key: sk_test_emulator\r\n\
         X-Apikee-Encrypted: 0\r\nContent-Type: application/json\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.get(9..12)?.parse().ok()?, serde_json::from_str(body).ok()?))
}

fn validate(url: &str) -> Option<(u16, Value)> {
    let now = Timestamp::new(UnixTime::now()).unwrap();
    let body = format!(r#"{{"name":"default","timestamp":"{}","headers":{{}}}}"#, now.as_str());
    ask(url, "POST", &format!("/client/{ID}"), "&method_path=GET:::/users", &body)
}

/// An empty folder for one test.
fn folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("cli-{}-{name}", process::id()));
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

/// Kills the platform at random points of its work. After each restart, it must still have everything that it has
/// confirmed.
fn survives(rounds: u64, name: &str) {
    const THREADS: u64 = 2;
    let state = folder(name).join("state");
    let client = format!("acme-corp={ID}");
    let arguments = ["platform", "--json", "--sealing", "off", "--client", &client, "--state", state.to_str().unwrap()];
    let mut chance = 0x5eed_u64;
    let (mut confirmed, mut created) = (0, Vec::new());
    for round in 0..=rounds {
        let mut platform = Platform::start(apikee(arguments));
        let line = platform.json();
        let url = line["url"].as_str().unwrap();

        let (_, shown) = console(line["page"].as_str().unwrap());
        // All counts restart together only when a month begins on a Monday.
        let used = shown["clients"][0]["used"].as_array().unwrap().iter().filter_map(Value::as_u64).max().unwrap();
        // Requests in flight may have been counted without an answer.
        assert!((confirmed..=confirmed + round * THREADS).contains(&used), "{used} of {confirmed}");
        for name in &created {
            let (_, found) = ask(url, "GET", "/client", &format!("&name={name}"), "").unwrap();
            assert_eq!(found["pagination"]["total"], 1, "{name}");
        }

        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let enough = (chance >> 57) + 1;
        let (sender, receiver) = mpsc::channel();
        thread::scope(|scope| {
            for thread in 0..THREADS {
                let sender = sender.clone();
                scope.spawn(move || {
                    for n in 0_u64.. {
                        let name = format!("c-{round}-{thread}-{n}");
                        let body = format!(r#"{{"name":"{name}","type":"service"}}"#);
                        let answered = if n.is_multiple_of(8) {
                            ask(url, "POST", "/client", "", &body).map(|(status, _)| (status, Some(name)))
                        } else {
                            validate(url).map(|(status, _)| (status, None))
                        };
                        let Some((status, name)) = answered else { break };
                        assert_eq!(status, 200);
                        sender.send(name).unwrap();
                    }
                });
            }
            drop(sender);
            let mut seen = 0;
            for name in receiver {
                seen += 1;
                match name {
                    Some(name) => created.push(name),
                    None => confirmed += 1,
                }
                if seen == enough {
                    platform.child.kill().unwrap();
                }
            }
        });
        created.drain(..created.len().saturating_sub(50));
    }
}

/// The state that the page receives.
fn console(page: &str) -> (u16, Value) {
    let address = page.strip_prefix("http://").unwrap().trim_end_matches('/');
    let mut stream = TcpStream::connect(address).unwrap();
    let request =
        format!("GET /api/console/state?client={ID} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), serde_json::from_str(body).unwrap())
}

#[test]
fn confirmed_changes_survive_a_kill() {
    survives(20, "killed");
}

#[test]
#[ignore = "takes minutes"]
fn confirmed_changes_survive_many_kills() {
    survives(200, "killed-often");
}

#[test]
fn a_client_given_again_keeps_its_counts_and_gets_the_new_limit() {
    let state = folder("again").join("state");
    let state = state.to_str().unwrap();
    let client = format!("acme-corp={ID}");
    for (monthly, good) in [("2", 2), ("3", 1), ("3", 0)] {
        let arguments =
            ["platform", "--json", "--sealing", "off", "--state", state, "--client", &client, "--monthly", monthly];
        let mut platform = Platform::start(apikee(arguments));
        let line = platform.json();
        let url = line["url"].as_str().unwrap();
        for _ in 0..good {
            assert_eq!(validate(url).unwrap().0, 200);
        }
        assert_eq!(validate(url).unwrap().0, 429);
        platform.end();
    }
}

#[test]
fn an_unusable_state_file_is_named_and_prevents_the_start() {
    let folder = folder("unusable");
    let state = folder.join("state");
    let state = state.to_str().unwrap();
    for (content, expected) in [
        ("", "is truncated"),
        ("{\"apikee\":\"state\",\"version\":7,\"generation\":1}\n", "has version 7"),
        ("{\"apikee\":\"state\",\"version\":1,\"generation\":1,\"clean\":true,\"records\":3}\n", "is truncated"),
        ("not ours\n", "is damaged in line 1"),
    ] {
        fs::write(state, content).unwrap();
        let done = apikee(["platform", "--json", "--state", state]).done().code(2);
        assert_eq!(done.stdout, "");
        assert!(done.stderr.contains(state) && done.stderr.contains(expected), "{}", done.stderr);
        assert_eq!(fs::read_to_string(state).unwrap(), content);
    }
    let done = apikee(["platform", "--state", folder.to_str().unwrap()]).done().code(2);
    assert!(done.stderr.contains(folder.to_str().unwrap()), "{}", done.stderr);
}

#[test]
fn signatures_can_be_required() {
    let vectors: Value = serde_json::from_str(include_str!("../vectors/http.json")).unwrap();
    let pem = vectors["exchanges"][7]["request_signing_public_key_pem"].as_str().unwrap();
    let key = file("signing-key.pem", pem.as_bytes());
    let client = format!("acme-corp={ID}");
    let arguments = ["platform", "--json", "--sealing", "off", "--client", &client, "--signing-key"];
    let mut platform = Platform::start(apikee(arguments.into_iter().chain([key.to_str().unwrap()])));
    let line = platform.json();
    let answer = validate(line["url"].as_str().unwrap()).unwrap();
    assert_eq!(answer, (403, json!({ "error": "INVALID_SIGNATURE" })));

    for (path, content) in [("no-such-file", None), ("empty.pem", Some(""))] {
        let path = content.map_or_else(|| PathBuf::from(path), |content| file(path, content.as_bytes()));
        let done = apikee(["platform", "--signing-key", path.to_str().unwrap()]).done().code(2);
        assert!(done.stderr.contains("the signing key file"), "{}", done.stderr);
    }
}

#[test]
fn templates_can_be_given() {
    let template = "pro:hour=1,day=2,week=3,month=4,max-clients=5";
    let mut platform = Platform::start(apikee(["platform", "--json", "--template", template, "--template", "free"]));
    let line = platform.json();
    let (_, listed) = ask(line["url"].as_str().unwrap(), "GET", "/template", "", "").unwrap();
    let limits = json!({ "hour": 1, "day": 2, "week": 3, "month": 4 });
    let pro = json!({ "id": "pro", "name": "pro", "limits": limits, "maxClients": 5 });
    assert_eq!(listed["data"], json!([{ "id": "free", "name": "free", "limits": {} }, pro]));
}

#[test]
fn every_kind_of_fault_has_a_name() {
    for fault in [
        "status:503",
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
fn invalid_platform_options_are_exit_code_2() {
    let cases: [&[&str]; 17] = [
        &["--sealing", "none"],
        &["--env"],
        &["--template", ":hour=1"],
        &["--template", "a:hour"],
        &["--template", "a:year=1"],
        &["--fault", "mischief"],
        &["--fault", "reset:1"],
        &["--fault", "delay:soon"],
        &["--fault", "status:99"],
        &["--fault", "status"],
        &["--fault-percent", "3"],
        &["--hourly", "3"],
        &["--client", "a=b"],
        &["--client", ""],
        &["--client", "=497f6eca-6276-4993-bfeb-53cbbbba6f08"],
        &["--client", "a", "--ip", "everywhere"],
        &["--port", "65536"],
    ];
    for arguments in cases {
        let done = apikee(["platform", "--json"].into_iter().chain(arguments.iter().copied())).done().code(2);
        assert_eq!(done.stdout, "", "{arguments:?}");
        assert!(!done.stderr.is_empty(), "{arguments:?}");
    }
    let done = apikee(["platform", "--client", ""]).done().code(2);
    assert!(done.stderr.contains("the client has no name"), "{}", done.stderr);
    let done = apikee(["platform"]).env("APIKEE_SERVER_KEY", "sk_live t0p").done().code(2);
    assert!(!done.stderr.contains("t0p"), "{}", done.stderr);
    // The two variables were swapped.
    let done = apikee(["platform"]).env("APIKEE_PROJECT_ENV", " sk_live_t0p").done().code(2);
    assert!(done.stderr.contains("it is a project key") && !done.stderr.contains("t0p"), "{}", done.stderr);
    assert_eq!(done.stdout, "");
}

#[test]
fn without_until_eof_the_platform_outlives_its_standard_input() {
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

#[test]
fn each_name_has_one_client() {
    const OTHER: &str = "11111111-2222-4333-8444-555555555555";
    let (one, again, other) = (format!("acme={ID}"), format!("acme={OTHER}"), format!("globex={ID}"));
    for second in [&again, &other] {
        let done = apikee(["platform", "--client", &one, "--client", second]).done().code(2);
        assert!(done.stderr.contains("there is a client with this name or this id already"), "{}", done.stderr);
    }
    let state = folder("one-client").join("state");
    let state = ["--state", state.to_str().unwrap()];
    Platform::start(apikee(["platform", "--json", "--client", "acme"].into_iter().chain(state))).end();
    apikee(["platform", "--client", &one].into_iter().chain(state)).done().code(2);
    Platform::start(apikee(["platform", "--json", "--client", "acme"].into_iter().chain(state))).end();
}

#[test]
fn each_limit_of_the_command_is_applied() {
    let client = format!("acme-corp={ID}");
    for limit in ["--hourly", "--daily", "--weekly", "--monthly"] {
        let arguments = ["platform", "--json", "--sealing", "off", "--client", &client, limit, "1"];
        let mut platform = Platform::start(apikee(arguments));
        let line = platform.json();
        let url = line["url"].as_str().unwrap();
        let statuses = [(); 2].map(|()| validate(url).unwrap().0);
        assert_eq!(statuses, [200, 429], "{limit}");
    }
}
