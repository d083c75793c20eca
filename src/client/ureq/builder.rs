//! Configuration of a transport.

use core::{fmt, net::IpAddr, time::Duration};
use std::{env, format, string::String, vec::Vec};

use ipnet::IpNet;
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use ureq::{
    Agent, Proxy, ProxyProtocol,
    config::Config,
    http::Uri,
    tls::{Certificate, RootCerts, TlsConfig},
};
use webpki_root_certs::TLS_SERVER_ROOT_CERTS;

use super::{
    UreqTransport,
    connector::Connect,
    resolver::{Names, bare},
};
use crate::error::sentences;

/// The published base URL.
const BASE_URL: &str = "https://apikee.dev/api/v1";
/// Less than the default time of a request.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// The default limit of calls in flight.
const MAX_IDLE_CONNECTIONS: usize = 32;
const MAX_IDLE_AGE: Duration = Duration::from_secs(15);
/// Status line and all header fields together.
const MAX_HEADERS_LEN: usize = 8 * 1024;
/// Larger than the longest allowed head, so that a longer one is recognised as too long.
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

impl UreqTransport {
    /// Creates a transport to this base URL, with the defaults for all other options.
    ///
    /// # Errors
    ///
    /// The errors about `base_url` in [`UreqTransportError`].
    pub fn new(base_url: &str) -> Result<Self, UreqTransportError> {
        Self::builder().base_url(base_url).build()
    }

