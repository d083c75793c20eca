//! Runs the vectors of envelopes: request, response, answer and server-key.

use apikee::{
    envelope::{OpenError, Pending, Recipient, ServerKey, Session, sealed_len},
    protocol::Answer,
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use rand_core::{TryCryptoRng, TryRng};
use serde_json::Value;

/// A generator that returns the bytes fixed by a vector, and fails after the last one.
struct Pinned(Vec<u8>);

impl TryRng for Pinned {
    type Error = core::fmt::Error;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Err(core::fmt::Error)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Err(core::fmt::Error)
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        let rest = self.0.split_off(out.len().min(self.0.len()));
        let drawn = std::mem::replace(&mut self.0, rest);
        if drawn.len() != out.len() {
            return Err(core::fmt::Error);
        }
        out.copy_from_slice(&drawn);
        Ok(())
    }
}

impl TryCryptoRng for Pinned {}

/// `None` for an unknown kind.
pub fn run(kind: &str, vector: &Value) -> Option<Result<(), String>> {
    match kind {
        "request" => Some(request(vector)),
        "response" => Some(response(vector)),
        "answer" => Some(answer(vector)),
        "server-key" => Some(server_key(vector)),
        _ => None,
    }
}

fn text<'v>(vector: &'v Value, name: &str) -> Result<&'v str, String> {
    vector[name].as_str().ok_or_else(|| format!("no {name}"))
}

fn hex(vector: &Value, name: &str) -> Result<Vec<u8>, String> {
    let text = text(vector, name)?;
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).map_err(|e| e.to_string())).collect()
}

fn session(vector: &Value) -> Result<Session, String> {
    let server: ServerKey = text(vector, "server_public")?.parse().map_err(|e| format!("{e}"))?;
    Session::establish(&server, &mut Pinned(hex(vector, "ephemeral_private")?)).map_err(|e| e.to_string())
}

/// Waits for an answer. Its request has a nonce that no vector has.
fn pending(vector: &Value) -> Result<Pending, String> {
    let mut buf = vec![0; sealed_len(2)];
    let (_, pending) = session(vector)?.seal(b"{}", &mut Pinned(vec![7; 12]), &mut buf).map_err(|e| e.to_string())?;
    Ok(pending)
}

fn request(vector: &Value) -> Result<(), String> {
    let (plaintext, envelope) = (text(vector, "plaintext")?, text(vector, "envelope")?);
    let mut buf = vec![0; sealed_len(plaintext.len())];
    let iv = &mut Pinned(hex(vector, "iv")?);
    let (sealed, pending) = session(vector)?.seal(plaintext.as_bytes(), iv, &mut buf).map_err(|e| e.to_string())?;
    if sealed != envelope {
        return Err(format!("sealed as {sealed}"));
    }
    let secret = hex(vector, "server_private")?.try_into().map_err(|_| "no 32 bytes")?;
    let recipient = Recipient::new(secret);
    let mut request = envelope.as_bytes().to_vec();
    let (opened, _) = recipient.open(&mut request).map_err(|e| e.to_string())?;
    if opened != plaintext.as_bytes() {
        return Err("the server reads something else".into());
    }
    let server: ServerKey = text(vector, "server_public")?.parse().map_err(|e| format!("{e}"))?;
    let parsed: Value = serde_json::from_str(envelope).map_err(|e| e.to_string())?;
    let mut reflected = envelope.replace(text(&parsed, "epk")?, &BASE64.encode(server.as_bytes())).into_bytes();
    match pending.open(&mut reflected) {
        Err(OpenError::Reflected) => Ok(()),
        opened => Err(format!("sent back with the server's key: {opened:?}")),
    }
}

fn response(vector: &Value) -> Result<(), String> {
    let mut body = text(vector, "envelope")?.as_bytes().to_vec();
    let opened = pending(vector)?.open(&mut body);
    match (opened, vector["ok"].as_bool()) {
        (Ok(opened), Some(true)) if opened.as_bytes() == text(vector, "plaintext")?.as_bytes() => Ok(()),
        (Err(_), Some(false)) => Ok(()),
        (opened, _) => Err(format!("{opened:?}")),
    }
}

fn answer(vector: &Value) -> Result<(), String> {
    let mut body = text(vector, "envelope")?.as_bytes().to_vec();
    let opened = pending(vector)?.open(&mut body).map_err(|e| e.to_string())?;
    match (Answer::read_opened(opened), vector["ok"].as_bool()) {
        (Ok(_), Some(true)) | (Err(_), Some(false)) => Ok(()),
        (answer, _) => Err(format!("{answer:?}")),
    }
}

fn server_key(vector: &Value) -> Result<(), String> {
    let key = text(vector, "server_public")?.parse::<ServerKey>();
    if Some(key.is_ok()) == vector["ok"].as_bool() { Ok(()) } else { Err(format!("{key:?}")) }
}
