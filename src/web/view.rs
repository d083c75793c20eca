//! What a guard reads of a request.

use core::{fmt, net::IpAddr};

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
        self.target.split('?').next().unwrap_or_default()
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
