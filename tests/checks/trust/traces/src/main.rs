//! Searches the memory of a process for secrets that it should have forgotten.
//!
//! This process makes the secrets and writes each to a file. A child, the subject, reads them, uses the crate, and
//! stops at each interesting moment. Then this process reads the child's memory: all its writable mappings. Only this
//! process knows what to look for, so the subject holds no copies for the search. The emulator also runs in this
//! process. A relay in front of it reads the public keys of sessions from the requests, to compute the keys of the
//! sessions.
//!
//! The findings are compared with the lines of expected.txt. A finding without a line is a failure. So is a line without
//! a finding, except if its reason starts with `perhaps:`.

mod memory;
mod needles;
mod relay;
mod subject;

use std::{
    collections::BTreeMap,
    env, fs,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    time::Duration,
};

use apikee::emulator::{Emulator, Misbehaviour, Occasion, RequestKind};

use self::{needles::Needles, relay::Relay};

/// The findings, by scenario, time (in use or after), secret and place, as in expected.txt.
type Findings = BTreeMap<[String; 4], Seen>;

#[derive(Debug, Default)]
struct Seen {
    /// The largest number of consecutive bytes of the secret.
    longest: usize,
    /// The number of places in memory with such bytes, at the moment below.
    copies: usize,
    /// The moment of the longest finding.
    moment: String,
}

/// Fewer consecutive bytes are a fragment: the rest of a copy that was partly overwritten. An attacker cannot guess the
/// missing half of a key. Fragments are reported, but do not fail the check.
const WHOLE: usize = 16;

const IN_THE_CLEAR: &str = "an answer in the clear";

/// How the platform fails, once for each request of a scenario with a platform.
fn misbehaviours() -> Vec<(&'static str, Option<Misbehaviour>)> {
    vec![
        ("a confirmation", None),
        ("a rejection", Some(Misbehaviour::Refuse)),
        ("status 500", Some(Misbehaviour::Status(500))),
        ("status 403", Some(Misbehaviour::Status(403))),
        ("status 429", Some(Misbehaviour::Status(429))),
        ("status 503", Some(Misbehaviour::Unavailable { retry_after: 1 })),
        ("a redirect", Some(Misbehaviour::Redirect("http://127.0.0.1:9/".into()))),
        ("a timeout", Some(Misbehaviour::Delay(Duration::from_secs(2)))),
        ("a dripping answer", Some(Misbehaviour::Drip { every: Duration::from_millis(50) })),
        ("a reset", Some(Misbehaviour::Reset)),
        ("a hang-up", Some(Misbehaviour::HangUp)),
        ("a truncated answer", Some(Misbehaviour::Truncate)),
        ("garbage", Some(Misbehaviour::Garbage)),
        ("an oversized answer", Some(Misbehaviour::Oversized(1_000_000))),
        ("a forged answer", Some(Misbehaviour::Forged)),
        ("an impostor's answer", Some(Misbehaviour::Impostor)),
        ("a replayed answer", Some(Misbehaviour::Replayed)),
        ("a reflected request", Some(Misbehaviour::Reflected)),
        // The last one, because the HTTP library does not wipe it.
        (IN_THE_CLEAR, Some(Misbehaviour::Unsealed)),
    ]
}

struct Platform {
    emulator: Emulator,
    relay: Relay,
}

