//! Which connections are kept, and when a request is sent twice.

use std::{
    net::{Ipv4Addr, Shutdown, SocketAddr},
    sync::{Arc, Barrier, mpsc},
    thread,
    time::Duration,
};

use apikee::{
    client::{Call, Received, Transport as _, TransportError, UreqTransport},
    policy::Outage,
    protocol::HttpMethod,
};
use socket2::{Domain, SockRef, Socket, Type};

use super::{
    AMPLE, call, post,
    server::{Connection, OK, Server},
};

#[test]
fn twenty_calls_take_one_connection() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "HTTP/1.1 204 None\r\n\r\n",
        "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 2\r\n\r\nno",
        "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno",
        "HTTP/1.1 429 Slow Down\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n",
        "HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\nno",
    ] {
        let server = Server::answering(answer);
        let transport = UreqTransport::new(&server.url()).unwrap();
        for _ in 0..20 {
            post(&transport, AMPLE).unwrap();
        }
        assert_eq!((server.connections(), server.requests().len()), (1, 20), "{answer}");
    }
}

#[test]
fn body_of_an_error_is_skipped_up_to_64_kib() {
    for (len, connections) in [(64 * 1024, 1), (64 * 1024 + 1, 2)] {
        for chunked in [false, true] {
            let body = "x".repeat(len);
            let server = Server::answering(if chunked {
                format!("HTTP/1.1 500 Oh\r\nTransfer-Encoding: chunked\r\n\r\n{len:x}\r\n{body}\r\n0\r\n\r\n")
            } else {
                format!("HTTP/1.1 500 Oh\r\nContent-Length: {len}\r\n\r\n{body}")
            });
            let transport = UreqTransport::new(&server.url()).unwrap();
            for _ in 0..2 {
                assert_eq!(post(&transport, AMPLE).unwrap().0.status, 500);
            }
            assert_eq!(server.connections(), connections, "{len} {chunked}");
        }
    }
}

#[test]
fn calls_in_flight_keep_their_connections() {
    const CALLS: usize = 32;
    let all_there = Arc::new(Barrier::new(CALLS));
    let server = Server::run(move |connection, _| {
        while connection.request().is_some() {
            all_there.wait();
            connection.write(OK);
        }
    });
    let transport = UreqTransport::new(&server.url()).unwrap();
    for _ in 0..3 {
        thread::scope(|scope| {
            for _ in 0..CALLS {
                scope.spawn(|| post(&transport, AMPLE).unwrap());
            }
        });
    }
    assert_eq!((server.connections(), server.requests().len()), (CALLS, 3 * CALLS));
}

#[test]
fn connections_above_max_idle_connections_are_not_kept() {
    let server = Server::answering(OK);
    let transport = UreqTransport::builder().base_url(&server.url()).max_idle_connections(0).build().unwrap();
    for _ in 0..3 {
        post(&transport, AMPLE).unwrap();
    }
    assert_eq!(server.connections(), 3);
}

#[test]
fn connections_older_than_max_idle_age_are_not_kept() {
    let server = Server::answering(OK);
    let transport = UreqTransport::builder().base_url(&server.url()).max_idle_age(Duration::ZERO).build().unwrap();
    for _ in 0..3 {
        post(&transport, AMPLE).unwrap();
    }
    assert_eq!(server.connections(), 3);
}

#[test]
pub(crate) fn calls_succeed_with_a_server_that_closes_idle_connections() {
    let (sender, closed) = mpsc::channel();
    let server = Server::run(move |connection, _| {
        connection.request();
        connection.write(OK);
        connection.stream().shutdown(Shutdown::Both).unwrap();
        sender.send(()).unwrap();
    });
    let transport = UreqTransport::new(&server.url()).unwrap();
    for _ in 0..5 {
        assert_eq!(post(&transport, AMPLE).unwrap().1, b"ok");
        closed.recv().unwrap();
    }
    assert_eq!(server.connections(), 5);
}

/// The ways in which a server ends a connection after it has read a request.
const ENDS: [fn(&std::net::TcpStream); 2] = [
    |stream| stream.shutdown(Shutdown::Both).unwrap(),
    // A reset.
    |stream| SockRef::from(stream).set_linger(Some(Duration::ZERO)).unwrap(),
];

#[test]
pub(crate) fn kept_connection_that_ends_without_a_byte_is_retried_once() {
    for end in ENDS {
        let server = Server::run(move |connection, number| {
            connection.request();
            connection.write(OK);
            connection.request();
            if number == 0 {
                return end(connection.stream());
            }
            connection.write(OK);
        });
        let transport = UreqTransport::new(&server.url()).unwrap();
        for _ in 0..3 {
            assert_eq!(post(&transport, AMPLE).unwrap().1, b"ok");
        }
        // The second request was sent twice.
        assert_eq!((server.connections(), server.requests().len()), (2, 4));
        assert_eq!(server.requests()[1], server.requests()[2]);
    }
}

#[test]
fn get_is_retried_like_a_post() {
    let server = Server::run(|connection, _| {
        connection.request();
        connection.write(OK);
        connection.request();
    });
    let transport = UreqTransport::new(&server.url()).unwrap();
    let get = Call { method: HttpMethod::Get, body: b"", ..call(AMPLE) };
    for _ in 0..2 {
        assert_eq!(transport.call(&get, &mut [0; 8]).unwrap().status, 200);
    }
    assert_eq!((server.connections(), server.requests().len()), (2, 3));
    assert_eq!(server.requests()[1], server.requests()[2]);
}

/// The answer of a server that closes an idle connection.
const IDLE: &[u8] = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

