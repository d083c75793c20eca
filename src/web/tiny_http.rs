//! **Put a proxy that limits and buffers bodies in front of `tiny_http`.** Without one, a single request can end the
//! service. `tiny_http` 0.12 allocates the declared length of a body that is not read: `Content-Length: 100000000000`
//! aborts the process, and 2^64-1 panics the thread that answers. A body that stalls holds that thread for ever,
//! because there are no timeouts. After the process runs out of file descriptors, it answers no further request. The
//! full list is in `tests/checks/hostile`.
//!
//! A chunked body is read, up to a limit, before its request is refused: `tiny_http` would take the rest of it for
//! further requests. Any other body is left to `Request::respond`, which first writes the answer and then reads the
//! rest of the request. This order matters: a client may wait for a status before it sends its body (`Expect:
//! 100-continue`).

use core::net::SocketAddr;
use std::{
    io::{self, Cursor, Read as _},
    vec::Vec,
};

use ::tiny_http::{Header, Request, Response};

use super::{
    refusal::Refusal,
    request::{HeaderLookup, RequestView},
};

/// The default limit of nginx. A longer chunked body is not read to its end.
const MAX_CHUNKED_LEN: u64 = 1024 * 1024;

impl<'r> HeaderLookup<'r> for Request {
    fn get(&'r self, name: &str, nth: usize) -> Option<&'r [u8]> {
        let named = |header: &&Header| header.field.as_str().as_str().eq_ignore_ascii_case(name);
        self.headers().iter().filter(named).nth(nth).map(|header| header.value.as_bytes())
    }
}

/// Needs the feature `tiny_http`, and a proxy in front that limits and buffers bodies: see [`Refusal::respond`].
impl<'r> From<&'r Request> for RequestView<'r> {
    fn from(request: &'r Request) -> Self {
        let view = Self::new(request.method().as_str(), request.url(), request);
        Self { peer: request.remote_addr().map(SocketAddr::ip), ..view }
    }
}

impl Refusal<'_> {
    /// Responds to the request. Needs the feature `tiny_http`. **Put a proxy in front that limits and buffers bodies.**
    /// Without one, a refused request that declares a huge body ends the process: `tiny_http` 0.12 allocates the
    /// declared length of a body that is not read. A length of 2^64-1 panics. A body that stalls holds the thread, and
    /// header lines have no limit. [The module](crate::web#in-front-of-the-internet) has a table of all faults.
    ///
    /// A chunked body is read first, up to 1 MiB: `tiny_http` would take it for further requests. If a request is
    /// granted, the service must read such a body to its end.
    ///
    /// ```
    /// # use apikee::web::Guard;
    /// # use tiny_http::{Request, Response};
    /// fn serve(guard: &Guard, request: Request) -> std::io::Result<()> {
    ///     let response = match guard.require(&["read"]).check(&request) {
    ///         Ok(grant) => Response::from_string(grant.key().claims().tenant()),
    ///         Err(refusal) => return refusal.respond(request),
    ///     };
    ///     request.respond(response)
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// Errors of the connection, except that the client has gone away, as with `Request::respond`.
    pub fn respond(&self, mut request: Request) -> io::Result<()> {
        if HeaderLookup::get(&request, "Transfer-Encoding", 0).is_some() {
            // After an error, the beginning of a further request is unknown.
            let _ = io::copy(&mut request.as_reader().take(MAX_CHUNKED_LEN), &mut io::sink());
        }
        request.respond(self.to_tiny_http())
    }

    /// The response, for adding further header fields (of CORS, for example). Needs the feature `tiny_http`, and a
    /// proxy in front: see [`respond`](Self::respond). Read a chunked body to its end before you answer the request.
    #[must_use]
    pub fn to_tiny_http(&self) -> Response<Cursor<Vec<u8>>> {
        let body = self.body().into_bytes();
        let len = body.len();
        let mut response = Response::new(self.status().into(), Vec::new(), Cursor::new(body), Some(len), None);
        for (name, value) in self.headers() {
            let header = Header::from_bytes(name, value.as_bytes());
            debug_assert!(header.is_ok(), "names are fixed, and values are ASCII");
            if let Ok(header) = header {
                response.add_header(header);
            }
        }
        response
    }
}
