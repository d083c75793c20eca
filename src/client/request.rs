//! A request: the input of [`Apikee::authorize`](super::Apikee::authorize), the data for the platform, and the data for
//! an audit log.

use core::{fmt, net::IpAddr};
#[cfg(feature = "web")]
use std::boxed::Box;

use crate::{
    json::JsonObject,
    key::{Claims, PREFIX, up_to_key},
    protocol::{ADDRESS_HEADERS, ClientId, MethodPath, read_address},
};

/// A request for [`Apikee::authorize`](super::Apikee::authorize) to decide on. It borrows the request (`'r`) and the
/// scopes of the route (`'s`). A [`Denial`](crate::Denial) borrows only the scopes.
///
/// ```
/// use apikee::{client::AuthorizeRequest, protocol::MethodPath};
///
/// # let header: Option<&[u8]> = None;
/// let headers = [("user-agent", "curl/8.5.0")];
/// let request = AuthorizeRequest::new(header, MethodPath::new("GET", "/users/{id}")?)
///     .as_route()
///     .scopes(&["read"])
///     .headers(&headers);
/// # Ok::<_, apikee::protocol::InvalidMethod>(())
/// ```
#[derive(Clone, Copy)]
pub struct AuthorizeRequest<'r, 's> {
    pub(super) key: Option<&'r [u8]>,
    pub(super) scopes: &'s [&'s str],
    pub(super) about: About<'r>,
}

/// The data of a request for the platform. No grant and no denial borrows from it.
#[derive(Clone, Copy)]
pub(crate) struct About<'a> {
    pub(super) method_path: MethodPath<'a>,
    /// The path is the template of a route. Only a route is registered.
    pub(super) is_route: bool,
    /// The scopes that the route needs.
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
}

/// The facts of a request. They are collected only when they are needed: in local mode nothing is sent to the platform,
/// and without an observer no audit is needed.
pub(crate) trait Facts {
    /// The data for the platform. `None` if the platform cannot be asked about this request.
    fn about(&self) -> Option<About<'_>>;

    /// The data for an audit log, without the key.
    fn audit(&self) -> Audit<'_>;

    /// The origin for which a refusal is remembered.
    fn origin(&self) -> Origin<'_> {
        match self.about() {
            Some(about) => Origin::of(about.headers),
            None => self.audit().address().map_or(Origin::Unknown, Origin::at),
        }
    }
}

impl Facts for About<'_> {
    fn about(&self) -> Option<About<'_>> {
        Some(*self)
    }

    fn audit(&self) -> Audit<'_> {
        let (method, path) = self.method_path.given();
        let (route, path) = if self.is_route { (Some(path), "") } else { (None, path) };
        Audit::of(method, route, path, Origin::of(self.headers).address())
    }
}

impl<'r> AuthorizeRequest<'r, 'static> {
    /// Takes the value of the key header unchanged (`None` if there is none), and the method and path for the platform.
    /// The path is not registered as a route; see [`as_route`](Self::as_route).
    #[must_use]
    pub fn new<K>(key: Option<&'r K>, method_path: MethodPath<'r>) -> Self
    where
        K: AsRef<[u8]> + ?Sized,
    {
        Self { key: key.map(AsRef::as_ref), scopes: &[], about: About::new(method_path) }
    }
}

impl<'r, 's> AuthorizeRequest<'r, 's> {
    /// Declares the path as the template of a route, such as `/users/{id}`. The route is registered with the platform
    /// once ([`auto_register`](super::ApikeeBuilder::auto_register)), and the platform counts all its requests
    /// together.
    ///
    /// Do not use it with the path of a request: each path would become a new route.
    #[must_use]
    pub const fn as_route(self) -> Self {
        Self { about: self.about.as_route(), ..self }
    }

    /// Sets the scopes that the route needs. The key must have all of them.
    #[must_use]
    pub const fn scopes<'t>(self, scopes: &'t [&'t str]) -> AuthorizeRequest<'r, 't> {
        AuthorizeRequest { key: self.key, scopes, about: self.about }
    }

    /// Sets the client that the key belongs to, if you know it. It takes precedence over `meta.clientId`, the resolver
    /// and the look-up.
    #[must_use]
    pub const fn client(self, client: ClientId) -> Self {
        Self { about: About { client: Some(client), ..self.about }, ..self }
    }

    /// Sets the name of the key among the client's keys, instead of `default`.
    #[must_use]
    pub const fn key_name(self, key_name: &'r str) -> Self {
        Self { about: About { key_name, ..self.about }, ..self }
    }

