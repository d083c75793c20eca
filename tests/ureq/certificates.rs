//! TLS, with certificates of our own.

use std::sync::Arc;

use apikee::{Fault, UreqTransport};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{ServerConfig, ServerConnection, StreamOwned, pki_types::PrivateKeyDer};

use crate::{
    LONG, fault, post,
    server::{Requests, Server, answer},
};

/// An authority, as PEM, and a server with a certificate of it for that name.
fn authority_and_server(name: &str) -> (String, Server) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &authority).unwrap();

    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .unwrap();
    let config = Arc::new(config);
    let server = Server::start(move |stream| {
        let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
        let mut stream = StreamOwned::new(connection, stream);
        while Requests::of(&mut stream).next().is_some() {
            let _ = std::io::Write::write_all(&mut stream, &answer("200 OK", "", b"{}"));
        }
    });
    (authority.pem(), server)
}

fn transport(server: &Server, roots: Option<&str>) -> UreqTransport {
    let mut builder = UreqTransport::builder().base_url(&format!("https://localhost:{}", server.address.port()));
    if let Some(pem) = roots {
        builder = builder.root_certificates(pem.as_bytes());
    }
    builder.build().unwrap()
}

#[test]
fn an_authority_that_is_configured_is_trusted_and_connections_are_kept() {
    let (authority, server) = authority_and_server("localhost");
    let transport = transport(&server, Some(&authority));
    for _ in 0..3 {
        assert_eq!(post(&transport, LONG), Ok((200, b"{}".to_vec())));
    }
    assert_eq!(server.connections(), 1);
}

#[test]
fn all_others_are_not() {
    let (_, server) = authority_and_server("localhost");
    let (other, _) = authority_and_server("localhost");
    assert_eq!(post(&transport(&server, Some(&other)), LONG), fault(Fault::UntrustedCertificate));
    assert_eq!(post(&transport(&server, None), LONG), fault(Fault::UntrustedCertificate));
}

#[test]
fn a_certificate_for_another_name_is_not_trusted() {
    let (authority, server) = authority_and_server("platform.test");
    assert_eq!(post(&transport(&server, Some(&authority)), LONG), fault(Fault::UntrustedCertificate));
}

#[test]
fn a_server_that_speaks_no_tls_is_unreadable() {
    let server = Server::start(|stream| {
        let _ = std::io::Write::write_all(&mut (&stream), b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        while Requests::of(&stream).next().is_some() {}
    });
    assert_eq!(post(&transport(&server, None), LONG), fault(Fault::Unreadable));
}
