//! Server mode: finds the client of a request, asks the platform, and does other work in the background.

use core::{mem, panic::AssertUnwindSafe, time::Duration};
use std::{
    boxed::Box,
    format,
    panic::catch_unwind,
    string::{String, ToString as _},
    sync::Arc,
    vec,
    vec::Vec,
};

use super::{
    background::{Background, Dropped},
    directory::{Clients, MAX_ROUTES, Routes, Turn},
    event::Event,
    gate::{self, Caller, Deadline, Plaintext},
    platform::{Channel, Failed, MAX_BODY_LEN, Platform, found, registered, success},
    request::{About, Facts as _, Origin, cut},
};
use crate::{
    breaker::ClientRef,
    crypto::Zeroize as _,
    json::JsonObject,
    key::{Claims, Keyring, VerifiedKey},
    policy::{Fault, Outage, Outcome, Policy, Rejection},
    protocol::{
        ClientId, ClientKey, CreateClient, Endpoint, FindClient, FoundClient, KEY_HEADER, MethodPath, RegisterEndpoint,
        Request as _, Timestamp, ValidateRequest, WrittenEndpoint, is_address,
    },
    time::UnixTime,
};

/// Whether requests wait for the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Enforcement {
    /// Each request waits for the platform's answer, and the answer grants or denies it.
    #[default]
    Enforce,
    /// No request waits. A key that is good locally and has the scopes is granted, and the platform is asked
    /// afterwards. Its verdict is the event [`Event::Observed`].
    Observe,
}

/// The longest question, in bytes without the caller's payload. An untrusted caller's long header fields must not make
/// a question so large that a server in front of the platform refuses it.
const MAX_QUESTION_LEN: usize = 16 * 1024;

/// The methods of RFC 9110, section 9.1, that an API may have, and `PATCH`.
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"];

