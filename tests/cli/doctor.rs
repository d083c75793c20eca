//! `apikee doctor`: a good deployment, and each problem that a deployment can have.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    thread,
    time::Duration,
};

use apikee::{
    UnixTime,
    emulator::{EmulatedClient, Emulator, Misbehaviour, Occasion, RequestKind},
    protocol::{ClientId, Sealing},
};
use serde_json::Value;
use socket2::{Domain, Socket, Type};

use crate::{Run, apikee, issued};

const CLIENT: &str = "497f6eca-6276-4993-bfeb-53cbbbba6f08";
const STRONG: &str = "a secret of more than sixteen bytes";

/// `apikee doctor --json`, with the environment that the platform needs.
fn doctor(platform: &Emulator, arguments: &[&str]) -> Run {
    apikee([&["doctor", "--json"], arguments].concat())
        .env("APIKEE_SECRET", STRONG)
        .env("APIKEE_BASE_URL", platform.url())
        .env("APIKEE_SERVER_KEY", Emulator::PROJECT_KEY)
        .env("APIKEE_PROJECT_ENV", platform.project_env())
        .env("APIKEE_SERVER_PUBLIC_KEY", platform.public_key())
}

/// The name of each check, and whether it passed.
#[track_caller]
fn verdicts(lines: &[Value]) -> Vec<(&str, bool)> {
    lines.iter().map(|line| (line["check"].as_str().unwrap(), line["good"].as_bool().unwrap())).collect()
}

/// The only line with a failed check.
#[track_caller]
fn culprit(run: Run) -> Value {
    let lines = run.done().code(1).json_lines();
    let bad: Vec<_> = lines.iter().filter(|line| line["good"] == false).collect();
    let [bad] = bad[..] else { panic!("not exactly one failed check: {lines:?}") };
    assert!(bad["remedy"].as_str().is_some_and(|remedy| !remedy.is_empty()), "{bad}");
    bad.clone()
}

#[test]
fn a_working_deployment_passes_every_check() {
    let platform = Emulator::start().unwrap();
    let lines = doctor(&platform, &[]).done().code(0).json_lines();
    let checks = ["variables", "secrets", "configuration", "name", "connection", "clock", "platform"];
    assert_eq!(verdicts(&lines), checks.map(|check| (check, true)));
    let posts: Vec<_> = platform.log().into_iter().filter(|request| request.kind != RequestKind::Other).collect();
    assert!(matches!(&posts[..], [one] if one.kind == RequestKind::Validate), "nothing was created or registered");

    let text = apikee(["doctor"]).env("APIKEE_SECRET", STRONG).done().code(0).stdout;
    assert!(text.contains("good  configuration local mode"), "{text}");
}

