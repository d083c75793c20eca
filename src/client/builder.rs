//! Configuration of a client.

use core::{error::Error, fmt, time::Duration};
use std::{boxed::Box, path::PathBuf, vec::Vec};

use super::{
    apikee::{Apikee, Inner},
    config::{self, ConfigError, Connection, Setting},
    event::{Events, Observer},
    files::{DenyListFile, SecretFile, Watch},
    gate::{Gate, Limits},
    platform::{Channel, Platform},
    revocations::{Revocations, Revoked},
    secrets::{Keys, boxed, boxed_copy},
    server::{Enforcement, Server, Settings},
    signing::{self, Sign},
    transport::Transport,
};
use crate::{
    breaker::{BreakerConfig, RefusalMemory},
    crypto::stack,
    envelope::ServerKey,
    key::{Claims, Keyring, VerifiedKey},
    policy::{FailOpen, Policy},
    protocol::{ClientId, ProjectKey, Sealing, UserAgent},
};

/// Longer than the time in which all machines receive a new file.
pub(super) const DEFAULT_SECRET_GRACE: Duration = Duration::from_secs(10 * 60);
/// The largest `max_clients`. The table takes 2 GB then, or 1 GB with 32-bit addresses, where 2 GB is too much.
const MAX_CLIENTS: usize = if usize::BITS < 64 { 1 << 23 } else { 1 << 24 };
const DEFAULT_RELOAD_INTERVAL: Duration = Duration::from_secs(1);

/// Configures an [`Apikee`]. [`build`](Self::build) reports wrong and missing settings.
///
/// The client is in server mode as soon as you set one of these: the project key, the project-env, the platform's
/// public key, the transport, the base URL, authorities, plain http, the sealing, a private key, a client resolver, the
/// enforcement, or any variable in [`from_env`](Self::from_env) that is not about secrets or the deny-list. Other
/// settings, such as the [`timeout`](Self::timeout), do not turn on server mode. In server mode the project key, the
/// project-env and the platform's public key must all be set. [`Sealing::Off`] needs no public key.
#[must_use]
pub struct ApikeeBuilder {
    error: Option<ConfigError>,
    keys: Option<Box<Keyring>>,
    secret_file: Option<PathBuf>,
    secret_grace: Duration,
    deny_list_file: Option<PathBuf>,
    reload_interval: Duration,
    revocations: Vec<Revocations>,
    revoked: Option<Revoked>,
    leeway: Duration,
    policy: Policy,
    events: Events,
    /// On the heap, so that moving the builder leaves no copy of the key.
    project_key: Option<Box<ProjectKey>>,
    project_env: Option<Box<str>>,
    server_key: Option<ServerKey>,
    signer: Option<Box<dyn Sign>>,
    transport: Option<Box<dyn Transport>>,
    user_agent: Option<Box<str>>,
    connection: Connection,
    sealing: Sealing,
    limits: Limits,
    settings: Settings,
    /// A setting that only server mode uses is set.
    asks_for_server: bool,
}

impl Apikee {
    /// Starts with the defaults: local mode. At least one secret must be set before `build`.
    pub fn builder() -> ApikeeBuilder {
        ApikeeBuilder {
            error: None,
            keys: None,
            secret_file: None,
            secret_grace: DEFAULT_SECRET_GRACE,
            deny_list_file: None,
            reload_interval: DEFAULT_RELOAD_INTERVAL,
            revocations: Vec::new(),
            revoked: None,
            leeway: Duration::ZERO,
            policy: Policy::DEFAULT,
            events: Events::default(),
            project_key: None,
            project_env: None,
            server_key: None,
            signer: None,
            transport: None,
            user_agent: None,
            connection: Connection::default(),
            sealing: Sealing::Required,
            limits: Limits::DEFAULT,
            settings: Settings::DEFAULT,
            asks_for_server: false,
        }
    }

    /// Configures a client from the environment (docs/WIRE.md, "Configuration names"); see
    /// [`ApikeeBuilder::from_env`].
    ///
    /// # Errors
    ///
    /// See [`ConfigError`]. The error names the variable.
    pub fn from_env() -> Result<Self, ConfigError> {
        ApikeeBuilder::from_env()?.build()
    }
}