/// Returns the platform's client id for the owner of a key.
pub(super) type Resolver = dyn Fn(&Claims<'_>) -> Option<ClientId> + Send + Sync;

/// Settings of server mode; see [`ApikeeBuilder`](super::ApikeeBuilder).
pub(super) struct Settings {
    pub(super) timeout: Duration,
    pub(super) enforcement: Enforcement,
    pub(super) resolver: Option<Box<Resolver>>,
    pub(super) tenant_is_client_id: bool,
    pub(super) auto_create: bool,
    pub(super) create_unknown_clients: bool,
    pub(super) auto_register: bool,
    pub(super) max_client_ids: usize,
    pub(super) max_client_id_age: Duration,
    pub(super) background_thread: bool,
    pub(super) queue_len: usize,
    pub(super) queue_bytes: usize,
}

impl Settings {
    pub(super) const DEFAULT: Self = Self {
        // The documented limit for all calls of one request together.
        timeout: Duration::from_secs(3),
        enforcement: Enforcement::Enforce,
        resolver: None,
        tenant_is_client_id: false,
        auto_create: true,
        create_unknown_clients: false,
        auto_register: true,
        max_client_ids: 65_536,
        max_client_id_age: Duration::from_secs(10 * 60),
        background_thread: true,
        queue_len: 1024,
        queue_bytes: 4 * 1024 * 1024,
    };
}

/// The parts of a client that exist only in server mode.
pub(super) struct Server {
    pub(super) platform: Platform,
    pub(super) settings: Settings,
    clients: Clients,
    routes: Routes,
    /// `None` without a thread.
    pub(super) background: Option<Background<Job>>,
}

/// Work for the thread.
pub(super) enum Job {
    Register {
        route: Route,
        /// The body of the registration.
        body: Arc<str>,
    },
    Observe(Box<Observed>),
}

/// A copy of a [`MethodPath`].
pub(super) struct Route {
    method: String,
    path: String,
}

/// A copy of the data about a request with a good key, for the platform.
pub(super) struct Observed {
    key: Plaintext,
    at: UnixTime,
    route: Route,
    is_route: bool,
    /// The scopes that the route needs.
    scopes: Vec<String>,
    client: Option<ClientId>,
    key_name: String,
    headers: Vec<(String, String)>,
    payload: Option<String>,
}

/// Wipes what the caller sent.
impl Drop for Observed {
    fn drop(&mut self) {
        for text in self.headers.iter_mut().map(|(_, value)| value).chain(&mut self.payload) {
            mem::take(text).into_bytes().zeroize();
        }
    }
}

impl Server {
    pub(super) fn new(platform: Platform, settings: Settings) -> Self {
        Self {
            platform,
            clients: Clients::new(settings.max_client_ids, settings.max_client_id_age),
            routes: Routes::default(),
            background: settings.background_thread.then(|| Background::new(settings.queue_len, settings.queue_bytes)),
            settings,
        }
    }

    /// Asks the platform about a request with a good key, and waits for the answer. A remembered refusal of the client
    /// can replace an outage, or an overload or fault that the policy admits; see [`Policy::recall`].
    pub(super) fn ask(
        &self,
        key: &VerifiedKey<'_>,
        about: &About<'_>,
        at: UnixTime,
        deadline: &Deadline,
        policy: Policy,
    ) -> Outcome {
        let (claims, origin) = (key.claims(), Origin::of(about.headers));
        let tenant = claims.tenant();
        let named = self.named(claims, about.client, deadline);
        let client = match named {
            Ok(Some(client)) => Ok(client),
            Ok(None) => self.client_of(tenant, about.key_name, deadline),
            Err(fault) => Err(Outcome::Fault(fault)),
        };
        let named = named.ok().flatten();
        let question = client.and_then(|client| Ok((client, self.question(client, key, about, at)?)));
        let outcome = match question {
            Err(outcome) => outcome,
            Ok((client, question)) => {
                let caller = Caller {
                    client: client.into(),
                    origin: Some(origin),
                    // The whole key: an issuer may leave out the ids.
                    judged: Some(key.raw()),
                    tenant: (!tenant.is_empty()).then(|| ClientRef::of_name(tenant)),
                    is_looked_up: named.is_none(),
                };
                let secrets = self.platform.secrets(key);
                let answered = self
                    .platform
                    .exchange(Some(caller), &question, deadline, |body| success(body, &question, &secrets));
                self.refill_soon();
                match answered {
                    Ok(()) => {
                        self.register_soon_if_new(about, deadline);
                        Outcome::Confirmed
                    }
                    Err(Failed { outcome, unknown_client: true }) if named.is_none() => {
                        self.clients.give_up(tenant, client);
                        // The client was deleted. A process that never knew the client reports the same fault.
                        match outcome {
                            Outcome::Rejected(Rejection::Unsuccessful(_)) => Outcome::Fault(Fault::UnknownClient),
                            outcome => outcome,
                        }
                    }
                    Err(failed) => failed.outcome,
                }
            }
        };
        policy.recall(outcome, || self.remembered(named, tenant, origin))
    }

    /// The outcome of a request with a good key that the platform cannot be asked about.
    pub(super) fn unasked(
        &self,
        key: &VerifiedKey<'_>,
        client: Option<ClientId>,
        origin: Origin<'_>,
        policy: Policy,
    ) -> Outcome {
        let claims = key.claims();
        policy.recall(Outcome::Fault(Fault::NotSent), || {
            let deadline = &Deadline::after(self.settings.timeout);
            let named = self.named(claims, client, deadline).ok().flatten();
            self.remembered(named, claims.tenant(), origin)
        })
    }

    /// A refusal that applies to a key of this tenant. `named` is the client that the request names.
    fn remembered(&self, named: Option<ClientId>, tenant: &str, origin: Origin<'_>) -> Option<Rejection> {
        match named {
            Some(client) => self.platform.gate.remembered([client.into()], origin),
            None => self.platform.gate.remembered(self.keys_of(tenant), origin),
        }
    }

    /// Returns the platform's client with the tenant's name.
    fn client_of(&self, tenant: &str, key_name: &str, deadline: &Deadline) -> Result<ClientId, Outcome> {
        if tenant.is_empty() {
            return Err(Outcome::Fault(Fault::UnknownClient));
        }
        let look_up = || self.look_up(tenant, key_name, deadline);
        let open = || self.platform.gate.open(self.keys_of(tenant)[0]);
        let found = self.clients.find(tenant, self.platform.gate.now(), deadline, open, look_up)?;
        if found.asked && deadline.left().is_none() {
            // The look-up took all of the time.
            return Err(self.platform.gate.judge(Some(found.id.into()), deadline, Outage::Timeout));
        }
        Ok(found.id)
    }

    fn question<'q>(
        &'q self,
        client: ClientId,
        key: &VerifiedKey<'q>,
        about: &About<'q>,
        at: UnixTime,
    ) -> Result<ValidateRequest<'q>, Outcome> {
        let timestamp = Timestamp::new(at).map_err(|_| Outcome::Fault(Fault::NotSent))?;
        let mut question = ValidateRequest::new(client, &self.platform.project_env, about.method_path, timestamp)
            .key_name(about.key_name)
            .headers(about.headers)
            .max_body_len(MAX_QUESTION_LEN);
        question = match self.platform.channel {
            Channel::Sealed(_) => question.raw_key(key.raw()),
            Channel::Plain => question.withhold_key(key.raw()),
        };
        if !question.is_whole() {
            return Err(Outcome::Fault(Fault::NotSent));
        }
        Ok(match about.payload {
            Some(payload) => question.payload(payload),
            None => question,
        })
    }

    /// Registers a route that the platform may not know. Only a confirmed request does this: a caller without a good
    /// key, or with a refused one, must not be able to name routes. A caller can also make up methods, so only the usual
    /// ones are registered.
    fn register_soon_if_new(&self, about: &About<'_>, deadline: &Deadline) {
        let (method, _) = about.method_path.parts();
        if !about.is_route || !METHODS.iter().any(|usual| usual.eq_ignore_ascii_case(method)) {
            return;
        }
        match self.routes.turn(&about.method_path, self.settings.auto_register, self.platform.gate.now()) {
            Turn::Register => {
                let body = match self.routes.description(&about.method_path) {
                    Some(body) => body,
                    None => body_of(&Endpoint::new(about.method_path).scopes(about.scopes)),
                };
                self.register_soon(&about.method_path, body, deadline);
            }
            Turn::Nothing => {}
            Turn::Full => self.platform.events.emit(&Event::RoutesFull { limit: MAX_ROUTES }),
        }
    }

    /// The client that the request, the key's `meta`, the resolver or the tenant names.
    ///
    /// # Errors
    ///
    /// [`Fault::UnknownClient`] if the resolver took all of the time: that is not an outage of the platform.
    fn named(
        &self,
        claims: &Claims<'_>,
        client: Option<ClientId>,
        deadline: &Deadline,
    ) -> Result<Option<ClientId>, Fault> {
        if let Some(client) = client.or_else(|| named_in_meta(claims)) {
            return Ok(Some(client));
        }
        if let Some(resolver) = &self.settings.resolver {
            // A resolver that panics counts as one that returns `None`: see the test
            // `the_client_id_comes_from_meta_else_the_resolver_else_the_tenant_else_the_platform`.
            let resolved = deadline.suspended(|| catch_unwind(AssertUnwindSafe(|| resolver(claims))));
            if let Ok(Some(client)) = resolved.ok_or(Fault::UnknownClient)? {
                return Ok(Some(client));
            }
        }
        Ok(if self.settings.tenant_is_client_id { ClientId::new(claims.tenant()).ok() } else { None })
    }

    /// Asks the platform for the tenant's client. If the platform does not know it, creates it if configured.
    fn look_up(&self, tenant: &str, key_name: &str, deadline: &Deadline) -> Result<ClientId, Outcome> {
        let [client, by_name] = self.keys_of(tenant);
        let caller = Caller { origin: Some(Origin::Everywhere), tenant: Some(by_name), ..Caller::of(client) };
        let request = FindClient::new(&self.platform.project_env, tenant);
        let id = match self.platform.exchange(Some(caller), &request, deadline, |body| found(body, tenant))? {
            FoundClient::One(id) => id,
            FoundClient::None if self.settings.create_unknown_clients => {
                // The key is sent without an expiry: on the platform, all keys with that name share one expiry, and
                // each key has its own in its claims.
                let keys = [ClientKey::new(key_name)];
                let request = CreateClient::new(&self.platform.project_env, tenant).keys(&keys);
                self.platform.upsert(caller, &request, deadline)?
            }
            // The platform has answered, which counts for the breaker. It does not say which client is meant.
            FoundClient::None | FoundClient::Several => return Err(Outcome::Fault(Fault::UnknownClient)),
        };
        // The observer's time is not the platform's.
        let _ = deadline.suspended(|| self.remember(tenant, id));
        Ok(id)
    }

    pub(super) fn remember(&self, tenant: &str, id: ClientId) {
        if let Some(total) = self.clients.remember(tenant, id, self.platform.gate.now()) {
            self.platform.events.emit(&Event::ClientIdDisplaced { total });
        }
    }

    /// The table keys for breakers and refusals of a tenant: the last known client id or else the tenant's name, and
    /// the name.
    pub(super) fn keys_of(&self, tenant: &str) -> [ClientRef; 2] {
        let by_name = ClientRef::of_name(tenant);
        [self.clients.last_known(tenant).map_or(by_name, ClientRef::from), by_name]
    }

    /// Registers a route with its description.
    pub(super) fn describe(&self, endpoint: &Endpoint<'_>) {
        let (method_path, body) = (endpoint.method_path(), body_of(endpoint));
        match self.routes.describe(&method_path, &body) {
            Turn::Register => self.register_soon(&method_path, body, &Deadline::after(self.settings.timeout)),
            Turn::Nothing => {}
            Turn::Full => self.platform.events.emit(&Event::RoutesFull { limit: MAX_ROUTES }),
        }
    }

    fn register_soon(&self, method_path: &MethodPath<'_>, body: Arc<str>, deadline: &Deadline) {
        if self.background.is_some() {
            self.queue(Job::Register { route: Route::of(method_path), body });
        } else {
            self.register(method_path, &body, deadline);
        }
    }

    /// Best effort: no request depends on the result.
    fn register(&self, method_path: &MethodPath<'_>, body: &str, deadline: &Deadline) {
        let request = WrittenEndpoint { project_env: &self.platform.project_env, body };
        // A transport that panics has failed, too. Without a thread the request continues: see the test
        // `a_failed_registration_is_retried_after_a_pause`.
        match catch_unwind(AssertUnwindSafe(|| self.platform.exchange(None, &request, deadline, registered))) {
            Ok(Ok(())) => self.platform.events.emit(&Event::EndpointRegistered { method_path: *method_path }),
            Ok(Err(_)) | Err(_) => self.routes.failed(method_path, self.platform.gate.now()),
        }
    }

    /// Queues a request with a good key for the thread, which will ask the platform about it. Returns `false` if the
    /// platform cannot be asked.
    #[must_use]
    pub(super) fn observe(&self, key: &VerifiedKey<'_>, about: &About<'_>, at: UnixTime) -> bool {
        // A payload that is too long to send is not worth the memory either.
        if about.payload.is_some_and(|payload| payload.as_str().len() > MAX_BODY_LEN) {
            return false;
        }
        let Some(headers) = worth_keeping(about.headers, key.raw()) else {
            return false;
        };
        self.queue(Job::Observe(Box::new(Observed {
            key: Plaintext::copy_of(key.raw().as_bytes()),
            at,
            route: Route::of(&about.method_path),
            is_route: about.is_route,
            scopes: if about.is_route { about.scopes.iter().copied().map(String::from).collect() } else { vec![] },
            client: about.client,
            key_name: about.key_name.into(),
            headers,
            payload: about.payload.map(|payload| payload.as_str().into()),
        })));
        true
    }

    /// Returns `false` if the key is not good any more, because its secret was removed meanwhile.
    fn ask_observed(&self, keys: &Keyring, policy: Policy, observed: &Observed, deadline: &Deadline) -> bool {
        let mut buf = vec![0; crate::key::verify_buffer_len(observed.key.as_bytes().len())];
        let (Ok(key), Some(method_path)) =
            (keys.verify(observed.key.as_bytes(), observed.at, &mut buf), observed.route.method_path())
        else {
            return false;
        };
        let headers: Vec<_> = observed.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let scopes: Vec<_> = observed.scopes.iter().map(String::as_str).collect();
        let about = About {
            method_path,
            is_route: observed.is_route,
            scopes: &scopes,
            client: observed.client,
            key_name: &observed.key_name,
            headers: &headers,
            payload: observed.payload.as_deref().and_then(|text| JsonObject::new(text).ok()),
        };
        // Not the time of the request: the platform would refuse the timestamp of an entry that has waited long.
        let outcome = self.ask(&key, &about, UnixTime::now(), deadline, policy);
        let audit = about.audit().with_key(Some(observed.key.as_bytes()), Some(key.claims()));
        self.platform.events.emit(&Event::Observed { audit, verdict: policy.decide(outcome) });
        true
    }

    /// Does a job, on the thread. Returns `false` if an observed request gets no verdict.
    #[must_use]
    pub(super) fn work(&self, keys: &Keyring, policy: Policy, job: &Job, limit: Duration) -> bool {
        let deadline = &Deadline::after(limit);
        // After `close`, less than the usual time may be left.
        deadline.has_waited(self.settings.timeout.saturating_sub(limit));
        match job {
            Job::Register { route, body } => {
                if let Some(method_path) = route.method_path() {
                    self.register(&method_path, body, deadline);
                }
                true
            }
            Job::Observe(observed) => self.ask_observed(keys, policy, observed, deadline),
        }
    }

    fn queue(&self, job: Job) {
        if let Some(background) = &self.background {
            let owned = job.owned_bytes();
            self.give_up(background.push(job, owned));
        }
    }

    /// Ends the thread; see [`Background::close`]. Returns the number of jobs that were not done.
    pub(super) fn close(&self, within: Duration) -> usize {
        self.background.as_ref().map_or(0, |background| self.give_up(background.close(within)))
    }

    /// Reports dropped jobs, if there are any. Returns their number.
    fn give_up(&self, Dropped { jobs, total }: Dropped<Job>) -> usize {
        for job in &jobs {
            if let Job::Register { route, .. } = job
                && let Some(method_path) = route.method_path()
            {
                self.routes.failed(&method_path, self.platform.gate.now());
            }
        }
        if !jobs.is_empty() {
            self.platform.events.emit(&Event::Dropped { total });
        }
        jobs.len()
    }

    fn refill_soon(&self) {
        if let Some(background) = &self.background
            && self.platform.channel.runs_low(self.platform.gate.now())
        {
            background.refill();
        }
    }

    /// Establishes sessions until the pool is full. Returns their number.
    pub(super) fn prepare(&self) -> usize {
        (0..super::platform::POOLED).take_while(|_| self.platform.channel.prepare(self.platform.gate.now())).count()
    }
}

