//! The transport over ureq, which does HTTP/1.1, TLS by rustls, and the keeping of connections.
//!
//! ```text
//! post ── deadline ──> ureq ──> Names ──> Connect: proxy ──> Tcp ──> TLS ──> Watched
//!   │ once more if Stale                                                        │
//!   └──────────────────────────────────────<────────────────────────────────────┘
//! ```
//!
//! | module | knows |
//! |---|---|
//! | `builder`, `base_url`, `proxy`, `error` | what may be configured |
//! | `body` | reading an answer's body, and how much of it |
//! | `deadline` | when a call must be over |
//! | `resolver` | looking up names once at a time |
//! | `connection` | which connections may be tried again |
//! | `tcp` | sockets that heed the deadline |
//! | `fields` | header fields, which are kept out of logs |
//! | `failure` | what an error is for the client |

mod base_url;
mod body;
mod builder;
mod connection;
mod deadline;
mod error;
mod failure;
mod fields;
mod proxy;
mod resolver;
mod tcp;
#[cfg(test)]
mod tests;

use core::{fmt, time::Duration};
use std::time::Instant;

use ureq::{
    Agent, Body,
    http::{Method, Request, Response, header::RETRY_AFTER},
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
/// answer, and perhaps another try. There is one, if a connection that had been kept turns out to be
/// closed before a byte of the answer has come; on a new connection. Nothing else is ever sent twice.
///
/// Names are looked up at most once in 30 s and once at a time. If a look-up fails or is slow, the
/// addresses of the last good one are used.
///
/// | what happens | error |
/// |---|---|
/// | the name is not known, or cannot be looked up | [`Outage::Dns`] |
/// | no connection within the connect timeout; it is refused, breaks before TLS is done or is ended by an alert; the proxy does not give one | [`Outage::Connect`] |
/// | the connection breaks, or the answer ends too early | [`Outage::Reset`] |
/// | the call's timeout is over | [`Outage::Timeout`] |
/// | the certificate is of no trusted authority, for another name, expired or not good otherwise | [`Fault::UntrustedCertificate`] |
/// | what answers speaks no TLS, no HTTP/1 or not well, or has header fields of more than 8 KiB in all | [`Fault::Unreadable`] |
/// | the body is longer than the buffer | [`Fault::Oversized`] |
/// | the call has a target or a header field that HTTP does not know | [`Fault::NotSent`] |
///
/// Any status is an answer, not an error. The body of one that is not from 200 to 299 is passed over.
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
        let left = deadline.saturating_duration_since(Instant::now());
        let mut config = self
            .agent
            .configure_request(self.request(call)?)
            .timeout_global(Some(left))
            .timeout_connect(Some(self.connect_timeout.min(MAX_TIMEOUT)));
        if let Some(age) = max_idle_age {
            config = config.max_idle_age(age);
        }
        let request = config.build();
        fields::with(fields::write(call.headers)?, || self.agent.run(request))
    }

    fn request<'c>(&self, call: &Call<'c>) -> Result<Request<&'c [u8]>, ureq::Error> {
        let uri = self.base_url.join(call.target).ok_or_else(|| ureq::Error::BadUri("target".into()))?;
        let mut request = Request::new(call.body);
        *request.method_mut() = match call.method {
            HttpMethod::Get => Method::GET,
            HttpMethod::Post => Method::POST,
        };
        *request.uri_mut() = uri;
        Ok(request)
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

/// In seconds. A date is as good as none.
fn retry_after(response: &Response<Body>) -> Option<u32> {
    let value = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    let digits = value.bytes().all(|byte| byte.is_ascii_digit());
    if digits { value.parse().ok() } else { None }
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
