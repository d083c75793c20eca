//! Seals one request: an ephemeral X25519 key, the agreement, HKDF-SHA256, AES-256-GCM, and the envelope's text.
//!
//! Each of the other libraries makes an envelope that `Recipient` opens, so all of them do the same work. The exception
//! is `hpke`, which has its own format (RFC 9180) and writes bytes instead of text.

use std::hint::black_box;

use apikee::{
    SysRng,
    envelope::{Recipient, ServerKey, Session, sealed_len},
};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use criterion::{Criterion, criterion_group, criterion_main};
use hpke::{Kem as _, OpModeS, aead::AesGcm256, kdf::HkdfSha256, kem::X25519HkdfSha256};

const INFO: &[u8] = b"apikee-v1";
/// A validate request with a few headers has about this many bytes.
const PLAINTEXT: [u8; 450] = [b'x'; 450];
const TAG: usize = 16;

/// The text of an envelope. `sealed` is the ciphertext and its tag.
fn envelope(public: &[u8], nonce: &[u8], sealed: &[u8]) -> String {
    let mut text = String::with_capacity(sealed_len(PLAINTEXT.len()));
    let mut buf = [0; 2 * (PLAINTEXT.len() + TAG)];
    for (name, bytes) in [(r#"{"v":"1","epk":""#, public), (r#"","iv":""#, nonce), (r#"","ct":""#, sealed)] {
        text.push_str(name);
        text.push_str(Base64UrlUnpadded::encode(bytes, &mut buf).unwrap());
    }
    text.push_str(r#""}"#);
    text
}

fn by_aws_lc_rs(server: &[u8; 32]) -> String {
    use aws_lc_rs::{
        aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
        agreement::{EphemeralPrivateKey, UnparsedPublicKey, X25519, agree_ephemeral},
        hkdf::{HKDF_SHA256, Salt},
        rand::{SecureRandom as _, SystemRandom},
    };
    let rng = SystemRandom::new();
    let secret = EphemeralPrivateKey::generate(&X25519, &rng).unwrap();
    let public = secret.compute_public_key().unwrap();
    let key = agree_ephemeral(secret, UnparsedPublicKey::new(&X25519, server), (), |shared| {
        let key = Salt::new(HKDF_SHA256, &[]).extract(shared).expand(&[INFO], &AES_256_GCM).map(UnboundKey::from);
        key.map_err(|_| ())
    });
    let mut nonce = [0; 12];
    rng.fill(&mut nonce).unwrap();
    let mut sealed = PLAINTEXT.to_vec();
    let key = LessSafeKey::new(key.unwrap());
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut sealed).unwrap();
    envelope(public.as_ref(), &nonce, &sealed)
}

fn by_ring(server: &[u8; 32]) -> String {
    use ring::{
        aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
        agreement::{EphemeralPrivateKey, UnparsedPublicKey, X25519, agree_ephemeral},
        hkdf::{HKDF_SHA256, Salt},
        rand::{SecureRandom as _, SystemRandom},
    };
    let rng = SystemRandom::new();
    let secret = EphemeralPrivateKey::generate(&X25519, &rng).unwrap();
    let public = secret.compute_public_key().unwrap();
    let key = agree_ephemeral(secret, &UnparsedPublicKey::new(&X25519, server), |shared| {
        Salt::new(HKDF_SHA256, &[]).extract(shared).expand(&[INFO], &AES_256_GCM).map(UnboundKey::from)
    });
    let mut nonce = [0; 12];
    rng.fill(&mut nonce).unwrap();
    let mut sealed = PLAINTEXT.to_vec();
    let key = LessSafeKey::new(key.unwrap().unwrap());
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut sealed).unwrap();
    envelope(public.as_ref(), &nonce, &sealed)
}

/// `graviola` has no HKDF, so this computes the two steps with its HMAC (RFC 5869).
fn by_graviola(server: &[u8; 32]) -> String {
    use graviola::{
        aead::AesGcm,
        hashing::{Sha256, hmac::Hmac},
        key_agreement::x25519::{PrivateKey, PublicKey},
        random,
    };
    let hmac = |key: &[u8], parts: [&[u8]; 2]| {
        let mut hmac = Hmac::<Sha256>::new(key);
        parts.into_iter().for_each(|part| hmac.update(part));
        hmac.finish()
    };
    let secret = PrivateKey::new_random().unwrap();
    let public = secret.public_key().as_bytes();
    let shared = secret.diffie_hellman(&PublicKey::from_array(server)).unwrap();
    let extracted = hmac(&[], [&shared.0, &[]]);
    let key = hmac(extracted.as_ref(), [INFO, &[1]]);
    let mut nonce = [0; 12];
    random::fill(&mut nonce).unwrap();
    let (mut sealed, mut tag) = (PLAINTEXT.to_vec(), [0; TAG]);
    AesGcm::new(key.as_ref()).encrypt(&nonce, &[], &mut sealed, &mut tag);
    sealed.extend_from_slice(&tag);
    envelope(&public, &nonce, &sealed)
}

fn sessions(c: &mut Criterion) {
    let recipient = Recipient::new([0x42; 32]);
    let public = *recipient.public_key();
    let server = ServerKey::from_bytes(public).unwrap();

    let mut group = c.benchmark_group("compare_session");
    group.bench_function("apikee", |b| {
        let mut buf = [0; sealed_len(PLAINTEXT.len())];
        b.iter(|| {
            let session = Session::establish(black_box(&server), &mut SysRng).unwrap();
            session.seal(&PLAINTEXT, &mut SysRng, &mut buf).map(|(text, _)| text.len())
        });
    });
    let others = [("aws_lc_rs", by_aws_lc_rs as fn(&[u8; 32]) -> String), ("ring", by_ring), ("graviola", by_graviola)];
    for (name, sealed) in others {
        let mut text = sealed(&public).into_bytes();
        assert_eq!(recipient.open(&mut text).unwrap().0, PLAINTEXT, "{name}");
        group.bench_function(name, |b| b.iter(|| sealed(black_box(&public))));
    }
    let (_, peer) = X25519HkdfSha256::gen_keypair();
    group.bench_function("hpke", |b| {
        b.iter(|| {
            let mode = OpModeS::Base;
            let peer = black_box(&peer);
            hpke::single_shot_seal::<AesGcm256, HkdfSha256, X25519HkdfSha256>(&mode, peer, INFO, &PLAINTEXT, b"")
        });
    });
    group.finish();
}

criterion_group!(benches, sessions);
criterion_main!(benches);
