//! Why a key is refused, whichever check it was.

use apikee::{Denial, KeyError, MissingScopes};

/// A code, the SDKs' own where they have one, and a sentence. Nothing of the key is in it.
pub(crate) struct Refusal {
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl Refusal {
    /// For a key on the deny-list. The SDKs have no code for it.
    pub(crate) fn revoked() -> Self {
        Self { code: Denial::Revoked.code(), message: Denial::Revoked.to_string() }
    }
}

impl From<KeyError> for Refusal {
    fn from(error: KeyError) -> Self {
        Self { code: error.code(), message: error.to_string() }
    }
}

impl From<MissingScopes<'_>> for Refusal {
    fn from(missing: MissingScopes<'_>) -> Self {
        Self { code: missing.code(), message: missing.to_string() }
    }
}
