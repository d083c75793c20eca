//! The one thing that the client asks of a network: to make a call and bring the answer.

use core::{error::Error, fmt, time::Duration};

use crate::{
    policy::{Fault, Outage, Outcome, Overload},
    protocol::HttpMethod,
};

/// A call of the platform: one HTTP request.
#[derive(Clone, Copy)]
pub struct Call<'c> {
    /// The method.
    pub method: HttpMethod,
    /// Path and query, to be put behind the base URL: visible ASCII that starts with `/`.
    pub target: &'c str,
    /// Names and values of all header fields but those of HTTP itself (`Host`, `Content-Length`,
    /// `Connection`). One of the values is the project key: no log may have it, no redirect may take
    /// it elsewhere.
    pub headers: &'c [(&'c str, &'c str)],
    /// The body; empty with [`HttpMethod::Get`].
    pub body: &'c [u8],
    /// The time that is left for all of it, from the look-up of the name to the last byte of the answer.
    pub timeout: Duration,
}

/// An answer has come, of whatever status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// The HTTP status.
    pub status: u16,
    /// The length in bytes of the body, which stands at the front of the buffer. It may be 0 when the
    /// status is not one from 200 to 299: the body of such an answer is not read.
    pub len: usize,
    /// The answer's header `Retry-After` in seconds, [`u32::MAX`] if it is greater than that. `None` if the
    /// answer has none or more than one, or if the value is not digits, as with a date.
    pub retry_after: Option<u32>,
}

/// Makes calls of the platform over a connection of some kind.
///
/// A closure is one, too:
///
/// ```
/// use apikee::client::{Call, Received, Transport, TransportError};
///
/// let transport = |call: &Call<'_>, answer: &mut [u8]| {
///     assert!(call.target.starts_with("/client/"));
///     let body = br#"{"success":true}"#;
///     answer.get_mut(..body.len()).ok_or(TransportError::OVERSIZED)?.copy_from_slice(body);
///     Ok(Received { status: 200, len: body.len(), retry_after: None })
/// };
/// fn takes(transport: impl Transport) {}
/// takes(transport);
/// ```
pub trait Transport: Send + Sync {
    /// Makes the call and reads the body of its answer into `answer`, all within the call's timeout.
    ///
    /// It never follows a redirect. It may try once more if a kept connection breaks before a byte of the
    /// answer has come, or if the answer on a kept connection is 408, and not otherwise: a call that is made
    /// twice may count twice.
    ///
    /// # Errors
    ///
    /// [`TransportError`] if there is no whole answer. A body that is longer than `answer` is
    /// [`TransportError::OVERSIZED`].
    fn call(&self, call: &Call<'_>, answer: &mut [u8]) -> Result<Received, TransportError>;
}

impl<F> Transport for F
where
    F: Fn(&Call<'_>, &mut [u8]) -> Result<Received, TransportError> + Send + Sync,
{
    fn call(&self, call: &Call<'_>, answer: &mut [u8]) -> Result<Received, TransportError> {
        self(call, answer)
    }
}

/// Why a call has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransportError {
    /// The platform could not be asked.
    Outage(Outage),
    /// This process had no room to ask it: no file descriptors, memory, threads or randomness.
    Overload(Overload),
    /// What answers cannot be taken for the platform.
    Fault(Fault),
}

impl TransportError {
    /// The body is longer than the buffer.
    pub const OVERSIZED: Self = Self::Fault(Fault::Oversized);
}

impl From<TransportError> for Outcome {
    fn from(error: TransportError) -> Self {
        match error {
            TransportError::Outage(outage) => Self::Outage(outage),
            TransportError::Overload(overload) => Self::Overload(overload),
            TransportError::Fault(fault) => Self::Fault(fault),
        }
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the call of the platform failed")
    }
}

impl Error for TransportError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(match self {
            Self::Outage(outage) => outage,
            Self::Overload(overload) => overload,
            Self::Fault(fault) => fault,
        })
    }
}

/// The target, and the names of the header fields: a value may be a secret.
impl fmt::Debug for Call<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        struct Names<'c>(&'c [(&'c str, &'c str)]);
        impl fmt::Debug for Names<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
            }
        }
        f.debug_struct("Call")
            .field("method", &self.method)
            .field("target", &self.target)
            .field("headers", &Names(self.headers))
            .field("body", &self.body.len())
            .field("timeout", &self.timeout)
            .finish()
    }
}