    /// Starts the configuration of a transport.
    pub fn builder() -> UreqTransportBuilder {
        UreqTransportBuilder {
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
}

impl UreqTransportBuilder {
    /// Sets the base URL: the part before `/client/...`; `https://apikee.dev/api/v1` by default. Slashes at its end are
    /// stripped. It must not contain a user, a query or a fragment.
    pub fn base_url(mut self, url: &str) -> Self {
        self.base_url = url.into();
        self
    }

    /// Sets the certificates of the trusted certificate authorities (CAs): PEM, one or more. They **replace** Mozilla's
    /// authorities, which are trusted by default. Authorities of the operating system are never trusted.
    pub fn ca_pem(mut self, pem: &[u8]) -> Self {
        self.ca_pem = Some(pem.into());
        self
    }

    /// Adds certificates of authorities (PEM, one or more) that are trusted in addition to Mozilla's, or in addition to
    /// those of [`ca_pem`](Self::ca_pem).
    pub fn add_ca_pem(mut self, pem: &[u8]) -> Self {
        self.added_ca_pem.extend_from_slice(pem);
        // A PEM boundary must start on a new line.
        self.added_ca_pem.push(b'\n');
        self
    }

    /// Sets a proxy. Connections are tunnelled through it with `CONNECT`. The URL is `http://user:password@host:port`,
    /// or `https`; user, password and port are optional. By default no proxy is used, even if the environment names
    /// one.
    pub fn proxy(mut self, url: &str) -> Self {
        self.proxy = ProxySetting::Url(url.into());
        self
    }

    /// Uses the proxy that the environment names when the transport is built, if there is one. It comes from the first
    /// non-empty variable of `https_proxy`, `HTTPS_PROXY`, `all_proxy` and `ALL_PROXY`. For plain http, `http_proxy` is
    /// read instead of the first two. `HTTP_PROXY` is never read, because under CGI it contains the request's header
    /// `Proxy`. On Windows neither is read, because names of variables have no case there.
    ///
    /// `no_proxy`, or else `NO_PROXY`, lists hosts that are reached without a proxy, in the format of curl. Entries are
    /// separated by commas or blanks. Case does not matter, and a dot at the end of a name is ignored.
    ///
    /// | entry | hosts |
    /// |---|---|
    /// | `*`, if it is the only entry | all |
    /// | `example.com` or `.example.com` | that name and all names below it, such as `a.example.com` |
    /// | `192.0.2.1`, `2001:db8::1` or `[2001:db8::1]` | that address |
    /// | `192.0.2.0/24` or `2001:db8::/32` | the addresses of that network |
    /// | a name or an address with a port, such as `example.com:8443` or `[::1]:8080` | the same, only with this port |
    ///
    /// Names are not looked up: a network entry applies only if the base URL contains an address. All other entries are
    /// ignored.
    pub fn proxy_from_env(mut self) -> Self {
        self.proxy = ProxySetting::Environment;
        self
    }

    /// Sets the time limit for connecting, including TLS and the proxy; 2 s by default. If the call has less time left,
    /// that is the limit.
    pub const fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Allows plain http to another machine. (Plain http to `localhost`, `127.0.0.0/8` and `[::1]` is always allowed,
    /// but not through a proxy on another machine.) **The project key then goes over the network in the clear.**
    pub const fn allow_plain_http(mut self) -> Self {
        self.plain_http = true;
        self
    }

    /// Sets how many idle connections are kept at most; 32 by default, like the default of calls in flight. Each takes
    /// about 50 kB.
    pub const fn max_idle_connections(mut self, connections: usize) -> Self {
        self.max_idle_connections = connections;
        self
    }

    /// Sets how long an idle connection is kept; 15 s by default. It should be less than the idle timeout of the
    /// server.
    pub const fn max_idle_age(mut self, age: Duration) -> Self {
        self.max_idle_age = age;
        self
    }

    #[cfg(test)]
    pub(super) fn names(mut self, names: Names) -> Self {
        self.names = names;
        self
    }

    /// Builds the transport. It connects at the first call.
    ///
    /// # Errors
    ///
    /// [`UreqTransportError`] names the option that cannot be used.
    pub fn build(self) -> Result<UreqTransport, UreqTransportError> {
        let base_url = BaseUrl::new(&self.base_url, self.plain_http)?;
        if self.connect_timeout.is_zero() {
            return Err(UreqTransportError::ConnectTimeout);
        }
        let roots = roots(self.ca_pem.as_deref(), &self.added_ca_pem)?;
        let proxy = self.proxy.for_calls_to(&base_url)?;
        // Without TLS the proxy reads the project key, and `localhost` is the proxy's own machine.
        if !base_url.https && !self.plain_http && proxy.as_ref().is_some_and(|proxy| !is_loopback(bare(proxy.host()))) {
            return Err(UreqTransportError::PlainHttp);
        }
        let proxied = proxy.is_some();
        // ureq must send exactly the call and add nothing, especially no `Accept-Encoding`.
        let config = Config::builder()
            .https_only(base_url.https)
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

/// Shows no settings, because the URL of a proxy may contain a password.
impl fmt::Debug for UreqTransportBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UreqTransportBuilder").finish_non_exhaustive()
    }
}

/// The option of a [`UreqTransportBuilder`] that cannot be used. It contains nothing of the given values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum UreqTransportError {
    /// `base_url`: not a URL with `http` or `https` and a host.
    BaseUrl,
    /// `base_url`: it does not start with `https://` or `http://`.
    NoScheme,
    /// `base_url`: it contains a user or a password.
    Credentials,
    /// `base_url`: it contains a query or a fragment.
    QueryOrFragment,
    /// `base_url`: plain `http` to another machine, or through a proxy on another machine, without `allow_plain_http`.
    PlainHttp,
    /// `ca_pem` or `add_ca_pem`: it is not PEM, or contains something that is not a certificate.
    CaPem,
    /// `proxy`: not the URL of an `http` or `https` proxy.
    Proxy,
    /// `proxy_from_env`: the variable is not the URL of an `http` or `https` proxy.
    ProxyFromEnv,
    /// `connect_timeout`: it is zero.
    ConnectTimeout,
}

impl UreqTransportError {
    pub(in crate::client) const fn is_about_base_url(self) -> bool {
        matches!(self, Self::BaseUrl | Self::NoScheme | Self::Credentials | Self::QueryOrFragment | Self::PlainHttp)
    }
}

sentences!(
    UreqTransportError,
    BaseUrl: "base_url is not an http or https URL with a host",
    NoScheme: "base_url does not start with https:// or http://",
    Credentials: "base_url has a user or a password",
    QueryOrFragment: "base_url has a query or a fragment",
    PlainHttp: "base_url is plain http to another machine, or through a proxy on one: set allow_plain_http to permit it",
    CaPem: "ca_pem is not PEM with certificates",
    Proxy: "proxy is not the URL of an http or https proxy",
    ProxyFromEnv: "the environment's proxy is not the URL of an http or https proxy",
    ConnectTimeout: "connect_timeout must be more than zero",
);

/// Leaves room in ureq's output for the rest of a request's head.
const MAX_URL_LEN: usize = 7 * 1024;

/// Scheme, authority and path, without slashes at the end.
pub(super) struct BaseUrl {
    text: String,
    https: bool,
    /// Without the brackets of an IPv6 address.
    host: String,
    port: u16,
}

impl BaseUrl {
    fn new(url: &str, plain_http: bool) -> Result<Self, UreqTransportError> {
        if !url.contains("://") {
            return Err(UreqTransportError::NoScheme);
        }
        // `Uri` silently drops the fragment.
        if url.contains(['?', '#']) {
            return Err(UreqTransportError::QueryOrFragment);
        }
        // `Uri` would send other characters unchanged.
        if !url.is_ascii() {
            return Err(UreqTransportError::BaseUrl);
        }
        let uri: Uri = url.parse().map_err(|_| UreqTransportError::BaseUrl)?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(UreqTransportError::BaseUrl);
        };
        if authority.as_str().contains('@') {
            return Err(UreqTransportError::Credentials);
        }
        let host = bare(authority.host());
        // There is a port, but it cannot be parsed: `host:` or `host:99999`.
        let bad_port = authority.port().is_none() && authority.as_str().len() != authority.host().len();
        if host.is_empty() || bad_port || ServerName::try_from(host).is_err() {
            return Err(UreqTransportError::BaseUrl);
        }
        let https = match scheme {
            "https" => true,
            "http" if plain_http || is_loopback(host) => false,
            "http" => return Err(UreqTransportError::PlainHttp),
            _ => return Err(UreqTransportError::BaseUrl),
        };
        let path = uri.path().trim_end_matches('/');
        let port = authority.port_u16().unwrap_or(if https { 443 } else { 80 });
        Ok(Self { text: format!("{scheme}://{authority}{path}"), https, host: host.into(), port })
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// The URL of a call. `None` if the target is not valid.
    pub(super) fn join(&self, target: &str) -> Option<Uri> {
        let url = [self.as_str(), target].concat();
        let good = target.starts_with('/') && !target.contains('#') && target.len() <= self.max_target_len();
        if good { url.parse().ok() } else { None }
    }

    pub(super) const fn max_target_len(&self) -> usize {
        MAX_URL_LEN.saturating_sub(self.text.len())
    }
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// The trusted authorities: those of `own` or else Mozilla's, and those of `added`.
fn roots(own: Option<&[u8]>, added: &[u8]) -> Result<RootCerts, UreqTransportError> {
    let mut certificates = match own {
        Some(pem) => read_certificates(pem)?,
        None if added.is_empty() => return Ok(RootCerts::WebPki),
        None => TLS_SERVER_ROOT_CERTS.iter().map(|certificate| Certificate::from_der(certificate)).collect(),
    };
    if !added.is_empty() {
        certificates.append(&mut read_certificates(added)?);
    }
    Ok(RootCerts::from(certificates))
}

/// Reads at least one certificate. ureq skips a certificate that it cannot read, and then might trust none.
fn read_certificates(pem: &[u8]) -> Result<Vec<Certificate<'static>>, UreqTransportError> {
    let mut certificates = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|_| UreqTransportError::CaPem)?;
        RootCertStore::empty().add(certificate.clone()).map_err(|_| UreqTransportError::CaPem)?;
        certificates.push(Certificate::from_der(&certificate).to_owned());
    }
    if certificates.is_empty() { Err(UreqTransportError::CaPem) } else { Ok(certificates) }
}

