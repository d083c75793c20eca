//! Faults on demand: their kinds, when they happen, and what is sent then.

use core::{
    fmt,
    str::FromStr,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};
use std::{
    borrow::ToOwned as _,
    format,
    string::{String, ToString as _},
    vec,
    vec::Vec,
};

use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde_json::{Value, json};

use super::{
    clock::split_mix,
    http::{JSON, Manner, Message},
};
use crate::{
    SysRng,
    envelope::{Recipient, Reply, SealError, ServerKey, Session, sealed_len},
};

/// A fault in an answer.
///
/// The request is handled in any case: it is in the log, a client is created, and the request counts for the limits.
/// Faults that change a right answer leave refusals with a status other than 200 unchanged. `Forged` and `Replayed`
/// also leave plain answers without an id unchanged: lists and endpoints.
///
/// Each has a name. `Display` writes it, `FromStr` parses it, and the command `apikee platform` accepts it:
///
/// ```
/// use std::time::Duration;
///
/// use apikee::emulator::Misbehaviour;
///
/// assert_eq!("delay:1500ms".parse(), Ok(Misbehaviour::Delay(Duration::from_millis(1500))));
/// assert_eq!(Misbehaviour::Unavailable { retry_after: 5 }.to_string(), "unavailable:5");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Misbehaviour {
    /// This HTTP status instead of the answer, with a short JSON body. Do not use a status that cannot have a body.
    Status(u16),
    /// Status 503 with a header `Retry-After` of this many seconds.
    Unavailable {
        /// The number of seconds.
        retry_after: u32,
    },
    /// The right answer, after this time.
    Delay(Duration),
    /// The right answer, one byte at a time from the status line on.
    Drip {
        /// The time between two bytes.
        every: Duration,
    },
    /// No answer: the connection is reset (TCP RST).
    Reset,
    /// No answer: the connection is closed regularly (TCP FIN).
    HangUp,
    /// The right answer. Then the connection is closed without a `Connection: close`, so that the client believes it is
    /// kept alive.
    CloseIdle,
    /// The right `Content-Length`, but only the first half of the body. Then the connection is closed.
    Truncate,
    /// Status 200 with a body that is not JSON.
    Garbage,
    /// The right sealed answer with a changed first character of the ciphertext. A plain answer names another client.
    Forged,
    /// `"success":true` from an attacker who has seen the request but has another key. It is sealed for the client, so
    /// it can be opened by a client that does not pin the server's key. The answer to a plain request is not sealed,
    /// and cannot be distinguished from a right answer.
    Impostor,
    /// A genuine answer of the emulator to another request: sealed for that request, or, if answers are plain, about
    /// another client and route.
    Replayed,
    /// The request's own body. The first time it is unchanged; the second time the server's public key replaces the
    /// client's, and so on in turns. The second kind deceives a client that pins the server's key but does not check
    /// the nonce. A body that is not sealed is always returned unchanged.
    Reflected,
    /// The right answer without its envelope.
    Unsealed,
    /// Status 200 with a JSON object of this many bytes, at least 10 and at most 16 MiB.
    Oversized(usize),
    /// Status 307 with this header `Location`. Control characters are removed.
    Redirect(String),
    /// The platform's own refusal, `{"success":false}`, sealed like the right answer.
    Refuse,
}

/// The maximum number of bytes of an oversized answer, which is built in memory.
const MAX_OVERSIZED: usize = 16 * 1024 * 1024;

impl Misbehaviour {
    /// The misbehaviours whose name is a single word.
    const PLAIN: [(&str, Self); 11] = [
        ("reset", Self::Reset),
        ("hang-up", Self::HangUp),
        ("close-idle", Self::CloseIdle),
        ("truncate", Self::Truncate),
        ("garbage", Self::Garbage),
        ("refuse", Self::Refuse),
        ("forged", Self::Forged),
        ("impostor", Self::Impostor),
        ("replayed", Self::Replayed),
        ("reflected", Self::Reflected),
        ("unsealed", Self::Unsealed),
    ];

