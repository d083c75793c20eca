//! Puts an answer on the wire, well or not.

use core::{sync::atomic::Ordering, time::Duration};
use std::{
    borrow::ToOwned as _,
    format,
    io::{self, Write as _},
    net::{Shutdown, TcpStream},
    string::{String, ToString as _},
    vec,
    vec::Vec,
};

use serde_json::{Value, json};
use socket2::SockRef;

use super::{
    Misbehaviour,
    handle::{Answer, Platform},
    http,
    server::Stop,
};
use crate::{Recipient, Reply, SealError, Sealing, ServerKey, Session, SysRng, sealed_len};

pub(super) const JSON: &str = "application/json";

/// What goes over the wire, and how.
pub(super) struct Message {
    /// `None` if nothing does.
    pub(super) status: Option<u16>,
    head: String,
    body: Vec<u8>,
    manner: Manner,
}

enum Manner {
    Whole,
    After(Duration),
    Drip(Duration),
    /// Then closes.
    Half,
    WholeThenClose,
    Close,
    Reset,
}

/// Makes the answer, or what is sent in its place.
pub(super) fn compose(platform: &Platform, answer: Answer, how: Option<&Misbehaviour>, request: &[u8]) -> Message {
    use Misbehaviour as M;
    let error = |status: u16| (status, json!({ "error": "MISBEHAVIOUR" }).to_string().into_bytes());
    let retry_after = answer.retry_after;
    let answered = answer.status;
    let mut more = vec![];
    let (status, body) = match how {
        Some(M::Status(status)) => error(*status),
        Some(M::Unavailable { retry_after }) => {
            more.push(("Retry-After", retry_after.to_string()));
            error(503)
        }
        Some(M::Redirect(location)) => {
            more.push(("Location", location.clone()));
            error(307)
        }
        Some(M::Garbage) => (200, b"<html>It works!</html>".to_vec()),
        Some(M::Oversized(len)) => (200, format!(r#"{{"pad":"{}"}}"#, "x".repeat(len.saturating_sub(10))).into_bytes()),
        Some(M::Reflected) => (200, reflected(platform, request)),
        _ => {
            more.extend(retry_after.map(|secs| ("Retry-After", secs.to_string())));
            body(platform, answer, how, request).map_or_else(|_| error(500), |body| (answered, body))
        }
    };
    let (status, manner) = match how {
        Some(M::Reset) => (None, Manner::Reset),
        Some(M::HangUp) => (None, Manner::Close),
        Some(M::CloseIdle) => (Some(status), Manner::WholeThenClose),
        Some(M::Truncate) => (Some(status), Manner::Half),
        Some(M::Delay(time)) => (Some(status), Manner::After(*time)),
        Some(M::Drip { every }) => (Some(status), Manner::Drip(*every)),
        _ => (Some(status), Manner::Whole),
    };
    let more: Vec<_> = more.iter().map(|(name, value)| (*name, value.as_str())).collect();
    Message { status, head: http::head(status.unwrap_or(200), JSON, body.len(), &more), body, manner }
}

/// The answer's body, sealed if it is one that is.
fn body(platform: &Platform, answer: Answer, how: Option<&Misbehaviour>, request: &[u8]) -> Result<Vec<u8>, SealError> {
    let Answer { json, reply, .. } = answer;
    let sealed = reply.filter(|_| platform.settings.sealing == Sealing::Required);
    let refusal = json!({ "success": false });
    match (how, sealed) {
        (Some(Misbehaviour::Refuse), Some(reply)) => seal(&refusal, reply),
        (Some(Misbehaviour::Refuse), None) if answer.status == 200 => Ok(text(&refusal)),
        (Some(Misbehaviour::Forged), Some(reply)) => seal(&json, reply).map(forge),
        (Some(Misbehaviour::Impostor), Some(reply)) => impostor(request).map_or_else(|| seal(&json, reply), Ok),
        (Some(Misbehaviour::Replayed), Some(reply)) => {
            seal(&json, to_another_request(&platform.recipient).unwrap_or(reply))
        }
        (Some(Misbehaviour::Forged), None) => Ok(text(&about_another_client(json))),
        (Some(Misbehaviour::Replayed), None) => Ok(text(&about_another_request(json))),
        (Some(Misbehaviour::Impostor), None) if answer.status == 200 => {
            Ok(impostor(request).unwrap_or_else(|| text(&json!({ "success": true }))))
        }
        (Some(Misbehaviour::Unsealed), _) | (_, None) => Ok(text(&json)),
        (_, Some(reply)) => seal(&json, reply),
    }
}

fn text(json: &Value) -> Vec<u8> {
    json.to_string().into_bytes()
}

fn seal(json: &Value, reply: Reply) -> Result<Vec<u8>, SealError> {
    let json = text(json);
    let mut buf = vec![0; sealed_len(json.len())];
    Ok(reply.seal(&json, &mut SysRng, &mut buf)?.as_bytes().to_owned())
}

/// Changes the first character of the ciphertext, which holds no padding bits: another one is as
/// canonical.
fn forge(mut envelope: Vec<u8>) -> Vec<u8> {
    const CT: &[u8] = br#""ct":""#;
    let at = envelope.windows(CT.len()).position(|part| part == CT).unwrap_or_default();
    if let Some(first) = envelope.get_mut(at.saturating_add(CT.len())) {
        *first = if *first == b'A' { b'B' } else { b'A' };
    }
    envelope
}

/// By turns as it came and with our key instead of the client's.
fn reflected(platform: &Platform, request: &[u8]) -> Vec<u8> {
    let with_our_key = platform.reflects_with_our_key.fetch_xor(true, Ordering::Relaxed);
    let changed = with_our_key.then(|| with_key_of(&platform.recipient, request)).flatten();
    changed.unwrap_or_else(|| request.to_vec())
}

/// The same envelope, but that it names our key. `None` if it is not an envelope.
fn with_key_of(recipient: &Recipient, envelope: &[u8]) -> Option<Vec<u8>> {
    let text = core::str::from_utf8(envelope).ok()?;
    let parsed: Value = serde_json::from_str(text).ok()?;
    let key = ServerKey::from_bytes(*recipient.public_key()).ok()?;
    Some(text.replacen(parsed.get("epk")?.as_str()?, &key.to_string(), 1).into_bytes())
}

/// A plain answer with another id of the client than the right one.
fn about_another_client(mut answer: Value) -> Value {
    for member in ["clientId", "id"] {
        if let Some(Value::String(id)) = answer.get_mut(member) {
            let other = if id.starts_with('0') { "1" } else { "0" };
            id.replace_range(..1, other);
        }
    }
    answer
}

/// A plain answer to another request of another client.
fn about_another_request(answer: Value) -> Value {
    let mut answer = about_another_client(answer);
    if let Some(method_path) = answer.get_mut("method_path") {
        *method_path = "GET:::/another/request".into();
    }
    answer
}

/// What anyone can make of the request's `epk`, who takes it for a server's key.
fn impostor(request: &[u8]) -> Option<Vec<u8>> {
    let request: Value = serde_json::from_slice(request).ok()?;
    let client: ServerKey = request.get("epk")?.as_str()?.parse().ok()?;
    let json = text(&json!({ "success": true }));
    let mut buf = vec![0; sealed_len(json.len())];
    let (envelope, _) = Session::establish(&client, &mut SysRng).ok()?.seal(&json, &mut SysRng, &mut buf).ok()?;
    Some(envelope.as_bytes().to_owned())
}

/// What seals answers to a request that nobody has sent.
fn to_another_request(recipient: &Recipient) -> Option<Reply> {
    let server = ServerKey::from_bytes(*recipient.public_key()).ok()?;
    let mut buf = vec![0; sealed_len(0)];
    Session::establish(&server, &mut SysRng).ok()?.seal(&[], &mut SysRng, &mut buf).ok()?;
    recipient.open(&mut buf).ok().map(|(_, reply)| reply)
}

impl Message {
    /// A message that nothing goes wrong with.
    pub(super) fn of(status: u16, media_type: &str, body: Vec<u8>, more: &[(&str, &str)]) -> Self {
        let head = http::head(status, media_type, body.len(), more);
        Self { status: Some(status), head, body, manner: Manner::Whole }
    }

    /// Sends it. Returns whether the connection may go on.
    pub(super) fn send(self, mut stream: &TcpStream, stop: &Stop) -> io::Result<bool> {
        let whole = || [self.head.as_bytes(), &self.body].concat();
        match self.manner {
            Manner::Whole => stream.write_all(&whole())?,
            Manner::After(time) => {
                if stop.wait(time) {
                    return Ok(false);
                }
                stream.write_all(&whole())?;
            }
            Manner::Drip(every) => {
                for byte in whole() {
                    stream.write_all(&[byte])?;
                    if stop.wait(every) {
                        return Ok(false);
                    }
                }
            }
            Manner::Half => {
                let (half, _) = self.body.split_at_checked(self.body.len() / 2).unwrap_or_default();
                stream.write_all(&[self.head.as_bytes(), half].concat())?;
                return Ok(false);
            }
            Manner::WholeThenClose => {
                stream.write_all(&whole())?;
                return Ok(false);
            }
            Manner::Close => {
                stream.shutdown(Shutdown::Both)?;
                return Ok(false);
            }
            // With no time to linger, closing is resetting; whoever owns the stream closes it.
            Manner::Reset => {
                SockRef::from(stream).set_linger(Some(Duration::ZERO))?;
                return Ok(false);
            }
        }
        Ok(true)
    }
}
