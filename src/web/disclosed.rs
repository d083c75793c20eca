//! The data of a request for the platform, besides its key: the normalized path, and some header fields.

use std::{
    borrow::Cow,
    boxed::Box,
    format,
    string::{String, ToString as _},
    vec::Vec,
};

use super::{address::Proxies, request::RequestView};
use crate::{
    client::cut,
    hex,
    key::{self, split_at_key},
    protocol::{ADDRESS_HEADERS, is_address},
};

/// The maximum number of fields of one name that are sent.
const MAX_FIELDS: usize = 8;

/// The values of one name are cut to the first length, and all values together to the second. Then long values of one
/// name leave room for the others in the client's question to the platform (16 KiB).
const MAX_NAME_LEN: usize = 2048;
const MAX_TOTAL_LEN: usize = 8 * 1024;

/// The fields that are sent by default. The key and the address are added separately.
pub(super) const DEFAULT: [&str; 1] = ["user-agent"];

/// The header fields for the platform. Bytes that are not UTF-8 become replacement characters. The request's own fields
/// with an address are not among them: anybody can write them, and the platform checks the address.
pub(super) fn headers<'r: 'a, 'a>(
    request: &RequestView<'r>,
    allowed: impl Iterator<Item = &'a Box<str>>,
    proxies: &Proxies,
) -> Vec<(&'a str, Cow<'a, str>)> {
    let mut headers = Vec::new();
    if let Some(address) = proxies.client(request) {
        let address = address.to_string();
        headers.extend(ADDRESS_HEADERS.map(|name| (name, Cow::Owned(address.clone()))));
    }
    let mut room = MAX_TOTAL_LEN;
    for name in allowed.filter(|name| !is_address(name)) {
        let mut own = MAX_NAME_LEN.min(room);
        for value in (0..MAX_FIELDS).map_while(|nth| request.headers.get(name, nth)) {
            let mut text = String::from_utf8_lossy(value.get(..own).unwrap_or(value));
            // A replacement character is longer than the bytes that it replaces.
            if text.len() > own {
                let len = cut(&text, own).len();
                text.to_mut().truncate(len);
            }
            (own, room) = (own.saturating_sub(text.len()), room.saturating_sub(text.len()));
            headers.push((&**name, text));
        }
    }
    headers
}

/// The path that the platform is asked about: normalized, and with all keys cut.
pub(super) fn path(path: &str) -> Cow<'_, str> {
    let normalized = normalized(path);
    if split_at_key(&normalized).is_some() { key::without_keys(&normalized).into() } else { normalized }
}

/// The path for logs: unchanged, unless it has a key. The key may be percent-encoded.
pub(super) fn logged(path: &str) -> Cow<'_, str> {
    let normalized = normalized(path);
    if split_at_key(&normalized).is_some() { key::without_keys(&normalized).into() } else { path.into() }
}

/// Normalizes the escapes of a path (RFC 3986). Unreserved characters are decoded (section 6.2.2.2). All other escapes
/// get upper-case digits (section 6.2.2.1). Returns the borrowed path if nothing changes.
///
/// A `%` without two hexadecimal digits after it is not an escape and stays unchanged. An escape that follows such an
/// incomplete one is not decoded, as in `%%41` and `%4%31`: the decoded character would complete an escape that nobody
/// wrote.
fn normalized(path: &str) -> Cow<'_, str> {
    if !path.contains('%') {
        return path.into();
    }
    let (mut changed, mut rest) = (String::new(), path);
    let mut is_cut_off = false;
    while let Some((before, after)) = rest.split_once('%') {
        changed.push_str(before);
        if let Some((byte, behind)) = escaped(after) {
            if is_unreserved(byte) && !is_cut_off {
                changed.push(byte.into());
            } else {
                changed.push_str(&format!("%{byte:02X}"));
            }
            (is_cut_off, rest) = (false, behind);
        } else {
            changed.push('%');
            (is_cut_off, rest) = (after.find('%').is_some_and(|len| len < 2), after);
        }
    }
    changed.push_str(rest);
    if changed == path { path.into() } else { changed.into() }
}

/// The value of the two digits after a `%`, and the text after them.
fn escaped(after: &str) -> Option<(u8, &str)> {
    let (digits, behind) = after.split_at_checked(2)?;
    let [byte] = hex::read::<1>(digits)?;
    Some((byte, behind))
}

