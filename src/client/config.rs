//! Settings of a client, from the builder or the environment (docs/WIRE.md, "Configuration names"), and errors in them.

use core::{error::Error, fmt, ops::Deref, time::Duration};
use std::{boxed::Box, env, io, path::PathBuf, string::String, vec::Vec};

use super::{secrets, transport::Transport};
use crate::{
    crypto::{Zeroize as _, stack},
    key::Keyring,
};

/// A setting of a client: an option of [`ApikeeBuilder`](super::ApikeeBuilder), and the environment variable for it, if
/// there is one.
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
    /// Two texts: first the name and the variables, then the allowed values and where to find the value. The second is
    /// empty if the option's documentation is enough.
    const fn texts(self) -> (&'static str, &'static str) {
        match self {
            Self::Secret => (
                "secret (APIKEE_SECRETS, APIKEE_LOCAL_SECRET, APIKEE_SECRET)",
                "32 random bytes, the same in all services that issue or verify keys (apikee secret prints a new \
                 secret), or set APIKEE_SECRET_FILE",
            ),
            Self::SecretFile => (
                "secret_file (APIKEE_SECRET_FILE)",
                "the path of a UTF-8 file with one secret per line; the first signs",
            ),
            Self::SecretGrace => {
                ("secret_grace (APIKEE_SECRET_GRACE)", "seconds such as 600, or milliseconds such as 1500ms")
            }
            Self::DenyListFile => (
                "deny_list_file (APIKEE_DENY_LIST_FILE)",
                "the path of a file with one fingerprint a line, 64 hexadecimal digits",
            ),
            Self::ReloadInterval => ("reload_interval", ""),
            Self::ProjectKey => (
                "project_key (APIKEE_SERVER_KEY)",
                "sk_live_..., sk_test_... or sk_..., from the project's settings on the platform",
            ),
            Self::ProjectEnv => (
                "project_env (APIKEE_PROJECT_ENV)",
                "the slug of project and environment, such as my-app-production, from the project's settings on \
                 the platform",
            ),
            Self::ServerPublicKey => (
                "server_public_key (APIKEE_SERVER_PUBLIC_KEY)",
                "the platform's X25519 public key, 32 bytes as base64 or as 64 hexadecimal digits, from the \
                 platform's settings, not needed with APIKEE_SEALING=off",
            ),
            Self::PrivateKey => (
                "private_key (APIKEE_PRIVATE_KEY)",
                "an RSA private key as PEM; its public key is in the project's settings on the \
                 platform",
            ),
            Self::Sealing => ("sealing (APIKEE_SEALING)", "required, requests or off"),
            Self::FailOpen => ("fail_open (APIKEE_FAIL_OPEN)", "true or false"),
            Self::Timeout => (
                "timeout (APIKEE_SERVER_TIMEOUT)",
                "seconds such as 1.5, or milliseconds such as 1500ms, more than zero",
            ),
            Self::BaseUrl => (
                "base_url (APIKEE_BASE_URL)",
                "https://host/path, or http:// if the host is this machine or APIKEE_ALLOW_PLAIN_HTTP is true",
            ),
            Self::CaFile => {
                ("ca_file (APIKEE_CA_FILE)", "the path of a PEM file with certificate authorities (CAs) to trust")
            }
            Self::AllowPlainHttp => ("allow_plain_http (APIKEE_ALLOW_PLAIN_HTTP)", "true or false"),
            Self::Transport => ("transport", "enable the feature ureq or set a transport"),
            Self::UserAgent => ("user_agent", ""),
            Self::MaxInFlight => ("max_in_flight", ""),
            Self::MaxInFlightPerClient => ("max_in_flight_per_client", ""),
            Self::MaxClients => ("max_clients", if usize::BITS < 64 { "1 to 8388608" } else { "1 to 16777216" }),
            Self::MaxClientIds => ("max_client_ids", ""),
            Self::QueueLen => ("queue_len", ""),
            Self::QueueBytes => ("queue_bytes", ""),
            Self::BackgroundThread => ("background_thread", ""),
        }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.texts().0)
    }
}

