//! Searches the memory of a process for secrets that it should have forgotten.
//!
//! This process makes the secrets and writes each to a file. A child, the subject, reads them, uses the crate, and stops
//! at each moment that is of interest. Then its memory is read: all mappings that it can write. This process knows what
//! to look for, so that the subject holds no copy for the search. The emulator runs here, too, behind a relay that reads
//! the public keys of sessions out of the requests, to compute the keys of the sessions.
//!
//! What is found is compared with the lines of expected.txt: a finding without a line is a failure, and so is a line
//! without a finding.

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

/// What is found: in which scenario, at which moments, what, where.
type Findings = BTreeMap<Finding, Seen>;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    scenario: String,
    moment: String,
    secret: String,
    place: String,
}

#[derive(Debug, Default)]
struct Seen {
    /// Bytes in a row that belong to the secret, at most.
    longest: usize,
    /// How many times such bytes stood in memory, at most.
    copies: usize,
}

/// How the platform fails, once for each request of a scenario with a platform.
fn misbehaviours() -> Vec<(&'static str, Option<Misbehaviour>)> {
    vec![
        ("a confirmation", None),
        ("a rejection", Some(Misbehaviour::Refuse)),
        ("status 500", Some(Misbehaviour::Status(500))),
        ("status 403", Some(Misbehaviour::Status(403))),
        ("status 429", Some(Misbehaviour::Unavailable { retry_after: 1 })),
        ("a redirect", Some(Misbehaviour::Redirect("http://127.0.0.1:9/".into()))),
        ("a timeout", Some(Misbehaviour::Delay(Duration::from_secs(2)))),
        ("a reset", Some(Misbehaviour::Reset)),
        ("a hang-up", Some(Misbehaviour::HangUp)),
        ("a truncated answer", Some(Misbehaviour::Truncate)),
        ("garbage", Some(Misbehaviour::Garbage)),
        ("an oversized answer", Some(Misbehaviour::Oversized(1_000_000))),
        ("a forged answer", Some(Misbehaviour::Forged)),
        ("an impostor's answer", Some(Misbehaviour::Impostor)),
        ("a replayed answer", Some(Misbehaviour::Replayed)),
        ("a reflected request", Some(Misbehaviour::Reflected)),
        ("an answer in the clear", Some(Misbehaviour::Unsealed)),
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
    let mut fault = faults.iter();
    if let Some(Platform { emulator, relay }) = platform {
        emulator.behave();
        command.args([relay.url(), emulator.public_key(), emulator.project_env()]);
    }
    let mut child = command.spawn().expect("a child");
    let (mut input, output) = (child.stdin.take().expect("a pipe"), child.stdout.take().expect("a pipe"));
    for line in BufReader::new(output).lines() {
        let line = line.expect("a line");
        if line == "next" {
            // Another request, and what becomes of it.
            let Some((name, misbehaviour)) = fault.next() else {
                drop(input);
                break;
            };
            let Platform { emulator, .. } = platform.expect("a platform");
            emulator.behave();
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
            let finding = Finding { scenario: scenario.into(), moment: moment.into(), secret, place };
            let seen = findings.entry(finding).or_default();
            (seen.longest, seen.copies) = (seen.longest.max(longest), seen.copies.max(copies));
        }
        writeln!(input, "on").expect("the child reads");
    }
    let status = child.wait().expect("the child");
    assert!(status.success(), "{scenario}: {status}");
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
    let only = env::var("TRACES_ONLY").unwrap_or_default();
    for scenario in subject::ALONE.iter().filter(|own| own.starts_with(&only)) {
        watch(scenario, &dir, None, &mut needles, &mut findings);
    }
    for scenario in subject::WITH_PLATFORM.iter().filter(|own| own.starts_with(&only)) {
        let emulator = needles.emulator(&dir);
        let relay = Relay::start(emulator.url(), *scenario == "client over TLS", &dir);
        watch(scenario, &dir, Some(&Platform { emulator, relay }), &mut needles, &mut findings);
    }
    for (Finding { scenario, moment, secret, place }, Seen { longest, copies }) in &findings {
        println!("{scenario} | {moment} | {secret} | {place} | {longest} bytes, {copies} times");
    }
    ExitCode::SUCCESS
}
