//! The guard of a service, and of a single route.

use core::{cell::OnceCell, fmt, net::IpAddr};
use std::{borrow::Cow, boxed::Box, format, string::String, sync::Arc, vec, vec::Vec};

use super::{
    address::{Notation, Proxies},
    disclosed,
    refusal::{Challenge, Refusal},
    request::RequestView,
};
use crate::{
    client::{About, Apikee, Audit, Facts},
    error::sentences,
    key::{KeyError, bounded_buffer_len},
    network::{self, InvalidNetwork},
    policy::{Grant, OwnedGrant},
    protocol::{MethodPath, is_token},
};

/// The header of the SDKs.
const DEFAULT_HEADER: &str = "x-api-key";

/// The description that the SDKs use.
pub(super) const OPENAPI_DESCRIPTION: &str = "apikee_ signed key with embedded claims (tenant, scopes, expiry)";

/// The paths that the SDKs' middlewares exclude.
const DEFAULT_EXCLUDED: [&str; 3] = ["/health", "/ready", "/metrics"];

/// Lets only requests with good keys through to a service.
///
/// It has the SDKs' defaults: the key is in `x-api-key`, and `/health`, `/ready` and `/metrics` need no key.
///
/// ```
/// use apikee::{Apikee, web::Guard};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let apikee = Apikee::builder().secret(b"the current secret: 32 random bytes").build()?;
/// let guard = Guard::new(apikee)
///     .header("x-acme-key")?
///     .bearer()
///     .excluded_paths(["/health", "/openapi.json"])
///     .trusted_proxy("10.0.0.0/8")?;
/// # Ok(())
/// # }
/// ```
///
/// Before a browser sends a key to another origin, it sends an `OPTIONS` request without a key. If browsers use your
/// API, answer that request before the guard.
#[must_use]
pub struct Guard {
    pub(super) apikee: Arc<Apikee>,
    pub(super) challenge: Arc<Challenge>,
    pub(super) excluded: Vec<Box<str>>,
    proxies: Proxies,
    disclosed: Vec<Box<str>>,
}

impl Guard {
    /// Creates a guard with this client, in local or in server mode. Several guards may share one client.
    pub fn new(apikee: impl Into<Arc<Apikee>>) -> Self {
        Self {
            apikee: apikee.into(),
            challenge: Challenge::new(DEFAULT_HEADER, false).into(),
            excluded: DEFAULT_EXCLUDED.map(Box::from).into(),
            proxies: Proxies::default(),
            disclosed: disclosed::DEFAULT.map(Box::from).into(),
        }
    }

    /// Sets the header that contains the key, instead of `x-api-key`. Case does not matter. For `Authorization`, use
    /// [`bearer`](Self::bearer).
    ///
    /// # Errors
    ///
    /// [`InvalidHeaderName`] for a name that is not valid, and for `Authorization`.
    pub fn header(mut self, name: &str) -> Result<Self, InvalidHeaderName> {
        let name = header_name(name)?;
        if *name == *"authorization" {
            return Err(InvalidHeaderName);
        }
        self.challenge = Challenge::new(&name, self.challenge.bearer).into();
        Ok(self)
    }

    /// Also accepts the key as `Authorization: Bearer apikee_...` (RFC 6750). If the key's own header has a value, a
    /// key in `Authorization` is refused, and so is a second `Authorization` field. One unrelated token beside the key
    /// is ignored.
    pub fn bearer(mut self) -> Self {
        self.challenge = Challenge::new(&self.challenge.header, true).into();
        self
    }

    /// Sets the paths that need no key, instead of `/health`, `/ready` and `/metrics`. A path is excluded if it equals
    /// one of them byte for byte. The query and the method do not matter. `/health/` and `/%68ealth` are not `/health`.
    ///
    /// **The guard sees the path that the server passes to it.** A router may strip a prefix before the guard, and make
    /// `/admin/metrics` into `/metrics`: put the guard before all routers, or exclude no path behind such a router.
    pub fn excluded_paths<P: AsRef<str>>(mut self, paths: impl IntoIterator<Item = P>) -> Self {
        self.excluded = paths.into_iter().map(|path| path.as_ref().into()).collect();
        self
    }

