//! What `UreqTransport` does on the wire, against servers that are written by hand.
#![cfg(feature = "ureq")]

mod certificates;
mod deadlines;
mod server;

use std::{
    io::Write as _,
    net::TcpListener,
    process::Command,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::Duration,
};

use apikee::{Call, Fault, Outage, Received, Transport as _, TransportError, UreqTransport};
use server::{Requests, Server, answer};

/// Far more than anything here takes.
const LONG: Duration = Duration::from_secs(60);

const HEADERS: [(&str, &str); 3] =
    [("Content-Type", "application/json"), ("x-api-key", "sk_test_example"), ("User-Agent", "apikee-tests/1")];

/// What a call to that base URL brings: the answer's status and body, or why there is none.
fn post(transport: &UreqTransport, timeout: Duration) -> Result<(u16, Vec<u8>), TransportError> {
    let mut answer = vec![0xAA; 64 * 1024];
    let Received { status, len, .. } = received(transport, timeout, &mut answer)?;
    answer.truncate(len);
    Ok((status, answer))
}

fn received(transport: &UreqTransport, timeout: Duration, answer: &mut [u8]) -> Result<Received, TransportError> {
    let call =
        Call { target: "/client/x?project_env=a&method_path=GET%3A%3A%3A%2F", headers: &HEADERS, body: b"{}", timeout };
    transport.post(&call, answer)
}

fn outage(outage: Outage) -> Result<(u16, Vec<u8>), TransportError> {
    Err(TransportError::Outage(outage))
}

fn fault(fault: Fault) -> Result<(u16, Vec<u8>), TransportError> {
    Err(TransportError::Fault(fault))
}

