//! What the platform is told of a request, besides its route and its key.

use std::{
    borrow::Cow,
    boxed::Box,
    string::{String, ToString as _},
    vec::Vec,
};

use ipnet::IpNet;

use super::{address, view::RequestView};

/// So many fields of one name are passed on.
const MAX_FIELDS: usize = 8;

/// A longer value is cut, so that a header of 64 kB does not keep a good key's request from being asked about.
const MAX_VALUE_LEN: usize = 2048;

/// What is passed on if nothing else is configured. The key and the address come by themselves.
pub(super) const DEFAULT: [&str; 1] = ["user-agent"];

/// The names that the client's address goes by. What the request itself says there is not passed on: anybody can
/// write it, and the platform checks the address.
const ADDRESS: [&str; 2] = ["x-forwarded-for", "x-real-ip"];

/// The header fields that the platform sees.
pub(super) fn headers<'r: 'a, 'a>(
    request: &RequestView<'r>,
    allowed: &'a [Box<str>],
    proxies: &[IpNet],
) -> Vec<(&'a str, Cow<'a, str>)> {
    let mut headers = Vec::with_capacity(allowed.len().saturating_add(ADDRESS.len()));
    for name in allowed.iter().filter(|name| !ADDRESS.contains(&&***name)) {
        let values = (0..MAX_FIELDS).map_while(|nth| request.headers.get(name, nth));
        headers.extend(values.map(|value| (&**name, text(value))));
    }
    if let Some(address) = address::client(request, proxies) {
        let address = address.to_string();
        headers.extend(ADDRESS.map(|name| (name, Cow::Owned(address.clone()))));
    }
    headers
}

/// Bytes that are no UTF-8 have a replacement character in their place.
fn text(value: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(value.get(..MAX_VALUE_LEN).unwrap_or(value))
}
