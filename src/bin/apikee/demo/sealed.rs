//! A request and its answer in envelopes, with keys and nonces that are the same every time.

use std::{
    error::Error,
    io::{self, Write as _},
};

use apikee::{OpenError, Pending, Recipient, ServerKey, Session, sealed_len};

use super::{Stage, changed};
use crate::pinned::Pinned;

const SERVER_SECRET: [u8; 32] = [0x5e; 32];
const EPHEMERAL_SECRET: [u8; 32] = [0xe9; 32];
const REQUEST_IV: [u8; 12] = [1; 12];
const ANSWER_IV: [u8; 12] = [2; 12];

const REQUEST: &[u8] = br#"{"name":"default","timestamp":"2025-10-09T08:53:20Z","headers":{}}"#;
const ANSWER: &[u8] = br#"{"success":true}"#;

pub(super) fn show(stage: &mut Stage) -> Result<(), Box<dyn Error>> {
    stage.heading("A request is sealed for the server, and its answer for the client")?;
    let recipient = Recipient::new(SERVER_SECRET);
    let server = ServerKey::from_bytes(*recipient.public_key())?;

    let (request, pending) = seal(&server)?;
    writeln!(stage.out, "  {request}\n")?;
    let mut arrived = request.clone().into_bytes();
    let (plaintext, reply) = recipient.open(&mut arrived)?;
    opened(stage, "the request, at the server", "ok", Ok(plaintext), REQUEST)?;

    let mut buf = vec![0; sealed_len(ANSWER.len())];
    let answer = reply.seal(ANSWER, &mut Pinned(&ANSWER_IV), &mut buf)?;
    at_client(stage, "its answer, at the client", "ok", pending, answer)?;
    // A pending opens one answer: each of these is the first for its own.
    at_client(stage, "the request, reflected", "WrongKey", seal(&server)?.1, &request)?;
    let ciphertext = answer.find(r#""ct":""#).map_or(0, |member| member + r#""ct":""#.len());
    at_client(stage, "the answer, changed", "Forged", seal(&server)?.1, &changed(answer, ciphertext))
}

/// The request, and what opens its answer.
fn seal(server: &ServerKey) -> Result<(String, Pending), Box<dyn Error>> {
    let session = Session::establish(server, &mut Pinned(&EPHEMERAL_SECRET))?;
    let mut buf = vec![0; sealed_len(REQUEST.len())];
    let (request, pending) = session.seal(REQUEST, &mut Pinned(&REQUEST_IV), &mut buf)?;
    Ok((request.to_owned(), pending))
}

fn at_client(stage: &mut Stage, tried: &str, told: &str, pending: Pending, answer: &str) -> Result<(), Box<dyn Error>> {
    let mut arrived = answer.as_bytes().to_vec();
    let came = pending.open(&mut arrived);
    Ok(opened(stage, tried, told, came.as_ref().map(|opened| opened.as_bytes()).map_err(|error| *error), ANSWER)?)
}

/// A line on what came of opening, which is `"ok"` only for the plaintext that was sealed.
fn opened(stage: &mut Stage, tried: &str, told: &str, came: Result<&[u8], OpenError>, sealed: &[u8]) -> io::Result<()> {
    match came {
        Ok(plaintext) if plaintext == sealed => {
            stage.outcome(tried, told, "ok", format_args!("{} bytes", plaintext.len()))
        }
        Ok(_) => stage.outcome(tried, told, "another plaintext", ""),
        Err(error) => stage.outcome(tried, told, &format!("{error:?}"), error),
    }
}
