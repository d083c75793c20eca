//! The log of the emulator's requests.

use core::fmt;
use std::{borrow::ToOwned as _, collections::VecDeque, string::String, string::ToString as _, sync::Arc, vec::Vec};

use serde_json::Value;

use super::{
    http,
    misbehaviour::{Misbehaviour, RequestKind},
};
use crate::{UnixTime, key::without_keys, protocol::ClientId};

/// The maximum number of bytes of all entries together. The oldest are dropped first.
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// The replacement for a secret in the log.
const REDACTED: &str = "[redacted]";

/// A request and its result.
///
/// It does not contain the project key: it is replaced by `[redacted]` everywhere. The body may contain a caller's raw
/// key, so `Debug` shows neither the body nor the values of headers.
#[derive(Clone)]
#[non_exhaustive]
pub struct LoggedRequest {
    /// The kind of call.
    pub kind: RequestKind,
    /// The number of the request, counted from 1.
    pub number: u64,
    /// The time on the emulator's clock when it was answered.
    pub time: UnixTime,
    /// The number of the connection, counted from 1.
    pub connection: u64,
    /// The client that it names or created.
    pub client: Option<ClientId>,
    /// The route that it names: `GET:::/users`.
    pub method_path: Option<String>,
    /// The opened body. `None` if it could not be opened or is not UTF-8.
    pub body: Option<String>,
    /// Names and values of its header fields, unchanged except for the redacted project key.
    pub headers: Vec<(String, String)>,
    /// The HTTP status of the answer; `None` if there was none.
    pub status: Option<u16>,
    /// The emulator's code for a refusal, such as `UNKNOWN_CLIENT`. `None` if it was not refused.
    pub refusal: Option<&'static str>,
    /// The fault in the answer, if one was arranged.
    pub misbehaviour: Option<Misbehaviour>,
}

impl LoggedRequest {
    pub(super) const fn new(connection: u64) -> Self {
        Self {
            kind: RequestKind::Other,
            number: 0,
            time: UnixTime::from_secs(0),
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

    /// Replaces this secret, and any value of the header for the project key.
    pub(super) fn without(mut self, secret: &str) -> Self {
        let scrub = |text: String| if text.contains(secret) { text.replace(secret, REDACTED) } else { text };
        let quoted = Value::from(secret).to_string();
        let in_json = quoted.trim_matches('"');
        self.body = self.body.map(|body| match serde_json::from_str(&body).map(|value: Value| value.to_string()) {
            // It may have been written with escapes.
            Ok(text) if text.contains(in_json) => text.replace(in_json, REDACTED),
            _ => scrub(body),
        });
        self.method_path = self.method_path.map(scrub);
        for (name, value) in &mut self.headers {
            if name.eq_ignore_ascii_case(http::PROJECT_KEY) {
                REDACTED.clone_into(value);
            }
            for text in [name, value] {
                *text = scrub(core::mem::take(text));
            }
        }
        self
    }

    /// Cuts every raw key to its prefix, which is safe to show ([`log_prefix`](crate::key::log_prefix)).
    #[must_use]
    pub fn without_keys(mut self) -> Self {
        let texts = self.headers.iter_mut().flat_map(|(name, value)| [name, value]).chain(&mut self.method_path);
        texts.for_each(|text| *text = without_keys(text));
        self.body = self.body.map(|body| match serde_json::from_str(&body) {
            // A key in JSON may be written with escapes.
            Ok(value) => cut_keys(value).to_string(),
            Err(_) => without_keys(&body),
        });
        self
    }

    fn len(&self) -> usize {
        let headers = self.headers.iter().flat_map(|(name, value)| [name, value]);
        let location = match &self.misbehaviour {
            Some(Misbehaviour::Redirect(location)) => Some(location),
            _ => None,
        };
        let texts = headers.chain(&self.body).chain(&self.method_path).chain(location);
        // Besides its content, a text takes a place in its list, which may have twice the room, and a block of memory.
        let sizes = texts.map(|text| text.len().saturating_add(64));
        sizes.fold(size_of::<Self>(), usize::saturating_add)
    }
}

/// Cuts all keys in a value to their prefixes.
pub(super) fn cut_keys(value: Value) -> Value {
    match value {
        Value::String(text) => without_keys(&text).into(),
        Value::Array(elements) => elements.into_iter().map(cut_keys).collect(),
        Value::Object(members) => {
            members.into_iter().map(|(name, value)| (without_keys(&name), cut_keys(value))).collect()
        }
        other => other,
    }
}

impl fmt::Debug for LoggedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("LoggedRequest")
            .field("number", &self.number)
            .field("kind", &self.kind)
            .field("connection", &self.connection)
            .field("client", &self.client)
            .field("method_path", &self.method_path.as_deref().map(without_keys))
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
    entries: VecDeque<Arc<LoggedRequest>>,
    bytes: usize,
    capacity: usize,
}

impl Log {
    pub(super) const fn new(capacity: usize) -> Self {
        Self { entries: VecDeque::new(), bytes: 0, capacity }
    }

