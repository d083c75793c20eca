//! The `apikee` command: issues, verifies and inspects keys, seals and opens envelopes, and runs the platform on
//! loopback. Each command has a module.
//!
//! | exit code | meaning |
//! |---|---|
//! | 0 | every key or envelope is good, or the task is done |
//! | 1 | at least one key or envelope is bad, a request is denied, or a check of `doctor` or `demo` failed |
//! | 2 | wrong use, or a failure of the command itself |
//!
//! | module | contents |
//! |---|---|
//! | `secrets` | reading secrets from a file or the environment |
//! | `candidates` | reading keys from the arguments or standard input |
//! | `exchange` | the keys of an envelope |
//! | `report` | results as text or as JSON |
//! | `hints` | what to remove from a pasted key |
//! | `times` | parsing and printing of times |
//! | `terminal` | colours, notes, the progress bar |
//!
//! - Secrets come from the environment or a file, never from an argument. Only `secret` prints one, and that is new.
//! - The content of a key is printed with control characters escaped: an attacker may have written it.
//! - Results go to standard output. Hints, summaries and errors of the command itself go to standard error.
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
    after_help = "Exit code: 0 if all is good; 1 if a key or envelope is bad, a request is denied or a check failed; 2 \
                  for wrong usage or an error."
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

/// The result of the checks: `Bad` if at least one of them was bad.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Good,
    Bad,
}

/// The result of a command: the result of its checks, or why the command failed.
type Ended = Result<Outcome, Box<dyn Error>>;

fn main() -> ExitCode {
    let command = match Cli::try_parse() {
        Ok(cli) => cli.command,
        Err(wrong_use) if wrong_use.use_stderr() => return misused(&wrong_use),
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

/// Prints why the arguments are wrong, as clap does, but without a key or a secret among them.
fn misused(error: &clap::Error) -> ExitCode {
    let text = error.render().to_string();
    let safe = without_secrets(&text);
    if safe == text {
        error.exit();
    }
    note(safe.trim_end());
    ExitCode::from(2)
}

/// The text without the words in it that are as long as a key or a secret.
fn without_secrets(text: &str) -> String {
    const SECRET_LEN: usize = 32;
    let is_of_secret = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '+' | '/' | '=');
    let words = text.split_inclusive(|c| !is_of_secret(c)).map(|part| {
        let word = part.trim_end_matches(|c| !is_of_secret(c));
        if word.len() < SECRET_LEN { part.into() } else { format!("...{}", &part[word.len()..]) }
    });
    words.collect()
}

fn failed(error: &(dyn Error + 'static)) -> ExitCode {
    complain(error);
    ExitCode::from(2)
}

/// Prints an error and its causes, on one line.
fn complain(error: &(dyn Error + 'static)) {
    let closed = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
    if error.downcast_ref().is_some_and(closed) {
        // The reader has closed the pipe, as `head` does.
        return;
    }
    note(&format!("apikee: {}", with_causes(error)));
}

/// An error and its causes, on one line.
fn with_causes(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line.push_str(&format!(": {error}"));
        cause = error.source();
    }
    line
}
