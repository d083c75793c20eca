//! Refusals as `tiny_http` sends them over the wire: each has its status, and the next request is answered.

use std::{
    io::{self, Write as _},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::Arc,
    thread,
    time::{Duration, SystemTime},
};

use apikee::{
    NewKey,
    web::{Guard, read_chunked_body},
};
use tiny_http::{Header, Request, Response, Server};

use crate::{
    guard, key,
    wire::{Connection, LONG, get, request},
};

/// A service that runs to the end of the test.
struct Service {
    address: SocketAddr,
    server: Arc<Server>,
    worker: Option<thread::JoinHandle<()>>,
}

impl Service {
    /// Handles requests one after the other.
    fn start(serve: fn(&Guard, Request)) -> Self {
        let server = Arc::new(Server::http("127.0.0.1:0").unwrap());
        let (address, theirs) = (server.server_addr().to_ip().unwrap(), Arc::clone(&server));
        let worker = thread::spawn(move || {
            let guard = guard();
            theirs.incoming_requests().for_each(|request| serve(&guard, request));
        });
        Self { address, server, worker: Some(worker) }
    }

    fn connect(&self) -> Connection {
        Connection::to(self.address)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.server.unblock();
        let ended = self.worker.take().map(thread::JoinHandle::join);
        assert!(thread::panicking() || matches!(ended, Some(Ok(()))));
    }
}

/// As in the documentation.
fn serve(guard: &Guard, mut request: Request) {
    read_chunked_body(&mut request);
    refuse_or_serve(guard, request);
}

/// Leaves a chunked body to `Refusal::respond`.
fn refuse_or_serve(guard: &Guard, request: Request) {
    let response = match guard.route("/users").require(&["read"]).check(&request) {
        Ok(_) => json(),
        Err(refusal) => return refusal.respond(request).unwrap(),
    };
    request.respond(response).unwrap();
}

fn json() -> Response<io::Cursor<Vec<u8>>> {
    Response::from_string("{}").with_header(Header::from_bytes("Content-Type", "application/json").unwrap())
}

const MISSING: &str = r#"{"error":"MISSING_KEY","message":"'x-api-key' header is required"}"#;

#[test]
fn a_refusal_is_a_complete_response_with_a_date() {
    let service = Service::start(serve);
    let mut connection = service.connect();
    connection.send(&get(None));
    let reply = connection.reply();
    assert_eq!(reply.status_line, "HTTP/1.1 401 Unauthorized");
    assert_eq!(reply.body, MISSING);
    let date = httpdate::parse_http_date(reply.field("date").unwrap()).unwrap();
    assert!(SystemTime::now().duration_since(date).unwrap() < LONG, "{reply:?}");
    let mut names: Vec<&str> = reply.fields.iter().map(|field| &*field.0).collect();
    names.sort_unstable();
    assert_eq!(names, ["content-length", "content-type", "date", "server", "www-authenticate"]);
    connection.goes_on();
}

#[test]
fn each_refusal_has_its_status_for_all_methods_and_versions() {
    let service = Service::start(serve);
    let under_scoped = issued(NewKey::new("acme-corp").scopes(&["write"]));
    let good = key();
    for line in ["GET /users HTTP/1.1", "HEAD /users HTTP/1.1", "GET /users HTTP/1.0", "POST /users HTTP/1.1"] {
        for (key, status) in [
            (None, 401),
            (Some("nonsense"), 401),
            (Some("apikee_a.b"), 401),
            (Some(&good[..good.len() - 1]), 401),
            (Some(&*under_scoped), 403),
        ] {
            let mut connection = service.connect();
            connection.send(&request(line, key, "Connection: keep-alive\r\n"));
            let reply = connection.reply_to(line.split(' ').next().unwrap());
            assert_eq!(reply.status(), status, "{line}, {key:?}: {reply:?}");
            assert_eq!(reply.field("content-type"), Some("application/json"));
            connection.goes_on();
        }
    }
}

