//! The platform on loopback, for tests, demos and offline work: see [`Emulator`].
//!
//! ```
//! use apikee::emulator::Emulator;
//!
//! let emulator = Emulator::start()?;
//! println!("{} has the public key {}", emulator.url(), emulator.public_key());
//! # Ok::<_, apikee::emulator::EmulatorError>(())
//! ```
//!
//! It speaks HTTP itself. A server library keeps the sockets of its connections to itself, and without
//! them there is no resetting or cutting them, and no way to end the threads that wait on idle ones.
//!
//! # Files
//!
//! | file | knows |
//! |---|---|
//! | `server` | connections, a thread each |
//! | `console` | the page for people, and its API |
//! | `handle` | the platform's calls and how they are answered |
//! | `state` | what changes while it runs, and the file that keeps it |
//! | `registry` | clients, templates and endpoints, and every change of them |
//! | `client` | what is known of one client, its limits and its template |
//! | `log` | what was asked |
//! | `misbehaviour` | what goes wrong on demand, and what is sent then |
//! | `http` | requests as they come, answers as they go |
//! | `clock` | time and chance |
//! | `signature` | signed requests |
//!
//! A file imports only from files below it.

mod client;
mod clock;
mod console;
mod handle;
mod http;
mod log;
mod misbehaviour;
mod registry;
mod server;
#[cfg(feature = "request-signing")]
mod signature;
mod state;

pub use crate::network::InvalidNetwork;
use core::{fmt, net::Ipv4Addr, time::Duration};
use std::{
    borrow::ToOwned as _, boxed::Box, format, io, net::TcpListener, path::PathBuf, string::String, sync::Arc, vec::Vec,
};

use base64ct::{Base64, Encoding as _};
use rand_core::TryRng as _;

#[cfg(feature = "request-signing")]
pub use self::signature::InvalidSigningKey;
pub use self::{
    client::{EmulatedClient, EmulatedTemplate},
    log::LoggedRequest,
    misbehaviour::{InvalidMisbehaviour, Misbehaviour, Occasion, RequestKind},
    registry::RegisteredEndpoint,
    state::StateFileError,
};
use self::{
    clock::{Clock, Ids},
    handle::{Platform, Settings},
    registry::Change,
    server::Server,
    state::State,
};
use crate::{
    SysRng, UnixTime,
    crypto::Zeroizing,
    envelope::Recipient,
    protocol::{ClientId, ProjectKey, Sealing},
};

