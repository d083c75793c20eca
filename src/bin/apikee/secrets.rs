//! Where secrets come from: a file, or the environment (docs/WIRE.md, "Configuration names").
//!
//! | first that is set | holds |
//! |---|---|
//! | `--secret-file` | a secret a line, newest first |
//! | `APIKEE_SECRET_FILE` | the path of such a file |
//! | `APIKEE_SECRETS` | secrets with commas between them, newest first |
//! | `APIKEE_LOCAL_SECRET` | one secret |
//! | `APIKEE_SECRET` | one secret |
//!
//! The newest signs. White space around a secret does not belong to it, wherever it comes from. An argument would show in the process list, so there is none. Secrets are held
//! no longer than it takes to build a [`Keyring`], which wipes what it keeps.

use std::{env, error::Error, fmt, path::PathBuf};

use apikee::{ConfigError, FileError, Keyring, STRONG_SECRET_LEN};

use crate::note;

#[derive(clap::Args)]
pub(crate) struct SecretArgs {
    /// Read the secrets from this file, one a line, newest first; without it they are taken from the file that
    /// APIKEE_SECRET_FILE names, from APIKEE_SECRETS (with commas between them), APIKEE_LOCAL_SECRET or APIKEE_SECRET
    #[arg(long, value_name = "PATH")]
    secret_file: Option<PathBuf>,
}

impl SecretArgs {
    /// A ring of the secrets that are configured. A weak one is warned of.
    pub(crate) fn keyring(&self) -> Result<Keyring, SecretsError> {
        let keys = match &self.secret_file {
            Some(path) => Keyring::from_file(path).map_err(SecretsError::File)?,
            None => Keyring::from_env().map_err(SecretsError::Environment)?,
        };
        match keys.weak_secrets() {
            0 => {}
            1 => note(&format!("apikee: warning: a secret has fewer than {STRONG_SECRET_LEN} bytes: {NEW}")),
            weak => note(&format!("apikee: warning: {weak} secrets have fewer than {STRONG_SECRET_LEN} bytes: {NEW}")),
        }
        Ok(keys)
    }
}

const NEW: &str = "whoever has a key may find it by trying (apikee secret prints a new one)";

/// What a variable is set to.
pub(crate) fn variable(name: &'static str) -> Result<Option<String>, SecretsError> {
    env::var_os(name).map(|value| value.into_string().map_err(|_| SecretsError::NotUtf8(name))).transpose()
}

/// Why a keyring cannot be made. It never holds a secret.
#[derive(Debug)]
pub(crate) enum SecretsError {
    Environment(ConfigError),
    NotUtf8(&'static str),
    File(FileError),
}

impl fmt::Display for SecretsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment(ConfigError::Missing(_)) => f.write_str(
                "there is no secret: set APIKEE_SECRET_FILE, APIKEE_SECRETS, APIKEE_LOCAL_SECRET or APIKEE_SECRET, or \
                 use --secret-file (apikee secret prints a new secret)",
            ),
            Self::Environment(error) => error.fmt(f),
            Self::NotUtf8(name) => write!(f, "the value of {name} is not UTF-8"),
            Self::File(error) => error.fmt(f),
        }
    }
}

impl Error for SecretsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Environment(error) => error.source(),
            Self::File(error) => error.source(),
            Self::NotUtf8(_) => None,
        }
    }
}
