//! A platform in this process. It is a transport that opens each call, records it, and answers as the test says.
#![allow(dead_code, reason = "each test uses its part")]

use std::sync::{Arc, Mutex};

use apikee::{
    Apikee, SysRng,
    client::{ApikeeBuilder, Call, Received, Transport, TransportError},
    envelope::{Recipient, ServerKey, sealed_len},
    protocol::HttpMethod,
};
use serde_json::{Value, json};

pub const CLIENT: &str = "497f6eca-6276-4993-bfeb-53cbbbba6f08";
pub const SECRET: &[u8] = b"a secret of the client's tests";
pub const PROJECT_KEY: &str = "sk_test_example";

/// A call, from the platform's view.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: HttpMethod,
    pub target: String,
    pub headers: Vec<(String, String)>,
    /// The body, opened if it was sealed.
    pub body: Value,
    /// The body as it was sent.
    pub raw_body: String,
    pub sealed: bool,
}

impl Seen {
    pub fn is_validation(&self) -> bool {
        self.target.starts_with("/client/")
    }

    /// The tenant of a look-up.
    pub fn looked_up(&self) -> Option<&str> {
        let name = self.target.split("&name=").nth(1)?.split('&').next();
        name.filter(|_| self.method == HttpMethod::Get)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// The answer to a call.
pub enum Answer {
    /// This JSON, sealed for the request, or plain if the request was plain.
    Sealed(Value),
    /// These bytes with this status.
    Plain(u16, Vec<u8>),
    /// Status 429 with this `Retry-After` in seconds.
    Limited(u32),
    Error(TransportError),
}

impl Answer {
    pub fn yes() -> Self {
        Self::Sealed(json!({ "success": true }))
    }

    pub fn no() -> Self {
        Self::Sealed(json!({ "success": false }))
    }

    pub fn status(status: u16) -> Self {
        Self::Plain(status, b"{}".to_vec())
    }
}

type Script = dyn Fn(&Seen) -> Answer + Send + Sync;

pub struct Platform {
    recipient: Recipient,
    seen: Mutex<Vec<Seen>>,
    script: Box<Script>,
}

impl Platform {
    pub fn new(script: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> Arc<Self> {
        let recipient = Recipient::new([7; 32]);
        Arc::new(Self { recipient, seen: Mutex::default(), script: Box::new(script) })
    }

    /// A platform that knows all tenants as the same client, confirms every request, and accepts every route.
    pub fn willing() -> Arc<Self> {
        Self::new(willing)
    }

    pub fn transport(self: &Arc<Self>) -> impl Transport + 'static {
        let this = Arc::clone(self);
        move |call: &Call<'_>, answer: &mut [u8]| this.answer(call, answer)
    }

    /// A client of this platform. By default it has no thread, and registers no routes.
    pub fn builder(self: &Arc<Self>) -> ApikeeBuilder {
        Apikee::builder()
            .secret(SECRET)
            .project_key(PROJECT_KEY)
            .project_env("my-app-production")
            .server_key(self.server_key())
            .transport(self.transport())
            .background_thread(false)
            .auto_register(false)
            .tenant_is_client_id(true)
    }

    pub fn server_key(&self) -> ServerKey {
        ServerKey::from_bytes(*self.recipient.public_key()).unwrap()
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    fn answer(&self, call: &Call<'_>, answer: &mut [u8]) -> Result<Received, TransportError> {
        let mut body = call.body.to_vec();
        let sealed = call.headers.contains(&("X-Apikee-Encrypted", "1"));
        let (plaintext, reply) = if sealed {
            let (plaintext, reply) = self.recipient.open(&mut body).expect("the envelope cannot be opened");
            (&*plaintext, Some(reply))
        } else {
            (&*body, None)
        };
        let seen = Seen {
            method: call.method,
            target: call.target.to_owned(),
            headers: call.headers.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect(),
            body: if plaintext.is_empty() { Value::Null } else { serde_json::from_slice(plaintext).unwrap() },
            raw_body: String::from_utf8_lossy(call.body).into_owned(),
            sealed,
        };
        self.seen.lock().unwrap().push(seen.clone());
        let (status, bytes) = match (self.script)(&seen) {
            Answer::Sealed(value) => {
                let text = value.to_string();
                let mut envelope = vec![0; sealed_len(text.len())];
                let bytes = match reply {
                    Some(reply) => reply.seal(text.as_bytes(), &mut SysRng, &mut envelope).unwrap().as_bytes().to_vec(),
                    None => text.into_bytes(),
                };
                (200, bytes)
            }
            Answer::Plain(status, bytes) => (status, bytes),
            Answer::Limited(seconds) => {
                return Ok(Received { status: 429, len: 0, retry_after: Some(seconds) });
            }
            Answer::Error(error) => return Err(error),
        };
        answer.get_mut(..bytes.len()).ok_or(TransportError::OVERSIZED)?.copy_from_slice(&bytes);
        Ok(Received { status, len: bytes.len(), retry_after: None })
    }
}

pub fn willing(seen: &Seen) -> Answer {
    if seen.is_validation() {
        Answer::yes()
    } else if let Some(tenant) = seen.looked_up() {
        listed(&[(CLIENT, tenant)])
    } else if seen.body["keys"].is_array() {
        Answer::Sealed(json!({ "id": CLIENT, "name": seen.body["name"] }))
    } else {
        Answer::status(201)
    }
}

/// The answer to a look-up, with these ids and names.
pub fn listed(clients: &[(&str, &str)]) -> Answer {
    let data: Vec<_> = clients.iter().map(|(id, name)| json!({ "id": id, "name": name, "type": "service" })).collect();
    Answer::Plain(200, json!({ "data": data, "pagination": { "total": data.len() } }).to_string().into_bytes())
}

/// A key for this tenant, signed with [`SECRET`].
pub fn key(tenant: &str, meta: &str) -> String {
    let keys = apikee::Keyring::new(SECRET).unwrap();
    let new = apikee::NewKey::new(tenant).scopes(&["read"]).meta(apikee::meta::JsonObject::new(meta).unwrap());
    keys.issue(&new, apikee::UnixTime::now(), &mut SysRng, &mut [0; 2048]).unwrap().to_owned()
}
