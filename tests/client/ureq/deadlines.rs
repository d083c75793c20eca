//! No call takes longer than its timeout. The servers hang until the client closes the connection.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use apikee::{
    client::{Call, Received, Transport as _, TransportError, UreqTransport},
    policy::Outage,
};
use socket2::{Domain, Socket, Type};

use super::{
    AMPLE, call, post,
    server::{Connection, OK, Server},
};

const DEADLINE: Duration = Duration::from_secs(3);

/// Runs the call, and checks that it took its whole timeout and at most a fifth more.
fn timed<T>(deadline: Duration, call: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let result = call();
    let took = started.elapsed();
    assert!(took >= deadline && took < deadline.mul_f64(1.2), "took {took:?} of {deadline:?}");
    result
}

/// A listener whose queue is full, so that further connections wait.
pub(crate) struct BlackHole {
    _listener: Socket,
    _queue: Vec<Socket>,
    addr: SocketAddr,
}

impl BlackHole {
    pub(crate) fn new() -> Self {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        listener.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        listener.listen(0).unwrap();
        let local = listener.local_addr().unwrap();
        let mut queue = Vec::new();
        loop {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            let connected = socket.connect_timeout(&local, Duration::from_millis(100));
            queue.push(socket);
            if connected.is_err() {
                break;
            }
        }
        Self { _listener: listener, _queue: queue, addr: local.as_socket().unwrap() }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }
}

#[test]
fn connecting_times_out_at_the_deadline() {
    let hole = BlackHole::new();
    let transport = UreqTransport::builder().base_url(&hole.url()).connect_timeout(AMPLE).build().unwrap();
    let error = timed(DEADLINE, || post(&transport, DEADLINE));
    assert_eq!(error, Err(TransportError::Outage(Outage::Timeout)));
}

#[test]
fn connect_timeout_can_be_shorter_than_the_deadline() {
    let hole = BlackHole::new();
    let transport = UreqTransport::builder().base_url(&hole.url()).connect_timeout(DEADLINE).build().unwrap();
    let error = timed(DEADLINE, || post(&transport, AMPLE));
    assert_eq!(error, Err(TransportError::Outage(Outage::Connect)));
}

#[test]
fn connect_timeout_ends_when_the_connection_is_made() {
    let (sender, receiver) = std::sync::mpsc::channel();
    let receiver = std::sync::Mutex::new(receiver);
    let server = Server::run(move |connection, _| {
        connection.request();
        receiver.lock().unwrap().recv().unwrap();
        connection.write(OK);
    });
    let timeout = Duration::from_millis(100);
    let transport = UreqTransport::builder().base_url(&server.url()).connect_timeout(timeout).build().unwrap();
    std::thread::scope(|scope| {
        let call = scope.spawn(|| post(&transport, AMPLE));
        crate::wait_until(|| !server.requests().is_empty());
        // The answer comes after the connect timeout.
        std::thread::sleep(timeout * 2);
        sender.send(()).unwrap();
        assert_eq!(call.join().unwrap().unwrap().1, b"ok");
    });
}

#[test]
fn server_that_never_answers_times_out_at_the_deadline() {
    let server = Server::run(|connection, _| {
        connection.request();
        connection.wait_for_end();
    });
    let transport = UreqTransport::new(&server.url()).unwrap();
    let error = timed(DEADLINE, || post(&transport, DEADLINE));
    assert_eq!(error, Err(TransportError::Outage(Outage::Timeout)));
    assert_eq!(server.connections(), 1);
}

