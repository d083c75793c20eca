//! A server on loopback: each connection runs a script.

use std::{
    io::{BufRead as _, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

pub(crate) const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// All values of this header field.
    pub(crate) fn header(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str()).collect()
    }
}

#[derive(Clone)]
pub(crate) struct Server {
    addr: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Runs `script` for each connection, each on its own thread. The number of the connection starts at 0.
    pub(crate) fn run<F>(script: F) -> Self
    where
        F: Fn(&mut Connection<TcpStream>, usize) + Send + Sync + 'static,
    {
        Self::on_streams(move |server, stream, number| {
            script(&mut Connection::new(stream, server.clone()), number);
        })
    }

    /// Answers each request of each connection with the same bytes.
    pub(crate) fn answering(answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        Self::run(move |connection, _| {
            while connection.request().is_some() {
                connection.write(&answer);
            }
        })
    }

    /// Runs `script` with the stream of each connection, without HTTP.
    pub(crate) fn on_streams<F>(script: F) -> Self
    where
        F: Fn(&Server, TcpStream, usize) + Send + Sync + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server =
            Self { addr: listener.local_addr().unwrap(), connections: Arc::default(), requests: Arc::default() };
        let (shared, script) = (server.clone(), Arc::new(script));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                // Nothing takes this long; a test that hangs must fail.
                stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
                stream.set_nodelay(true).unwrap();
                let number = shared.connections.fetch_add(1, SeqCst);
                let (shared, script) = (shared.clone(), Arc::clone(&script));
                thread::spawn(move || script(&shared, stream, number));
            }
        });
        server
    }

    pub(crate) fn port(&self) -> u16 {
        self.addr.port()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/api/v1", self.addr)
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(SeqCst)
    }

    /// All complete requests.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

/// A connection on the server's side.
pub(crate) struct Connection<S: Read + Write> {
    stream: BufReader<S>,
    server: Server,
}

impl<S: Read + Write> Connection<S> {
    pub(crate) fn new(stream: S, server: Server) -> Self {
        Self { stream: BufReader::new(stream), server }
    }

    /// The next request. `None` at the end of the connection.
    pub(crate) fn request(&mut self) -> Option<Request> {
        let head = self.head()?;
        self.body_of(head)
    }

    /// Reads the rest of this request.
    pub(crate) fn body_of(&mut self, mut request: Request) -> Option<Request> {
        let len = request.header("content-length").first().map_or(0, |len| len.parse().unwrap());
        request.body = vec![0; len];
        self.stream.read_exact(&mut request.body).ok()?;
        self.server.requests.lock().unwrap().push(request.clone());
        Some(request)
    }

    /// The next request without its body, which is not read.
    pub(crate) fn head(&mut self) -> Option<Request> {
        let line = self.line()?;
        let mut headers = Vec::new();
        while let Some((name, value)) = self.line()?.split_once(": ") {
            headers.push((name.to_owned(), value.to_owned()));
        }
        Some(Request { line, headers, body: Vec::new() })
    }

    /// Returns whether the bytes were written. The peer may have closed the connection.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> bool {
        let stream = self.stream.get_mut();
        stream.write_all(bytes).and_then(|()| stream.flush()).is_ok()
    }

    /// Waits for the next bytes.
    pub(crate) fn read_some(&mut self) {
        let len = self.stream.fill_buf().unwrap().len();
        self.stream.consume(len);
    }

    /// Waits for the peer to close the connection.
    pub(crate) fn wait_for_end(&mut self) {
        while matches!(self.stream.read(&mut [0; 1024]), Ok(1..)) {}
    }

    pub(crate) fn stream(&self) -> &S {
        self.stream.get_ref()
    }

    pub(crate) fn stream_mut(&mut self) -> &mut S {
        self.stream.get_mut()
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line).ok()?;
        line.strip_suffix("\r\n").map(str::to_owned)
    }
}
