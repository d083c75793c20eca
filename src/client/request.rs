//! What is asked of [`Apikee::authorize`](super::Apikee::authorize).

use core::fmt;

use super::{audit::Audit, caller::Origin};
use crate::{
    json::JsonObject,
    protocol::{ClientId, MethodPath},
};

/// A request that a service has received, and wants to know whether to serve. It borrows the request (`'r`) and the
/// scopes of the route (`'s`); a [`Denial`](crate::Denial) borrows the scopes alone.
///
/// ```
/// use apikee::{AuthorizeRequest, MethodPath};
///
/// # let header: Option<&[u8]> = None;
/// let headers = [("user-agent", "curl/8.5.0")];
/// let request = AuthorizeRequest::new(header, MethodPath::new("GET", "/users/{id}")?)
///     .as_route()
///     .scopes(&["read"])
///     .headers(&headers);
/// # Ok::<_, apikee::InvalidMethod>(())
/// ```
#[derive(Clone, Copy)]
pub struct AuthorizeRequest<'r, 's> {
    pub(super) key: Option<&'r [u8]>,
    pub(super) scopes: &'s [&'s str],
    pub(super) about: About<'r>,
}

/// What the platform is told of a request. No grant and no denial borrows from it.
#[derive(Clone, Copy)]
pub(crate) struct About<'a> {
    pub(super) method_path: MethodPath<'a>,
    /// The path is the template of a route: only then is it registered.
    pub(super) is_route: bool,
    /// Those that the route needs.
    pub(super) scopes: &'a [&'a str],
    pub(super) client: Option<ClientId>,
    pub(super) key_name: &'a str,
    pub(super) headers: &'a [(&'a str, &'a str)],
    pub(super) payload: Option<JsonObject<'a>>,
}

impl<'a> About<'a> {
    pub(crate) const fn new(method_path: MethodPath<'a>) -> Self {
        Self {
            method_path,
            is_route: false,
            scopes: &[],
            client: None,
            key_name: "default",
            headers: &[],
            payload: None,
        }
    }

    pub(crate) const fn as_route(self) -> Self {
        Self { is_route: true, ..self }
    }

    pub(crate) const fn headers(self, headers: &'a [(&'a str, &'a str)]) -> Self {
        Self { headers, ..self }
    }

    pub(super) fn audit(&self) -> Audit<'a> {
        let (method, path) = self.method_path.given();
        let (route, path) = if self.is_route { (Some(path), "") } else { (None, path) };
        Audit::of(method, route, path, Origin::told(self.headers).address())
    }
}

impl<'r> AuthorizeRequest<'r, 'static> {
    /// Takes the key header as it came, `None` if there is none, and the method and path that the platform is asked
    /// about. Nothing is registered; see [`as_route`](Self::as_route).
    #[must_use]
    pub fn new<K>(key: Option<&'r K>, method_path: MethodPath<'r>) -> Self
    where
        K: AsRef<[u8]> + ?Sized,
    {
        Self { key: key.map(AsRef::as_ref), scopes: &[], about: About::new(method_path) }
    }
}

impl<'r, 's> AuthorizeRequest<'r, 's> {
    /// The path is the template of a route, `/users/{id}`: the platform is told of it once
    /// ([`auto_register`](super::ApikeeBuilder::auto_register)), and counts all requests of the route together.
    ///
    /// Not for the path of a request: each path would be a route of its own.
    #[must_use]
    pub const fn as_route(self) -> Self {
        Self { about: self.about.as_route(), ..self }
    }

    /// The scopes that the route needs, all of them.
    #[must_use]
    pub const fn scopes<'t>(self, scopes: &'t [&'t str]) -> AuthorizeRequest<'r, 't> {
        AuthorizeRequest { key: self.key, scopes, about: self.about }
    }

    /// The client that the key belongs to, where it is known; otherwise it is looked for.
    #[must_use]
    pub const fn client(self, client: ClientId) -> Self {
        Self { about: About { client: Some(client), ..self.about }, ..self }
    }

    /// The name of the key among its client's, instead of `default`.
    #[must_use]
    pub const fn key_name(self, key_name: &'r str) -> Self {
        Self { about: About { key_name, ..self.about }, ..self }
    }

    /// The header fields that the platform sees, in server mode: those that the caller chose, not
    /// all. They travel in an envelope, unless [`sealing`](super::ApikeeBuilder::sealing) is off. The key is added by
    /// itself, as `x-api-key`; with sealing off it is not sent.
    ///
    /// In both modes, [`Audit::address`](super::Audit::address) is the address that stands here first in
    /// `x-forwarded-for`, or else in `x-real-ip`.
    #[must_use]
    pub const fn headers(self, headers: &'r [(&'r str, &'r str)]) -> Self {
        Self { about: self.about.headers(headers), ..self }
    }

    /// What else the platform sees of the request, in server mode.
    #[must_use]
    pub const fn payload(self, payload: JsonObject<'r>) -> Self {
        Self { about: About { payload: Some(payload), ..self.about }, ..self }
    }
}

/// Neither the key nor the headers, which may hold secrets.
impl fmt::Debug for AuthorizeRequest<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizeRequest")
            .field("method_path", &self.about.method_path)
            .field("is_route", &self.about.is_route)
            .field("scopes", &self.scopes)
            .field("client", &self.about.client)
            .field("key_name", &self.about.key_name)
            .field("headers", &self.about.headers.len())
            .finish_non_exhaustive()
    }
}
