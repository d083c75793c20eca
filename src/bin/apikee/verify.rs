//! `apikee verify`: what good keys say, and why the others are refused.

use std::{
    io::{self, BufWriter, Write},
    path::PathBuf,
    time::Duration,
};

use apikee::{Keyring, Revocations, UnixTime, VerifiedKey};

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
    let checks = Checks { keys: &keys, revoked: &revoked, scopes: &scopes };

    let mut buf = vec![0; BUFFER_LEN];
    let mut out = BufWriter::new(io::stdout().lock());
    args.keys.each(|candidate| {
        let now = UnixTime::now();
        let checked = checks.run(candidate, now, &mut buf);
        match (&checked, args.json) {
            (Ok(key), true) => good_as_json(&mut out, candidate, key)?,
            (Ok(key), false) => {
                report::headline(&mut out, candidate, "good")?;
                report::verified(&mut out, key, now)?;
            }
            (Err(refusal), true) => report::json_line(&mut out, |members| {
                members.member("ok", &false)?;
                members.place(candidate)?;
                members.refusal(candidate, refusal)
            })?,
            (Err(refusal), false) => report::refused(&mut out, candidate, refusal)?,
        }
        // Whoever feeds keys in one by one waits for each answer.
        out.flush()?;
        Ok(if checked.is_ok() { Outcome::Good } else { Outcome::Bad })
    })
}

/// What a key must stand up to.
struct Checks<'c> {
    keys: &'c Keyring,
    revoked: &'c Revocations,
    scopes: &'c [&'c str],
}

impl Checks<'_> {
    fn run<'b>(&self, candidate: &Candidate<'b>, now: UnixTime, buf: &'b mut [u8]) -> Result<VerifiedKey<'b>, Refusal> {
        let key = self.keys.verify_header(candidate.text, now, buf)?;
        if self.revoked.contains(&key.fingerprint()) {
            return Err(Refusal::revoked());
        }
        key.require(self.scopes)?;
        Ok(key)
    }
}

fn good_as_json<W: Write>(out: &mut W, candidate: &Candidate<'_>, key: &VerifiedKey<'_>) -> io::Result<()> {
    report::json_line(out, |members| {
        members.member("ok", &true)?;
        members.place(candidate)?;
        members.claims(key.claims())?;
        members.member("secret", &key.secret_index())?;
        members.member("fingerprint", &key.fingerprint())
    })
}
