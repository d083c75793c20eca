//! **Put a proxy in front of `tiny_http` that bounds and buffers bodies.** Without one, a single request ends the
//! service: `tiny_http` 0.12 allocates the declared length of a body that is not read, so that `Content-Length:
//! 100000000000` aborts the process and 2^64-1 panics the thread that answers. A body that stalls holds that thread for
//! ever, since there are no timeouts. When there are no file descriptors left, nobody is served again. `tests/checks/hostile`
//! has the whole list.
//!
//! This module knows the types of `tiny_http`, and a shorter way to the wire than its `Response` for refused requests.
//!
//! `Request::respond` builds header fields, with two allocations for each, and writes them piece by piece. A refusal
//! is short and known: it is put together on the stack and written at once.
//!
//! ```text
//! HTTP/1.1 401 Unauthorized                     the version of the request
//! Date: Sun, 06 Nov 1994 08:49:37 GMT           unless the clock is out of its range
//! Content-Type: application/json                Refusal::headers
//! WWW-Authenticate: ApiKey realm="apikee", ..
//! Content-Length: 66
//!
//! {"error":"MISSING_KEY", ..                    unless the method is HEAD
//! ```
//!
//! A request that is taken apart for its writer lets go of its body first, and then `tiny_http` waits for what is
//! left of it. So a body that may be still to come is answered by `Request::respond`, which writes first: the client
//! may be waiting for a status before it sends anything (`Expect: 100-continue`).
//!
//! A chunked body is read before its request is answered, up to a bound: `tiny_http` would take what is left of it for
//! further requests.

use core::{fmt::Write as _, net::SocketAddr};
use std::{
    io::{self, Cursor, ErrorKind, Read as _, Write as _},
    time::{SystemTime, UNIX_EPOCH},
    vec::Vec,
};

use ::tiny_http::{Header, Method, Request, Response, StatusCode};
use httpdate::HttpDate;

use super::{
    refusal::Refusal,
    view::{HeaderLookup, RequestView},
};
use crate::buf::Writer;

/// `tiny_http` has read a body of this length before it hands the request over, if the client does not wait.
const READ_BODY_LEN: usize = 1024;

/// What nginx lets through by default. A longer chunked body is not read to its end.
const MAX_CHUNKED_LEN: u64 = 1024 * 1024;

/// A response of this length is put together on the stack: `tiny_http`, too, collects that much before it writes.
const RESPONSE_LEN: usize = 1024;

/// Several times the usual body.
const BODY_LEN: usize = 512;

/// The first second that has no HTTP date: the year 10000.
const DATES_END: u64 = 253_402_300_800;

impl<'r> HeaderLookup<'r> for Request {
    fn get(&'r self, name: &str, nth: usize) -> Option<&'r [u8]> {
        let named = |header: &&Header| header.field.as_str().as_str().eq_ignore_ascii_case(name);
        self.headers().iter().filter(named).nth(nth).map(|header| header.value.as_bytes())
    }
}

/// With the feature `tiny_http`, which needs a proxy in front that bounds and buffers bodies: see
/// [`Refusal::respond`].
impl<'r> From<&'r Request> for RequestView<'r> {
    fn from(request: &'r Request) -> Self {
        let view = Self::new(request.method().as_str(), request.url(), request);
        Self { peer: request.remote_addr().map(SocketAddr::ip), ..view }
    }
}

