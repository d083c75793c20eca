//! Whom a call of the platform is for.

use core::net::{IpAddr, SocketAddr};

use crate::breaker::ClientRef;

/// A client, and where its request comes from.
#[derive(Clone, Copy)]
pub(super) struct Caller<'a> {
    pub(super) client: ClientRef,
    /// `None` if no request of the client's waits: then a refusal is not the client's.
    pub(super) origin: Option<Origin<'a>>,
    /// Whether the call is about the request itself, so that its success is a confirmation.
    pub(super) judged: bool,
}

/// Where a request comes from, as the platform is told.
#[derive(Clone, Copy)]
pub(super) enum Origin<'a> {
    Unknown,
    Address([u8; 16]),
    /// Something that is not an address.
    Text(&'a str),
}

impl<'a> Origin<'a> {
    /// By the header fields that the platform sees: the first of `x-forwarded-for`, else `x-real-ip`.
    pub(super) fn told(headers: &[(&'a str, &'a str)]) -> Self {
        let field =
            |name: &str| headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| *value);
        let Some(told) = field("x-forwarded-for").or_else(|| field("x-real-ip")) else {
            return Self::Unknown;
        };
        let first = told.split(',').next().unwrap_or_default().trim();
        let bare = first.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(first);
        let address = bare.parse().ok().or_else(|| first.parse::<SocketAddr>().ok().map(|address| address.ip()));
        match address.map(|address: IpAddr| address.to_canonical()) {
            Some(IpAddr::V4(address)) => Self::Address(address.to_ipv6_mapped().octets()),
            Some(IpAddr::V6(address)) => Self::Address(address.octets()),
            None => Self::Text(first),
        }
    }

    /// The address, if it is one.
    pub(super) fn address(self) -> Option<IpAddr> {
        match self {
            Self::Address(octets) => Some(IpAddr::from(octets).to_canonical()),
            Self::Unknown | Self::Text(_) => None,
        }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Unknown => &[],
            Self::Address(address) => address,
            Self::Text(text) => text.as_bytes(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(name: &str, value: &str) -> std::vec::Vec<u8> {
        Origin::told(&[("user-agent", "x"), (name, value)]).as_bytes().into()
    }

    #[test]
    fn one_address_is_one_however_it_is_spelt() {
        let plain = told("x-forwarded-for", "203.0.113.9");
        assert_eq!(plain.len(), 16);
        for (name, value) in [
            ("X-Forwarded-For", " 203.0.113.9 "),
            ("x-forwarded-for", "203.0.113.9:8080"),
            ("x-forwarded-for", "::ffff:203.0.113.9"),
            ("x-forwarded-for", "[::ffff:203.0.113.9]:1"),
            ("x-forwarded-for", "203.0.113.9, 10.0.0.1"),
            ("x-real-ip", "203.0.113.9"),
        ] {
            assert_eq!(told(name, value), plain, "{name}: {value}");
        }
        assert_eq!(told("x-forwarded-for", "[2001:db8::1]"), told("x-real-ip", "2001:DB8:0::1"));
    }

    #[test]
    fn others_are_others() {
        let all = [told("x-real-ip", "203.0.113.9"), told("x-real-ip", "203.0.113.8"), told("x-real-ip", "unknown")];
        assert!(all[0] != all[1] && all[1] != all[2] && !all[2].is_empty());
        assert!(told("x-other", "203.0.113.9").is_empty());
        assert!(told("x-real-ip", "").is_empty());
    }
}
