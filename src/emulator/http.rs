//! As much of HTTP/1.1 (RFC 9112) as the platform's clients speak: requests whose bodies have a
//! `Content-Length`, over connections that are kept alive.

use std::{
    borrow::ToOwned as _,
    format,
    io::{self, BufRead, Read as _, Write},
    string::String,
    vec,
    vec::Vec,
};

/// The header field that carries the project key.
pub(super) const PROJECT_KEY: &str = "x-api-key";

/// Bytes of a body that are read.
const MAX_BODY: usize = 64 * 1024;

/// Bytes of a request line and header fields that are read.
const MAX_HEAD: usize = 16 * 1024;

#[derive(Debug, Default)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    /// Whether the connection ends with it.
    pub(super) last: bool,
}

/// Why a request cannot be read.
#[derive(Debug)]
pub(super) enum NoRequest {
    /// The connection has ended or is broken.
    Ended,
    /// What came deserves this status, and the connection to be closed.
    Bad(u16),
}

impl From<io::Error> for NoRequest {
    fn from(_: io::Error) -> Self {
        Self::Ended
    }
}

const BAD: NoRequest = NoRequest::Bad(400);

impl Request {
    /// Reads the next one.
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
        let says = |name, word: &str| this.header(name).is_some_and(|value| value.eq_ignore_ascii_case(word));
        let (closes, waits) = (says("connection", "close"), says("expect", "100-continue"));
        this.last = closes || version == "HTTP/1.0";
        let len = this.body_len()?;
        if waits {
            writer.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        this.body = vec![0; len];
        reader.read_exact(&mut this.body)?;
        Ok(this)
    }

    /// The first field of that name.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Two lengths, or a length and chunks, could be read in two ways.
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

/// A line without its end, from what is left of the head.
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

/// The status line and header fields of an answer.
pub(super) fn head(status: u16, media_type: &str, body_len: usize, more: &[(&str, &str)]) -> String {
    let mut head =
        format!("HTTP/1.1 {status} {}\r\nContent-Type: {media_type}\r\nContent-Length: {body_len}\r\n", reason(status));
    for (name, value) in more {
        let value: String = value.chars().filter(|c| !c.is_control()).collect();
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    head
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

/// Undoes the encoding of a path or, with `+` for a space, of a query; `None` if it is not well-formed.
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