#[test]
fn a_key_of_the_user_is_checked_and_not_printed() {
    let platform = Emulator::start().unwrap();
    platform.add_client(ClientId::new(CLIENT).unwrap(), EmulatedClient::new("acme-corp"));
    let key = issued(["--scope", "read", "--meta", &format!(r#"{{"clientId":"{CLIENT}"}}"#)]);
    let run = |key: &str| doctor(&platform, &["--key", key]).env("APIKEE_SECRET", crate::SECRET);
    let done = run(&key).done();
    let lines = done.json_lines();
    assert_eq!(verdicts(&lines).last(), Some(&("key", true)), "{}", done.stdout);
    let stdin = run("-").stdin(format!("{key}\n")).done();
    assert_eq!(verdicts(&stdin.json_lines()).last(), Some(&("key", true)));
    for done in [done, stdin] {
        assert!(!done.stdout.contains(&key) && !done.stderr.contains(&key));
    }
    let forged = run(&key.replace("apikee_", "apikee_1")).done().code(1).json_lines();
    let detail = forged.last().unwrap()["detail"].as_str().unwrap();
    assert!(detail.starts_with("INVALID_SIGNATURE"), "{detail}");
    let missing = run("-").stdin("").done().code(1).json_lines();
    assert_eq!(missing.last().unwrap()["remedy"], "give a key, or pass one to --key - on standard input");
}

#[test]
fn each_problem_has_a_remedy_and_shows_no_secret() {
    let platform = Emulator::start().unwrap();
    let other = Emulator::start().unwrap();
    // The socket is bound, so that no other test gets the port, but it does not listen.
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    let closed = socket.local_addr().unwrap().as_socket().unwrap();
    let says = |run: Run, check: &str, remedy: &str| {
        let line = culprit(run);
        assert_eq!(line["check"], check, "{line}");
        assert!(line["remedy"].as_str().unwrap().contains(remedy), "{line}");
        let text = line.to_string();
        assert!(!text.contains(STRONG) && !text.contains("sk_test_wrong"), "{text}");
    };
    let good = || doctor(&platform, &[]);
    says(good().env("APIKEE_SERVER_PUBLICKEY", "x"), "variables", "correct the name");
    says(good().env("APIKEE_SECRET", "weak"), "secrets", "replace them");
    says(good().env("APIKEE_SECRET", ""), "secrets", "apikee secret");
    says(good().env("APIKEE_SECRET_FILE", "/nowhere/secret"), "secrets", "correct the variable");
    says(good().env("APIKEE_PROJECT_ENV", ""), "configuration", "set the missing variables");
    says(good().env("APIKEE_FAIL_OPEN", "yes"), "configuration", "correct");
    says(good().env("APIKEE_BASE_URL", &format!("http://{closed}")), "connection", "firewall");
    says(good().env("APIKEE_SERVER_KEY", "sk_test_wrong"), "platform", "APIKEE_SERVER_KEY");
    says(good().env("APIKEE_PROJECT_ENV", "another"), "platform", "APIKEE_PROJECT_ENV");
    says(good().env("APIKEE_SERVER_PUBLIC_KEY", other.public_key()), "platform", "APIKEE_SERVER_PUBLIC_KEY");
    platform.misbehave(Misbehaviour::Unsealed, Occasion::Always);
    says(good(), "platform", "APIKEE_SEALING=requests");
    platform.behave();
    platform.misbehave(Misbehaviour::Status(503), Occasion::Always);
    says(good(), "platform", "look at its log");
    platform.behave();
    platform.misbehave(Misbehaviour::Delay(Duration::from_secs(60)), Occasion::Always);
    says(good().env("APIKEE_SERVER_TIMEOUT", "2000ms"), "platform", "raise APIKEE_SERVER_TIMEOUT");
}

/// Other systems may refuse such paths.
#[cfg(target_os = "linux")]
#[test]
fn paths_in_variables_need_not_be_utf8() {
    let platform = Emulator::start().unwrap();
    let authority = rcgen::generate_simple_self_signed(["platform.example".into()]).unwrap().cert.pem();
    let mut run = doctor(&platform, &[]);
    run.command.env("APIKEE_SECRET_FILE", crate::not_utf8(&crate::file("secret-of-bytes", STRONG.as_bytes())));
    run.command.env("APIKEE_CA_FILE", crate::not_utf8(&crate::file("authority-of-bytes", authority.as_bytes())));
    let lines = run.done().code(0).json_lines();
    let detail = |check| lines.iter().find(|line| line["check"] == check).unwrap()["detail"].as_str().unwrap();
    assert!(detail("secrets").starts_with("from APIKEE_SECRET_FILE;"), "{lines:?}");
    assert!(detail("clock").ends_with("no valid Date"), "{lines:?}");
}

#[test]
fn only_sealed_answers_are_trusted() {
    for sealing in [Sealing::Required, Sealing::Requests, Sealing::Off] {
        let platform = Emulator::builder().sealing(sealing).start().unwrap();
        let run = doctor(&platform, &[]).env("APIKEE_SEALING", sealing.as_str());
        let lines = run.done().code(0).json_lines();
        let detail = lines.iter().find(|line| line["check"] == "platform").unwrap()["detail"].as_str().unwrap();
        assert_eq!(detail.contains("can be trusted"), sealing == Sealing::Required, "{detail}");
        assert_eq!(detail.contains("can forge"), sealing != Sealing::Required, "{detail}");
    }
}

#[test]
fn a_platform_that_accepts_a_made_up_client_is_reported() {
    let platform = Emulator::start().unwrap();
    let nobody = ClientId::new("00000000-0000-0000-0000-000000000000").unwrap();
    platform.add_client(nobody, EmulatedClient::new("everybody"));
    let line = culprit(doctor(&platform, &[]));
    assert_eq!(
        (&line["check"], &line["detail"]),
        (&"platform".into(), &"it accepts a client that does not exist".into())
    );
}

#[test]
fn a_wrong_clock_is_reported() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    // Answers each request with a date long ago, and closes connections without a request. The thread ends with the
    // process: the number of connections is not part of the test.
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = [0; 1024];
            if stream.read(&mut head).unwrap_or_default() == 0 {
                continue; // A connection without a request.
            }
            let _ = stream.write_all(
                b"HTTP/1.1 404 Not Found\r\ndate: Thu, 01 Jan 2015 00:00:00 GMT\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            );
        }
    });
    let platform = Emulator::start().unwrap();
    let lines = doctor(&platform, &[]).env("APIKEE_BASE_URL", &url).done().code(1).json_lines();
    let clock = lines.iter().find(|line| line["check"] == "clock").unwrap();
    assert_eq!(clock["good"], false);
    assert!(clock["detail"].as_str().unwrap().contains("ahead of the platform's"), "{clock}");
}

