//! The platform on loopback, for tests, demos and offline work: see [`Emulator`].
//!
//! ```text
//! server   accepts connections, a thread each     config     how it is set up
//!   ├─ http       reads requests                  registry   clients (client, limits), templates, endpoints
//!   ├─ handle     answers calls from `state`      journal    keeps the registry in a file
//!   ├─ console    answers the page for people     log, clock what was asked, and when
//!   └─ deliver    writes answers, well or not     misbehaviour, signature, random   as they say
//! ```
//!
//! It speaks HTTP itself. A server library keeps the sockets of its connections to itself, and without
//! them there is no resetting or cutting them, and no way to end the threads that wait on idle ones.

mod client;
mod clock;
mod config;
mod console;
mod deliver;
mod endpoint;
mod handle;
mod http;
mod journal;
mod limits;
mod log;
mod misbehaviour;
mod random;
mod registry;
mod server;
#[cfg(feature = "request-signing")]
mod signature;
mod state;
mod template;

use core::{fmt, time::Duration};
use std::{format, net::TcpListener, string::String, sync::Arc, vec::Vec};

#[cfg(feature = "request-signing")]
pub use self::signature::InvalidSigningKey;
pub use self::{
    client::EmulatedClient,
    config::{EmulatorBuilder, EmulatorError},
    endpoint::RegisteredEndpoint,
    journal::StateFileError,
    log::{LoggedRequest, RequestKind},
    misbehaviour::{InvalidMisbehaviour, Misbehaviour, Occasion},
    template::EmulatedTemplate,
};
use self::{clock::Clock, handle::Platform, registry::Change, server::Server};
use crate::{ClientId, Sealing, UnixTime};

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
/// use apikee::{ClientId, EmulatedClient, Emulator, Misbehaviour, Occasion, ServerKey};
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
    pub const PROJECT_KEY: &str = "sk_test_emulator";

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

    fn serve(mut platform: Platform, listener: TcpListener, max_connections: usize) -> Result<Self, EmulatorError> {
        let address = listener.local_addr().map_err(EmulatorError::Listen)?;
        platform.port = address.port();
        let platform = Arc::new(platform);
        Ok(Self {
            url: format!("http://{address}/api/v1"),
            public_key: platform.public_key(),
            server: Server::start(listener, address, max_connections, Arc::clone(&platform))?,
            platform,
        })
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
    /// (docs/WIRE.md, "Configuration names"). A [`ServerKey`](crate::ServerKey) is read from it.
    #[must_use]
    pub fn public_key(&self) -> &str {
        &self.public_key
    }

    /// The project env that calls must name.
    #[must_use]
    pub fn project_env(&self) -> &str {
        self.platform.project_env()
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
