//! The cost of keys. In each group, `floor` is the minimum work of a verifier: HMAC-SHA256 over the payload, from a
//! state that already has the key. Compare the other figures with it, as ratios, and only within one run.

use std::{hint::black_box, sync::Barrier, thread, time::Instant};

use apikee::{
    Expiry, KeyError, Keyring, NewKey, UnixTime, issue_buffer_len,
    key::{MAX_PAYLOAD_LEN, MAX_SECRETS},
    meta::JsonObject,
    verify_buffer_len,
};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

const SECRET: &[u8] = b"2014e90b82285ea7888b4a091409ecfcd6a6536fc62d5dcf3e1fd31f6bf54ea1";
const NOW: UnixTime = UnixTime::from_secs(1_760_000_000);
/// `{"id":…,"tid":"acme-corp","scp":["read","write"],"env":"production","exp":…,"meta":…}`
const PAYLOAD_LEN: usize = 135;

/// A key whose payload has exactly this length. It is filled up with `meta`, or with a long tenant if it is short.
fn key_of(keys: &Keyring, payload_len: usize) -> String {
    let mut buf = vec![0; issue_buffer_len(MAX_PAYLOAD_LEN)];
    let mut filled = |fill: usize| {
        let filling = "p".repeat(fill);
        let meta = format!(r#"{{"plan":"{filling}"}}"#);
        let new = if payload_len < 120 {
            NewKey::new(&filling).environment("e").expires(Expiry::Never)
        } else {
            NewKey::new("acme-corp").scopes(&["read", "write"]).meta(JsonObject::new(&meta).unwrap())
        };
        // One id in 256 is unusable.
        let ids = ["31GnZ1t7ZX2ye5UxqDDBe", "31GnZ1t7ZX2ye5UxqDDBf"];
        ids.iter().find_map(|id| keys.issue_with_id(&new, id, NOW, &mut buf).ok().map(str::to_owned)).unwrap()
    };
    // Each byte of the filling makes the payload one byte longer.
    let least = decoded_len(&filled(1));
    let key = filled(1 + payload_len - least);
    assert_eq!(decoded_len(&key), payload_len);
    key
}

fn decoded_len(key: &str) -> usize {
    let text = key.strip_prefix("apikee_").unwrap().split_once('.').unwrap().0;
    payload(text).len()
}

/// The payload, decoded digit by digit.
fn payload(text: &str) -> Vec<u8> {
    let mut number: Vec<u8> = Vec::new();
    for digit in text.bytes() {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'A'..=b'Z' => digit - b'A' + 10,
            _ => digit - b'a' + 36,
        };
        let mut carry = u32::from(value);
        for byte in number.iter_mut().rev() {
            carry += u32::from(*byte) * 62;
            *byte = carry as u8;
            carry >>= 8;
        }
        if carry > 0 {
            number.insert(0, carry as u8);
        }
    }
    number
}

fn floor(payload: &[u8]) -> impl FnMut() -> [u8; 32] + '_ {
    let keyed = Hmac::<Sha256>::new_from_slice(SECRET).unwrap();
    move || {
        let mut mac = keyed.clone();
        mac.update(black_box(payload));
        mac.finalize().into_bytes().into()
    }
}

