//! Which proxy there is, if any.

use std::{env, string::String};

use ureq::{Proxy, ProxyProtocol};

use super::error::UreqTransportError;

pub(super) enum ProxySetting {
    None,
    Url(String),
    Environment,
}

pub(super) fn find(setting: &ProxySetting, https: bool) -> Result<Option<Proxy>, UreqTransportError> {
    match setting {
        ProxySetting::None => Ok(None),
        ProxySetting::Url(url) => parse(url).map(Some).ok_or(UreqTransportError::Proxy),
        ProxySetting::Environment => {
            let names: &[&str] = if https { &["https_proxy", "HTTPS_PROXY"] } else { &["http_proxy"] };
            let Some(url) = first(names)?.map_or_else(|| first(&["all_proxy", "ALL_PROXY"]), |url| Ok(Some(url)))?
            else {
                return Ok(None);
            };
            let proxy = parse(&url).ok_or(UreqTransportError::ProxyFromEnv)?;
            match first(&["no_proxy", "NO_PROXY"])? {
                None => Ok(Some(proxy)),
                Some(hosts) => except(&proxy, &hosts).map(Some).ok_or(UreqTransportError::ProxyFromEnv),
            }
        }
    }
}

/// The first of these variables that is not empty.
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

/// Without its feature for it, ureq passes a SOCKS proxy by.
fn parse(url: &str) -> Option<Proxy> {
    let proxy = Proxy::new(url.trim()).ok()?;
    (matches!(proxy.protocol(), ProxyProtocol::Http | ProxyProtocol::Https) && !proxy.host().is_empty())
        .then_some(proxy)
}

fn except(proxy: &Proxy, hosts: &str) -> Option<Proxy> {
    let mut builder = Proxy::builder(proxy.protocol()).host(proxy.host()).port(proxy.port());
    if let Some(username) = proxy.username() {
        builder = builder.username(username);
    }
    if let Some(password) = proxy.password() {
        builder = builder.password(password);
    }
    hosts.split(',').map(str::trim).fold(builder, |builder, host| builder.no_proxy(host)).build().ok()
}
