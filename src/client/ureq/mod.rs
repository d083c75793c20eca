//! The transport over ureq, which does HTTP/1.1, TLS by rustls, and the keeping of connections.
//!
//! ```text
//! call ── deadline ──> ureq ──> Names ──> Connect: proxy ──> Tcp ──> TLS ──> Watched
//!   │ once more if Stale, or 408 on a kept connection                           │
//!   └──────────────────────────────────────<────────────────────────────────────┘
//! ```
//!
//! | module | knows |
//! |---|---|
//! | `builder` | what may be configured: base URL, authorities, proxy |
//! | `connector` | connections: deadlines, header fields, which may be tried again, which errors are this machine's own |
//! | `resolver` | looking up names once at a time |

mod builder;
mod connector;
mod resolver;
#[cfg(test)]
mod tests;

use core::{error::Error as StdError, fmt, time::Duration};
use std::{
    io::{self, Read as _},
    time::Instant,
};

use rustls::Error as TlsError;
use ureq::{
    Agent, AsSendBody, Body, Error, Timeout,
    http::{Method, Request, Response, StatusCode, header::RETRY_AFTER},
};

pub use self::builder::{UreqTransportBuilder, UreqTransportError};
use self::{
    builder::BaseUrl,
    connector::{ConnectionError, Scope, is_exhaustion},
    resolver::Names,
};
use super::transport::{Call, Received, Transport, TransportError};
use crate::{
    policy::{Fault, Outage, Overload},
    protocol::HttpMethod,
};

/// More than any call takes, and little enough to be added to any time.
const MAX_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);

/// Calls the platform over HTTPS.
///
/// It connects to its base URL and nowhere else: redirects are not followed, and no proxy is used
/// unless the builder is told to. Connections are kept and used again. The certificate must come from
/// one of Mozilla's authorities, or from the caller's own.
///
/// A call is over within its timeout, with all that is part of it: look-up, connection, TLS, request,
/// answer, and perhaps another try. There is one, on a new connection, if a connection that had been kept
/// was closed before a byte of the answer came, or if the answer on it is 408: the server closed the idle
/// connection while the request was on its way, and has not acted on it. Nothing else is ever sent twice.
///
/// An answer that comes before the whole request has gone out is used, such as an early 413. If the server
/// resets the connection after it, that takes an operating system that keeps what came before the reset:
/// Linux does.
///
/// Names are looked up at most once in 30 s and once at a time. If a look-up fails or is slow, the
/// addresses of the last good one are used.
///
/// | what happens | error |
/// |---|---|
/// | the name is not known, or cannot be looked up | [`Outage::Dns`] |
/// | this process or machine is out of file descriptors, memory, threads or local ports, at any step | [`Overload::OutOfResources`](crate::policy::Overload::OutOfResources) |
/// | the operating system gives no randomness to TLS | [`Overload::NoRandomness`](crate::policy::Overload::NoRandomness) |
/// | no connection within the connect timeout; it is refused, breaks before TLS is done or is ended by an alert; the proxy does not give one | [`Outage::Connect`] |
/// | the connection breaks, or the answer ends too early | [`Outage::Reset`] |
/// | the call's timeout is over | [`Outage::Timeout`] |
/// | the certificate is of no trusted authority, for another name, expired or not good otherwise | [`Fault::UntrustedCertificate`] |
/// | what answers speaks no TLS, no HTTP/1 or not well; its answer has more than 128 header fields, or status line and header fields of more than 8 KiB in all | [`Fault::Unreadable`] |
/// | the body is longer than the buffer | [`Fault::Oversized`] |
/// | the call has a target or a header field that HTTP does not know, or is a `GET` with a body | [`Fault::NotSent`] |
///
/// Any status is an answer, not an error. If it is not from 200 to 299, the body is thrown away. If that
/// body does not end within 50 ms and 64 KiB, its connection is closed.
///
/// `Retry-After` counts if there is one such header field and its value is digits. Numbers above
/// [`u32::MAX`] are taken for that. A date, `-1`, `1e9`, an empty value or two fields are as good as none.
///
/// Cargo builds ureq once for all crates of a program. If another of them turns on its feature `cookies`,
/// cookies of the platform's are kept and sent, which this transport cannot prevent.
///
/// ```
/// use apikee::client::{UreqTransport, UreqTransportError};
///
/// let transport = UreqTransport::builder().base_url("https://apikee.example/api/v1").build()?;
/// assert_eq!(UreqTransport::new("http://apikee.example/api/v1").unwrap_err(), UreqTransportError::PlainHttp);
/// # Ok::<(), UreqTransportError>(())
/// ```
pub struct UreqTransport {
    agent: Agent,
    base_url: BaseUrl,
    proxied: bool,
    connect_timeout: Duration,
    names: Names,
}