/// The configured proxy.
enum ProxySetting {
    None,
    Url(String),
    Environment,
}

impl ProxySetting {
    /// The proxy for calls to `base`.
    fn for_calls_to(&self, base: &BaseUrl) -> Result<Option<Proxy>, UreqTransportError> {
        match self {
            Self::None => Ok(None),
            Self::Url(url) => parse_proxy(url).map(Some).ok_or(UreqTransportError::Proxy),
            Self::Environment => {
                // Under CGI, HTTP_PROXY is the header `Proxy` of a request. Windows does not distinguish case.
                let names: &[&str] = match base.https {
                    true => &["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"],
                    false if cfg!(windows) => &["all_proxy", "ALL_PROXY"],
                    false => &["http_proxy", "all_proxy", "ALL_PROXY"],
                };
                let Some(url) = first(names)? else { return Ok(None) };
                let proxy = parse_proxy(&url).ok_or(UreqTransportError::ProxyFromEnv)?;
                let exempt =
                    first(&["no_proxy", "NO_PROXY"])?.is_some_and(|list| exempts(&list, &base.host, base.port));
                Ok(if exempt { None } else { Some(proxy) })
            }
        }
    }
}

/// The value of the first variable that is not empty.
fn first(names: &[&str]) -> Result<Option<String>, UreqTransportError> {
    for name in names {
        match env::var(name) {
            Ok(value) if value.trim().is_empty() => {}
            Ok(value) => return Ok(Some(value)),
            Err(env::VarError::NotPresent) => {}
            Err(env::VarError::NotUnicode(_)) => return Err(UreqTransportError::ProxyFromEnv),
        }
    }
    Ok(None)
}

