//! What a client is configured with, and what is wrong with it.

use core::{error::Error, fmt};
use std::{boxed::Box, io, vec::Vec};

/// A setting of a client: an option of [`ApikeeBuilder`](super::ApikeeBuilder), and the variable of the
/// environment that it may come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Setting {
    /// `secret`: `APIKEE_SECRETS`, `APIKEE_LOCAL_SECRET` or `APIKEE_SECRET`.
    Secret,
    /// `secret_file`: `APIKEE_SECRET_FILE`.
    SecretFile,
    /// `secret_grace`: `APIKEE_SECRET_GRACE`.
    SecretGrace,
    /// `deny_list_file`: `APIKEE_DENY_LIST_FILE`.
    DenyListFile,
    /// `reload_interval`.
    ReloadInterval,
    /// `project_key`: `APIKEE_SERVER_KEY`.
    ProjectKey,
    /// `project_env`: `APIKEE_PROJECT_ENV`.
    ProjectEnv,
    /// `server_public_key`: `APIKEE_SERVER_PUBLIC_KEY`.
    ServerPublicKey,
    /// `private_key`: `APIKEE_PRIVATE_KEY`.
    PrivateKey,
    /// `sealing`: `APIKEE_SEALING`.
    Sealing,
    /// `policy`: `APIKEE_FAIL_OPEN`.
    FailOpen,
    /// `timeout`: `APIKEE_SERVER_TIMEOUT`.
    Timeout,
    /// `base_url`: `APIKEE_BASE_URL`.
    BaseUrl,
    /// `ca_file` or `add_ca_pem`: `APIKEE_CA_FILE`.
    CaFile,
    /// `allow_plain_http`: `APIKEE_ALLOW_PLAIN_HTTP`.
    AllowPlainHttp,
    /// `transport`.
    Transport,
    /// `user_agent`.
    UserAgent,
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

impl Setting {
    /// What its value may be, and where the value comes from; `None` where the option's documentation is enough.
    const fn expected(self) -> Option<&'static str> {
        Some(match self {
            Self::Secret => {
                "at least one byte, better 32 random ones (apikee secret prints them), the same where keys are issued \
                 and where they are verified"
            }
            Self::SecretFile => "the path of a file of UTF-8 with one secret a line, newest first",
            Self::SecretGrace => "seconds such as 600, or milliseconds such as 1500ms",
            Self::DenyListFile => "the path of a file with one fingerprint a line, 64 hexadecimal digits",
            Self::ProjectKey => "sk_live_..., sk_test_... or sk_..., from the project's settings on the platform",
            Self::ProjectEnv => {
                "the slug of project and environment, such as my-app-production, from the project's settings on the \
                 platform"
            }
            Self::ServerPublicKey => {
                "the platform's X25519 public key, 32 bytes as base64 or as 64 hexadecimal digits, from the \
                 platform's settings, not needed with APIKEE_SEALING=off"
            }
            Self::PrivateKey => {
                "an RSA private key as PEM, the counterpart of the public key in the project's settings on the platform"
            }
            Self::Sealing => "required, requests or off",
            Self::FailOpen | Self::AllowPlainHttp => "true or false",
            Self::Timeout => "seconds such as 1.5, or milliseconds such as 1500ms, more than zero",
            Self::BaseUrl => {
                "https://host/path, or http:// if the host is this machine or APIKEE_ALLOW_PLAIN_HTTP is true"
            }
            Self::CaFile => "the path of a file that has certificates of authorities as PEM",
            Self::Transport => "enable the feature ureq or set a transport",
            _ => return None,
        })
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Secret => "secret (APIKEE_SECRETS, APIKEE_LOCAL_SECRET, APIKEE_SECRET)",
            Self::SecretFile => "secret_file (APIKEE_SECRET_FILE)",
            Self::SecretGrace => "secret_grace (APIKEE_SECRET_GRACE)",
            Self::DenyListFile => "deny_list_file (APIKEE_DENY_LIST_FILE)",
            Self::ReloadInterval => "reload_interval",
            Self::ProjectKey => "project_key (APIKEE_SERVER_KEY)",
            Self::ProjectEnv => "project_env (APIKEE_PROJECT_ENV)",
            Self::ServerPublicKey => "server_public_key (APIKEE_SERVER_PUBLIC_KEY)",
            Self::PrivateKey => "private_key (APIKEE_PRIVATE_KEY)",
            Self::Sealing => "sealing (APIKEE_SEALING)",
            Self::FailOpen => "fail_open (APIKEE_FAIL_OPEN)",
            Self::Timeout => "timeout (APIKEE_SERVER_TIMEOUT)",
            Self::BaseUrl => "base_url (APIKEE_BASE_URL)",
            Self::CaFile => "ca_file (APIKEE_CA_FILE)",
            Self::AllowPlainHttp => "allow_plain_http (APIKEE_ALLOW_PLAIN_HTTP)",
            Self::Transport => "transport",
            Self::UserAgent => "user_agent",
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

/// Why a client cannot be built. It holds no secret.
///
/// Its text names the setting, says what is wrong with it, what it may be, and where the value comes from. `Debug`,
/// which is what a `main` that returns the error prints, is the same text.
#[non_exhaustive]
pub enum ConfigError {
    /// Settings that are needed are not set. Server mode is never half configured: one of its settings is enough to
    /// need the others.
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
                f.write_str("missing: ")?;
                for (at, setting) in settings.iter().enumerate() {
                    let separator = if at == 0 { "" } else { "; " };
                    write!(f, "{separator}{setting}")?;
                    if let Some(expected) = setting.expected() {
                        write!(f, ": {expected}")?;
                    }
                }
                Ok(())
            }
            Self::Unusable(setting, error) => {
                write!(f, "{setting} cannot be used: {error}")?;
                match setting.expected() {
                    Some(expected) => write!(f, " (expected: {expected})"),
                    None => Ok(()),
                }
            }
            Self::NotUtf8(variable) => write!(f, "the value of {variable} is not UTF-8"),
            Self::Thread(error) => write!(f, "the client's thread cannot be started: {error}"),
        }
    }
}

/// The text of `Display`.
impl fmt::Debug for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Its text has the cause's words already, so [`source`](Error::source) is what is behind the cause.
impl Error for ConfigError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Unusable(_, error) => error.source(),
            Self::Thread(error) => error.source(),
            Self::Missing(_) | Self::NotUtf8(_) => None,
        }
    }
}
