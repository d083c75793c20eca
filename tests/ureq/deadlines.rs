//! One deadline for all of a call.

use std::{
    io::Write as _,
    net::{TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use apikee::{Outage, UreqTransport};

use crate::{
    LONG, outage, post,
    server::{Requests, Server},
};

const LIMIT: Duration = Duration::from_millis(500);

/// What comes of a call that may take [`LIMIT`], and takes no more than a fifth longer.
fn within_the_limit(transport: &UreqTransport) -> Result<(u16, Vec<u8>), apikee::TransportError> {
    let start = Instant::now();
    let came = post(transport, LIMIT);
    let elapsed = start.elapsed();
    assert!(elapsed <= LIMIT.mul_f32(1.2), "{elapsed:?}");
    came
}

#[test]
fn a_server_that_says_nothing_is_a_timeout() {
    let server = Server::start(|stream| {
        let mut requests = Requests::of(&stream);
        while requests.next().is_some() {}
    });
    let transport = UreqTransport::new(&server.url()).unwrap();
    assert_eq!(within_the_limit(&transport), outage(Outage::Timeout));
}

#[test]
fn a_server_that_drips_is_a_timeout_in_the_header_and_in_the_body() {
    for (at_once, dripping) in [
        (&b""[..], "HTTP/1.1 200 OK\r\nX-Long: ".to_owned() + &"x".repeat(1000)),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", "x".repeat(1000)),
    ] {
        let server = Server::start(move |stream| {
            let _ = Requests::of(&stream).next();
            let _ = (&stream).write_all(at_once);
            for byte in dripping.bytes() {
                thread::sleep(Duration::from_millis(20));
                if (&stream).write_all(&[byte]).is_err() {
                    return;
                }
            }
        });
        let transport = UreqTransport::new(&server.url()).unwrap();
        assert_eq!(within_the_limit(&transport), outage(Outage::Timeout));
    }
}

/// A listener whose queue is full answers no further connection: its packets go into a black hole.
struct BlackHole {
    listener: TcpListener,
    _waiting: Vec<TcpStream>,
}

impl BlackHole {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        // The queue holds 128 by default; the first that does not get in shows that it is full.
        let waiting = (0..5000).map_while(|_| TcpStream::connect_timeout(&address, Duration::from_millis(200)).ok());
        let waiting: Vec<_> = waiting.collect();
        assert!(waiting.len() < 5000);
        Self { listener, _waiting: waiting }
    }
}

#[test]
fn a_black_hole_costs_the_connect_timeout_or_the_deadline_whichever_is_first() {
    let hole = BlackHole::new();
    let url = format!("http://{}", hole.listener.local_addr().unwrap());
    let transport = UreqTransport::new(&url).unwrap();
    assert!(matches!(
        within_the_limit(&transport),
        Err(apikee::TransportError::Outage(Outage::Connect | Outage::Timeout))
    ));
    let transport = UreqTransport::builder().base_url(&url).connect_timeout(LIMIT).build().unwrap();
    let start = Instant::now();
    assert_eq!(post(&transport, LONG), outage(Outage::Connect));
    assert!(start.elapsed() <= LIMIT.mul_f32(1.2), "{:?}", start.elapsed());
}

#[test]
fn a_retry_gets_only_what_is_left_of_the_time() {
    // The first connection is closed on its second request; all others are silent.
    let first = std::sync::atomic::AtomicBool::new(true);
    let server = Server::start(move |stream| {
        let mut requests = Requests::of(&stream);
        let _ = requests.next();
        if first.swap(false, std::sync::atomic::Ordering::SeqCst) {
            let _ = (&stream).write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
            let _ = requests.next();
            thread::sleep(LIMIT / 2);
        } else {
            while requests.next().is_some() {}
        }
    });
    let transport = UreqTransport::new(&server.url()).unwrap();
    assert_eq!(within_the_limit(&transport), Ok((200, b"{}".to_vec())));
    assert_eq!(within_the_limit(&transport), outage(Outage::Timeout));
    assert_eq!(server.connections(), 2);
}

#[cfg(target_os = "linux")]
#[test]
fn two_hundred_calls_into_a_black_hole_leave_no_threads_and_no_sockets() {
    let count = |what: &str| std::fs::read_dir(format!("/proc/self/{what}")).unwrap().count();
    let hole = BlackHole::new();
    let url = format!("http://{}", hole.listener.local_addr().unwrap());
    let transport = UreqTransport::new(&url).unwrap();
    let _ = post(&transport, Duration::from_millis(1));
    let (threads, sockets) = (count("task"), count("fd"));
    for _ in 0..200 {
        assert!(post(&transport, Duration::from_millis(1)).is_err());
    }
    // Other tests run beside this one, and have some of their own.
    assert!(count("task") < threads + 50, "{threads} threads, then {}", count("task"));
    assert!(count("fd") < sockets + 100, "{sockets} files, then {}", count("fd"));
}
