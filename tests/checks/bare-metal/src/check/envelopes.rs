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
    /// Must open to the plaintext. `None`: must not open.
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

/// The position of the key in an envelope that we have sealed.
const EPK: Range<usize> = 16..59;
const SHORT: &str = "the envelope is too short to contain a key";

pub fn check(case: &EnvelopeCase, Buffers { a, b }: &mut Buffers) -> Outcome {
    let server: Result<ServerKey, _> = case.server_public.parse();
    if let Kind::ServerKey { ok } = case.kind {
        return if server.is_ok() == ok { Ok(()) } else { Err("a bad server key is accepted, or a good one refused") };
    }
    let server = server.map_err(|_| "the server's key is refused")?;
    match &case.kind {
        Kind::ServerKey { .. } => Ok(()),
        Kind::Request { server_private, ephemeral, iv, plaintext, envelope } => {
            let session = establish(&server, ephemeral)?;
            let buf = a.get_mut(..sealed_len(plaintext.len())).ok_or("a buffer is too small")?;
            let sealed = session.seal(plaintext.as_bytes(), &mut Pinned(iv), buf).map_err(|_| "sealing fails")?;
            if sealed.0 != *envelope {
                return Err("the envelope differs");
            }
            let pending = sealed.1;
            let request = copied(envelope, b)?;
            let (opened, reply) =
                Recipient::new(*server_private).open(request).map_err(|_| "the server cannot open the request")?;
            if opened != plaintext.as_bytes() {
                return Err("the server reads another plaintext");
            }
            // The request, in which the key that answers contain replaces its own.
            let answer = reply.seal(b"", &mut Pinned(&[7; 12]), a).map_err(|_| "sealing an answer fails")?;
            let reflected = copied(envelope, b)?;
            reflected.get_mut(EPK).ok_or(SHORT)?.copy_from_slice(answer.as_bytes().get(EPK).ok_or(SHORT)?);
            match pending.open(reflected) {
                Err(OpenError::Reflected) => Ok(()),
                Err(_) => Err("the reflected request is refused for another reason"),
                Ok(_) => Err("the reflected request opens as an answer"),
            }
        }
        Kind::Response { ephemeral, envelope, plaintext } => {
            match (pending(&server, ephemeral, a)?.open(copied(envelope, b)?), plaintext) {
                (Ok(opened), Some(plaintext)) if opened.as_bytes() == plaintext.as_bytes() => Ok(()),
                (Err(_), None) => Ok(()),
                (Ok(_), Some(_)) => Err("the answer opens to another plaintext"),
                (Ok(_), None) => Err("a bad answer opens"),
                (Err(_), Some(_)) => Err("a good answer does not open"),
            }
        }
        Kind::Answer { ephemeral, envelope, ok } => {
            let opened = pending(&server, ephemeral, a)?
                .open(copied(envelope, b)?)
                .map_err(|_| "a good answer does not open")?;
            if Answer::read_opened(opened).is_ok() == *ok { Ok(()) } else { Err("the verdict is read wrong") }
        }
    }
}

fn establish(server: &ServerKey, ephemeral: &[u8]) -> Result<Session, &'static str> {
    Session::establish(server, &mut Pinned(ephemeral)).map_err(|_| "a session cannot be established")
}

/// A pending answer. The nonce of its request is in no vector.
fn pending(server: &ServerKey, ephemeral: &[u8], buf: &mut [u8]) -> Result<Pending, &'static str> {
    let sealed = establish(server, ephemeral)?.seal(b"{}", &mut Pinned(&[7; 12]), buf);
    Ok(sealed.map_err(|_| "sealing fails")?.1)
}

fn copied<'b>(text: &str, buf: &'b mut [u8]) -> Result<&'b mut [u8], &'static str> {
    let place = buf.get_mut(..text.len()).ok_or("a buffer is too small")?;
    place.copy_from_slice(text.as_bytes());
    Ok(place)
}
