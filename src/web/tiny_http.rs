//! **Put a proxy that limits and buffers bodies in front of `tiny_http`.** Without one, a single request can end the
//! service. `tiny_http` 0.12 allocates the declared length of a body that is not read: `Content-Length: 100000000000`
//! aborts the process, and 2^64-1 panics the thread that answers. A body that stalls holds that thread for ever,
//! because there are no timeouts. A request of the version `HTTP/2.0` holds a thread and two descriptors until the
//! process ends. After the process runs out of file descriptors, it answers no further request. The full list is in
//! `tests/checks/hostile`.
//!
//! A chunked body is read to its end before its request is answered: `tiny_http` would take the rest of it for further
//! requests, and cannot be told to close a connection. So there is no limit to its length. Any other body is left to
//! `Request::respond`, which first writes the answer and then reads the rest of the request. This order matters: a
//! client may wait for a status before it sends its body (`Expect: 100-continue`).

use core::net::SocketAddr;
use std::{
    io::{self, Cursor},
    vec::Vec,
};

use ::tiny_http::{Header, Request, Response};

use super::{
    refusal::Refusal,
    request::{HeaderLookup, RequestView},
};

/// Malformed lines that are read at most. Proxies forward far fewer trailers, a hundred for example.
const MAX_MALFORMED_LINES: usize = 2_000;

/// Reads a chunked body to its end, and does nothing to any other request. Needs the feature `tiny_http`. **Call it
/// before you answer a request**, with or without a guard: `tiny_http` 0.12 takes the unread rest of a chunked body for
/// further requests. Behind a proxy, a client could hide a request in a body in this way. [`Refusal::respond`] calls
/// it.
///
/// If the client asks for an upgrade (`Connection: Upgrade`), nothing is read, because `tiny_http` would read without
/// end. It closes the connection after the answer.
///
/// The length is not limited, and a body that stalls holds the thread: a proxy in front must limit and buffer bodies.
/// The proxy must also refuse malformed chunks. After one, `tiny_http` does not know where the body ends. After
/// trailers it does not know either. This function then reads until the client closes the connection, until the end of
/// a body seems to follow, or for 2,000 malformed lines. `tiny_http` takes the rest for further requests.
pub fn read_chunked_body(request: &mut Request) {
    // `tiny_http` decides by the first field, and by this word anywhere in it.
    let upgrade = HeaderLookup::get(&*request, "Connection", 0)
        .is_some_and(|value| value.to_ascii_lowercase().windows(7).any(|word| word == b"upgrade"));
    if HeaderLookup::get(&*request, "Transfer-Encoding", 0).is_none() || upgrade {
        return;
    }
    // A closed connection is reported like a malformed line, and again for each attempt to read.
    for _ in 0..MAX_MALFORMED_LINES {
        if io::copy(request.as_reader(), &mut io::sink()).is_ok() {
            return;
        }
    }
}

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
    /// A chunked body is read first. Call [`read_chunked_body`](super::read_chunked_body) also before all other answers:
    ///
    /// ```
    /// # use apikee::web::{Guard, read_chunked_body};
    /// # use tiny_http::{Header, Request, Response};
    /// fn serve(guard: &Guard, mut request: Request) -> std::io::Result<()> {
    ///     read_chunked_body(&mut request);
    ///     let response = match guard.require(&["read"]).check(&request) {
    ///         Ok(grant) => Response::from_string(grant.key().claims().tenant()),
    ///         Err(refusal) => return refusal.respond(request),
    ///     };
    ///     // A cache in front must not give one caller's answer to another.
    ///     let no_store = Header::from_bytes("Cache-Control", "no-store").expect("it is ASCII");
    ///     request.respond(response.with_header(no_store))
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// An error of the connection. As with `Request::respond`, it is not an error if the client has closed it.
    pub fn respond(&self, mut request: Request) -> io::Result<()> {
        read_chunked_body(&mut request);
        request.respond(self.to_tiny_http())
    }

    /// The response, for adding further header fields (of CORS, for example). Needs the feature `tiny_http`, and a
    /// proxy in front: see [`respond`](Self::respond). Call [`read_chunked_body`](super::read_chunked_body) first.
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