    pub(super) fn push(&mut self, entry: Arc<LoggedRequest>) {
        self.bytes = self.bytes.saturating_add(entry.len());
        self.entries.push_back(entry);
        while self.entries.len() > self.capacity || self.bytes > MAX_BYTES {
            let Some(oldest) = self.entries.pop_front() else { break };
            self.bytes = self.bytes.saturating_sub(oldest.len());
        }
    }

    pub(super) fn entries(&self) -> Vec<LoggedRequest> {
        self.entries.iter().map(|entry| LoggedRequest::clone(entry)).collect()
    }

    /// The entries with greater numbers, the newest first.
    pub(super) fn after(&self, number: u64) -> impl Iterator<Item = &Arc<LoggedRequest>> {
        self.entries.iter().rev().take_while(move |entry| entry.number > number)
    }

    pub(super) fn clear(&mut self) {
        *self = Self::new(self.capacity);
    }
}

#[cfg(test)]
mod tests {
    use std::format;

    use super::*;

    #[test]
    fn the_project_key_is_removed_at_any_position() {
        for secret in ["sk_test_1234", r#"sk_"test\1234"#] {
            let mut entry = LoggedRequest::new(1);
            for (name, value) in [("x-api-key", "another"), ("x-copy", secret), (secret, "x")] {
                entry.headers.push((name.to_owned(), value.to_owned()));
            }
            entry.method_path = Some(format!("GET:::/{secret}"));
            let quoted = Value::from(secret).to_string();
            entry.body = Some(format!(r#"{{"a":{quoted},"b":{}}}"#, quoted.replace('k', r"\u006b")));
            let entry = entry.without(secret);
            let all = format!("{:?} {:?} {:?}", entry.headers, entry.method_path, entry.body);
            assert!(!all.contains("1234") && !all.contains("another"), "{all}");
            assert_eq!(entry.body.as_deref(), Some(r#"{"a":"[redacted]","b":"[redacted]"}"#));
        }
    }

    #[test]
    fn keys_are_cut_at_any_position() {
        let key = "apikee_1234567890abcdef.ABCDEF";
        for (text, expected) in [
            (format!("Bearer {key}"), "Bearer apikee_12345"),
            (format!("GET:::/users?k={key}&l={key}"), "GET:::/users?k=apikee_12345&l=apikee_12345"),
            ("apikee_".to_owned(), "apikee_"),
            ("nothing".to_owned(), "nothing"),
        ] {
            assert_eq!(without_keys(&text), expected);
        }
        let mut entry = LoggedRequest::new(1);
        entry.headers.push(("X-Copy".to_owned(), key.to_owned()));
        entry.method_path = Some(format!("GET:::/{key}"));
        let escaped = key.replace('k', r"\u006b");
        entry.body = Some(format!(r#"{{"headers":{{"a":"{key}"}},"payload":{{"b":["{escaped}"],"{key}":1}}}}"#));
        let entry = entry.without_keys();
        let all = format!("{:?} {:?} {:?}", entry.headers, entry.method_path, entry.body);
        assert!(all.contains("apikee_12345") && !all.contains("67890"), "{all}");
    }
}
