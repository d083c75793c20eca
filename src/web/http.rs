//! Support for the types of the `http` crate, which many servers share.

use std::string::String;

use ::http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, request::Parts};

use super::{
    refusal::Refusal,
    request::{HeaderLookup, RequestView},
};

impl<'r> HeaderLookup<'r> for HeaderMap {
    fn get(&'r self, name: &str, nth: usize) -> Option<&'r [u8]> {
        self.get_all(name).iter().nth(nth).map(HeaderValue::as_bytes)
    }
}

/// The view has no peer address, because these types have none: see [`RequestView::peer`].
impl<'r, B> From<&'r Request<B>> for RequestView<'r> {
    fn from(request: &'r Request<B>) -> Self {
        view(request.method().as_str(), request.uri(), request.headers())
    }
}

/// The view has no peer address, because these types have none: see [`RequestView::peer`].
impl<'r> From<&'r Parts> for RequestView<'r> {
    fn from(parts: &'r Parts) -> Self {
        view(parts.method.as_str(), &parts.uri, &parts.headers)
    }
}

fn view<'r>(method: &'r str, uri: &'r ::http::Uri, headers: &'r HeaderMap) -> RequestView<'r> {
    let target = uri.path_and_query().map_or("", |target| target.as_str());
    RequestView::new(method, target, headers)
}

impl Refusal<'_> {
    /// The response. Needs the feature `http`.
    ///
    /// ```no_run
    /// use std::time::Duration;
    ///
    /// use apikee::{Apikee, web::Guard};
    /// use oxhttp::{
    ///     Server,
    ///     model::{Body, Request, Response},
    /// };
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let guard = Guard::new(Apikee::from_env()?);
    /// Server::new(move |request: &mut Request<Body>| match (request.method().as_str(), request.uri().path()) {
    ///     ("GET", "/users") => match guard.route("/users").require(&["read"]).check(&*request) {
    ///         Ok(grant) => Response::builder()
    ///             .header("cache-control", "no-store") // a cache must not give this answer to others
    ///             .body(format!("hello {}", grant.key().claims().tenant()).into())
    ///             .expect("the parts are valid"),
    ///         Err(refusal) => refusal.to_http(),
    ///     },
    ///     // Without a body, so it is also an answer to `HEAD`.
    ///     _ => Response::builder().status(404).body(Body::empty()).expect("the parts are valid"),
    /// })
    /// .bind(([127, 0, 0, 1], 8080))
    /// .with_global_timeout(Duration::from_secs(10))
    /// .with_max_concurrent_connections(400)
    /// .spawn()?
    /// .join()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// The example `oxhttp` shows a complete service.
    #[must_use]
    pub fn to_http<B: From<String>>(&self) -> Response<B> {
        let mut response = Response::new(B::from(self.body()));
        let status = StatusCode::from_u16(self.status());
        debug_assert!(status.is_ok(), "statuses have three digits");
        *response.status_mut() = status.unwrap_or(StatusCode::UNAUTHORIZED);
        for (name, value) in self.headers() {
            let field = HeaderName::try_from(name).ok().zip(HeaderValue::try_from(&*value).ok());
            debug_assert!(field.is_some(), "names are fixed, and values are ASCII");
            response.headers_mut().extend(field);
        }
        response
    }
}
