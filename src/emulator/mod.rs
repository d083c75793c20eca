//! An emulator of the platform on loopback, for tests, demos and offline work: see [`Emulator`].
//!
//! ```
//! use apikee::emulator::Emulator;
//!
//! let emulator = Emulator::start()?;
//! println!("{} has the public key {}", emulator.url(), emulator.public_key());
//! # Ok::<_, apikee::emulator::EmulatorError>(())
//! ```
//!
//! It implements HTTP itself. A server library does not give access to the sockets of its connections. Without them,
//! the emulator could not reset or cut a connection, and could not end threads that wait on idle connections.
//!
//! # Files
//!
//! | file | contents |
//! |---|---|
//! | `server` | connections, each on one thread |
//! | `console` | the page for people, and its API |
//! | `handle` | the platform's calls, and their answers |
//! | `state` | the state that changes at run time, and the file that stores it |
//! | `registry` | clients, templates and endpoints, and the changes to them |
//! | `client` | the record of one client, its limits and its template |
//! | `log` | the log of requests |
//! | `misbehaviour` | faults on demand, and what is sent then |
//! | `http` | parsing of requests, sending of answers |
//! | `clock` | time and randomness |
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
    registry::EmulatedEndpoint,
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

/// An emulator of the platform on loopback.
///
/// It listens on 127.0.0.1 until it is dropped. When the drop returns, its threads have ended and its port is free,
/// even if connections were active. You may call all methods from any thread.
///
/// Browsers can send requests to loopback, too. So a request with a foreign `Origin`, or with a `Host` that is not a
/// loopback address or `localhost`, gets 403.
///
/// It answers these calls (docs/WIRE.md, "The platform's API"). All need `project_env` in the query. The bodies of the
/// first three calls and of their answers travel as [`Sealing`] defines; all others are plain.
///
/// | call | query | body | answer |
/// |---|---|---|---|
/// | `POST /client/{uuid}` | `method_path`: `GET:::/users` or `GET:/users` | a request to validate | the verdict |
/// | `POST /client` | | a client | its record |
/// | `PUT /client/{uuid}` | | a client | its record |
/// | `GET /client/{uuid}` | | | its record |
/// | `DELETE /client/{uuid}` | `keyId` to revoke only that key | | `{"success":true,...}` |
/// | `GET /client` | `name` for an exact match, `limit` (20, at most 100), `page` | | `{"data":[...],"pagination":{...}}` |
/// | `POST /endpoint` | | an endpoint | the endpoint |
/// | `POST /template` | | `{"name","id"?,"limits"?:{"hour","day","week","month"},"maxClients"?}` | the template |
/// | `GET /template` | | | all templates, in the format of the clients' list |
///
/// A client that is created again or replaced loses the parts that the call leaves out: keys, template, networks and
/// metadata. A revoked key stays revoked, unless the call names it again, or 100 other keys of the client are revoked
/// after it. The client keeps its id, its usage, its limits and its fingerprints, which no call contains. A description
/// of an endpoint replaces an earlier one. A registration that has only a name keeps the earlier description. One with
/// scopes replaces it.
///
/// | call | refused with | unless |
/// |---|---|---|
/// | all | 404, 405, 415 | method and path are known, and a body is `application/json` |
/// | | 401 `INVALID_PROJECT_KEY` | `x-api-key` is the project key |
/// | | 404 `UNKNOWN_PROJECT_ENV` | `project_env` is the configured one |
/// | | 400 | body and query are well-formed, numbers fit into an `f64`, and a sealed body can be opened; with a body, `x-apikee-encrypted` is `1` (sealed) or `0` (plain) |
/// | | 500 `NOT_SAVED` | the state file can be written |
/// | validate | 403 `INVALID_SIGNATURE` | the request is signed, or no signing key is configured |
/// | | `STALE_REQUEST` | its timestamp is within the tolerance |
/// | | `UNKNOWN_CLIENT` | the client was added or created |
/// | | `UNKNOWN_KEY` | the request has no raw key, or the key is one of the client's [fingerprints](EmulatedClient::fingerprint), or the client has none |
/// | | `EXPIRED_KEY`, `REVOKED_KEY` | the client's key with that name is still good |
/// | | 403 `IP_NOT_ALLOWED` | the address is in the client's networks |
/// | | 429 `RATE_LIMITED`, `Retry-After` | the limits of the client and of its template are not reached |
/// | by id | 404 `NOT_FOUND` | there is a client, and a key, with this id |
/// | client | 409 `NAME_TAKEN` | no other client has the name |
/// | | 422 `TEMPLATE_FULL` | the template may have one more client |
/// | client, endpoint, template | 422 `TOO_MANY` | there is room: for 100,000 clients (96 MiB), 10,000 endpoints (16 MiB), 1,000 templates (1 MiB) |
///
/// A refusal without a status in the table is `{"success":false,"code":...}` with status 200, sealed like a good
/// answer. All others are plain: `{"error":...}`. The address is the first entry of `x-forwarded-for`, or else
/// `x-real-ip`, in the headers inside the envelope. Without both it is the address of the connection.
///
/// `GET /` is a page for people ([`page`](Self::page)). It needs no key and shows no secret. Requests for the page and
/// from it get 403 if their `Host` or `Origin` is not the emulator's own, so that other web pages cannot use it.
///
/// A body has at most 87,496 bytes, the length of the envelope of 64 KiB; a longer one gets 413. A head has at most 16
/// KiB; a longer one gets 431. Bodies need a `Content-Length` (411 for chunks).
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
    /// The default project key. It is not a secret.
    pub const PROJECT_KEY: &str = handle::PROJECT_KEY;

    /// The default project env.
    pub const PROJECT_ENV: &str = "my-app-development";

    /// Starts an emulator on a free port with a new key.
    ///
    /// # Errors
    ///
    /// See [`EmulatorError`].
    pub fn start() -> Result<Self, EmulatorError> {
        Self::builder().start()
    }

    /// Starts the configuration of an emulator.
    #[must_use]
    pub fn builder() -> EmulatorBuilder {
        EmulatorBuilder::default()
    }

    /// The base URL: `http://127.0.0.1:PORT/api/v1`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The URL of the page for people: clients with their usage, endpoints, the live log, and a switch for each
    /// [`Misbehaviour`].
    #[must_use]
    pub fn page(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port())
    }

    /// The port on 127.0.0.1.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.server.port()
    }

    /// The server's public key in standard base64 with padding, as in `APIKEE_SERVER_PUBLIC_KEY` (docs/WIRE.md,
    /// "Configuration names"). [`ServerKey`](crate::envelope::ServerKey) parses it.
    #[must_use]
    pub fn public_key(&self) -> &str {
        &self.public_key
    }

    /// The project env that calls must name.
    #[must_use]
    pub fn project_env(&self) -> &str {
        &self.platform.settings.project_env
    }

    /// How requests and answers travel: sealed or plain.
    #[must_use]
    pub fn sealing(&self) -> Sealing {
        self.platform.settings.sealing
    }

    /// Adds a client. It replaces a client with the same id.
    ///
    /// With a state file, the change is in the file when this returns. If the file cannot be written, calls that change
    /// something get status 500 until it can be written.
    pub fn add_client(&self, id: ClientId, client: EmulatedClient) {
        self.platform.state().put(id, client);
        // After a failure, the next change writes everything again.
        let _ = self.platform.sync();
    }

    /// Adds a client with a random id, and returns the id.
    ///
    /// # Errors
    ///
    /// [`EmulatorError::Rng`].
    pub fn create_client(&self, client: EmulatedClient) -> Result<ClientId, EmulatorError> {
        let id = self.platform.state().new_id().ok_or(EmulatorError::Rng)?;
        self.add_client(id, client);
        Ok(id)
    }

    /// The current record of a client, with its usage.
    #[must_use]
    pub fn client(&self, id: ClientId) -> Option<EmulatedClient> {
        self.platform.state().registry().client(id).cloned()
    }

    /// Removes a client. Returns whether it existed.
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

    /// The id of the client with this name; the lowest id if there are several.
    #[must_use]
    pub fn client_named(&self, name: &str) -> Option<ClientId> {
        self.platform.state().registry().named(name).first().copied()
    }

    /// The endpoints that have been registered, in the order of their first registration.
    #[must_use]
    pub fn endpoints(&self) -> Vec<EmulatedEndpoint> {
        self.platform.state().registry().endpoints().to_vec()
    }

    /// The time on the emulator's clock.
    #[must_use]
    pub fn now(&self) -> UnixTime {
        self.platform.state().clock.now()
    }

    /// Sets the emulator's clock. From then on it stands still. A clock that is set back begins new periods: for each
    /// limit, only the requests of the last period are counted.
    pub fn set_time(&self, time: UnixTime) {
        self.platform.state().clock = Clock::Stopped(time);
    }

    /// Moves the emulator's clock forward, whether it stands still or not. The resolution is a millisecond.
    pub fn advance(&self, by: Duration) {
        self.platform.state().clock.advance(by);
    }

    /// Arranges a misbehaviour. You can arrange several. For each request, the oldest one that applies to it is used.
    pub fn misbehave(&self, misbehaviour: Misbehaviour, when: Occasion) {
        self.platform.state().arranged.add(None, misbehaviour, when);
    }

    /// Like [`misbehave`](Self::misbehave), for requests of one kind only.
    pub fn misbehave_at(&self, kind: RequestKind, misbehaviour: Misbehaviour, when: Occasion) {
        self.platform.state().arranged.add(Some(kind), misbehaviour, when);
    }

    /// Removes all arranged misbehaviours. Answers that are being sent do not change.
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

    /// Number of connections that were accepted so far.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.platform.state().connections
    }

    /// Number of requests so far, including those that the log has dropped.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.platform.state().requests
    }
}

