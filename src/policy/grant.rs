//! The proof that a request is allowed.

use core::fmt;

use super::outcome::{Fault, Outage, Overload};
#[cfg(feature = "std")]
use crate::key::OwnedKey;
use crate::key::{MissingScopes, VerifiedKey};

/// The proof that a request is allowed: its key is verified, it has the scopes that the route needs, and there is a
/// [`Basis`] for letting it through.
///
/// You cannot construct a grant yourself, not even from a verified key, whose scopes have not been checked yet:
///
/// ```compile_fail
/// use apikee::{Grant, VerifiedKey, policy::Basis};
///
/// fn forge(key: VerifiedKey<'_>) -> Grant<'_> {
///     Grant { key, basis: Basis::Local }
/// }
/// ```
///
/// An unverified key is not enough:
///
/// ```compile_fail
/// use apikee::{Grant, MissingScopes, key::UntrustedKey};
///
/// fn grant<'b>(key: UntrustedKey<'b>) -> Result<Grant<'b>, MissingScopes<'b>> {
///     Grant::local(key, &["read"])
/// }
/// ```
///
/// It takes a verified key and the scopes:
///
/// ```
/// use apikee::{Grant, MissingScopes, VerifiedKey};
///
/// fn grant<'b>(key: VerifiedKey<'b>) -> Result<Grant<'b>, MissingScopes<'b>> {
///     Grant::local(key, &["read"])
/// }
/// ```
#[derive(Debug, Clone, Copy)]
#[must_use]
pub struct Grant<'b> {
    key: VerifiedKey<'b>,
    basis: Basis,
}

impl<'b> Grant<'b> {
    /// Grants a request in local mode, without asking the platform. The key must have the scopes.
    ///
    /// # Errors
    ///
    /// [`MissingScopes`] names the missing ones.
    pub fn local<'a>(key: VerifiedKey<'b>, scopes: &'a [&'a str]) -> Result<Self, MissingScopes<'a>> {
        MissingScopes::check(key.claims().scopes(), scopes)?;
        Ok(Self::new(key, Basis::Local))
    }

    /// Like [`local`](Self::local), for a request about which the platform is asked afterwards.
    #[cfg(feature = "client")]
    pub(crate) fn observed<'a>(key: VerifiedKey<'b>, scopes: &'a [&'a str]) -> Result<Self, MissingScopes<'a>> {
        MissingScopes::check(key.claims().scopes(), scopes)?;
        Ok(Self::new(key, Basis::Observed))
    }

    /// Only call this after the key's scopes have been checked.
    pub(super) const fn new(key: VerifiedKey<'b>, basis: Basis) -> Self {
        Self { key, basis }
    }

    /// The key, which holds the claims.
    #[must_use]
    pub const fn key(&self) -> &VerifiedKey<'b> {
        &self.key
    }

    /// Why the request is let through.
    #[must_use]
    pub const fn basis(&self) -> Basis {
        self.basis
    }
}

/// A [`Grant`] that owns its key: for threads, sessions and async handlers. With the feature `std`.
///
/// ```
/// use apikee::{Grant, OwnedGrant};
///
/// fn keep(grant: Grant<'_>) -> OwnedGrant {
///     grant.into_owned()
/// }
/// ```
///
/// You cannot construct one yourself, not even from an owned key:
///
/// ```compile_fail
/// use apikee::{OwnedGrant, OwnedKey, policy::Basis};
///
/// fn forge(key: OwnedKey) -> OwnedGrant {
///     OwnedGrant { key, basis: Basis::Local }
/// }
/// ```
#[cfg(feature = "std")]
#[derive(Debug, Clone)]
#[must_use]
pub struct OwnedGrant {
    key: OwnedKey,
    basis: Basis,
}

#[cfg(feature = "std")]
impl Grant<'_> {
    /// The same grant. You can keep it as long as you like.
    pub fn into_owned(self) -> OwnedGrant {
        OwnedGrant { key: self.key.to_owned(), basis: self.basis }
    }
}

#[cfg(feature = "std")]
impl OwnedGrant {
    /// The key, which holds the claims.
    #[must_use]
    pub const fn key(&self) -> &OwnedKey {
        &self.key
    }

    /// Why the request is let through.
    #[must_use]
    pub const fn basis(&self) -> Basis {
        self.basis
    }
}

/// Why a request is let through, beyond its verified key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Basis {
    /// Local mode: the platform is not asked.
    Local,
    /// The request does not wait for the platform, which is asked afterwards.
    Observed,
    /// The platform confirmed the request.
    Confirmed,
    /// The platform could not be asked ([`FailOpen::Open`](super::FailOpen::Open)).
    FailedOpen(Outage),
    /// The platform answered `success: false`, but the policy overrules it
    /// ([`OnRejection::AdmitUnsuccessful`](super::OnRejection::AdmitUnsuccessful)).
    DespiteRejection,
    /// This process lacked the resources to ask the platform ([`OnOverload::Admit`](super::OnOverload::Admit)).
    DespiteOverload(Overload),
    /// No trustworthy answer was received ([`OnFault::Admit`](super::OnFault::Admit)).
    DespiteFault(Fault),
}

impl Basis {
    /// The basis in one word, for logs and metrics: `local`, `observed`, `confirmed`, `failed_open`,
    /// `despite_rejection`, `despite_overload` or `despite_fault`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Observed => "observed",
            Self::Confirmed => "confirmed",
            Self::FailedOpen(_) => "failed_open",
            Self::DespiteRejection => "despite_rejection",
            Self::DespiteOverload(_) => "despite_overload",
            Self::DespiteFault(_) => "despite_fault",
        }
    }

    /// What went wrong, if anything.
    #[cfg(feature = "client")]
    pub(crate) fn cause(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Local | Self::Observed | Self::Confirmed | Self::DespiteRejection => None,
            Self::FailedOpen(outage) => Some(outage),
            Self::DespiteOverload(overload) => Some(overload),
            Self::DespiteFault(fault) => Some(fault),
        }
    }
}

/// Prints the basis for logs.
impl fmt::Display for Basis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => f.write_str("verified locally"),
            Self::Observed => f.write_str("verified locally; the platform is asked afterwards"),
            Self::Confirmed => f.write_str("confirmed by the platform"),
            Self::FailedOpen(outage) => write!(f, "let through in an outage: {outage}"),
            Self::DespiteRejection => f.write_str("let through although the platform refuses the key"),
            Self::DespiteOverload(overload) => write!(f, "let through despite an overload: {overload}"),
            Self::DespiteFault(fault) => write!(f, "let through despite a fault: {fault}"),
        }
    }
}
