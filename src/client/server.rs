//! Server mode: who is asked about, what is asked, and what goes on beside the requests.

use core::{panic::AssertUnwindSafe, time::Duration};
use std::{
    boxed::Box,
    format,
    panic::catch_unwind,
    string::{String, ToString as _},
    vec::Vec,
};

use super::{
    background::{Background, Dropped},
    clients::Clients,
    event::Event,
    platform::{Deadline, MAX_BODY_LEN, Platform},
    request::About,
    routes::{MAX_ROUTES, Routes, Turn},
    scratch::Plaintext,
};
use crate::{
    json::JsonObject,
    key::{Claims, Keyring, VerifiedKey},
    policy::{Denial, Fault, Outcome, Policy},
    protocol::{
        ClientId, ClientKey, CreateClient, KEY_HEADER, MethodPath, RegisterEndpoint, Timestamp, ValidateRequest,
    },
    time::UnixTime,
};

/// Whether requests wait for the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Enforcement {
    /// Each request waits for the platform's answer, and is let through or denied by it.
    #[default]
    Enforce,
    /// No request waits: a key that is good locally is let through, and the platform is told
    /// afterwards. What it says comes as [`Event::Observed`].
    Observe,
}

/// Tells the platform's id of the client that a key was issued to.
pub(super) type Resolver = dyn Fn(&Claims<'_>) -> Option<ClientId> + Send + Sync;

/// Everything that is there in server mode only.
pub(super) struct Server {
    pub(super) platform: Platform,
    pub(super) timeout: Duration,
    pub(super) enforcement: Enforcement,
    pub(super) resolver: Option<Box<Resolver>>,
    pub(super) auto_create: bool,
    pub(super) auto_register: bool,
    pub(super) clients: Clients,
    pub(super) routes: Routes,
    /// `None` without a thread.
    pub(super) background: Option<Background<Job>>,
}

/// What is left to the thread.
pub(super) enum Job {
    Register(Route),
    Tell(Box<Told>),
}

/// A copy of a [`MethodPath`].
pub(super) struct Route {
    method: String,
    path: String,
}

/// A copy of what there is to tell of a request with a good key.
pub(super) struct Told {
    key: Plaintext,
    at: UnixTime,
    route: Route,
    is_route: bool,
    client: Option<ClientId>,
    key_name: String,
    headers: Vec<(String, String)>,
    payload: Option<String>,
}

impl Server {
    /// Asks the platform about a request with a good key, and waits for the answer.
    pub(super) fn ask(&self, key: &VerifiedKey<'_>, about: &About<'_>, at: UnixTime, deadline: Deadline) -> Outcome {
        let client = match about.client.map_or_else(|| self.client_of(key.claims(), about.key_name, deadline), Ok) {
            Ok(client) => client,
            Err(outcome) => return outcome,
        };
        let Ok(timestamp) = Timestamp::new(at) else {
            return Outcome::Fault(Fault::NotSent);
        };
        let mut question = ValidateRequest::new(client, &self.platform.project_env, about.method_path, timestamp)
            .key_name(about.key_name)
            .headers(about.headers)
            .raw_key(key.raw());
        if let Some(payload) = about.payload {
            question = question.payload(payload);
        }
        let outcome = self.platform.validate(&question, deadline);
        // Only then: who has no good key, or is refused, does not get to name routes.
        if outcome == Outcome::Confirmed && self.auto_register && about.is_route {
            match self.routes.turn(&about.method_path, self.platform.gate.now()) {
                Turn::Register => self.register_soon(&about.method_path, deadline),
                Turn::Rest => {}
                Turn::Full => self.platform.events.emit(&Event::RoutesFull { limit: MAX_ROUTES }),
            }
        }
        self.refill_soon();
        outcome
    }

    /// The client that a key belongs to.
    fn client_of(&self, claims: &Claims<'_>, key_name: &str, deadline: Deadline) -> Result<ClientId, Outcome> {
        if let Some(client) = named_in_meta(claims) {
            return Ok(client);
        }
        let tenant = claims.tenant();
        if let Ok(client) = ClientId::new(tenant) {
            return Ok(client);
        }
        if let Some(resolver) = &self.resolver {
            // A resolver that panics has not found out.
            if let Ok(Some(client)) = catch_unwind(AssertUnwindSafe(|| resolver(claims))) {
                return Ok(client);
            }
            // The time that it took is no outage of the platform's.
            deadline.left().map_err(|_| Outcome::Fault(Fault::UnknownClient))?;
        }
        if let Some(client) = self.clients.get(tenant, key_name) {
            return Ok(client);
        }
        if !self.auto_create || tenant.is_empty() {
            return Err(Outcome::Fault(Fault::UnknownClient));
        }
        self.upsert(tenant, key_name, deadline)
    }

    /// Brings the platform's record of a tenant up to date, and remembers its id.
    ///
    /// The key is named without an expiry: all keys of that name share it there, and each has its own
    /// in its claims.
    pub(super) fn upsert(&self, tenant: &str, key_name: &str, deadline: Deadline) -> Result<ClientId, Outcome> {
        let keys = [ClientKey::new(key_name)];
        let request = CreateClient::new(&self.platform.project_env, tenant).keys(&keys);
        let client = self.platform.upsert(&request, deadline)?;
        self.clients.remember(tenant, key_name, client);
        Ok(client)
    }

    fn register_soon(&self, method_path: &MethodPath<'_>, deadline: Deadline) {
        if self.background.is_some() {
            self.queue(Job::Register(Route::of(method_path)));
        } else {
            self.register(method_path, deadline);
        }
    }

    /// Best effort: whatever comes of it, no request hears of it.
    fn register(&self, method_path: &MethodPath<'_>, deadline: Deadline) {
        let request = RegisterEndpoint::new(&self.platform.project_env, *method_path);
        // A transport that panics has failed, too.
        match catch_unwind(AssertUnwindSafe(|| self.platform.register(&request, deadline))) {
            Ok(Ok(())) => self.platform.events.emit(&Event::EndpointRegistered { method_path: *method_path }),
            Ok(Err(_)) | Err(_) => self.routes.failed(method_path, self.platform.gate.now()),
        }
    }

    /// Leaves it to the thread to tell of a request with a good key.
    pub(super) fn tell_soon(&self, key: &VerifiedKey<'_>, about: &About<'_>, at: UnixTime) {
        // What is too long to send is not worth the memory either.
        let lens = about.headers.iter().map(|(name, value)| name.len().saturating_add(value.len()));
        let payload = about.payload.map_or(0, |payload| payload.as_str().len());
        if lens.fold(payload, usize::saturating_add) > MAX_BODY_LEN {
            self.platform.events.emit(&Event::Observed { verdict: Err(Denial::Fault(Fault::NotSent)) });
            return;
        }
        self.queue(Job::Tell(Box::new(Told {
            key: Plaintext::copy_of(key.raw().as_bytes()),
            at,
            route: Route::of(&about.method_path),
            is_route: about.is_route,
            client: about.client,
            key_name: about.key_name.into(),
            headers: about
                .headers
                .iter()
                .filter(not_the_key)
                .map(|(name, value)| (name.to_string(), value.to_string()))
                .collect(),
            payload: about.payload.map(|payload| payload.as_str().into()),
        })));
    }

    fn tell(&self, keys: &Keyring, policy: Policy, told: &Told, deadline: Deadline) {
        let mut buf = std::vec![0; crate::key::verify_buffer_len(told.key.as_bytes().len())];
        let (Ok(key), Some(method_path)) =
            (keys.verify(told.key.as_bytes(), told.at, &mut buf), told.route.method_path())
        else {
            return;
        };
        let headers: Vec<_> = told.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let about = About {
            method_path,
            is_route: told.is_route,
            client: told.client,
            key_name: &told.key_name,
            headers: &headers,
            payload: told.payload.as_deref().and_then(|text| JsonObject::new(text).ok()),
        };
        let outcome = self.ask(&key, &about, told.at, deadline);
        self.platform.events.emit(&Event::Observed { verdict: policy.decide(outcome) });
    }

    /// On the thread.
    pub(super) fn work(&self, keys: &Keyring, policy: Policy, job: &Job, limit: Duration) {
        let deadline = Deadline::after(limit);
        match job {
            Job::Register(route) => {
                if let Some(method_path) = route.method_path() {
                    self.register(&method_path, deadline);
                }
            }
            Job::Tell(told) => self.tell(keys, policy, told, deadline),
        }
    }

    fn queue(&self, job: Job) {
        if let Some(background) = &self.background {
            let owned = job.owned_bytes();
            self.give_up(background.push(job, owned));
        }
    }

    /// Ends the thread; see [`Background::close`]. Returns how many jobs are left undone.
    pub(super) fn close(&self, within: Duration) -> usize {
        self.background.as_ref().map_or(0, |background| self.give_up(background.close(within)))
    }

    /// Tells of jobs that are dropped, if there are any. Returns how many.
    fn give_up(&self, Dropped { jobs, total }: Dropped<Job>) -> usize {
        for job in &jobs {
            if let Job::Register(route) = job
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
            && self.platform.sessions.run_low(self.platform.gate.now())
        {
            background.refill();
        }
    }

    /// Establishes sessions until there is no room for more; tells how many.
    pub(super) fn prepare(&self) -> usize {
        let mut added = 0_usize;
        while added < super::sessions::POOLED
            && self.platform.sessions.add(&self.platform.server, self.platform.gate.now())
        {
            added = added.saturating_add(1);
        }
        added
    }
}

impl Job {
    /// The memory that it owns beside its own size, in bytes.
    fn owned_bytes(&self) -> usize {
        match self {
            Self::Register(route) => route.owned_bytes(),
            Self::Tell(told) => size_of::<Told>().saturating_add(told.owned_bytes()),
        }
    }
}

impl Told {
    fn owned_bytes(&self) -> usize {
        let fields = self.headers.capacity().saturating_mul(size_of::<(String, String)>());
        [self.key.as_bytes().len(), self.route.owned_bytes(), self.key_name.capacity(), fields]
            .into_iter()
            .chain(self.headers.iter().flat_map(|(name, value)| [name.capacity(), value.capacity()]))
            .chain(self.payload.as_ref().map(String::capacity))
            .fold(0, usize::saturating_add)
    }
}

/// It is added by itself, and a copy would not be wiped.
fn not_the_key((name, _): &&(&str, &str)) -> bool {
    !name.eq_ignore_ascii_case(KEY_HEADER)
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
        // It was cut when it was taken.
        MethodPath::with_query(&self.method, &self.path).ok()
    }
}
