//! Configuring how the platform is reached.

use core::{error::Error, fmt, net::IpAddr, time::Duration};
use std::{
    env,
    string::{String, ToString as _},
    sync::Arc,
    vec::Vec,
};

use ureq::{
    Agent, Proxy,
    config::{AutoHeaderValue, Config},
    http::{Uri, uri::Scheme},
    tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem},
    unversioned::transport::{Connector as _, DefaultConnector},
};

use super::{UreqTransport, names::Names, watched::Watch};

/// The longest header of an answer that is read, in bytes.
const MAX_HEADER_LEN: usize = 8 * 1024;
/// Bytes of buffer of a connection, each way.
const BUFFER_LEN: usize = 16 * 1024;

/// Configures a [`UreqTransport`]. The first thing that is wrong is the error of [`build`](Self::build).
#[must_use]
pub struct UreqTransportBuilder {
    error: Option<UreqTransportError>,
    base_url: String,
    roots: Option<Vec<Certificate<'static>>>,
    proxy: Option<Proxy>,
    plain_http: bool,
    connect_timeout: Duration,
    max_idle_connections: usize,
    max_idle_age: Duration,
}

impl UreqTransportBuilder {
    pub(super) fn new() -> Self {
        Self {
            error: None,
            base_url: UreqTransport::DEFAULT_BASE_URL.to_string(),
            roots: None,
            proxy: None,
            plain_http: false,
            connect_timeout: Duration::from_secs(1),
            max_idle_connections: 32,
            max_idle_age: Duration::from_secs(15),
        }
    }

    /// Where the platform is; [`UreqTransport::DEFAULT_BASE_URL`] by default. It may have a path, with or
    /// without a slash at its end, but neither user nor query nor fragment.
    pub fn base_url(mut self, base_url: &str) -> Self {
        self.base_url = base_url.to_string();
        self
    }

    /// Trusts the certificates of these authorities, in PEM, and no others; by default it trusts those
    /// of Mozilla's list (`webpki-roots`).
    pub fn root_certificates(mut self, pem: &[u8]) -> Self {
        let certificates: Result<Vec<_>, _> = parse_pem(pem)
            .filter_map(|item| match item {
                Ok(PemItem::Certificate(certificate)) => Some(Ok(certificate)),
                Ok(_) => None,
                Err(error) => Some(Err(error)),
            })
            .collect();
        match certificates {
            Ok(certificates) if !certificates.is_empty() => self.roots = Some(certificates),
            _ => self.fail(UreqTransportError::RootCertificates),
        }
        self
    }

    /// Goes through an HTTP proxy: `http://user:password@host:port`. None by default, whatever the
    /// environment says.
    pub fn proxy(mut self, url: &str) -> Self {
        match Proxy::new(url) {
            Ok(proxy) => self.proxy = Some(proxy),
            Err(_) => self.fail(UreqTransportError::Proxy),
        }
        self
    }

    /// Goes through the proxy that `ALL_PROXY`, `HTTPS_PROXY` or `HTTP_PROXY` names, if any. Not in a CGI
    /// program, where a request's header `Proxy` sets the last of these: where `REQUEST_METHOD` is set,
    /// none is taken.
    pub fn proxy_from_env(mut self) -> Self {
        if env::var_os("REQUEST_METHOD").is_none() {
            self.proxy = Proxy::try_from_env();
        }
        self
    }

    /// Lets the base URL be `http` although it is not on this machine. **Whoever is on the way then sees
    /// the project key.**
    pub const fn allow_plain_http(mut self) -> Self {
        self.plain_http = true;
        self
    }

    /// How long a connection may take to come about, within the time of its call; 1 s by default.
    pub const fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How many connections are kept; 32 by default.
    pub const fn max_idle_connections(mut self, connections: usize) -> Self {
        self.max_idle_connections = connections;
        self
    }

    /// How long a connection that is not used is kept; 15 s by default.
    pub const fn max_idle_age(mut self, age: Duration) -> Self {
        self.max_idle_age = age;
        self
    }

