//! What is guarded, and how.

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
    key::{Claims, KeyError, bounded_buffer_len},
    network::{self, InvalidNetwork},
    policy::{Denial, Grant, OwnedGrant},
    protocol::{MethodPath, is_token},
};

/// The SDKs' header for keys.
const DEFAULT_HEADER: &str = "x-api-key";

/// The SDKs' words.
pub(super) const OPENAPI_DESCRIPTION: &str = "apikee_ signed key with embedded claims (tenant, scopes, expiry)";

/// What the SDKs' middlewares let through.
const DEFAULT_EXCLUDED: [&str; 3] = ["/health", "/ready", "/metrics"];

/// Lets requests with good keys through to a service, and no others.
///
/// It has the SDKs' defaults: the key stands in `x-api-key`, and `/health`, `/ready` and `/metrics` need none.
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
/// A browser asks with `OPTIONS` and without a key before it sends one to another origin: answer that before
/// the guard sees it, if browsers are to use your API.
#[must_use]
pub struct Guard {
    pub(super) apikee: Arc<Apikee>,
    pub(super) challenge: Arc<Challenge>,
    pub(super) excluded: Vec<Box<str>>,
    proxies: Proxies,
    disclosed: Vec<Box<str>>,
}

impl Guard {
    /// Guards with that client, which is in local or in server mode and may be shared with others.
    pub fn new(apikee: impl Into<Arc<Apikee>>) -> Self {
        Self {
            apikee: apikee.into(),
            challenge: Challenge::new(DEFAULT_HEADER, false).into(),
            excluded: DEFAULT_EXCLUDED.map(Box::from).into(),
            proxies: Proxies::default(),
            disclosed: disclosed::DEFAULT.map(Box::from).into(),
        }
    }

    /// The header that the key is in, instead of `x-api-key`; in whatever case. For `Authorization` there is
    /// [`bearer`](Self::bearer).
    ///
    /// # Errors
    ///
    /// [`InvalidHeaderName`], also for `Authorization`.
    pub fn header(mut self, name: &str) -> Result<Self, InvalidHeaderName> {
        let name = header_name(name)?;
        if *name == *"authorization" {
            return Err(InvalidHeaderName);
        }
        self.challenge = Challenge::new(&name, self.challenge.bearer).into();
        Ok(self)
    }

    /// Also accepts the key as `Authorization: Bearer apikee_...` (RFC 6750). A request with a key in both places
    /// is refused; an unrelated bearer token beside the key is ignored.
    pub fn bearer(mut self) -> Self {
        self.challenge = Challenge::new(&self.challenge.header, true).into();
        self
    }

    /// The paths that need no key, instead of `/health`, `/ready` and `/metrics`. A path is excluded if it is one
    /// of them byte for byte, whatever the query and the method: `/health/` and `/%68ealth` are not `/health`.
    ///
    /// **The path is the one that the server gives.** A router that takes a prefix off before the guard sees the
    /// request makes `/admin/metrics` into `/metrics`: put the guard before all routers, or exclude nothing there.
    pub fn excluded_paths<P: AsRef<str>>(mut self, paths: impl IntoIterator<Item = P>) -> Self {
        self.excluded = paths.into_iter().map(|path| path.as_ref().into()).collect();
        self
    }

    /// A proxy, or a network of them, whose word on the client's address is taken: `192.0.2.1`, or `10.0.0.0/8`.
    /// No proxy is trusted by default.
    ///
    /// # Errors
    ///
    /// [`InvalidNetwork`].
    pub fn trusted_proxy(mut self, network: &str) -> Result<Self, InvalidNetwork> {
        self.proxies.networks.push(network::read(network)?);
        Ok(self)
    }

    /// The trusted proxies name the client in `Forwarded` (RFC 7239), and `X-Forwarded-For` is not read. Choose the
    /// header that the proxies write themselves: the other one may come from the client.
    ///
    /// A proxy may hide the address (`for=unknown`, `for=_hidden`), and then the request has none.
    pub const fn forwarded(mut self) -> Self {
        self.proxies.notation = Notation::Forwarded;
        self
    }

