//! What the outcome of a call to the platform means for the request at hand.
//!
//! | outcome | when |
//! |---|---|
//! | [`Confirmed`](Outcome::Confirmed) | the answer says `success: true` |
//! | [`Outage`] | DNS, connect, reset, timeout, 5xx, breaker open |
//! | [`Remembered`](Outcome::Remembered) | any of these, where the platform refused the client a short time ago |
//! | [`Overload`] | no slot for a call within the deadline; no file descriptors, memory, threads or randomness |
//! | [`Rejection`] | the answer says `success: false`, or the status is a refusal ([`Outcome::from_status`]) |
//! | [`Fault`] | other statuses, redirects; an answer that is unreadable, unsealed, oversized or forged; an untrusted certificate; a refused project key |
//!
//! The truth table, which the test reads from here. `-` is a grant; a number is the HTTP status of the
//! denial: 503 `SERVER_UNAVAILABLE`, 401 `SERVER_REJECTED`, 502 `SERVER_FAULT`. A remembered refusal comes to what
//! the refusal itself would. The first row is the default.
//!
//! | `FailOpen` | `OnOverload` | `OnRejection` | `OnFault` | confirmed | outage | overload | `success: false` | 403, 429 | fault |
//! |---|---|---|---|---|---|---|---|---|---|
//! | `Open` | `Deny` | `Deny` | `Deny` | - | - | 503 | 401 | 401 | 502 |
//! | `Open` | `Deny` | `Deny` | `Admit` | - | - | 503 | 401 | 401 | - |
//! | `Open` | `Deny` | `AdmitUnsuccessful` | `Deny` | - | - | 503 | - | 401 | 502 |
//! | `Open` | `Deny` | `AdmitUnsuccessful` | `Admit` | - | - | 503 | - | 401 | - |
//! | `Open` | `Admit` | `Deny` | `Deny` | - | - | - | 401 | 401 | 502 |
//! | `Open` | `Admit` | `Deny` | `Admit` | - | - | - | 401 | 401 | - |
//! | `Open` | `Admit` | `AdmitUnsuccessful` | `Deny` | - | - | - | - | 401 | 502 |
//! | `Open` | `Admit` | `AdmitUnsuccessful` | `Admit` | - | - | - | - | 401 | - |
//! | `Closed` | `Deny` | `Deny` | `Deny` | - | 503 | 503 | 401 | 401 | 502 |
//! | `Closed` | `Deny` | `Deny` | `Admit` | - | 503 | 503 | 401 | 401 | - |
//! | `Closed` | `Deny` | `AdmitUnsuccessful` | `Deny` | - | 503 | 503 | - | 401 | 502 |
//! | `Closed` | `Deny` | `AdmitUnsuccessful` | `Admit` | - | 503 | 503 | - | 401 | - |
//! | `Closed` | `Admit` | `Deny` | `Deny` | - | 503 | - | 401 | 401 | 502 |
//! | `Closed` | `Admit` | `Deny` | `Admit` | - | 503 | - | 401 | 401 | - |
//! | `Closed` | `Admit` | `AdmitUnsuccessful` | `Deny` | - | 503 | - | - | 401 | 502 |
//! | `Closed` | `Admit` | `AdmitUnsuccessful` | `Admit` | - | 503 | - | - | 401 | - |
//!
//! # Invariants
//!
//! - There is no [`Grant`] without a [`VerifiedKey`] that has the scopes that the route needs,
//!   whatever the settings and the outcome are.
//! - Every grant says its [`Basis`], every denial its cause.
//! - No setting admits the platform's 403 and 429: they are not failures, and nothing documents that
//!   they may pass.
//!
//! # Example
//!
//! ```
//! use apikee::{Denial, Grant, Policy, VerifiedKey, policy::{Basis, Outage, Outcome}};
//!
//! fn authorize<'b>(key: VerifiedKey<'b>, outcome: Outcome) -> Result<Grant<'b>, Denial<'b>> {
//!     let grant = Policy::DEFAULT.authorize(key, &["read"], outcome)?;
//!     if let Basis::FailedOpen(outage) = grant.basis() {
//!         eprintln!("let through: {outage}");
//!     }
//!     Ok(grant)
//! }
//!
//! assert!(Policy::DEFAULT.decide(Outcome::Outage(Outage::Timeout)).is_ok());
//! assert!(Policy::DEFAULT.decide(Outcome::from_success(false)).is_err());
//! ```

mod denial;
mod grant;
mod outcome;

pub use denial::Denial;
#[cfg(feature = "std")]
pub use grant::OwnedGrant;
pub use grant::{Basis, Grant};
pub use outcome::{Fault, Outage, Outcome, Overload, Reason, Rejection};

use crate::key::{MissingScopes, VerifiedKey};

