//! `apikee fingerprint`: prints the fingerprints of keys, for storage and deny-lists.
//!
//! A text that is not spelt like a key gets no fingerprint: on a deny-list it would revoke nothing, and nobody would
//! notice.

use std::io::{self, Write as _};

use apikee::{Fingerprint, KeyError, key::UntrustedKey};

use crate::{
    Ended, Outcome,
    candidates::{Answers, BUFFER_LEN, Candidate, KeyArgs, Pace},
    report::{self, Form, Refusal},
};

/// Print the SHA-256 of keys, for storage and deny-lists
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    keys: KeyArgs,

    #[command(flatten)]
    form: Form,
}

pub(crate) fn run(args: &Args) -> Ended {
    let tally = args.keys.each(&args.form, Pace::Together, || {
        let mut buf = vec![0; BUFFER_LEN];
        move |candidate, answers: &mut Answers| {
            let read = fingerprint(candidate, &mut buf).map_err(Refusal::from);
            match &read {
                _ if args.form.quiet => {}
                _ if args.form.json => as_json(&mut answers.out, candidate, &read)?,
                Ok(fingerprint) => writeln!(answers.out, "{fingerprint}")?,
                // Standard output contains only fingerprints.
                Err(refusal) => report::refused(&mut answers.notes, candidate, refusal)?,
            }
            Ok(if read.is_ok() { Outcome::Good } else { Outcome::Bad })
        }
    })?;
    Ok(tally.outcome())
}

fn as_json(out: &mut Vec<u8>, candidate: &Candidate<'_>, read: &Result<Fingerprint, Refusal>) -> io::Result<()> {
    report::json_line(out, |members| {
        members.member("ok", &read.is_ok())?;
        members.place(candidate)?;
        match read {
            Ok(fingerprint) => {
                members.member("prefix", &candidate.prefix())?;
                members.member("fingerprint", fingerprint)
            }
            Err(refusal) => members.refusal(candidate, refusal),
        }
    })
}

fn fingerprint(candidate: &Candidate<'_>, buf: &mut [u8]) -> Result<Fingerprint, KeyError> {
    let key = candidate.text.ok_or(KeyError::Missing)?;
    if UntrustedKey::read(key, buf)?.non_canonical {
        return Err(KeyError::Decode);
    }
    // A text that is spelt like a key is ASCII.
    core::str::from_utf8(key).map(Fingerprint::of).map_err(|_| KeyError::Decode)
}
