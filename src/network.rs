//! Networks as text.

use core::{fmt, net::IpAddr};

use ipnet::IpNet;

/// Reads an address, or a network in CIDR notation.
pub(crate) fn read(text: &str) -> Result<IpNet, InvalidNetwork> {
    text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).map_err(|_| InvalidNetwork)
}

/// The text is neither an IP address nor a network in CIDR notation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidNetwork;

impl fmt::Display for InvalidNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the network is neither an address nor CIDR")
    }
}

impl core::error::Error for InvalidNetwork {}