    /// Trusts a proxy, or a network of proxies, to name the client's address: `192.0.2.1`, or `10.0.0.0/8`. No proxy is
    /// trusted by default.
    ///
    /// # Errors
    ///
    /// [`InvalidNetwork`].
    pub fn trusted_proxy(mut self, network: &str) -> Result<Self, InvalidNetwork> {
        self.proxies.networks.push(network::read(network)?);
        Ok(self)
    }

    /// Reads the client's address from `Forwarded` (RFC 7239) instead of `X-Forwarded-For`. Choose the header that the
    /// proxies write themselves: the other one may come from the client.
    ///
    /// A proxy may hide the address (`for=unknown`, `for=_hidden`). Then the request has no address.
    pub const fn forwarded(mut self) -> Self {
        self.proxies.notation = Notation::Forwarded;
        self
    }

    /// Sends one more header field to the platform, in server mode. By default the platform receives the key,
    /// `user-agent`, and the client's address as `x-forwarded-for` and `x-real-ip`. The request's own fields with these
    /// two names, the header of the key and, with [`bearer`](Self::bearer), `Authorization` are never sent. At most 8
    /// fields of a name are sent. All values of a name together are cut to 2,048 bytes, and those of all names to 8
    /// KiB.
    ///
    /// # Errors
    ///
    /// [`InvalidHeaderName`].
    pub fn disclose_header(mut self, name: &str) -> Result<Self, InvalidHeaderName> {
        let name = header_name(name)?;
        if !self.disclosed.contains(&name) {
            self.disclosed.push(name);
        }
        Ok(self)
    }

    /// The client that the guard uses.
    #[must_use]
    pub fn apikee(&self) -> &Apikee {
        &self.apikee
    }

    /// Whether the request's path needs no key.
    #[must_use]
    pub fn is_excluded(&self, request: &RequestView<'_>) -> bool {
        let path = request.path();
        self.excluded.iter().any(|excluded| **excluded == *path)
    }