impl Transport for UreqTransport {
    fn call(&self, call: &Call<'_>, answer: &mut [u8]) -> Result<Received, TransportError> {
        let deadline =
            Instant::now().checked_add(call.timeout.min(MAX_TIMEOUT)).ok_or(TransportError::Fault(Fault::NotSent))?;
        let _call = Scope::until(deadline);
        let mut sent = self.send(call, deadline, None);
        if may_be_sent_again(&sent) {
            // If one connection has been closed, others will have been, too: none of them is used.
            drop(sent);
            sent = self.send(call, deadline, Some(Duration::ZERO));
        }
        sent.and_then(|mut response| receive(&mut response, answer)).map_err(|error| {
            let error = transport_error(error);
            if error == TransportError::Outage(Outage::Connect) {
                self.names.expire();
            }
            error
        })
    }
}

impl UreqTransport {
    fn send(
        &self,
        call: &Call<'_>,
        deadline: Instant,
        max_idle_age: Option<Duration>,
    ) -> Result<Response<Body>, Error> {
        connector::set_fields(call.headers)?;
        match call.method {
            HttpMethod::Get if !call.body.is_empty() => Err(Error::BadUri("body".into())),
            HttpMethod::Get => self.agent.run(self.request(Method::GET, (), call, deadline, max_idle_age)?),
            HttpMethod::Post => self.agent.run(self.request(Method::POST, call.body, call, deadline, max_idle_age)?),
        }
    }

    fn request<B: AsSendBody>(
        &self,
        method: Method,
        body: B,
        call: &Call<'_>,
        deadline: Instant,
        max_idle_age: Option<Duration>,
    ) -> Result<Request<B>, Error> {
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = self.base_url.join(call.target).ok_or_else(|| Error::BadUri("target".into()))?;
        let config = self
            .agent
            .configure_request(request)
            .timeout_global(Some(deadline.saturating_duration_since(Instant::now())))
            .timeout_connect(Some(self.connect_timeout.min(MAX_TIMEOUT)));
        Ok(match max_idle_age {
            Some(age) => config.max_idle_age(age).build(),
            None => config.build(),
        })
    }
}

/// Whether the connection had been kept, and the server has closed it without acting on the request.
fn may_be_sent_again(sent: &Result<Response<Body>, Error>) -> bool {
    match sent {
        Ok(response) => response.status() == StatusCode::REQUEST_TIMEOUT && connector::was_reused(),
        Err(Error::Other(error)) => matches!(error.downcast_ref(), Some(ConnectionError::Stale)),
        Err(_) => false,
    }
}

/// Reads the answer to its end, since only then its connection can be used again.
fn receive(response: &mut Response<Body>, answer: &mut [u8]) -> Result<Received, Error> {
    let (status, retry_after) = (response.status(), retry_after(response));
    let len = if status.is_success() {
        read_body(response.body_mut(), answer)?
    } else {
        // The status says it all, whatever becomes of the connection.
        drain(response.body_mut());
        0
    };
    Ok(Received { status: status.as_u16(), len, retry_after })
}

/// In seconds. Digits that are too many for the type stand for its greatest value.
fn retry_after(response: &Response<Body>) -> Option<u32> {
    let mut values = response.headers().get_all(RETRY_AFTER).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let digits = value.to_str().ok()?;
    let good = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    good.then(|| digits.parse().unwrap_or(u32::MAX))
}

/// How much is read of a body that is of no use, in bytes.
const MAX_DRAINED: u64 = 64 * 1024;
/// How long such a body is read. A new connection may cost about as much.
const MAX_DRAINING: Duration = Duration::from_millis(50);