/// Why a client cannot be built. It contains no secret.
///
/// The text names the setting, says what is wrong, which values are allowed, and where to find the value. `Debug`
/// prints the same text, because a `main` that returns the error prints `Debug`.
#[non_exhaustive]
pub enum ConfigError {
    /// Required settings are not set. Server mode needs the project key, the project-env and, unless sealing is off,
    /// the public key: if one of them is set, the others must be set, too.
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
                    match setting.texts() {
                        (name, "") => write!(f, "{separator}{name}")?,
                        (name, expected) => write!(f, "{separator}{name}: {expected}")?,
                    }
                }
                Ok(())
            }
            Self::Unusable(setting, error) => match setting.texts() {
                (name, "") => write!(f, "{name} cannot be used: {error}"),
                (name, expected) => write!(f, "{name} cannot be used: {error} (expected: {expected})"),
            },
            Self::NotUtf8(variable) => write!(f, "the value of {variable} is not UTF-8"),
            Self::Thread(error) => write!(f, "the client's thread cannot be started: {error}"),
        }
    }
}

/// The same text as `Display`.
impl fmt::Debug for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// `Display` already contains the text of the cause. So [`source`](Error::source) returns the error behind the cause.
impl Error for ConfigError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Unusable(_, error) => error.source(),
            Self::Thread(error) => error.source(),
            Self::Missing(_) | Self::NotUtf8(_) => None,
        }
    }
}

/// A file of secrets. The SDKs do not have this variable, the next two, or `APIKEE_SECRETS`.
pub(super) const SECRET_FILE: &str = "APIKEE_SECRET_FILE";
pub(super) const SECRET_GRACE: &str = "APIKEE_SECRET_GRACE";
pub(super) const DENY_LIST_FILE: &str = "APIKEE_DENY_LIST_FILE";
/// A list of secrets. The SDKs read only one secret.
const SECRETS: &str = "APIKEE_SECRETS";
/// One secret. The platform's documentation uses both names.
const LOCAL_SECRET: &str = "APIKEE_LOCAL_SECRET";
const SECRET: &str = "APIKEE_SECRET";

pub(super) const PROJECT_KEY: &str = "APIKEE_SERVER_KEY";
pub(super) const PROJECT_ENV: &str = "APIKEE_PROJECT_ENV";
pub(super) const SERVER_PUBLIC_KEY: &str = "APIKEE_SERVER_PUBLIC_KEY";
pub(super) const PRIVATE_KEY: &str = "APIKEE_PRIVATE_KEY";
pub(super) const SEALING: &str = "APIKEE_SEALING";
pub(super) const FAIL_OPEN: &str = "APIKEE_FAIL_OPEN";
pub(super) const TIMEOUT: &str = "APIKEE_SERVER_TIMEOUT";
pub(super) const BASE_URL: &str = "APIKEE_BASE_URL";
pub(super) const CA_FILE: &str = "APIKEE_CA_FILE";
pub(super) const ALLOW_PLAIN_HTTP: &str = "APIKEE_ALLOW_PLAIN_HTTP";

/// The value of a variable, trimmed as the SDKs trim it. A blank value counts as unset.
pub(super) fn variable(name: &'static str) -> Result<Option<Value>, ConfigError> {
    let Some(value) = env::var_os(name) else {
        return Ok(None);
    };
    let value = Value(value.into_string().map_err(|value| {
        value.into_encoded_bytes().zeroize();
        ConfigError::NotUtf8(name)
    })?);
    Ok((!value.is_empty()).then_some(value))
}

/// The value of a variable, without white space around it. It may be a secret: wiped on drop.
pub(super) struct Value(String);

impl Deref for Value {
    type Target = str;

    fn deref(&self) -> &str {
        self.0.trim()
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        self.0.as_mut_str().zeroize();
    }
}

/// The path in a variable. It need not be UTF-8. A blank value counts as unset.
pub(super) fn path(name: &'static str) -> Option<PathBuf> {
    let value = env::var_os(name)?;
    match value.to_str().map(str::trim) {
        Some("") => None,
        Some(path) => Some(path.into()),
        None => Some(value.into()),
    }
}

