//! `apikee seal`: prints the envelope of a request. `apikee open`: prints the exact plaintext of an envelope. At a
//! terminal, characters that are not printable are escaped: an attacker may have written them.

use std::{
    error::Error,
    fmt,
    io::{self, IsTerminal as _, Write},
    path::{Path, PathBuf},
};

use apikee::{
    SysRng,
    envelope::{OpenError, Pending, Recipient, Session, sealed_len},
};
use base64ct::{Base64, Base64UrlUnpadded, Encoding as _};
use serde_json::Value;

use crate::{
    Ended, Outcome,
    exchange::{self, CLIENT, MAX_INPUT, Pinned, SERVER, ServerKeyArgs, hex},
    report::{self, Form},
    terminal::{self, note},
};

/// Seal a request for the server and print the envelope
///
/// The plaintext is all of standard input, or --text. The session's secret is random and not stored, so the answer to
/// the request can never be opened. To open it, give the secret with --ephemeral-secret-file.
#[derive(clap::Args)]
pub(crate) struct SealArgs {
    /// Seal this text instead of standard input
    ///
    /// Other users of this machine can see arguments in the process list. They cannot see standard input.
    #[arg(long)]
    text: Option<String>,

    #[command(flatten)]
    server_key: ServerKeyArgs,

    /// For debugging only: read the ephemeral secret, 64 hexadecimal digits, from this file; by default it is the value
    /// of APIKEE_EPHEMERAL_SECRET, or random
    ///
    /// Never seal twice with the same secret and nonce in production: the two plaintexts reveal each other, and an
    /// attacker can then forge envelopes.
    #[arg(long, value_name = "PATH")]
    ephemeral_secret_file: Option<PathBuf>,

    /// For debugging only: the nonce, 24 hexadecimal digits; random by default
    ///
    /// Never use it twice with the same secret in production: see --ephemeral-secret-file.
    #[arg(long, value_name = "HEX24")]
    iv: Option<String>,

    /// Print JSON: an object with the envelope as a string
    #[arg(long)]
    json: bool,
}

pub(crate) fn seal(args: &SealArgs) -> Ended {
    let server = args.server_key.get()?;
    let secret = CLIENT.secret(args.ephemeral_secret_file.as_deref())?;
    let iv: Option<[u8; 12]> = match &args.iv {
        Some(digits) => Some(hex(digits.as_bytes()).ok_or("--iv is not 24 hexadecimal digits")?),
        None => None,
    };
    let plaintext = match &args.text {
        Some(text) => text.as_bytes().to_vec(),
        None => exchange::input("the text to seal", MAX_INPUT)?,
    };

    let session = match &secret {
        Some(secret) => Session::establish(&server, &mut Pinned(secret))?,
        None => Session::establish(&server, &mut SysRng)?,
    };
    let mut buf = vec![0; sealed_len(plaintext.len())];
    let (envelope, _) = match &iv {
        Some(iv) => session.seal(&plaintext, &mut Pinned(iv), &mut buf)?,
        None => session.seal(&plaintext, &mut SysRng, &mut buf)?,
    };
    let mut out = io::stdout().lock();
    if args.json {
        report::json_line(out, |members| members.member("envelope", envelope))?;
    } else {
        writeln!(out, "{envelope}")?;
    }
    Ok(Outcome::Good)
}

/// Open an envelope from standard input and print its plaintext; for debugging
///
/// The plaintext is printed unchanged, except at a terminal: there, characters that are not printable are escaped.
///
/// With the client's ephemeral secret and the server's public key, it is opened as an answer to the
/// request that was sealed with that secret. With the server's secret, it is opened as a request.
///
/// Without --request, a request that an attacker sends back is not recognised, and can be opened as an answer.
#[derive(clap::Args)]
pub(crate) struct OpenArgs {
    #[command(flatten)]
    server_key: ServerKeyArgs,

    /// Open an answer: read the client's ephemeral secret, 64 hexadecimal digits, from this file; by default it is the
    /// value of APIKEE_EPHEMERAL_SECRET
    #[arg(long, value_name = "PATH", conflicts_with = "server_secret_file")]
    ephemeral_secret_file: Option<PathBuf>,

    /// Open a request: read the server's secret, 64 hexadecimal digits, from this file; by default it is the value of
    /// APIKEE_SERVER_SECRET
    #[arg(long, value_name = "PATH")]
    server_secret_file: Option<PathBuf>,

    /// Open an answer: read the envelope of its request from this file, and refuse the request itself as an answer
    #[arg(long, value_name = "PATH", conflicts_with = "server_secret_file")]
    request: Option<PathBuf>,