    /// One more header field that the platform is told of, in server mode. It sees the key, `user-agent`, and the
    /// client's address as `x-forwarded-for` and `x-real-ip`, whatever the request says there.
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

    /// The client behind the guard.
    #[must_use]
    pub fn apikee(&self) -> &Apikee {
        &self.apikee
    }

    /// Whether a path needs no key.
    #[must_use]
    pub fn is_excluded(&self, request: &RequestView<'_>) -> bool {
        let path = request.path();
        self.excluded.iter().any(|excluded| **excluded == *path)
    }

    /// The client's address: that of the peer, or, behind trusted proxies, the one that they name in
    /// `X-Forwarded-For`, or in [`Forwarded`](Self::forwarded). `None` if the peer's is not known, or if the proxies do
    /// not tell the client's.
    #[must_use]
    pub fn client_address<'r>(&self, request: impl Into<RequestView<'r>>) -> Option<IpAddr> {
        self.proxies.client(&request.into())
    }

    /// Checks a request of whichever route: for all of a service at one place. `None` if its path is
    /// [excluded](Self::excluded_paths).
    ///
    /// In server mode the platform counts by the [template](RequestView::route) of the route. Without one it counts by
    /// the path, and no route is registered. The path that it is told is normalized (RFC 3986, section 6.2.2):
    /// `%7euser` and `~user` are the same path, and so are `%2f` and `%2F`. An escape that is not well-formed stays as
    /// it is.
    ///
    /// The grant owns what it says of the key, and a refusal does not borrow from the request.
    /// [`check_in`](Self::check_in) is the form for a buffer of the caller's.
    ///
    /// # Errors
    ///
    /// The [`Refusal`] to respond with.
    pub fn check<'r>(&self, request: impl Into<RequestView<'r>>) -> Result<Option<OwnedGrant>, Refusal<'_>> {
        let request = request.into();
        if self.is_excluded(&request) {
            return Ok(None);
        }
        self.any_route().check(request).map(Some)
    }

    /// As [`check`](Self::check), without allocation for the key: the grant borrows from the request and from `buf`.
    /// Take what you need of the claims before the request is answered.
    ///
    /// `buf` takes the key's payload: 1024 bytes are enough for most, and
    /// [`verify_buffer_len`](crate::verify_buffer_len) says how many a key needs. A key that needs more is refused as a
    /// fault of the service, with status 500.
    ///
    /// # Errors
    ///
    /// The [`Refusal`] to respond with.
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

    /// The guard of one route, whose template is given: `/users/{id}`. The platform is told of it once, with the scopes
    /// that it needs, and counts all requests of the route together. For more than that there is
    /// [`Apikee::describe`].
    pub const fn route<'g>(&'g self, template: &'g str) -> RouteGuard<'g> {
        RouteGuard { template: Some(template), ..self.any_route() }
    }

    /// The guard of a route that needs those scopes, all of them.
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
        // A token, with nothing to escape.
        let header = &self.challenge.header;
        format!(r#"{{"type":"apiKey","in":"header","name":"{header}","description":"{OPENAPI_DESCRIPTION}"}}"#)
    }

    /// The key is told of by itself; a copy would not be wiped.
    fn may_tell(&self, name: &str) -> bool {
        *name != *self.challenge.header && !(self.challenge.bearer && name == "authorization")
    }

    const fn any_route(&self) -> RouteGuard<'_> {
        RouteGuard { guard: self, template: None, scopes: &[] }
    }
}

/// Nothing of the client, which holds secrets.
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

/// The guard of one route: [`Guard`] with what the route needs. Made where it is used; nothing is allocated.
///
/// A route that has one needs a key, also under an [excluded](Guard::excluded_paths) path.
#[derive(Debug, Clone, Copy)]
#[must_use]
pub struct RouteGuard<'g> {
    pub(super) guard: &'g Guard,
    pub(super) template: Option<&'g str>,
    pub(super) scopes: &'g [&'g str],
}

