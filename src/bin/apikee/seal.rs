//! `apikee seal`: a request's envelope, alone on standard output.

use std::{
    io::{self, Write as _},
    path::PathBuf,
};

use apikee::{Session, sealed_len};
use getrandom::SysRng;

use crate::{
    Ended, Outcome,
    exchange::{self, CLIENT, ServerKeyArgs, hex},
    pinned::Pinned,
};

/// Seal a request for the server and print the envelope
///
/// The plaintext is standard input, every byte of it, or --text. The session's secret is drawn and
/// forgotten, unless it is pinned: without a pinned secret the answer to the request can never be
/// opened.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Seal this text instead of standard input
    ///
    /// Other users of this machine can see an argument in the process list. Standard input they
    /// cannot see.
    #[arg(long)]
    text: Option<String>,

    #[command(flatten)]
    server_key: ServerKeyArgs,

    /// For debugging only: read the ephemeral secret, 64 hexadecimal digits, from this file; without
    /// it, it is taken from APIKEE_EPHEMERAL_SECRET, or drawn
    ///
    /// A secret and a nonce that are pinned must never be used twice for real: two plaintexts under
    /// the same pair give each other away, and envelopes can then be forged.
    #[arg(long, value_name = "PATH")]
    ephemeral_secret_file: Option<PathBuf>,

    /// For debugging only: the nonce, 24 hexadecimal digits; without it, it is drawn
    ///
    /// As for --ephemeral-secret-file: never twice for real.
    #[arg(long, value_name = "HEX24")]
    iv: Option<String>,
}

pub(crate) fn run(args: &Args) -> Ended {
    let server = args.server_key.get()?;
    let secret = match &args.ephemeral_secret_file {
        Some(path) => Some(CLIENT.in_file(path)?),
        None => CLIENT.in_environment()?,
    };
    let iv: Option<[u8; 12]> = match &args.iv {
        Some(digits) => Some(hex(digits.as_bytes()).ok_or("--iv is not 24 hexadecimal digits")?),
        None => None,
    };
    let plaintext = match &args.text {
        Some(text) => text.as_bytes().to_vec(),
        None => exchange::input()?,
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
    writeln!(io::stdout().lock(), "{envelope}")?;
    Ok(Outcome::Good)
}
