//! The types of `tiny_http`.

use core::net::SocketAddr;
use std::{io::Cursor, vec::Vec};

use ::tiny_http::{Header, Request, Response};

use super::{
    refusal::Refusal,
    view::{HeaderLookup, RequestView},
};

impl<'r> HeaderLookup<'r> for Request {
    fn get(&'r self, name: &str, nth: usize) -> Option<&'r [u8]> {
        let named = |header: &&Header| header.field.as_str().as_str().eq_ignore_ascii_case(name);
        self.headers().iter().filter(named).nth(nth).map(|header| header.value.as_bytes())
    }
}

impl<'r> From<&'r Request> for RequestView<'r> {
    fn from(request: &'r Request) -> Self {
        let view = Self::new(request.method().as_str(), request.url(), request);
        Self { peer: request.remote_addr().map(SocketAddr::ip), ..view }
    }
}

impl Refusal<'_> {
    /// The response, with the feature `tiny_http`.
    #[must_use]
    pub fn to_tiny_http(&self) -> Response<Cursor<Vec<u8>>> {
        let body = self.body().into_bytes();
        let len = body.len();
        let mut response = Response::new(self.status().into(), Vec::new(), Cursor::new(body), Some(len), None);
        for (name, value) in self.headers() {
            if let Ok(header) = Header::from_bytes(name, value.as_bytes()) {
                response.add_header(header);
            }
        }
        response
    }
}