impl ApikeeBuilder {
    /// Reads the configuration from the environment.
    ///
    /// | variable | option | value |
    /// |---|---|---|
    /// | `APIKEE_SECRET_FILE` | [`secret_file`](Self::secret_file) | path of a file with one signing secret per line: the first signs, all verify; read again when it changes |
    /// | `APIKEE_SECRETS` | [`secret`](Self::secret) | signing secrets, separated by commas: the first signs, all verify; read if `APIKEE_SECRET_FILE` is not set |
    /// | `APIKEE_LOCAL_SECRET`, else `APIKEE_SECRET` | [`secret`](Self::secret) | one signing secret; read if the variables above are not set |
    /// | `APIKEE_SECRET_GRACE` | [`secret_grace`](Self::secret_grace) | seconds (`600`) or milliseconds (`1500ms`); 10 minutes by default, at most a year |
    /// | `APIKEE_DENY_LIST_FILE` | [`deny_list_file`](Self::deny_list_file) | path of a file with one fingerprint of a revoked key a line; read again when it changes |
    /// | `APIKEE_SERVER_KEY` | [`project_key`](Self::project_key) | `sk_live_...`, `sk_test_...` or `sk_...` |
    /// | `APIKEE_PROJECT_ENV` | [`project_env`](Self::project_env) | the slug of project and environment |
    /// | `APIKEE_SERVER_PUBLIC_KEY` | [`server_public_key`](Self::server_public_key) | 32 bytes as base64 or 64 hexadecimal digits; not needed with `APIKEE_SEALING=off` |
    /// | `APIKEE_PRIVATE_KEY` | `private_key` | an RSA key as PEM; quotes around it are removed, and `\n` becomes a line break; needs the feature `request-signing` |
    /// | `APIKEE_SEALING` | [`sealing`](Self::sealing) | `required` (default), `requests` or `off` |
    /// | `APIKEE_FAIL_OPEN` | [`policy`](Self::policy) | `true` (default): an outage lets requests through; `false`: it denies them |
    /// | `APIKEE_SERVER_TIMEOUT` | [`timeout`](Self::timeout) | seconds (`1.5`) or milliseconds (`1500ms`); 3 s by default |
    /// | `APIKEE_BASE_URL` | `base_url` | `https://host/path`; slashes at its end are stripped |
    /// | `APIKEE_CA_FILE` | `ca_file` | path of a PEM file with certificate authorities (CAs) to trust in addition to the built-in ones |
    /// | `APIKEE_ALLOW_PLAIN_HTTP` | `allow_plain_http` | `true` allows a base URL of `http://` on another machine; `false` by default |
    ///
    /// The last three variables configure the transport of the feature `ureq`. Without that feature, or if you set a
    /// [`transport`](Self::transport), they only turn on server mode.
    ///
    /// A blank variable counts as unset. **Any variable except those of the first five rows means server mode**. Then
    /// [`build`](Self::build) names the missing settings (docs/WIRE.md, "Configuration names").
    ///
    /// # Errors
    ///
    /// [`ConfigError::NotUtf8`] and [`ConfigError::Unusable`]. A value that is not understood is an error; it is never
    /// ignored.
    pub fn from_env() -> Result<Self, ConfigError> {
        let mut this = Apikee::builder();
        this.secret_file = config::path(config::SECRET_FILE);
        if this.secret_file.is_none() {
            this.keys = config::keyring()?;
        }
        this.read_env()
    }

    /// Like [`from_env`](Self::from_env), with the secrets in `keys`. The variables of the first three rows are not
    /// read.
    ///
    /// # Errors
    ///
    /// Those of [`from_env`](Self::from_env).
    pub fn from_env_with_keyring(keys: Keyring) -> Result<Self, ConfigError> {
        Apikee::builder().keyring(keys).read_env()
    }

