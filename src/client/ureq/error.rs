//! Why a transport cannot be built.

use core::{error::Error, fmt};

/// Which option of a [`UreqTransportBuilder`](super::UreqTransportBuilder) cannot be used. It holds
/// nothing of what was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum UreqTransportError {
    /// `base_url`: it is not a URL of `http` or `https` with a host.
    BaseUrl,
    /// `base_url`: it does not start with `https://` or `http://`.
    NoScheme,
    /// `base_url`: it has a user or a password.
    Credentials,
    /// `base_url`: it has a query or a fragment.
    QueryOrFragment,
    /// `base_url`: it is of `http` and not on this machine, which takes `allow_plain_http`.
    PlainHttp,
    /// `ca_pem` or `add_ca_pem`: it is not PEM, or has something that is not a certificate.
    CaPem,
    /// `proxy`: it is not the URL of an `http` or `https` proxy.
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

impl fmt::Display for UreqTransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BaseUrl => "base_url is not a URL of http or https that has a host",
            Self::NoScheme => "base_url does not start with https:// or http://",
            Self::Credentials => "base_url has a user or a password",
            Self::QueryOrFragment => "base_url has a query or a fragment",
            Self::PlainHttp => "base_url is plain http to another machine, which only allow_plain_http permits",
            Self::CaPem => "ca_pem is not PEM with certificates",
            Self::Proxy => "proxy is not the URL of an http or https proxy",
            Self::ProxyFromEnv => "proxy_from_env finds a variable that is not the URL of an http or https proxy",
            Self::ConnectTimeout => "connect_timeout must be more than zero",
        })
    }
}

impl Error for UreqTransportError {}
