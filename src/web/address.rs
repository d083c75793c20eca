//! Finds a client's address behind proxies.
//!
//! ```text
//! X-Forwarded-For: 1.1.1.1, 203.0.113.9        <- 1.1.1.1 by the client, 203.0.113.9 by the first proxy
//! X-Forwarded-For: 10.0.0.2                    <- by the second proxy: the address of the first
//!                                                 peer: 10.0.0.3, the last proxy
//! ```
//!
//! Entries are read from the end, as long as they are addresses of trusted proxies. Anybody may have written the
//! entries before these, so they are not read, whatever their length.

use core::net::IpAddr;
use std::{string::String, vec::Vec};

use ipnet::IpNet;

use super::request::RequestView;
use crate::protocol::read_address;

/// More entries than any chain of proxies writes. Empty entries count.
const MAX_ENTRIES: usize = 256;

/// Far more header fields with one name than any server accepts.
const MAX_FIELDS: usize = 1 << 20;

/// The trusted proxies, and the header that they write.
#[derive(Debug, Default)]
pub(super) struct Proxies {
    pub(super) networks: Vec<IpNet>,
    pub(super) notation: Notation,
}

/// The header in which proxies name the client.
#[derive(Debug, Clone, Copy, Default)]
pub(super) enum Notation {
    #[default]
    XForwardedFor,
    /// RFC 7239.
    Forwarded,
}

/// The content of an entry.
enum Named {
    Nothing,
    Address(IpAddr),
    /// Something that is not an address.
    Other,
}

impl Proxies {
    /// The client's address. Without a trusted proxy it is the peer's. Otherwise the entries are read from right to
    /// left, up to the first address that is not a trusted proxy's.
    ///
    /// An entry of `X-Forwarded-For` that is not an address ends the search: the result is the address of the last
    /// proxy read. An entry of `Forwarded` may hide the address (`unknown`, `_hidden`): then there is none. There is
    /// none either if more than [`MAX_ENTRIES`] entries must be read.
    pub(super) fn client(&self, request: &RequestView<'_>) -> Option<IpAddr> {
        let mut address = request.peer?.to_canonical();
        if !self.trusts(address) {
            return Some(address);
        }
        let field = |nth| request.headers.get(self.notation.field(), nth);
        let mut entries = 0..MAX_ENTRIES;
        for nth in (0..count(|nth| field(nth).is_some())?).rev() {
            let mut rest = field(nth);
            while let Some(text) = rest {
                entries.next()?;
                let (before, entry) = self.notation.split_last(text);
                rest = before;
                match (self.notation.read(entry.trim_ascii()), self.notation) {
                    (Named::Nothing, _) => continue,
                    (Named::Address(named), _) => address = named,
                    (Named::Other, Notation::XForwardedFor) => return Some(address),
                    (Named::Other, Notation::Forwarded) => return None,
                }
                if !self.trusts(address) {
                    return Some(address);
                }
            }
        }
        Some(address)
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&address))
    }
}

impl Notation {
    const fn field(self) -> &'static str {
        match self {
            Self::XForwardedFor => "x-forwarded-for",
            Self::Forwarded => "forwarded",
        }
    }

    /// Splits off the last entry of a field, and returns the part before its comma and the entry.
    fn split_last(self, field: &[u8]) -> (Option<&[u8]>, &[u8]) {
        let comma = match self {
            Self::XForwardedFor => field.iter().rposition(|byte| *byte == b','),
            Self::Forwarded => rposition_unquoted(field, b','),
        };
        match comma.and_then(|at| field.split_at_checked(at)) {
            Some((before, [_, entry @ ..])) => (Some(before), entry),
            _ => (None, field),
        }
    }

    fn read(self, entry: &[u8]) -> Named {
        if entry.is_empty() {
            return Named::Nothing;
        }
        let address = match self {
            Self::XForwardedFor => core::str::from_utf8(entry).ok().and_then(read_address),
            Self::Forwarded => node(entry).as_deref().and_then(read_node),
        };
        address.map_or(Named::Other, |address| Named::Address(address.to_canonical()))
    }
}

/// The number of fields, found with few look-ups, because each look-up may visit all fields. `None` for more than
/// [`MAX_FIELDS`].
fn count(has: impl Fn(usize) -> bool) -> Option<usize> {
    let mut high: usize = 0;
    while has(high) {
        if high > MAX_FIELDS {
            return None;
        }
        high = high.saturating_mul(2).saturating_add(1);
    }
    let mut low = high / 2;
    while low < high {
        let middle = low.midpoint(high);
        if has(middle) { low = middle.saturating_add(1) } else { high = middle }
    }
    Some(low)
}

/// The last position of a byte outside of quoted strings.
///
/// Proxies append to the client's text. A quote that the client leaves open must not swallow their text, so the text is
/// read from its end. A quotation mark after an odd number of backslashes is escaped, which occurs only inside a quoted
/// string.
fn rposition_unquoted(text: &[u8], wanted: u8) -> Option<usize> {
    let mut quoted = false;
    for (at, byte) in text.iter().enumerate().rev() {
        if *byte == b'"' {
            let backslashes = text.iter().take(at).rev().take_while(|byte| **byte == b'\\').count();
            quoted = !quoted || backslashes % 2 == 1;
        } else if *byte == wanted && !quoted {
            return Some(at);
        }
    }
    None
}

/// The value of the only parameter `for` of a forwarded element (RFC 7239, section 4).
fn node(element: &[u8]) -> Option<String> {
    let (mut rest, mut found) = (Some(element), None);
    while let Some(text) = rest {
        let at = rposition_unquoted(text, b';');
        let pair = text.get(at.map_or(0, |at| at.saturating_add(1))..)?;
        rest = at.and_then(|at| text.get(..at));
        let mut halves = pair.splitn(2, |byte| *byte == b'=');
        let (name, value) = (halves.next()?.trim_ascii(), halves.next());
        if name.eq_ignore_ascii_case(b"for") {
            if found.is_some() {
                return None;
            }
            found = Some(value?.trim_ascii());
        }
    }
    let value = core::str::from_utf8(found?).ok()?;
    let Some(quoted) = value.strip_prefix('"') else { return Some(value.into()) };
    let (mut text, mut characters) = (String::new(), quoted.strip_suffix('"')?.chars());
    while let Some(character) = characters.next() {
        text.push(if character == '\\' { characters.next()? } else { character });
    }
    Some(text)
}

/// The address of a node (RFC 7239, section 6): IPv6 is in brackets, and the port may be hidden (`_port`).
fn read_node(node: &str) -> Option<IpAddr> {
    let (address, port) = match node.strip_prefix('[') {
        Some(rest) => {
            let (address, after) = rest.split_once(']')?;
            (IpAddr::V6(address.parse().ok()?), after)
        }
        None => {
            let (address, after) = node.split_at(node.find(':').unwrap_or(node.len()));
            (IpAddr::V4(address.parse().ok()?), after)
        }
    };
    let is_port = |port: &str| match port.strip_prefix('_') {
        Some(hidden) => {
            !hidden.is_empty() && hidden.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        }
        None => (1..=5).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit()),
    };
    (port.is_empty() || port.strip_prefix(':').is_some_and(is_port)).then_some(address)
}
