//! Configuring a transport.

use core::{fmt, time::Duration};
use std::{string::String, vec::Vec};

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use ureq::{
    Agent,
    config::Config,
    tls::{Certificate, RootCerts, TlsConfig},
};
use webpki_root_certs::TLS_SERVER_ROOT_CERTS;

use super::{
    UreqTransport,
    base_url::BaseUrl,
    connection::Connect,
    error::UreqTransportError,
    proxy::{self, ProxySetting},
    resolver::Names,
};

/// The published base URL.
const BASE_URL: &str = "https://apikee.dev/api/v1";
/// Below the time that a request has by default.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// As many as calls may be under way by default.
const MAX_IDLE_CONNECTIONS: usize = 32;
const MAX_IDLE_AGE: Duration = Duration::from_secs(15);
/// All of status line and header fields.
const MAX_HEADERS_LEN: usize = 8 * 1024;
/// Has room for more than the longest header, so that one which is too long is seen to be.
const INPUT_LEN: usize = 2 * MAX_HEADERS_LEN;
const OUTPUT_LEN: usize = 8 * 1024;

/// Configures a [`UreqTransport`].
#[must_use]
pub struct UreqTransportBuilder {
    base_url: String,
    ca_pem: Option<Vec<u8>>,
    added_ca_pem: Vec<u8>,
    proxy: ProxySetting,
    connect_timeout: Duration,
    plain_http: bool,
    max_idle_connections: usize,
    max_idle_age: Duration,
    names: Names,
}

impl UreqTransportBuilder {
    pub(super) fn new() -> Self {
        Self {
            base_url: BASE_URL.into(),
            ca_pem: None,
            added_ca_pem: Vec::new(),
            proxy: ProxySetting::None,
            connect_timeout: CONNECT_TIMEOUT,
            plain_http: false,
            max_idle_connections: MAX_IDLE_CONNECTIONS,
            max_idle_age: MAX_IDLE_AGE,
            names: Names::new(),
        }
    }

    /// What stands before `/client/...`; `https://apikee.dev/api/v1` by default. Slashes at its end are
    /// stripped. It has neither user nor query nor fragment.
    pub fn base_url(mut self, url: &str) -> Self {
        self.base_url = url.into();
        self
    }

    /// The certificates of the authorities to trust, PEM, one or more. They **replace** Mozilla's, which
    /// are trusted by default; those of the operating system never are.
    pub fn ca_pem(mut self, pem: &[u8]) -> Self {
        self.ca_pem = Some(pem.into());
        self
    }

    /// The certificates of authorities, PEM, one or more, to trust beside Mozilla's, or beside those of
    /// [`ca_pem`](Self::ca_pem).
    pub fn add_ca_pem(mut self, pem: &[u8]) -> Self {
        self.added_ca_pem.extend_from_slice(pem);
        // A boundary needs a line of its own.
        self.added_ca_pem.push(b'\n');
        self
    }

    /// A proxy that connections are tunnelled through with `CONNECT`: `http://user:password@host:port`,
    /// or `https`; user, password and port may be left out. By default no proxy is used, whatever the
    /// environment says.
    pub fn proxy(mut self, url: &str) -> Self {
        self.proxy = ProxySetting::Url(url.into());
        self
    }

    /// Takes the proxy that the environment names when the transport is built, if it names one:
    /// `https_proxy`, `HTTPS_PROXY`, `all_proxy` or `ALL_PROXY`, the first that is not empty. For plain http
    /// `http_proxy` stands instead of the first two. `HTTP_PROXY` is not read: under CGI it is what a
    /// request's header `Proxy` says.
    ///
    /// `no_proxy`, or else `NO_PROXY`, lists hosts that are reached without a proxy, as curl reads it. The
    /// entries are separated by commas or blanks. Case does not matter, nor does a dot at the end of a name.
    ///
    /// | entry | hosts |
    /// |---|---|
    /// | `*`, if it is the only entry | all |
    /// | `example.com` or `.example.com` | that name and all names below it, such as `a.example.com` |
    /// | `192.0.2.1`, `2001:db8::1` or `[2001:db8::1]` | that address |
    /// | `192.0.2.0/24` or `2001:db8::/32` | the addresses of that network |
    /// | a name or an address with a port, such as `example.com:8443` or `[::1]:8080` | the same, at that port only |
    ///
    /// Names are not looked up: a network holds the hosts that the base URL names by an address. Entries that
    /// are none of these are ignored.
    pub fn proxy_from_env(mut self) -> Self {
        self.proxy = ProxySetting::Environment;
        self
    }

    /// How long it may take to connect, TLS and proxy included; 2 s by default. The time of the call is
    /// the limit if it is less.
    pub const fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Permits a base URL of plain http that is not on this machine: `localhost`, `127.0.0.0/8` or
    /// `[::1]`. **The project key then goes over the network in the clear.**
    pub const fn allow_plain_http(mut self) -> Self {
        self.plain_http = true;
        self
    }

