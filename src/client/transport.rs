//! The client's interface to a network: make a call, and return the answer.

use core::{error::Error, fmt, time::Duration};
use std::vec::Vec;

use crate::{
    policy::{Fault, Outage, Outcome, Overload},
    protocol::HttpMethod,
};

/// A call to the platform: one HTTP request.
#[derive(Clone, Copy)]
pub struct Call<'c> {
    /// The method.
    pub method: HttpMethod,
    /// Path and query, to be appended to the base URL: visible ASCII that starts with `/`.
    pub target: &'c str,
    /// Names and values of all header fields except those of HTTP itself (`Host`, `Content-Length`, `Connection`). One
    /// value is the project key: do not log it, and do not send it elsewhere after a redirect.
    pub headers: &'c [(&'c str, &'c str)],
    /// The body; empty with [`HttpMethod::Get`].
    pub body: &'c [u8],
    /// Time limit for the whole call, from the look-up of the name to the last byte of the answer.
    pub timeout: Duration,
}

/// An answer of any status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// The HTTP status.
    pub status: u16,
    /// Length of the body in bytes. The body is at the front of the buffer. It may be 0 if the status is not from 200
    /// to 299, because the body of such an answer is not used. Then write nothing into the buffer.
    pub len: usize,
    /// The answer's header `Retry-After` in seconds, at most [`u32::MAX`]. `None` if the answer has no such header or
    /// more than one, or if its value is not only digits (a date, for example).
    pub retry_after: Option<u32>,
}

/// Makes calls to the platform over some kind of connection.
///
/// A closure is a transport, too:
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
    /// It must never follow a redirect. It may try once more only in two cases: a kept connection breaks before the
    /// first byte of the answer, or the answer on a kept connection is 408. A call that is sent twice may count twice.
    /// If it panics, the panic reaches the caller of `authorize` or `issue`. A panic during a registration or on the
    /// client's own thread is caught.
    ///
    /// # Errors
    ///
    /// [`TransportError`] if there is no complete answer. A status that is not from 200 to 299 is a complete answer:
    /// return it even if the connection breaks after it. A body that is longer than `answer` is
    /// [`TransportError::OVERSIZED`]. If the connection breaks within the body of another answer, leave the part that
    /// has come at the front of `answer`: if it is the whole body, it counts nevertheless. Write nothing behind the
    /// body in any call: the end of the body is the last byte that is not zero.
    fn call(&self, call: &Call<'_>, answer: &mut [u8]) -> Result<Received, TransportError>;

    /// The longest target in bytes that [`call`](Self::call) sends. A request with a longer one is refused before it
    /// takes a slot: [`Fault::NotSent`]. A caller of the service can make a target long with a long path.
    fn max_target_len(&self) -> usize {
        usize::MAX
    }
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
    /// This process had no resources to ask it: no file descriptors, memory, threads, local ports, processor
    /// time or randomness.
    Overload(Overload),
    /// The peer or its answer cannot be trusted to be the platform's.
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
        f.write_str("the call to the platform failed")
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

/// Shows the target and the names of the header fields, because a value may be a secret.
impl fmt::Debug for Call<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("Call")
            .field("method", &self.method)
            .field("target", &self.target)
            .field("headers", &names)
            .field("body", &self.body.len())
            .field("timeout", &self.timeout)
            .finish()
    }
}