/// The platform on loopback.
///
/// It listens on 127.0.0.1 until it is dropped. Its threads have ended and its port is free when the
/// drop returns, whatever its connections were doing. All methods may be called from any thread.
///
/// It answers these calls (docs/WIRE.md, "The platform's API"), all with `project_env` in the query. Bodies of
/// the first three travel as its [`Sealing`] says, and so do their answers; all others are plain.
///
/// | call | query | body | answer |
/// |---|---|---|---|
/// | `POST /client/{uuid}` | `method_path`: `GET:::/users` or `GET:/users` | a request to judge | the verdict |
/// | `POST /client` | | a client | its record |
/// | `PUT /client/{uuid}` | | a client | its record |
/// | `GET /client/{uuid}` | | | its record |
/// | `DELETE /client/{uuid}` | `keyId` to revoke that key only | | `{"success":true,...}` |
/// | `GET /client` | `name` to find exactly that, `limit` (20, at most 100), `page` | | `{"data":[...],"pagination":{...}}` |
/// | `POST /endpoint` | | an endpoint | it |
/// | `POST /template` | | `{"name","id"?,"limits"?:{"hour","day","week","month"},"maxClients"?}` | it |
/// | `GET /template` | | | all, as clients are listed |
///
/// A client that is created again or replaced loses what the call leaves out: template, networks,
/// metadata and type. It keeps its id, its use, and limits and fingerprints that were set here. A
/// description of an endpoint replaces an earlier one, and a registration without one leaves it.
///
/// | call | refused with | unless |
/// |---|---|---|
/// | all | 404, 405, 415 | method and path are known, and a body is `application/json` |
/// | | 401 `INVALID_PROJECT_KEY` | `x-api-key` is the project key |
/// | | 404 `UNKNOWN_PROJECT_ENV` | `project_env` is the configured one |
/// | | 400 | body and query are what they should be; a sealed body opens |
/// | | 500 `NOT_SAVED` | the state file can be written |
/// | validate | 403 `INVALID_SIGNATURE` | it is signed, where a signing key is configured |
/// | | `STALE_REQUEST` | its timestamp is within the tolerance |
/// | | `UNKNOWN_CLIENT` | the client has been added or created |
/// | | `UNKNOWN_KEY` | the raw key that the headers show, if any, is the client's |
/// | | `EXPIRED_KEY`, `REVOKED_KEY` | the client's key of that name is still good |
/// | | 403 `IP_NOT_ALLOWED` | the address is in the client's networks |
/// | | 429 `RATE_LIMITED`, `Retry-After` | the limits of the client and of its template are not reached |
/// | by id | 404 `NOT_FOUND` | there is such a client, and such a key |
/// | client | 409 `NAME_TAKEN` | no other client has the name |
/// | | 422 `TEMPLATE_FULL` | the template may have one more client |
/// | client, endpoint, template | 422 `TOO_MANY` | there is room: for 100,000 clients (96 MiB), 10,000 endpoints (16 MiB), 1,000 templates |
///
/// Without a status it is `{"success":false,"code":...}` with status 200, sealed like a good answer; all
/// others are plain `{"error":...}`. The address is the first of `x-forwarded-for`, or `x-real-ip`, among
/// the headers in the envelope, or else the caller's own.
///
/// `GET /` is a page for people ([`page`](Self::page)). It needs no key and shows no secret. Requests for
/// it, or from it, get 403 if their `Host` or `Origin` is foreign, as those of other pages are.
///
/// Bodies are read up to 64 KiB (413 beyond), and heads up to 16 KiB (431). Bodies need a
/// `Content-Length` (411 for chunks).
///
/// ```
/// use apikee::{
///     emulator::{EmulatedClient, Emulator, Misbehaviour, Occasion},
///     envelope::ServerKey,
///     protocol::ClientId,
/// };
///
/// let emulator = Emulator::start()?;
/// let server_key: ServerKey = emulator.public_key().parse()?;
/// emulator.add_client(ClientId::new("497f6eca-6276-4993-bfeb-53cbbbba6f08")?, EmulatedClient::new("acme-corp"));
/// emulator.misbehave(Misbehaviour::Status(503), Occasion::Next(1));
/// println!("POST {}/client/497f6eca-6276-4993-bfeb-53cbbbba6f08", emulator.url());
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub struct Emulator {
    url: String,
    public_key: String,
    platform: Arc<Platform>,
    server: Server,
}

impl Emulator {
    /// The project key unless another is set: no secret.
    pub const PROJECT_KEY: &str = handle::PROJECT_KEY;

    /// The project env unless another is set.
    pub const PROJECT_ENV: &str = "my-app-development";

    /// Starts one on a free port with a fresh key.
    ///
    /// # Errors
    ///
    /// As [`EmulatorError`] says.
    pub fn start() -> Result<Self, EmulatorError> {
        Self::builder().start()
    }

    /// Sets one up.
    #[must_use]
    pub fn builder() -> EmulatorBuilder {
        EmulatorBuilder::default()
    }

