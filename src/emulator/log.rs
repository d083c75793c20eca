//! What has been asked of the emulator.

use core::fmt;
use std::{borrow::ToOwned as _, collections::VecDeque, string::String, vec::Vec};

use super::{Misbehaviour, http};
use crate::ClientId;

/// Bytes that all entries of the log hold at most; older ones go first.
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// What stands in the log for a secret.
const REDACTED: &str = "[redacted]";

/// What a request is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RequestKind {
    /// `/client/{uuid}`: may a client do this?
    Validate,
    /// `POST /client`: a client to create or to bring up to date.
    Client,
    /// `GET /client`: clients to be listed by their names.
    FindClient,
    /// `/endpoint`: an endpoint to register.
    Endpoint,
    /// Anything else.
    Other,
}

/// A request and what came of it.
///
/// The project key is not in it, wherever the request had it: `[redacted]` stands in its place. The
/// body, though, may hold a caller's raw key, so `Debug` shows neither body nor values of headers.
#[derive(Clone)]
#[non_exhaustive]
pub struct LoggedRequest {
    /// What it is about.
    pub kind: RequestKind,
    /// Which connection it came over, counted from 1.
    pub connection: u64,
    /// The client that it names, or that it created.
    pub client: Option<ClientId>,
    /// The route that it names: `GET:::/users`.
    pub method_path: Option<String>,
    /// The body, out of its envelope. `None` if it could not be opened or is not UTF-8.
    pub body: Option<String>,
    /// Names and values of its header fields, as they came, without those of secrets.
    pub headers: Vec<(String, String)>,
    /// The HTTP status of the answer; `None` if there was none.
    pub status: Option<u16>,
    /// The emulator's own word for why it was refused: `UNKNOWN_CLIENT`. `None` if it was not.
    pub refusal: Option<&'static str>,
    /// What was made to go wrong with the answer.
    pub misbehaviour: Option<Misbehaviour>,
}

impl LoggedRequest {
    pub(super) const fn new(connection: u64) -> Self {
        Self {
            kind: RequestKind::Other,
            connection,
            client: None,
            method_path: None,
            body: None,
            headers: Vec::new(),
            status: None,
            refusal: None,
            misbehaviour: None,
        }
    }

    /// The same without that secret, and without whatever was given for it.
    pub(super) fn without(mut self, secret: &str) -> Self {
        let scrub = |text: String| if text.contains(secret) { text.replace(secret, REDACTED) } else { text };
        self.body = self.body.map(scrub);
        self.method_path = self.method_path.map(scrub);
        for (name, value) in &mut self.headers {
            let kept = scrub(core::mem::take(value));
            *value = if name.eq_ignore_ascii_case(http::PROJECT_KEY) { REDACTED.to_owned() } else { kept };
        }
        self
    }

    fn len(&self) -> usize {
        let headers = self.headers.iter().flat_map(|(name, value)| [name, value]);
        let texts = headers.chain(&self.body).chain(&self.method_path);
        texts.map(String::len).fold(size_of::<Self>(), usize::saturating_add)
    }
}

impl fmt::Debug for LoggedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("LoggedRequest")
            .field("kind", &self.kind)
            .field("connection", &self.connection)
            .field("client", &self.client)
            .field("method_path", &self.method_path)
            .field("body", &self.body.as_ref().map(String::len))
            .field("headers", &headers)
            .field("status", &self.status)
            .field("refusal", &self.refusal)
            .field("misbehaviour", &self.misbehaviour)
            .finish()
    }
}

/// The last requests.
#[derive(Debug)]
pub(super) struct Log {
    entries: VecDeque<LoggedRequest>,
    bytes: usize,
    capacity: usize,
}

impl Log {
    pub(super) const fn new(capacity: usize) -> Self {
        Self { entries: VecDeque::new(), bytes: 0, capacity }
    }

    pub(super) fn push(&mut self, entry: LoggedRequest) {
        self.bytes = self.bytes.saturating_add(entry.len());
        self.entries.push_back(entry);
        while self.entries.len() > self.capacity || self.bytes > MAX_BYTES {
            let Some(oldest) = self.entries.pop_front() else { break };
            self.bytes = self.bytes.saturating_sub(oldest.len());
        }
    }

    pub(super) fn entries(&self) -> Vec<LoggedRequest> {
        self.entries.iter().cloned().collect()
    }

    pub(super) fn clear(&mut self) {
        *self = Self::new(self.capacity);
    }
}
