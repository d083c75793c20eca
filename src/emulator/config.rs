//! How an emulator is set up.

use core::{fmt, net::Ipv4Addr, time::Duration};
use std::{borrow::ToOwned as _, boxed::Box, io, net::TcpListener, path::PathBuf, string::String, vec::Vec};

use rand_core::TryRng as _;

use super::{
    EmulatedTemplate, Emulator, LoggedRequest, StateFileError, clock::Clock, handle::Platform, random::Ids,
    random::SplitMix,
};
use crate::{ProjectKey, Sealing, SysRng, UnixTime, crypto::Zeroizing};

/// Sets up an [`Emulator`].
pub struct EmulatorBuilder {
    port: u16,
    secret: Option<Zeroizing<[u8; 32]>>,
    pub(super) project_key: Option<ProjectKey>,
    pub(super) settings: Settings,
    pub(super) clock: Clock,
    pub(super) ids: Ids,
    pub(super) log_capacity: usize,
    pub(super) max_connections: usize,
    pub(super) templates: Vec<EmulatedTemplate>,
    pub(super) state_file: Option<PathBuf>,
}

/// What stays as it is while the emulator runs.
pub(super) struct Settings {
    pub(super) project_env: String,
    pub(super) sealing: Sealing,
    /// `None` takes any timestamp.
    pub(super) tolerance: Option<Duration>,
    pub(super) observer: Box<dyn Fn(&LoggedRequest) + Send + Sync>,
    /// Whether the second text is a signature over the first. `None` asks for no signature.
    pub(super) verifier: Option<Verifier>,
}

pub(super) type Verifier = Box<dyn Fn(&str, &str) -> bool + Send + Sync>;

impl Default for EmulatorBuilder {
    fn default() -> Self {
        Self {
            port: 0,
            secret: None,
            project_key: None,
            settings: Settings::default(),
            clock: Clock::System { ahead: Duration::ZERO },
            ids: Ids::System,
            log_capacity: 10_000,
            max_connections: 256,
            templates: Vec::new(),
            state_file: None,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            project_env: Emulator::PROJECT_ENV.to_owned(),
            sealing: Sealing::Required,
            tolerance: Some(Duration::from_secs(5 * 60)),
            observer: Box::new(|_| ()),
            verifier: None,
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
        self.project_key = Some(key);
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
        self.ids = Ids::Seeded(SplitMix(seed));
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

    /// Starts it.
    ///
    /// # Errors
    ///
    /// As [`EmulatorError`] says.
    pub fn start(mut self) -> Result<Emulator, EmulatorError> {
        let secret = match self.secret.take() {
            Some(secret) => secret,
            None => {
                let mut secret = Zeroizing::new([0; 32]);
                SysRng.try_fill_bytes(secret.as_mut_slice()).map_err(|_| EmulatorError::Rng)?;
                secret
            }
        };
        let (port, max_connections) = (self.port, self.max_connections);
        let platform = Platform::new(self, *secret).map_err(EmulatorError::StateFile)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(EmulatorError::Listen)?;
        Emulator::serve(platform, listener, max_connections)
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
