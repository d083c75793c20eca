//! The keys of an exchange: the server's public key, and the secrets of either side.
//!
//! | what | argument | variable |
//! |---|---|---|
//! | the server's public key | `--server-key` | `APIKEE_SERVER_PUBLIC_KEY` |
//! | the client's ephemeral secret | `--ephemeral-secret-file` | `APIKEE_EPHEMERAL_SECRET` |
//! | the server's secret | `--server-secret-file` | `APIKEE_SERVER_SECRET` |
//!
//! The argument comes first, and a blank variable is unset. A secret is 64 hexadecimal digits, in a
//! file or a variable: an argument would show in the process list.

use std::{
    error::Error,
    fmt, fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use apikee::{ServerKey, ServerKeyError};

use crate::secrets;

const SERVER_KEY: &str = "APIKEE_SERVER_PUBLIC_KEY";

/// Bytes of standard input that are read: far more than any body of the platform.
const MAX_INPUT: u64 = 16 * 1024 * 1024;

/// The secret of one side, by the names that it goes by.
pub(crate) struct Side {
    pub(crate) argument: &'static str,
    pub(crate) variable: &'static str,
}

pub(crate) const CLIENT: Side = Side { argument: "--ephemeral-secret-file", variable: "APIKEE_EPHEMERAL_SECRET" };
pub(crate) const SERVER: Side = Side { argument: "--server-secret-file", variable: "APIKEE_SERVER_SECRET" };

#[derive(clap::Args)]
pub(crate) struct ServerKeyArgs {
    /// The server's public key, in base64 or 64 hexadecimal digits; without it, it is taken from
    /// APIKEE_SERVER_PUBLIC_KEY
    #[arg(long, value_name = "KEY")]
    server_key: Option<String>,
}

impl ServerKeyArgs {
    pub(crate) fn get(&self) -> Result<ServerKey, Box<dyn Error>> {
        match &self.server_key {
            Some(text) => Ok(parse("--server-key", text)?),
            None => Ok(configured_server_key()?.ok_or(ExchangeError::NoServerKey)?),
        }
    }
}

/// The server's public key that the environment names.
pub(crate) fn configured_server_key() -> Result<Option<ServerKey>, Box<dyn Error>> {
    Ok(set(SERVER_KEY)?.map(|text| parse(SERVER_KEY, &text)).transpose()?)
}

impl Side {
    /// The secret in this file.
    pub(crate) fn in_file(&self, path: &Path) -> Result<[u8; 32], ExchangeError> {
        let text = fs::read(path).map_err(|error| ExchangeError::Unreadable(path.into(), error))?;
        hex(text.trim_ascii()).ok_or(ExchangeError::NoSecret(self.argument))
    }

    /// The secret that the environment has, if it has one.
    pub(crate) fn in_environment(&self) -> Result<Option<[u8; 32]>, Box<dyn Error>> {
        let Some(text) = set(self.variable)? else {
            return Ok(None);
        };
        Ok(Some(hex(text.trim().as_bytes()).ok_or(ExchangeError::NoSecret(self.variable))?))
    }
}

/// Exactly `N` bytes in hexadecimal digits.
pub(crate) fn hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let (pairs, []) = text.as_chunks::<2>() else {
        return None;
    };
    let mut bytes = [0; N];
    if pairs.len() != N {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(pairs) {
        for digit in pair {
            *byte = *byte << 4 | u8::try_from(char::from(*digit).to_digit(16)?).ok()?;
        }
    }
    Some(bytes)
}

/// All of standard input.
pub(crate) fn input() -> Result<Vec<u8>, Box<dyn Error>> {
    let mut bytes = Vec::new();
    io::stdin().lock().take(MAX_INPUT + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_INPUT {
        return Err(ExchangeError::InputTooLong.into());
    }
    Ok(bytes)
}

/// What a variable is set to, unless that is blank.
pub(crate) fn set(name: &'static str) -> Result<Option<String>, Box<dyn Error>> {
    Ok(secrets::variable(name)?.filter(|value| !value.trim().is_empty()))
}

fn parse(origin: &'static str, text: &str) -> Result<ServerKey, ExchangeError> {
    text.trim().parse().map_err(|error| ExchangeError::ServerKey(origin, error))
}

/// Why an exchange failed. It never holds a secret.
#[derive(Debug)]
pub(crate) enum ExchangeError {
    NoServerKey,
    ServerKey(&'static str, ServerKeyError),
    Unreadable(PathBuf, io::Error),
    NoSecret(&'static str),
    InputTooLong,
}

impl fmt::Display for ExchangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoServerKey => write!(f, "there is no server key: set {SERVER_KEY}, or use --server-key"),
            Self::ServerKey(origin, _) => write!(f, "{origin} cannot be used"),
            Self::Unreadable(path, _) => write!(f, "the secret file {path:?} cannot be read"),
            Self::NoSecret(origin) => write!(f, "{origin} does not give 64 hexadecimal digits"),
            Self::InputTooLong => write!(f, "standard input is longer than {MAX_INPUT} bytes"),
        }
    }
}

impl Error for ExchangeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::ServerKey(_, error) => Some(error),
            Self::Unreadable(_, error) => Some(error),
            Self::NoServerKey | Self::NoSecret(_) | Self::InputTooLong => None,
        }
    }
}