#[test]
pub(crate) fn status_408_on_a_kept_connection_is_retried_on_a_new_one() {
    for idle in [IDLE, b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\nidle", b"HTTP/1.0 408 Idle\r\n\r\n"] {
        let server = Server::run(move |connection, number| {
            connection.request();
            connection.write(OK);
            if number == 0 && connection.request().is_some() {
                connection.write(idle);
            }
        });
        let transport = UreqTransport::new(&server.url()).unwrap();
        for _ in 0..2 {
            assert_eq!(post(&transport, AMPLE).unwrap().1, b"ok");
        }
        assert_eq!((server.connections(), server.requests().len()), (2, 3));
    }
}

#[test]
fn status_408_on_a_new_connection_is_the_answer() {
    let server = Server::answering(IDLE);
    let transport = UreqTransport::new(&server.url()).unwrap();
    for _ in 0..2 {
        assert_eq!(post(&transport, AMPLE).unwrap().0.status, 408);
    }
    assert_eq!((server.connections(), server.requests().len()), (2, 2));
}

#[test]
fn status_408_to_the_second_try_is_the_answer() {
    let server = Server::run(|connection, number| {
        connection.request();
        if number == 0 {
            connection.write(OK);
            connection.request();
        }
        connection.write(IDLE);
    });
    let transport = UreqTransport::new(&server.url()).unwrap();
    post(&transport, AMPLE).unwrap();
    assert_eq!(post(&transport, AMPLE).unwrap().0.status, 408);
    assert_eq!((server.connections(), server.requests().len()), (2, 3));
}

#[test]
pub(crate) fn retry_uses_a_new_connection() {
    const CALLS: usize = 4;
    let all_there = Arc::new(Barrier::new(CALLS));
    let server = Server::run(move |connection, number| {
        connection.request();
        if number < CALLS {
            all_there.wait();
        }
        connection.write(OK);
        // All kept connections fail when they are used again.
        connection.request();
    });
    let transport = UreqTransport::new(&server.url()).unwrap();
    thread::scope(|scope| {
        for _ in 0..CALLS {
            scope.spawn(|| post(&transport, AMPLE).unwrap());
        }
    });
    assert_eq!(server.connections(), CALLS);
    assert_eq!(post(&transport, AMPLE).unwrap().1, b"ok");
    assert_eq!((server.connections(), server.requests().len()), (CALLS + 1, CALLS + 2));
}

#[test]
pub(crate) fn failed_retry_is_the_last_try() {
    for end in ENDS {
        let server = Server::run(move |connection, number| {
            connection.request();
            if number == 0 {
                connection.write(OK);
                connection.request();
            }
            end(connection.stream());
        });
        let transport = UreqTransport::new(&server.url()).unwrap();
        post(&transport, AMPLE).unwrap();
        assert_eq!(post(&transport, AMPLE), Err(TransportError::Outage(Outage::Reset)));
        assert_eq!((server.connections(), server.requests().len()), (2, 3));
    }
}

#[test]
pub(crate) fn failure_of_a_new_connection_is_never_retried() {
    for end in ENDS {
        let server = Server::run(move |connection, _| {
            connection.request();
            end(connection.stream());
        });
        let transport = UreqTransport::new(&server.url()).unwrap();
        assert_eq!(post(&transport, AMPLE), Err(TransportError::Outage(Outage::Reset)));
        assert_eq!((server.connections(), server.requests().len()), (1, 1));
    }
}

#[test]
pub(crate) fn nothing_is_sent_twice_after_a_byte_of_an_answer() {
    for part in ["H", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no"] {
        let server = Server::run(move |connection, _| {
            connection.request();
            connection.write(OK);
            connection.request();
            connection.write(part.as_bytes());
        });
        let transport = UreqTransport::new(&server.url()).unwrap();
        post(&transport, AMPLE).unwrap();
        assert_eq!(post(&transport, AMPLE), Err(TransportError::Outage(Outage::Reset)), "{part}");
        assert_eq!((server.connections(), server.requests().len()), (1, 2), "{part}");
    }
}

#[test]
pub(crate) fn kept_connection_that_ends_while_a_request_is_sent_is_retried() {
    for end in ENDS {
        let server = Server::on_streams(move |server, stream, number| {
            let mut connection = Connection::new(stream, server.clone());
            connection.request();
            connection.write(OK);
            if number == 0 {
                // Less than the body, which is larger than the sockets' buffers.
                connection.read_some();
                end(connection.stream());
            }
        });
        let transport = UreqTransport::new(&server.url()).unwrap();
        post(&transport, AMPLE).unwrap();
        let body = vec![b'x'; 32 << 20];
        let received = transport.call(&Call { body: &body, ..call(AMPLE) }, &mut [0; 8]);
        assert_eq!(received, Ok(Received { status: 200, len: 2, retry_after: None }));
        assert_eq!((server.connections(), server.requests().len()), (2, 2));
    }
}

#[test]
fn kept_connection_that_stays_silent_is_not_retried() {
    let server = Server::run(|connection, _| {
        connection.request();
        connection.write(OK);
        connection.request();
        connection.wait_for_end();
    });
    let transport = UreqTransport::new(&server.url()).unwrap();
    post(&transport, AMPLE).unwrap();
    let timeout = Duration::from_secs(1);
    assert_eq!(post(&transport, timeout), Err(TransportError::Outage(Outage::Timeout)));
    crate::wait_until(|| server.requests().len() == 2);
    assert_eq!(server.connections(), 1);
}

#[test]
fn refused_connection_is_an_outage() {
    // The socket is bound, so that no other test gets the port, but it does not listen.
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    let url = format!("http://{}", socket.local_addr().unwrap().as_socket().unwrap());
    assert_eq!(post(&UreqTransport::new(&url).unwrap(), AMPLE), Err(TransportError::Outage(Outage::Connect)));
}