/// Which requests are let through though the platform has not confirmed them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Policy {
    outages: FailOpen,
    overloads: OnOverload,
    rejections: OnRejection,
    faults: OnFault,
}

/// What an [`Outage`] means: the SDKs' `fail_open`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FailOpen {
    /// The request is let through, since its key was verified locally. The documented default: an
    /// outage of the platform must not stop the services that use it.
    #[default]
    Open,
    /// The request is denied.
    Closed,
}

/// What an [`Overload`] means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnOverload {
    /// The request is denied.
    #[default]
    Deny,
    /// The request is let through. **Any client that can make enough requests at once is then let through without
    /// the platform's word.**
    Admit,
}

/// What a [`Rejection`] means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnRejection {
    /// The request is denied.
    #[default]
    Deny,
    /// An answer of `success: false` lets the request through, as one page of the documentation has
    /// it: for watching what the platform would refuse. A 403 and a 429 are still denied.
    AdmitUnsuccessful,
}

/// What a [`Fault`] means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnFault {
    /// The request is denied.
    #[default]
    Deny,
    /// The request is let through. A project key that was refused, or a proxy that answers instead of
    /// the platform, then shows in [`Basis::DespiteFault`] only.
    Admit,
}

impl Policy {
    /// Outages fail open; overloads, rejections and faults are denied.
    pub const DEFAULT: Self = Self {
        outages: FailOpen::Open,
        overloads: OnOverload::Deny,
        rejections: OnRejection::Deny,
        faults: OnFault::Deny,
    };

    /// Sets what an outage means.
    #[must_use]
    pub const fn fail_open(self, outages: FailOpen) -> Self {
        Self { outages, ..self }
    }

    /// Sets what an overload means.
    #[must_use]
    pub const fn on_overload(self, overloads: OnOverload) -> Self {
        Self { overloads, ..self }
    }

    /// Sets what a rejection means.
    #[must_use]
    pub const fn on_rejection(self, rejections: OnRejection) -> Self {
        Self { rejections, ..self }
    }

    /// Sets what a fault means.
    #[must_use]
    pub const fn on_fault(self, faults: OnFault) -> Self {
        Self { faults, ..self }
    }

    /// Whether a request with a good key is let through on that outcome.
    ///
    /// | outcome | let through |
    /// |---|---|
    /// | [`Outcome::Confirmed`] | always |
    /// | [`Outage`] | with [`FailOpen::Open`], the default |
    /// | [`Overload`] | with [`OnOverload::Admit`] |
    /// | [`Rejection::Unsuccessful`] | with [`OnRejection::AdmitUnsuccessful`] |
    /// | any other [`Rejection`] | never |
    /// | [`Outcome::Remembered`] | as the rejection that it remembers |
    /// | [`Fault`] | with [`OnFault::Admit`] |
    ///
    /// # Errors
    ///
    /// The outcome as a [`Denial`].
    pub const fn decide(self, outcome: Outcome) -> Result<Basis, Denial<'static>> {
        match outcome {
            Outcome::Confirmed => Ok(Basis::Confirmed),
            Outcome::Outage(outage) => match self.outages {
                FailOpen::Open => Ok(Basis::FailedOpen(outage)),
                FailOpen::Closed => Err(Denial::Outage(outage)),
            },
            Outcome::Overload(overload) => match self.overloads {
                OnOverload::Admit => Ok(Basis::DespiteOverload(overload)),
                OnOverload::Deny => Err(Denial::Overload(overload)),
            },
            Outcome::Rejected(Rejection::Unsuccessful(_)) | Outcome::Remembered(Rejection::Unsuccessful(_))
                if matches!(self.rejections, OnRejection::AdmitUnsuccessful) =>
            {
                Ok(Basis::DespiteRejection)
            }
            Outcome::Rejected(rejection) => Err(Denial::Rejected(rejection)),
            Outcome::Remembered(rejection) => Err(Denial::Remembered(rejection)),
            Outcome::Fault(fault) => match self.faults {
                OnFault::Admit => Ok(Basis::DespiteFault(fault)),
                OnFault::Deny => Err(Denial::Fault(fault)),
            },
        }
    }

    /// Grants or denies a request: its key must have the scopes, and the policy must admit the outcome.
    ///
    /// To spare the call for a key without the scopes, ask [`VerifiedKey::require`] before.
    ///
    /// # Errors
    ///
    /// [`Denial::MissingScopes`] first, then as [`decide`](Self::decide) says.
    pub fn authorize<'a, 'b>(
        self,
        key: VerifiedKey<'b>,
        scopes: &'a [&'a str],
        outcome: Outcome,
    ) -> Result<Grant<'b>, Denial<'a>> {
        MissingScopes::check(key.claims().scopes(), scopes)?;
        Ok(Grant::new(key, self.decide(outcome)?))
    }
}