    /// How many connections are kept for later calls at most; 32 by default, as calls may be under way
    /// by default. Each takes some 50 kB.
    pub const fn max_idle_connections(mut self, connections: usize) -> Self {
        self.max_idle_connections = connections;
        self
    }

    /// How long a connection is kept for a later call, 15 s by default. It should be less than the time
    /// after which the server closes it.
    pub const fn max_idle_age(mut self, age: Duration) -> Self {
        self.max_idle_age = age;
        self
    }

    #[cfg(test)]
    pub(super) fn names(mut self, names: Names) -> Self {
        self.names = names;
        self
    }

    /// Builds the transport. It connects when there is a call.
    ///
    /// # Errors
    ///
    /// [`UreqTransportError`] says which option cannot be used.
    pub fn build(self) -> Result<UreqTransport, UreqTransportError> {
        let base_url = BaseUrl::new(&self.base_url, self.plain_http)?;
        if self.connect_timeout.is_zero() {
            return Err(UreqTransportError::ConnectTimeout);
        }
        let roots = roots(self.ca_pem.as_deref(), &self.added_ca_pem)?;
        let proxy = proxy::find(&self.proxy, &base_url)?;
        let proxied = proxy.is_some();
        // The call says what is sent: nothing is added to it, no `Accept-Encoding` above all.
        let config = Config::builder()
            .https_only(base_url.is_https())
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .proxy(proxy)
            .tls_config(TlsConfig::builder().root_certs(roots).build())
            .user_agent("")
            .accept("")
            .accept_encoding("")
            .max_response_header_size(MAX_HEADERS_LEN)
            .input_buffer_size(INPUT_LEN)
            .output_buffer_size(OUTPUT_LEN)
            .max_idle_connections(self.max_idle_connections)
            .max_idle_connections_per_host(self.max_idle_connections)
            .max_idle_age(self.max_idle_age)
            .build();
        let agent = Agent::with_parts(config, Connect::new(proxied), self.names.clone());
        Ok(UreqTransport { agent, base_url, proxied, connect_timeout: self.connect_timeout, names: self.names })
    }
}

/// The authorities to trust: Mozilla's or those of `own`, and those of `added`.
fn roots(own: Option<&[u8]>, added: &[u8]) -> Result<RootCerts, UreqTransportError> {
    let mut certificates = match own {
        Some(pem) => read(pem)?,
        None if added.is_empty() => return Ok(RootCerts::WebPki),
        None => TLS_SERVER_ROOT_CERTS.iter().map(|certificate| Certificate::from_der(certificate)).collect(),
    };
    if !added.is_empty() {
        certificates.append(&mut read(added)?);
    }
    Ok(RootCerts::from(certificates))
}

/// At least one certificate. ureq leaves out what it cannot read, which would be to trust nobody.
fn read(pem: &[u8]) -> Result<Vec<Certificate<'static>>, UreqTransportError> {
    let mut certificates = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|_| UreqTransportError::CaPem)?;
        RootCertStore::empty().add(certificate.clone()).map_err(|_| UreqTransportError::CaPem)?;
        certificates.push(Certificate::from_der(&certificate).to_owned());
    }
    if certificates.is_empty() { Err(UreqTransportError::CaPem) } else { Ok(certificates) }
}

/// Nothing of the settings: the URL of a proxy may hold a password.
impl fmt::Debug for UreqTransportBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UreqTransportBuilder").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::string::String;

    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};

    use super::*;

    fn authority() -> String {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem()
    }

    /// How many authorities are trusted, all of which ureq can read.
    fn trusted(own: Option<&str>, added: &str) -> usize {
        let RootCerts::Specific(certificates) = roots(own.map(str::as_bytes), added.as_bytes()).unwrap() else {
            panic!("authorities of ours");
        };
        let mut store = RootCertStore::empty();
        let ders = certificates.iter().map(|certificate| CertificateDer::from(certificate.der()));
        assert_eq!(store.add_parsable_certificates(ders), (certificates.len(), 0));
        certificates.len()
    }

    #[test]
    fn added_authorities_stand_beside_the_built_in_ones_or_the_callers() {
        let [a, b, c] = [(); 3].map(|()| authority());
        let built_in = TLS_SERVER_ROOT_CERTS.len();
        assert!(built_in > 50);
        assert_eq!(trusted(None, &a), built_in + 1);
        assert_eq!(trusted(None, &format!("{a}{b}")), built_in + 2);
        assert_eq!(trusted(Some(&a), ""), 1);
        assert_eq!(trusted(Some(&a), &format!("{b}{c}")), 3);
        assert!(matches!(roots(None, b""), Ok(RootCerts::WebPki)));
        for (own, added) in [(Some(&b""[..]), &b""[..]), (None, b"\n"), (Some(a.as_bytes()), b"no PEM")] {
            assert!(matches!(roots(own, added), Err(UreqTransportError::CaPem)));
        }
    }
}