impl Refusal<'_> {
    /// Responds to the request, with the feature `tiny_http`. **Put a proxy in front that bounds and buffers bodies.**
    /// Without one, a request that declares a huge body ends the process when it is refused: `tiny_http` 0.12 allocates
    /// the declared length of a body that is not read. 2^64-1 bytes are a panic. A body that stalls holds the thread, and
    /// header lines have no bound. [The module](crate::web#in-front-of-the-internet) has the table of what else happens.
    ///
    /// A chunked body is read first, up to 1 MiB: `tiny_http` would take it for further requests. Where a request is let
    /// through, the service must read such a body to its end.
    ///
    /// As a rule it takes less than `Request::respond` takes for the shortest of responses, and allocates nothing more. A body
    /// that is still to come and a long list of missing scopes are the exceptions.
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
    /// Those of the connection, but none if the client has gone away, as with `Request::respond`.
    pub fn respond(&self, mut request: Request) -> io::Result<()> {
        if HeaderLookup::get(&request, "Transfer-Encoding", 0).is_some() {
            // After an error it is unknown where a further request would begin.
            let _ = io::copy(&mut request.as_reader().take(MAX_CHUNKED_LEN), &mut io::sink());
        }
        let mut room = [0; RESPONSE_LEN];
        let response = if has_body_to_come(&request) { None } else { self.write_response(&request, &mut room) };
        let Some(response) = response else {
            return request.respond(self.to_tiny_http());
        };
        let mut writer = request.into_writer();
        unless_gone(writer.write_all(response).and_then(|()| writer.flush()))
    }

    /// The response, with the feature `tiny_http`, which needs a proxy in front as [`respond`](Self::respond) says: for
    /// more header fields, those of CORS perhaps. Without, [`respond`](Self::respond) takes less. A chunked body must be
    /// read to its end before the request is answered.
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

    /// `None` if it has no room.
    ///
    /// No value has a line break in it: they are fixed, or numbers, or name a header, and that is a token.
    fn write_response<'b>(&self, request: &Request, room: &'b mut [u8]) -> Option<&'b [u8]> {
        let mut body = [0; BODY_LEN];
        let body = self.write_body(&mut body).ok()?;
        let (version, status) = (request.http_version(), StatusCode(self.status()));
        let mut out = Writer::new(room);
        // The writer takes everything, so there is no error to lose.
        let phrase = status.default_reason_phrase();
        let _ = write!(out, "HTTP/{}.{} {} {phrase}\r\n", version.0, version.1, status.0);
        if let Some(date) = date(SystemTime::now()) {
            let _ = write!(out, "Date: {date}\r\n");
        }
        for (name, value) in self.headers() {
            for part in [name, ": ", &*value, "\r\n"] {
                out.bytes(part.as_bytes());
            }
        }
        let _ = write!(out, "Content-Length: {}\r\n\r\n", body.len());
        if *request.method() != Method::Head {
            out.bytes(body.as_bytes());
        }
        let len = out.len();
        room.get(..len)
    }
}

/// RFC 9110, section 6.6.1: a server whose clock is wrong sends none. `HttpDate` would panic.
fn date(now: SystemTime) -> Option<HttpDate> {
    let since = now.duration_since(UNIX_EPOCH).ok()?;
    (since.as_secs() < DATES_END).then(|| now.into())
}

/// Whether `tiny_http` may have to wait for the rest of the request when it is taken apart.
fn has_body_to_come(request: &Request) -> bool {
    let len = request.body_length().unwrap_or_default();
    len > READ_BODY_LEN || len > 0 && HeaderLookup::get(request, "Expect", 0).is_some()
}

/// As `Request::respond` has it.
fn unless_gone(result: io::Result<()>) -> io::Result<()> {
    use ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionRefused, ConnectionReset};
    let gone = |kind| matches!(kind, BrokenPipe | ConnectionAborted | ConnectionRefused | ConnectionReset);
    result.or_else(|error| if gone(error.kind()) { Ok(()) } else { Err(error) })
}

#[cfg(test)]
mod tests {
    use core::time::Duration;
    use std::{
        string::ToString as _,
        time::{SystemTime, UNIX_EPOCH},
    };

    use super::{DATES_END, date};

    #[test]
    fn a_clock_before_1970_or_after_9999_gives_no_date() {
        let at = |secs| date(UNIX_EPOCH + Duration::from_secs(secs)).map(|date| date.to_string());
        assert_eq!(at(784_111_777).unwrap(), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(at(DATES_END - 1).unwrap(), "Fri, 31 Dec 9999 23:59:59 GMT");
        assert_eq!(at(DATES_END), None);
        assert_eq!(date(UNIX_EPOCH - Duration::from_secs(1)), None);
        assert!(date(SystemTime::now()).is_some());
    }
}
