//! The parts of a request that a guard reads, and the search for the key in its header fields.

use core::{fmt, net::IpAddr};

use super::disclosed;
use crate::key::{KeyError, PREFIX, up_to_key};

/// Finds header fields of a request.
///
/// A closure implements it if the types of its arguments are written: `|name: &str, nth: usize| ..`.
pub trait HeaderLookup<'r> {
    /// Returns the value of the header field number `nth` (counted from 0) with this name, ignoring case. `None` if
    /// there are fewer fields. It must not hide a further field: the guard asks for the second one to detect a request
    /// with two keys.
    fn get(&'r self, name: &str, nth: usize) -> Option<&'r [u8]>;
}

impl<'r, 'h: 'r, F: Fn(&str, usize) -> Option<&'h [u8]>> HeaderLookup<'r> for F {
    fn get(&'r self, name: &str, nth: usize) -> Option<&'r [u8]> {
        self(name, nth)
    }
}

/// A request for a guard, borrowed from the server's data.
///
/// References to requests of `http` and `tiny_http` convert into it, with the features of these names.
#[derive(Clone, Copy)]
pub struct RequestView<'r> {
    pub(super) method: &'r str,
    pub(super) target: &'r str,
    pub(super) route: Option<&'r str>,
    pub(super) peer: Option<IpAddr>,
    pub(super) headers: &'r dyn HeaderLookup<'r>,
}

impl<'r> RequestView<'r> {
    /// Takes the method, the unchanged path with or without a query, and the header fields.
    pub fn new(method: &'r str, path: &'r str, headers: &'r dyn HeaderLookup<'r>) -> Self {
        Self { method, target: path, route: None, peer: None, headers }
    }

    /// Sets the template of the route, such as `/users/{id}`, if the server knows it. Each template is registered with
    /// the platform once, and the platform counts all requests of a route together. Without a template the platform
    /// counts each path separately, and nothing is registered.
    #[must_use]
    pub fn route(self, template: &'r str) -> Self {
        Self { route: Some(template), ..self }
    }

    /// Sets the address at the other end of the connection: the client's, or a proxy's. Without it, the platform
    /// receives no address, and `X-Forwarded-For` is ignored.
    #[must_use]
    pub fn peer(self, address: IpAddr) -> Self {
        Self { peer: Some(address), ..self }
    }

    /// The path without the query.
    pub(super) fn path(&self) -> &'r str {
        self.target.split_once('?').map_or(self.target, |(path, _)| path)
    }

    /// The key. `None` if there is none. With `bearer`, it may also be a bearer token.
    ///
    /// # Errors
    ///
    /// [`KeyError::Multiple`] if there are two keys. The SDKs answer `DECODE_ERROR`, because their frameworks join both
    /// values into one.
    pub(super) fn key(&self, header: &str, bearer: bool) -> Result<Option<&'r [u8]>, KeyError> {
        let key = only(self.headers, header)?;
        if !bearer {
            return Ok(key);
        }
        let credentials = only(self.headers, "authorization")?.unwrap_or_default();
        match key {
            None => Ok(token(credentials)),
            // A key counts in any spelling: a proxy that joins two fields, or that accepts more spellings than this
            // crate, may have read a key there.
            Some(_) if credentials.windows(PREFIX.len()).any(|part| part == PREFIX.as_bytes()) => {
                Err(KeyError::Multiple)
            }
            // An unrelated token beside a key in its own header.
            Some(key) => Ok(Some(key)),
        }
    }
}

/// Shows neither the header fields, which contain secrets, nor the query, nor a whole key in the path or the method.
impl fmt::Debug for RequestView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestView")
            .field("method", &up_to_key(self.method))
            .field("path", &disclosed::logged(self.path()))
            .field("route", &self.route)
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

/// The value of a header field that occurs once. `None` if it is missing or empty.
fn only<'r>(headers: &'r dyn HeaderLookup<'r>, name: &str) -> Result<Option<&'r [u8]>, KeyError> {
    let Some(value) = headers.get(name, 0).map(trim) else {
        return Ok(None);
    };
    if headers.get(name, 1).is_some() || is_joined(value) {
        return Err(KeyError::Multiple);
    }
    Ok(Some(value).filter(|value| !value.is_empty()))
}

/// Whether the value may come from two fields. A proxy or a CGI gateway joins them with a comma (RFC 9110, section
/// 5.3), and some join them with a blank. A key contains neither.
fn is_joined(value: &[u8]) -> bool {
    // All bytes of a key are greater than comma and blank. This runs for each request, and this form lets the compiler
    // compare several bytes at a time.
    if value.iter().fold(u8::MAX, |lowest, byte| lowest.min(*byte)) > b',' {
        return false;
    }
    let has_comma = value.contains(&b',');
    let parts = value.split(|byte| matches!(byte, b',' | b' ' | b'\t'));
    let keys = parts.filter(|part| part.starts_with(PREFIX.as_bytes())).count();
    keys > 1 || keys == 1 && has_comma
}

/// The token of credentials with the scheme `Bearer` (RFC 6750, section 2.1), ignoring case (RFC 9110, section 11.1).
/// `None` for another scheme, and if there is no token.
fn token(credentials: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = credentials.split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| trim(token)).filter(|token| !token.is_empty())
}

/// Removes the optional white space around a value (RFC 9110, section 5.5).
fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}
