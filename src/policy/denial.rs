//! Why a request is denied.

use core::{error::Error, fmt, time::Duration};

use super::outcome::{Fault, Outage, Overload, Rejection};
use crate::key::{KeyError, MissingScopes};

/// Why a request is denied.
///
/// Its message may be sent to the client. Details about the connection to the platform, and the
/// platform's own [reason](Self::reason), are only in [`source`](Error::source).
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Denial<'a> {
    /// The key is refused. The platform was not asked.
    Key(KeyError),
    /// The key is valid but revoked. The platform was not asked.
    Revoked,
    /// The key lacks scopes that the route needs. The platform was not asked.
    MissingScopes(MissingScopes<'a>),
    /// The platform refused the request.
    Rejected(Rejection),
    /// There was no usable answer, and the platform refused this client a short time ago. For a rate limit, the
    /// rejection holds the remaining time.
    Remembered(Rejection),
    /// The platform could not be asked, and [`FailOpen::Closed`](super::FailOpen::Closed) is set.
    Outage(Outage),
    /// This process lacked the resources to ask the platform.
    Overload(Overload),
    /// No trustworthy answer was received, and it was not an outage.
    Fault(Fault),
}

/// Seconds that a client should wait after an overload.
const OVERLOAD_RETRY_AFTER: u32 = 1;

impl Denial<'_> {
    /// The code for the response body. It is the code of the [`KeyError`], or one that all Apikee SDKs use:
    /// `INSUFFICIENT_SCOPE` or `SERVER_REJECTED`. `REVOKED`, `SERVER_UNAVAILABLE` and `SERVER_FAULT` are our own codes.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Key(error) => error.code(),
            Self::Revoked => "REVOKED",
            Self::MissingScopes(missing) => missing.code(),
            Self::Rejected(_) | Self::Remembered(_) => "SERVER_REJECTED",
            Self::Outage(_) | Self::Overload(_) => "SERVER_UNAVAILABLE",
            Self::Fault(_) => "SERVER_FAULT",
        }
    }

    /// The kind of denial, for logs and metrics. It is finer than the code: `key`, `buffer` (the service's buffer is
    /// too small for the key), `revoked`, `scopes`, `rejected`, `remembered`, `outage`, `overload` or `fault`.
    #[must_use]
    pub const fn class(&self) -> &'static str {
        match self {
            Self::Key(KeyError::BufferTooSmall { .. }) => "buffer",
            Self::Key(_) => "key",
            Self::Revoked => "revoked",
            Self::MissingScopes(_) => "scopes",
            Self::Rejected(_) => "rejected",
            Self::Remembered(_) => "remembered",
            Self::Outage(_) => "outage",
            Self::Overload(_) => "overload",
            Self::Fault(_) => "fault",
        }
    }

    /// The HTTP status of the response.
    ///
    /// - 401 for an invalid or revoked key and for every rejection, including the platform's 403 and 429. The SDKs'
    ///   middlewares do the same (docs/WIRE.md, "The platform's API").
    /// - 403 for missing scopes.
    /// - 503 for an outage and an overload.
    /// - 502 for a fault: this service is like a gateway in front of the platform.
    /// - 500 if the service's buffer is too small for the key.
    #[must_use]
    pub const fn http_status(&self) -> u16 {
        match self {
            Self::Key(error) => error.http_status(),
            Self::MissingScopes(missing) => missing.http_status(),
            Self::Revoked | Self::Rejected(_) | Self::Remembered(_) => 401,
            Self::Outage(_) | Self::Overload(_) => 503,
            Self::Fault(_) => 502,
        }
    }

    /// The platform's own reason for a refusal, if it gave one, for example `IP_NOT_ALLOWED: ...`. It is escaped and
    /// has at most [`Reason::MAX_LEN`](super::Reason::MAX_LEN) bytes. It is for the operators of the service. Do not
    /// send it to clients. Only `success:false` has a reason: the bodies of 403 and 429 are not sealed, and are not
    /// read.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Rejected(Rejection::Unsuccessful(reason)) | Self::Remembered(Rejection::Unsuccessful(reason)) => {
                Some(reason.as_str()).filter(|reason| !reason.is_empty())
            }
            _ => None,
        }
    }

    /// The value for the header `Retry-After`, in whole seconds, rounded up: for a rate limit with a known time, an open
    /// breaker, and an overload (1 s). `None` for all others.
    #[must_use]
    pub fn retry_after(&self) -> Option<u32> {
        match *self {
            Self::Rejected(Rejection::RateLimited { retry_after })
            | Self::Remembered(Rejection::RateLimited { retry_after }) => retry_after,
            Self::Overload(_) => Some(OVERLOAD_RETRY_AFTER),
            Self::Outage(Outage::BreakerOpen { retry_after }) => Some(ceil_secs(retry_after)),
            _ => None,
        }
    }
}

fn ceil_secs(time: Duration) -> u32 {
    let secs = time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0));
    u32::try_from(secs).unwrap_or(u32::MAX)
}

impl From<KeyError> for Denial<'_> {
    fn from(error: KeyError) -> Self {
        Self::Key(error)
    }
}

impl<'a> From<MissingScopes<'a>> for Denial<'a> {
    fn from(missing: MissingScopes<'a>) -> Self {
        Self::MissingScopes(missing)
    }
}

impl fmt::Display for Denial<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Key(KeyError::BufferTooSmall { .. }) => "the service could not read the key",
            Self::Key(_) => "the key is refused",
            Self::Revoked => "the key is revoked",
            // `source` must be `'static`, but `MissingScopes` borrows. So its text is printed here.
            Self::MissingScopes(missing) => return missing.fmt(f),
            Self::Rejected(_) => "the platform rejects the request",
            Self::Remembered(_) => "the platform rejected an earlier request, and there is no usable answer now",
            Self::Outage(_) => "the platform is unavailable",
            Self::Overload(_) => "the service is overloaded",
            Self::Fault(_) => "the platform gave no answer that can be trusted",
        })
    }
}

impl Error for Denial<'_> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Key(error) => Some(error),
            Self::Revoked | Self::MissingScopes(_) => None,
            Self::Rejected(rejection) | Self::Remembered(rejection) => Some(rejection),
            Self::Outage(outage) => Some(outage),
            Self::Overload(overload) => Some(overload),
            Self::Fault(fault) => Some(fault),
        }
    }
}

impl Denial<'_> {
    /// The sentence for the response's body, the same as in the SDKs' middlewares. It contains no more than the code,
    /// because more could help an attacker. After that of [`MissingScopes`], the scopes follow.
    #[cfg(any(feature = "serde", feature = "web"))]
    pub(crate) const fn sentence(&self) -> &'static str {
        match self {
            Self::Key(error) => error.sentence(),
            Self::Revoked => "Key is revoked",
            Self::MissingScopes(_) => MissingScopes::SENTENCE,
            Self::Rejected(_) | Self::Remembered(_) => "Server validation failed",
            Self::Outage(_) | Self::Overload(_) => "Server validation is unavailable",
            Self::Fault(_) => "Server validation gave no trustworthy answer",
        }
    }
}

/// Prints only the code.
#[cfg(feature = "defmt")]
impl defmt::Format for Denial<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "{=str}", self.code());
    }
}

/// As the response body of the SDKs' middlewares: `error`, the code, and `message`.
#[cfg(feature = "serde")]
impl serde::Serialize for Denial<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::MissingScopes(missing) => missing.serialize(serializer),
            denial => crate::key::refusal(serializer, denial.code(), denial.sentence()),
        }
    }
}