/// Accepts only proxies that ureq can tunnel through. ureq ignores a SOCKS proxy, because its feature for SOCKS is off.
fn parse_proxy(url: &str) -> Option<Proxy> {
    let proxy = Proxy::new(url.trim()).ok()?;
    (matches!(proxy.protocol(), ProxyProtocol::Http | ProxyProtocol::Https) && !proxy.host().is_empty())
        .then_some(proxy)
}

/// Whether a list in the format of `no_proxy` contains the host: a name, or an address without brackets. The
/// documentation of [`proxy_from_env`](UreqTransportBuilder::proxy_from_env) defines the format.
fn exempts(list: &str, host: &str, port: u16) -> bool {
    let entries = || list.split([',', ' ', '\t', '\r', '\n']).filter(|entry| !entry.is_empty());
    if entries().eq(["*"]) {
        return true;
    }
    let host = Host::new(host);
    entries().filter_map(|entry| at_port(entry, port)).any(|entry| host.is_in(entry))
}

/// The entry without its port. `None` if it has another port.
fn at_port(entry: &str, port: u16) -> Option<&str> {
    let (host, its_port) = match entry.strip_prefix('[') {
        Some(rest) => {
            let (addr, rest) = rest.split_once(']')?;
            (addr, if rest.is_empty() { None } else { Some(rest.strip_prefix(':')?) })
        }
        None => match entry.split_once(':') {
            // Two colons mean an IPv6 address.
            Some((host, its_port)) if !its_port.contains(':') => (host, Some(its_port)),
            _ => (entry, None),
        },
    };
    its_port.is_none_or(|its_port| its_port.parse() == Ok(port)).then_some(host)
}

enum Host<'h> {
    Name(&'h str),
    Addr(IpAddr),
}

impl<'h> Host<'h> {
    fn new(host: &'h str) -> Self {
        host.parse().map_or_else(|_| Self::Name(without_dot(host)), Self::Addr)
    }

    fn is_in(&self, entry: &str) -> bool {
        match self {
            Self::Addr(addr) => match entry.parse::<IpNet>() {
                Ok(network) => network.contains(addr),
                Err(_) => entry.parse() == Ok(*addr),
            },
            Self::Name(name) => {
                let domain = without_dot(entry.strip_prefix('.').unwrap_or(entry));
                let Some((above, end)) =
                    name.len().checked_sub(domain.len()).and_then(|start| name.split_at_checked(start))
                else {
                    return false;
                };
                !domain.is_empty() && end.eq_ignore_ascii_case(domain) && (above.is_empty() || above.ends_with('.'))
            }
        }
    }
}

