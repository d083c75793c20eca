//! Requests and answers.

use apikee::{
    client::{Call, Received, Transport as _, TransportError, UreqTransport},
    policy::{Fault, Outage},
    protocol::HttpMethod,
};

use super::{
    AMPLE, call, post,
    server::{OK, Server},
};

fn answer_to(answer: impl Into<Vec<u8>>) -> Result<(Received, Vec<u8>), TransportError> {
    post(&UreqTransport::new(&Server::answering(answer).url()).unwrap(), AMPLE)
}

#[test]
fn request_has_the_data_of_the_call_and_the_fields_that_http_needs() {
    let server = Server::answering(OK);
    let (received, body) = post(&UreqTransport::new(&server.url()).unwrap(), AMPLE).unwrap();
    assert_eq!(received, Received { status: 200, len: 2, retry_after: None });
    assert_eq!(body, b"ok");

    let requests = server.requests();
    let [request] = requests.as_slice() else { panic!("{requests:?}") };
    assert_eq!(request.line, "POST /api/v1/client/validate/7 HTTP/1.1");
    assert_eq!(request.body, b"the body");
    let mut headers: Vec<_> =
        request.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.as_str())).collect();
    headers.sort();
    let host = format!("127.0.0.1:{}", server.port());
    let expected = [
        ("content-length", "8"),
        ("content-type", "text/plain"),
        ("host", &host),
        ("user-agent", "apikee-test/1"),
        ("x-api-key", "sk_test_secret"),
    ];
    assert_eq!(headers, expected.map(|(name, value)| (name.to_owned(), value)));
}

#[test]
fn get_has_neither_a_body_nor_a_length() {
    let server = Server::answering(OK);
    let transport = UreqTransport::new(&server.url()).unwrap();
    let get = Call { method: HttpMethod::Get, body: b"", ..call(AMPLE) };
    for _ in 0..2 {
        let mut answer = [0; 8];
        let received = transport.call(&get, &mut answer).unwrap();
        assert_eq!((received.status, &answer[..received.len]), (200, b"ok".as_slice()));
    }
    assert_eq!(server.connections(), 1);
    for request in server.requests() {
        assert_eq!(request.line, "GET /api/v1/client/validate/7 HTTP/1.1");
        assert_eq!(request.header("x-api-key"), ["sk_test_secret"]);
        assert_eq!(request.headers.len(), 4, "{request:?}");
        assert!(request.header("content-length").is_empty() && request.header("transfer-encoding").is_empty());
    }
}

#[test]
fn post_without_a_body_has_the_length_zero() {
    let server = Server::answering(OK);
    let transport = UreqTransport::new(&server.url()).unwrap();
    transport.call(&Call { body: b"", ..call(AMPLE) }, &mut [0; 8]).unwrap();
    assert_eq!(server.requests()[0].line, "POST /api/v1/client/validate/7 HTTP/1.1");
    assert_eq!(server.requests()[0].header("content-length"), ["0"]);
}

#[test]
fn target_follows_the_base_url_exactly() {
    for (path, expected) in [("", "/client/a%2Fb?c=d"), ("/", "/client/a%2Fb?c=d"), ("/x/", "/x/client/a%2Fb?c=d")] {
        let server = Server::answering(OK);
        let transport = UreqTransport::new(&format!("http://127.0.0.1:{}{path}", server.port())).unwrap();
        let call = Call { method: HttpMethod::Post, target: "/client/a%2Fb?c=d", ..call(AMPLE) };
        transport.call(&call, &mut [0; 8]).unwrap();
        assert_eq!(server.requests()[0].line, format!("POST {expected} HTTP/1.1"));
    }
}