    /// Reads all variables except those of secrets.
    fn read_env(mut self) -> Result<Self, ConfigError> {
        if let Some(text) = config::variable(config::SECRET_GRACE)?
            && let Some(grace) = self.check(Setting::SecretGrace, config::duration(&text))
        {
            self.secret_grace = grace;
        }
        self.deny_list_file = config::path(config::DENY_LIST_FILE);
        if let Some(key) = config::variable(config::PROJECT_KEY)? {
            self = self.project_key(&key);
        }
        if let Some(slug) = config::variable(config::PROJECT_ENV)? {
            self = self.project_env(&slug);
        }
        if let Some(key) = config::variable(config::SERVER_PUBLIC_KEY)? {
            self = self.server_public_key(&key);
        }
        if let Some(pem) = config::variable(config::PRIVATE_KEY)? {
            self.sign_with(&config::pem(&pem));
        }
        if let Some(sealing) =
            self.read(config::SEALING, Setting::Sealing, |text| text.parse().map_err(|_| config::NOT_UNDERSTOOD))?
        {
            self.sealing = sealing;
        }
        if let Some(fail_open) = self.read(config::FAIL_OPEN, Setting::FailOpen, config::boolean)? {
            self.policy = self.policy.fail_open(if fail_open { FailOpen::Open } else { FailOpen::Closed });
        }
        if let Some(timeout) = self.read(config::TIMEOUT, Setting::Timeout, config::duration)? {
            self.settings.timeout = timeout;
        }
        if let Some(url) = config::variable(config::BASE_URL)? {
            self.connection.base_url = Some((*url).into());
            self.asks_for_server = true;
        }
        if let Some(path) = config::path(config::CA_FILE) {
            self.connection.ca_file = Some(path);
            self.asks_for_server = true;
        }
        if let Some(allow) = self.read(config::ALLOW_PLAIN_HTTP, Setting::AllowPlainHttp, config::boolean)? {
            self.connection.allow_plain_http = allow;
        }
        self.error.take().map_or(Ok(self), Err)
    }

    /// The value of a variable that only server mode uses. `None` if it is unset or not understood.
    fn read<T>(
        &mut self,
        name: &'static str,
        setting: Setting,
        parse: impl FnOnce(&str) -> Result<T, &'static str>,
    ) -> Result<Option<T>, ConfigError> {
        let Some(text) = config::variable(name)? else {
            return Ok(None);
        };
        self.asks_for_server = true;
        Ok(self.check(setting, parse(&text)))
    }

    /// Adds a signing secret: at least one byte, better 32 random bytes. The first secret signs new keys. All secrets
    /// verify. There can be up to [`MAX_SECRETS`](crate::key::MAX_SECRETS).
    pub fn secret(mut self, secret: &[u8]) -> Self {
        let added = match &mut self.keys {
            Some(keys) => keys.accept(secret).map(|_| ()),
            None => boxed(|| Keyring::new(secret)).map(|keys| self.keys = Some(keys)),
        };
        self.check(Setting::Secret, added);
        self
    }

    /// Sets a ready keyring. It replaces the secrets that were set before, and a [`secret_file`](Self::secret_file).
    pub fn keyring(mut self, keys: Keyring) -> Self {
        self.keys = Some(boxed_copy(&keys));
        self.secret_file = None;
        self
    }