/// Reads the body into `answer`, and no more than that and a little. Its length.
fn read_body(body: &mut Body, answer: &mut [u8]) -> Result<usize, Error> {
    let max = u64::try_from(answer.len()).unwrap_or(u64::MAX);
    let too_long = || Error::BodyExceedsLimit(max);
    if body.content_length().is_some_and(|len| len > max) {
        return Err(too_long());
    }
    let mut reader = body.as_reader();
    let mut len = 0_usize;
    loop {
        let Some(rest) = answer.get_mut(len..).filter(|rest| !rest.is_empty()) else {
            // The end is only seen by reading on.
            return if reader.read(&mut [0])? == 0 { Ok(len) } else { Err(too_long()) };
        };
        match reader.read(rest)? {
            0 => return Ok(len),
            read => len = len.saturating_add(read),
        }
    }
}

/// Reads the body and throws it away. If it is too long or does not end soon, the connection is closed.
fn drain(body: &mut Body) {
    if body.content_length().is_some_and(|len| len > MAX_DRAINED) {
        return;
    }
    let _soon = Instant::now().checked_add(MAX_DRAINING).map(Scope::sooner);
    // The end is only seen by reading on.
    let mut reader = body.as_reader().take(MAX_DRAINED.saturating_add(1));
    let mut sink = [0; 1024];
    while matches!(reader.read(&mut sink), Ok(1..)) {}
}

/// The table stands in the documentation of [`UreqTransport`].
fn transport_error(error: Error) -> TransportError {
    match error {
        Error::HostNotFound => TransportError::Outage(Outage::Dns),
        Error::Timeout(Timeout::Connect) | Error::ConnectionFailed | Error::ConnectProxyFailed(_) => {
            TransportError::Outage(Outage::Connect)
        }
        Error::Timeout(_) => TransportError::Outage(Outage::Timeout),
        Error::Io(error) => io_error(&error),
        // The connection has ended within the line of a chunk's length.
        Error::BodyStalled => TransportError::Outage(Outage::Reset),
        Error::Rustls(error) => tls_error(&error),
        Error::Other(error) => match error.downcast_ref() {
            Some(ConnectionError::NotConnected) => TransportError::Outage(Outage::Connect),
            Some(ConnectionError::Exhausted) => TransportError::Overload(Overload::OutOfResources),
            Some(ConnectionError::Stale | ConnectionError::Broken) | None => TransportError::Outage(Outage::Reset),
        },
        Error::BodyExceedsLimit(_) => TransportError::OVERSIZED,
        Error::Http(_) | Error::BadUri(_) | Error::RequireHttpsOnly(_) | Error::Tls(_) | Error::TlsRequired => {
            TransportError::Fault(Fault::NotSent)
        }
        // `Protocol`, `LargeResponseHeader` and the like.
        _ => TransportError::Fault(Fault::Unreadable),
    }
}

fn io_error(error: &io::Error) -> TransportError {
    let inner: Option<&(dyn StdError + 'static)> = error.get_ref().map(|inner| -> &(dyn StdError + 'static) { inner });
    match inner.and_then(|inner| inner.downcast_ref()) {
        Some(error) => tls_error(error),
        None if is_exhaustion(error) => TransportError::Overload(Overload::OutOfResources),
        None => TransportError::Outage(Outage::Reset),
    }
}

fn tls_error(error: &TlsError) -> TransportError {
    match error {
        TlsError::InvalidCertificate(_) | TlsError::NoCertificatesPresented => {
            TransportError::Fault(Fault::UntrustedCertificate)
        }
        TlsError::FailedToGetRandomBytes => TransportError::Overload(Overload::NoRandomness),
        // The peer does not want the connection.
        TlsError::AlertReceived(_) => TransportError::Outage(Outage::Connect),
        _ => TransportError::Fault(Fault::Unreadable),
    }
}

/// The base URL, which holds no secret, and whether there is a proxy, whose URL may hold one.
impl fmt::Debug for UreqTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UreqTransport")
            .field("base_url", &self.base_url.as_str())
            .field("proxied", &self.proxied)
            .field("connect_timeout", &self.connect_timeout)
            .finish_non_exhaustive()
    }
}
