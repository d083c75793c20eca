//! The `apikee` command: issues, verifies and inspects keys, seals and opens envelopes,
//! and runs the platform on loopback.
//!
//! ```text
//! main ── issue                     exit code 0: every key is good, or what was asked for is done
//!      ├─ verify                              1: at least one key is not
//!      ├─ authorize                               (or a request is denied)
//!      ├─ inspect                             2: wrong use, or something that failed on the way
//!      ├─ fingerprint
//!      ├─ secret
//!      ├─ seal, open
//!      ├─ doctor                               (or something is not configured as it must be)
//!      ├─ platform                             runs until it is killed
//!      ├─ demo
//!      └─ completions, man
//!
//! secrets: where secrets come from      candidates: where keys come from
//! exchange: the keys of an envelope     times: on the way in and out
//! report: what is said of a key, as text or as JSON      hints: what to remove from a pasted key
//! terminal: colours, notes, the progress bar
//! ```
//!
//! - Secrets come from the environment or a file, never from an argument, and nothing prints them but `secret`, which
//!   makes a new one.
//! - What a key holds is printed with control characters escaped: it may be a stranger's.
//! - Results go to standard output. Hints, summaries and what went wrong with the command itself go to standard error.
#![forbid(unsafe_code)]
#![warn(unreachable_pub)]

mod authorize;
mod candidates;
mod demo;
mod doctor;
mod exchange;
mod fingerprint;
mod hints;
mod inspect;
mod issue;
mod platform;
mod report;
mod seal;
mod secrets;
mod shell;
mod terminal;
mod times;
mod verify;

use std::{error::Error, io, process::ExitCode};

use clap::{Parser, Subcommand};

use crate::terminal::note;

/// Issue, verify and inspect Apikee API keys, seal and open envelopes.
#[derive(Parser)]
#[command(
    version,
    max_term_width = 100,
    after_help = "Exit code: 0 when every key or envelope is good, 1 when one is not, 2 for wrong use or a failure on the way."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Issue(issue::Args),
    Verify(verify::Args),
    Authorize(authorize::Args),
    Inspect(inspect::Args),
    Fingerprint(fingerprint::Args),
    Secret(secrets::NewSecret),
    Seal(seal::SealArgs),
    Open(seal::OpenArgs),
    Platform(platform::Args),
    Doctor(doctor::Args),
    Demo(demo::Args),
    Completions(shell::CompletionsArgs),
    #[command(hide = true)]
    Man(shell::ManArgs),
}

/// What came of the keys; of many, the worst counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Good,
    Bad,
}

/// The result of a command: what came of the keys, or why it failed.
type Ended = Result<Outcome, Box<dyn Error>>;

fn main() -> ExitCode {
    let command = match Cli::try_parse() {
        Ok(cli) => cli.command,
        Err(wrong_use) if wrong_use.use_stderr() => wrong_use.exit(),
        Err(help) => {
            return match help.print() {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => failed(&error),
            };
        }
    };
    let ended = match command {
        Command::Issue(args) => issue::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Authorize(args) => authorize::run(&args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Fingerprint(args) => fingerprint::run(&args),
        Command::Secret(args) => secrets::run(&args),
        Command::Seal(args) => seal::seal(&args),
        Command::Open(args) => seal::open(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Platform(args) => platform::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Completions(args) => shell::completions(&args),
        Command::Man(args) => shell::man(&args),
    };
    match ended {
        Ok(Outcome::Good) => ExitCode::SUCCESS,
        Ok(Outcome::Bad) => ExitCode::from(1),
        Err(error) => failed(&*error),
    }
}

fn failed(error: &(dyn Error + 'static)) -> ExitCode {
    complain(error);
    ExitCode::from(2)
}

/// Prints an error and what caused it, on one line.
fn complain(error: &(dyn Error + 'static)) {
    let closed = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
    if error.downcast_ref().is_some_and(closed) {
        // The reader has closed the pipe, as `head` does.
        return;
    }
    note(&format!("apikee: {}", with_causes(error)));
}

/// An error and what caused it, on one line.
fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line.push_str(&format!(": {error}"));
        cause = error.source();
    }
    line
}
