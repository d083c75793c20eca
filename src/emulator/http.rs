//! The part of HTTP/1.1 (RFC 9112) that the platform's clients use: requests whose bodies have a `Content-Length`, on
//! connections that are kept alive. Answers can be sent correctly or with a fault.

use core::time::Duration;
use std::{
    borrow::ToOwned as _,
    format,
    io::{self, BufRead, Read as _, Write},
    net::TcpStream,
    string::String,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    vec,
    vec::Vec,
};

use socket2::SockRef;

use crate::envelope::sealed_len;

/// The media type of all bodies except the page's.
pub(super) const JSON: &str = "application/json";

/// The header field that carries the project key.
pub(super) const PROJECT_KEY: &str = "x-api-key";

/// The maximum number of bytes of a body: the envelope of 64 KiB, the longest plaintext that the client sends.
const MAX_BODY: usize = sealed_len(64 * 1024);

/// The maximum number of bytes of a request line and header fields.
const MAX_HEAD: usize = 16 * 1024;

#[derive(Debug, Default)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    /// Whether the connection ends after this request.
    pub(super) last: bool,
}

/// Why a request cannot be read.
#[derive(Debug)]
pub(super) enum NoRequest {
    /// The connection was closed or is broken.
    Ended,
    /// The answer is this status, and then the connection is closed.
    Bad(u16),
}

impl From<io::Error> for NoRequest {
    fn from(_: io::Error) -> Self {
        Self::Ended
    }
}

const BAD: NoRequest = NoRequest::Bad(400);

impl Request {
    /// Reads the next request.
    pub(super) fn read(reader: &mut impl BufRead, writer: &mut impl Write) -> Result<Self, NoRequest> {
        let mut left = MAX_HEAD;
        let first = line(reader, &mut left)?;
        let mut parts = first.split(' ');
        let (Some(method), Some(target), Some(version), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(BAD);
        };
        if !matches!(version, "HTTP/1.1" | "HTTP/1.0") {
            return Err(NoRequest::Bad(505));
        }
        let mut this = Self { method: method.to_owned(), target: target.to_owned(), ..Self::default() };
        loop {
            let field = line(reader, &mut left)?;
            if field.is_empty() {
                break;
            }
            let (name, value) = field.split_once(':').ok_or(BAD)?;
            if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(BAD);
            }
            this.headers.push((name.to_owned(), value.trim_matches([' ', '\t']).to_owned()));
        }
        // Each field is a list (RFC 9110, sections 7.6.1 and 10.1.1).
        let says = |name: &str, word: &str| {
            let fields = this.headers.iter().filter(|(own, _)| own.eq_ignore_ascii_case(name));
            fields.flat_map(|(_, value)| value.split(',')).any(|part| part.trim().eq_ignore_ascii_case(word))
        };
        let is_old = version == "HTTP/1.0";
        let (closes, waits) = (says("connection", "close"), says("expect", "100-continue") && !is_old);
        this.last = closes || is_old;
        let len = this.body_len()?;
        if waits {
            writer.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        this.body = vec![0; len];
        reader.read_exact(&mut this.body)?;
        Ok(this)
    }

    /// The first field with this name.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Two lengths, or a length and chunks, are ambiguous, so they are refused.
    fn body_len(&self) -> Result<usize, NoRequest> {
        if self.header("transfer-encoding").is_some() {
            return Err(NoRequest::Bad(411));
        }
        let mut lengths = self.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        let len = match (lengths.next(), lengths.next()) {
            (None, _) => return Ok(0),
            (Some((_, len)), None) if !len.is_empty() && len.bytes().all(|byte| byte.is_ascii_digit()) => len,
            _ => return Err(BAD),
        };
        len.parse().ok().filter(|len| *len <= MAX_BODY).ok_or(NoRequest::Bad(413))
    }
}