fn issued(new: NewKey<'_>) -> String {
    guard().apikee().issue(&new, &mut [0; 1024]).unwrap().key().to_owned()
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    let service = Service::start(serve);
    let mut connection = service.connect();
    let (good, bad) = (get(Some(&key())), get(Some("nonsense")));
    let head = request("HEAD /users HTTP/1.1", None, "");
    connection.send(&[&*bad, &good, &head, &bad, &bad, &good, &head, &good].concat());
    for (method, status) in [
        ("GET", 401),
        ("GET", 200),
        ("HEAD", 401),
        ("GET", 401),
        ("GET", 401),
        ("GET", 200),
        ("HEAD", 401),
        ("GET", 200),
    ] {
        assert_eq!(connection.reply_to(method).status(), status);
    }
    connection.goes_on();
}

#[test]
fn a_refusal_waits_for_the_response_before_it() {
    let server = Server::http("127.0.0.1:0").unwrap();
    let mut connection = Connection::to(server.server_addr().to_ip().unwrap());
    connection.send(&[get(Some(&key())), get(None)].concat());
    let [first, second] = [(); 2].map(|()| server.recv().unwrap());
    thread::scope(|scope| {
        scope.spawn(|| serve(&guard(), second));
        connection.stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        assert!(connection.stream.peek(&mut [0]).is_err(), "the refusal must not come first");
        connection.stream.set_read_timeout(Some(LONG)).unwrap();
        serve(&guard(), first);
        assert_eq!([connection.reply().status(), connection.reply().status()], [200, 401]);
    });
}

#[test]
fn a_response_to_head_has_the_length_of_the_body_and_no_body() {
    let service = Service::start(serve);
    let mut connection = service.connect();
    connection.send(&request("HEAD /users HTTP/1.1", None, ""));
    let reply = connection.reply_to("HEAD");
    assert_eq!(reply.status_line, "HTTP/1.1 401 Unauthorized");
    assert_eq!(reply.field("content-length"), Some(&*MISSING.len().to_string()));
    connection.goes_on();
}

#[test]
fn http_1_0_gets_a_1_0_response_and_is_closed_without_keep_alive() {
    let service = Service::start(serve);
    let mut connection = service.connect();
    connection.send(&request("GET /users HTTP/1.0", None, ""));
    let reply = connection.reply();
    assert_eq!((&*reply.status_line, &*reply.body), ("HTTP/1.0 401 Unauthorized", MISSING));
    connection.ends();

    let mut connection = service.connect();
    connection.send(&request("GET /users HTTP/1.0", None, "Connection: keep-alive\r\n"));
    assert_eq!(connection.reply().status_line, "HTTP/1.0 401 Unauthorized");
    connection.goes_on();
}

#[test]
fn connection_close_closes_the_connection() {
    let service = Service::start(serve);
    let mut connection = service.connect();
    connection.send(&request("GET /users HTTP/1.1", None, "Connection: close\r\n"));
    assert_eq!(connection.reply().status(), 401);
    connection.ends();
}

#[test]
fn an_upgrade_is_answered_at_once_and_the_connection_closed() {
    let good = key();
    for (key, status) in [(None, 401), (Some(&*good), 200)] {
        for connection_field in ["Upgrade", "keep-alive, UPGRADE", "not-upgraded"] {
            for framing in ["", "Transfer-Encoding: chunked\r\n", "Content-Length: 5000\r\n"] {
                let who = format!("{key:?}, {connection_field}, {framing}");
                let service = Service::start(serve);
                let mut connection = service.connect();
                let fields = format!("Connection: {connection_field}\r\nUpgrade: websocket\r\n{framing}");
                connection.send(&request("GET /users HTTP/1.1", key, &fields));
                assert_eq!((connection.reply().status(), connection.text()), (status, String::new()), "{who}");
                connection.ends();
            }
        }
    }
}

