//! Answers requests (WIRE.md, "The platform's API").

use core::{net::IpAddr, sync::atomic::AtomicBool};
use std::{
    borrow::ToOwned as _,
    format,
    string::{String, ToString as _},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde_json::{Map, Value, json};
use subtle::ConstantTimeEq as _;

use super::{
    EmulatedClient, Emulator, EmulatorBuilder, LoggedRequest, RegisteredEndpoint, RequestKind, clock,
    config::Settings,
    deliver::{self, Message},
    http::{self, Request},
    state::{State, is_route},
};
use crate::{ClientId, ProjectKey, Recipient, Reply};

const BASE_PATH: &str = "/api/v1";

/// All of the emulator but its socket.
pub(super) struct Platform {
    pub(super) settings: Settings,
    /// `None` for the one that is no secret.
    project_key: Option<ProjectKey>,
    pub(super) recipient: Recipient,
    /// Whether the next request that is reflected gets the server's key.
    pub(super) reflects_with_our_key: AtomicBool,
    state: Mutex<State>,
}

/// An answer before it is sealed.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) json: Value,
    /// What seals it.
    pub(super) reply: Option<Reply>,
    /// In seconds.
    pub(super) retry_after: Option<u32>,
}

/// Why there is a plain answer of another status than 200.
struct Refused {
    status: u16,
    code: &'static str,
    retry_after: Option<u32>,
}

const fn refused(status: u16, code: &'static str) -> Refused {
    Refused { status, code, retry_after: None }
}

const MALFORMED: Refused = refused(400, "MALFORMED_REQUEST");

/// The path and the query of a target, taken apart.
struct Target {
    kind: RequestKind,
    client: Option<ClientId>,
    project_env: String,
    method_path: Option<String>,
    find: Option<Find>,
}

/// Which clients are to be listed.
struct Find {
    name: String,
    limit: usize,
}

/// How many clients are listed unless the query says it.
const DEFAULT_LIMIT: usize = 20;

