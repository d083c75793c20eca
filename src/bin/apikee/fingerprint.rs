//! `apikee fingerprint`: the names of keys for storage and deny-lists.
//!
//! What no verifier of ours would accept as the spelling of a key has no fingerprint here: on a
//! deny-list it would revoke nothing, and nobody would notice.

use std::io::{self, BufWriter, Write as _};

use apikee::{Fingerprint, KeyError, key::UntrustedKey};

use crate::{
    Ended, Outcome,
    candidates::{BUFFER_LEN, Candidate, KeyArgs},
    report,
};

/// Print the SHA-256 of keys, for storage and deny-lists
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    keys: KeyArgs,
}

pub(crate) fn run(args: &Args) -> Ended {
    let mut buf = vec![0; BUFFER_LEN];
    let mut out = BufWriter::new(io::stdout().lock());
    args.keys.each(|candidate| match fingerprint(candidate, &mut buf) {
        Ok(fingerprint) => {
            writeln!(out, "{fingerprint}")?;
            out.flush()?;
            Ok(Outcome::Good)
        }
        Err(error) => {
            // Standard output is for fingerprints alone. If standard error is closed, the exit code is left.
            let _ = report::refused(&mut io::stderr(), candidate, &error.into());
            Ok(Outcome::Bad)
        }
    })
}

fn fingerprint(candidate: &Candidate<'_>, buf: &mut [u8]) -> Result<Fingerprint, KeyError> {
    let key = candidate.text.ok_or(KeyError::Missing)?;
    if UntrustedKey::read(key, buf)?.non_canonical {
        return Err(KeyError::Decode);
    }
    // What is spelt like a key is ASCII.
    core::str::from_utf8(key).map(Fingerprint::of).map_err(|_| KeyError::Decode)
}