    /// The client's address. Without trusted proxies it is the address of the peer. Behind trusted proxies it is the
    /// address that they name in `X-Forwarded-For`, or in [`Forwarded`](Self::forwarded). If an entry of
    /// `X-Forwarded-For` is not an address, it is the address of the proxy that wrote the entry. `None` if the peer's
    /// address is not known, if the proxies hide the client's in `Forwarded`, if an element of `Forwarded` that must be
    /// read is malformed, or if more than 256 entries must be read.
    #[must_use]
    pub fn client_address<'r>(&self, request: impl Into<RequestView<'r>>) -> Option<IpAddr> {
        self.proxies.client(&request.into())
    }

    /// Checks a request to any route: one call for the whole service. `None` if the path is
    /// [excluded](Self::excluded_paths).
    ///
    /// In server mode the platform counts requests by the [template](RequestView::route) of the route. Without a
    /// template it counts by the path, and no route is registered. The escapes of the path are normalized for the
    /// platform (RFC 3986, sections 6.2.2.1 and 6.2.2.2): `%7euser` and `~user` are the same path, and so are `%2f` and
    /// `%2F`. An escape that is not well-formed and the segments `.` and `..` stay unchanged.
    ///
    /// The grant owns its data, and a refusal does not borrow from the request. [`check_in`](Self::check_in) is the
    /// form for a buffer of the caller.
    ///
    /// # Errors
    ///
    /// The [`Refusal`], which contains the response.
    pub fn check<'r>(&self, request: impl Into<RequestView<'r>>) -> Result<Option<OwnedGrant>, Refusal<'_>> {
        let request = request.into();
        if self.is_excluded(&request) {
            return Ok(None);
        }
        self.any_route().check(request).map(Some)
    }

    /// Like [`check`](Self::check), without allocation for the key: the grant borrows from the request and from `buf`.
    /// Copy the claims that you need before you answer the request.
    ///
    /// `buf` receives the key's payload. 1024 bytes are enough for most keys;
    /// [`verify_buffer_len`](crate::verify_buffer_len) returns the length that a key needs. If `buf` is too small, the
    /// request is refused with `BUFFER_TOO_SMALL`, status 500.
    ///
    /// # Errors
    ///
    /// The [`Refusal`], which contains the response.
    pub fn check_in<'g, 'r: 'k, 'b: 'k, 'k>(
        &'g self,
        request: impl Into<RequestView<'r>>,
        buf: &'b mut [u8],
    ) -> Result<Option<Grant<'k>>, Refusal<'g>> {
        let request = request.into();
        if self.is_excluded(&request) {
            return Ok(None);
        }
        self.any_route().check_in(request, buf).map(Some)
    }

    /// Returns the guard of one route. `template` is the route's template, such as `/users/{id}`. The route is
    /// registered with the platform once, with the scopes that it needs, and the platform counts all its requests
    /// together. To register more details, use [`Apikee::describe`].
    pub const fn route<'g>(&'g self, template: &'g str) -> RouteGuard<'g> {
        RouteGuard { template: Some(template), ..self.any_route() }
    }

    /// Returns the guard of a route that needs all of these scopes.
    pub const fn require<'g>(&'g self, scopes: &'g [&'g str]) -> RouteGuard<'g> {
        self.any_route().require(scopes)
    }

    /// The security scheme `ApikeeAuth` as JSON, for `components.securitySchemes` of an OpenAPI 3 document.
    ///
    /// ```
    /// # use apikee::{Apikee, web::Guard};
    /// # let apikee = Apikee::builder().secret(b"the current secret: 32 random bytes").build()?;
    /// assert_eq!(
    ///     Guard::new(apikee).openapi_scheme(),
    ///     r#"{"type":"apiKey","in":"header","name":"x-api-key","description":"apikee_ signed key with embedded claims (tenant, scopes, expiry)"}"#
    /// );
    /// # Ok::<(), apikee::ConfigError>(())
    /// ```
    #[must_use]
    pub fn openapi_scheme(&self) -> String {
        // The name is a token, so nothing must be escaped.
        let header = &self.challenge.header;
        format!(r#"{{"type":"apiKey","in":"header","name":"{header}","description":"{OPENAPI_DESCRIPTION}"}}"#)
    }

    /// Whether a header field may be sent to the platform. The key is sent separately, because a copy here would not be
    /// wiped.
    fn may_send(&self, name: &str) -> bool {
        *name != *self.challenge.header && !(self.challenge.bearer && name == "authorization")
    }

    const fn any_route(&self) -> RouteGuard<'_> {
        RouteGuard { guard: self, template: None, scopes: &[] }
    }
}

/// Shows nothing of the client, which holds secrets.
impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("header", &self.challenge.header)
            .field("bearer", &self.challenge.bearer)
            .field("excluded", &self.excluded)
            .field("proxies", &self.proxies)
            .field("disclosed", &self.disclosed)
            .finish_non_exhaustive()
    }
}

/// The guard of one route: a [`Guard`] with the requirements of the route. Make it where you use it; it allocates
/// nothing.
///
/// It always requires a key, even for an [excluded](Guard::excluded_paths) path.
#[derive(Debug, Clone, Copy)]
#[must_use]
pub struct RouteGuard<'g> {
    pub(super) guard: &'g Guard,
    pub(super) template: Option<&'g str>,
    pub(super) scopes: &'g [&'g str],
}