    /// Reads the secrets from a file. It replaces the secrets that were set before; a `secret` that is added after it
    /// is an error of [`build`](Self::build). The file is UTF-8 with one secret per line. The first one signs. White
    /// space around a secret and blank lines are ignored. [`build`](Self::build) reads the file, and it is read again
    /// when it changes: if it is written in place, if another file is renamed over it, or if a link on its path changes,
    /// as Kubernetes does with mounted secrets. A relative path is made absolute by [`build`](Self::build).
    ///
    /// After a change, the file's first secret signs new keys at once. Secrets that are not in the file any more are
    /// accepted for [`secret_grace`](Self::secret_grace). **Keys that such a secret signed are refused after that
    /// time**: leave the secret in the file, below the new one, until the last of its keys has expired.
    ///
    /// If the path is a named pipe (FIFO), [`build`](Self::build) waits until a writer has opened and closed it. A pipe
    /// is not read again: the client emits [`Event::FileRejected`](super::Event::FileRejected) once.
    ///
    /// A file that cannot be used changes nothing: it may be missing, half written, empty, not UTF-8, or have a
    /// byte-order mark. The client then emits [`Event::FileRejected`](super::Event::FileRejected). If a file is written
    /// in place, most half-written states are noticed, but not all; `build` reads it once and notices none. To be sure,
    /// rename a new file over the old one.
    pub fn secret_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.secret_file = Some(path.into());
        self.keys = None;
        self
    }

    /// Time for which a secret is still accepted after it is removed from the [`secret_file`](Self::secret_file); 10
    /// minutes by default. Machines receive a new file one after another, and those with the old file still issue keys.
    /// Zero rejects an old secret at once; use it for a secret that has leaked. A longer time than a year counts as a
    /// year.
    ///
    /// The time starts when the client reads the changed file. No thread is needed to end it: each request checks it.
    /// It is measured with [`Instant`](std::time::Instant). On most systems, time during which the machine is suspended
    /// does not count.
    pub const fn secret_grace(mut self, grace: Duration) -> Self {
        self.secret_grace = grace;
        self
    }

    /// Interval between two checks of the [`secret_file`](Self::secret_file) and the
    /// [`deny_list_file`](Self::deny_list_file); 1 s by default, more than zero. A change is used 0.1 s after it is
    /// seen, if the file does not change again meanwhile.
    ///
    /// One thread reads both files. While the file system of one of them hangs, as a network mount may, neither is read
    /// again, and [`Apikee::reload_files`] waits.
    pub const fn reload_interval(mut self, interval: Duration) -> Self {
        self.reload_interval = interval;
        self
    }

    /// Allowed difference between the clocks of the issuers and of this machine, in whole seconds; 0 by default.
    pub const fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// Adds a set of revoked keys. They are refused with [`Denial::Revoked`](crate::Denial::Revoked), before their
    /// scopes are checked and before the platform is asked. Keep a clone of the set to change it later. You can add
    /// several sets; a key in any of them is refused.
    pub fn revocations(mut self, revocations: Revocations) -> Self {
        self.revocations.push(revocations);
        self
    }

    /// Sets a deny-list: a file of revoked keys. They are refused in addition to the keys of
    /// [`revocations`](Self::revocations). The file is UTF-8 with one fingerprint a line, as `apikee fingerprint`
    /// prints it, in any order. Blank lines and text after a `#` are ignored. [`build`](Self::build) reads the file,
    /// and it is read again when it changes, like a [`secret_file`](Self::secret_file).
    ///
    /// A file that cannot be used changes nothing. A file that becomes blank cannot be used, because it may be half
    /// written. To remove all entries, write a comment into the file.
    pub fn deny_list_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.deny_list_file = Some(path.into());
        self
    }

    /// Sets a check that can refuse a verified key, for example by its claims. It runs in addition to
    /// [`revocations`](Self::revocations). It runs for each request, so it should be quick. If it panics, the key
    /// counts as revoked. If it blocks, its request waits; no timeout ends it.
    ///
    /// ```
    /// use apikee::Apikee;
    ///
    /// let apikee = Apikee::builder()
    ///     .secret(b"the current secret: 32 random bytes")
    ///     .revoked(|key| key.claims().tenant() == "closed-account")
    ///     .build()?;
    /// # Ok::<(), apikee::ConfigError>(())
    /// ```
    pub fn revoked(mut self, revoked: impl Fn(&VerifiedKey<'_>) -> bool + Send + Sync + 'static) -> Self {
        self.revoked = Some(Revoked::new(revoked));
        self
    }

    /// Decides what outages, overloads, rejections and faults mean. With the default, [`Policy::DEFAULT`], only outages
    /// let requests through (fail open). The policy replaces `APIKEE_FAIL_OPEN`. To deny requests in outages, call
    /// [`Policy::fail_open`] on it.
    pub const fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Sets the receiver of the client's events; see [`Event`](super::Event).
    pub fn observer(mut self, observer: impl Observer + 'static) -> Self {
        self.events = Events::to(observer);
        self
    }

    /// Sets the project key, such as `sk_live_...`. One of the three settings of server mode.
    pub fn project_key(mut self, key: &str) -> Self {
        self.project_key = self.check(Setting::ProjectKey, stack::wiped_deep(|| ProjectKey::new(key).map(Box::new)));
        self
    }

    /// Sets the slug of project and environment, such as `my-app-production`. One of the three settings of server mode.
    pub fn project_env(mut self, slug: &str) -> Self {
        // The variables may have been swapped. The slug is sent in the URL, and the project key never is.
        if slug.starts_with("sk_") {
            self.fail(ConfigError::Unusable(Setting::ProjectEnv, "it is a project key, not a slug".into()));
            return self;
        }
        self.project_env = Some(slug.into());
        self
    }

    /// Sets the platform's X25519 public key: base64 of either alphabet, padded or not, or 64 hexadecimal digits. One
    /// of the three settings of server mode; [`Sealing::Off`] does not need it.
    pub fn server_public_key(mut self, key: &str) -> Self {
        if is_placeholder(key) {
            self.fail(ConfigError::Unusable(
                Setting::ServerPublicKey,
                "it is the all-zero placeholder of the published SDKs".into(),
            ));
        } else {
            self.server_key = self.check(Setting::ServerPublicKey, key.parse());
        }
        self
    }

    /// Like [`server_public_key`](Self::server_public_key), from a [`ServerKey`].
    pub fn server_key(mut self, key: ServerKey) -> Self {
        self.server_key = Some(key);
        self
    }

    /// Sets the transport that carries calls to the platform. With the feature `ureq` the default is a `UreqTransport`
    /// to the published base URL. Without that feature, server mode needs a transport.
    ///
    /// If you set a transport, `base_url`, `ca_file`, `add_ca_pem` and `allow_plain_http` have no further effect.
    pub fn transport(mut self, transport: impl Transport + 'static) -> Self {
        self.transport = Some(Box::new(transport));
        self.asks_for_server = true;
        self
    }

    /// Sets the platform's base URL: `https://apikee.dev/api/v1` by default. Slashes at its end are stripped. Plain
    /// http is allowed to this machine only, unless [`allow_plain_http`](Self::allow_plain_http) is set.
    #[cfg(feature = "ureq")]
    pub fn base_url(mut self, url: &str) -> Self {
        self.connection.base_url = Some(url.into());
        self.asks_for_server = true;
        self
    }

    /// Sets a file of PEM certificates: certificate authorities (CAs) that are trusted in addition to the built-in ones
    /// of Mozilla, such as the authority of a private network. [`build`](Self::build) reads it.
    #[cfg(feature = "ureq")]
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.connection.ca_file = Some(path.into());
        self.asks_for_server = true;
        self
    }

    /// Adds PEM certificates of authorities that are trusted in addition to the built-in ones and those of
    /// [`ca_file`](Self::ca_file). To trust only your own authorities, set a [`transport`](Self::transport); see
    /// [`UreqTransportBuilder::ca_pem`](super::UreqTransportBuilder::ca_pem).
    #[cfg(feature = "ureq")]
    pub fn add_ca_pem(mut self, pem: &[u8]) -> Self {
        let bundle = &mut self.connection.ca_pem;
        bundle.extend_from_slice(pem);
        // A PEM boundary must start on a new line.
        bundle.push(b'\n');
        self.asks_for_server = true;
        self
    }

    /// Allows plain http to a base URL of another machine. **The project key then goes over the network in the clear.**
    #[cfg(feature = "ureq")]
    pub const fn allow_plain_http(mut self) -> Self {
        self.connection.allow_plain_http = true;
        self.asks_for_server = true;
        self
    }

    /// Sets the user agent in calls to the platform: visible ASCII and single spaces; `apikee-rust/` and the version by
    /// default.
    pub fn user_agent(mut self, user_agent: &str) -> Self {
        let checked = UserAgent::new(user_agent).map(|_| user_agent.into());
        self.user_agent = self.check(Setting::UserAgent, checked);
        self
    }

    /// Signs validation requests with an RSA private key in PEM; see
    /// [`RequestSigner::from_pem`](super::RequestSigner::from_pem).
    #[cfg(feature = "request-signing")]
    pub fn private_key(mut self, pem: &str) -> Self {
        self.sign_with(pem);
        self
    }

    /// Sets what travels in envelopes: requests and answers by default. Use less only for platforms that do not seal:
    /// an attacker at the place where TLS ends can then answer every request.
    ///
    /// With [`Sealing::Off`] the caller's raw key is not sent at all. A header field with the name `x-api-key` or with
    /// the key in its value is left out. So is a payload that contains the key. But if `x-forwarded-for` or `x-real-ip`
    /// contains the key, the request is not sent ([`Fault::NotSent`](crate::policy::Fault::NotSent)): without the
    /// field, the platform would see another address.
    pub const fn sealing(mut self, sealing: Sealing) -> Self {
        self.sealing = sealing;
        self.asks_for_server = true;
        self
    }

    /// Time limit for all calls of one request together, from the look-up of a name to the last byte of an answer; 3 s
    /// by default, more than zero. A transport of your own must respect it: the client cannot stop one that blocks. The
    /// time of a [resolver](Self::client_resolver) or an [observer](Self::observer) is not limited. A request that
    /// shares the look-up of another one may wait longer, by up to an eighth of the limit plus 100 ms.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.settings.timeout = timeout;
        self
    }

    /// Maximum number of calls in flight at once; 32 by default, at least one. Further requests wait until a call ends.
    /// If the time of a request ends first, it is an [overload](crate::policy::Overload::TooManyInFlight), which is
    /// denied by default. Each call takes about 70 kB of memory, at most 260 kB. The memory is kept for the next call.
    pub const fn max_in_flight(mut self, calls: usize) -> Self {
        self.limits.in_flight = calls;
        self
    }

    /// Maximum number of calls in flight for one client, at least one; by default half of
    /// [`max_in_flight`](Self::max_in_flight). Further requests of that client wait meanwhile.
    pub const fn max_in_flight_per_client(mut self, calls: usize) -> Self {
        self.limits.in_flight_per_client = Some(calls);
        self
    }

    /// Maximum number of clients whose failures and refusals are remembered: 1 to 16,777,216, or half of that with
    /// 32-bit addresses; 4096 by default. Each takes 128 bytes. Clients whose requests are all confirmed take no room.
    /// A refused client may take two places: one for its id and one for its tenant's name. When the table is full, the
    /// client that was used least recently is forgotten.
    pub const fn max_clients(mut self, clients: usize) -> Self {
        self.limits.clients = clients;
        self
    }

    /// Sets how long the platform's refusals are remembered. They apply while the platform cannot be asked: during an
    /// outage, a client that was refused a moment ago stays refused. A confirmation clears older refusals: a 429, a 403
    /// of the same address, and a `success:false` of the same key; see [`RefusalMemory`].
    pub const fn refusal_memory(mut self, memory: RefusalMemory) -> Self {
        self.limits.memory = memory;
        self
    }

    /// Sets when the breakers open (the platform is not asked for a while), and for how long.
    pub const fn breaker(mut self, config: BreakerConfig) -> Self {
        self.limits.breaker = config;
        self
    }

    /// Sets whether requests wait for the platform's answer; see [`Enforcement`].
    pub const fn enforcement(mut self, enforcement: Enforcement) -> Self {
        self.settings.enforcement = enforcement;
        self.asks_for_server = true;
        self
    }

    /// Sets a function that returns the platform's client id for a key without `meta.clientId`. It is called for each
    /// such request that does not name its [client](super::AuthorizeRequest::client), before the platform is asked.
    /// With [`OnFault::Admit`](crate::policy::OnFault::Admit) it may also be called for a request that cannot be sent.
    /// `None` or a panic means that the id is not known; then the platform is asked for the client whose name is the
    /// tenant. If the function blocks, its request waits; no timeout ends it. Its time is added to the
    /// [`timeout`](Self::timeout). If it takes longer than the timeout, the outcome is
    /// [`Fault::UnknownClient`](crate::policy::Fault::UnknownClient), which is denied by default.
    pub fn client_resolver(
        mut self,
        resolver: impl Fn(&Claims<'_>) -> Option<ClientId> + Send + Sync + 'static,
    ) -> Self {
        self.settings.resolver = Some(Box::new(resolver));
        self.asks_for_server = true;
        self
    }

    /// Sets whether tenants are the platform's client ids; `false` by default. With `false`, a tenant that is a UUID is
    /// an ordinary name.
    pub const fn tenant_is_client_id(mut self, tenant_is_client_id: bool) -> Self {
        self.settings.tenant_is_client_id = tenant_is_client_id;
        self
    }

    /// Maximum number of tenants whose looked-up client ids are remembered; 65,536 by default, at least one. Each takes
    /// about 150 bytes. If more tenants are looked up, the one that was stored first is forgotten, even if it is in
    /// use. Its next request costs a call. The client then emits
    /// [`Event::ClientIdDisplaced`](super::Event::ClientIdDisplaced).
    pub const fn max_client_ids(mut self, tenants: usize) -> Self {
        self.settings.max_client_ids = tenants;
        self
    }

    /// Time after which a looked-up client id is looked up again; 10 minutes by default. It is also looked up again
    /// when the platform does not know the client any more.
    pub const fn max_client_id_age(mut self, age: Duration) -> Self {
        self.settings.max_client_id_age = age;
        self
    }

    /// Sets whether [`Apikee::issue`] creates or replaces the key's client on the platform; `true` by default.
    pub const fn auto_create(mut self, auto_create: bool) -> Self {
        self.settings.auto_create = auto_create;
        self
    }

    /// Sets whether the first request of a tenant that the platform does not know creates a client; `false` by default,
    /// because **`true` can undo a deletion on the platform**: the client comes back without its limits and its address
    /// list. By default such a request is [`Fault::UnknownClient`](crate::policy::Fault::UnknownClient).
    pub const fn create_unknown_clients(mut self, create: bool) -> Self {
        self.settings.create_unknown_clients = create;
        self
    }

    /// Sets whether each [route](super::AuthorizeRequest::as_route) and the scopes that it needs are registered with
    /// the platform after the first confirmed request; `true` by default. A path that is not declared as a route is not
    /// registered, and neither is a method other than `GET`, `HEAD`, `POST`, `PUT`, `DELETE`, `OPTIONS` and `PATCH`. To
    /// register more details, or another method, use [`Apikee::describe`].
    ///
    /// A route is registered once, best effort. After a failure of any kind, the next confirmed request of the route
    /// tries again after a pause of 1 s. The pause doubles with each failure, up to 1 h. There is room for 1024 routes
    /// of up to 512 bytes each. The first route without room emits [`Event::RoutesFull`](super::Event::RoutesFull).
    pub const fn auto_register(mut self, auto_register: bool) -> Self {
        self.settings.auto_register = auto_register;
        self
    }

    /// Sets whether the client owns threads: one in server mode, and one if it has [files](Self::secret_file); `true`
    /// by default. A transport may start others: `UreqTransport` starts one for each look-up of a name. Without
    /// threads, files are read again only by [`Apikee::reload_files`], sessions are established when they are needed or
    /// by [`Apikee::prepare`], a route is registered while its first request waits, and [`Enforcement::Observe`] is an
    /// error of [`build`](Self::build).
    pub const fn background_thread(mut self, background_thread: bool) -> Self {
        self.settings.background_thread = background_thread;
        self
    }

    /// Maximum number of entries that wait for the thread; 1024 by default, at least one. A further entry drops the
    /// oldest one; see [`Event::Dropped`](super::Event::Dropped).
    pub const fn queue_len(mut self, entries: usize) -> Self {
        self.settings.queue_len = entries;
        self
    }

    /// Maximum total size of the entries that wait for the thread, in bytes; 4 MiB by default, at least one. An entry
    /// of [`Enforcement::Observe`] keeps the key, the method and the path, the scopes of the route, the name of the
    /// key, the header fields and the payload. All of this counts, and so does the fixed size of the entry, about 250
    /// bytes. If a new entry does not fit, the oldest entries are dropped until it does. An entry that is larger than
    /// the queue is dropped itself; see [`Event::Dropped`](super::Event::Dropped).
    pub const fn queue_bytes(mut self, bytes: usize) -> Self {
        self.settings.queue_bytes = bytes;
        self
    }

    fn sign_with(&mut self, pem: &str) {
        self.signer = self.check(Setting::PrivateKey, signing::signer(pem));
        self.asks_for_server = true;
    }

    /// Builds the client and starts its threads.
    ///
    /// # Errors
    ///
    /// See [`ConfigError`]: the first unusable setting, or all missing settings.
    pub fn build(mut self) -> Result<Apikee, ConfigError> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        if self.reload_interval.is_zero() {
            return Err(out_of_range(Setting::ReloadInterval));
        }
        self.check_missing()?;
        let (keys, secret_file) = self.secrets()?;
        let deny_list = self.deny_list_file.take().map(DenyListFile::open).transpose();
        let deny_list = deny_list.map_err(|error| ConfigError::Unusable(Setting::DenyListFile, error.into()))?;
        let mut revocations = core::mem::take(&mut self.revocations);
        revocations.extend(deny_list.as_ref().map(DenyListFile::revocations));
        let watch = Watch::new(secret_file, deny_list, self.secret_grace, self.reload_interval);
        let (policy, events, revoked) = (self.policy, self.events.clone(), self.revoked.take());
        let (watches, weak) = (self.settings.background_thread, keys.weak_secrets());
        let keys = Keys::new(keys, self.leeway);
        let server = self.server()?;
        let inner = Inner { keys, revocations: revocations.into(), revoked, watch, policy, server, events };
        let apikee = Apikee::start(inner, watches).map_err(ConfigError::Thread)?;
        apikee.inner.events.warn_of_weak_secrets(weak);
        Ok(apikee)
    }

    /// Whether the settings ask for server mode.
    fn is_server_mode(&self) -> bool {
        self.asks_for_server || self.project_key.is_some() || self.project_env.is_some() || self.server_key.is_some()
    }

    /// An error that names all missing settings, if there are any.
    fn check_missing(&self) -> Result<(), ConfigError> {
        let server = self.is_server_mode();
        let parts = [
            (Setting::Secret, self.keys.is_some() || self.secret_file.is_some()),
            (Setting::ProjectKey, !server || self.project_key.is_some()),
            (Setting::ProjectEnv, !server || self.project_env.is_some()),
            (Setting::ServerPublicKey, !server || self.server_key.is_some() || self.sealing == Sealing::Off),
        ];
        let missing: Vec<_> = parts.into_iter().filter(|(_, there)| !there).map(|(setting, _)| setting).collect();
        if missing.is_empty() { Ok(()) } else { Err(ConfigError::Missing(missing)) }
    }

    /// The keyring, and the file that it was read from, if any.
    fn secrets(&mut self) -> Result<(Box<Keyring>, Option<SecretFile>), ConfigError> {
        match (self.keys.take(), self.secret_file.take()) {
            (Some(keys), None) => Ok((keys, None)),
            (None, Some(path)) => SecretFile::open(path)
                .map(|(file, keys)| (keys, Some(file)))
                .map_err(|error| ConfigError::Unusable(Setting::SecretFile, error.into())),
            (Some(_), Some(_)) => Err(ConfigError::Unusable(
                Setting::SecretFile,
                "there is a secret, too: put all secrets into the file".into(),
            )),
            (None, None) => Err(ConfigError::Missing([Setting::Secret].into())),
        }
    }

    /// `None` in local mode. No setting is [missing](Self::check_missing).
    fn server(self) -> Result<Option<Server>, ConfigError> {
        if !self.is_server_mode() {
            return Ok(None);
        }
        let channel = Channel::new(self.sealing, self.server_key);
        let (Some(project_key), Some(project_env), Some(channel)) = (self.project_key, self.project_env, channel)
        else {
            debug_assert!(false, "missing settings were found before");
            return Err(ConfigError::Missing([Setting::ServerPublicKey].into()));
        };
        let transport = match self.transport {
            Some(transport) => transport,
            None => self.connection.transport()?,
        };
        for (setting, usable) in [
            (Setting::Timeout, !self.settings.timeout.is_zero()),
            (Setting::MaxInFlight, self.limits.in_flight > 0),
            (Setting::MaxInFlightPerClient, self.limits.in_flight_per_client != Some(0)),
            (Setting::MaxClients, (1..=MAX_CLIENTS).contains(&self.limits.clients)),
            (Setting::MaxClientIds, self.settings.max_client_ids > 0),
            (Setting::QueueLen, self.settings.queue_len > 0),
            (Setting::QueueBytes, self.settings.queue_bytes > 0),
            (
                Setting::BackgroundThread,
                self.settings.background_thread || self.settings.enforcement == Enforcement::Enforce,
            ),
            (Setting::ProjectEnv, !project_env.is_empty()),
        ] {
            if !usable {
                return Err(out_of_range(setting));
            }
        }
        let platform = Platform {
            project_key,
            project_env,
            channel,
            user_agent: self.user_agent.unwrap_or_else(|| UserAgent::DEFAULT.as_str().into()),
            transport,
            signer: self.signer,
            gate: Gate::new(&self.limits, self.settings.timeout),
            events: self.events,
        };
        Ok(Some(Server::new(platform, self.settings)))
    }

    /// Records the error if it is the first one.
    fn check<T, E: Into<Box<dyn Error + Send + Sync>>>(&mut self, setting: Setting, result: Result<T, E>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.fail(ConfigError::Unusable(setting, error.into()));
                None
            }
        }
    }

    fn fail(&mut self, error: ConfigError) {
        self.error.get_or_insert(error);
    }
}

/// Shows no settings, because some are secrets.
impl fmt::Debug for ApikeeBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApikeeBuilder").finish_non_exhaustive()
    }
}

fn out_of_range(setting: Setting) -> ConfigError {
    let text = match setting {
        Setting::BackgroundThread => "it is off, but Enforcement::Observe needs it",
        Setting::ProjectEnv => "it is empty",
        Setting::MaxClients => "it is out of range",
        _ => "it must be more than zero",
    };
    ConfigError::Unusable(setting, text.into())
}

/// Whether the text is 32 zero bytes, as hexadecimal digits or base64.
fn is_placeholder(text: &str) -> bool {
    let base64 = text.strip_suffix('=').unwrap_or(text);
    [(text, b'0', 64), (base64, b'A', 43)]
        .into_iter()
        .any(|(text, zero, len)| text.len() == len && text.bytes().all(|byte| byte == zero))
}
