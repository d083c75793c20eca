//! The types of `rouille`.

use std::vec::Vec;

use ::rouille::{Request, Response, ResponseBody};

use super::{
    refusal::Refusal,
    view::{HeaderLookup, RequestView},
};

impl<'r> HeaderLookup<'r> for Request {
    fn get(&'r self, name: &str, nth: usize) -> Option<&'r [u8]> {
        let mut named = self.headers().filter(|field| field.0.eq_ignore_ascii_case(name));
        named.nth(nth).map(|field| field.1.as_bytes())
    }
}

impl<'r> From<&'r Request> for RequestView<'r> {
    fn from(request: &'r Request) -> Self {
        Self::new(request.method(), request.raw_url(), request).peer(request.remote_addr().ip())
    }
}

impl Refusal<'_> {
    /// The response, with the feature `rouille`.
    #[must_use]
    pub fn to_rouille(&self) -> Response {
        Response {
            status_code: self.status(),
            headers: self.headers().map(|(name, value)| (name.into(), value.into_owned().into())).collect::<Vec<_>>(),
            data: ResponseBody::from_string(self.body()),
            upgrade: None,
        }
    }
}