/// Runs a scenario in a child, and searches its memory at each moment.
fn watch(scenario: &str, dir: &Path, platform: Option<&Platform>, needles: &mut Needles, findings: &mut Findings) {
    let mut command = Command::new(env::current_exe().expect("this program"));
    command.args(["subject", scenario]).arg(dir).stdin(Stdio::piped()).stdout(Stdio::piped());
    command.env_clear();
    if scenario == "environment" {
        command.env("APIKEE_SECRET", text(dir, "signing")).env("APIKEE_SERVER_KEY", text(dir, "project"));
    }
    let faults = misbehaviours();
    let (mut fault, mut arranged) = (faults.iter(), None);
    if let Some(Platform { emulator, relay }) = platform {
        emulator.behave();
        command.args([relay.url(), emulator.public_key(), emulator.project_env()]);
    }
    let mut child = command.spawn().expect("a child");
    let (mut input, output) = (child.stdin.take().expect("a pipe"), child.stdout.take().expect("a pipe"));
    for line in BufReader::new(output).lines() {
        let line = line.expect("a line");
        if line == "next" {
            if let (Some(Platform { emulator, .. }), Some(arranged)) = (platform, arranged.take()) {
                let happened = emulator.log().iter().any(|entry| entry.misbehaviour.as_ref() == Some(arranged));
                assert!(happened, "{scenario}: {arranged:?} did not happen");
                emulator.clear_log();
            }
            // Another request, with the next fault.
            let Some((name, misbehaviour)) = fault.next() else {
                drop(input);
                break;
            };
            let Platform { emulator, .. } = platform.expect("a platform");
            emulator.behave();
            arranged = misbehaviour.as_ref();
            if let Some(misbehaviour) = misbehaviour {
                emulator.misbehave_at(RequestKind::Validate, misbehaviour.clone(), Occasion::Always);
            }
            writeln!(input, "{name}").expect("the child reads");
            continue;
        }
        let moment = line.strip_prefix("search ").unwrap_or_else(|| panic!("{scenario}: {line}"));
        if let Some(Platform { relay, .. }) = platform {
            needles.add_sessions(&relay.public_keys());
        }
        for (secret, place, longest, copies) in memory::search(child.id(), needles) {
            // An answer that was not sealed is not a secret.
            if secret == "opened answer" && moment.ends_with(IN_THE_CLEAR) {
                continue;
            }
            let (phase, _) = moment.split_once(", ").unwrap_or((moment, ""));
            let seen = findings.entry([scenario, phase, &secret, place].map(String::from)).or_default();
            if longest > seen.longest {
                *seen = Seen { longest, copies, moment: moment.into() };
            }
        }
        writeln!(input, "on").expect("the child reads");
    }
    let status = child.wait().expect("the child");
    assert!(status.success(), "{scenario}: {status}");
    let saw_sessions = platform.is_none_or(|Platform { relay, .. }| !relay.public_keys().is_empty());
    assert!(saw_sessions, "{scenario}: the relay saw no public key, so no session key was looked for");
}

fn text(dir: &Path, name: &str) -> String {
    fs::read_to_string(dir.join(name)).expect("a secret")
}

fn main() -> ExitCode {
    let args: Vec<String> = env::args().collect();
    if let [_, role, scenario, dir, platform @ ..] = args.as_slice()
        && role == "subject"
    {
        subject::run(scenario, Path::new(dir), platform);
        return ExitCode::SUCCESS;
    }
    let [_, dir] = args.as_slice() else {
        eprintln!("traces: give a folder for the secrets");
        return ExitCode::FAILURE;
    };
    let dir = PathBuf::from(dir);
    let mut needles = Needles::make(&dir);
    let mut findings = Findings::new();
    // Runs only some scenarios, to look for the cause of a finding.
    let only = env::var("TRACES_ONLY").unwrap_or_default();
    for scenario in subject::ALONE.iter().filter(|own| own.starts_with(&only)) {
        watch(scenario, &dir, None, &mut needles, &mut findings);
    }
    for scenario in subject::WITH_PLATFORM.iter().filter(|own| own.starts_with(&only)) {
        let emulator = needles.emulator(&dir);
        let relay = Relay::start(emulator.url(), *scenario == "client over TLS", &dir);
        watch(scenario, &dir, Some(&Platform { emulator, relay }), &mut needles, &mut findings);
    }
    if report(&findings) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Compares with expected.txt, and prints the rows for the figures.
fn report(findings: &Findings) -> bool {
    let lines = include_str!("../expected.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut expected: BTreeMap<[String; 4], &str> = lines
        .map(|line| {
            let fields: Vec<&str> = line.split('|').map(str::trim).collect();
            let [scenario, phase, secret, place, why] = fields[..] else { panic!("five fields: {line}") };
            ([scenario, phase, secret, place].map(String::from), why)
        })
        .collect();
    let (mut good, mut fragments) = (true, Vec::new());
    for (finding, Seen { longest, copies, moment }) in findings {
        let name = finding.join(", ");
        match expected.remove(finding) {
            Some(why) => println!("{name} | expected, {longest} bytes, {copies} times: {why}"),
            None if *longest < WHOLE => fragments.push((longest, name)),
            None => {
                good = false;
                println!("{name} | NOT EXPECTED, {longest} bytes, {copies} times, first {moment}");
            }
        }
    }
    // The compiler decides whether a caller's move leaves a copy.
    expected.retain(|_, why| !why.starts_with("perhaps: "));
    for finding in expected.keys() {
        good = false;
        println!("{} | NOT FOUND: a planted secret, or an obsolete line of expected.txt", finding.join(", "));
    }
    let longest = fragments.iter().map(|(longest, _)| **longest).max().unwrap_or_default();
    println!("fragments, shorter than {WHOLE} bytes | {} places, {longest} bytes at most", fragments.len());
    good
}
