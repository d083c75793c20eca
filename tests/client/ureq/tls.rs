//! Which servers the transport trusts.

use std::{fs, io::Write as _, net::TcpStream, path::Path, process, sync::Arc, time::Duration};

use apikee::{
    NewKey,
    client::{ClientIssueError, TransportError, UreqTransport, UreqTransportError},
    policy::{Fault, Outage},
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::{
    HandshakeKind, ServerConfig, ServerConnection, StreamOwned,
    crypto::ring,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};

use super::{
    AMPLE,
    configuration::server_mode,
    post,
    server::{Connection, OK, Server},
};

pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A server with a certificate for this name.
    pub(crate) fn config(&self, name: &str) -> ServerConfig {
        self.config_of(CertificateParams::new([name.to_owned()]).unwrap())
    }

    fn config_of(&self, params: CertificateParams) -> ServerConfig {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap()
    }
}

/// An HTTPS server that runs the script for each connection, even if TLS fails.
pub(crate) fn serve(
    config: ServerConfig,
    script: impl Fn(&mut Connection<StreamOwned<ServerConnection, TcpStream>>) + Send + Sync + 'static,
) -> Server {
    let config = Arc::new(config);
    Server::on_streams(move |server, stream, _| {
        let tls = ServerConnection::new(Arc::clone(&config)).unwrap();
        script(&mut Connection::new(StreamOwned::new(tls, stream), server.clone()));
    })
}

fn answering(config: ServerConfig) -> Server {
    serve(config, |connection| while connection.request().is_some() && connection.write(OK) {})
}

fn transport(server: &Server, ca: &Authority) -> UreqTransport {
    let url = format!("https://localhost:{}/api/v1", server.port());
    UreqTransport::builder().base_url(&url).ca_pem(ca.pem().as_bytes()).connect_timeout(AMPLE).build().unwrap()
}

const UNTRUSTED: Result<(apikee::client::Received, Vec<u8>), TransportError> =
    Err(TransportError::Fault(Fault::UntrustedCertificate));

#[test]
fn own_authority_is_trusted_and_connections_are_kept() {
    let ca = Authority::new();
    let server = answering(ca.config("localhost"));
    let transport = transport(&server, &ca);
    for _ in 0..20 {
        assert_eq!(post(&transport, AMPLE).unwrap().1, b"ok");
    }
    assert_eq!((server.connections(), server.requests().len()), (1, 20));
    assert_eq!(server.requests()[0].header("host"), [format!("localhost:{}", server.port())]);
}

#[test]
fn sessions_are_resumed_on_new_connections() {
    let ca = Authority::new();
    let (sender, kinds) = std::sync::mpsc::channel();
    let server = serve(ca.config("localhost"), move |connection| {
        connection.request();
        sender.send(connection.stream().conn.handshake_kind().unwrap()).unwrap();
        connection.write(OK);
    });
    let url = format!("https://localhost:{}", server.port());
    let builder = UreqTransport::builder().base_url(&url).ca_pem(ca.pem().as_bytes());
    let transport = builder.max_idle_connections(0).build().unwrap();
    for expected in [HandshakeKind::Full, HandshakeKind::Resumed, HandshakeKind::Resumed] {
        post(&transport, AMPLE).unwrap();
        assert_eq!(kinds.recv().unwrap(), expected);
    }
}

#[test]
fn tls_1_2_is_supported() {
    let ca = Authority::new();
    let mut config = ca.config("localhost");
    let only_1_2 = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::clone(&config.cert_resolver));
    config = only_1_2;
    let server = answering(config);
    assert_eq!(post(&transport(&server, &ca), AMPLE).unwrap().1, b"ok");
}

#[test]
fn certificate_for_an_address_is_trusted() {
    let ca = Authority::new();
    let server = answering(ca.config("127.0.0.1"));
    let url = format!("https://127.0.0.1:{}", server.port());
    let transport = UreqTransport::builder().base_url(&url).ca_pem(ca.pem().as_bytes()).build().unwrap();
    assert_eq!(post(&transport, AMPLE).unwrap().1, b"ok");
}

#[test]
fn several_authorities_may_be_trusted() {
    let (one, other) = (Authority::new(), Authority::new());
    let server = answering(other.config("localhost"));
    let url = format!("https://localhost:{}", server.port());
    let pem = one.pem() + &other.pem();
    let transport = UreqTransport::builder().base_url(&url).ca_pem(pem.as_bytes()).build().unwrap();
    assert_eq!(post(&transport, AMPLE).unwrap().1, b"ok");
}

#[test]
fn authorities_of_the_file_and_of_the_builder_are_all_trusted() {
    let authorities = [(); 4].map(|()| Authority::new());
    // Without a line break at the end.
    let pems = authorities.each_ref().map(|authority| authority.pem().trim_end().to_owned());
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("authorities-{}.pem", process::id()));
    fs::write(&file, &pems[0]).unwrap();
    let issued = authorities.each_ref().map(|authority| {
        let server = answering(authority.config("localhost"));
        let apikee = server_mode().base_url(&format!("https://localhost:{}", server.port())).timeout(AMPLE);
        let apikee = apikee.ca_file(&file).add_ca_pem(pems[1].as_bytes()).add_ca_pem(pems[2].as_bytes()).build();
        apikee.unwrap().issue(&NewKey::new("acme-corp"), &mut [0; 1024]).map(|_| ())
    });
    fs::remove_file(file).unwrap();
    let untrusted = issued.map(|issued| issued == Err(ClientIssueError::Fault(Fault::UntrustedCertificate)));
    assert_eq!(untrusted, [false, false, false, true]);
}

