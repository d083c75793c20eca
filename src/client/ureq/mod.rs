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
//! | `builder`, `base_url`, `proxy`, `no_proxy`, `error` | what may be configured |
//! | `body` | reading an answer's body, and how much of it |
//! | `deadline` | when a call must be over |
//! | `resolver` | looking up names once at a time |
//! | `connection` | which connections may be tried again |
//! | `tcp` | sockets that heed the deadline and notice an early answer |
//! | `exhaustion` | which errors are this machine's own |
//! | `fields` | header fields, which are kept out of logs |
//! | `failure` | what an error is for the client |

mod base_url;
mod body;
mod builder;
mod connection;
mod deadline;
mod error;
mod exhaustion;
mod failure;
mod fields;
mod no_proxy;
mod proxy;
mod resolver;
mod tcp;
#[cfg(test)]
mod tests;

use core::{fmt, time::Duration};
use std::time::Instant;

use ureq::{
    Agent, AsSendBody, Body,
    http::{Method, Request, Response, StatusCode, header::RETRY_AFTER},
};

use self::{base_url::BaseUrl, resolver::Names};
pub use self::{builder::UreqTransportBuilder, error::UreqTransportError};
use super::transport::{Call, Received, Transport, TransportError};
use crate::{
    policy::{Fault, Outage},
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
/// use apikee::{UreqTransport, UreqTransportError};
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

impl UreqTransport {
    /// A transport to that base URL, and the defaults for all else.
    ///
    /// # Errors
    ///
    /// [`UreqTransportError::BaseUrl`] and [`UreqTransportError::PlainHttp`].
    pub fn new(base_url: &str) -> Result<Self, UreqTransportError> {
        Self::builder().base_url(base_url).build()
    }

    /// Configures a transport.
    pub fn builder() -> UreqTransportBuilder {
        UreqTransportBuilder::new()
    }

    fn make(&self, call: &Call<'_>, deadline: Instant, answer: &mut [u8]) -> Result<Received, ureq::Error> {
        let mut response = match self.send(call, deadline, None) {
            // If one connection has been closed, others will have been, too: none of them is used.
            Err(error) if failure::is_stale(&error) => self.send(call, deadline, Some(Duration::ZERO))?,
            Ok(response) if response.status() == StatusCode::REQUEST_TIMEOUT && connection::was_reused() => {
                drop(response);
                self.send(call, deadline, Some(Duration::ZERO))?
            }
            sent => sent?,
        };
        let (status, retry_after) = (response.status(), retry_after(&response));
        let len = if status.is_success() {
            body::read(response.body_mut(), answer)?
        } else {
            // The status says it all, whatever becomes of the connection.
            body::drain(response.body_mut());
            0
        };
        Ok(Received { status: status.as_u16(), len, retry_after })
    }

    fn send(
        &self,
        call: &Call<'_>,
        deadline: Instant,
        max_idle_age: Option<Duration>,
    ) -> Result<Response<Body>, ureq::Error> {
        match call.method {
            HttpMethod::Get if !call.body.is_empty() => Err(ureq::Error::BadUri("body".into())),
            HttpMethod::Get => self.send_body(Method::GET, (), call, deadline, max_idle_age),
            HttpMethod::Post => self.send_body(Method::POST, call.body, call, deadline, max_idle_age),
        }
    }

    fn send_body(
        &self,
        method: Method,
        body: impl AsSendBody,
        call: &Call<'_>,
        deadline: Instant,
        max_idle_age: Option<Duration>,
    ) -> Result<Response<Body>, ureq::Error> {
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = self.base_url.join(call.target).ok_or_else(|| ureq::Error::BadUri("target".into()))?;
        let left = deadline.saturating_duration_since(Instant::now());
        let mut config = self
            .agent
            .configure_request(request)
            .timeout_global(Some(left))
            .timeout_connect(Some(self.connect_timeout.min(MAX_TIMEOUT)));
        if let Some(age) = max_idle_age {
            config = config.max_idle_age(age);
        }
        let request = config.build();
        fields::with(fields::write(call.headers)?, || self.agent.run(request))
    }
}

impl Transport for UreqTransport {
    fn call(&self, call: &Call<'_>, answer: &mut [u8]) -> Result<Received, TransportError> {
        let deadline =
            Instant::now().checked_add(call.timeout.min(MAX_TIMEOUT)).ok_or(TransportError::Fault(Fault::NotSent))?;
        deadline::until(deadline, || self.make(call, deadline, answer)).map_err(|error| {
            let error = failure::transport_error(error);
            if error == TransportError::Outage(Outage::Connect) {
                self.names.expire();
            }
            error
        })
    }
}

/// In seconds. Digits that are too many for the type stand for its greatest value.
fn retry_after(response: &Response<Body>) -> Option<u32> {
    let mut values = response.headers().get_all(RETRY_AFTER).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let digits = value.to_str().ok()?;
    let good = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    good.then(|| digits.parse().unwrap_or(u32::MAX))
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
