//! The types of the `http` crate, which many servers share.

use std::string::String;

use ::http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, request::Parts};

use super::{
    refusal::Refusal,
    view::{HeaderLookup, RequestView},
};

impl<'r> HeaderLookup<'r> for HeaderMap {
    fn get(&'r self, name: &str, nth: usize) -> Option<&'r [u8]> {
        self.get_all(name).iter().nth(nth).map(HeaderValue::as_bytes)
    }
}

/// Without the peer's address, which these types do not have: see [`RequestView::peer`].
impl<'r, B> From<&'r Request<B>> for RequestView<'r> {
    fn from(request: &'r Request<B>) -> Self {
        view(request.method().as_str(), request.uri(), request.headers())
    }
}

/// Without the peer's address, which these types do not have: see [`RequestView::peer`].
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
    /// The response, with the feature `http`.
    #[must_use]
    pub fn to_http<B: From<String>>(&self) -> Response<B> {
        let mut response = Response::new(B::from(self.body()));
        *response.status_mut() = StatusCode::from_u16(self.status()).unwrap_or(StatusCode::UNAUTHORIZED);
        for (name, value) in self.headers() {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(&*value)) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}