fn verify(c: &mut Criterion) {
    let keys = Keyring::new(SECRET).unwrap();
    let good = key_of(&keys, PAYLOAD_LEN);
    let payload = payload(good.strip_prefix("apikee_").unwrap().split_once('.').unwrap().0);
    let forged = {
        let last = if good.ends_with('a') { 'b' } else { 'a' };
        format!("{}{last}", &good[..good.len() - 1])
    };
    let later = UnixTime::from_secs(NOW.as_secs() + 365 * 86_400);
    let wrong_prefix = format!("sk_live_{good}");
    let junk = format!("apikee_{}.{}", "7".repeat(64 * 1024), "7".repeat(43));
    let mut buf = [0; 1024];

    assert!(keys.verify(&good, NOW, &mut buf).is_ok());
    for (name, key, now, error) in [
        ("expired", &good, later, KeyError::Expired),
        ("forged", &forged, NOW, KeyError::InvalidSignature),
        ("wrong_prefix", &wrong_prefix, NOW, KeyError::InvalidPrefix),
    ] {
        assert_eq!(keys.verify(key, now, &mut buf).unwrap_err(), error, "{name}");
    }
    assert!(matches!(keys.verify(&junk, NOW, &mut buf), Err(KeyError::Decode)));

    let mut group = c.benchmark_group("verify");
    let mut least = floor(&payload);
    group.bench_function("floor", |b| b.iter(&mut least));
    for (name, key, now) in [
        ("good", &good, NOW),
        ("expired", &good, later),
        ("forged", &forged, NOW),
        ("wrong_prefix", &wrong_prefix, NOW),
        ("junk_64_kB", &junk, NOW),
    ] {
        group.bench_function(name, |b| {
            b.iter(|| keys.verify(black_box(key), now, &mut buf).map(|key| key.secret_index()));
        });
    }
    group.finish();
}

fn secrets(c: &mut Criterion) {
    let signer = Keyring::new(SECRET).unwrap();
    let good = key_of(&signer, PAYLOAD_LEN);
    let payload = payload(good.strip_prefix("apikee_").unwrap().split_once('.').unwrap().0);
    let mut buf = [0; 1024];

    let mut group = c.benchmark_group("secrets");
    let mut least = floor(&payload);
    group.bench_function("floor", |b| b.iter(&mut least));
    // The last secret has signed the key.
    for count in 1..=MAX_SECRETS {
        let mut secrets: Vec<_> = (1..count).map(|other| format!("newer secret {other}").into_bytes()).collect();
        secrets.push(SECRET.to_vec());
        let mut keys = Keyring::new(&secrets[0]).unwrap();
        for secret in &secrets[1..] {
            keys.accept(secret).unwrap();
        }
        assert_eq!(keys.verify(&good, NOW, &mut buf).unwrap().secret_index(), count - 1);
        group.bench_function(BenchmarkId::new("verify", count), |b| {
            b.iter(|| keys.verify(black_box(&good), NOW, &mut buf).map(|key| key.secret_index()));
        });
    }
    group.finish();
}

