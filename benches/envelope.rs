//! The cost of envelopes. Each operation is measured next to the minimum work that it must do, and next to the
//! single-shot operations of the `hpke` crate over the same bytes. Compare figures of one run only, as ratios.
//!
//! With the feature `tables`, a session is established with a table. Without it, the ladder is used:
//! `cargo bench --bench envelope --no-default-features --features std,envelope`.

use std::hint::black_box;

use aes_gcm::{Aes256Gcm, KeyInit, aead::AeadInOut};
use apikee::envelope::{Recipient, ServerKey, Session, sealed_len};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use getrandom::SysRng;
use hpke::{Kem as _, OpModeR, OpModeS, aead::AesGcm256, kdf::HkdfSha256, kem::X25519HkdfSha256};
use rand_core::{TryCryptoRng, TryRng};
use x25519_dalek::{PublicKey, StaticSecret};

const SECRET: [u8; 32] = [0x42; 32];
/// A validate request with a few headers has about this many bytes.
const PLAINTEXT: [u8; 450] = [b'x'; 450];

fn establish(c: &mut Criterion) {
    let recipient = Recipient::new(SECRET);
    let server = ServerKey::from_bytes(*recipient.public_key()).unwrap();
    let peer = PublicKey::from(*recipient.public_key());

    let mut group = c.benchmark_group("establish");
    group.bench_function("floor_x25519_dalek", |b| {
        b.iter(|| {
            let mut bytes = [0; 32];
            SysRng.try_fill_bytes(&mut bytes).unwrap();
            let secret = StaticSecret::from(bytes);
            (PublicKey::from(&secret), secret.diffie_hellman(black_box(&peer)))
        });
    });
    group.bench_function("session", |b| b.iter(|| Session::establish(black_box(&server), &mut SysRng)));
    group.finish();
}

fn aes(c: &mut Criterion) {
    let recipient = Recipient::new(SECRET);
    let server = ServerKey::from_bytes(*recipient.public_key()).unwrap();
    let mut buf = [0; sealed_len(PLAINTEXT.len())];

    let mut group = c.benchmark_group("seal");
    group.bench_function("floor_aes_gcm_and_nonce", |b| {
        let mut message = PLAINTEXT;
        b.iter(|| {
            let mut nonce = [0; 12];
            SysRng.try_fill_bytes(&mut nonce).unwrap();
            let cipher = Aes256Gcm::new(black_box(&[7; 32]).into());
            cipher.encrypt_inout_detached(&nonce.into(), &[], message.as_mut_slice().into()).unwrap()
        });
    });
    group.bench_function("session", |b| {
        b.iter_batched(
            || Session::establish(&server, &mut SysRng).unwrap(),
            |session| session.seal(black_box(&PLAINTEXT), &mut SysRng, &mut buf).map(|(text, _)| text.len()),
            BatchSize::SmallInput,
        );
    });
    group.finish();

    let mut group = c.benchmark_group("open");
    group.bench_function("floor_aes_gcm", |b| {
        let cipher = Aes256Gcm::new(&[7; 32].into());
        let mut sealed = PLAINTEXT;
        let tag = cipher.encrypt_inout_detached(&[1; 12].into(), &[], sealed.as_mut_slice().into()).unwrap();
        b.iter_batched_ref(
            || sealed,
            |message| {
                let cipher = Aes256Gcm::new(black_box(&[7; 32]).into());
                cipher.decrypt_inout_detached(&[1; 12].into(), &[], message.as_mut_slice().into(), &tag).unwrap();
            },
            BatchSize::SmallInput,
        );
    });
    // By reference, like the floor: an answer is already in a buffer.
    group.bench_function("pending", |b| {
        b.iter_batched_ref(
            || {
                let session = Session::establish(&server, &mut SysRng).unwrap();
                let mut request = [0; sealed_len(PLAINTEXT.len())];
                let pending = session.seal(&PLAINTEXT, &mut SysRng, &mut request).unwrap().1;
                let reply = recipient.open(&mut request).unwrap().1;
                let mut answer = [0; sealed_len(PLAINTEXT.len())];
                reply.seal(&PLAINTEXT, &mut SysRng, &mut answer).unwrap();
                (Some(pending), answer)
            },
            |(pending, answer)| pending.take().unwrap().open(answer).map(|opened| opened.as_bytes().len()),
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

/// A generator that always returns the same byte.
struct Same;

impl TryRng for Same {
    type Error = core::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(0x0505_0505)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(0x0505_0505_0505_0505)
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        out.fill(5);
        Ok(())
    }
}

impl TryCryptoRng for Same {}

fn round_trip(c: &mut Criterion) {
    type Kem = X25519HkdfSha256;
    let recipient = Recipient::new(SECRET);
    let server = ServerKey::from_bytes(*recipient.public_key()).unwrap();
    let mut request = [0; sealed_len(PLAINTEXT.len())];

    let mut group = c.benchmark_group("whole");
    group.bench_function("establish_and_seal", |b| {
        b.iter(|| {
            let session = Session::establish(black_box(&server), &mut SysRng).unwrap();
            session.seal(&PLAINTEXT, &mut SysRng, &mut request).map(|(text, _)| text.len())
        });
    });
    // The same session each time, so that one answer fits all. Only the client's part is measured.
    let mut answer = [0; sealed_len(PLAINTEXT.len())];
    let session = Session::establish(&server, &mut Same).unwrap();
    session.seal(&PLAINTEXT, &mut Same, &mut request).unwrap();
    recipient.open(&mut request).unwrap().1.seal(&PLAINTEXT, &mut SysRng, &mut answer).unwrap();
    group.bench_function("establish_seal_and_open", |b| {
        b.iter(|| {
            let session = Session::establish(black_box(&server), &mut Same).unwrap();
            let (_, pending) = session.seal(&PLAINTEXT, &mut SysRng, &mut request).unwrap();
            let mut answer = answer;
            pending.open(&mut answer).map(|opened| opened.as_bytes().len()).unwrap()
        });
    });
    let (private, public) = Kem::gen_keypair();
    group.bench_function("hpke_single_shot_seal", |b| {
        b.iter(|| {
            hpke::single_shot_seal::<AesGcm256, HkdfSha256, Kem>(
                &OpModeS::Base,
                black_box(&public),
                b"apikee-v1",
                &PLAINTEXT,
                b"",
            )
        });
    });
    let (encapped, sealed) =
        hpke::single_shot_seal::<AesGcm256, HkdfSha256, Kem>(&OpModeS::Base, &public, b"apikee-v1", &PLAINTEXT, b"")
            .unwrap();
    group.bench_function("hpke_single_shot_open", |b| {
        b.iter(|| {
            hpke::single_shot_open::<AesGcm256, HkdfSha256, Kem>(
                &OpModeR::Base,
                black_box(&private),
                &encapped,
                b"apikee-v1",
                &sealed,
                b"",
            )
        });
    });
    group.finish();
}

criterion_group!(benches, establish, aes, round_trip);
criterion_main!(benches);
