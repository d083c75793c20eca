//! What a guard reads of a request: its parts, and the key among its header fields.

use core::{fmt, net::IpAddr};

use crate::key::{KeyError, PREFIX};

/// Finds header fields of a request.
///
/// A closure does, with its arguments' types spelt out: `|name: &str, nth: usize| ..`.
pub trait HeaderLookup<'r> {
    /// The value of the header field with that name, in whatever case, that has `nth` fields of that name before it;
    /// `None` if there are no more. All must be told: the guard asks for the second one to find a request with two
    /// keys.
    fn get(&'r self, name: &str, nth: usize) -> Option<&'r [u8]>;
}

impl<'r, 'h: 'r, F: Fn(&str, usize) -> Option<&'h [u8]>> HeaderLookup<'r> for F {
    fn get(&'r self, name: &str, nth: usize) -> Option<&'r [u8]> {
        self(name, nth)
    }
}

/// A request as a guard sees it: borrowed from what a server has read.
///
/// References to the requests of `http` and `tiny_http` turn into one by themselves, with the
/// features of these names.
#[derive(Clone, Copy)]
pub struct RequestView<'r> {
    pub(super) method: &'r str,
    pub(super) target: &'r str,
    pub(super) route: Option<&'r str>,
    pub(super) peer: Option<IpAddr>,
    pub(super) headers: &'r dyn HeaderLookup<'r>,
}

impl<'r> RequestView<'r> {
    /// Takes the method, the path as it came, with or without a query, and the header fields.
    pub fn new(method: &'r str, path: &'r str, headers: &'r dyn HeaderLookup<'r>) -> Self {
        Self { method, target: path, route: None, peer: None, headers }
    }

    /// The template of the route, `/users/{id}`, if the server knows it. The platform is told of each template once,
    /// and counts all requests of a route together. Without a template it counts each path by itself, and registers
    /// nothing.
    #[must_use]
    pub fn route(self, template: &'r str) -> Self {
        Self { route: Some(template), ..self }
    }

    /// The address at the other end of the connection: the client's, or a proxy's. Without one the platform
    /// is told no address, and `X-Forwarded-For` is not believed.
    #[must_use]
    pub fn peer(self, address: IpAddr) -> Self {
        Self { peer: Some(address), ..self }
    }

    /// The path, without a query.
    pub(super) fn path(&self) -> &'r str {
        self.target.split_once('?').map_or(self.target, |(path, _)| path)
    }

    /// The key, `None` if there is none. It may also be a bearer token if `bearer` is set.
    ///
    /// # Errors
    ///
    /// [`KeyError::Multiple`] if there are two. The SDKs, to whom their frameworks give both values as one, answer
    /// with `DECODE_ERROR`.
    pub(super) fn key(&self, header: &str, bearer: bool) -> Result<Option<&'r [u8]>, KeyError> {
        let key = only(self.headers, header)?;
        if !bearer {
            return Ok(key);
        }
        let credentials = only(self.headers, "authorization")?.unwrap_or_default();
        match key {
            None => Ok(token(credentials)),
            // However it is spelt: a proxy that joins two fields, or that allows for more spellings than this crate,
            // may have read a key there.
            Some(_) if credentials.windows(PREFIX.len()).any(|part| part == PREFIX.as_bytes()) => {
                Err(KeyError::Multiple)
            }
            // An unrelated token, beside a key in its own header.
            Some(key) => Ok(Some(key)),
        }
    }
}

/// Nothing of the header, which holds secrets, nor of a query.
impl fmt::Debug for RequestView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestView")
            .field("method", &self.method)
            .field("path", &self.path())
            .field("route", &self.route)
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

/// The one value of a header field, `None` if it is missing or empty.
fn only<'r>(headers: &'r dyn HeaderLookup<'r>, name: &str) -> Result<Option<&'r [u8]>, KeyError> {
    let Some(value) = headers.get(name, 0).map(trim) else {
        return Ok(None);
    };
    if headers.get(name, 1).is_some() || is_joined(value) {
        return Err(KeyError::Multiple);
    }
    Ok(Some(value).filter(|value| !value.is_empty()))
}

/// Whether the value may be that of two fields: a proxy or a CGI gateway joins them with a comma (RFC 9110, section
/// 5.3), and some with a blank. Neither is in a key.
fn is_joined(value: &[u8]) -> bool {
    // All bytes of a key come behind comma and blank. This is done for each request: several bytes at a time.
    if value.iter().fold(u8::MAX, |lowest, byte| lowest.min(*byte)) > b',' {
        return false;
    }
    let has_comma = value.contains(&b',');
    let parts = value.split(|byte| matches!(byte, b',' | b' ' | b'\t'));
    let keys = parts.filter(|part| part.starts_with(PREFIX.as_bytes())).count();
    keys > 1 || keys == 1 && has_comma
}

/// The token of credentials for the scheme `Bearer` (RFC 6750, section 2.1), in whatever case (RFC 9110, section
/// 11.1). `None` for another scheme, and for no token.
fn token(credentials: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = credentials.split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| trim(token)).filter(|token| !token.is_empty())
}

/// Without the white space that may stand around a value (RFC 9110, section 5.5).
fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}