#[test]
fn only_the_first_connection_field_asks_for_an_upgrade() {
    let service = Service::start(serve);
    let mut connection = service.connect();
    let fields = "Connection: keep-alive\r\nConnection: Upgrade\r\nTransfer-Encoding: chunked\r\n";
    connection.send(&request("POST /users HTTP/1.1", None, fields));
    connection.send(&extended(&get(Some(&key()))));
    assert_eq!(connection.reply().status(), 401);
    connection.goes_on();
}

#[test]
fn an_unread_body_is_not_read_as_a_request() {
    let service = Service::start(serve);
    for len in [0, 1, 40, 1024, 1025, 5_000, 1_000_000] {
        // The body looks like a request.
        let body: String = get(Some(&key())).chars().cycle().take(len).collect();
        let mut connection = service.connect();
        connection.send(&request("POST /users HTTP/1.1", None, &format!("Content-Length: {len}\r\n")));
        connection.send(&body);
        let reply = connection.reply();
        assert_eq!((reply.status(), &*reply.body), (401, MISSING), "{len}");
        connection.goes_on();
    }
}

#[test]
fn a_client_that_waits_before_a_long_body_gets_the_answer_first() {
    let service = Service::start(serve);
    for (len, expect) in [(1, "Expect: 100-continue\r\n"), (1025, "Expect: 100-continue\r\n"), (1_000_000, "")] {
        let mut connection = service.connect();
        let fields = format!("Content-Length: {len}\r\n{expect}");
        connection.send(&request("POST /users HTTP/1.1", None, &fields));
        // There is no `100 Continue` before the answer, because the body is not wanted.
        let reply = connection.reply();
        assert_eq!((&*reply.status_line, &*reply.body), ("HTTP/1.1 401 Unauthorized", MISSING), "{len}");
        // The client may send the body anyway. The connection continues after it.
        connection.send(&"x".repeat(len));
        connection.goes_on();
    }
}

#[test]
fn an_unread_chunked_body_is_not_read_as_a_request() {
    let service = Service::start(serve);
    for (len, expect) in [(0, ""), (1, ""), (40, "Expect: 100-continue\r\n"), (5_000, ""), (1_000_000, "")] {
        // The body looks like a request.
        let body: String = get(Some(&key())).chars().cycle().take(len).collect();
        let chunk = if len == 0 { String::new() } else { format!("{len:x}\r\n{body}\r\n") };
        let mut connection = service.connect();
        let fields = format!("Transfer-Encoding: chunked\r\n{expect}");
        connection.send(&request("POST /users HTTP/1.1", None, &fields));
        connection.send(&format!("{chunk}0\r\n\r\n"));
        if !expect.is_empty() {
            assert_eq!(connection.reply_to("HEAD").status(), 100);
        }
        let reply = connection.reply();
        assert_eq!((reply.status(), &*reply.body), (401, MISSING), "{len}");
        connection.goes_on();
    }
}

/// A chunked body. If its first line is read as a request line, the data continues with a request.
fn extended(data: &str) -> String {
    let data = format!("Host: a\r\n\r\n{data}");
    format!("{:x};x /y HTTP/1.1\r\n{data}\r\n0\r\n\r\n", data.len())
}

#[test]
fn a_chunked_body_hides_no_request() {
    let good = key();
    let hidden = get(Some(&good));
    let mebibyte = format!("{:x}\r\n{}\r\n", 1 << 20, "x".repeat(1 << 20));
    type Serve = fn(&Guard, Request);
    for (serve, key, status) in [(serve as Serve, None, 401), (serve, Some(&*good), 200), (refuse_or_serve, None, 401)]
    {
        let service = Service::start(serve);
        for body in
            [extended(&hidden), extended(""), mebibyte.clone() + &extended(&hidden), mebibyte.repeat(3) + "0\r\n\r\n"]
        {
            for line in ["GET /users HTTP/1.1", "POST /users HTTP/1.1", "OPTIONS /other HTTP/1.1"] {
                let who = format!("{line}, {key:?}, {} bytes", body.len());
                let mut connection = service.connect();
                connection.send(&request(line, key, "Transfer-Encoding: chunked\r\n"));
                connection.send(&body);
                assert_eq!(connection.reply().status(), status, "{who}");
                connection.goes_on();
            }
        }
    }
}

