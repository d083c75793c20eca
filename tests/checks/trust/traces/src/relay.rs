//! A relay between the subject and the emulator, with or without TLS. It records the public keys of sessions.

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    sync::{Arc, Mutex},
    thread,
};

use base64ct::{Base64UrlUnpadded, Encoding as _};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    crypto::ring,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};

pub struct Relay {
    url: String,
    public_keys: Arc<Mutex<Vec<[u8; 32]>>>,
}

impl Relay {
    pub fn start(emulator: &str, over_tls: bool, dir: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (_, rest) = emulator.split_once("://").expect("a URL");
        let (address, path) = rest.split_once('/').unwrap_or((rest, ""));
        let address = address.to_owned();
        let config = over_tls.then(|| tls(dir));
        let url = if over_tls {
            format!("https://localhost:{port}/{path}")
        } else {
            format!("http://127.0.0.1:{port}/{path}")
        };
        let public_keys = Arc::<Mutex<Vec<[u8; 32]>>>::default();
        let shared = Arc::clone(&public_keys);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (address, config, shared) = (address.clone(), config.clone(), Arc::clone(&shared));
                thread::spawn(move || match config {
                    Some(config) => {
                        let tls = ServerConnection::new(config).expect("TLS");
                        pass_on(StreamOwned::new(tls, stream), &address, &shared);
                    }
                    None => pass_on(stream, &address, &shared),
                });
            }
        });
        Self { url, public_keys }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// The public keys of all sessions so far.
    pub fn public_keys(&self) -> Vec<[u8; 32]> {
        self.public_keys.lock().expect("the lock").clone()
    }
}

/// Makes a certificate for `localhost`, and writes its authority to a file.
fn tls(dir: &Path) -> Arc<ServerConfig> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a certificate");
    fs::write(dir.join("ca.pem"), ca.pem()).expect("a file");
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(["localhost".to_owned()]).expect("a name");
    let certificate = params.signed_by(&key, &ca).expect("a certificate");
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .expect("a certificate");
    Arc::new(config)
}

/// Passes on requests, one at a time, each over its own connection to the emulator. If the emulator closes that
/// connection before the answer is complete, the relay closes the client's connection, too.
fn pass_on(mut client: impl Read + Write, emulator: &str, public_keys: &Mutex<Vec<[u8; 32]>>) {
    while let Some(request) = message(&mut client) {
        if let Some(public_key) = public_key(&request) {
            public_keys.lock().expect("the lock").push(public_key);
        }
        let Ok(mut platform) = TcpStream::connect(emulator) else { return };
        if platform.write_all(&request).is_err() {
            return;
        }
        let mut answer = [0; 4096];
        let (mut whole, mut came) = (Vec::new(), true);
        while came {
            came = match platform.read(&mut answer) {
                Ok(0) | Err(_) => false,
                Ok(len) => {
                    if client.write_all(&answer[..len]).and_then(|()| client.flush()).is_err() {
                        return;
                    }
                    whole.extend_from_slice(&answer[..len]);
                    !is_whole(&whole)
                }
            };
        }
        if !is_whole(&whole) {
            return;
        }
    }
}

/// Reads a request or an answer with a length.
fn message(from: &mut impl Read) -> Option<Vec<u8>> {
    let (mut whole, mut part) = (Vec::new(), [0; 4096]);
    while !is_whole(&whole) {
        let len = from.read(&mut part).ok().filter(|len| *len > 0)?;
        whole.extend_from_slice(&part[..len]);
    }
    Some(whole)
}

fn is_whole(message: &[u8]) -> bool {
    let Some(head) = message.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { return false };
    let text = String::from_utf8_lossy(&message[..head]).to_lowercase();
    let len = text.lines().find_map(|line| line.strip_prefix("content-length:"));
    message.len() >= head + 4 + len.map_or(0, |len| len.trim().parse().expect("a length"))
}

fn public_key(request: &[u8]) -> Option<[u8; 32]> {
    let name = b"\"epk\":\"";
    let at = request.windows(name.len()).position(|bytes| bytes == name)? + name.len();
    let mut key = [0; 32];
    Base64UrlUnpadded::decode(request.get(at..at + 43)?, &mut key).ok()?;
    Some(key)
}
