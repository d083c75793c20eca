//! Where secrets come from: `apikee secret` makes a new one, and all other commands read theirs from a
//! file or the environment (docs/WIRE.md, "Configuration names").
//!
//! | first that is set | holds |
//! |---|---|
//! | `--secret-file` | a secret a line, newest first |
//! | `APIKEE_SECRET_FILE` | the path of such a file |
//! | `APIKEE_SECRETS` | secrets with commas between them, newest first |
//! | `APIKEE_LOCAL_SECRET` | one secret |
//! | `APIKEE_SECRET` | one secret |
//!
//! The newest signs. White space around a secret does not belong to it, wherever it comes from. An
//! argument would show in the process list, so there is none. Secrets are held no longer than it takes
//! to build a [`Keyring`], which wipes what it keeps.

use std::{
    error::Error,
    io::{self, Write as _},
    path::PathBuf,
};

use apikee::{ConfigError, Keyring, SysRng, key::STRONG_SECRET_LEN};
use rand_core::TryRng as _;

use crate::{Ended, Outcome, report, terminal::note};

#[derive(clap::Args)]
pub(crate) struct SecretArgs {
    /// Read the secrets from this file, one a line, newest first; without it they are taken from the file that
    /// APIKEE_SECRET_FILE names, from APIKEE_SECRETS (with commas between them), APIKEE_LOCAL_SECRET or APIKEE_SECRET
    #[arg(long, value_name = "PATH")]
    secret_file: Option<PathBuf>,
}

impl SecretArgs {
    /// A ring of the secrets that are configured. A weak one is warned of.
    pub(crate) fn keyring(&self) -> Result<Keyring, Box<dyn Error>> {
        let keys = self.load()?;
        match keys.weak_secrets() {
            0 => {}
            1 => note(&format!("apikee: warning: a secret has fewer than {STRONG_SECRET_LEN} bytes: {NEW}")),
            weak => note(&format!("apikee: warning: {weak} secrets have fewer than {STRONG_SECRET_LEN} bytes: {NEW}")),
        }
        Ok(keys)
    }

    /// The same, and nothing is said of weak ones.
    pub(crate) fn load(&self) -> Result<Keyring, Box<dyn Error>> {
        match &self.secret_file {
            Some(path) => Ok(Keyring::from_file(path)?),
            None => match Keyring::from_env() {
                Err(ConfigError::Missing(_)) => Err(MISSING.into()),
                keys => Ok(keys?),
            },
        }
    }
}

const NEW: &str = "whoever has a key may find it by trying (apikee secret prints a new one)";

const MISSING: &str = "there is no secret: set APIKEE_SECRET_FILE, APIKEE_SECRETS, APIKEE_LOCAL_SECRET or APIKEE_SECRET, or use \
     --secret-file (apikee secret prints a new secret)";

/// Random bytes of a secret: as many as the tag of a key has.
const LEN: usize = 32;

/// Print a new signing secret: 32 random bytes as 64 hexadecimal digits
///
/// The digits are the secret, as text: they are not decoded. Put them into APIKEE_SECRET, or on the first line of a
/// secret file that only the service can read (umask 077; apikee secret > FILE).
#[derive(clap::Args)]
pub(crate) struct NewSecret {
    /// Print JSON: the secret
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &NewSecret) -> Ended {
    let mut secret = [0; LEN];
    SysRng.try_fill_bytes(&mut secret)?;
    let digits: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut out = io::stdout().lock();
    if args.json {
        report::json_line(out, |members| members.member("secret", &digits))?;
    } else {
        writeln!(out, "{digits}")?;
    }
    Ok(Outcome::Good)
}
