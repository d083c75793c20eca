//! Answers requests (docs/WIRE.md, "The platform's API").

use core::{net::IpAddr, time::Duration};
use std::{
    borrow::ToOwned as _,
    boxed::Box,
    format, io,
    string::{String, ToString as _},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
    vec::Vec,
};

use serde_json::{Map, Value, json};
use subtle::ConstantTimeEq as _;

use super::{
    client::{EmulatedClient, EmulatedTemplate, with},
    clock,
    http::{self, JSON, Message, Request},
    log::LoggedRequest,
    misbehaviour::{Answer, Delivery, RequestKind},
    registry::{Change, EmulatedEndpoint, is_route},
    state::{NOT_FOUND, Refused, State, refused},
};
use crate::{
    envelope::{Recipient, Reply},
    protocol::{ClientId, ProjectKey, Sealing, read_address},
};

/// The default project key.
pub(super) const PROJECT_KEY: &str = "sk_test_emulator";

const BASE_PATH: &str = "/api/v1";

/// Records in the answer to a look-up: the default, and the maximum.
const LOOKUP_LIMIT: usize = 20;
const MAX_LOOKUP_LIMIT: usize = 100;

/// The maximum levels of nested arrays and objects in a body that is stored. `serde_json` reads 127 of them. Lines of
/// the state file and lists of clients wrap what a call has sent in a few more, and must be readable, too.
const MAX_LEVELS: usize = 64;

/// The whole emulator except its socket.
pub(super) struct Platform {
    pub(super) settings: Settings,
    delivery: Delivery,
    state: Mutex<State>,
}

/// Settings that do not change at run time.
pub(super) struct Settings {
    /// `None` means the default, which is not a secret.
    pub(super) project_key: Option<ProjectKey>,
    pub(super) project_env: String,
    pub(super) sealing: Sealing,
    /// `None` accepts any timestamp.
    pub(super) tolerance: Option<Duration>,
    pub(super) observer: Box<dyn Fn(&LoggedRequest) + Send + Sync>,
    /// Whether the second text is a signature of the first. `None` requires no signature.
    pub(super) verifier: Option<Verifier>,
}

type Verifier = Box<dyn Fn(&str, &str) -> bool + Send + Sync>;

const MALFORMED: Refused = refused(400, "MALFORMED_REQUEST");

/// A call, determined by method and path.
#[derive(Clone, Copy)]
enum Call {
    /// `POST /client/{uuid}`
    Validate(ClientId),
    /// `POST /client`
    CreateClient,
    /// `GET /client`
    ListClients,
    /// `GET /client/{uuid}`
    GetClient(ClientId),
    /// `PUT /client/{uuid}`
    ReplaceClient(ClientId),
    /// `DELETE /client/{uuid}`
    DeleteClient(ClientId),
    /// `POST /endpoint`
    RegisterEndpoint,
    /// `POST /template`
    CreateTemplate,
    /// `GET /template`
    ListTemplates,
}

/// How a body travels.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// There is no body.
    None,
    Plain,
    /// As the configured sealing says.
    Sealed,
}