#[test]
fn dripping_answer_is_cut_at_the_deadline() {
    for head in ["", "HTTP/1.1 200 OK\r\nX: ", "HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n"] {
        let server = Server::run(move |connection, _| {
            connection.request();
            connection.write(head.as_bytes());
            let drip: &[u8] = if head.is_empty() { b"\r\n" } else { b"x" };
            while connection.write(drip) {
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let transport = UreqTransport::new(&server.url()).unwrap();
        let error = timed(DEADLINE, || post(&transport, DEADLINE));
        assert_eq!(error, Err(TransportError::Outage(Outage::Timeout)), "{head}");
    }
}

/// How a server continues an answer: its last header field, and then its action.
type Rest = (&'static str, fn(&mut Connection<TcpStream>));

#[test]
fn call_does_not_wait_for_the_body_of_an_error() {
    let stall: fn(&mut Connection<TcpStream>) = |connection| connection.wait_for_end();
    let drip: fn(&mut Connection<TcpStream>) = |connection| {
        while connection.write(b"x") {
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    let rests: [Rest; 9] = [
        ("Content-Length: 100", stall),
        ("Content-Length: 65536", stall),
        ("Content-Length: 18446744073709551615", stall),
        ("Connection: close", stall),
        ("Transfer-Encoding: chunked", stall),
        ("Content-Length: 60000", drip),
        ("Connection: close", drip),
        ("Transfer-Encoding: chunked", |connection| {
            while connection.write(b"1\r\nx\r\n") {
                std::thread::sleep(Duration::from_millis(1));
            }
        }),
        ("Transfer-Encoding: chunked", |connection| while connection.write(b"4\r\nmore\r\n") {}),
    ];
    for (number, (field, rest)) in rests.into_iter().enumerate() {
        let server = Server::run(move |connection, _| {
            connection.request();
            connection.write(format!("HTTP/1.1 429 Slow Down\r\nRetry-After: 7\r\n{field}\r\n\r\n").as_bytes());
            rest(connection);
        });
        let transport = UreqTransport::new(&server.url()).unwrap();
        for connections in 1..=2 {
            let started = Instant::now();
            let (received, _) = post(&transport, Duration::from_secs(3)).unwrap();
            // The limit is 50 ms. The rest is for a busy machine.
            assert!(started.elapsed() < Duration::from_secs(2), "{number} {field}: {:?}", started.elapsed());
            assert_eq!(received, Received { status: 429, len: 0, retry_after: Some(7) });
            assert_eq!(server.connections(), connections, "{number} {field}");
        }
    }
}

/// More than the sockets' buffers hold.
const BIG: usize = 32 << 20;

#[test]
fn server_that_does_not_read_times_out_at_the_deadline() {
    let (sender, receiver) = std::sync::mpsc::channel::<()>();
    let receiver = std::sync::Mutex::new(receiver);
    let server = Server::run(move |_, _| receiver.lock().unwrap().recv().unwrap());
    let transport = UreqTransport::new(&server.url()).unwrap();
    let body = vec![b'x'; BIG];
    let call = Call { body: &body, ..call(DEADLINE) };
    let error = timed(DEADLINE, || transport.call(&call, &mut [0; 100]));
    assert_eq!(error, Err(TransportError::Outage(Outage::Timeout)));
    sender.send(()).unwrap();
}

#[test]
fn server_that_reads_slowly_times_out_at_the_deadline() {
    use std::io::Read as _;
    let server = Server::on_streams(|_, mut stream, _| {
        let mut piece = vec![0; 4096];
        while matches!(stream.read(&mut piece), Ok(1..)) {
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    let transport = UreqTransport::new(&server.url()).unwrap();
    let body = vec![b'x'; BIG];
    let call = Call { body: &body, ..call(DEADLINE) };
    let error = timed(DEADLINE, || transport.call(&call, &mut [0; 100]));
    assert_eq!(error, Err(TransportError::Outage(Outage::Timeout)));
}

#[test]
fn retry_has_the_same_deadline() {
    // The connection ends, or the server reports that it was idle for too long.
    for end in ["", "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"] {
        let server = Server::run(move |connection, number| {
            connection.request();
            if number == 0 {
                connection.write(OK);
                connection.request();
                // After half of the time, this connection ends.
                std::thread::sleep(DEADLINE / 2);
                connection.write(end.as_bytes());
                return;
            }
            connection.wait_for_end();
        });
        let transport = UreqTransport::new(&server.url()).unwrap();
        post(&transport, AMPLE).unwrap();
        let error = timed(DEADLINE, || post(&transport, DEADLINE));
        assert_eq!(error, Err(TransportError::Outage(Outage::Timeout)));
        assert_eq!((server.connections(), server.requests().len()), (2, 3));
    }
}

#[test]
fn timeout_of_zero_makes_no_call_and_the_longest_timeout_does_not_panic() {
    let server = Server::answering(OK);
    let transport = UreqTransport::new(&server.url()).unwrap();
    assert_eq!(post(&transport, Duration::ZERO), Err(TransportError::Outage(Outage::Timeout)));
    assert_eq!(server.connections(), 0);
    let transport = UreqTransport::builder()
        .base_url(&server.url())
        .connect_timeout(Duration::MAX)
        .max_idle_age(Duration::MAX)
        .build()
        .unwrap();
    post(&transport, Duration::MAX).unwrap();
    post(&transport, Duration::MAX).unwrap();
    assert_eq!(server.connections(), 1);
}