#[test]
fn unknown_authority_is_not_trusted_and_gets_no_request() {
    let server = answering(Authority::new().config("localhost"));
    assert_eq!(post(&transport(&server, &Authority::new()), AMPLE), UNTRUSTED);
    let default = UreqTransport::new(&format!("https://localhost:{}", server.port())).unwrap();
    assert_eq!(post(&default, AMPLE), UNTRUSTED);
    assert_eq!(server.requests(), []);
}

#[test]
fn certificate_for_another_name_is_not_trusted() {
    let ca = Authority::new();
    let server = answering(ca.config("apikee.example"));
    assert_eq!(post(&transport(&server, &ca), AMPLE), UNTRUSTED);
    assert_eq!(server.requests(), []);
}

#[test]
fn certificate_outside_its_validity_is_not_trusted() {
    let ca = Authority::new();
    for (from, until) in [(2000, 2001), (3000, 3001)] {
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.not_before = date_time_ymd(from, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        let server = answering(ca.config_of(params));
        assert_eq!(post(&transport(&server, &ca), AMPLE), UNTRUSTED);
    }
}

#[test]
fn server_without_tls_is_unreadable() {
    let ca = Authority::new();
    let server = Server::on_streams(|_, mut stream, _| {
        stream.write_all(b"HTTP/1.1 400 This Is Not TLS\r\n\r\n").unwrap();
        while matches!(std::io::Read::read(&mut stream, &mut [0; 1024]), Ok(1..)) {}
    });
    assert_eq!(post(&transport(&server, &ca), AMPLE), Err(TransportError::Fault(Fault::Unreadable)));
}

#[test]
fn connection_that_ends_before_tls_is_an_outage() {
    let server = Server::on_streams(|_, _, _| {});
    let error = post(&transport(&server, &Authority::new()), AMPLE);
    assert_eq!(error, Err(TransportError::Outage(Outage::Connect)));
    assert_eq!(server.connections(), 1);
}

#[test]
fn tls_handshake_times_out_at_the_deadline() {
    let server = Server::run(|connection, _| connection.wait_for_end());
    let transport = transport(&server, &Authority::new());
    let started = std::time::Instant::now();
    let timeout = Duration::from_secs(3);
    assert_eq!(post(&transport, timeout), Err(TransportError::Outage(Outage::Timeout)));
    assert!(started.elapsed() < timeout.mul_f64(1.2), "{:?}", started.elapsed());
}

#[test]
fn kept_tls_connection_that_ends_without_a_byte_is_retried() {
    let ca = Authority::new();
    let server = serve(ca.config("localhost"), |connection| {
        connection.request();
        connection.write(OK);
        // The next request is read but not answered.
        connection.request();
    });
    let transport = transport(&server, &ca);
    for _ in 0..2 {
        assert_eq!(post(&transport, AMPLE).unwrap().1, b"ok");
    }
    assert_eq!((server.connections(), server.requests().len()), (2, 3));
}

/// A request can cause it, so it must not count as a platform that refuses connections.
#[test]
fn alert_of_tls_after_a_request_is_a_reset() {
    let ca = Authority::new();
    let server = serve(ca.config("localhost"), |connection| {
        connection.request();
        let StreamOwned { conn, sock } = connection.stream_mut();
        // A malformed record makes rustls send an alert.
        conn.read_tls(&mut &b"\x17\x03\x03\x00\x02no"[..]).unwrap();
        assert!(conn.process_new_packets().is_err());
        while conn.wants_write() {
            conn.write_tls(sock).unwrap();
        }
        connection.wait_for_end();
    });
    assert_eq!(post(&transport(&server, &ca), AMPLE), Err(TransportError::Outage(Outage::Reset)));
    assert_eq!(server.requests().len(), 1);
}

/// A record of TLS may wait in a buffer in front of the decryption.
#[test]
fn tls_connection_with_an_answer_that_nobody_asked_for_is_not_used_again() {
    for len in (3_500..4_200).step_by(50) {
        let ca = Authority::new();
        let server = serve(ca.config("localhost"), move |connection| {
            while connection.request().is_some() {
                let StreamOwned { conn, sock } = connection.stream_mut();
                let body = "a".repeat(len);
                write!(conn.writer(), "HTTP/1.1 200 OK\r\nContent-Length: {len}\r\n\r\n{body}").unwrap();
                conn.writer().write_all(OK).unwrap();
                let mut records = Vec::new();
                while conn.wants_write() {
                    conn.write_tls(&mut records).unwrap();
                }
                if sock.write_all(&records).is_err() {
                    break;
                }
            }
        });
        let transport = transport(&server, &ca);
        for _ in 0..2 {
            assert_eq!(post(&transport, AMPLE).unwrap().1.len(), len);
        }
        assert_eq!((server.connections(), server.requests().len()), (2, 2), "{len}");
    }
}

#[test]
fn body_without_a_length_and_without_the_end_of_tls_is_a_reset() {
    let ca = Authority::new();
    let server = serve(ca.config("localhost"), |connection| {
        connection.request();
        connection.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhalf of it");
    });
    assert_eq!(post(&transport(&server, &ca), AMPLE), Err(TransportError::Outage(Outage::Reset)));
}

#[test]
fn unusable_authorities_are_refused() {
    let pem = Authority::new().pem();
    let cut = pem.replace("-----END", "-----EN");
    let not_der = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let key = KeyPair::generate().unwrap().serialize_pem();
    for bad in ["", "no PEM", &cut, not_der, &(pem.clone() + not_der), &key] {
        let error = UreqTransport::builder().ca_pem(bad.as_bytes()).build().unwrap_err();
        assert_eq!(error, UreqTransportError::CaPem);
    }
}