/// Reads a line without its end. `left` is the number of bytes that the head may still have.
fn line(reader: &mut impl BufRead, left: &mut usize) -> Result<String, NoRequest> {
    let mut line = Vec::new();
    let limit = u64::try_from(*left).unwrap_or(u64::MAX);
    let len = reader.by_ref().take(limit).read_until(b'\n', &mut line)?;
    *left = left.saturating_sub(len);
    if line.pop_if(|byte| *byte == b'\n').is_none() {
        return Err(if *left == 0 { NoRequest::Bad(431) } else { NoRequest::Ended });
    }
    line.pop_if(|byte| *byte == b'\r');
    String::from_utf8(line).map_err(|_| BAD)
}

/// The bytes to send, and the manner of sending.
#[derive(Default)]
pub(super) struct Message {
    /// `None` if no answer is sent.
    pub(super) status: Option<u16>,
    pub(super) bytes: Vec<u8>,
    pub(super) manner: Manner,
}

#[derive(Default)]
pub(super) enum Manner {
    #[default]
    Whole,
    After(Duration),
    /// Byte by byte, with this pause after each.
    Drip(Duration),
    ThenClosed,
    Reset,
}

impl Message {
    /// An answer with a body and additional header fields, to be sent without a fault.
    pub(super) fn of(status: u16, media_type: &str, body: &[u8], more: &[(&str, &str)]) -> Self {
        let reason = reason(status);
        let len = body.len();
        let mut head = format!("HTTP/1.1 {status} {reason}\r\nContent-Type: {media_type}\r\nContent-Length: {len}\r\n");
        for (name, value) in more {
            let value: String = value.chars().filter(|c| !c.is_control()).collect();
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        Self { status: Some(status), bytes: [head.as_bytes(), body].concat(), manner: Manner::Whole }
    }

    /// Removes the body: the answer to `HEAD` has none. The emulator has no call with this method, so it is a refusal.
    pub(super) fn without_body(mut self) -> Self {
        const END: &[u8] = b"\r\n\r\n";
        if let Some(at) = self.bytes.windows(END.len()).position(|bytes| bytes == END) {
            self.bytes.truncate(at.saturating_add(END.len()));
        }
        self
    }

    /// Sends the message. Returns whether the connection may be used again.
    pub(super) fn send(self, mut stream: &TcpStream, stop: &Stop) -> io::Result<bool> {
        match self.manner {
            Manner::After(time) if stop.wait(time) => return Ok(false),
            Manner::Drip(every) => {
                for byte in self.bytes {
                    stream.write_all(&[byte])?;
                    if stop.wait(every) {
                        return Ok(false);
                    }
                }
                return Ok(true);
            }
            // With a linger time of zero, closing resets the connection. The owner of the stream closes it.
            Manner::Reset => SockRef::from(stream).set_linger(Some(Duration::ZERO))?,
            Manner::Whole | Manner::After(_) | Manner::ThenClosed => {}
        }
        stream.write_all(&self.bytes)?;
        Ok(!matches!(self.manner, Manner::ThenClosed | Manner::Reset))
    }
}

const fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        307 => "Temporary Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        411 => "Length Required",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        422 => "Unprocessable Content",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "Status",
    }
}

/// Tells all threads to stop, including those that wait.
#[derive(Default)]
pub(super) struct Stop {
    stopped: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    pub(super) fn set(&self) {
        *self.stopped() = true;
        self.changed.notify_all();
    }

    pub(super) fn is_set(&self) -> bool {
        *self.stopped()
    }

    /// Waits for this time, or until [`set`](Self::set) is called. Returns whether it was called.
    pub(super) fn wait(&self, time: Duration) -> bool {
        let waited = self.changed.wait_timeout_while(self.stopped(), time, |stopped| !*stopped);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn stopped(&self) -> MutexGuard<'_, bool> {
        self.stopped.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Decodes a name or a value of a query, with `+` for a space. `None` if it is not well-formed.
pub(super) fn decode(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                digit()? << 4 | digit()?
            }
            _ => byte,
        });
    }
    String::from_utf8(decoded).ok()
}