#[test]
fn a_malformed_chunked_body_and_trailers_hide_no_request() {
    let good = key();
    let hidden = get(Some(&good));
    let trailers = format!("0\r\nXGET: /users HTTP/1.1\r\nX-Api-Key: {good}\r\n\r\n");
    for (serve, key, status) in [(serve as fn(&Guard, Request), Some(&*good), 200), (refuse_or_serve, None, 401)] {
        let service = Service::start(serve);
        for body in [
            trailers.clone(),
            format!("1\r\nx\r\n{trailers}"),
            format!("zz\r\n{hidden}"),
            format!("{}\r\n{hidden}", "f".repeat(20)),
            format!("1\r\nxyz{hidden}"),
        ] {
            let mut connection = service.connect();
            connection.send(&request("POST /users HTTP/1.1", key, "Transfer-Encoding: chunked\r\n"));
            connection.send(&body);
            connection.stream.shutdown(Shutdown::Write).unwrap();
            assert_eq!(connection.reply().status(), status, "{body:?}");
            connection.ends();
        }
    }
}

#[test]
fn expect_100_continue_with_an_empty_body_is_answered() {
    let service = Service::start(serve);
    let mut connection = service.connect();
    connection.send(&request("POST /users HTTP/1.1", None, "Content-Length: 0\r\nExpect: 100-continue\r\n"));
    assert_eq!(connection.reply().status_line, "HTTP/1.1 401 Unauthorized");
    connection.goes_on();
}

#[test]
fn a_long_response_is_sent_completely() {
    let service = Service::start(|guard, request| {
        let len: usize = request.url()[1..].parse().unwrap();
        let long = "x".repeat(len);
        let scopes = ["one", &*long, "three"];
        let refusal = guard.require(&scopes).check(&request).unwrap_err();
        refusal.respond(request).unwrap();
    });
    for len in [1, 440, 460, 500, 600, 800, 1_000, 30_000] {
        let mut connection = service.connect();
        let line = format!("GET /{len} HTTP/1.1");
        for _ in 0..2 {
            connection.send(&request(&line, Some(&key()), ""));
            let reply = connection.reply();
            assert_eq!(reply.status_line, "HTTP/1.1 403 Forbidden");
            let message = format!("Key missing required scopes: one, {}, three", "x".repeat(len));
            assert_eq!(reply.body, format!(r#"{{"error":"INSUFFICIENT_SCOPE","message":"{message}"}}"#));
        }
    }
}

#[test]
fn a_long_header_name_is_sent_completely() {
    let service = Service::start(|_, request| {
        let name = "x".repeat(request.url()[1..].parse().unwrap());
        let guard = guard().header(&name).unwrap();
        let refusal = guard.check(&request).unwrap_err();
        refusal.respond(request).unwrap();
    });
    for len in [1, 100, 380, 390, 400, 410, 420, 1_000, 2_000] {
        let mut connection = service.connect();
        connection.send(&request(&format!("GET /{len} HTTP/1.1"), None, ""));
        let (reply, name) = (connection.reply(), "x".repeat(len));
        assert_eq!(reply.body, MISSING.replace("x-api-key", &name));
        assert_eq!(reply.field("www-authenticate"), Some(&*format!(r#"ApiKey realm="apikee", header="{name}""#)));
    }
}

#[test]
fn a_closed_connection_is_not_an_error() {
    let server = Server::http("127.0.0.1:0").unwrap();
    let stream = TcpStream::connect(server.server_addr().to_ip().unwrap()).unwrap();
    (&stream).write_all(get(None).repeat(2).as_bytes()).unwrap();
    let requests: Vec<Request> = (0..2).map(|_| server.recv().unwrap()).collect();
    // A reset instead of a regular end.
    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    drop(stream);
    thread::sleep(Duration::from_millis(100));
    let guard = guard();
    for request in requests {
        let refusal = guard.check(&request).unwrap_err();
        assert!(refusal.respond(request).is_ok());
    }
}