    /// One of each kind, as choices for people.
    pub(super) fn examples() -> impl Iterator<Item = Self> {
        let before = [
            Self::Status(503),
            Self::Status(429),
            Self::Unavailable { retry_after: 5 },
            Self::Delay(Duration::from_millis(500)),
            Self::Drip { every: Duration::from_millis(10) },
        ];
        let after = [Self::Oversized(100_000), Self::Redirect("http://127.0.0.1/".into())];
        before.into_iter().chain(Self::PLAIN.map(|(_, plain)| plain)).chain(after)
    }
}

/// Writes the name that `FromStr` parses.
impl fmt::Display for Misbehaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = |f: &mut fmt::Formatter<'_>, time: &Duration| {
            let micros = time.as_micros();
            if micros.is_multiple_of(1000) { write!(f, ":{}ms", time.as_millis()) } else { write!(f, ":{micros}us") }
        };
        match self {
            Self::Status(status) => write!(f, "status:{status}"),
            Self::Unavailable { retry_after } => write!(f, "unavailable:{retry_after}"),
            Self::Delay(by) => f.write_str("delay").and_then(|()| time(f, by)),
            Self::Drip { every } => f.write_str("drip").and_then(|()| time(f, every)),
            Self::Oversized(bytes) => write!(f, "oversized:{bytes}"),
            Self::Redirect(location) => write!(f, "redirect:{location}"),
            plain => {
                let name = Self::PLAIN.iter().find(|(_, own)| own == plain).map(|(name, _)| *name);
                debug_assert!(name.is_some(), "{plain:?} is in the table");
                f.write_str(name.unwrap_or_default())
            }
        }
    }
}

/// Parses a name: `status:503`, `unavailable:SECONDS`, `delay:500ms`, `drip` or `drip:10ms`, `reset`, `hang-up`,
/// `close-idle`, `truncate`, `garbage`, `forged`, `impostor`, `replayed`, `reflected`, `unsealed`, `oversized:BYTES`,
/// `redirect:URL` or `refuse`. A time is a whole number with `us`, `ms`, `s`, `m` or `h`.
impl FromStr for Misbehaviour {
    type Err = InvalidMisbehaviour;

    fn from_str(text: &str) -> Result<Self, InvalidMisbehaviour> {
        let Some((name, value)) = text.split_once(':') else {
            let mut named = Self::PLAIN.into_iter().chain([("drip", Self::Drip { every: Duration::from_millis(10) })]);
            let unknown = InvalidMisbehaviour(NAMES);
            return named.find(|(name, _)| *name == text).map(|(_, found)| found).ok_or(unknown);
        };
        let bad = InvalidMisbehaviour;
        Ok(match name {
            "status" => {
                let status = value.parse().ok().filter(|status| (200..=599).contains(status));
                Self::Status(status.ok_or(bad("it needs a status from 200 to 599"))?)
            }
            "unavailable" => {
                Self::Unavailable { retry_after: value.parse().map_err(|_| bad("it needs a number of seconds"))? }
            }
            "delay" => Self::Delay(duration(value).ok_or(bad("it needs a time, such as 500ms"))?),
            "drip" => Self::Drip { every: duration(value).ok_or(bad("it needs a time, such as 10ms"))? },
            "oversized" => {
                let bytes = value.parse().ok().filter(|bytes| *bytes <= MAX_OVERSIZED);
                Self::Oversized(bytes.ok_or(bad("it needs a number of bytes, at most 16777216 (16 MiB)"))?)
            }
            "redirect" => Self::Redirect(value.into()),
            _ => return Err(bad(NAMES)),
        })
    }
}

/// All names, for the error about an unknown name.
const NAMES: &str = "it must be status:503, unavailable:SECONDS, delay:500ms, drip, drip:10ms, reset, hang-up, close-idle, \
    truncate, garbage, forged, impostor, replayed, reflected, unsealed, oversized:BYTES, redirect:URL or refuse";

fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.find(|c: char| !c.is_ascii_digit())?)?;
    let number: u64 = number.parse().ok()?;
    Some(match unit {
        "us" => Duration::from_micros(number),
        "ms" => Duration::from_millis(number),
        "s" => Duration::from_secs(number),
        "m" => Duration::from_secs(number.checked_mul(60)?),
        "h" => Duration::from_secs(number.checked_mul(60 * 60)?),
        _ => return None,
    })
}

/// The text is not the name of a misbehaviour. `Display` says why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidMisbehaviour(&'static str);

impl fmt::Display for InvalidMisbehaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a kind of fault: {}", self.0)
    }
}

impl core::error::Error for InvalidMisbehaviour {}

/// The kind of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RequestKind {
    /// `POST /client/{uuid}`: validates a request of a client.
    Validate,
    /// `POST /client`: creates or replaces a client.
    Client,
    /// `GET /client` or `GET /client/{uuid}`: looks up clients.
    Lookup,
    /// `PUT` or `DELETE /client/{uuid}`: changes or deletes a client, or revokes a key.
    Change,
    /// `POST /endpoint`: registers or describes an endpoint.
    Endpoint,
    /// `POST` or `GET /template`: creates a template, or lists all.
    Template,
    /// Anything else.
    Other,
}

/// When a misbehaviour happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Occasion {
    /// For this number of requests, starting with the next one.
    Next(usize),
    /// At every request.
    Always,
    /// At random. The same seed and order give the same requests.
    Randomly {
        /// Percentage of requests, on average.
        percent: u8,
        /// The initial state of the generator.
        seed: u64,
    },
}

/// The arranged misbehaviours, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Arranged(Vec<Rule>);

#[derive(Debug)]
struct Rule {
    kind: Option<RequestKind>,
    misbehaviour: Misbehaviour,
    when: Occasion,
}

impl Arranged {
    pub(super) fn add(&mut self, kind: Option<RequestKind>, misbehaviour: Misbehaviour, when: Occasion) {
        self.0.push(Rule { kind, misbehaviour, when });
    }

    pub(super) const fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The misbehaviours for requests of all kinds, the oldest first.
    pub(super) fn all(&self) -> impl Iterator<Item = &Misbehaviour> {
        self.0.iter().filter(|rule| rule.kind.is_none()).map(|rule| &rule.misbehaviour)
    }

    /// Removes a misbehaviour for requests of all kinds.
    pub(super) fn remove(&mut self, misbehaviour: &Misbehaviour) {
        self.0.retain(|rule| rule.kind.is_some() || rule.misbehaviour != *misbehaviour);
    }

    /// The oldest misbehaviour that applies to this request.
    pub(super) fn next(&mut self, kind: RequestKind) -> Option<Misbehaviour> {
        let misbehaviour = self.0.iter_mut().find_map(|rule| {
            let meant = rule.kind.is_none_or(|wanted| wanted == kind) && rule.when.is_now();
            meant.then(|| rule.misbehaviour.clone())
        });
        self.0.retain(|rule| !matches!(rule.when, Occasion::Next(0)));
        misbehaviour
    }
}

impl Occasion {
    /// Whether the misbehaviour happens at this request. Counts the request.
    fn is_now(&mut self) -> bool {
        match self {
            Self::Always => true,
            Self::Randomly { percent, seed } => split_mix(seed) % 100 < u64::from(*percent),
            Self::Next(0) => false,
            Self::Next(left) => {
                *left = left.saturating_sub(1);
                true
            }
        }
    }
}

/// An answer before it is sealed.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) json: Value,
    /// Seals the answer, if it has status 200 and must be sealed.
    pub(super) reply: Option<Reply>,
    /// In seconds.
    pub(super) retry_after: Option<u32>,
}

/// Makes messages from answers and misbehaviours.
pub(super) struct Delivery {
    pub(super) recipient: Recipient,
    /// Whether the next reflected request names the emulator's public key.
    reflects_with_our_key: AtomicBool,
}

