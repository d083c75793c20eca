//! HTTP on the wire. No library in between can hide a server's mistakes.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpStream},
    time::Duration,
};

use crate::key;

/// Far longer than any step of these tests takes.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// A connection to a server.
pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    /// Bytes that were received but not yet used.
    read: Vec<u8>,
}

/// A response. Its field names are in lower case.
#[derive(Debug, PartialEq)]
pub(crate) struct Reply {
    pub(crate) status_line: String,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let mut named = self.fields.iter().filter(|field| field.0 == name);
        let value = named.next().map(|field| &*field.1);
        assert!(named.next().is_none(), "{name} twice: {self:?}");
        value
    }

    pub(crate) fn status(&self) -> u16 {
        self.status_line.split(' ').nth(1).unwrap().parse().unwrap()
    }
}

impl Connection {
    pub(crate) fn to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, read: vec![] }
    }

    pub(crate) fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).unwrap();
    }

    /// Reads more bytes. Returns `false` at the end.
    fn read_more(&mut self) -> bool {
        let mut piece = [0; 4096];
        let len = self.stream.read(&mut piece).unwrap_or_else(|error| panic!("{error}, after {:?}", self.text()));
        self.read.extend(&piece[..len]);
        len > 0
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.read).into_owned()
    }

    pub(crate) fn reply(&mut self) -> Reply {
        self.reply_to("GET")
    }

    pub(crate) fn reply_to(&mut self, method: &str) -> Reply {
        let head = loop {
            if let Some(end) = self.read.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break end + 4;
            }
            assert!(self.read_more(), "no response, but {:?}", self.text());
        };
        let text = String::from_utf8(self.read.drain(..head).collect()).unwrap();
        let mut lines = text.trim_end().split("\r\n");
        let status_line = lines.next().unwrap().to_owned();
        let field = |line: &str| {
            let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("{text:?}"));
            (name.to_ascii_lowercase(), value.to_owned())
        };
        let mut reply = Reply { status_line, fields: lines.map(field).collect(), body: String::new() };
        let len = if method == "HEAD" { 0 } else { reply.field("content-length").unwrap().parse().unwrap() };
        while self.read.len() < len {
            assert!(self.read_more(), "{reply:?} and {:?}", self.text());
        }
        reply.body = String::from_utf8(self.read.drain(..len).collect()).unwrap();
        reply
    }

    /// Checks that nothing else arrives.
    pub(crate) fn ends(&mut self) {
        while self.read_more() {}
        assert_eq!(self.text(), "");
    }

    /// Checks that the connection still works. The service must have `/users` behind a guard.
    pub(crate) fn goes_on(&mut self) {
        self.send(&get(Some(&key())));
        assert_eq!(self.reply().status_line, "HTTP/1.1 200 OK");
        self.send(&get(None));
        assert_eq!(self.reply().status_line, "HTTP/1.1 401 Unauthorized");
        self.stream.shutdown(Shutdown::Write).unwrap();
        self.ends();
    }
}

/// A request without a body, or the part before the body.
pub(crate) fn request(line: &str, key: Option<&str>, fields: &str) -> String {
    let key = key.map(|key| format!("x-api-key: {key}\r\n")).unwrap_or_default();
    format!("{line}\r\nHost: localhost\r\n{key}{fields}\r\n")
}

pub(crate) fn get(key: Option<&str>) -> String {
    request("GET /users HTTP/1.1", key, "")
}