impl<'g> RouteGuard<'g> {
    /// The scopes that the route needs, all of them, instead of those that were given before.
    pub const fn require(self, scopes: &'g [&'g str]) -> Self {
        Self { scopes, ..self }
    }

    /// Checks a request. The grant owns what it says of the key, and a refusal does not borrow from the request.
    ///
    /// # Errors
    ///
    /// The [`Refusal`] to respond with.
    pub fn check<'r>(self, request: impl Into<RequestView<'r>>) -> Result<OwnedGrant, Refusal<'g>> {
        let request = request.into();
        let key = self.find_key(&request);
        let texts = Texts::default();
        let facts = Guarded { route: self, request, texts: &texts, headers: OnceCell::new() };
        let mut buf = vec![0; key.ok().flatten().map_or(0, bounded_buffer_len)];
        let (verdict, claims) = self.guard.apikee.decide(key, self.scopes, &facts, &mut buf);
        verdict.map(Grant::into_owned).map_err(|denial| self.refusal(denial, &facts, key, claims))
    }

    /// Checks a request in a buffer of the caller's: see [`Guard::check_in`].
    ///
    /// # Errors
    ///
    /// The [`Refusal`] to respond with.
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
        verdict.map_err(|denial| self.refusal(denial, &facts, key, claims))
    }

    fn find_key<'r>(self, request: &RequestView<'r>) -> Result<Option<&'r [u8]>, KeyError> {
        request.key(&self.guard.challenge.header, self.guard.challenge.bearer)
    }

    fn refusal(
        self,
        denial: Denial<'g>,
        facts: &Guarded<'_, '_, '_>,
        key: Result<Option<&[u8]>, KeyError>,
        claims: Option<Claims<'_>>,
    ) -> Refusal<'g> {
        let audit = facts.audit().with_key(key.ok().flatten(), claims.as_ref());
        Refusal::new(denial, &self.guard.challenge, &audit)
    }
}

/// A request to a route that is guarded.
struct Guarded<'t, 'a, 'r: 'a> {
    route: RouteGuard<'a>,
    request: RequestView<'r>,
    texts: &'t Texts<'a>,
    headers: OnceCell<Vec<(&'t str, &'t str)>>,
}

/// The texts that the platform is told of, made once they are asked for.
#[derive(Default)]
struct Texts<'a> {
    path: OnceCell<Cow<'a, str>>,
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
        // Without a method there is nothing to ask about, which matters once the key is good.
        let about = match self.template() {
            // In a template a `?` may mean something.
            Some(template) => About::new(MethodPath::with_query(request.method, template).ok()?).as_route(),
            None => {
                let path = texts.path.get_or_init(|| disclosed::normalized(request.path()));
                About::new(MethodPath::new(request.method, path).ok()?)
            }
        };
        let allowed = guard.disclosed.iter().filter(|name| guard.may_tell(name));
        let owned = texts.headers.get_or_init(|| disclosed::headers(request, allowed, &guard.proxies));
        Some(about.headers(headers.get_or_init(|| owned.iter().map(|(name, value)| (*name, &**value)).collect())))
    }

    fn audit(&self) -> Audit<'_> {
        let address = self.route.guard.proxies.client(&self.request);
        Audit::of(self.request.method, self.template(), self.request.path(), address)
    }
}

/// In lower case, as look-ups of some servers want it.
fn header_name(name: &str) -> Result<Box<str>, InvalidHeaderName> {
    if is_token(name) { Ok(name.to_ascii_lowercase().into()) } else { Err(InvalidHeaderName) }
}

/// The name is not a token, as the names of header fields are (RFC 9110, section 5.1), or has another use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidHeaderName;

sentences!(InvalidHeaderName, "the header field cannot be used for that");