impl Job {
    /// The memory that the job owns in addition to its own size, in bytes.
    fn owned_bytes(&self) -> usize {
        match self {
            Self::Register { route, body } => route.owned_bytes().saturating_add(body.len()),
            Self::Observe(observed) => size_of::<Observed>().saturating_add(observed.owned_bytes()),
        }
    }
}

impl Observed {
    fn owned_bytes(&self) -> usize {
        let fields = self.headers.capacity().saturating_mul(size_of::<(String, String)>());
        let scopes = self.scopes.capacity().saturating_mul(size_of::<String>());
        [self.key.as_bytes().len(), self.route.owned_bytes(), self.key_name.capacity(), fields, scopes]
            .into_iter()
            .chain(self.scopes.iter().map(String::capacity))
            .chain(self.headers.iter().flat_map(|(name, value)| [name.capacity(), value.capacity()]))
            .chain(self.payload.as_ref().map(String::capacity))
            .fold(0, usize::saturating_add)
    }
}

/// The body that registers an endpoint.
fn body_of(endpoint: &Endpoint<'_>) -> Arc<str> {
    let mut buf = vec![0; 256];
    gate::write(&mut buf, |buf| RegisterEndpoint::describing("", *endpoint).write_body(buf).map(str::len)).into()
}

/// Copies the header fields, up to the size of a question. A field that contains the key is left out: the key is added
/// separately, and this copy would not be wiped. An address is neither cut nor left out: `None` if there is no room for
/// it, or if it contains the key.
fn worth_keeping(headers: &[(&str, &str)], raw_key: &str) -> Option<Vec<(String, String)>> {
    let mut room = MAX_QUESTION_LEN;
    for (name, value) in headers.iter().filter(|(name, _)| is_address(name)) {
        room = room.checked_sub(name.len())?.checked_sub(value.len())?;
        if value.contains(raw_key) {
            return None;
        }
    }
    let mut kept = Vec::new();
    let without_key =
        |(name, value): &&(&str, &str)| !name.eq_ignore_ascii_case(KEY_HEADER) && !value.contains(raw_key);
    for (name, value) in headers.iter().filter(without_key) {
        let mut value = *value;
        if !is_address(name) {
            let Some(left) = room.checked_sub(name.len()) else { continue };
            value = cut(value, left);
            room = left.saturating_sub(value.len());
        }
        kept.push((name.to_string(), value.to_string()));
    }
    Some(kept)
}

