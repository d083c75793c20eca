//! Which proxy there is, if any.

use std::{env, string::String};

use ureq::{Proxy, ProxyProtocol};

use super::{base_url::BaseUrl, error::UreqTransportError, no_proxy};

pub(super) enum ProxySetting {
    None,
    Url(String),
    Environment,
}

/// The proxy for calls to `base`.
pub(super) fn find(setting: &ProxySetting, base: &BaseUrl) -> Result<Option<Proxy>, UreqTransportError> {
    match setting {
        ProxySetting::None => Ok(None),
        ProxySetting::Url(url) => parse(url).map(Some).ok_or(UreqTransportError::Proxy),
        ProxySetting::Environment => {
            let names: &[&str] = if base.is_https() { &["https_proxy", "HTTPS_PROXY"] } else { &["http_proxy"] };
            let Some(url) = first(names)?.map_or_else(|| first(&["all_proxy", "ALL_PROXY"]), |url| Ok(Some(url)))?
            else {
                return Ok(None);
            };
            let proxy = parse(&url).ok_or(UreqTransportError::ProxyFromEnv)?;
            let exempt = first(&["no_proxy", "NO_PROXY"])?
                .is_some_and(|list| no_proxy::exempts(&list, base.host(), base.port()));
            Ok(if exempt { None } else { Some(proxy) })
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

/// Only the kinds that ureq tunnels through. Without its feature for SOCKS it ignores such a proxy.
fn parse(url: &str) -> Option<Proxy> {
    let proxy = Proxy::new(url.trim()).ok()?;
    (matches!(proxy.protocol(), ProxyProtocol::Http | ProxyProtocol::Https) && !proxy.host().is_empty())
        .then_some(proxy)
}