impl<'g> RouteGuard<'g> {
    /// Sets the scopes that the route needs. The key must have all of them. Earlier scopes are replaced.
    pub const fn require(self, scopes: &'g [&'g str]) -> Self {
        Self { scopes, ..self }
    }

    /// Checks a request. The grant owns its data, and a refusal does not borrow from the request.
    ///
    /// # Errors
    ///
    /// The [`Refusal`], which contains the response.
    pub fn check<'r>(self, request: impl Into<RequestView<'r>>) -> Result<OwnedGrant, Refusal<'g>> {
        let request = request.into();
        let mut buf = vec![0; self.find_key(&request).ok().flatten().map_or(0, bounded_buffer_len)];
        self.check_in(request, &mut buf).map(Grant::into_owned)
    }

    /// Checks a request with a buffer of the caller: see [`Guard::check_in`].
    ///
    /// # Errors
    ///
    /// The [`Refusal`], which contains the response.
    pub fn check_in<'r: 'k, 'b: 'k, 'k>(
        self,
        request: impl Into<RequestView<'r>>,
        buf: &'b mut [u8],
    ) -> Result<Grant<'k>, Refusal<'g>> {
        let request = request.into();
        let key = self.find_key(&request);
        let texts = Texts::default();
        let facts = Guarded { route: self, request, texts: &texts, headers: OnceCell::new() };
        let (verdict, claims) = self.guard.apikee.decide(key, self.scopes, &facts, buf);
        verdict.map_err(|denial| {
            let audit = facts.audit().with_key(key.ok().flatten(), claims.as_ref());
            Refusal::new(denial, &self.guard.challenge, &audit)
        })
    }

    fn find_key<'r>(self, request: &RequestView<'r>) -> Result<Option<&'r [u8]>, KeyError> {
        request.key(&self.guard.challenge.header, self.guard.challenge.bearer)
    }
}

/// Longer than every registered method. The caller chooses the method, and it is a part of the platform's URL.
const MAX_METHOD_LEN: usize = 32;

/// A request to a guarded route.
struct Guarded<'t, 'a, 'r: 'a> {
    route: RouteGuard<'a>,
    request: RequestView<'r>,
    texts: &'t Texts<'a>,
    headers: OnceCell<Vec<(&'t str, &'t str)>>,
}

/// Texts for the platform and for logs. They are made when they are first needed.
#[derive(Default)]
struct Texts<'a> {
    path: OnceCell<Cow<'a, str>>,
    logged: OnceCell<Cow<'a, str>>,
    headers: OnceCell<Vec<(&'a str, Cow<'a, str>)>>,
}

impl Guarded<'_, '_, '_> {
    fn template(&self) -> Option<&str> {
        self.route.template.or(self.request.route)
    }
}

impl<'a, 'r: 'a> Facts for Guarded<'_, 'a, 'r> {
    fn about(&self) -> Option<About<'_>> {
        let Self { route: RouteGuard { guard, .. }, request, texts, headers } = self;
        // Without a valid method the platform cannot be asked. This matters only after the key was found good.
        if request.method.len() > MAX_METHOD_LEN {
            return None;
        }
        let about = match self.template() {
            // In a template, `?` may have a meaning.
            Some(template) => About::new(MethodPath::with_query(request.method, template).ok()?).as_route(),
            None => {
                let path = texts.path.get_or_init(|| disclosed::path(request.path()));
                About::new(MethodPath::new(request.method, path).ok()?)
            }
        };
        let allowed = guard.disclosed.iter().filter(|name| guard.may_send(name));
        let owned = texts.headers.get_or_init(|| disclosed::headers(request, allowed, &guard.proxies));
        Some(about.headers(headers.get_or_init(|| owned.iter().map(|(name, value)| (*name, &**value)).collect())))
    }

    fn audit(&self) -> Audit<'_> {
        let address = self.route.guard.proxies.client(&self.request);
        let path = self.texts.logged.get_or_init(|| disclosed::logged(self.request.path()));
        Audit::of(self.request.method, self.template(), path, address)
    }
}

/// In lower case, because the look-ups of some servers need that.
fn header_name(name: &str) -> Result<Box<str>, InvalidHeaderName> {
    if is_token(name) { Ok(name.to_ascii_lowercase().into()) } else { Err(InvalidHeaderName) }
}

/// The name is not a token, as names of header fields are (RFC 9110, section 5.1), or is reserved for another use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidHeaderName;

sentences!(InvalidHeaderName, "the header field's name is not valid, or is reserved for another use");