/// Shows no secret keys.
impl fmt::Debug for Emulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emulator")
            .field("url", &self.url)
            .field("public_key", &self.public_key)
            .field("project_env", &self.project_env())
            .finish_non_exhaustive()
    }
}

/// Configures an [`Emulator`].
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
    /// Sets the port on 127.0.0.1, instead of any free port.
    #[must_use]
    pub const fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Sets the server's X25519 secret key, instead of a random one.
    #[must_use]
    pub fn secret(mut self, secret: [u8; 32]) -> Self {
        self.secret = Some(Zeroizing::new(secret));
        self
    }

    /// Sets the project key that calls must send, instead of [`Emulator::PROJECT_KEY`].
    #[must_use]
    pub fn project_key(mut self, key: ProjectKey) -> Self {
        self.settings.project_key = Some(key);
        self
    }

    /// Sets the project env that calls must name, instead of [`Emulator::PROJECT_ENV`].
    #[must_use]
    pub fn project_env(mut self, project_env: &str) -> Self {
        project_env.clone_into(&mut self.settings.project_env);
        self
    }

    /// Sets how requests and answers travel, instead of [`Sealing::Required`]. With [`Sealing::Off`] the emulator also
    /// accepts sealed requests, because the published SDKs seal as soon as they know the public key. The answers are
    /// plain.
    #[must_use]
    pub const fn sealing(mut self, sealing: Sealing) -> Self {
        self.settings.sealing = sealing;
        self
    }

    /// Adds a template that exists from the start. It replaces a template with the same id.
    #[must_use]
    pub fn template(mut self, template: EmulatedTemplate) -> Self {
        self.templates.push(template);
        self
    }

    /// Stores clients with their keys and usage, templates and endpoints in this file, and starts with its content. The
    /// emulator's key, its clock and its log are not stored.
    ///
    /// The latest changes are in a second file, `PATH.journal`. If the path is a link, it is beside the target.
    /// `PATH.tmp` and `PATH.journal.tmp` are overwritten. Each change is written before its call is answered, so a
    /// killed process loses nothing that was confirmed. Clients, templates and endpoints are also synced to the disk
    /// before the answer. The usage of limits is synced within about a second, so a power failure may lose that much.
    /// Only one emulator may use a file. This is not checked: with two, changes are lost.
    #[must_use]
    pub fn state_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.state_file = Some(path.into());
        self
    }

    /// Sets the allowed difference between a request's timestamp and the emulator's clock, in both directions; 5
    /// minutes by default. `None` accepts any timestamp.
    #[must_use]
    pub const fn timestamp_tolerance(mut self, tolerance: Option<Duration>) -> Self {
        self.settings.tolerance = tolerance;
        self
    }

    /// Sets a clock that stands still at this time, instead of the system's clock.
    #[must_use]
    pub const fn time(mut self, time: UnixTime) -> Self {
        self.clock = Clock::Stopped(time);
        self
    }

    /// Makes the ids of created clients the same in every run.
    #[must_use]
    pub const fn seed(mut self, seed: u64) -> Self {
        self.ids = Ids::Seeded(seed);
        self
    }

    /// Sets the number of requests in the log, instead of 10,000. The log holds at most 16 MiB.
    #[must_use]
    pub const fn log_capacity(mut self, requests: usize) -> Self {
        self.log_capacity = requests;
        self
    }

    /// Sets the number of connections at a time, instead of 256. Each uses one thread. Further connections are closed
    /// at once.
    #[must_use]
    pub const fn max_connections(mut self, connections: usize) -> Self {
        self.max_connections = connections;
        self
    }

    /// Sets a function that receives every request. It is called on the thread that answers the request.
    #[must_use]
    pub fn on_request(mut self, observer: impl Fn(&LoggedRequest) + Send + Sync + 'static) -> Self {
        self.settings.observer = Box::new(observer);
        self
    }

    /// Requires a signature (`x-apikee-signature`) on every validation. The key is the public key: PEM of an RSA key of
    /// 2048 to 8192 bits. The length is not checked here: with another one, no signature is valid.
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

    /// Starts the emulator.
    ///
    /// # Errors
    ///
    /// See [`EmulatorError`].
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
        // The port comes first. Opening the state writes a new generation of its files. If an emulator already runs on
        // this port with these files, its later changes would be lost.
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).map_err(EmulatorError::Listen)?;
        let address = listener.local_addr().map_err(EmulatorError::Listen)?;
        let state = State::open(self.clock, self.ids, self.log_capacity, self.templates, self.state_file.as_deref())
            .map_err(EmulatorError::StateFile)?;
        let platform = Arc::new(Platform::new(self.settings, recipient, state));
        Ok(Emulator {
            url: format!("http://{address}/api/v1"),
            public_key: public_key.unwrap_or_default(),
            server: Server::start(listener, address, self.max_connections, Arc::clone(&platform))
                .map_err(EmulatorError::Thread)?,
            platform,
        })
    }
}

/// Shows no secret keys.
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

/// Why an emulator could not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum EmulatorError {
    /// The emulator cannot listen on the port.
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
            Self::Listen(_) => {
                f.write_str("the emulator cannot listen on its port of 127.0.0.1: choose another one, or 0 for any")
            }
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
            // `Display` already shows the text of this error.
            Self::StateFile(error) => error.source(),
        }
    }
}
