//! Answers that arrive before the whole request was sent.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    time::{Duration, Instant},
};

use apikee::{
    client::{Call, Received, Transport as _, TransportError, UreqTransport},
    policy::Outage,
    protocol::HttpMethod,
};
use socket2::SockRef;

use super::{
    AMPLE, call, post,
    server::{Connection, OK, Server},
    tls::{Authority, serve},
};

/// More than the sockets' buffers hold.
const BIG: usize = 16 << 20;

/// The action of a server after its answer.
type End = fn(&mut Connection<TcpStream>);

const ENDS: [(&str, End); 5] = [
    // There is unread input, so this resets the connection.
    ("close", |_| {}),
    ("reset", |connection| SockRef::from(connection.stream()).set_linger(Some(Duration::ZERO)).unwrap()),
    ("linger", |connection| {
        connection.stream().shutdown(Shutdown::Write).unwrap();
        connection.wait_for_end();
    }),
    ("read on", |connection| connection.wait_for_end()),
    ("stop reading", |_| {
        loop {
            std::thread::park();
        }
    }),
];

/// Makes a call with a body of this length. The server reads only the head, answers, and ends the connection. With
/// `kept`, the connection was used before.
fn answered_early(
    answer: &'static [u8],
    end: End,
    kept: bool,
    len: usize,
) -> (Server, Result<Received, TransportError>) {
    let server = Server::run(move |connection, number| {
        if kept || number > 0 {
            connection.request();
            connection.write(OK);
        }
        if number == 0 && connection.head().is_some() {
            connection.write(answer);
            end(connection);
        }
    });
    let transport = UreqTransport::new(&server.url()).unwrap();
    if kept {
        post(&transport, AMPLE).unwrap();
    }
    let body = vec![b'x'; len];
    let started = Instant::now();
    let result = transport.call(&Call { body: &body, ..call(AMPLE) }, &mut [0; 8]);
    assert!(started.elapsed() < AMPLE / 2, "{:?}", started.elapsed());
    // The first connection is not used again.
    assert_eq!(server.connections(), 1);
    assert_eq!(post(&transport, AMPLE).unwrap().1, b"ok");
    assert_eq!(server.connections(), 2);
    (server, result)
}

#[test]
pub(crate) fn answer_before_the_whole_request_is_used() {
    for answer in [
        b"HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\nRetry-After: 7\r\n\r\nlong".as_slice(),
        b"HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\nRetry-After: 7\r\nConnection: close\r\n\r\nlong",
        b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nRetry-After: 7\r\n\r\nlong",
        b"HTTP/1.1 103 Early Hints\r\nLink: </>\r\n\r\nHTTP/1.1 413 Too Large\r\nRetry-After: 7\r\n\r\n",
    ] {
        for (name, end) in ENDS {
            for kept in [false, true] {
                let (_, result) = answered_early(answer, end, kept, BIG);
                let expected = Received { status: 413, len: 0, retry_after: Some(7) };
                assert_eq!(result, Ok(expected), "{name} {kept} {}", String::from_utf8_lossy(answer));
            }
        }
    }
}

#[test]
fn early_answer_of_success_is_read_completely() {
    for (name, end) in ENDS {
        let (_, result) = answered_early(OK, end, true, BIG);
        assert_eq!(result, Ok(Received { status: 200, len: 2, retry_after: None }), "{name}");
    }
}

#[test]
fn early_answer_to_a_short_request_is_used() {
    for (name, end) in ENDS {
        let (_, result) = answered_early(b"HTTP/1.1 413 Too Large\r\n\r\n", end, true, 100);
        assert_eq!(result.map(|received| received.status), Ok(413), "{name}");
    }
}

#[test]
pub(crate) fn truncated_early_answer_is_an_outage_and_not_retried() {
    for part in ["H", "HTTP/1.1 413 Too", "HTTP/1.1 103 Early Hints\r\n\r\n"] {
        for (name, end) in &ENDS[..3] {
            for kept in [false, true] {
                let (server, result) = answered_early(part.as_bytes(), *end, kept, BIG);
                assert_eq!(result, Err(TransportError::Outage(Outage::Reset)), "{part} {name} {kept}");
                assert_eq!(server.requests().len(), 1 + usize::from(kept));
            }
        }
    }
}

#[test]
fn request_continues_after_an_interim_answer() {
    for interim in [
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 103 Early",
        "HTTP/1.1",
    ] {
        let rest = if interim.ends_with('\n') {
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        } else if interim.ends_with("Early") {
            " Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        } else {
            " 200 OK\r\nContent-Length: 2\r\n\r\nok"
        };
        let server = Server::run(move |connection, _| {
            while let Some(request) = connection.head() {
                connection.write(interim.as_bytes());
                connection.body_of(request);
                connection.write(rest.as_bytes());
            }
        });
        let transport = UreqTransport::new(&server.url()).unwrap();
        let body = vec![b'x'; BIG];
        for _ in 0..2 {
            let received = transport.call(&Call { body: &body, ..call(AMPLE) }, &mut [0; 8]).unwrap();
            assert_eq!((received.status, received.len), (200, 2), "{interim}");
        }
        assert_eq!(server.connections(), 1, "{interim}");
        assert!(server.requests().iter().all(|request| request.body == body) && server.requests().len() == 2);
    }
}

