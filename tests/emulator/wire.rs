//! A connection, and the bytes that arrive on it.

use std::{
    io::{self, BufRead as _, BufReader, ErrorKind, Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use apikee::emulator::Emulator;
use serde_json::Value;

pub(crate) struct Wire(BufReader<TcpStream>);

#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Wire {
    pub(crate) fn to(emulator: &Emulator) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", emulator.port())).unwrap();
        stream.set_nodelay(true).unwrap();
        // Nothing takes this long; a test that hangs must fail.
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Self(BufReader::new(stream))
    }

    pub(crate) fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.get_mut().write_all(bytes.as_ref()).unwrap();
    }

    /// Tells the peer that no more will be written.
    pub(crate) fn finish(&mut self) {
        self.0.get_mut().shutdown(std::net::Shutdown::Write).unwrap();
    }

    /// Reads exactly `len` bytes.
    pub(crate) fn read_exact(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.0.read_exact(&mut bytes).unwrap();
        bytes
    }

    pub(crate) fn post(&mut self, target: &str, headers: &[(String, String)], body: &[u8]) -> io::Result<()> {
        let mut head = format!("POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n", body.len());
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        self.0.get_mut().write_all(&[head.as_bytes(), b"\r\n", body].concat())
    }

    /// The next answer. An error if it is not complete.
    pub(crate) fn read(&mut self) -> io::Result<Response> {
        let status_line = self.line()?;
        let status = status_line.strip_prefix("HTTP/1.1 ").unwrap().get(..3).unwrap().parse().unwrap();
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(": ") else { break };
            headers.push((name.to_owned(), value.to_owned()));
        }
        let mut response = Response { status, headers, body: Vec::new() };
        response.body = vec![0; response.header("Content-Length").unwrap().parse().unwrap()];
        self.0.read_exact(&mut response.body)?;
        Ok(response)
    }

    /// All bytes until the connection ends regularly.
    pub(crate) fn read_to_end(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.0.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// The number of bytes from one read. It is 1 if they arrive one at a time and the test is fast enough.
    pub(crate) fn read_some(&mut self) -> usize {
        let len = self.0.fill_buf().unwrap().len();
        self.0.consume(len);
        len
    }

    #[track_caller]
    pub(crate) fn assert_ended(&mut self) {
        assert_eq!(self.read_to_end().unwrap(), b"");
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.0.read_line(&mut line)?;
        let line = line.strip_suffix("\r\n").ok_or(ErrorKind::UnexpectedEof)?;
        Ok(line.to_owned())
    }
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}