    #[command(flatten)]
    form: Form,
}

/// The side that opens the envelope.
enum Role {
    Client(Pending),
    Server(Recipient),
}

pub(crate) fn open(args: &OpenArgs) -> Ended {
    let role = args.role()?;
    let mut envelope = exchange::input("an envelope", MAX_INPUT)?;
    let opened = role.open(&mut envelope);
    let mut out = io::stdout().lock();
    match &opened {
        _ if args.form.quiet => {}
        _ if args.form.json => as_json(&mut out, &opened)?,
        Ok(plaintext) if out.is_terminal() => out.write_all(terminal::printable(plaintext).as_bytes())?,
        Ok(plaintext) => out.write_all(plaintext)?,
        Err(error) => note(&format!("apikee: {error}")),
    }
    out.flush()?;
    Ok(if opened.is_ok() { Outcome::Good } else { Outcome::Bad })
}

/// A plaintext that is not UTF-8 is written as base64.
fn as_json(out: &mut impl Write, opened: &Result<&[u8], OpenError>) -> io::Result<()> {
    report::json_line(out, |members| {
        members.member("ok", &opened.is_ok())?;
        match opened {
            Err(error) => members.member("message", &error.to_string()),
            Ok(bytes) => match str::from_utf8(bytes) {
                Ok(text) => members.member("plaintext", text),
                Err(_) => {
                    let mut buf = vec![0; Base64::encoded_len(bytes)];
                    let text = Base64::encode(bytes, &mut buf).map_err(io::Error::other)?;
                    members.member("plaintext_base64", text)
                }
            },
        }
    })
}

impl OpenArgs {
    fn role(&self) -> Result<Role, Box<dyn Error>> {
        let client = self.ephemeral_secret_file.as_deref();
        let server = self.server_secret_file.as_deref();
        // A file overrides the variables, also the one of the other side.
        let client = if server.is_none() { CLIENT.secret(client)? } else { None };
        let is_answer = self.ephemeral_secret_file.is_some() || self.request.is_some();
        let server = if is_answer { None } else { SERVER.secret(server)? };
        match (client, server) {
            (Some(secret), None) => self.client(&secret),
            (None, Some(secret)) => Ok(Role::Server(Recipient::new(secret))),
            (Some(_), Some(_)) => Err(format!(
                "both {} and {} are set: unset one, or use {} or {}",
                CLIENT.variable, SERVER.variable, CLIENT.argument, SERVER.argument
            )
            .into()),
            (None, None) if is_answer => Err(format!(
                "there is no secret to open an answer with: set {}, or use {}",
                CLIENT.variable, CLIENT.argument
            )
            .into()),
            (None, None) => Err(format!(
                "there is no secret to open with: set {} or {}, or use {} or {}",
                CLIENT.variable, SERVER.variable, CLIENT.argument, SERVER.argument
            )
            .into()),
        }
    }

    fn client(&self, secret: &[u8; 32]) -> Result<Role, Box<dyn Error>> {
        let session = Session::establish(&self.server_key.get()?, &mut Pinned(secret))?;
        // A `Pending` comes only from sealing a request. This request is never sent, so its known nonce does no harm.
        let mut buf = vec![0; sealed_len(0)];
        let (_, pending) = match self.request.as_deref() {
            Some(path) => session.seal(b"", &mut Pinned(&nonce(path)?), &mut buf)?,
            None => session.seal(b"", &mut SysRng, &mut buf)?,
        };
        Ok(Role::Client(pending))
    }
}

/// The nonce of the request in this file.
fn nonce(path: &Path) -> Result<[u8; 12], Box<dyn Error>> {
    let unusable = |error: &dyn fmt::Display| format!("the request {path:?} cannot be used: {error}");
    let text = exchange::read_file(path, MAX_INPUT).map_err(|error| unusable(&error))?;
    let request: Value = serde_json::from_slice(&text).map_err(|error| unusable(&error))?;
    let mut iv = [0; 12];
    match Base64UrlUnpadded::decode(request["iv"].as_str().unwrap_or_default(), &mut iv) {
        Ok(decoded) if decoded.len() == 12 => Ok(iv),
        _ => Err(unusable(&"it is not an envelope").into()),
    }
}

impl Role {
    fn open(self, envelope: &mut [u8]) -> Result<&[u8], OpenError> {
        Ok(match self {
            Self::Client(pending) => pending.open(envelope)?.into_bytes(),
            Self::Server(recipient) => recipient.open(envelope)?.0,
        })
    }
}
