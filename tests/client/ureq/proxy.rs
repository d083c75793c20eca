//! Tunnels through a proxy, if one is configured.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpStream},
    thread,
    time::{Duration, Instant},
};

use apikee::{
    client::{TransportError, UreqTransport},
    policy::Outage,
};

use super::{
    AMPLE, post,
    server::{OK, Server},
    tls::{Authority, serve},
};

/// A proxy on loopback that tunnels to any requested address.
pub(crate) fn proxy() -> Server {
    Server::run(|connection, _| {
        let Some(request) = connection.request() else { return };
        let target = request.line.split(' ').nth(1).unwrap().replace("localhost", "127.0.0.1");
        let upstream = TcpStream::connect(target).unwrap();
        connection.write(b"HTTP/1.1 200 Go On\r\n\r\n");
        let (mut from, mut to) = (connection.stream().try_clone().unwrap(), upstream.try_clone().unwrap());
        thread::spawn(move || {
            let _ = io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Write);
        });
        let (mut from, mut to) = (upstream, connection.stream().try_clone().unwrap());
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Both);
    })
}

fn proxy_url(proxy: &Server) -> String {
    format!("http://user:p%40ss@127.0.0.1:{}", proxy.port())
}

#[test]
fn tunnel_is_made_with_the_credentials_and_kept() {
    let ca = Authority::new();
    let server =
        serve(ca.config("localhost"), |connection| while connection.request().is_some() && connection.write(OK) {});
    let proxy = proxy();
    let transport = UreqTransport::builder()
        .base_url(&format!("https://localhost:{}", server.port()))
        .ca_pem(ca.pem().as_bytes())
        .proxy(&proxy_url(&proxy))
        .build()
        .unwrap();
    for _ in 0..3 {
        assert_eq!(post(&transport, AMPLE).unwrap().1, b"ok");
    }
    let requests = proxy.requests();
    let [connect] = requests.as_slice() else { panic!("{requests:?}") };
    assert_eq!(connect.line, format!("CONNECT localhost:{} HTTP/1.1", server.port()));
    // user:p@ss
    assert_eq!(connect.header("proxy-authorization"), ["Basic dXNlcjpwQHNz"]);
    assert!(connect.header("x-api-key").is_empty() && connect.header("user-agent").is_empty());
    assert_eq!((server.connections(), server.requests().len()), (1, 3));
}

/// ureq restarts the time for the connection at each step of the proxy. That is not a lack of processor time.
#[test]
fn a_proxy_that_never_reaches_the_platform_is_an_outage() {
    let proxy = Server::run(|connection, _| {
        connection.request();
        thread::sleep(Duration::from_millis(150));
        connection.write(b"HTTP/1.1 ");
        connection.wait_for_end();
    });
    let builder = UreqTransport::builder().base_url("https://localhost:9").proxy(&proxy_url(&proxy));
    let transport = builder.connect_timeout(Duration::from_millis(200)).build().unwrap();
    assert_eq!(post(&transport, AMPLE), Err(TransportError::Outage(Outage::Connect)));
}

#[test]
fn new_tunnel_that_ends_is_not_retried() {
    let server = Server::run(|connection, _| {
        connection.request();
    });
    let proxy = proxy();
    let transport = UreqTransport::builder().base_url(&server.url()).proxy(&proxy_url(&proxy)).build().unwrap();
    assert_eq!(post(&transport, AMPLE), Err(TransportError::Outage(Outage::Reset)));
    assert_eq!((proxy.connections(), server.requests().len()), (1, 1));
}

#[test]
fn kept_tunnel_that_ends_without_a_byte_is_retried() {
    let server = Server::run(|connection, _| {
        connection.request();
        connection.write(OK);
        connection.request();
    });
    let proxy = proxy();
    let transport = UreqTransport::builder().base_url(&server.url()).proxy(&proxy_url(&proxy)).build().unwrap();
    for _ in 0..2 {
        assert_eq!(post(&transport, AMPLE).unwrap().1, b"ok");
    }
    assert_eq!((proxy.connections(), server.requests().len()), (2, 3));
}

#[test]
fn proxy_that_refuses_a_tunnel_is_an_outage() {
    let server = Server::answering(OK);
    for answer in ["HTTP/1.1 407 Who\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 502 No\r\nContent-Length: 0\r\n\r\n", ""]
    {
        let proxy = Server::run(move |connection, _| {
            connection.request();
            connection.write(answer.as_bytes());
        });
        let transport = UreqTransport::builder().base_url(&server.url()).proxy(&proxy_url(&proxy)).build().unwrap();
        assert_eq!(post(&transport, AMPLE), Err(TransportError::Outage(Outage::Connect)), "{answer}");
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn dripping_proxy_is_cut_at_the_deadline() {
    let server = Server::answering(OK);
    let proxy = Server::on_streams(|_, mut stream, _| {
        let _ = stream.read(&mut [0; 1024]);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nX: ");
        while stream.write_all(b"x").is_ok() {
            thread::sleep(Duration::from_millis(20));
        }
    });
    let builder = UreqTransport::builder().base_url(&server.url()).proxy(&proxy_url(&proxy));
    let transport = builder.connect_timeout(AMPLE).build().unwrap();
    let (started, timeout) = (Instant::now(), Duration::from_secs(3));
    assert_eq!(post(&transport, timeout), Err(TransportError::Outage(Outage::Timeout)));
    assert!(started.elapsed() < timeout.mul_f64(1.2), "{:?}", started.elapsed());
}