/// The platform sends no `Date`, but refuses requests of another time.
#[test]
fn a_platform_that_refuses_the_time_is_a_wrong_clock() {
    let platform = Emulator::builder().time(UnixTime::from_secs(1_760_000_000)).start().unwrap();
    let bad = culprit(doctor(&platform, &[]));
    assert_eq!(bad["check"], "platform");
    assert!(bad["detail"].as_str().unwrap().ends_with(": STALE_REQUEST"), "{bad}");
    assert!(bad["remedy"].as_str().unwrap().starts_with("set this machine's clock"), "{bad}");
}

#[test]
fn what_is_not_a_key_is_a_bad_key() {
    let platform = Emulator::start().unwrap();
    for (input, code) in [(&b""[..], "MISSING_KEY"), (b" \n", "MISSING_KEY"), (b"\xff", "INVALID_PREFIX")] {
        let lines = doctor(&platform, &["--key", "-"]).stdin(input).done().code(1).json_lines();
        let last = lines.last().unwrap();
        assert_eq!(last["check"], "key");
        assert!(last["detail"].as_str().unwrap().starts_with(code), "{last}");
    }
    let other = apikee::Keyring::new(b"another secret of 32 bytes, more").unwrap();
    let mut buf = [0; 512];
    let new = apikee::NewKey::new("t");
    let forged = other.issue(&new, apikee::UnixTime::now(), &mut apikee::SysRng, &mut buf).unwrap();
    let last = doctor(&platform, &["--key", forged]).done().code(1).json_lines().pop().unwrap();
    assert!(last["remedy"].as_str().unwrap().contains("another secret"), "{last}");
}

#[test]
fn a_key_is_read_from_standard_input_only_up_to_its_maximum_length() {
    let run = || apikee(["doctor", "--key", "-", "--json"]).env("APIKEE_LOCAL_SECRET", crate::SECRET);
    let key = issued([]);
    let lines = run().stdin(format!("{key}\n")).done().code(0).json_lines();
    assert_eq!(verdicts(&lines).last(), Some(&("key", true)));
    let done = run().stdin(format!("{key}{}garbage", " ".repeat(20_000))).done().code(2);
    assert!(done.stderr.contains("longer than 16384 bytes"), "{}", done.stderr);
}
