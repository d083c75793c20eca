//! The proof that a request may go on.

use core::fmt;

use super::outcome::{Fault, Outage, Overload};
#[cfg(feature = "std")]
use crate::key::OwnedKey;
use crate::key::{MissingScopes, VerifiedKey};

/// The proof that a request may go on: its key is verified, has the scopes that the route needs, and
/// a [`Basis`] lets it through.
///
/// A grant cannot be made up, not even from a verified key, whose scopes nobody has checked yet:
///
/// ```compile_fail
/// use apikee::{Grant, VerifiedKey, policy::Basis};
///
/// fn forge(key: VerifiedKey<'_>) -> Grant<'_> {
///     Grant { key, basis: Basis::Local }
/// }
/// ```
///
/// Nor does it come from a key that is not verified:
///
/// ```compile_fail
/// use apikee::{Grant, MissingScopes, key::UntrustedKey};
///
/// fn grant<'b>(key: UntrustedKey<'b>) -> Result<Grant<'b>, MissingScopes<'b>> {
///     Grant::local(key, &["read"])
/// }
/// ```
///
/// It takes a verified one, and the scopes:
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
    /// Grants a request in local mode, where the platform is not asked: its key must have the scopes.
    ///
    /// # Errors
    ///
    /// [`MissingScopes`] names those that it lacks.
    pub fn local<'a>(key: VerifiedKey<'b>, scopes: &'a [&'a str]) -> Result<Self, MissingScopes<'a>> {
        MissingScopes::check(key.claims().scopes(), scopes)?;
        Ok(Self::new(key, Basis::Local))
    }

    /// Grants a request that the platform is told of but not waited for: as [`local`](Self::local).
    #[cfg(feature = "client")]
    pub(crate) fn observed<'a>(key: VerifiedKey<'b>, scopes: &'a [&'a str]) -> Result<Self, MissingScopes<'a>> {
        MissingScopes::check(key.claims().scopes(), scopes)?;
        Ok(Self::new(key, Basis::Observed))
    }

    /// Only for a key whose scopes are checked.
    pub(super) const fn new(key: VerifiedKey<'b>, basis: Basis) -> Self {
        Self { key, basis }
    }

    /// The key, and with it the claims.
    #[must_use]
    pub const fn key(&self) -> &VerifiedKey<'b> {
        &self.key
    }

    /// What the request is let through on.
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
/// It cannot be made up either, not even from an owned key:
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
    /// The same grant, for as long as you like.
    pub fn into_owned(self) -> OwnedGrant {
        OwnedGrant { key: self.key.to_owned(), basis: self.basis }
    }
}

#[cfg(feature = "std")]
impl OwnedGrant {
    /// The key, and with it the claims.
    #[must_use]
    pub const fn key(&self) -> &OwnedKey {
        &self.key
    }

    /// What the request is let through on.
    #[must_use]
    pub const fn basis(&self) -> Basis {
        self.basis
    }
}

/// What a request is let through on, besides its verified key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Basis {
    /// Nothing: in local mode the platform is not asked.
    Local,
    /// Nothing yet: the platform is told, and not waited for.
    Observed,
    /// The platform confirms it.
    Confirmed,
    /// The platform could not be asked ([`FailOpen::Open`](super::FailOpen::Open)).
    FailedOpen(Outage),
    /// The platform answered `success: false`, which is overruled
    /// ([`OnRejection::AdmitUnsuccessful`](super::OnRejection::AdmitUnsuccessful)).
    DespiteRejection,
    /// This process had no room to ask the platform ([`OnOverload::Admit`](super::OnOverload::Admit)).
    DespiteOverload(Overload),
    /// No answer could be trusted ([`OnFault::Admit`](super::OnFault::Admit)).
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

    /// What went wrong, where something did.
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

/// For logs.
impl fmt::Display for Basis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => f.write_str("verified locally"),
            Self::Observed => f.write_str("verified locally, the platform is told"),
            Self::Confirmed => f.write_str("confirmed by the platform"),
            Self::FailedOpen(outage) => write!(f, "let through in an outage: {outage}"),
            Self::DespiteRejection => f.write_str("let through though the platform does not validate the key"),
            Self::DespiteOverload(overload) => write!(f, "let through despite an overload: {overload}"),
            Self::DespiteFault(fault) => write!(f, "let through despite a fault: {fault}"),
        }
    }
}