    /// Sets the header fields that the platform receives, in server mode: only those that you choose. They travel in an
    /// envelope, unless [`sealing`](super::ApikeeBuilder::sealing) is off. The key is added automatically as
    /// `x-api-key`; with sealing off it is not sent.
    ///
    /// A client may send long header fields. Their values are cut, so that the body for the platform has at most 16 KiB
    /// without the [`payload`](Self::payload). But `x-forwarded-for` and `x-real-ip` are never cut: the platform checks
    /// the address, and a part of an address can be another address. If they do not fit, the request is not
    /// sent ([`Fault::NotSent`](crate::policy::Fault::NotSent)). With sealing off, or in observe mode, it is also not
    /// sent if they contain the key.
    ///
    /// In both modes, [`Audit::address`](super::Audit::address) is the first address in `x-forwarded-for`, or else the
    /// one in `x-real-ip`.
    #[must_use]
    pub const fn headers(self, headers: &'r [(&'r str, &'r str)]) -> Self {
        Self { about: self.about.headers(headers), ..self }
    }

    /// Sets further data about the request for the platform, in server mode.
    #[must_use]
    pub const fn payload(self, payload: JsonObject<'r>) -> Self {
        Self { about: About { payload: Some(payload), ..self.about }, ..self }
    }
}

/// Shows neither the key nor the header values, which may be secrets.
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

/// The origin of a request, as it is sent to the platform.
#[derive(Clone, Copy)]
pub(crate) enum Origin<'a> {
    Unknown,
    Address([u8; 16]),
    /// A text that is not an address.
    Text(&'a str),
    /// All origins: a refusal of a call that sends no address.
    Everywhere,
}

impl<'a> Origin<'a> {
    /// Reads the origin from the header fields for the platform: the first entry of `x-forwarded-for`, else
    /// `x-real-ip`.
    pub(super) fn of(headers: &[(&'a str, &'a str)]) -> Self {
        let field =
            |name: &str| headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| *value);
        let Some(addresses) = ADDRESS_HEADERS.into_iter().find_map(field) else {
            return Self::Unknown;
        };
        let first = addresses.split_once(',').map_or(addresses, |(first, _)| first).trim();
        read_address(first).map_or(Self::Text(first), Self::at)
    }

    pub(super) fn at(address: IpAddr) -> Self {
        Self::Address(match address.to_canonical() {
            IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
            IpAddr::V6(address) => address.octets(),
        })
    }

    /// The address, if the origin is one.
    pub(super) fn address(self) -> Option<IpAddr> {
        match self {
            Self::Address(octets) => Some(IpAddr::from(octets).to_canonical()),
            Self::Unknown | Self::Text(_) | Self::Everywhere => None,
        }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Unknown => &[],
            Self::Address(address) => address,
            Self::Text(text) => text.as_bytes(),
            // No text has this byte.
            Self::Everywhere => &[0xff],
        }
    }
}

/// Who asked for what. An [`Event`](super::Event) about a request contains it, and so does a refusal of the guard. It
/// contains no secret and no header value, and no query unless [`MethodPath::with_query`] kept it. A key in a method or
/// a path is cut to its first 12 characters.
///
/// Method and path come from an untrusted caller: escape them in logs, as the `Display` of [`Event`](super::Event)
/// does. Each text has at most [`MAX_LEN`](Self::MAX_LEN) bytes. A longer text is cut between two characters.
#[derive(Debug, Clone, Copy, Default)]
pub struct Audit<'a> {
    tenant: &'a str,
    key_id: &'a str,
    key_prefix: &'a str,
    method: &'a str,
    route: &'a str,
    path: &'a str,
    address: Option<IpAddr>,
}

impl<'a> Audit<'a> {
    /// The maximum length of each text in bytes.
    pub const MAX_LEN: usize = 256;

