//! Why a request is denied.

use core::{error::Error, fmt, time::Duration};

use super::outcome::{Fault, Outage, Overload, Rejection};
use crate::key::{KeyError, MissingScopes};

/// Why a request is denied.
///
/// Its message is fit for whoever sent the request: what is wrong between this service and the
/// platform, and the platform's own [reason](Self::reason), are only in [`source`](Error::source).
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Denial<'a> {
    /// The key is refused, without asking the platform.
    Key(KeyError),
    /// The key is good, and revoked. The platform was not asked.
    Revoked,
    /// The key lacks scopes that the route needs. The platform was not asked.
    MissingScopes(MissingScopes<'a>),
    /// The platform refused the request.
    Rejected(Rejection),
    /// The platform could not be asked, and it refused this client a short time ago. What is left of a rate
    /// limit's time is in the rejection.
    Remembered(Rejection),
    /// The platform could not be asked, and [`FailOpen::Closed`](super::FailOpen::Closed) is set.
    Outage(Outage),
    /// This process had no room to ask the platform.
    Overload(Overload),
    /// No trustworthy answer was received, and it was not an outage.
    Fault(Fault),
}

/// What a client should wait that is refused because of an overload, in seconds.
const OVERLOAD_RETRY_AFTER: u32 = 1;

impl Denial<'_> {
    /// The code for the body of the answer, the same in all Apikee SDKs: that of the [`KeyError`],
    /// `INSUFFICIENT_SCOPE`, `SERVER_REJECTED`, `SERVER_UNAVAILABLE` or, ours, `REVOKED` and `SERVER_FAULT`.
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

    /// What kind of denial it is, for logs and metrics, where the code is too coarse: `key`, `buffer` (the service's is
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

    /// The HTTP status to refuse the request with.
    ///
    /// 401 for a bad or revoked key and for every rejection, the platform's 403 and 429 included, as in the SDKs'
    /// middlewares (docs/WIRE.md, "The platform's API"). 403 for missing scopes, 503 for an outage and an overload,
    /// 502 for a fault: the platform stands behind this service, as behind a gateway. 500 if the service's buffer is
    /// too small for the key.
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

    /// The platform's own reason for a refusal, if it gave one: `IP_NOT_ALLOWED: ...`, escaped, of at most
    /// [`Reason::MAX_LEN`](super::Reason::MAX_LEN) bytes. It is for the service's operators, and not for whoever sent
    /// the request.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Rejected(Rejection::Unsuccessful(reason)) | Self::Remembered(Rejection::Unsuccessful(reason)) => {
                Some(reason.as_str()).filter(|reason| !reason.is_empty())
            }
            _ => None,
        }
    }

    /// Whole seconds, rounded up, for the header `Retry-After` of the answer.
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
            // A source lives forever, and this borrows: its sentence is here instead.
            Self::MissingScopes(missing) => return missing.fmt(f),
            Self::Rejected(_) => "the platform rejects the request",
            Self::Remembered(_) => "the platform rejected an earlier request and is unavailable now",
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

/// The code alone.
#[cfg(feature = "defmt")]
impl defmt::Format for Denial<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "{=str}", self.code());
    }
}

/// As the body that the SDKs' middlewares answer with: `error`, the code, and `message`.
#[cfg(feature = "serde")]
impl serde::Serialize for Denial<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct as _;

        match self {
            Self::Key(error) => error.serialize(serializer),
            Self::MissingScopes(missing) => missing.serialize(serializer),
            Self::Revoked
            | Self::Rejected(_)
            | Self::Remembered(_)
            | Self::Outage(_)
            | Self::Overload(_)
            | Self::Fault(_) => {
                let mut object = serializer.serialize_struct("Refusal", 2)?;
                object.serialize_field("error", self.code())?;
                object.serialize_field("message", &format_args!("{self}"))?;
                object.end()
            }
        }
    }
}