    /// The base URL: `http://127.0.0.1:PORT/api/v1`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The address of the page for people: clients with their use, endpoints, the log as it grows, and
    /// a switch for each [`Misbehaviour`].
    #[must_use]
    pub fn page(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port())
    }

    /// The port on 127.0.0.1.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.server.port()
    }

    /// The server's public key in standard base64 with its padding, as `APIKEE_SERVER_PUBLIC_KEY` has it
    /// (docs/WIRE.md, "Configuration names"). A [`ServerKey`](crate::envelope::ServerKey) is read from it.
    #[must_use]
    pub fn public_key(&self) -> &str {
        &self.public_key
    }

    /// The project env that calls must name.
    #[must_use]
    pub fn project_env(&self) -> &str {
        &self.platform.settings.project_env
    }

    /// How requests and answers travel.
    #[must_use]
    pub fn sealing(&self) -> Sealing {
        self.platform.settings.sealing
    }

    /// Makes a client known, instead of any with that id.
    ///
    /// With a state file, the change is in it when this returns. If the file cannot be written, calls
    /// that would change something are answered with status 500 until it can.
    pub fn add_client(&self, id: ClientId, client: EmulatedClient) {
        self.platform.state().put(id, client);
        // If it fails, the next change writes everything again.
        let _ = self.platform.sync();
    }

    /// Makes a client known under an id that is drawn, and returns that.
    ///
    /// # Errors
    ///
    /// [`EmulatorError::Rng`].
    pub fn create_client(&self, client: EmulatedClient) -> Result<ClientId, EmulatorError> {
        let id = self.platform.state().new_id().ok_or(EmulatorError::Rng)?;
        self.add_client(id, client);
        Ok(id)
    }

    /// A client as it is now, with what it has used of its limits.
    #[must_use]
    pub fn client(&self, id: ClientId) -> Option<EmulatedClient> {
        self.platform.state().registry().client(id).cloned()
    }

    /// Forgets a client; whether there was one.
    pub fn remove_client(&self, id: ClientId) -> bool {
        let known = {
            let mut state = self.platform.state();
            let known = state.registry().client(id).is_some();
            if known {
                state.make(Change::Removed(id));
            }
            known
        };
        let _ = self.platform.sync();
        known
    }

    /// The id of the client of that name; of several, the lowest.
    #[must_use]
    pub fn client_named(&self, name: &str) -> Option<ClientId> {
        self.platform.state().registry().named(name).first().copied()
    }

    /// The endpoints that have been registered, in the order of their first registration.
    #[must_use]
    pub fn endpoints(&self) -> Vec<RegisteredEndpoint> {
        self.platform.state().registry().endpoints().to_vec()
    }

    /// What the emulator's clock says.
    #[must_use]
    pub fn now(&self) -> UnixTime {
        self.platform.state().clock.now()
    }

    /// Sets the emulator's clock, which stands still from then on.
    pub fn set_time(&self, time: UnixTime) {
        self.platform.state().clock = Clock::Stopped(time);
    }

    /// Puts the emulator's clock forward, whether it stands still or not. Milliseconds count.
    pub fn advance(&self, by: Duration) {
        self.platform.state().clock.advance(by);
    }

    /// Arranges for something to go wrong. Arrangements add up; at each request the oldest that is
    /// for it counts.
    pub fn misbehave(&self, misbehaviour: Misbehaviour, when: Occasion) {
        self.platform.state().arranged.add(None, misbehaviour, when);
    }

    /// As [`misbehave`](Self::misbehave), at requests of one kind only.
    pub fn misbehave_at(&self, kind: RequestKind, misbehaviour: Misbehaviour, when: Occasion) {
        self.platform.state().arranged.add(Some(kind), misbehaviour, when);
    }

    /// Forgets all arrangements. What is under way goes on.
    pub fn behave(&self) {
        self.platform.state().arranged.clear();
    }

    /// The last requests, the oldest first. A request is in the log before its answer is sent.
    #[must_use]
    pub fn log(&self) -> Vec<LoggedRequest> {
        self.platform.state().log.entries()
    }

    /// Empties the log.
    pub fn clear_log(&self) {
        self.platform.state().log.clear();
    }

    /// Connections that have been accepted so far.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.platform.state().connections
    }

    /// Requests that have come so far, even if the log has lost them.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.platform.state().requests
    }
}

