//! The platform over HTTP/1.1, with `ureq`: HTTPS, no redirects, no proxy unless asked for, one deadline.
//!
//! ```text
//! post ──> agent ──> Names (resolver) ──> TCP ──> TLS ──> Watched (connection)
//!   ^                                                        │
//!   └── once more, if a kept connection broke before a byte ─┘
//! ```
//!
//! # Errors
//!
//! | what happens | [`TransportError`] |
//! |---|---|
//! | the name cannot be resolved, or not in time | [`Outage::Dns`](crate::Outage::Dns) |
//! | refused, unreachable, or not connected in time | [`Outage::Connect`](crate::Outage::Connect) |
//! | the connection breaks, before or within the answer | [`Outage::Reset`](crate::Outage::Reset) |
//! | the time is up | [`Outage::Timeout`](crate::Outage::Timeout) |
//! | the certificate is not trusted: issuer, name or time | [`Fault::UntrustedCertificate`] |
//! | what answers speaks no TLS or no HTTP/1.1, or its header is longer than 8 KiB | [`Fault::Unreadable`] |
//! | the body is longer than the buffer | [`Fault::Oversized`] |
//!
//! A redirect is an answer like any other: it is delivered, not followed.

mod builder;
mod failure;
mod names;
mod watched;

use core::{fmt, time::Duration};
use std::{
    io::Read,
    string::{String, ToString as _},
    time::Instant,
};

pub use builder::{UreqTransportBuilder, UreqTransportError};

use super::{
    builder::ApikeeBuilder,
    transport::{Call, Received, Transport, TransportError},
};
use crate::policy::{Fault, Outage};

/// Reaches the platform over HTTPS.
///
/// Connections are kept and used again. Header fields and bodies are those of the [`Call`]; nothing
/// else is sent but what HTTP itself needs, and `Accept`.
///
/// ```no_run
/// use apikee::UreqTransport;
/// use std::time::Duration;
///
/// let transport = UreqTransport::builder()
///     .base_url("https://platform.internal/api/v1")
///     .root_certificates(&std::fs::read("ca.pem")?)
///     .connect_timeout(Duration::from_millis(500))
///     .build()?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub struct UreqTransport {
    agent: ureq::Agent,
    /// Without a slash at the end.
    base_url: String,
    connect_timeout: Duration,
}

impl UreqTransport {
    /// The published platform.
    pub const DEFAULT_BASE_URL: &str = "https://apikee.dev/api/v1";

    /// Starts with the defaults.
    pub fn builder() -> UreqTransportBuilder {
        UreqTransportBuilder::new()
    }

    /// Reaches the platform at that base URL, with the defaults for all else.
    ///
    /// # Errors
    ///
    /// [`UreqTransportError`].
    pub fn new(base_url: &str) -> Result<Self, UreqTransportError> {
        Self::builder().base_url(base_url).build()
    }

    fn attempt(&self, call: &Call<'_>, left: Duration, answer: &mut [u8]) -> Result<Received, TransportError> {
        let mut url = self.base_url.clone();
        url.push_str(call.target);
        let mut request = self
            .agent
            .post(url)
            .config()
            .timeout_global(Some(left))
            .timeout_connect(Some(self.connect_timeout.min(left)))
            .build();
        for (name, value) in call.headers {
            request = request.header(*name, *value);
        }
        let mut response = request.send(call.body).map_err(|error| failure::of(&error))?;
        let status = response.status().as_u16();
        let retry_after = response.headers().get("retry-after");
        let retry_after = retry_after.and_then(|value| value.to_str().ok()).and_then(|text| text.trim().parse().ok());
        let body = read(&mut response.body_mut().as_reader(), answer);
        let len = match (status, body) {
            (200..=299, body) => body?,
            // The status says it all. Its body was read for the sake of the connection only.
            _ => 0,
        };
        Ok(Received { status, len, retry_after })
    }
}

impl Transport for UreqTransport {
    fn post(&self, call: &Call<'_>, answer: &mut [u8]) -> Result<Received, TransportError> {
        let start = Instant::now();
        watched::begin();
        let result = self.attempt(call, call.timeout, answer);
        // A server may close a kept connection just when it is used again, most likely without having
        // seen the request. At worst it counts a validation twice; the other calls come to the same twice.
        if matches!(result, Err(TransportError::Outage(Outage::Reset))) && watched::broke_unused() {
            let left = call.timeout.saturating_sub(start.elapsed());
            if !left.is_zero() {
                watched::begin();
                return self.attempt(call, left, answer);
            }
        }
        result
    }
}

/// Reads a body to its end, and no more than fits.
fn read(body: &mut impl Read, answer: &mut [u8]) -> Result<usize, TransportError> {
    let mut len = 0_usize;
    loop {
        let mut probe = [0];
        let room = answer.get_mut(len..).unwrap_or_default();
        let full = room.is_empty();
        let room = if full { &mut probe[..] } else { room };
        match body.read(room).map_err(|error| failure::of_io(&error))? {
            0 => return Ok(len),
            _ if full => return Err(TransportError::Fault(Fault::Oversized)),
            more => len = len.saturating_add(more),
        }
    }
}

impl ApikeeBuilder {
    /// The platform's base URL, in place of the published one: as [`UreqTransport::new`]. For more, give
    /// [`transport`](Self::transport) a [`UreqTransport`] of your making.
    pub fn base_url(self, base_url: &str) -> Self {
        self.checked_transport(UreqTransport::new(base_url))
    }
}

/// The base URL. A proxy may have a password.
impl fmt::Debug for UreqTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UreqTransport").field("base_url", &self.base_url.to_string()).finish_non_exhaustive()
    }
}