#[test]
fn a_call_is_one_post_with_its_own_fields_and_none_twice() {
    let (sender, requests) = mpsc::channel();
    let sender = Mutex::new(sender);
    let server = Server::start(move |stream| {
        for request in Requests::of(&stream) {
            let _ = sender.lock().unwrap().send(request);
            let _ = (&stream).write_all(&answer("200 OK", "", br#"{"success":true}"#));
        }
    });
    for base in [server.url(), format!("{}/", server.url())] {
        let transport = UreqTransport::new(&base).unwrap();
        assert_eq!(post(&transport, LONG), Ok((200, br#"{"success":true}"#.to_vec())));
        let request = requests.recv().unwrap();
        let [line, fields @ ..] = &request.head[..] else {
            panic!("a request line");
        };
        assert_eq!(line, "POST /api/v1/client/x?project_env=a&method_path=GET%3A%3A%3A%2F HTTP/1.1");
        let mut fields: Vec<_> = fields.iter().map(|field| field.to_ascii_lowercase()).collect();
        fields.sort();
        assert_eq!(
            fields,
            [
                "accept: application/json",
                "content-length: 2",
                "content-type: application/json",
                &format!("host: {}", server.address),
                "user-agent: apikee-tests/1",
                "x-api-key: sk_test_example",
            ]
        );
        assert_eq!(request.body, b"{}");
    }
}

#[test]
fn connections_are_kept_whatever_the_status() {
    for status in ["200 OK", "403 Forbidden", "429 Too Many Requests", "503 Service Unavailable", "302 Found"] {
        let server = Server::answering(answer(status, "", &[b'x'; 5000]));
        let transport = UreqTransport::new(&server.url()).unwrap();
        for _ in 0..20 {
            let (code, body) = post(&transport, LONG).unwrap();
            assert_eq!((code, body.len()), (status[..3].parse().unwrap(), if code == 200 { 5000 } else { 0 }));
        }
        assert_eq!(server.connections(), 1, "{status}");
    }
}

#[test]
fn a_redirect_is_an_answer_and_takes_nothing_elsewhere() {
    let elsewhere = Server::answering(answer("200 OK", "", b"{}"));
    for status in
        ["301 Moved Permanently", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent Redirect"]
    {
        let server = Server::answering(answer(status, &format!("Location: http://{}/\r\n", elsewhere.address), b""));
        let transport = UreqTransport::new(&server.url()).unwrap();
        assert_eq!(post(&transport, LONG).unwrap().0, status[..3].parse::<u16>().unwrap());
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[test]
fn retry_after_is_read_in_seconds_only() {
    for (field, expected) in [
        ("Retry-After: 17\r\n", Some(17)),
        ("retry-after:  3 \r\n", Some(3)),
        ("Retry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n", None),
        ("Retry-After: -1\r\n", None),
        ("Retry-After: 99999999999\r\n", None),
        ("", None),
    ] {
        let server = Server::answering(answer("429 Too Many Requests", field, b"{}"));
        let transport = UreqTransport::new(&server.url()).unwrap();
        assert_eq!(received(&transport, LONG, &mut [0; 16]).unwrap().retry_after, expected, "{field:?}");
    }
}

#[test]
fn a_body_that_does_not_fit_is_oversized_and_one_that_does_is_whole() {
    let server = Server::answering(answer("200 OK", "", &[b'x'; 1000]));
    let transport = UreqTransport::new(&server.url()).unwrap();
    assert_eq!(received(&transport, LONG, &mut [0; 1000]).map(|received| received.len), Ok(1000));
    assert_eq!(received(&transport, LONG, &mut [0; 999]), Err(TransportError::OVERSIZED));

    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    let server = Server::answering(*chunked);
    let transport = UreqTransport::new(&server.url()).unwrap();
    assert_eq!(post(&transport, LONG), Ok((200, b"abcde".to_vec())));
}

/// Of 10 MB no more is taken than a call reads and a socket holds: the server cannot send it all.
#[test]
fn an_endless_body_costs_no_more_than_the_limit() {
    let (sender, sent) = mpsc::channel();
    let sender = Mutex::new(sender);
    let server = Server::start(move |stream| {
        let _ = Requests::of(&stream).next();
        let _ = (&stream).write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n");
        let chunk = [b'x'; 100_000];
        let written = (0..1000).take_while(|_| (&stream).write_all(&chunk).is_ok()).count();
        let _ = sender.lock().unwrap().send(written);
    });
    let transport = UreqTransport::new(&server.url()).unwrap();
    assert_eq!(post(&transport, LONG), fault(Fault::Oversized));
    assert!(sent.recv().unwrap() < 1000, "the connection was closed on the rest");
}

#[test]
fn what_is_no_http_is_unreadable() {
    for bytes in [
        &b"SSH-2.0-OpenSSH_9.9\r\n\r\n"[..],
        b"<html></html>\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/9.9 abc\r\n\r\n",
    ] {
        let server = Server::answering(bytes);
        let transport = UreqTransport::new(&server.url()).unwrap();
        assert_eq!(post(&transport, LONG), fault(Fault::Unreadable), "{}", bytes.escape_ascii());
    }
    let long = format!("HTTP/1.1 200 OK\r\nX-Long: {}\r\nContent-Length: 0\r\n\r\n", "x".repeat(9000));
    let server = Server::answering(long);
    let transport = UreqTransport::new(&server.url()).unwrap();
    assert_eq!(post(&transport, LONG), fault(Fault::Unreadable), "8 KiB of header are the limit");
}

#[test]
fn a_connection_that_breaks_is_a_reset() {
    for part in [&b""[..], b"HTTP/1.1 200 OK\r\nContent-Le", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"] {
        let server = Server::start(move |stream| {
            let _ = Requests::of(&stream).next();
            let _ = (&stream).write_all(part);
        });
        let transport = UreqTransport::new(&server.url()).unwrap();
        assert_eq!(post(&transport, LONG), outage(Outage::Reset), "{}", part.escape_ascii());
        assert_eq!(server.connections(), 1, "a new connection that breaks is not tried again");
    }
}

#[test]
fn nobody_there_is_no_connection() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let transport = UreqTransport::new(&format!("http://{address}")).unwrap();
    assert_eq!(post(&transport, LONG), outage(Outage::Connect));
}

/// `.invalid` is nobody's (RFC 6761), and no name server is asked.
#[test]
fn a_name_that_nobody_knows_is_dns() {
    let transport = UreqTransport::new("https://platform.invalid").unwrap();
    assert_eq!(post(&transport, Duration::from_secs(5)), outage(Outage::Dns));
}

#[test]
fn a_server_that_closes_kept_connections_costs_no_failed_request() {
    // Answers well, and closes the connection just when the next request has come.
    let server = Server::start(|stream| {
        let mut requests = Requests::of(&stream);
        let _ = requests.next();
        let _ = (&stream).write_all(&answer("200 OK", "", b"{}"));
        let _ = requests.next();
    });
    let transport = UreqTransport::new(&server.url()).unwrap();
    for _ in 0..20 {
        assert_eq!(post(&transport, LONG), Ok((200, b"{}".to_vec())));
    }
    assert_eq!(server.connections(), 20);
}

#[test]
fn there_is_one_retry_and_none_once_an_answer_has_begun() {
    // The second request of a connection is answered by half, and by a break.
    let requests_seen = std::sync::Arc::new(AtomicUsize::new(0));
    let count = std::sync::Arc::clone(&requests_seen);
    let server = Server::start(move |stream| {
        let mut requests = Requests::of(&stream);
        let _ = requests.next();
        count.fetch_add(1, Ordering::SeqCst);
        let _ = (&stream).write_all(&answer("200 OK", "", b"{}"));
        let _ = requests.next();
        count.fetch_add(1, Ordering::SeqCst);
        let _ = (&stream).write_all(b"HTTP/1.1 200");
    });
    let transport = UreqTransport::new(&server.url()).unwrap();
    assert_eq!(post(&transport, LONG), Ok((200, b"{}".to_vec())));
    assert_eq!(post(&transport, LONG), outage(Outage::Reset));
    assert_eq!((server.connections(), requests_seen.load(Ordering::SeqCst)), (1, 2));

    // After the first request nobody gets an answer any more.
    let alive = AtomicUsize::new(1);
    let server = Server::start(move |stream| {
        let mut requests = Requests::of(&stream);
        let _ = requests.next();
        if alive.swap(0, Ordering::SeqCst) == 1 {
            let _ = (&stream).write_all(&answer("200 OK", "", b"{}"));
            let _ = requests.next();
        }
    });
    let transport = UreqTransport::new(&server.url()).unwrap();
    assert_eq!(post(&transport, LONG), Ok((200, b"{}".to_vec())));
    assert_eq!(post(&transport, LONG), outage(Outage::Reset));
    assert_eq!(server.connections(), 2);
}

#[test]
fn a_proxy_is_used_where_it_is_asked_for() {
    let proxy = Server::answering(answer("200 OK", "", b"from the proxy"));
    let transport = UreqTransport::builder()
        .base_url("http://platform.invalid/api")
        .allow_plain_http()
        .proxy(&format!("http://{}", proxy.address))
        .build()
        .unwrap();
    let _ = post(&transport, LONG);
    assert_eq!(proxy.connections(), 1);
}

/// The environment of a process cannot be changed safely, so this one runs in another.
#[test]
#[ignore = "run by the test below"]
fn calls_the_server_that_the_environment_names() {
    let url = std::env::var("TEST_SERVER").unwrap();
    let mut builder = UreqTransport::builder().base_url(&url);
    if std::env::var_os("TEST_ASKED").is_some() {
        builder = builder.proxy_from_env();
    }
    let _ = post(&builder.build().unwrap(), LONG);
}

#[test]
fn a_proxy_in_the_environment_is_ignored_unless_asked_for_and_always_in_cgi() {
    for (asked, cgi, expected) in [(false, false, 0), (false, true, 0), (true, true, 0), (true, false, 1)] {
        let proxy = Server::answering(answer("200 OK", "", b"{}"));
        let server = Server::answering(answer("200 OK", "", b"{}"));
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "calls_the_server_that_the_environment_names", "--ignored"]);
        child.env_clear().env("TEST_SERVER", server.url());
        for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"] {
            child.env(name, format!("http://{}", proxy.address));
        }
        if asked {
            child.env("TEST_ASKED", "1");
        }
        if cgi {
            child.env("REQUEST_METHOD", "GET");
        }
        assert!(child.output().unwrap().status.success());
        assert_eq!((proxy.connections(), server.connections()), (expected, 1 - expected), "asked {asked}, cgi {cgi}");
    }
}