/// Nothing of the keys.
impl fmt::Debug for Emulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emulator")
            .field("url", &self.url)
            .field("public_key", &self.public_key)
            .field("project_env", &self.project_env())
            .finish_non_exhaustive()
    }
}

/// Sets up an [`Emulator`].
pub struct EmulatorBuilder {
    port: u16,
    secret: Option<Zeroizing<[u8; 32]>>,
    settings: Settings,
    clock: Clock,
    ids: Ids,
    log_capacity: usize,
    max_connections: usize,
    templates: Vec<EmulatedTemplate>,
    state_file: Option<PathBuf>,
}

impl Default for EmulatorBuilder {
    fn default() -> Self {
        Self {
            port: 0,
            secret: None,
            settings: Settings {
                project_key: None,
                project_env: Emulator::PROJECT_ENV.to_owned(),
                sealing: Sealing::Required,
                tolerance: Some(Duration::from_secs(5 * 60)),
                observer: Box::new(|_| ()),
                verifier: None,
            },
            clock: Clock::System { ahead: Duration::ZERO },
            ids: Ids::System,
            log_capacity: 10_000,
            max_connections: 256,
            templates: Vec::new(),
            state_file: None,
        }
    }
}

impl EmulatorBuilder {
    /// The port on 127.0.0.1, instead of any that is free.
    #[must_use]
    pub const fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// The server's X25519 secret key, instead of one that is drawn.
    #[must_use]
    pub fn secret(mut self, secret: [u8; 32]) -> Self {
        self.secret = Some(Zeroizing::new(secret));
        self
    }

    /// The project key that calls must carry, instead of [`Emulator::PROJECT_KEY`].
    #[must_use]
    pub fn project_key(mut self, key: ProjectKey) -> Self {
        self.settings.project_key = Some(key);
        self
    }

    /// The project env that calls must name, instead of [`Emulator::PROJECT_ENV`].
    #[must_use]
    pub fn project_env(mut self, project_env: &str) -> Self {
        project_env.clone_into(&mut self.settings.project_env);
        self
    }

    /// How requests and answers travel, instead of [`Sealing::Required`]. With [`Sealing::Off`] sealed
    /// requests are understood too: the published SDKs seal as soon as they know the public key. Their
    /// answers are plain all the same.
    #[must_use]
    pub const fn sealing(mut self, sealing: Sealing) -> Self {
        self.settings.sealing = sealing;
        self
    }

    /// One more template that is known from the start, instead of any with that id.
    #[must_use]
    pub fn template(mut self, template: EmulatedTemplate) -> Self {
        self.templates.push(template);
        self
    }

