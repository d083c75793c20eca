//! Envelopes, from both sides.

use core::ops::Range;

use apikee::{
    envelope::{OpenError, Pending, Recipient, ServerKey, Session, sealed_len},
    protocol::Answer,
};
use apikee_bare_metal::rng::Pinned;

use super::{Buffers, Outcome};

pub struct EnvelopeCase {
    pub name: &'static str,
    pub server_public: &'static str,
    pub kind: Kind,
}

pub enum Kind {
    Request {
        server_private: [u8; 32],
        ephemeral: [u8; 32],
        iv: [u8; 12],
        plaintext: &'static str,
        envelope: &'static str,
    },
    /// It opens to the plaintext, or not at all.
    Response {
        ephemeral: [u8; 32],
        envelope: &'static str,
        plaintext: Option<&'static str>,
    },
    Answer {
        ephemeral: [u8; 32],
        envelope: &'static str,
        ok: bool,
    },
    ServerKey {
        ok: bool,
    },
}

/// Where an envelope that we have sealed names the key.
const EPK: Range<usize> = 16..59;
const SHORT: &str = "the envelope is too short to name a key";

pub fn check(case: &EnvelopeCase, Buffers { a, b }: &mut Buffers) -> Outcome {
    let server: Result<ServerKey, _> = case.server_public.parse();
    if let Kind::ServerKey { ok } = case.kind {
        return if server.is_ok() == ok { Ok(()) } else { Err("the server's key is judged wrongly") };
    }
    let server = server.map_err(|_| "the server's key is refused")?;
    match &case.kind {
        Kind::ServerKey { .. } => Ok(()),
        Kind::Request { server_private, ephemeral, iv, plaintext, envelope } => {
            let session = establish(&server, ephemeral)?;
            let buf = a.get_mut(..sealed_len(plaintext.len())).ok_or("a buffer is too small")?;
            let sealed = session.seal(plaintext.as_bytes(), &mut Pinned(iv), buf).map_err(|_| "it does not seal")?;
            if sealed.0 != *envelope {
                return Err("it is sealed as something else");
            }
            let pending = sealed.1;
            let request = copied(envelope, b)?;
            let (opened, reply) =
                Recipient::new(*server_private).open(request).map_err(|_| "the server does not open it")?;
            if opened != plaintext.as_bytes() {
                return Err("the server reads something else");
            }
            // The request with the key that answers name instead of its own.
            let answer = reply.seal(b"", &mut Pinned(&[7; 12]), a).map_err(|_| "it does not seal an answer")?;
            let reflected = copied(envelope, b)?;
            reflected.get_mut(EPK).ok_or(SHORT)?.copy_from_slice(answer.as_bytes().get(EPK).ok_or(SHORT)?);
            match pending.open(reflected) {
                Err(OpenError::Reflected) => Ok(()),
                Err(_) => Err("it is refused for another reason than that it is reflected"),
                Ok(_) => Err("it opens as its own answer"),
            }
        }
        Kind::Response { ephemeral, envelope, plaintext } => {
            match (pending(&server, ephemeral, a)?.open(copied(envelope, b)?), plaintext) {
                (Ok(opened), Some(plaintext)) if opened.as_bytes() == plaintext.as_bytes() => Ok(()),
                (Err(_), None) => Ok(()),
                (Ok(_), Some(_)) => Err("it opens to something else"),
                (Ok(_), None) => Err("it opens"),
                (Err(_), Some(_)) => Err("it does not open"),
            }
        }
        Kind::Answer { ephemeral, envelope, ok } => {
            let opened = pending(&server, ephemeral, a)?.open(copied(envelope, b)?).map_err(|_| "it does not open")?;
            if Answer::read_opened(opened).is_ok() == *ok { Ok(()) } else { Err("the verdict is read wrongly") }
        }
    }
}

fn establish(server: &ServerKey, ephemeral: &[u8]) -> Result<Session, &'static str> {
    Session::establish(server, &mut Pinned(ephemeral)).map_err(|_| "there is no session")
}

/// A pending answer; its request has a nonce that no vector has.
fn pending(server: &ServerKey, ephemeral: &[u8], buf: &mut [u8]) -> Result<Pending, &'static str> {
    let sealed = establish(server, ephemeral)?.seal(b"{}", &mut Pinned(&[7; 12]), buf);
    Ok(sealed.map_err(|_| "it does not seal")?.1)
}

fn copied<'b>(text: &str, buf: &'b mut [u8]) -> Result<&'b mut [u8], &'static str> {
    let place = buf.get_mut(..text.len()).ok_or("a buffer is too small")?;
    place.copy_from_slice(text.as_bytes());
    Ok(place)
}