    /// Builds the transport. It connects with the first call.
    ///
    /// # Errors
    ///
    /// As [`UreqTransportError`] says.
    pub fn build(self) -> Result<UreqTransport, UreqTransportError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let plain = is_plain(&self.base_url, self.plain_http)?;
        let mut tls = TlsConfig::builder();
        if let Some(roots) = self.roots {
            tls = tls.root_certs(RootCerts::Specific(Arc::new(roots)));
        }
        let config = Config::builder()
            .https_only(!plain)
            .tls_config(tls.build())
            // Our header fields would follow to another host.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .proxy(self.proxy)
            .accept("application/json")
            .accept_encoding(AutoHeaderValue::None)
            .user_agent(AutoHeaderValue::None)
            .max_response_header_size(MAX_HEADER_LEN)
            .input_buffer_size(BUFFER_LEN)
            .output_buffer_size(BUFFER_LEN)
            .max_idle_connections(self.max_idle_connections)
            .max_idle_connections_per_host(self.max_idle_connections)
            .max_idle_age(self.max_idle_age)
            .build();
        Ok(UreqTransport {
            agent: Agent::with_parts(config, DefaultConnector::new().chain(Watch), Names::system()),
            base_url: self.base_url.trim_end_matches('/').to_string(),
            connect_timeout: self.connect_timeout,
        })
    }

    /// Keeps the first thing that is wrong.
    fn fail(&mut self, error: UreqTransportError) {
        self.error.get_or_insert(error);
    }
}

/// Checks a base URL, and tells whether it is plain `http`.
fn is_plain(base_url: &str, anywhere: bool) -> Result<bool, UreqTransportError> {
    let uri: Uri = base_url.parse().map_err(|_| UreqTransportError::BaseUrl)?;
    let (Some(scheme), Some(authority), Some(host)) = (uri.scheme(), uri.authority(), uri.host()) else {
        return Err(UreqTransportError::BaseUrl);
    };
    if host.is_empty() || authority.as_str().contains('@') || base_url.contains(['?', '#']) {
        return Err(UreqTransportError::BaseUrl);
    }
    if *scheme == Scheme::HTTPS {
        Ok(false)
    } else if *scheme != Scheme::HTTP {
        Err(UreqTransportError::BaseUrl)
    } else if anywhere || is_loopback(host) {
        Ok(true)
    } else {
        Err(UreqTransportError::PlainHttp)
    }
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// Why there is no transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum UreqTransportError {
    /// The base URL is no `https` or `http` URL with a host, or has a user, a query or a fragment.
    BaseUrl,
    /// The base URL is `http`, and not on this machine.
    PlainHttp,
    /// There is no certificate in the PEM, or something that is none.
    RootCertificates,
    /// The proxy's URL cannot be used.
    Proxy,
}

impl fmt::Display for UreqTransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BaseUrl => "the base URL is no https URL with a host and nothing behind its path",
            Self::PlainHttp => "the base URL is plain http, and not on this machine",
            Self::RootCertificates => "the root certificates are not PEM",
            Self::Proxy => "the proxy's URL cannot be used",
        })
    }
}

impl Error for UreqTransportError {}

/// Nothing of a proxy's password.
impl fmt::Debug for UreqTransportBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UreqTransportBuilder").field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_this_machine_or_where_it_is_allowed() {
        for url in ["http://localhost:1/api/v1", "http://127.0.0.1:1", "http://127.9.9.9/", "http://[::1]:80/x/"] {
            assert_eq!(is_plain(url, false), Ok(true), "{url}");
        }
        for url in ["http://apikee.dev/api", "http://10.0.0.1", "http://localhost.evil.test", "http://127.0.0.1.test"] {
            assert_eq!(is_plain(url, false), Err(UreqTransportError::PlainHttp), "{url}");
            assert_eq!(is_plain(url, true), Ok(true), "{url}");
        }
        assert_eq!(is_plain("https://apikee.dev/api/v1", false), Ok(false));
    }

    #[test]
    fn what_is_no_base_url_is_refused() {
        for url in [
            "",
            "/api/v1",
            "apikee.dev",
            "https://",
            "https:///api",
            "ftp://apikee.dev",
            "https://user@apikee.dev",
            "https://user:pass@apikee.dev/",
            "https://apikee.dev/?x=1",
            "https://apikee.dev/#x",
            "https://apikee.dev/a b",
            "https://apikee.dev/\r\nx: y",
        ] {
            assert_eq!(is_plain(url, true), Err(UreqTransportError::BaseUrl), "{url:?}");
        }
    }

    #[test]
    fn certificates_and_proxies_are_checked_when_they_are_configured() {
        let refusal = |builder: UreqTransportBuilder| builder.build().unwrap_err();
        assert_eq!(refusal(UreqTransport::builder().root_certificates(b"")), UreqTransportError::RootCertificates);
        let no_base64 = b"-----BEGIN CERTIFICATE-----\n?\n-----END CERTIFICATE-----\n";
        assert_eq!(
            refusal(UreqTransport::builder().root_certificates(no_base64)),
            UreqTransportError::RootCertificates
        );
        assert_eq!(refusal(UreqTransport::builder().proxy("nonsense://x")), UreqTransportError::Proxy);
        let with_password = || UreqTransport::builder().proxy("http://user:hunter2@127.0.0.1:1");
        let shown = std::format!("{:?} {:?}", with_password(), with_password().build().unwrap());
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
