//! Secrets as text: one set of rules for the environment and for files, so that the same secret makes the same keys
//! wherever it comes from.
//!
//! - White space around a secret does not belong to it. A blank one is none.
//! - A byte-order mark and control characters are errors: an editor or a copy has put them there, nobody sees them, and
//!   another service would read another secret.

use core::{error::Error, fmt};

use crate::key::{Keyring, KeyringError};

/// U+FEFF, which `trim` leaves where it is.
const BYTE_ORDER_MARK: char = '\u{FEFF}';

/// A ring of the secrets in a text, the newest first, `None` if there are none.
pub(super) fn keyring(text: &str, separator: char) -> Result<Option<Keyring>, SecretsError> {
    ring(text.split(separator))
}

/// A ring of the one secret that a text is.
pub(super) fn single(text: &str) -> Result<Option<Keyring>, SecretsError> {
    ring([text])
}

fn ring<'s>(secrets: impl IntoIterator<Item = &'s str>) -> Result<Option<Keyring>, SecretsError> {
    let mut ring: Option<Keyring> = None;
    for secret in secrets.into_iter().map(str::trim).filter(|secret| !secret.is_empty()) {
        if secret.contains(BYTE_ORDER_MARK) {
            return Err(SecretsError::ByteOrderMark);
        }
        if secret.contains(char::is_control) {
            return Err(SecretsError::ControlCharacter);
        }
        let added = match &mut ring {
            Some(ring) => ring.accept(secret.as_bytes()).map(|_| ()),
            None => Keyring::new(secret.as_bytes()).map(|new| ring = Some(new)),
        };
        added.map_err(|error| match error {
            // Blank ones are left out above.
            KeyringError::Full | KeyringError::EmptySecret => SecretsError::TooMany,
        })?;
    }
    Ok(ring)
}

/// What is wrong with a text of secrets. It has nothing of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SecretsError {
    ByteOrderMark,
    ControlCharacter,
    TooMany,
}

impl fmt::Display for SecretsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ByteOrderMark => "it has a byte-order mark: save it as UTF-8 without one",
            Self::ControlCharacter => "a secret has a control character in it, such as a line break",
            Self::TooMany => "a keyring holds 8 secrets at most",
        })
    }
}

impl Error for SecretsError {}
