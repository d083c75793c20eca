//! Whose request it is, behind proxies.

use core::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

use super::view::RequestView;

/// Proxies do not write more header fields of that name.
const MAX_FIELDS: usize = 16;

/// The client's address: the peer's, or behind a trusted proxy the one that it names in `X-Forwarded-For`, and so
/// on from right to left, up to the first that is not trusted. What stands left of it anybody may have written.
///
/// An entry that is not an address ends the search: the address is that of the last proxy.
pub(super) fn client(request: &RequestView<'_>, proxies: &[IpNet]) -> Option<IpAddr> {
    let mut address = request.peer?.to_canonical();
    if !is_among(proxies, address) {
        return Some(address);
    }
    let fields = (0..=MAX_FIELDS).take_while(|nth| request.headers.get("x-forwarded-for", *nth).is_some()).count();
    if fields > MAX_FIELDS {
        return Some(address);
    }
    for nth in (0..fields).rev() {
        let value = request.headers.get("x-forwarded-for", nth).unwrap_or_default();
        for entry in value.rsplit(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            if entry.is_empty() {
                continue;
            }
            let Some(named) = read(entry) else {
                return Some(address);
            };
            address = named;
            if !is_among(proxies, address) {
                return Some(address);
            }
        }
    }
    Some(address)
}

fn is_among(networks: &[IpNet], address: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(&address))
}

/// An address as proxies write it: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:80`.
fn read(entry: &[u8]) -> Option<IpAddr> {
    let text = core::str::from_utf8(entry).ok()?;
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))?;
    Some(address.to_canonical())
}