/// An error never repeats the value.
pub(super) const NOT_UNDERSTOOD: &str = "the value is not understood";

/// `true` or `false`.
pub(super) fn boolean(text: &str) -> Result<bool, &'static str> {
    text.parse().map_err(|_| NOT_UNDERSTOOD)
}

/// Seconds, `1.5`, or milliseconds, `1500ms`.
pub(super) fn duration(text: &str) -> Result<Duration, &'static str> {
    if let Some(millis) = text.strip_suffix("ms") {
        return digits(millis, "")
            .and_then(|millis| millis.parse().ok())
            .map(Duration::from_millis)
            .ok_or(NOT_UNDERSTOOD);
    }
    // `f64` would also parse signs, exponents and infinity.
    let seconds = digits(text, ".").and_then(|seconds| seconds.parse().ok()).ok_or(NOT_UNDERSTOOD)?;
    Duration::try_from_secs_f64(seconds).map_err(|_| NOT_UNDERSTOOD)
}

/// The text, if it contains only ASCII digits and characters of `others`.
fn digits<'t>(text: &'t str, others: &str) -> Option<&'t str> {
    text.chars().all(|c| c.is_ascii_digit() || others.contains(c)).then_some(text)
}

/// Repairs a PEM that a tool has put into a variable: removes quotes around it, and replaces `\n` by line breaks.
pub(super) fn pem(text: &str) -> Value {
    let unquoted = |quote| text.strip_prefix(quote)?.strip_suffix(quote);
    let text = unquoted('"').or_else(|| unquoted('\'')).unwrap_or(text);
    // With all of the room from the start, no copy of the key is left behind.
    let mut repaired = Value(String::with_capacity(text.len()));
    for (at, line) in text.split("\\n").enumerate() {
        repaired.0.push_str(if at == 0 { "" } else { "\n" });
        line.split("\\r").for_each(|part| repaired.0.push_str(part));
    }
    repaired
}

/// The secrets in the variables. The first signs.
pub(super) fn keyring() -> Result<Option<Box<Keyring>>, ConfigError> {
    stack::wiped_deep(|| Ok(read_keyring()?.map(Box::new)))
}

fn read_keyring() -> Result<Option<Keyring>, ConfigError> {
    for name in [SECRETS, LOCAL_SECRET, SECRET] {
        let Some(value) = variable(name)? else {
            continue;
        };
        let ring = if name == SECRETS { secrets::keyring(value.split(',')) } else { secrets::keyring([&*value]) };
        let unusable = |error| ConfigError::Unusable(Setting::Secret, error);
        // A list of nothing but commas may come from a template. A key must then not be signed with an older secret.
        let ring = ring.map_err(|error| unusable(error.into()))?.ok_or_else(|| unusable("the list is empty".into()))?;
        return Ok(Some(ring));
    }
    Ok(None)
}

impl Keyring {
    /// Reads the secrets from the environment: from the file that `APIKEE_SECRET_FILE` names (see
    /// [`from_file`](Self::from_file)), else from `APIKEE_SECRETS` (several, separated by commas), else from
    /// `APIKEE_LOCAL_SECRET`, else from `APIKEE_SECRET`. The first secret signs, all verify. A blank variable counts as
    /// unset.
    ///
    /// # Errors
    ///
    /// [`ConfigError`], which names the variables.
    pub fn from_env() -> Result<Self, ConfigError> {
        let keys = match path(SECRET_FILE) {
            Some(path) => secrets::boxed(|| Self::from_file(path))
                .map_err(|error| ConfigError::Unusable(Setting::SecretFile, error.into()))?,
            None => keyring()?.ok_or_else(|| ConfigError::Missing([Setting::Secret].into()))?,
        };
        stack::wiped_deep(|| Ok(keys.duplicate()))
    }
}

