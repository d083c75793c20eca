//! The transport over ureq. ureq does HTTP/1.1, uses rustls for TLS, and keeps connections.
//!
//! ```text
//! call ── deadline ──> ureq ──> Names ──> Connect: proxy ──> Tcp ──> TLS ──> Watched
//!   │ once more if Stale, or 408 on a kept connection                           │
//!   └──────────────────────────────────────<────────────────────────────────────┘
//! ```
//!
//! | module | contents |
//! |---|---|
//! | `builder` | the options: base URL, authorities, proxy |
//! | `connector` | connections: deadlines, header fields, errors after which a request is sent again, exhaustion of this machine |
//! | `resolver` | look-ups of names, one at a time |

mod builder;
mod connector;
mod resolver;
#[cfg(test)]
mod tests;

use core::{fmt, time::Duration};
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

/// Longer than any call takes, and short enough to add to any time without overflow.
const MAX_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);

/// Calls the platform over HTTPS.
///
/// It connects only to its base URL: it follows no redirects, and it uses a proxy only if the builder sets one.
/// Connections are kept and used again. The server's certificate must come from one of Mozilla's certificate
/// authorities (CAs), or from the caller's own.
///
/// The whole call ends within its timeout: look-up, connection, TLS, request, answer, and another try if there is one.
/// A request is sent again, on a new connection, only in two cases: a kept connection was closed before the first byte
/// of the answer, or the answer on a kept connection is 408. Usually the server closed the idle connection while the
/// request was on its way. If it has read the request before that, the request may count twice.
///
/// An answer that arrives before the whole request was sent is used, such as an early 413. If the server then resets
/// the connection, the answer survives only on an operating system that keeps data from before the reset. Linux keeps
/// it.
///
/// The addresses of a good look-up are used for 30 s, or until connecting to them fails. A name is never looked up
/// twice at the same time. If a look-up fails or is slow, the addresses of the last good look-up are used.
///
/// | cause | error |
/// |---|---|
/// | the name is not known, or cannot be looked up | [`Outage::Dns`] |
/// | this process or machine is out of file descriptors, memory, threads or local ports, in any step; a connect timeout is noticed late by more than an eighth of it plus 100 ms (not while a proxy connects) | [`Overload::OutOfResources`](crate::policy::Overload::OutOfResources) |
/// | the operating system gives no randomness to TLS | [`Overload::NoRandomness`](crate::policy::Overload::NoRandomness) |
/// | no connection within the connect timeout; the connection is refused, breaks or is ended by a TLS alert before the request; the proxy refuses to connect | [`Outage::Connect`] |
/// | the connection breaks or is ended by a TLS alert after the request, or the answer ends too early | [`Outage::Reset`] |
/// | the call's timeout is over | [`Outage::Timeout`] |
/// | the certificate is of an authority that is not trusted, is for another name, has expired, or is not valid for another reason | [`Fault::UntrustedCertificate`] |
/// | the peer does not speak TLS or HTTP/1 correctly; the answer has more than 128 header fields, or a status line and header fields of more than 8 KiB together | [`Fault::Unreadable`] |
/// | the body is longer than the buffer | [`Fault::Oversized`] |
/// | the call has a target or a header field that is not valid in HTTP, or is a `GET` with a body | [`Fault::NotSent`] |
///
/// An answer with any status counts as an answer, not as an error. If the status is not from 200 to 299, the body is
/// thrown away. If that body does not end within 50 ms and 64 KiB, the connection is closed.
///
/// `Retry-After` is used if there is exactly one such header field and its value is only digits. Numbers above
/// [`u32::MAX`] count as [`u32::MAX`]. A date, `-1`, `1e9`, an empty value and two fields are ignored.
///
/// Cargo builds ureq once for all crates of a program. If another crate turns on ureq's feature `cookies`, cookies from
/// the platform are kept and sent. This transport cannot prevent that.
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
        let mut max_idle_age = None;
        let sent = loop {
            let sent = match call.method {
                HttpMethod::Get if !call.body.is_empty() => Err(Error::BadUri("body".into())),
                HttpMethod::Get => {
                    self.request(Method::GET, (), call, deadline, max_idle_age).and_then(|get| self.agent.run(get))
                }
                HttpMethod::Post => self
                    .request(Method::POST, call.body, call, deadline, max_idle_age)
                    .and_then(|post| self.agent.run(post)),
            };
            if max_idle_age.is_some() || !may_be_sent_again(&sent) {
                break sent;
            }
            // If one idle connection was closed, others probably were, too. So none of them is used.
            max_idle_age = Some(Duration::ZERO);
        };
        sent.and_then(|mut response| receive(&mut response, answer)).map_err(|error| {
            let error = transport_error(error);
            if error == TransportError::Outage(Outage::Connect) {
                self.names.expire();
            }
            error
        })
    }

    fn max_target_len(&self) -> usize {
        self.base_url.max_target_len()
    }
}