/// RFC 3986, section 2.3.
const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

#[cfg(test)]
mod tests {
    use std::{borrow::Cow, format, string::String};

    use proptest::prelude::*;

    use super::{logged, normalized, path};

    #[test]
    fn keys_are_cut_also_if_they_are_percent_encoded() {
        let key = "apikee_1234567890abcdef.ABCDEF";
        for spelt in [key.into(), key.replace('.', "%2e"), key.replace('_', "%5F"), key.replace('k', "%6b")] {
            for (given, expected) in [
                (format!("/users/{spelt}"), "/users/apikee_12345"),
                (format!("/{spelt}/a%2fb/{spelt}/%2e"), "/apikee_12345/a%2Fb/apikee_12345/."),
            ] {
                assert_eq!((path(&given), logged(&given)), (expected.into(), expected.into()));
            }
        }
        for given in ["/users/7", "/a%2fb%41", "/apikee_guide/a.html", "/%"] {
            assert_eq!((path(given), logged(given)), (normalized(given), given.into()));
        }
    }

    #[test]
    fn unreserved_characters_are_decoded_and_other_escapes_get_upper_case_digits() {
        for (path, expected) in [
            ("/%7euser/%41%62%30", "/~user/Ab0"),
            ("/%2d%2E%5f%7E", "/-._~"),
            ("/a%2fb%c3%a9%3F%23%25", "/a%2Fb%C3%A9%3F%23%25"),
            ("/%2541", "/%2541"),
            ("/%25%34%31", "/%2541"),
            ("\u{e9}%61\u{e9}", "\u{e9}a\u{e9}"),
        ] {
            assert_eq!(normalized(path), expected, "{path}");
        }
    }

    #[test]
    fn every_byte_is_decoded_if_it_is_unreserved_and_no_other() {
        for byte in 0..=u8::MAX {
            let (lower, upper) = (format!("/%{byte:02x}"), format!("/%{byte:02X}"));
            let kept = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~".contains(char::from(byte));
            let expected = if kept { format!("/{}", char::from(byte)) } else { upper.clone() };
            assert_eq!((normalized(&lower), normalized(&upper)), (expected.clone().into(), expected.into()));
        }
    }

    #[test]
    fn a_malformed_escape_stays_and_does_not_complete_another() {
        for path in
            ["/%", "/%4", "/%zz", "/%+1", "/% 1", "/%%41", "/%4%31", "/%%%41", "/%\u{e9}", "/%4\u{e9}", "/%u0041"]
        {
            assert!(matches!(normalized(path), Cow::Borrowed(same) if same == path), "{path}");
        }
        for (path, expected) in
            [("/%zz%41", "/%zzA"), ("/%%41%42", "/%%41B"), ("/%4%7e", "/%4%7E"), ("/%zz%%41%42", "/%zz%%41B")]
        {
            assert_eq!(normalized(path), expected, "{path}");
        }
    }

    #[test]
    fn a_path_that_does_not_change_is_borrowed() {
        for path in ["", "/", "/users/7", "/a%2Fb", "/caf\u{e9}", "/{id}"] {
            assert!(matches!(normalized(path), Cow::Borrowed(same) if same == path), "{path}");
        }
    }

    /// Decodes every well-formed escape.
    fn decoded(path: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut rest = path.as_bytes();
        while let [first, after @ ..] = rest {
            let digits = after.get(..2).filter(|digits| *first == b'%' && digits.iter().all(u8::is_ascii_hexdigit));
            let value = digits.map(|digits| u8::from_str_radix(core::str::from_utf8(digits).unwrap(), 16).unwrap());
            bytes.push(value.unwrap_or(*first));
            rest = if value.is_some() { &after[2..] } else { after };
        }
        bytes
    }

    proptest! {
        #[test]
        fn a_normalized_path_means_the_same_and_stays_as_it_is(path in "(%|4|1|7|[eE]|[fF]|z|/|\u{e9}){0,16}") {
            let once = String::from(normalized(&path));
            prop_assert_eq!(decoded(&once), decoded(&path));
            prop_assert_eq!(normalized(&once), &*once);
        }
    }
}