    /// Keeps clients with their keys and their use, templates and endpoints in this file, and starts
    /// with what it has. The emulator's key, its clock and its log are not kept.
    ///
    /// The latest changes are in a file beside it, `PATH.journal`. Each change is written before a
    /// caller is told of it, so that nothing that was confirmed is lost when the process is killed.
    /// Clients, templates and endpoints are also synced to the disk by then. The use of limits is synced
    /// within about a second, which is what a power failure may cost. Only one emulator may use a file.
    #[must_use]
    pub fn state_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.state_file = Some(path.into());
        self
    }

    /// How far the timestamp of a request may be from the emulator's clock, either way: 5 minutes
    /// unless this says otherwise. `None` takes any timestamp.
    #[must_use]
    pub const fn timestamp_tolerance(mut self, tolerance: Option<Duration>) -> Self {
        self.settings.tolerance = tolerance;
        self
    }

    /// A clock that stands still at this time, instead of the system's.
    #[must_use]
    pub const fn time(mut self, time: UnixTime) -> Self {
        self.clock = Clock::Stopped(time);
        self
    }

    /// Makes the ids of the clients that calls create the same in every run.
    #[must_use]
    pub const fn seed(mut self, seed: u64) -> Self {
        self.ids = Ids::Seeded(seed);
        self
    }

    /// Requests that the log holds, instead of 10,000. It holds 16 MiB of them at most.
    #[must_use]
    pub const fn log_capacity(mut self, requests: usize) -> Self {
        self.log_capacity = requests;
        self
    }

    /// Connections that are served at a time, each by a thread of its own, instead of 256. Those
    /// beyond are closed at once.
    #[must_use]
    pub const fn max_connections(mut self, connections: usize) -> Self {
        self.max_connections = connections;
        self
    }

    /// Is called with every request, on the thread that is about to answer it.
    #[must_use]
    pub fn on_request(mut self, observer: impl Fn(&LoggedRequest) + Send + Sync + 'static) -> Self {
        self.settings.observer = Box::new(observer);
        self
    }

    /// The public key, PEM of an RSA key of 2048 to 8192 bits, that must have signed every call that
    /// validates (`x-apikee-signature`).
    ///
    /// # Errors
    ///
    /// [`InvalidSigningKey`].
    #[cfg(feature = "request-signing")]
    pub fn request_signing_key(mut self, pem: &str) -> Result<Self, InvalidSigningKey> {
        let key = signature::SigningKey::from_pem(pem)?;
        self.settings.verifier = Some(Box::new(move |message, signature| key.accepts(message, signature)));
        Ok(self)
    }

    /// Starts it.
    ///
    /// # Errors
    ///
    /// As [`EmulatorError`] says.
    pub fn start(self) -> Result<Emulator, EmulatorError> {
        let secret = match self.secret {
            Some(secret) => secret,
            None => {
                let mut secret = Zeroizing::new([0; 32]);
                SysRng.try_fill_bytes(secret.as_mut_slice()).map_err(|_| EmulatorError::Rng)?;
                secret
            }
        };
        let recipient = Recipient::new(*secret);
        let mut public_key = [0; 44];
        let public_key = Base64::encode(recipient.public_key(), &mut public_key).map(str::to_owned);
        debug_assert!(public_key.is_ok(), "32 bytes are 44 characters");
        let state = State::open(self.clock, self.ids, self.log_capacity, self.templates, self.state_file.as_deref())
            .map_err(EmulatorError::StateFile)?;
        let platform = Arc::new(Platform::new(self.settings, recipient, state));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).map_err(EmulatorError::Listen)?;
        let address = listener.local_addr().map_err(EmulatorError::Listen)?;
        Ok(Emulator {
            url: format!("http://{address}/api/v1"),
            public_key: public_key.unwrap_or_default(),
            server: Server::start(listener, address, self.max_connections, Arc::clone(&platform))
                .map_err(EmulatorError::Thread)?,
            platform,
        })
    }
}

/// Nothing of the keys.
impl fmt::Debug for EmulatorBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmulatorBuilder")
            .field("port", &self.port)
            .field("project_env", &self.settings.project_env)
            .field("sealing", &self.settings.sealing)
            .field("clock", &self.clock)
            .finish_non_exhaustive()
    }
}

/// Why an emulator does not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum EmulatorError {
    /// It cannot listen on the port.
    Listen(io::Error),
    /// Its thread cannot be started.
    Thread(io::Error),
    /// The operating system has no randomness for a key or an id.
    Rng,
    /// The state file cannot be used.
    StateFile(StateFileError),
}

impl fmt::Display for EmulatorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen(_) => f.write_str("the emulator cannot listen on its port"),
            Self::Thread(_) => f.write_str("the emulator's thread cannot be started"),
            Self::Rng => f.write_str("the random number generator failed"),
            Self::StateFile(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for EmulatorError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Listen(error) | Self::Thread(error) => Some(error),
            Self::Rng => None,
            // Its own words are above.
            Self::StateFile(error) => error.source(),
        }
    }
}
