//! `apikee verify`: what good keys say, and why the others are refused.

use std::{
    io::{self, BufWriter, Write},
    path::PathBuf,
    time::Duration,
};

use apikee::{Revocations, UnixTime, VerifiedKey};

use crate::{
    Ended, Outcome,
    candidates::{BUFFER_LEN, Candidate, KeyArgs},
    report::{self, Refusal},
    secrets::SecretArgs,
    times,
};

/// Verify keys and print what they say
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    keys: KeyArgs,

    /// A scope that the keys must have; may be repeated
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,

    /// Let keys be good that much longer and earlier, for clocks that drift: 30s, 5m
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = times::duration)]
    leeway: Duration,

    /// Refuse the keys whose fingerprints are in this file, one a line; what follows a # is ignored
    #[arg(long, value_name = "PATH")]
    deny_list: Option<PathBuf>,

    /// Print JSON, one object a line for each key
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    secrets: SecretArgs,
}

pub(crate) fn run(args: &Args) -> Ended {
    let mut keys = args.secrets.keyring()?;
    keys.set_leeway(args.leeway);
    let revoked = Revocations::new();
    if let Some(path) = &args.deny_list {
        revoked.replace_from_file(path)?;
    }
    let scopes: Vec<&str> = args.scopes.iter().map(String::as_str).collect();

    let mut buf = vec![0; BUFFER_LEN];
    let mut out = BufWriter::new(io::stdout().lock());
    args.keys.each(|candidate| {
        let now = UnixTime::now();
        let verified = keys.verify_header(candidate.text, now, &mut buf).map_err(Refusal::from);
        let checked = verified.and_then(|key| {
            if revoked.contains(&key.fingerprint()) {
                return Err(Refusal::revoked());
            }
            key.require(&scopes)?;
            Ok(key)
        });
        match &checked {
            _ if args.json => as_json(&mut out, candidate, &checked)?,
            Ok(key) => {
                report::headline(&mut out, candidate, "good")?;
                report::verified(&mut out, key, now)?;
            }
            Err(refusal) => report::refused(&mut out, candidate, refusal)?,
        }
        // A program that feeds in keys one by one waits for each answer.
        out.flush()?;
        Ok(if checked.is_ok() { Outcome::Good } else { Outcome::Bad })
    })
}

fn as_json(out: impl Write, candidate: &Candidate<'_>, checked: &Result<VerifiedKey<'_>, Refusal>) -> io::Result<()> {
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