impl Platform {
    pub(super) const fn new(settings: Settings, recipient: Recipient, state: State) -> Self {
        Self { settings, delivery: Delivery::new(recipient), state: Mutex::new(state) }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Syncs all changes to the disk, if there is a state file.
    pub(super) fn sync(&self) -> io::Result<()> {
        // Syncing takes milliseconds, so the lock is not held meanwhile.
        let file = self.state().file();
        let synced = file.map_or(Ok(()), |file| file.sync_data());
        if synced.is_err() {
            self.state().fall_behind();
        }
        synced
    }

    /// Calls [`sync`](Self::sync) if something was written since the last call of this function.
    pub(super) fn sync_if_needed(&self) {
        let is_needed = self.state().is_unsynced();
        if is_needed {
            // After a failure, the next change writes everything again.
            let _ = self.sync();
        }
    }

    fn project_key(&self) -> &str {
        self.settings.project_key.as_ref().map_or(PROJECT_KEY, ProjectKey::header_value)
    }

    /// Handles a request, makes its answer, and logs both.
    pub(super) fn answer(&self, request: Request, connection: u64, peer: IpAddr) -> Message {
        let mut entry = LoggedRequest::new(connection);
        let answer = self.handle(&request, peer, &mut entry).unwrap_or_else(|refused| {
            entry.refusal = Some(refused.code);
            plain(&refused)
        });
        entry.misbehaviour = self.state().arranged.next(entry.kind);
        let message = self.delivery.compose(answer, entry.misbehaviour.as_ref(), &request.body);
        entry.headers = request.headers;
        entry.status = message.status;
        self.note(entry);
        message
    }

    /// Answers a request that cannot be read.
    pub(super) fn refuse(&self, status: u16, connection: u64) -> Message {
        let mut entry = LoggedRequest::new(connection);
        entry.status = Some(status);
        entry.refusal = Some(MALFORMED.code);
        self.note(entry);
        self.delivery.compose(plain(&Refused { status, ..MALFORMED }), None, &[])
    }

    fn note(&self, entry: LoggedRequest) {
        let mut entry = entry.without(self.project_key());
        let entry = {
            let mut state = self.state();
            state.requests = state.requests.saturating_add(1);
            (entry.number, entry.time) = (state.requests, state.clock.now());
            let entry = Arc::new(entry);
            state.log.push(Arc::clone(&entry));
            entry
        };
        (self.settings.observer)(&entry);
    }

    fn handle(&self, request: &Request, peer: IpAddr, entry: &mut LoggedRequest) -> Result<Answer, Refused> {
        let started = Instant::now();
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        let (call, kind, client, form) = Call::read(&request.method, path)?;
        (entry.kind, entry.client) = (kind, client);
        let project_env = parameter(query, "project_env")?;
        if let Call::Validate(_) = call {
            let method_path = parameter(query, "method_path")?;
            if !is_method_path(&method_path) {
                return Err(MALFORMED);
            }
            entry.method_path = Some(method_path);
        }
        self.check_head(request, form, &project_env)?;
        let (body, reply) = match form {
            Form::None => (Value::Null, None),
            _ => self.body(request, entry)?,
        };
        if !matches!(call, Call::Validate(_)) && !has_at_most(MAX_LEVELS, &body) {
            return Err(MALFORMED);
        }

        let json = match call {
            Call::Validate(client) => {
                let method_path = entry.method_path.as_deref().ok_or(MALFORMED)?;
                match self.validate(client, method_path, &body, request, peer)? {
                    Some(code) => {
                        entry.refusal = Some(code);
                        json!({ "success": false, "code": code })
                    }
                    None => json!({
                        "success": true,
                        "clientId": client.to_string(),
                        "project_env": self.settings.project_env,
                        "method_path": method_path,
                        "durationMs": u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
                    }),
                }
            }
            Call::CreateClient => {
                let client = EmulatedClient::read(&body).ok_or(MALFORMED)?;
                let id = self.state().upsert(client)?;
                entry.client = Some(id);
                self.sync()?;
                self.record(id)?
            }
            Call::ReplaceClient(id) => {
                let client = EmulatedClient::read(&body).ok_or(MALFORMED)?;
                self.state().replace(id, client)?;
                self.sync()?;
                self.record(id)?
            }
            Call::GetClient(id) => self.record(id)?,
            Call::ListClients => self.list_clients(query)?,
            Call::DeleteClient(id) => {
                match optional(query, "keyId")? {
                    Some(key) => self.state().revoke(id, ClientId::new(&key).map_err(|_| MALFORMED)?)?,
                    None => self.state().remove(id)?,
                }
                self.sync()?;
                json!({ "success": true, "id": id.to_string() })
            }
            Call::RegisterEndpoint => {
                let endpoint = EmulatedEndpoint::read(&body).ok_or(MALFORMED)?;
                let record = with(endpoint.record(), [("success", true.into())]);
                self.state().register(endpoint)?;
                self.sync()?;
                record
            }
            Call::CreateTemplate => {
                let template = EmulatedTemplate::read(&body).ok_or(MALFORMED)?;
                let record = template.record();
                self.state().add_template(template)?;
                self.sync()?;
                record
            }
            Call::ListTemplates => {
                let state = self.state();
                let records: Vec<_> = state.registry().templates().map(EmulatedTemplate::record).collect();
                json!({ "pagination": pagination(1, records.len().max(1), records.len()), "data": records })
            }
        };
        let reply = reply.filter(|_| self.settings.sealing == Sealing::Required);
        Ok(Answer { status: 200, json, reply, retry_after: None })
    }

    fn check_head(&self, request: &Request, form: Form, project_env: &str) -> Result<(), Refused> {
        if form != Form::None {
            let media_type =
                request.header("content-type").and_then(|value| value.split(';').next()).unwrap_or_default();
            if !media_type.trim().eq_ignore_ascii_case(JSON) {
                return Err(refused(415, "NOT_JSON"));
            }
        }
        let key = request.header(http::PROJECT_KEY).unwrap_or_default();
        if !bool::from(key.as_bytes().ct_eq(self.project_key().as_bytes())) {
            return Err(refused(401, "INVALID_PROJECT_KEY"));
        }
        if project_env != self.settings.project_env {
            return Err(refused(404, "UNKNOWN_PROJECT_ENV"));
        }
        let said = request.header("x-apikee-encrypted");
        let is_right = match (form, self.settings.sealing) {
            (Form::None, _) => true,
            (Form::Plain, _) => said == Some("0"),
            (Form::Sealed, Sealing::Required | Sealing::Requests) => said == Some("1"),
            (Form::Sealed, Sealing::Off) => matches!(said, Some("0" | "1")),
        };
        if is_right { Ok(()) } else { Err(refused(400, "WRONG_ENCRYPTED_HEADER")) }
    }

    /// The body, opened if the header says that it is sealed, and the reply that then seals the answer.
    fn body(&self, request: &Request, entry: &mut LoggedRequest) -> Result<(Value, Option<Reply>), Refused> {
        let mut bytes = request.body.clone();
        let (body, reply) = if request.header("x-apikee-encrypted") == Some("1") {
            let (body, reply) =
                self.delivery.recipient.open(&mut bytes).map_err(|_| refused(400, "UNREADABLE_ENVELOPE"))?;
            (body, Some(reply))
        } else {
            (bytes.as_mut_slice(), None)
        };
        entry.body = core::str::from_utf8(body).ok().map(str::to_owned);
        Ok((serde_json::from_slice(body).map_err(|_| MALFORMED)?, reply))
    }

    fn record(&self, id: ClientId) -> Result<Value, Refused> {
        let state = self.state();
        Ok(state.registry().client(id).ok_or(NOT_FOUND)?.record(id))
    }

    /// A page of the clients with one name, or of all clients in the order of their names.
    fn list_clients(&self, query: &str) -> Result<Value, Refused> {
        let number = |name| match optional(query, name)? {
            Some(text) => text.parse().ok().filter(|number| *number > 0).map(Some).ok_or(MALFORMED),
            None => Ok(None),
        };
        let limit = number("limit")?.unwrap_or(LOOKUP_LIMIT).min(MAX_LOOKUP_LIMIT);
        let page = number("page")?.unwrap_or(1);
        let skipped = page.saturating_sub(1).saturating_mul(limit);
        let state = self.state();
        let registry = state.registry();
        let (total, data): (_, Vec<_>) = match optional(query, "name")? {
            Some(name) => {
                let ids = registry.named(&name);
                let page = ids.iter().skip(skipped).take(limit);
                (ids.len(), page.filter_map(|id| Some(registry.client(*id)?.record(*id))).collect())
            }
            None => {
                let page = registry.by_name().skip(skipped).take(limit);
                (registry.clients().len(), page.map(|(id, client)| client.record(id)).collect())
            }
        };
        Ok(json!({ "data": data, "pagination": pagination(page, limit, total) }))
    }

    /// The code of the platform's refusal, if it refuses the request.
    fn validate(
        &self,
        id: ClientId,
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
        if !self.is_signed(&format!("{id}|{method_path}|{timestamp}"), request) {
            return Err(refused(403, "INVALID_SIGNATURE"));
        }

        let mut state = self.state();
        let now = state.clock.now();
        if self.settings.tolerance.is_some_and(|tolerance| !clock::within(sent, now, tolerance)) {
            return Ok(Some("STALE_REQUEST"));
        }
        let registry = state.registry();
        let Some(client) = registry.client(id) else {
            return Ok(Some("UNKNOWN_CLIENT"));
        };
        if field(headers, "x-api-key").is_some_and(|key| !client.has_key(key)) {
            return Ok(Some("UNKNOWN_KEY"));
        }
        if let Some(code) = client.key_refusal(name, now) {
            return Ok(Some(code));
        }
        if !client.may_call_from(address(headers, peer)) {
            return Err(refused(403, "IP_NOT_ALLOWED"));
        }
        if let Some(wait) = client.usage.wait(now, registry.limits(client)) {
            return Err(Refused { retry_after: Some(wait), ..refused(429, "RATE_LIMITED") });
        }
        state.change(Change::Used(id, now))?;
        Ok(None)
    }

    fn is_signed(&self, message: &str, request: &Request) -> bool {
        let signature = request.header("x-apikee-signature").unwrap_or_default();
        self.settings.verifier.as_ref().is_none_or(|accepts| accepts(message, signature))
    }
}

/// The plain answer to a refused request.
fn plain(refused: &Refused) -> Answer {
    let Refused { status, code, retry_after } = *refused;
    Answer { status, json: json!({ "error": code }), reply: None, retry_after }
}

impl Call {
    /// The call, its kind, the client that it names, and how its body travels.
    fn read(method: &str, path: &str) -> Result<(Self, RequestKind, Option<ClientId>, Form), Refused> {
        use RequestKind as Kind;
        const UNKNOWN: Refused = refused(404, "UNKNOWN_PATH");
        let path = path.strip_prefix(BASE_PATH).ok_or(UNKNOWN)?;
        let id = path.strip_prefix("/client/").map(|id| ClientId::new(id).map_err(|_| MALFORMED)).transpose()?;
        let (call, kind, form) = match (method, path, id) {
            ("POST", _, Some(id)) => (Self::Validate(id), Kind::Validate, Form::Sealed),
            ("GET", _, Some(id)) => (Self::GetClient(id), Kind::Lookup, Form::None),
            ("PUT", _, Some(id)) => (Self::ReplaceClient(id), Kind::Change, Form::Sealed),
            ("DELETE", _, Some(id)) => (Self::DeleteClient(id), Kind::Change, Form::None),
            ("POST", "/client", _) => (Self::CreateClient, Kind::Client, Form::Sealed),
            ("GET", "/client", _) => (Self::ListClients, Kind::Lookup, Form::None),
            ("POST", "/endpoint", _) => (Self::RegisterEndpoint, Kind::Endpoint, Form::Plain),
            ("POST", "/template", _) => (Self::CreateTemplate, Kind::Template, Form::Plain),
            ("GET", "/template", _) => (Self::ListTemplates, Kind::Template, Form::None),
            (_, "/client" | "/endpoint" | "/template", _) | (_, _, Some(_)) => {
                return Err(refused(405, "METHOD_NOT_ALLOWED"));
            }
            _ => return Err(UNKNOWN),
        };
        Ok((call, kind, id, form))
    }
}

/// `GET:::/users` as the SDKs send it, or `GET:/users` as the documentation also shows it.
fn is_method_path(text: &str) -> bool {
    let is = |separator| text.split_once(separator).is_some_and(|(method, path)| is_route(method, path));
    is(":::") || is(":")
}

fn pagination(page: usize, limit: usize, total: usize) -> Value {
    json!({ "page": page, "limit": limit, "total": total, "totalPages": total.div_ceil(limit) })
}

/// The decoded value of a parameter that must occur once.
fn parameter(query: &str, name: &str) -> Result<String, Refused> {
    optional(query, name)?.ok_or(MALFORMED)
}

/// Like [`parameter`], but `None` if the parameter does not occur. Without a `=`, it is empty.
fn optional(query: &str, name: &str) -> Result<Option<String>, Refused> {
    let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let mut values = pairs.filter(|(own, _)| http::decode(own).as_deref() == Some(name)).map(|(_, value)| value);
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => http::decode(value).map(Some).ok_or(MALFORMED),
        _ => Err(MALFORMED),
    }
}

/// Whether arrays and objects are nested in at most this number of levels.
fn has_at_most(levels: usize, value: &Value) -> bool {
    let has_inside = |inner: &Value| has_at_most(levels.saturating_sub(1), inner);
    match value {
        Value::Array(items) => levels > 0 && items.iter().all(has_inside),
        Value::Object(members) => levels > 0 && members.values().all(has_inside),
        _ => true,
    }
}

/// A header of the request that is validated.
fn field<'h>(headers: &'h Map<String, Value>, name: &str) -> Option<&'h str> {
    headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).and_then(|(_, value)| value.as_str())
}

/// The origin of the validated request. `None` if its header cannot be parsed.
fn address(headers: &Map<String, Value>, peer: IpAddr) -> Option<IpAddr> {
    let Some(said) = field(headers, "x-forwarded-for").or_else(|| field(headers, "x-real-ip")) else {
        return Some(peer);
    };
    let first = said.split(',').next().unwrap_or_default().trim();
    read_address(first).map(|address| address.to_canonical())
}