fn without_dot(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
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

    /// The number of trusted authorities. ureq can read all of them.
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
    fn added_authorities_are_trusted_in_addition_to_the_others() {
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

    #[test]
    fn hosts_without_a_proxy_are_those_that_curl_finds() {
        const HTTPS: u16 = 443;
        #[rustfmt::skip]
        let table: &[(&str, &str, u16, bool)] = &[
            ("", "example.com", HTTPS, false),
            (",, ,", "example.com", HTTPS, false),
            // All hosts.
            ("*", "example.com", HTTPS, true),
            (" *, ", "192.0.2.1", HTTPS, true),
            ("*", "::1", 8080, true),
            ("*,other.example", "example.com", HTTPS, false),
            ("*.example.com", "a.example.com", HTTPS, false),
            ("*com", "example.com", HTTPS, false),
            // Names and the names below.
            ("example.com", "example.com", HTTPS, true),
            ("example.com", "a.example.com", HTTPS, true),
            ("example.com", "a.b.example.com", HTTPS, true),
            ("example.com", "badexample.com", HTTPS, false),
            ("example.com", "example.com.evil", HTTPS, false),
            ("example.com", "com", HTTPS, false),
            ("example.com", "example.org", HTTPS, false),
            (".example.com", "example.com", HTTPS, true),
            (".example.com", "a.example.com", HTTPS, true),
            (".example.com", "badexample.com", HTTPS, false),
            ("a.example.com", "example.com", HTTPS, false),
            ("com", "example.com", HTTPS, true),
            (".", "example.com", HTTPS, false),
            ("..", "example.com", HTTPS, false),
            ("localhost", "localhost", 80, true),
            // Case and dots.
            ("EXAMPLE.com", "example.COM", HTTPS, true),
            ("example.com.", "a.example.com", HTTPS, true),
            ("example.com", "a.example.com.", HTTPS, true),
            (".Example.Com.", "EXAMPLE.com.", HTTPS, true),
            ("пример", "р", HTTPS, false),
            // Separators.
            ("other.example,example.com", "example.com", HTTPS, true),
            ("other.example, example.com", "example.com", HTTPS, true),
            ("other.example example.com", "example.com", HTTPS, true),
            ("\tother.example\texample.com ", "example.com", HTTPS, true),
            ("other.example;example.com", "example.com", HTTPS, false),
            // Ports.
            ("example.com:443", "example.com", HTTPS, true),
            ("example.com:443", "a.example.com", HTTPS, true),
            ("example.com:8443", "example.com", HTTPS, false),
            ("example.com:8443", "example.com", 8443, true),
            ("example.com:", "example.com", HTTPS, false),
            ("example.com:port", "example.com", HTTPS, false),
            ("example.com:65979", "example.com", HTTPS, false),
            // Addresses.
            ("192.0.2.1", "192.0.2.1", HTTPS, true),
            ("192.0.2.1", "192.0.2.10", HTTPS, false),
            ("192.0.2.1:80", "192.0.2.1", 80, true),
            ("192.0.2.1:80", "192.0.2.1", HTTPS, false),
            ("0.2.1", "192.0.2.1", HTTPS, false),
            (".0.2.1", "192.0.2.1", HTTPS, false),
            ("192.0.2.1", "1.192.0.2.1.example", HTTPS, false),
            ("::1", "::1", HTTPS, true),
            ("[::1]", "::1", HTTPS, true),
            ("[::1]:8080", "::1", 8080, true),
            ("[::1]:8080", "::1", HTTPS, false),
            ("[::1]8080", "::1", 8080, false),
            ("[::1", "::1", HTTPS, false),
            ("0:0:0:0:0:0:0:1", "::1", HTTPS, true),
            ("2001:DB8::A", "2001:db8::a", HTTPS, true),
            ("::2", "::1", HTTPS, false),
            // Networks.
            ("192.0.2.0/24", "192.0.2.255", HTTPS, true),
            ("192.0.2.77/24", "192.0.2.1", HTTPS, true),
            ("192.0.2.0/24", "192.0.3.0", HTTPS, false),
            ("192.0.2.0/33", "192.0.2.0", HTTPS, false),
            ("192.0.2.0/", "192.0.2.0", HTTPS, false),
            ("0.0.0.0/0", "198.51.100.7", HTTPS, true),
            ("0.0.0.0/0", "::1", HTTPS, false),
            ("0.0.0.0/0", "example.com", HTTPS, false),
            ("2001:db8::/32", "2001:db8:1::2", HTTPS, true),
            ("2001:db8::/32", "2001:db9::", HTTPS, false),
            ("::/0", "::1", HTTPS, true),
            ("::/0", "127.0.0.1", HTTPS, false),
        ];
        for &(list, host, port, expected) in table {
            assert_eq!(exempts(list, host, port), expected, "{list:?} for {host:?} at {port}");
        }
    }
}