impl UreqTransport {
    /// Builds the request for ureq. Its header fields are stored in this thread until it is sent.
    fn request<B: AsSendBody>(
        &self,
        method: Method,
        body: B,
        call: &Call<'_>,
        deadline: Instant,
        max_idle_age: Option<Duration>,
    ) -> Result<Request<B>, Error> {
        connector::set_fields(call.headers)?;
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

/// Whether the server has probably closed a kept connection without acting on the request.
fn may_be_sent_again(sent: &Result<Response<Body>, Error>) -> bool {
    match sent {
        Ok(response) => response.status() == StatusCode::REQUEST_TIMEOUT && connector::was_reused(),
        Err(Error::Other(error)) => matches!(error.downcast_ref(), Some(ConnectionError::Stale)),
        Err(_) => false,
    }
}

/// Reads the whole answer, because only then the connection can be used again.
fn receive(response: &mut Response<Body>, answer: &mut [u8]) -> Result<Received, Error> {
    let (status, retry_after) = (response.status(), retry_after(response));
    let len = if status.is_success() {
        read_body(response.body_mut(), answer)?
    } else {
        // Only the status matters, so errors of the connection are ignored.
        drain(response.body_mut());
        0
    };
    Ok(Received { status: status.as_u16(), len, retry_after })
}

/// The header's value in seconds. A number that is too large becomes the largest value of the type.
fn retry_after(response: &Response<Body>) -> Option<u32> {
    let mut values = response.headers().get_all(RETRY_AFTER).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let digits = value.to_str().ok()?;
    let good = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    good.then(|| digits.parse().unwrap_or(u32::MAX))
}

/// The maximum number of bytes that are read of an unused body.
const MAX_DRAINED: u64 = 64 * 1024;
/// The longest time for reading such a body. A new connection may cost about as much.
const MAX_DRAINING: Duration = Duration::from_millis(50);

/// Reads the body into `answer`, and returns its length. It reads at most a few bytes more.
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
            // Only a further read can see the end.
            return if reader.read(&mut [0])? == 0 { Ok(len) } else { Err(too_long()) };
        };
        match reader.read(rest)? {
            0 => return Ok(len),
            read => len = len.saturating_add(read),
        }
    }
}

/// Reads the body and throws it away. If the body is too long or too slow, the connection is closed.
fn drain(body: &mut Body) {
    if body.content_length().is_some_and(|len| len > MAX_DRAINED) {
        return;
    }
    let _soon = Instant::now().checked_add(MAX_DRAINING).map(Scope::sooner);
    // Only a further read can see the end.
    let mut reader = body.as_reader().take(MAX_DRAINED.saturating_add(1));
    let mut sink = [0; 1024];
    while matches!(reader.read(&mut sink), Ok(1..)) {}
}

/// Translates errors; the table is in the documentation of [`UreqTransport`].
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
        // `Protocol`, `LargeResponseHeader` and similar errors.
        _ => TransportError::Fault(Fault::Unreadable),
    }
}

/// The error of TLS inside of an I/O error.
fn inner_tls_error(error: &io::Error) -> Option<&TlsError> {
    error.get_ref()?.downcast_ref()
}

fn is_alert(error: &io::Error) -> bool {
    matches!(inner_tls_error(error), Some(TlsError::AlertReceived(_)))
}

fn io_error(error: &io::Error) -> TransportError {
    match inner_tls_error(error) {
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
        // The peer refuses the connection.
        TlsError::AlertReceived(_) => TransportError::Outage(Outage::Connect),
        _ => TransportError::Fault(Fault::Unreadable),
    }
}

/// Shows the base URL, which contains no secret, and whether there is a proxy, whose URL may contain one.
impl fmt::Debug for UreqTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UreqTransport")
            .field("base_url", &self.base_url.as_str())
            .field("proxied", &self.proxied)
            .field("connect_timeout", &self.connect_timeout)
            .finish_non_exhaustive()
    }
}
