//! What the environment says (WIRE.md, "Configuration names").

use std::{env, string::String};

use super::config::{ConfigError, Setting};
use crate::key::{Keyring, KeyringError};

/// A list of secrets; ours, the SDKs read one.
const SECRETS: &str = "APIKEE_SECRETS";
/// One secret; the documentation uses both names.
const LOCAL_SECRET: &str = "APIKEE_LOCAL_SECRET";
const SECRET: &str = "APIKEE_SECRET";

pub(super) const PROJECT_KEY: &str = "APIKEE_SERVER_KEY";
pub(super) const PROJECT_ENV: &str = "APIKEE_PROJECT_ENV";
pub(super) const SERVER_PUBLIC_KEY: &str = "APIKEE_SERVER_PUBLIC_KEY";
pub(super) const PRIVATE_KEY: &str = "APIKEE_PRIVATE_KEY";

/// What a variable is set to, trimmed as the SDKs do. Blank means unset.
pub(super) fn variable(name: &'static str) -> Result<Option<String>, ConfigError> {
    let Some(value) = env::var_os(name) else {
        return Ok(None);
    };
    let value = value.into_string().map_err(|_| ConfigError::NotUtf8(name))?;
    let value = value.trim();
    Ok((!value.is_empty()).then(|| value.into()))
}

/// The secrets, the newest first.
pub(super) fn keyring() -> Result<Option<Keyring>, ConfigError> {
    for name in [SECRETS, LOCAL_SECRET, SECRET] {
        let Some(value) = variable(name)? else {
            continue;
        };
        let secrets = value.split(|c| name == SECRETS && c == ',').map(str::trim).filter(|secret| !secret.is_empty());
        let ring = ring(secrets).map_err(|error| ConfigError::Unusable(Setting::Secret, error.into()))?;
        if ring.is_some() {
            return Ok(ring);
        }
    }
    Ok(None)
}

fn ring<'s>(mut secrets: impl Iterator<Item = &'s str>) -> Result<Option<Keyring>, KeyringError> {
    let Some(newest) = secrets.next() else {
        return Ok(None);
    };
    let mut ring = Keyring::new(newest.as_bytes())?;
    for older in secrets {
        ring.accept(older.as_bytes())?;
    }
    Ok(Some(ring))
}

impl Keyring {
    /// The secrets of the environment: `APIKEE_SECRETS` (several, with commas between them, newest
    /// first), else `APIKEE_LOCAL_SECRET`, else `APIKEE_SECRET`; blank means unset.
    ///
    /// # Errors
    ///
    /// [`ConfigError`], naming the variables.
    pub fn from_env() -> Result<Self, ConfigError> {
        keyring()?.ok_or_else(|| ConfigError::Missing([Setting::Secret].into()))
    }
}
