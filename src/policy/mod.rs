//! Decides what the outcome of a call to the platform means for the request.
//!
//! | outcome | when |
//! |---|---|
//! | [`Confirmed`](Outcome::Confirmed) | the answer says `success: true` |
//! | [`Outage`] | DNS, connect, reset, timeout, 5xx, breaker open |
//! | [`Remembered`](Outcome::Remembered) | there was no usable answer, and the platform refused the client a short time ago; see [`Policy::recall`] |
//! | [`Overload`] | no slot for a call within the deadline; no file descriptors, memory, threads, local ports, processor time or randomness |
//! | [`Rejection`] | the answer says `success: false`, or the status is a refusal ([`Outcome::from_status`]) |
//! | [`Fault`] | other statuses, redirects; an answer that is unreadable, unsealed, oversized or forged; an untrusted certificate; a refused project key; or nothing was asked: an unknown client, a request that cannot be sent, a fork |
//!
//! The truth table. A test reads it from here. `-` is a grant; a number is the HTTP status of the denial: 503
//! `SERVER_UNAVAILABLE`, 401 `SERVER_REJECTED`, 502 `SERVER_FAULT`. A remembered refusal counts like the refusal
//! itself. The first row is the default.
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
//! - A [`Grant`] always has a [`VerifiedKey`] with the scopes that the route needs, for any settings and any outcome.
//! - Every grant states its [`Basis`], and every denial its cause.
//! - No setting admits the platform's 403 and 429. They are not failures, and Apikee does not document that they may
//!   pass.
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

/// Which requests are let through if the platform has not confirmed them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Policy {
    outages: FailOpen,
    overloads: OnOverload,
    rejections: OnRejection,
    faults: OnFault,
}

/// How to treat an [`Outage`]. The SDKs call it `fail_open`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FailOpen {
    /// The request is let through, since its key was verified locally. This is the documented default: an outage of the
    /// platform must not stop the services that use it.
    #[default]
    Open,
    /// The request is denied.
    Closed,
}

/// How to treat an [`Overload`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnOverload {
    /// The request is denied.
    #[default]
    Deny,
    /// The request is let through. **Any client that can make enough requests at once can then pass without the
    /// platform's confirmation.**
    Admit,
}

/// How to treat a [`Rejection`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnRejection {
    /// The request is denied.
    #[default]
    Deny,
    /// An answer of `success: false` lets the request through, as one page of the documentation says. Use it to observe
    /// what the platform would refuse. A 403 or a 429 is still denied.
    AdmitUnsuccessful,
}

/// How to treat a [`Fault`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnFault {
    /// The request is denied.
    #[default]
    Deny,
    /// The request is let through. If the project key is refused, or a proxy answers instead of the platform, only
    /// [`Basis::DespiteFault`] shows it. **A client can cause some faults itself, for example by a request that is too
    /// long to send, and then passes without the platform's confirmation.**
    Admit,
}

impl Policy {
    /// Outages fail open. Overloads, rejections and faults are denied.
    pub const DEFAULT: Self = Self {
        outages: FailOpen::Open,
        overloads: OnOverload::Deny,
        rejections: OnRejection::Deny,
        faults: OnFault::Deny,
    };

    /// Sets how to treat an outage.
    #[must_use]
    pub const fn fail_open(self, outages: FailOpen) -> Self {
        Self { outages, ..self }
    }

    /// Sets how to treat an overload.
    #[must_use]
    pub const fn on_overload(self, overloads: OnOverload) -> Self {
        Self { overloads, ..self }
    }

    /// Sets how to treat a rejection.
    #[must_use]
    pub const fn on_rejection(self, rejections: OnRejection) -> Self {
        Self { rejections, ..self }
    }

    /// Sets how to treat a fault.
    #[must_use]
    pub const fn on_fault(self, faults: OnFault) -> Self {
        Self { faults, ..self }
    }

    /// Whether a request with a valid key is let through for this outcome.
    ///
    /// | outcome | let through |
    /// |---|---|
    /// | [`Outcome::Confirmed`] | always |
    /// | [`Outage`] | with [`FailOpen::Open`], the default |
    /// | [`Overload`] | with [`OnOverload::Admit`] |
    /// | [`Rejection::Unsuccessful`] | with [`OnRejection::AdmitUnsuccessful`] |
    /// | any other [`Rejection`] | never |
    /// | [`Outcome::Remembered`] | like the remembered rejection |
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

    /// The outcome that counts for a client whose earlier refusal may be remembered. `refusal` looks it up, for example
    /// with [`ClientTable::remembered`](crate::breaker::ClientTable::remembered).
    ///
    /// A refusal replaces an outage, and an overload or a fault that this policy admits. If this policy denies the
    /// outage but would admit the refusal, the outage stays: a refusal never lets a request through. The result goes to
    /// [`decide`](Self::decide) or [`authorize`](Self::authorize).
    ///
    /// ```
    /// use apikee::policy::{FailOpen, OnRejection, Outage, Outcome, Policy, Rejection};
    ///
    /// let (outage, refusal) = (Outcome::Outage(Outage::Dns), Rejection::UNSUCCESSFUL);
    /// let policy = Policy::DEFAULT;
    /// assert_eq!(policy.recall(outage, || None), outage);
    /// assert_eq!(policy.recall(outage, || Some(refusal)), Outcome::Remembered(refusal));
    ///
    /// let policy = policy.fail_open(FailOpen::Closed).on_rejection(OnRejection::AdmitUnsuccessful);
    /// assert_eq!(policy.recall(outage, || Some(refusal)), outage);
    /// ```
    #[must_use]
    pub fn recall(self, outcome: Outcome, refusal: impl FnOnce() -> Option<Rejection>) -> Outcome {
        let is_admitted = self.decide(outcome).is_ok();
        let unasked = match outcome {
            Outcome::Outage(_) => true,
            Outcome::Overload(_) | Outcome::Fault(_) => is_admitted,
            Outcome::Confirmed | Outcome::Rejected(_) | Outcome::Remembered(_) => false,
        };
        match unasked.then(refusal).flatten().map(Outcome::Remembered) {
            Some(refused) if is_admitted || self.decide(refused).is_err() => refused,
            _ => outcome,
        }
    }

    /// Grants or denies a request: its key must have the scopes, and the policy must admit the outcome.
    ///
    /// Call [`VerifiedKey::require`] first to save the call to the platform for a key without the scopes.
    ///
    /// # Errors
    ///
    /// [`Denial::MissingScopes`] first, then the errors of [`decide`](Self::decide).
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
