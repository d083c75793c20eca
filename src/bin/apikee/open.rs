//! `apikee open`: the plaintext of an envelope, exactly, on standard output.

use std::{
    error::Error,
    io::{self, Write as _},
    path::PathBuf,
};

use apikee::{OpenError, Pending, Recipient, Session, sealed_len};

use crate::{
    Ended, Outcome,
    exchange::{self, CLIENT, SERVER, ServerKeyArgs},
    note,
    pinned::Pinned,
};

/// Open an envelope from standard input and print its plaintext; for debugging
///
/// With the client's ephemeral secret and the server's public key, it is opened as an answer to the
/// request that was sealed with that secret. With the server's secret, it is opened as a request.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    server_key: ServerKeyArgs,

    /// Open an answer: read the client's ephemeral secret, 64 hexadecimal digits, from this file;
    /// without any file, it is taken from APIKEE_EPHEMERAL_SECRET
    #[arg(long, value_name = "PATH", conflicts_with = "server_secret_file")]
    ephemeral_secret_file: Option<PathBuf>,

    /// Open a request: read the server's secret, 64 hexadecimal digits, from this file; without any
    /// file, it is taken from APIKEE_SERVER_SECRET
    #[arg(long, value_name = "PATH")]
    server_secret_file: Option<PathBuf>,
}

/// Whose eyes the envelope is read with.
enum Role {
    Client(Pending),
    Server(Recipient),
}

pub(crate) fn run(args: &Args) -> Ended {
    let role = args.role()?;
    let mut envelope = exchange::input()?;
    match role.open(&mut envelope) {
        Ok(plaintext) => {
            let mut out = io::stdout().lock();
            out.write_all(plaintext)?;
            out.flush()?;
            Ok(Outcome::Good)
        }
        Err(error) => {
            note(&format!("apikee: {error}"));
            Ok(Outcome::Bad)
        }
    }
}

impl Args {
    fn role(&self) -> Result<Role, Box<dyn Error>> {
        if let Some(path) = &self.ephemeral_secret_file {
            return self.client(&CLIENT.in_file(path)?);
        }
        if let Some(path) = &self.server_secret_file {
            return server(SERVER.in_file(path)?);
        }
        match (CLIENT.in_environment()?, SERVER.in_environment()?) {
            (Some(secret), None) => self.client(&secret),
            (None, Some(secret)) => server(secret),
            (Some(_), Some(_)) => Err(format!(
                "both {} and {} are set: unset one, or use {} or {}",
                CLIENT.variable, SERVER.variable, CLIENT.argument, SERVER.argument
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
        // Only who has sealed a request may open its answer. This request goes nowhere, so its nonce
        // does no harm.
        let (_, pending) = session.seal(b"", &mut Pinned(&[0; 12]), &mut vec![0; sealed_len(0)])?;
        Ok(Role::Client(pending))
    }
}

fn server(secret: [u8; 32]) -> Result<Role, Box<dyn Error>> {
    Ok(Role::Server(Recipient::new(secret)))
}

impl Role {
    fn open(self, envelope: &mut [u8]) -> Result<&[u8], OpenError> {
        Ok(match self {
            Self::Client(pending) => pending.open(envelope)?.into_bytes(),
            Self::Server(recipient) => recipient.open(envelope)?.0,
        })
    }
}