impl Delivery {
    pub(super) const fn new(recipient: Recipient) -> Self {
        Self { recipient, reflects_with_our_key: AtomicBool::new(false) }
    }

    /// Makes the answer, or what a misbehaviour sends instead.
    pub(super) fn compose(&self, answer: Answer, how: Option<&Misbehaviour>, request: &[u8]) -> Message {
        use Misbehaviour as M;
        let error = |status| (status, text(&json!({ "error": "MISBEHAVIOUR" })));
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
            Some(M::Oversized(len)) => {
                let pad = "x".repeat((*len).min(MAX_OVERSIZED).saturating_sub(10));
                (200, format!(r#"{{"pad":"{pad}"}}"#).into_bytes())
            }
            Some(M::Reflected) => (200, self.reflected(request)),
            _ => {
                more.extend(answer.retry_after.map(|secs| ("Retry-After", secs.to_string())));
                let status = answer.status;
                self.body(answer, how, request).map_or_else(|_| error(500), |body| (status, body))
            }
        };
        let more: Vec<_> = more.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let mut message = Message::of(status, JSON, &body, &more);
        message.manner = match how {
            Some(M::Reset) => return Message { manner: Manner::Reset, ..Message::default() },
            Some(M::HangUp) => return Message { manner: Manner::ThenClosed, ..Message::default() },
            Some(M::Truncate) => {
                message.bytes.truncate(message.bytes.len().saturating_sub(body.len().div_ceil(2)));
                Manner::ThenClosed
            }
            Some(M::CloseIdle) => Manner::ThenClosed,
            Some(M::Delay(time)) => Manner::After(*time),
            Some(M::Drip { every }) => Manner::Drip(*every),
            _ => Manner::Whole,
        };
        message
    }

    /// The answer's body, sealed if necessary. A refusal with a status other than 200 is not changed.
    fn body(&self, answer: Answer, how: Option<&Misbehaviour>, request: &[u8]) -> Result<Vec<u8>, SealError> {
        use Misbehaviour as M;
        let Answer { status, json, reply, .. } = answer;
        match (how.filter(|_| status == 200), reply) {
            (Some(M::Refuse), reply) => seal(&json!({ "success": false }), reply),
            (Some(M::Forged), None) => Ok(text(&about_another_client(json))),
            (Some(M::Forged), reply) => seal(&json, reply).map(forge),
            (Some(M::Replayed), None) => Ok(text(&about_another_request(json))),
            (Some(M::Replayed), reply) => seal(&json, to_another_request(&self.recipient).or(reply)),
            (Some(M::Impostor), reply) => match (impostor(request), reply) {
                (Some(envelope), _) => Ok(envelope),
                (None, None) => Ok(text(&json!({ "success": true }))),
                (None, reply) => seal(&json, reply),
            },
            (Some(M::Unsealed), _) => Ok(text(&json)),
            (_, reply) => seal(&json, reply),
        }
    }

    /// Returns the request: in turn unchanged, and with the emulator's key instead of the client's.
    fn reflected(&self, request: &[u8]) -> Vec<u8> {
        let with_our_key = self.reflects_with_our_key.fetch_xor(true, Ordering::Relaxed);
        let changed = with_our_key.then(|| with_key_of(&self.recipient, request)).flatten();
        changed.unwrap_or_else(|| request.to_vec())
    }
}

fn text(json: &Value) -> Vec<u8> {
    json.to_string().into_bytes()
}

/// Seals the JSON if there is a reply.
fn seal(json: &Value, reply: Option<Reply>) -> Result<Vec<u8>, SealError> {
    let json = text(json);
    let Some(reply) = reply else { return Ok(json) };
    let mut buf = vec![0; sealed_len(json.len())];
    Ok(reply.seal(&json, &mut SysRng, &mut buf)?.as_bytes().to_owned())
}

/// Changes the first character of the ciphertext. It contains no padding bits, so the result is still canonical.
fn forge(mut envelope: Vec<u8>) -> Vec<u8> {
    const CT: &[u8] = br#""ct":""#;
    let at = envelope.windows(CT.len()).position(|part| part == CT);
    debug_assert!(at.is_some(), "an envelope has a ciphertext");
    if let Some(first) = at.and_then(|at| envelope.get_mut(at.saturating_add(CT.len()))) {
        *first = if *first == b'A' { b'B' } else { b'A' };
    }
    envelope
}

/// The same envelope with the emulator's key. `None` if it is not an envelope.
fn with_key_of(recipient: &Recipient, envelope: &[u8]) -> Option<Vec<u8>> {
    let text = core::str::from_utf8(envelope).ok()?;
    let parsed: Value = serde_json::from_str(text).ok()?;
    let mut digits = [0; 43];
    let key = Base64UrlUnpadded::encode(recipient.public_key(), &mut digits).ok()?;
    Some(text.replacen(parsed.get("epk")?.as_str()?, key, 1).into_bytes())
}

/// Changes the client's id in a plain answer.
fn about_another_client(mut answer: Value) -> Value {
    for member in ["clientId", "id"] {
        if let Some(Value::String(id)) = answer.get_mut(member) {
            let other = if id.starts_with('0') { "1" } else { "0" };
            id.replace_range(..1, other);
        }
    }
    answer
}

/// Changes the client's id and the route in a plain answer.
fn about_another_request(answer: Value) -> Value {
    let mut answer = about_another_client(answer);
    if let Some(method_path) = answer.get_mut("method_path") {
        *method_path = "GET:::/another/request".into();
    }
    answer
}

/// An answer that anybody can make after seeing the request: it is sealed for the request's `epk`.
fn impostor(request: &[u8]) -> Option<Vec<u8>> {
    let request: Value = serde_json::from_slice(request).ok()?;
    let client: ServerKey = request.get("epk")?.as_str()?.parse().ok()?;
    let json = text(&json!({ "success": true }));
    let mut buf = vec![0; sealed_len(json.len())];
    let (envelope, _) = Session::establish(&client, &mut SysRng).ok()?.seal(&json, &mut SysRng, &mut buf).ok()?;
    Some(envelope.as_bytes().to_owned())
}

/// A reply that seals answers to a request that nobody has sent.
fn to_another_request(recipient: &Recipient) -> Option<Reply> {
    let server = ServerKey::from_bytes(*recipient.public_key()).ok()?;
    let mut buf = vec![0; sealed_len(0)];
    Session::establish(&server, &mut SysRng).ok()?.seal(&[], &mut SysRng, &mut buf).ok()?;
    recipient.open(&mut buf).ok().map(|(_, reply)| reply)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_written_name_is_read_back() {
        for misbehaviour in Misbehaviour::examples() {
            assert_eq!(misbehaviour.to_string().parse(), Ok(misbehaviour));
        }
        assert_eq!("drip".parse(), Ok(Misbehaviour::Drip { every: Duration::from_millis(10) }));
        assert_eq!("delay:2m".parse(), Ok(Misbehaviour::Delay(Duration::from_secs(120))));
        assert_eq!(Misbehaviour::Delay(Duration::from_micros(1_500)).to_string(), "delay:1500us");
        for (name, _) in Misbehaviour::PLAIN {
            assert!(NAMES.contains(&format!(" {name},")) || NAMES.ends_with(name), "{name}");
        }
        for text in ["", "status", "status:199", "status:x", "reset:1", "delay:1", "delay:s", "delay:-1s", "mischief"] {
            assert!(text.parse::<Misbehaviour>().is_err(), "{text}");
        }
        let longest = format!("oversized:{MAX_OVERSIZED}");
        assert_eq!(longest.parse(), Ok(Misbehaviour::Oversized(MAX_OVERSIZED)));
        for bytes in [MAX_OVERSIZED + 1, usize::MAX] {
            let error = format!("oversized:{bytes}").parse::<Misbehaviour>().unwrap_err();
            assert!(error.to_string().ends_with(&format!("at most {MAX_OVERSIZED} (16 MiB)")), "{error}");
        }
    }
}
