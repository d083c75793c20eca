//! What a client is configured with, and what is wrong with it.

use core::{error::Error, fmt};
use std::{boxed::Box, io, string::String, vec::Vec};

/// A setting of a client: an option of [`ApikeeBuilder`](super::ApikeeBuilder), and the variable of the
/// environment that it may come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Setting {
    /// `secret`: `APIKEE_SECRETS`, `APIKEE_LOCAL_SECRET` or `APIKEE_SECRET`.
    Secret,
    /// `project_key`: `APIKEE_SERVER_KEY`.
    ProjectKey,
    /// `project_env`: `APIKEE_PROJECT_ENV`.
    ProjectEnv,
    /// `server_public_key`: `APIKEE_SERVER_PUBLIC_KEY`.
    ServerPublicKey,
    /// `private_key`: `APIKEE_PRIVATE_KEY`.
    PrivateKey,
    /// `transport`, or `base_url`.
    Transport,
    /// `user_agent`.
    UserAgent,
    /// `timeout`.
    Timeout,
    /// `max_in_flight`.
    MaxInFlight,
    /// `max_in_flight_per_client`.
    MaxInFlightPerClient,
    /// `max_clients`.
    MaxClients,
    /// `max_client_ids`.
    MaxClientIds,
    /// `queue_len`.
    QueueLen,
    /// `queue_bytes`.
    QueueBytes,
    /// `background_thread`.
    BackgroundThread,
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Secret => "secret (APIKEE_SECRETS, APIKEE_LOCAL_SECRET, APIKEE_SECRET)",
            Self::ProjectKey => "project_key (APIKEE_SERVER_KEY)",
            Self::ProjectEnv => "project_env (APIKEE_PROJECT_ENV)",
            Self::ServerPublicKey => "server_public_key (APIKEE_SERVER_PUBLIC_KEY)",
            Self::PrivateKey => "private_key (APIKEE_PRIVATE_KEY)",
            Self::Transport => "transport",
            Self::UserAgent => "user_agent",
            Self::Timeout => "timeout",
            Self::MaxInFlight => "max_in_flight",
            Self::MaxInFlightPerClient => "max_in_flight_per_client",
            Self::MaxClients => "max_clients",
            Self::MaxClientIds => "max_client_ids",
            Self::QueueLen => "queue_len",
            Self::QueueBytes => "queue_bytes",
            Self::BackgroundThread => "background_thread",
        })
    }
}

/// Why there is no client. It holds no secret.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConfigError {
    /// Settings that there must be are not there. Server mode is never half configured: all of
    /// project key, project-env and the platform's public key, or none.
    Missing(Vec<Setting>),
    /// A setting cannot be used.
    Unusable(Setting, Box<dyn Error + Send + Sync>),
    /// A variable of the environment is not UTF-8.
    NotUtf8(&'static str),
    /// The thread cannot be started.
    Thread(io::Error),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(settings) => {
                let names: Vec<String> = settings.iter().map(std::string::ToString::to_string).collect();
                write!(f, "missing: {}", names.join("; "))
            }
            Self::Unusable(setting, _) => write!(f, "{setting} cannot be used"),
            Self::NotUtf8(variable) => write!(f, "the value of {variable} is not UTF-8"),
            Self::Thread(_) => f.write_str("the client's thread cannot be started"),
        }
    }
}

impl Error for ConfigError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Unusable(_, error) => Some(&**error),
            Self::Thread(error) => Some(error),
            Self::Missing(_) | Self::NotUtf8(_) => None,
        }
    }
}
