//! What the environment says (docs/WIRE.md, "Configuration names").

use core::{error::Error, fmt, time::Duration};
use std::{env, path::PathBuf, string::String};

use super::{
    config::{ConfigError, Setting},
    secrets,
};
use crate::key::Keyring;

/// A file of secrets; ours, as are the next two and the list.
pub(super) const SECRET_FILE: &str = "APIKEE_SECRET_FILE";
pub(super) const SECRET_GRACE: &str = "APIKEE_SECRET_GRACE";
pub(super) const DENY_LIST_FILE: &str = "APIKEE_DENY_LIST_FILE";
/// A list of secrets; the SDKs read one.
const SECRETS: &str = "APIKEE_SECRETS";
/// One secret; the documentation uses both names.
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

/// What a variable is set to, trimmed as the SDKs do. Blank means unset.
pub(super) fn variable(name: &'static str) -> Result<Option<String>, ConfigError> {
    let Some(value) = env::var_os(name) else {
        return Ok(None);
    };
    let value = value.into_string().map_err(|_| ConfigError::NotUtf8(name))?;
    let value = value.trim();
    Ok((!value.is_empty()).then(|| value.into()))
}

/// The path in a variable, which need not be UTF-8. Blank means unset.
pub(super) fn path(name: &'static str) -> Option<PathBuf> {
    let value = env::var_os(name)?;
    match value.to_str().map(str::trim) {
        Some("") => None,
        Some(path) => Some(path.into()),
        None => Some(value.into()),
    }
}

/// The value of a variable that is not understood, and is not repeated here.
#[derive(Debug)]
pub(super) struct NotUnderstood;

impl fmt::Display for NotUnderstood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the value is not understood")
    }
}

impl Error for NotUnderstood {}

/// `true` or `false`.
pub(super) fn boolean(text: &str) -> Result<bool, NotUnderstood> {
    text.parse().map_err(|_| NotUnderstood)
}

/// Seconds, `1.5`, or milliseconds, `1500ms`.
pub(super) fn duration(text: &str) -> Result<Duration, NotUnderstood> {
    if let Some(millis) = text.strip_suffix("ms") {
        return digits(millis, "")
            .and_then(|millis| millis.parse().ok())
            .map(Duration::from_millis)
            .ok_or(NotUnderstood);
    }
    // Signs, exponents, infinity and the like are numbers to `f64`.
    let seconds = digits(text, ".").and_then(|seconds| seconds.parse().ok()).ok_or(NotUnderstood)?;
    Duration::try_from_secs_f64(seconds).map_err(|_| NotUnderstood)
}

/// The text, if it has ASCII digits and those other characters only.
fn digits<'t>(text: &'t str, others: &str) -> Option<&'t str> {
    text.chars().all(|c| c.is_ascii_digit() || others.contains(c)).then_some(text)
}

/// A PEM as tools that set variables from a file have it: in quotes, and with line breaks spelt `\n`.
pub(super) fn pem(text: &str) -> String {
    let unquoted = |quote| text.strip_prefix(quote)?.strip_suffix(quote);
    let text = unquoted('"').or_else(|| unquoted('\'')).unwrap_or(text);
    text.replace("\\r", "").replace("\\n", "\n")
}

/// The secrets in variables, the newest first.
pub(super) fn keyring() -> Result<Option<Keyring>, ConfigError> {
    for name in [SECRETS, LOCAL_SECRET, SECRET] {
        let Some(value) = variable(name)? else {
            continue;
        };
        let ring = if name == SECRETS { secrets::keyring(&value, ',') } else { secrets::single(&value) };
        if let Some(ring) = ring.map_err(|error| ConfigError::Unusable(Setting::Secret, error.into()))? {
            return Ok(Some(ring));
        }
    }
    Ok(None)
}

impl Keyring {
    /// The secrets of the environment: of the file that `APIKEE_SECRET_FILE` names (see
    /// [`from_file`](Self::from_file)), else `APIKEE_SECRETS` (several, with commas between them, newest first), else
    /// `APIKEE_LOCAL_SECRET`, else `APIKEE_SECRET`; blank means unset.
    ///
    /// # Errors
    ///
    /// [`ConfigError`], naming the variables.
    pub fn from_env() -> Result<Self, ConfigError> {
        if let Some(path) = path(SECRET_FILE) {
            return Self::from_file(path).map_err(|error| ConfigError::Unusable(Setting::SecretFile, error.into()));
        }
        keyring()?.ok_or_else(|| ConfigError::Missing([Setting::Secret].into()))
    }
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
    fn truth_is_spelt_in_one_way() {
        assert!(boolean("true").unwrap() && !boolean("false").unwrap());
        for text in ["", "True", "TRUE", "yes", "no", "on", "off", "0", "1", "true "] {
            assert!(boolean(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_pem_is_the_same_in_quotes_and_with_its_line_breaks_spelt() {
        for text in ["-\na\n-", "\"-\na\n-\"", "'-\na\n-'", r"-\na\n-", r#""-\r\na\r\n-""#, r"'-\na\n-'"] {
            assert_eq!(pem(text), "-\na\n-", "{text:?}");
        }
        for text in ["\"-", "-\"", "\"", "'-\""] {
            assert_eq!(pem(text), text, "quotes that are not a pair stay");
        }
    }
}