#[test]
fn invalid_http_is_not_sent() {
    let server = Server::answering(OK);
    let transport = UreqTransport::new(&format!("http://127.0.0.1:{}", server.port())).unwrap();
    let headers: &[&[(&str, &str)]] = &[
        &[("a b", "c")],
        &[("a", "b\r\nc: d")],
        &[("", "a")],
        &[("Host", "a")],
        &[("content-length", "0")],
        &[("Transfer-Encoding", "chunked")],
    ];
    let calls = headers.iter().map(|headers| Call { headers, ..call(AMPLE) });
    let long = format!("/{}", "a".repeat(7 * 1024));
    let targets = ["@127.0.0.2/", "", "/a#b", "/a b", &long].map(|target| Call { target, ..call(AMPLE) });
    let get_with_a_body = Call { method: HttpMethod::Get, ..call(AMPLE) };
    for call in calls.chain(targets).chain([get_with_a_body]) {
        let error = transport.call(&call, &mut [0; 8]).unwrap_err();
        assert_eq!(error, TransportError::Fault(Fault::NotSent), "{call:?}");
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn long_head_is_sent_completely() {
    let server = Server::answering(OK);
    let transport = UreqTransport::new(&server.url()).unwrap();
    for (target, value) in [(10, 20_000), (7_000, 10), (7_000, 20_000)] {
        let (target, value) = (format!("/{}", "t".repeat(target)), "v".repeat(value));
        let call = Call {
            method: HttpMethod::Post,
            target: &target,
            headers: &[("x-one", &value), ("x-two", "2")],
            ..call(AMPLE)
        };
        transport.call(&call, &mut [0; 8]).unwrap();
        let request = server.requests().pop().unwrap();
        assert_eq!(request.line, format!("POST /api/v1{target} HTTP/1.1"));
        assert_eq!((request.header("x-one"), request.header("x-two")), (vec![value.as_str()], vec!["2"]));
        assert_eq!((request.header("host").len(), request.body), (1, b"the body".to_vec()));
    }
    assert_eq!(server.connections(), 1);
}

#[test]
fn only_answers_of_success_have_a_body() {
    for status in [300, 301, 302, 307, 308, 400, 401, 403, 404, 408, 418, 429, 500, 503, 599] {
        let answer = format!("HTTP/1.1 {status} Some Reason\r\nContent-Length: 4\r\n\r\nbody");
        assert_eq!(answer_to(answer).unwrap().0, Received { status, len: 0, retry_after: None });
    }
    for status in [200, 201, 299] {
        let answer = format!("HTTP/1.1 {status} Some Reason\r\nContent-Length: 4\r\n\r\nbody");
        assert_eq!(answer_to(answer).unwrap(), (Received { status, len: 4, retry_after: None }, b"body".to_vec()));
    }
    assert_eq!(answer_to("HTTP/1.1 204 None\r\n\r\n").unwrap().0, Received { status: 204, len: 0, retry_after: None });
}

#[test]
fn redirect_is_not_followed_and_its_host_receives_nothing() {
    let elsewhere = Server::answering(OK);
    for status in [301, 302, 303, 307, 308] {
        let location = format!("Location: {}/client/validate/7", elsewhere.url());
        for body in ["Content-Length: 0\r\n\r\n", "Content-Length: 3\r\n\r\nabc"] {
            let (received, _) = answer_to(format!("HTTP/1.1 {status} Moved\r\n{location}\r\n{body}")).unwrap();
            assert_eq!(received, Received { status, len: 0, retry_after: None });
        }
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[test]
fn retry_after_is_read_in_whole_seconds() {
    for (value, expected) in [
        ("0", Some(0)),
        ("120", Some(120)),
        ("4294967295", Some(u32::MAX)),
        ("4294967296", Some(u32::MAX)),
        ("99999999999999999999999999999999999999999", Some(u32::MAX)),
        ("00000000000000000000000000000000000000007", Some(7)),
        (" 7 ", Some(7)),
        ("Fri, 31 Dec 1999 23:59:59 GMT", None),
        ("-1", None),
        ("+1", None),
        ("1.5", None),
        ("1e9", None),
        ("1 2", None),
        ("7, 7", None),
        ("\u{0667}", None),
        ("", None),
        ("7\r\nretry-after: 7", None),
        ("7\r\nretry-after: ", None),
    ] {
        let answer = format!("HTTP/1.1 429 Slow Down\r\nRetry-After: {value}\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(answer_to(answer).unwrap().0.retry_after, expected, "{value}");
    }
}

#[test]
fn body_may_be_chunked_or_end_with_the_connection() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    assert_eq!(answer_to(chunked).unwrap().1, b"abcde");
    let server = Server::run(|connection, _| {
        connection.request();
        connection.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabcde");
    });
    assert_eq!(post(&UreqTransport::new(&server.url()).unwrap(), AMPLE).unwrap().1, b"abcde");
}

#[test]
fn compressed_body_is_returned_unchanged() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nbody";
    assert_eq!(answer_to(answer).unwrap().1, b"body");
}

#[test]
fn body_may_fill_the_buffer_and_no_more() {
    let with = |head: &str, len: usize| {
        let server = Server::answering([head.as_bytes(), &vec![b'x'; len]].concat());
        let transport = UreqTransport::new(&server.url()).unwrap();
        transport.call(&call(AMPLE), &mut [0; 100])
    };
    let ok = Ok(Received { status: 200, len: 100, retry_after: None });
    assert_eq!(with("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", 100), ok);
    assert_eq!(with("HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n", 101), Err(TransportError::OVERSIZED));
    let chunked = |len| with("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n", len);
    assert_eq!(chunked(101), Err(TransportError::OVERSIZED));
}

#[test]
fn body_of_ten_megabytes_is_read_only_up_to_the_limit() {
    for head in ["Content-Length: 10485760", "Transfer-Encoding: chunked", "Connection: close"] {
        let (sender, receiver) = std::sync::mpsc::channel();
        let server = Server::run(move |connection, _| {
            connection.request();
            connection.write(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n").as_bytes());
            let chunk = [b"400\r\n", &[b'x'; 1024][..], b"\r\n"].concat();
            let taken = (0..10_240).take_while(|_| connection.write(&chunk)).count();
            sender.send(taken).unwrap();
        });
        let transport = UreqTransport::new(&server.url()).unwrap();
        let mut answer = vec![0; 64 * 1024];
        assert_eq!(transport.call(&call(AMPLE), &mut answer), Err(TransportError::OVERSIZED));
        // The buffers of both sockets hold a part of the body. Its size depends on the system.
        assert!(receiver.recv().unwrap() < 10_240, "the whole body was read with {head}");
    }
}

#[test]
fn header_fields_may_have_eight_kibibytes() {
    let with = |len: usize| {
        let mut answer = String::from("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: ");
        answer.push_str(&"x".repeat(len - answer.len() - 4));
        answer_to(answer + "\r\n\r\nok")
    };
    assert_eq!(with(8 * 1024).unwrap().1, b"ok");
    assert_eq!(with(8 * 1024 + 1), Err(TransportError::Fault(Fault::Unreadable)));
    assert_eq!(with(1024 * 1024), Err(TransportError::Fault(Fault::Unreadable)));
}

#[test]
fn answer_may_have_128_header_fields() {
    let with = |fields: usize| {
        let others = "X: y\r\n".repeat(fields - 1);
        answer_to(format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n{others}\r\nok"))
    };
    assert_eq!(with(127).unwrap().1, b"ok");
    assert_eq!(with(128).unwrap().1, b"ok");
    assert_eq!(with(129), Err(TransportError::Fault(Fault::Unreadable)));
}

#[test]
fn endless_header_is_unreadable() {
    let server = Server::run(|connection, _| {
        connection.request();
        connection.write(b"HTTP/1.1 200 OK\r\n");
        while connection.write(b"X: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n") {}
    });
    let error = post(&UreqTransport::new(&server.url()).unwrap(), AMPLE).unwrap_err();
    assert_eq!(error, TransportError::Fault(Fault::Unreadable));
}

#[test]
fn malformed_answer_is_unreadable() {
    for answer in [
        "nonsense\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/1.1 2x0 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nbad header\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n0\r\n\r\n",
    ] {
        assert_eq!(answer_to(answer), Err(TransportError::Fault(Fault::Unreadable)), "{answer}");
    }
}

#[test]
fn truncated_answer_is_a_reset() {
    for answer in [
        "",
        "HTTP/1.1",
        "HTTP/1.1 200 OK\r\nContent-Le",
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n001\r",
    ] {
        let server = Server::run(move |connection, _| {
            connection.request();
            connection.write(answer.as_bytes());
        });
        let error = post(&UreqTransport::new(&server.url()).unwrap(), AMPLE).unwrap_err();
        assert_eq!(error, TransportError::Outage(Outage::Reset), "{answer}");
        assert_eq!((server.connections(), server.requests().len()), (1, 1), "{answer}");
    }
}
