//! Envelopes, from both sides.

use apikee::{Answer, Pending, Recipient, ServerKey, Session, sealed_len};
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
            let request = copied(envelope, b)?;
            let (opened, _) =
                Recipient::new(*server_private).open(request).map_err(|_| "the server does not open it")?;
            if opened == plaintext.as_bytes() { Ok(()) } else { Err("the server reads something else") }
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

/// A pending answer; which nonce its request had makes no difference.
fn pending(server: &ServerKey, ephemeral: &[u8], buf: &mut [u8]) -> Result<Pending, &'static str> {
    let sealed = establish(server, ephemeral)?.seal(b"{}", &mut Pinned(&[7; 12]), buf);
    Ok(sealed.map_err(|_| "it does not seal")?.1)
}

fn copied<'b>(text: &str, buf: &'b mut [u8]) -> Result<&'b mut [u8], &'static str> {
    let place = buf.get_mut(..text.len()).ok_or("a buffer is too small")?;
    place.copy_from_slice(text.as_bytes());
    Ok(place)
}
