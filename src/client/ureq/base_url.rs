//! The URL before the target of each call.

use core::net::IpAddr;
use std::{format, string::String};

use rustls::pki_types::ServerName;
use ureq::http::Uri;

use super::{error::UreqTransportError, resolver::bare};

/// Leaves room in ureq's output for what else is in the head of a request.
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
    pub(super) fn new(url: &str, plain_http: bool) -> Result<Self, UreqTransportError> {
        if !url.contains("://") {
            return Err(UreqTransportError::NoScheme);
        }
        // A `Uri` drops the fragment unseen.
        if url.contains(['?', '#']) {
            return Err(UreqTransportError::QueryOrFragment);
        }
        let uri: Uri = url.parse().map_err(|_| UreqTransportError::BaseUrl)?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(UreqTransportError::BaseUrl);
        };
        if authority.as_str().contains('@') {
            return Err(UreqTransportError::Credentials);
        }
        let host = bare(authority.host());
        // The port is there and cannot be read: `host:` or `host:99999`.
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

    pub(super) const fn is_https(&self) -> bool {
        self.https
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) const fn port(&self) -> u16 {
        self.port
    }

    /// The URL of a call, if its target is one.
    pub(super) fn join(&self, target: &str) -> Option<Uri> {
        let url = [self.as_str(), target].concat();
        let good = target.starts_with('/') && !target.contains('#') && url.len() <= MAX_URL_LEN;
        if good { url.parse().ok() } else { None }
    }
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || match host.parse() {
            Ok(IpAddr::V4(addr)) => addr.is_loopback(),
            Ok(IpAddr::V6(addr)) => addr.is_loopback(),
            Err(_) => false,
        }
}