#[test]
fn early_answer_over_tls_is_used() {
    let ends: [fn(&TcpStream); 3] = [
        |_| {},
        |stream| SockRef::from(stream).set_linger(Some(Duration::ZERO)).unwrap(),
        |mut stream| {
            let _ = std::io::copy(&mut stream, &mut std::io::sink());
        },
    ];
    for end in ends {
        let ca = Authority::new();
        let server = serve(ca.config("localhost"), move |connection| {
            if connection.head().is_some() {
                connection.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\n\r\nlong");
                end(connection.stream().get_ref());
            }
        });
        let url = format!("https://localhost:{}", server.port());
        let transport = UreqTransport::builder().base_url(&url).ca_pem(ca.pem().as_bytes()).build().unwrap();
        let body = vec![b'x'; BIG];
        let received = transport.call(&Call { body: &body, ..call(AMPLE) }, &mut [0; 8]);
        assert_eq!(received, Ok(Received { status: 413, len: 0, retry_after: None }));
        assert_eq!(server.connections(), 1);
    }
}

/// Waits until the client is stuck, because nobody reads.
fn wait_until_stuck(stream: &TcpStream) {
    let mut queue = vec![0; BIG];
    let (mut len, mut still) = (0, 0);
    while still < 4 {
        std::thread::sleep(Duration::from_millis(50));
        let before = std::mem::replace(&mut len, stream.peek(&mut queue).unwrap());
        still = if len == before { still + 1 } else { 0 };
    }
}

/// Makes a call to a server that reads only the head. It sends `early` when the client is stuck. With `reads`, it reads
/// the rest and sends `late`.
fn stuck(tls: bool, early: &'static [u8], reads: bool, late: &'static [u8]) {
    fn script<S: Read + Write>(connection: &mut Connection<S>, tcp: &TcpStream, early: &[u8], late: Option<&[u8]>) {
        let Some(head) = connection.head() else { return };
        wait_until_stuck(tcp);
        connection.write(early);
        let Some(late) = late else {
            loop {
                std::thread::park();
            }
        };
        connection.body_of(head);
        connection.write(late);
        connection.wait_for_end();
    }
    let late = reads.then_some(late);
    let ca = Authority::new();
    let server = if tls {
        serve(ca.config("localhost"), move |connection| {
            let tcp = connection.stream().get_ref().try_clone().unwrap();
            script(connection, &tcp, early, late);
        })
    } else {
        Server::run(move |connection, _| {
            let tcp = connection.stream().try_clone().unwrap();
            script(connection, &tcp, early, late);
        })
    };
    let url = format!("{}://localhost:{}", if tls { "https" } else { "http" }, server.port());
    let transport = UreqTransport::builder().base_url(&url).ca_pem(ca.pem().as_bytes()).build().unwrap();
    let body: Vec<u8> = (0..BIG).map(|n| (n % 251) as u8).collect();
    let started = Instant::now();
    let received = transport.call(&Call { body: &body, ..call(AMPLE) }, &mut [0; 8]);
    assert!(started.elapsed() < AMPLE / 2, "{:?}", started.elapsed());
    assert_eq!(received.map(|received| received.status), Ok(413));
    assert_eq!(server.connections(), 1);
    assert_eq!(server.requests().len(), usize::from(reads));
    assert!(server.requests().iter().all(|request| request.body == body));
}

#[test]
fn early_answer_is_used_when_the_request_is_stuck() {
    for tls in [false, true] {
        stuck(tls, b"HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\n\r\nlong", false, b"");
    }
}

#[test]
fn stuck_request_continues_after_an_interim_answer() {
    for tls in [false, true] {
        stuck(tls, b"HTTP/1.1 102 Processing\r\n\r\n", true, b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n");
        stuck(tls, b"HTTP/1.1 ", true, b"413 Too Large\r\nContent-Length: 0\r\n\r\n");
    }
}

#[test]
fn long_request_over_tls_arrives_completely() {
    let ca = Authority::new();
    let server =
        serve(ca.config("localhost"), |connection| while connection.request().is_some() && connection.write(OK) {});
    let url = format!("https://localhost:{}", server.port());
    let transport = UreqTransport::builder().base_url(&url).ca_pem(ca.pem().as_bytes()).build().unwrap();
    // TLS tickets arrive during the request.
    let body: Vec<u8> = (0..BIG / 8).map(|n| (n % 251) as u8).collect();
    for _ in 0..2 {
        let call = Call { method: HttpMethod::Post, body: &body, ..call(AMPLE) };
        assert_eq!(transport.call(&call, &mut [0; 8]).unwrap().status, 200);
    }
    assert_eq!(server.connections(), 1);
    assert!(server.requests().iter().all(|request| request.body == body) && server.requests().len() == 2);
}
