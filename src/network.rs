//! Reads networks from text.

use core::net::IpAddr;

use ipnet::IpNet;

use crate::error::sentences;

/// Reads an address, or a network in CIDR notation. An IPv4 address in IPv6 form is read as IPv4.
pub(crate) fn read(text: &str) -> Result<IpNet, InvalidNetwork> {
    let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).map_err(|_| InvalidNetwork)?;
    let (address, prefix) = (network.addr().to_canonical(), network.prefix_len());
    match (address, network) {
        (IpAddr::V4(_), IpNet::V6(_)) => {
            IpNet::new(address, prefix.checked_sub(96).ok_or(InvalidNetwork)?).map_err(|_| InvalidNetwork)
        }
        _ => Ok(network),
    }
}

/// The text is neither an IP address nor a network in CIDR notation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidNetwork;

sentences!(InvalidNetwork, "not an IP address or a CIDR network");
