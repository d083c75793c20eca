//! `apikee verify`: prints the claims of good keys, and why the other keys are refused.

use std::{
    io::{self, Write},
    path::PathBuf,
    time::Duration,
};

use apikee::{Revocations, VerifiedKey};

use crate::{
    Ended, Outcome,
    candidates::{Answers, BUFFER_LEN, Candidate, KeyArgs, Pace},
    exchange,
    report::{self, Form, Refusal},
    secrets::SecretArgs,
    terminal::green,
    times,
};

/// Verify keys and print their claims
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    keys: KeyArgs,

    /// Scope that the keys must have; may be repeated, or separated by commas
    #[arg(long = "scope", value_name = "SCOPE", value_delimiter = ',', value_parser = scope)]
    scopes: Vec<String>,

    /// Accept keys this long before and after their times, for clocks that drift: 30s, 5m, 1h
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = times::duration)]
    leeway: Duration,

    /// Refuse keys whose fingerprints are in this file, one per line; blank lines and text after a # are ignored; by
    /// default the file that APIKEE_DENY_LIST_FILE names
    #[arg(long, value_name = "PATH")]
    deny_list: Option<PathBuf>,

    #[command(flatten)]
    form: Form,

    #[command(flatten)]
    secrets: SecretArgs,
}

pub(crate) fn run(args: &Args) -> Ended {
    let mut keys = args.secrets.keyring()?;
    keys.set_leeway(args.leeway);
    let revoked = Revocations::new();
    // With the environment of a service, this is the list that the service reads.
    let deny_list = args.deny_list.clone().or_else(|| exchange::path("APIKEE_DENY_LIST_FILE"));
    if let Some(path) = &deny_list {
        revoked.replace_from_file(path)?;
    }
    let scopes: Vec<&str> = args.scopes.iter().map(String::as_str).collect();

    let tally = args.keys.each(&args.form, Pace::Together, || {
        let mut buf = vec![0; BUFFER_LEN];
        let (keys, revoked, scopes, has_list) = (&keys, &revoked, &scopes, deny_list.is_some());
        move |candidate, answers: &mut Answers| {
            let verified = keys.verify_header(candidate.text, answers.now, &mut buf);
            let checked = match &verified {
                Err(error) => Err(Refusal::from(*error)),
                // A fingerprint takes half as long as all the rest.
                Ok(key) if has_list && revoked.contains(&key.fingerprint()) => Err(Refusal::revoked()),
                Ok(key) => key.require(scopes).map(|()| key).map_err(Refusal::from),
            };
            match &checked {
                _ if args.form.quiet => {}
                _ if args.form.json => as_json(&mut answers.out, candidate, &checked)?,
                Ok(key) => {
                    report::headline(&mut answers.out, candidate, green("good"))?;
                    report::verified(&mut answers.out, key, answers.now)?;
                }
                Err(refusal) => report::refused(&mut answers.out, candidate, refusal)?,
            }
            Ok(if checked.is_ok() { Outcome::Good } else { Outcome::Bad })
        }
    })?;
    Ok(tally.summarize(&args.form, "keys", "good", "refused").outcome())
}

/// Reads a scope of a list.
pub(crate) fn scope(text: &str) -> Result<String, &'static str> {
    // Lists such as `read, write` have blanks.
    let scope = text.trim_matches(' ');
    if scope.is_empty() { Err("a scope is empty") } else { Ok(scope.into()) }
}

fn as_json(out: impl Write, candidate: &Candidate<'_>, checked: &Result<&VerifiedKey<'_>, Refusal>) -> io::Result<()> {
    report::json_line(out, |members| {
        members.member("ok", &checked.is_ok())?;
        members.place(candidate)?;
        match checked {
            Ok(key) => {
                members.claims(key.claims())?;
                members.member("secret", &key.secret_index())?;
                members.member("fingerprint", &key.fingerprint())
            }
            Err(refusal) => members.refusal(candidate, refusal),
        }
    })
}
