//! Secrets: `apikee secret` prints a new one, and all other commands read theirs from a file or the environment
//! (docs/WIRE.md, "Configuration names").
//!
//! | the first that is set | content |
//! |---|---|
//! | `--secret-file` | one secret per line |
//! | `APIKEE_SECRET_FILE` | the path of such a file |
//! | `APIKEE_SECRETS` | secrets separated by commas |
//! | `APIKEE_LOCAL_SECRET` | one secret |
//! | `APIKEE_SECRET` | one secret |
//!
//! The first secret signs, all verify. White space around a secret is always removed. No argument takes a secret,
//! because other users can see arguments in the process list. Secrets are held only until a [`Keyring`] is built, which
//! wipes its own data.

use std::{
    error::Error,
    io::{self, Write as _},
    path::PathBuf,
};

use apikee::{ConfigError, Keyring, SysRng, key::STRONG_SECRET_LEN};
use rand_core::TryRng as _;

use crate::{Ended, Outcome, exchange, report, terminal::note};

#[derive(clap::Args)]
pub(crate) struct SecretArgs {
    /// Read the secrets from this file, one per line: the first signs, all verify. By default the first that is set:
    /// the file of APIKEE_SECRET_FILE, APIKEE_SECRETS (separated by commas), APIKEE_LOCAL_SECRET, APIKEE_SECRET
    #[arg(long, value_name = "PATH")]
    secret_file: Option<PathBuf>,
}

impl SecretArgs {
    /// A ring of the configured secrets. Warns about weak ones.
    pub(crate) fn keyring(&self) -> Result<Keyring, Box<dyn Error>> {
        let keys = self.load()?.ok_or_else(|| format!("there is no secret: {REMEDY}"))?;
        match keys.weak_secrets() {
            0 => {}
            1 => note(&format!("apikee: warning: a secret has fewer than {STRONG_SECRET_LEN} bytes: {NEW}")),
            weak => note(&format!("apikee: warning: {weak} secrets have fewer than {STRONG_SECRET_LEN} bytes: {NEW}")),
        }
        Ok(keys)
    }

    /// Where the secrets come from.
    pub(crate) fn source(&self) -> &'static str {
        let names = ["APIKEE_SECRET_FILE", "APIKEE_SECRETS", "APIKEE_LOCAL_SECRET", "APIKEE_SECRET"];
        // The path need not be UTF-8. The others are: `load` has refused them otherwise.
        let is_set = |name: &&str| exchange::path(name).is_some();
        match self.secret_file {
            Some(_) => "--secret-file",
            None => names.into_iter().find(is_set).unwrap_or("nowhere"),
        }
    }

    /// Like [`keyring`](Self::keyring), without the warning. `None` if no secret is configured.
    pub(crate) fn load(&self) -> Result<Option<Keyring>, Box<dyn Error>> {
        match &self.secret_file {
            Some(path) => Ok(Some(Keyring::from_file(path)?)),
            None => match Keyring::from_env() {
                Err(ConfigError::Missing(_)) => Ok(None),
                keys => Ok(Some(keys?)),
            },
        }
    }
}

const NEW: &str = "anyone with a key can guess such a secret (apikee secret prints a new one)";

/// What to do if there is no secret.
pub(crate) const REMEDY: &str = "set APIKEE_SECRET_FILE, APIKEE_SECRETS, APIKEE_LOCAL_SECRET or APIKEE_SECRET, or use \
     --secret-file (apikee secret prints a new secret)";

/// Random bytes in a secret: as many as in the tag of a key.
const LEN: usize = 32;

/// Print a new signing secret: 32 random bytes as 64 hexadecimal digits
///
/// The digits are the secret, as text: they are not decoded. Put them into APIKEE_SECRET, or into a secret file that
/// only the service can read (umask 077; apikee secret > FILE). To rotate, first add them as the last line of the file.
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