fn issue(c: &mut Criterion) {
    let keys = Keyring::new(SECRET).unwrap();
    let key = key_of(&keys, PAYLOAD_LEN);
    let payload = payload(key.strip_prefix("apikee_").unwrap().split_once('.').unwrap().0);
    let claims: &str = std::str::from_utf8(&payload).unwrap();
    let id = claims[7..].split_once('"').unwrap().0;
    let meta = claims[..claims.len() - 1].split_once(r#""meta":"#).unwrap().1;
    let new = NewKey::new("acme-corp").scopes(&["read", "write"]).meta(JsonObject::new(meta).unwrap());
    let mut buf = [0; issue_buffer_len(PAYLOAD_LEN)];
    assert_eq!(keys.issue_with_id(&new, id, NOW, &mut buf).unwrap(), key);

    let mut group = c.benchmark_group("issue");
    let mut least = floor(&payload);
    group.bench_function("floor", |b| b.iter(&mut least));
    group.bench_function("id_given", |b| {
        b.iter(|| keys.issue_with_id(black_box(&new), black_box(id), NOW, &mut buf).map(str::len));
    });
    group.bench_function("id_drawn", |b| {
        let mut rng = Steady(0);
        b.iter(|| keys.issue(black_box(&new), NOW, &mut rng, &mut buf).map(str::len));
    });
    group.finish();
}

/// A generator that costs nothing, so that drawing an id is measured without the system call.
struct Steady(u64);

impl rand_core::TryRng for Steady {
    type Error = core::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        self.try_next_u64().map(|word| (word >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        self.0 = self.0.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
        Ok(self.0)
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        for chunk in out.chunks_mut(8) {
            let word = self.try_next_u64()?.to_be_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Steady {}

fn lengths(c: &mut Criterion) {
    let keys = Keyring::new(SECRET).unwrap();
    let mut group = c.benchmark_group("payload");
    for len in [64, 135, 256, 512, 1024, 2048, 4096, MAX_PAYLOAD_LEN] {
        let key = key_of(&keys, len);
        let payload = payload(key.strip_prefix("apikee_").unwrap().split_once('.').unwrap().0);
        let mut buf = vec![0; verify_buffer_len(key.len())];
        assert!(keys.verify(&key, NOW, &mut buf).is_ok());
        group.throughput(Throughput::Bytes(len as u64));
        let mut least = floor(&payload);
        group.bench_function(BenchmarkId::new("floor", len), |b| b.iter(&mut least));
        group.bench_function(BenchmarkId::new("verify", len), |b| {
            b.iter(|| keys.verify(black_box(&key), NOW, &mut buf).map(|key| key.secret_index()));
        });
    }
    group.finish();
}

/// Threads that verify with one keyring at the same time. The throughput is that of all threads together.
fn threads(c: &mut Criterion) {
    let keys = Keyring::new(SECRET).unwrap();
    let key = key_of(&keys, PAYLOAD_LEN);
    let mut group = c.benchmark_group("threads");
    for count in [1, 2, 4, 8] {
        group.throughput(Throughput::Elements(count));
        group.bench_function(BenchmarkId::new("verify", count), |b| {
            b.iter_custom(|rounds| {
                let start = Barrier::new(count as usize);
                let verify = || {
                    let mut buf = [0; 1024];
                    start.wait();
                    let started = Instant::now();
                    for _ in 0..rounds {
                        assert!(keys.verify(black_box(&key), NOW, &mut buf).is_ok());
                    }
                    (started, Instant::now())
                };
                let times: Vec<_> = thread::scope(|scope| {
                    let running: Vec<_> = (0..count).map(|_| scope.spawn(verify)).collect();
                    running.into_iter().map(|thread| thread.join().unwrap()).collect()
                });
                // From the first start to the last end.
                let started = times.iter().map(|(started, _)| *started).min().unwrap();
                times.iter().map(|(_, ended)| *ended).max().unwrap() - started
            });
        });
    }
    group.finish();
}

/// Objects with this number of members of about 15 bytes each. The time for each byte should stay about the same.
fn members(c: &mut Criterion) {
    let object = |count: usize| {
        let members: Vec<String> =
            (0..count).map(|n| format!(r#""m{:x}":{n}"#, n * 2_654_435_761 % 0xFFFF_FFFB)).collect();
        format!("{{{}}}", members.join(","))
    };
    let mut group = c.benchmark_group("members");
    for count in [20, 1000, 5000] {
        let text = object(count);
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(BenchmarkId::new("JsonObject", count), |b| {
            b.iter(|| JsonObject::new(black_box(&text)).is_ok());
        });
    }
    // A payload has room for about 480 of them.
    let keys = Keyring::new(SECRET).unwrap();
    let mut buf = vec![0; issue_buffer_len(MAX_PAYLOAD_LEN)];
    for count in [20, 450] {
        let text = object(count);
        let new = NewKey::new("acme-corp").meta(JsonObject::new(&text).unwrap());
        let key = keys.issue(&new, NOW, &mut Steady(0), &mut buf).unwrap().to_owned();
        assert!(keys.verify(&key, NOW, &mut buf).is_ok());
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(BenchmarkId::new("verify", count), |b| {
            b.iter(|| keys.verify(black_box(&key), NOW, &mut buf).map(|key| key.secret_index()));
        });
    }
    group.finish();
}

criterion_group!(benches, verify, secrets, issue, lengths, threads, members);
criterion_main!(benches);