/// Options of the default transport. They are used if no transport is set.
#[derive(Default)]
#[cfg_attr(not(feature = "ureq"), expect(dead_code, reason = "the environment sets it, and nothing reads it"))]
pub(super) struct Connection {
    /// `None` means the published URL.
    pub(super) base_url: Option<String>,
    /// Authorities to trust in addition to the built-in ones.
    pub(super) ca_file: Option<PathBuf>,
    pub(super) ca_pem: Vec<u8>,
    pub(super) allow_plain_http: bool,
}

impl Connection {
    #[cfg(feature = "ureq")]
    pub(super) fn transport(self) -> Result<Box<dyn Transport>, ConfigError> {
        use super::{UreqTransport, UreqTransportError};

        let mut builder = UreqTransport::builder();
        if let Some(url) = &self.base_url {
            builder = builder.base_url(url);
        }
        if let Some(path) = &self.ca_file {
            let pem = read_ca_file(path).map_err(|error| ConfigError::Unusable(Setting::CaFile, error))?;
            builder = builder.add_ca_pem(&pem);
        }
        if !self.ca_pem.is_empty() {
            builder = builder.add_ca_pem(&self.ca_pem);
        }
        if self.allow_plain_http {
            builder = builder.allow_plain_http();
        }
        match builder.build() {
            Ok(transport) => Ok(Box::new(transport)),
            Err(error) => {
                let (setting, error) = match error {
                    UreqTransportError::CaPem => (Setting::CaFile, "it is not PEM with certificates".into()),
                    _ if error.is_about_base_url() => (Setting::BaseUrl, error.into()),
                    _ => (Setting::Transport, error.into()),
                };
                Err(ConfigError::Unusable(setting, error))
            }
        }
    }

    #[cfg(not(feature = "ureq"))]
    pub(super) fn transport(self) -> Result<Box<dyn Transport>, ConfigError> {
        Err(ConfigError::Missing([Setting::Transport].into()))
    }
}

/// The maximum length in bytes of a file of authorities. A file of all authorities that browsers trust is much shorter.
#[cfg(feature = "ureq")]
const MAX_CA_BYTES: usize = 16 * 1024 * 1024;

#[cfg(feature = "ureq")]
fn read_ca_file(path: &std::path::Path) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
    use std::io::Read as _;

    let mut pem = Vec::new();
    let more_than_limit = u64::try_from(MAX_CA_BYTES)?.saturating_add(1);
    std::fs::File::open(path)?.take(more_than_limit).read_to_end(&mut pem)?;
    if pem.len() > MAX_CA_BYTES { Err("the file is too large".into()) } else { Ok(pem) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds_or_milliseconds_and_nothing_else() {
        for (text, millis) in
            [("3", 3_000), ("1.5", 1_500), ("0.25", 250), (".5", 500), ("2.", 2_000), ("1500ms", 1_500), ("0", 0)]
        {
            assert_eq!(duration(text).unwrap(), Duration::from_millis(millis), "{text}");
        }
        for text in [
            "",
            ".",
            "1,5",
            "-1",
            "+1",
            "1e3",
            "inf",
            "nan",
            "1.5.0",
            "3s",
            "3 ",
            "1.5ms",
            "ms",
            "1500 ms",
            "1500MS",
            "99999999999999999999999999",
            "99999999999999999999999999ms",
        ] {
            assert!(duration(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_boolean_is_true_or_false_and_nothing_else() {
        assert!(boolean("true").unwrap() && !boolean("false").unwrap());
        for text in ["", "True", "TRUE", "yes", "no", "on", "off", "0", "1", "true "] {
            assert!(boolean(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_pem_may_be_in_quotes_and_have_escaped_line_breaks() {
        for text in ["-\na\n-", "\"-\na\n-\"", "'-\na\n-'", r"-\na\n-", r#""-\r\na\r\n-""#, r"'-\na\n-'"] {
            assert_eq!(&*pem(text), "-\na\n-", "{text:?}");
        }
        for text in ["\"-", "-\"", "\"", "'-\""] {
            assert_eq!(&*pem(text), text, "quotes that are not a pair stay");
        }
    }
}