    /// The key's tenant. `None` if the key's signature is not good, or the key has no tenant.
    ///
    /// An expired or revoked key still has a tenant, because its signature is good.
    #[must_use]
    pub fn tenant(&self) -> Option<&'a str> {
        given(self.tenant)
    }

    /// The key's id. `None` if the key's signature is not good, or the key has no id.
    #[must_use]
    pub fn key_id(&self) -> Option<&'a str> {
        given(self.key_id)
    }

    /// The first 12 characters of the key: see [`log_prefix`](crate::key::log_prefix). It ends before the first
    /// character that is not a letter or a digit. `None` if there is no key, or if the text does not start with
    /// `apikee_`: it may be another kind of secret.
    #[must_use]
    pub fn key_prefix(&self) -> Option<&'a str> {
        given(self.key_prefix)
    }

    /// The method of the request.
    #[must_use]
    pub fn method(&self) -> Option<&'a str> {
        given(self.method)
    }

    /// The template of the route, `/users/{id}`. `None` if the service has not given it.
    #[must_use]
    pub fn route(&self) -> Option<&'a str> {
        given(self.route)
    }

    /// The path of the request, without its query unless [`MethodPath::with_query`] kept it. `None` if only the route
    /// is known.
    #[must_use]
    pub fn path(&self) -> Option<&'a str> {
        given(self.path)
    }

    /// The client's address, as `Guard::client_address` finds it. Without a guard it comes from the [header
    /// fields](super::AuthorizeRequest::headers) for the platform.
    #[must_use]
    pub const fn address(&self) -> Option<IpAddr> {
        self.address
    }

    pub(crate) fn of(method: &'a str, route: Option<&'a str>, path: &'a str, address: Option<IpAddr>) -> Self {
        let texts = [method, route.unwrap_or_default(), path];
        let [method, route, path] = texts.map(|text| cut(up_to_key(text), Self::MAX_LEN));
        Self { method, route, path, address, ..Self::default() }
    }

    /// Adds the data of the key. `claims` is `None` if the signature is not good.
    pub(crate) fn with_key(self, key: Option<&'a [u8]>, claims: Option<&Claims<'a>>) -> Self {
        Self {
            tenant: cut(claims.map_or("", Claims::tenant), Self::MAX_LEN),
            key_id: cut(claims.map_or("", Claims::id), Self::MAX_LEN),
            key_prefix: key.and_then(prefix).unwrap_or_default(),
            ..self
        }
    }
}

fn given(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

/// At most `max` bytes of the text, cut between two characters.
pub(crate) fn cut(text: &str, max: usize) -> &str {
    if text.len() <= max {
        return text;
    }
    let front = (0..=max).rev().find_map(|end| text.get(..end));
    debug_assert!(front.is_some(), "0 is between two characters");
    front.unwrap_or_default()
}

/// Like [`log_prefix`](crate::key::log_prefix), for a text that may not be a key.
fn prefix(key: &[u8]) -> Option<&str> {
    /// Characters after `apikee_`.
    const SHOWN: usize = 5;
    let rest = key.strip_prefix(PREFIX.as_bytes())?;
    let shown = rest.iter().take(SHOWN).take_while(|byte| byte.is_ascii_alphanumeric()).count();
    core::str::from_utf8(key.get(..PREFIX.len().saturating_add(shown))?).ok()
}

/// An [`Audit`] that owns its texts.
#[cfg(feature = "web")]
#[derive(Clone)]
pub(crate) struct OwnedAudit {
    /// All texts in a row, so that one allocation is enough.
    texts: Box<str>,
    lens: [usize; 6],
    address: Option<IpAddr>,
}

#[cfg(feature = "web")]
impl OwnedAudit {
    pub(crate) fn of(audit: &Audit<'_>) -> Self {
        let Audit { tenant, key_id, key_prefix, method, route, path, address } = *audit;
        let texts = [tenant, key_id, key_prefix, method, route, path];
        Self { texts: texts.concat().into(), lens: texts.map(str::len), address }
    }

    pub(crate) fn as_audit(&self) -> Audit<'_> {
        let mut rest = &*self.texts;
        let [tenant, key_id, key_prefix, method, route, path] = self.lens.map(|len| {
            let parts = rest.split_at_checked(len);
            debug_assert!(parts.is_some(), "the lengths are those of the texts");
            let (text, behind) = parts.unwrap_or_default();
            rest = behind;
            text
        });
        Audit { tenant, key_id, key_prefix, method, route, path, address: self.address }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(name: &str, value: &str) -> std::vec::Vec<u8> {
        Origin::of(&[("user-agent", "x"), (name, value)]).as_bytes().into()
    }

    #[test]
    fn all_spellings_of_one_address_are_the_same_origin() {
        let plain = origin("x-forwarded-for", "203.0.113.9");
        assert_eq!(plain.len(), 16);
        for (name, value) in [
            ("X-Forwarded-For", " 203.0.113.9 "),
            ("x-forwarded-for", "203.0.113.9:8080"),
            ("x-forwarded-for", "::ffff:203.0.113.9"),
            ("x-forwarded-for", "[::ffff:203.0.113.9]:1"),
            ("x-forwarded-for", "203.0.113.9, 10.0.0.1"),
            ("x-real-ip", "203.0.113.9"),
        ] {
            assert_eq!(origin(name, value), plain, "{name}: {value}");
        }
        assert_eq!(origin("x-forwarded-for", "[2001:db8::1]"), origin("x-real-ip", "2001:DB8:0::1"));
    }

    #[test]
    fn different_addresses_are_different_origins() {
        let all =
            [origin("x-real-ip", "203.0.113.9"), origin("x-real-ip", "203.0.113.8"), origin("x-real-ip", "unknown")];
        assert!(all[0] != all[1] && all[1] != all[2] && !all[2].is_empty());
        assert!(origin("x-other", "203.0.113.9").is_empty());
        assert!(origin("x-real-ip", "").is_empty());
    }
}