impl Platform {
    pub(super) fn new(mut builder: EmulatorBuilder, secret: [u8; 32]) -> Self {
        let settings = core::mem::take(&mut builder.settings);
        let project_key = builder.project_key.take();
        Self {
            settings,
            project_key,
            recipient: Recipient::new(secret),
            reflects_with_our_key: AtomicBool::new(false),
            state: Mutex::new(State::new(builder)),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn public_key(&self) -> String {
        let mut text = [0; 43];
        Base64UrlUnpadded::encode(self.recipient.public_key(), &mut text).unwrap_or_default().to_owned()
    }

    pub(super) fn project_env(&self) -> &str {
        &self.settings.project_env
    }

    fn project_key(&self) -> &str {
        self.project_key.as_ref().map_or(Emulator::PROJECT_KEY, ProjectKey::header_value)
    }

    /// Acts on a request, makes its answer, and writes both down.
    pub(super) fn answer(&self, request: &Request, connection: u64, peer: IpAddr) -> Message {
        let mut entry = LoggedRequest::new(connection);
        entry.headers.clone_from(&request.headers);
        let answer = self.handle(request, peer, &mut entry).unwrap_or_else(|refused| {
            entry.refusal = Some(refused.code);
            let Refused { status, code, retry_after } = refused;
            Answer { status, json: json!({ "error": code }), reply: None, retry_after }
        });
        entry.misbehaviour = self.state().arranged.next(entry.kind);
        let message = deliver::compose(self, answer, entry.misbehaviour.as_ref(), &request.body);
        entry.status = message.status;
        self.note(entry);
        message
    }

    /// Answers what is no request.
    pub(super) fn refuse(&self, status: u16, connection: u64) -> Message {
        let mut entry = LoggedRequest::new(connection);
        entry.status = Some(status);
        entry.refusal = Some(MALFORMED.code);
        self.note(entry);
        let json = json!({ "error": MALFORMED.code });
        deliver::compose(self, Answer { status, json, reply: None, retry_after: None }, None, &[])
    }

    fn note(&self, entry: LoggedRequest) {
        let entry = entry.without(self.project_key());
        (self.settings.observer)(&entry);
        let mut state = self.state();
        state.requests = state.requests.saturating_add(1);
        state.log.push(entry);
    }

    fn handle(&self, request: &Request, peer: IpAddr, entry: &mut LoggedRequest) -> Result<Answer, Refused> {
        let started = Instant::now();
        let target = Target::read(&request.method, &request.target)?;
        entry.kind = target.kind;
        entry.client = target.client;
        entry.method_path.clone_from(&target.method_path);
        self.check_head(request, &target)?;
        if let Some(Find { name, limit }) = &target.find {
            let json = self.state().list(name, *limit);
            return Ok(Answer { status: 200, json, reply: None, retry_after: None });
        }

        let mut body = request.body.clone();
        let (body, reply) = if target.kind == RequestKind::Endpoint {
            (body.as_mut_slice(), None)
        } else {
            let (body, reply) = self.recipient.open(&mut body).map_err(|_| refused(400, "UNREADABLE_ENVELOPE"))?;
            (body, Some(reply))
        };
        entry.body = core::str::from_utf8(body).ok().map(str::to_owned);
        let body: Value = serde_json::from_slice(body).map_err(|_| MALFORMED)?;

        let json = match (target.kind, target.client, &target.method_path) {
            (RequestKind::Validate, Some(client), Some(method_path)) => {
                match self.validate(client, method_path, &body, request, peer)? {
                    Some(code) => {
                        entry.refusal = Some(code);
                        json!({ "success": false, "code": code })
                    }
                    None => json!({
                        "success": true,
                        "clientId": client.to_string(),
                        "project_env": self.project_env(),
                        "method_path": method_path,
                        "durationMs": u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
                    }),
                }
            }
            (RequestKind::Client, ..) => {
                let client = EmulatedClient::read(&body).ok_or(MALFORMED)?;
                let (id, record) = self.state().upsert(client).map_err(|_| refused(422, "TOO_MANY"))?;
                entry.client = Some(id);
                record
            }
            _ => {
                let endpoint = RegisteredEndpoint::read(&body).ok_or(MALFORMED)?;
                let record = endpoint.record();
                self.state().register(endpoint).map_err(|_| refused(422, "TOO_MANY"))?;
                record
            }
        };
        Ok(Answer { status: 200, json, reply, retry_after: None })
    }

    fn check_head(&self, request: &Request, target: &Target) -> Result<(), Refused> {
        let has_body = target.find.is_none();
        if has_body && request.method != "POST" {
            return Err(refused(405, "METHOD_NOT_ALLOWED"));
        }
        let media_type = request.header("content-type").and_then(|value| value.split(';').next()).unwrap_or_default();
        if has_body && !media_type.trim().eq_ignore_ascii_case("application/json") {
            return Err(refused(415, "NOT_JSON"));
        }
        let key = request.header(http::PROJECT_KEY).unwrap_or_default();
        if !bool::from(key.as_bytes().ct_eq(self.project_key().as_bytes())) {
            return Err(refused(401, "INVALID_PROJECT_KEY"));
        }
        if target.project_env != self.settings.project_env {
            return Err(refused(404, "UNKNOWN_PROJECT_ENV"));
        }
        let form = if target.kind == RequestKind::Endpoint { "0" } else { "1" };
        if has_body && request.header("x-apikee-encrypted") != Some(form) {
            return Err(refused(400, "WRONG_ENCRYPTED_HEADER"));
        }
        Ok(())
    }

    /// The code of the platform's own refusal, if there is one.
    fn validate(
        &self,
        client: ClientId,
        method_path: &str,
        body: &Value,
        request: &Request,
        peer: IpAddr,
    ) -> Result<Option<&'static str>, Refused> {
        let text = |member| body.get(member).and_then(Value::as_str).ok_or(MALFORMED);
        let (name, timestamp) = (text("name")?, text("timestamp")?);
        let sent = clock::read_rfc3339(timestamp).ok_or(MALFORMED)?;
        let headers = body.get("headers").and_then(Value::as_object).ok_or(MALFORMED)?;
        if !headers.values().all(Value::is_string) || !body.get("payload").is_none_or(Value::is_object) {
            return Err(MALFORMED);
        }
        if !self.is_signed(&format!("{client}|{method_path}|{timestamp}"), request) {
            return Err(refused(403, "INVALID_SIGNATURE"));
        }

        let mut state = self.state();
        let now = state.clock.now();
        if self.settings.tolerance.is_some_and(|tolerance| !clock::within(sent, now, tolerance)) {
            return Ok(Some("STALE_REQUEST"));
        }
        let Some(client) = state.clients.get_mut(&client) else {
            return Ok(Some("UNKNOWN_CLIENT"));
        };
        if field(headers, "x-api-key").is_some_and(|key| !client.has_key(key)) {
            return Ok(Some("UNKNOWN_KEY"));
        }
        if client.has_expired(name, now) {
            return Ok(Some("EXPIRED_KEY"));
        }
        if !client.may_call_from(address(headers, peer)) {
            return Err(refused(403, "IP_NOT_ALLOWED"));
        }
        let rate_limited = |wait| Refused { retry_after: Some(wait), ..refused(429, "RATE_LIMITED") };
        client.limits.take(now).map_err(rate_limited)?;
        Ok(None)
    }

    fn is_signed(&self, message: &str, request: &Request) -> bool {
        let signature = request.header("x-apikee-signature").unwrap_or_default();
        self.settings.verifier.as_ref().is_none_or(|accepts| accepts(message, signature))
    }
}

impl Target {
    fn read(method: &str, target: &str) -> Result<Self, Refused> {
        const UNKNOWN: Refused = refused(404, "UNKNOWN_PATH");
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let (kind, client) = match path.strip_prefix(BASE_PATH).ok_or(UNKNOWN)? {
            "/client" if method == "GET" => (RequestKind::FindClient, None),
            "/client" => (RequestKind::Client, None),
            "/endpoint" => (RequestKind::Endpoint, None),
            path => {
                let id = path.strip_prefix("/client/").ok_or(UNKNOWN)?;
                (RequestKind::Validate, Some(ClientId::new(id).map_err(|_| MALFORMED)?))
            }
        };
        let project_env = parameter(query, "project_env")?;
        let method_path = match kind {
            RequestKind::Validate => Some(parameter(query, "method_path")?),
            _ => None,
        };
        let is_route = |text: &String| text.split_once(":::").is_some_and(|(method, path)| is_route(method, path));
        if !method_path.as_ref().is_none_or(is_route) {
            return Err(MALFORMED);
        }
        let find = match kind {
            RequestKind::FindClient => Some(Find::read(query)?),
            _ => None,
        };
        Ok(Self { kind, client, project_env, method_path, find })
    }
}

impl Find {
    fn read(query: &str) -> Result<Self, Refused> {
        let limit =
            optional(query, "limit")?.map_or(Ok(DEFAULT_LIMIT), |limit| limit.parse().map_err(|_| MALFORMED))?;
        Ok(Self { name: optional(query, "name")?.unwrap_or_default(), limit })
    }
}

/// The decoded value of the one parameter of that name.
fn parameter(query: &str, name: &str) -> Result<String, Refused> {
    optional(query, name)?.ok_or(MALFORMED)
}

/// The same for a parameter that may be missing.
fn optional(query: &str, name: &str) -> Result<Option<String>, Refused> {
    let mut values = query.split('&').filter_map(|pair| pair.split_once('=')).filter(|(own, _)| *own == name);
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some((_, value)), None) => http::decode(value).ok_or(MALFORMED).map(Some),
        _ => Err(MALFORMED),
    }
}

/// A header of the request that is asked about.
fn field<'h>(headers: &'h Map<String, Value>, name: &str) -> Option<&'h str> {
    headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).and_then(|(_, value)| value.as_str())
}

/// Where that request came from; `None` if it says so, but not in a way that can be read.
fn address(headers: &Map<String, Value>, peer: IpAddr) -> Option<IpAddr> {
    let Some(said) = field(headers, "x-forwarded-for").or_else(|| field(headers, "x-real-ip")) else {
        return Some(peer);
    };
    let first = said.split(',').next().unwrap_or_default().trim();
    let with_port = || first.parse().map(|address: core::net::SocketAddr| address.ip());
    first.parse().or_else(|_| with_port()).ok().map(|address: IpAddr| address.to_canonical())
}
