//! The keys of an exchange: the server's public key, and the secrets of both sides.
//!
//! | what | argument | variable |
//! |---|---|---|
//! | the server's public key | `--server-public-key` | `APIKEE_SERVER_PUBLIC_KEY` |
//! | the client's ephemeral secret | `--ephemeral-secret-file` | `APIKEE_EPHEMERAL_SECRET` |
//! | the server's secret | `--server-secret-file` | `APIKEE_SERVER_SECRET` |
//!
//! The argument overrides the variable, and a blank variable counts as unset. A secret is 64 hexadecimal digits in a
//! file or a variable, never in an argument, which other users can see in the process list.

use std::{
    env,
    error::Error,
    fmt,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use apikee::envelope::ServerKey;
use rand_core::{TryCryptoRng, TryRng, utils::next_word_via_fill};

use crate::terminal;

const SERVER_KEY: &str = "APIKEE_SERVER_PUBLIC_KEY";

/// The maximum length of standard input in bytes: far longer than any body of the platform.
pub(crate) const MAX_INPUT: u64 = 16 * 1024 * 1024;

/// The maximum length of a file with a secret in bytes: 64 digits, and a lot of blanks.
const MAX_SECRET_FILE: u64 = 4096;

/// The names of the argument and the variable for the secret of one side.
pub(crate) struct Side {
    pub(crate) argument: &'static str,
    pub(crate) variable: &'static str,
}

pub(crate) const CLIENT: Side = Side { argument: "--ephemeral-secret-file", variable: "APIKEE_EPHEMERAL_SECRET" };
pub(crate) const SERVER: Side = Side { argument: "--server-secret-file", variable: "APIKEE_SERVER_SECRET" };

#[derive(clap::Args)]
pub(crate) struct ServerKeyArgs {
    /// The server's public key, as base64 or 64 hexadecimal digits; by default the value of APIKEE_SERVER_PUBLIC_KEY
    #[arg(long, alias = "server-key", value_name = "KEY")]
    server_public_key: Option<String>,
}

impl ServerKeyArgs {
    pub(crate) fn get(&self) -> Result<ServerKey, Box<dyn Error>> {
        match &self.server_public_key {
            Some(text) => parse("--server-public-key", text),
            None => Ok(configured_server_key()?.ok_or_else(|| {
                format!("there is no server public key: set {SERVER_KEY}, or use --server-public-key")
            })?),
        }
    }
}

/// The server's public key from the environment.
pub(crate) fn configured_server_key() -> Result<Option<ServerKey>, Box<dyn Error>> {
    set(SERVER_KEY)?.map(|text| parse(SERVER_KEY, &text)).transpose()
}

impl Side {
    /// The secret from this file, or without a file from the environment. `None` if there is none.
    pub(crate) fn secret(&self, file: Option<&Path>) -> Result<Option<[u8; 32]>, Box<dyn Error>> {
        let (origin, text) = match file {
            Some(path) => {
                // The path is not shown: the secret may have been given instead of it.
                let unreadable = |error| format!("the file of {} cannot be read: {error}", self.argument);
                (self.argument, read_file(path, MAX_SECRET_FILE).map_err(unreadable)?)
            }
            None => match set(self.variable)? {
                Some(text) => (self.variable, text.trim().into()),
                None => return Ok(None),
            },
        };
        let secret = hex(text.trim_ascii());
        Ok(Some(secret.ok_or_else(|| format!("{origin} does not contain 64 hexadecimal digits"))?))
    }
}

/// Exactly `N` bytes in hexadecimal digits.
pub(crate) fn hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let (pairs, []) = text.as_chunks::<2>() else { return None };
    let value = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let pairs: &[[u8; 2]; N] = pairs.try_into().ok()?;
    let mut bytes = [0; N];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = value(*high)? << 4 | value(*low)?;
    }
    Some(bytes)
}

/// All of standard input, at most `max` bytes. `what` tells the user at a terminal what to type.
pub(crate) fn input(what: &str, max: u64) -> Result<Vec<u8>, Box<dyn Error>> {
    terminal::waiting(&format!("reading {what} from the terminal"));
    at_most(max, io::stdin().lock()).map_err(|error| format!("standard input cannot be read: {error}").into())
}

/// All of a file, at most `max` bytes.
pub(crate) fn read_file(path: &Path, max: u64) -> io::Result<Vec<u8>> {
    at_most(max, File::open(path)?)
}

/// All bytes of the source. It is an error if there are more than `max`.
fn at_most(max: u64, source: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max {
        return Err(io::Error::other(format!("it is longer than {max} bytes")));
    }
    Ok(bytes)
}

/// The value of a variable. `None` if it is unset or blank.
pub(crate) fn set(name: &str) -> Result<Option<String>, String> {
    let value = env::var_os(name).map(|value| value.into_string()).transpose();
    let value = value.map_err(|_| format!("the value of {name} is not UTF-8"))?;
    Ok(value.filter(|value| !value.trim().is_empty()))
}

/// The path in a variable. It need not be UTF-8, as in the client. `None` if it is unset or blank.
pub(crate) fn path(name: &str) -> Option<PathBuf> {
    let value = env::var_os(name)?;
    match value.to_str().map(str::trim) {
        Some("") => None,
        Some(path) => Some(path.into()),
        None => Some(value.into()),
    }
}

fn parse(origin: &str, text: &str) -> Result<ServerKey, Box<dyn Error>> {
    Ok(text.trim().parse().map_err(|error| format!("{origin} cannot be used: {error}"))?)
}

/// A generator that returns these bytes in order, so that a run can be repeated. It fails after the last byte. For
/// debugging only: sealing twice with the same key and nonce reveals both plaintexts.
pub(crate) struct Pinned<'p>(pub(crate) &'p [u8]);

/// There are no pinned bytes left.
#[derive(Debug)]
pub(crate) struct UsedUp;

impl TryRng for Pinned<'_> {
    type Error = UsedUp;

    fn try_next_u32(&mut self) -> Result<u32, UsedUp> {
        next_word_via_fill(self)
    }

    fn try_next_u64(&mut self) -> Result<u64, UsedUp> {
        next_word_via_fill(self)
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), UsedUp> {
        let (given, left) = self.0.split_at_checked(out.len()).ok_or(UsedUp)?;
        out.copy_from_slice(given);
        self.0 = left;
        Ok(())
    }
}

/// Secure only if the bytes are. The caller is responsible for that.
impl TryCryptoRng for Pinned<'_> {}

impl fmt::Display for UsedUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the pinned bytes are used up")
    }
}

impl Error for UsedUp {}
