//! What a call to the platform came to.

use core::{fmt, time::Duration};

use super::Reason;
use crate::breaker::{BreakerOpen, Health};

/// What a call to the platform came to: what the transport, the status and the answer said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Outcome {
    /// An authentic answer says `"success":true`.
    Confirmed,
    /// The platform refused the request.
    Rejected(Rejection),
    /// The platform could not be asked, and it refused this client a short time ago.
    Remembered(Rejection),
    /// The platform could not be asked.
    Outage(Outage),
    /// This process had no room to ask the platform.
    Overload(Overload),
    /// No trustworthy answer was received, and it was not an outage.
    Fault(Fault),
}

impl Outcome {
    /// What an HTTP status says by itself; `None` if the answer decides.
    ///
    /// `retry_after` is the answer's header of that name in seconds, `None` if it has none or a date.
    ///
    /// | status | outcome |
    /// |---|---|
    /// | 200 to 299 | `None`; without a readable answer, [`Fault::Unreadable`] |
    /// | 300 to 399 | [`Fault::Redirect`] |
    /// | 401 | [`Fault::ProjectKeyRefused`] |
    /// | 403 | [`Rejection::Forbidden`] |
    /// | 429 | [`Rejection::RateLimited`] |
    /// | 500 to 599 | [`Outage::Status`] |
    /// | any other | [`Fault::Status`] |
    ///
    /// 408 is a fault like the other statuses from 400 to 499: it blames our request. Only network errors, timeouts
    /// of our own and 5xx are documented to fail open (docs/WIRE.md, "The platform's API").
    #[must_use]
    pub const fn from_status(status: u16, retry_after: Option<u32>) -> Option<Self> {
        Some(match status {
            200..=299 => return None,
            300..=399 => Self::Fault(Fault::Redirect),
            401 => Self::Fault(Fault::ProjectKeyRefused),
            403 => Self::Rejected(Rejection::Forbidden),
            429 => Self::Rejected(Rejection::RateLimited { retry_after }),
            500..=599 => Self::Outage(Outage::Status(status)),
            _ => Self::Fault(Fault::Status(status)),
        })
    }

    /// What the member `success` of an authentic answer says.
    #[must_use]
    pub const fn from_success(success: bool) -> Self {
        if success { Self::Confirmed } else { Self::Rejected(Rejection::UNSUCCESSFUL) }
    }

    /// What this says of the platform, for [`Breaker::record`](crate::Breaker::record). `None` if no
    /// call was made: then the permit, if any, is to be [released](crate::Breaker::release).
    #[must_use]
    pub const fn health(self) -> Option<Health> {
        match self {
            Self::Outage(Outage::BreakerOpen { .. })
            | Self::Overload(_)
            | Self::Remembered(_)
            | Self::Fault(Fault::UnknownClient | Fault::NotSent | Fault::Forked) => None,
            Self::Outage(_) => Some(Health::Down),
            Self::Confirmed | Self::Rejected(_) | Self::Fault(_) => Some(Health::Up),
        }
    }
}

/// Why the platform could not be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Outage {
    /// Its name cannot be resolved.
    Dns,
    /// No connection could be made.
    Connect,
    /// The connection broke before the whole answer was there.
    Reset,
    /// The time for the call is up.
    Timeout,
    /// It answers with a status from 500 to 599.
    Status(u16),
    /// It has failed too often, and is not asked for a while.
    BreakerOpen {
        /// How long at least.
        retry_after: Duration,
    },
}

impl From<BreakerOpen> for Outage {
    fn from(open: BreakerOpen) -> Self {
        Self::BreakerOpen { retry_after: open.retry_after() }
    }
}

impl fmt::Display for Outage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dns => "the platform's name cannot be resolved",
            Self::Connect => "could not connect to the platform",
            Self::Reset => "the connection to the platform broke",
            Self::Timeout => "the platform did not answer in time",
            Self::Status(status) => return write!(f, "the platform answered with status {status}"),
            Self::BreakerOpen { .. } => "the circuit breaker is open",
        })
    }
}

impl core::error::Error for Outage {}

/// Why this process had no room to ask the platform. Load causes this, so it does not fail open by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Overload {
    /// The time for the request was up while it waited for one of the calls in flight to end, or the little that was
    /// left of it was not enough for its own call.
    TooManyInFlight,
    /// This process or machine is out of file descriptors, memory or threads.
    OutOfResources,
    /// The operating system gives no randomness.
    NoRandomness,
}

impl fmt::Display for Overload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooManyInFlight => "too many calls to the platform are in flight",
            Self::OutOfResources => "this process is out of file descriptors, memory or threads",
            Self::NoRandomness => "the operating system gives no randomness",
        })
    }
}

impl core::error::Error for Overload {}

/// How the platform says no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Rejection {
    /// An authentic answer says `"success":false`, and perhaps why.
    Unsuccessful(Reason),
    /// Status 403: an address outside the client's list, for example.
    Forbidden,
    /// Status 429: the client's rate limit is exceeded.
    RateLimited {
        /// Seconds to wait, if it says so.
        retry_after: Option<u32>,
    },
}

impl Rejection {
    /// An answer of `"success":false` without a reason.
    pub const UNSUCCESSFUL: Self = Self::Unsuccessful(Reason::NONE);
}

/// With the platform's own reason, escaped, if it gave one.
impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unsuccessful(reason) if !reason.is_none() => {
                return write!(f, "the platform does not validate the key: {reason}");
            }
            Self::Unsuccessful(_) => "the platform does not validate the key",
            Self::Forbidden => "the platform forbids the request",
            Self::RateLimited { .. } => "rate limit exceeded",
        })
    }
}

impl core::error::Error for Rejection {}

/// No trustworthy answer was received, and it was not an outage: what came back cannot be trusted, or nothing
/// could be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Fault {
    /// A status that a call to the platform should not get.
    Status(u16),
    /// A redirect, which is never followed: it would take the project key to another host.
    Redirect,
    /// Status 401: the platform does not know the project key.
    ProjectKeyRefused,
    /// The answer is not well-formed, or there is none.
    Unreadable,
    /// The answer is not sealed.
    Unsealed,
    /// The answer is longer than is read.
    Oversized,
    /// The answer is not authentic, or not to this request.
    Forged,
    /// The certificate of whoever answers is not trusted.
    UntrustedCertificate,
    /// Nothing was asked: it is not known which client this is, and clients are not created on first use.
    UnknownClient,
    /// Nothing was asked: the request is too long to send, cannot be expressed in HTTP, or this machine's clock is
    /// out of range.
    NotSent,
    /// Nothing was asked: the process has forked since the client was built.
    Forked,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Status(status) => return write!(f, "the platform answered with the unexpected status {status}"),
            Self::Redirect => "the platform answered with a redirect",
            Self::ProjectKeyRefused => "the platform refused the project key",
            Self::Unreadable => "the platform's answer is not well-formed",
            Self::Unsealed => {
                "the platform's answer is not sealed: set sealing to requests (APIKEE_SEALING=requests) to accept it"
            }
            Self::Oversized => "the platform's answer is too long",
            Self::Forged => "the platform's answer is not authentic",
            Self::UntrustedCertificate => "the platform's certificate is not trusted",
            Self::UnknownClient => {
                "the platform's id of the key's client is not known: create the client on the platform under the \
                 tenant's name, put its id into the key's meta as clientId, set client_resolver, or set \
                 create_unknown_clients"
            }
            Self::NotSent => "the request cannot be sent to the platform",
            Self::Forked => "the process has forked since the client was built: build the client after the fork",
        })
    }
}

impl core::error::Error for Fault {}