fn named_in_meta(claims: &Claims<'_>) -> Option<ClientId> {
    let mut buf = [0; 64];
    let text = claims.meta().get_str("clientId")?.read_into(&mut buf).ok()?;
    ClientId::new(text).ok()
}

impl Route {
    fn of(method_path: &MethodPath<'_>) -> Self {
        let (method, path) = method_path.parts();
        Self { method: method.into(), path: format!("/{path}") }
    }

    fn owned_bytes(&self) -> usize {
        self.method.capacity().saturating_add(self.path.capacity())
    }

    fn method_path(&self) -> Option<MethodPath<'_>> {
        // `MethodPath` has already removed the query, unless the caller keeps it.
        MethodPath::with_query(&self.method, &self.path).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{breaker::ClientSlot, client::gate::Limits};

    #[test]
    fn the_default_limits_bound_the_memory() {
        let Settings { timeout, max_client_ids, queue_len, queue_bytes, .. } = Settings::DEFAULT;
        assert_eq!(timeout, Duration::from_secs(3));
        assert_eq!(crate::client::builder::DEFAULT_SECRET_GRACE, Duration::from_secs(600));
        assert_eq!((max_client_ids, queue_len, queue_bytes), (65_536, 1024, 4 << 20));
        assert_eq!(Limits::DEFAULT.in_flight, 32);
        assert!(Limits::DEFAULT.clients * size_of::<ClientSlot>() <= 512 << 10);
    }
}
