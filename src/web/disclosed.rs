//! What the platform is told of a request, besides its route and its key.

use std::{
    borrow::Cow,
    boxed::Box,
    string::{String, ToString as _},
    vec::Vec,
};

use super::{address::Proxies, view::RequestView};

/// The number of fields of one name that are passed on.
const MAX_FIELDS: usize = 8;

/// Longer values are cut, each by itself and all together, so that a long one leaves room for the others in what the
/// client sends (16 kB).
const MAX_VALUE_LEN: usize = 2048;
const MAX_TOTAL_LEN: usize = 8 * 1024;

/// What is passed on if nothing else is configured. The key and the address come by themselves.
pub(super) const DEFAULT: [&str; 1] = ["user-agent"];

/// The names that the client's address goes by. What the request itself says there is not passed on: anybody can
/// write it, and the platform checks the address.
const ADDRESS: [&str; 2] = ["x-forwarded-for", "x-real-ip"];

/// The header fields that the platform sees. Bytes that are not UTF-8 become replacement characters.
pub(super) fn headers<'r: 'a, 'a>(
    request: &RequestView<'r>,
    allowed: impl Iterator<Item = &'a Box<str>>,
    proxies: &Proxies,
) -> Vec<(&'a str, Cow<'a, str>)> {
    let mut headers = Vec::new();
    // Where there is no room for all, the first ones are sent whole.
    if let Some(address) = proxies.client(request) {
        let address = address.to_string();
        headers.extend(ADDRESS.map(|name| (name, Cow::Owned(address.clone()))));
    }
    let mut room = MAX_TOTAL_LEN;
    for name in allowed.filter(|name| !ADDRESS.contains(&&***name)) {
        for value in (0..MAX_FIELDS).map_while(|nth| request.headers.get(name, nth)) {
            let value = value.get(..MAX_VALUE_LEN.min(room)).unwrap_or(value);
            room = room.saturating_sub(value.len());
            headers.push((&**name, String::from_utf8_lossy(value)));
        }
    }
    headers
}
