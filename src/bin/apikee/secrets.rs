//! Where secrets come from: a file, or the environment (docs/WIRE.md, "Configuration names").
//!
//! | first that is set | holds |
//! |---|---|
//! | `--secret-file` | a secret a line, newest first |
//! | `APIKEE_SECRETS` | secrets with commas between them, newest first |
//! | `APIKEE_LOCAL_SECRET` | one secret |
//! | `APIKEE_SECRET` | one secret |
//!
//! The newest signs. An argument would show in the process list, so there is none. Secrets are held
//! no longer than it takes to build a [`Keyring`], which wipes what it keeps.

use std::{
    env,
    error::Error,
    fmt, fs, io,
    path::{Path, PathBuf},
};

use apikee::{ConfigError, Keyring, KeyringError};

#[derive(clap::Args)]
pub(crate) struct SecretArgs {
    /// Read the secrets from this file, one a line, newest first; without it they are taken from
    /// APIKEE_SECRETS (with commas between them), APIKEE_LOCAL_SECRET or APIKEE_SECRET
    #[arg(long, value_name = "PATH")]
    secret_file: Option<PathBuf>,
}

impl SecretArgs {
    /// A ring of the secrets that are configured.
    pub(crate) fn keyring(&self) -> Result<Keyring, SecretsError> {
        match &self.secret_file {
            Some(path) => from_file(path),
            None => Keyring::from_env().map_err(SecretsError::Environment),
        }
    }
}

fn from_file(path: &Path) -> Result<Keyring, SecretsError> {
    let text = fs::read(path).map_err(|error| SecretsError::Unreadable(path.into(), error))?;
    let lines = text.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    ring(lines.filter(|line| !line.trim_ascii().is_empty()))?.ok_or_else(|| SecretsError::EmptyFile(path.into()))
}

/// What a variable is set to.
pub(crate) fn variable(name: &'static str) -> Result<Option<String>, SecretsError> {
    env::var_os(name).map(|value| value.into_string().map_err(|_| SecretsError::NotUtf8(name))).transpose()
}

/// `None` of no secrets.
fn ring<'s>(secrets: impl IntoIterator<Item = &'s [u8]>) -> Result<Option<Keyring>, SecretsError> {
    let mut secrets = secrets.into_iter();
    let Some(newest) = secrets.next() else {
        return Ok(None);
    };
    let mut ring = Keyring::new(newest).map_err(SecretsError::Unusable)?;
    for older in secrets {
        ring.accept(older).map_err(SecretsError::Unusable)?;
    }
    Ok(Some(ring))
}

/// Why a keyring cannot be made. It never holds a secret.
#[derive(Debug)]
pub(crate) enum SecretsError {
    Environment(ConfigError),
    NotUtf8(&'static str),
    Unreadable(PathBuf, io::Error),
    EmptyFile(PathBuf),
    Unusable(KeyringError),
}

impl fmt::Display for SecretsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment(ConfigError::Missing(_)) => f.write_str(
                "there is no secret: set APIKEE_SECRETS, APIKEE_LOCAL_SECRET or APIKEE_SECRET, or use --secret-file",
            ),
            Self::Environment(error) => error.fmt(f),
            Self::NotUtf8(name) => write!(f, "the value of {name} is not UTF-8"),
            Self::Unreadable(path, _) => write!(f, "the secret file {path:?} cannot be read"),
            Self::EmptyFile(path) => write!(f, "the secret file {path:?} has no secret in it"),
            Self::Unusable(_) => f.write_str("the secrets cannot be used"),
        }
    }
}

impl Error for SecretsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Unreadable(_, error) => Some(error),
            Self::Unusable(error) => Some(error),
            Self::Environment(error) => error.source(),
            Self::NotUtf8(_) | Self::EmptyFile(_) => None,
        }
    }
}
