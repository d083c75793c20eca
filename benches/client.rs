//! The cost of one authorization in this process: verification, envelope and policy, without the socket.
//!
//! The transport gets its answers from a platform in the same process. Its time is measured separately and subtracted.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use apikee::{
    Apikee, Keyring, NewKey, SysRng, UnixTime,
    client::{AuthorizeRequest, Call, Received, TransportError},
    envelope::{Recipient, ServerKey, sealed_len},
    meta::JsonObject,
    policy::Basis,
    protocol::MethodPath,
};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

const SECRET: &[u8] = b"2014e90b82285ea7888b4a091409ecfcd6a6536fc62d5dcf3e1fd31f6bf54ea1";
const CLIENT: &str = r#"{"clientId":"497f6eca-6276-4993-bfeb-53cbbbba6f08"}"#;
const HEADERS: [(&str, &str); 3] = [
    ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
    ("x-forwarded-for", "203.0.113.42"),
    ("x-real-ip", "203.0.113.42"),
];

/// The platform's part of a call. It frees all heap memory that it allocates.
fn answer_call(platform: &Recipient, call: &Call<'_>, answer: &mut [u8]) -> usize {
    let mut body = call.body.to_vec();
    let (_, reply) = platform.open(&mut body).unwrap();
    let id = call.target.trim_start_matches("/client/").split('?').next().unwrap();
    let plaintext = format!(r#"{{"success":true,"clientId":"{id}","durationMs":3}}"#);
    let len = sealed_len(plaintext.len());
    reply.seal(plaintext.as_bytes(), &mut SysRng, &mut answer[..len]).unwrap();
    len
}

/// A client, and the nanoseconds that its transport has used.
fn client() -> (Apikee, Arc<AtomicU64>) {
    let platform = Recipient::new([7; 32]);
    let server = ServerKey::from_bytes(*platform.public_key()).unwrap();
    let spent = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&spent);
    let transport = move |call: &Call<'_>, answer: &mut [u8]| -> Result<Received, TransportError> {
        let start = Instant::now();
        let len = answer_call(&platform, call, answer);
        counter.fetch_add(start.elapsed().as_nanos() as u64, Ordering::Relaxed);
        Ok(Received { status: 200, len, retry_after: None })
    };
    let apikee = Apikee::builder()
        .secret(SECRET)
        .project_key("sk_test_example")
        .project_env("my-app-production")
        .server_key(server)
        .transport(transport)
        .background_thread(false)
        .auto_register(false)
        .build()
        .unwrap();
    (apikee, spent)
}

fn authorize(c: &mut Criterion) {
    let keys = Keyring::new(SECRET).unwrap();
    let new = NewKey::new("acme-corp").scopes(&["read", "write"]).meta(JsonObject::new(CLIENT).unwrap());
    let mut buf = [0; 1024];
    let key = keys.issue(&new, UnixTime::now(), &mut SysRng, &mut buf).unwrap();
    let request = AuthorizeRequest::new(Some(key), MethodPath::new("GET", "/users/{id}").unwrap())
        .scopes(&["read"])
        .headers(&HEADERS);

    let mut group = c.benchmark_group("authorize");
    let (apikee, spent) = client();
    let ask = |apikee: &Apikee| {
        let mut buf = [0; 1024];
        assert_eq!(apikee.authorize_in(&request, &mut buf).unwrap().basis(), Basis::Confirmed);
    };
    group.bench_function("fresh_session", |b| {
        b.iter_custom(|rounds| {
            let before = spent.load(Ordering::Relaxed);
            let start = Instant::now();
            for _ in 0..rounds {
                ask(&apikee);
            }
            start.elapsed().saturating_sub(Duration::from_nanos(spent.load(Ordering::Relaxed) - before))
        });
    });
    group.bench_function("prepared_session", |b| {
        b.iter_custom(|rounds| prepared(&apikee, &spent, rounds, &mut || ask(&apikee)));
    });
    let local = Apikee::builder().secret(SECRET).build().unwrap();
    group.bench_function("local_mode", |b| b.iter(|| local.authorize_in(&request, &mut [0; 1024]).is_ok()));
    group.finish();
}

/// Confirmed requests of this number of clients in turn, each with a prepared session.
fn clients(c: &mut Criterion) {
    let keys = Keyring::new(SECRET).unwrap();
    let mut group = c.benchmark_group("clients");
    for count in [1, 100, 10_000] {
        let all: Vec<_> = (0..count)
            .map(|number| {
                let meta = format!(r#"{{"clientId":"497f6eca-6276-4993-bfeb-{number:012x}"}}"#);
                let new = NewKey::new("acme-corp").scopes(&["read"]).meta(JsonObject::new(&meta).unwrap());
                keys.issue(&new, UnixTime::now(), &mut SysRng, &mut [0; 1024]).unwrap().to_owned()
            })
            .collect();
        let (apikee, spent) = client();
        let mut turns = all.iter().cycle();
        let mut ask = || {
            let request =
                AuthorizeRequest::new(turns.next().map(String::as_str), MethodPath::new("GET", "/users").unwrap());
            let mut buf = [0; 1024];
            assert_eq!(apikee.authorize_in(&request, &mut buf).unwrap().basis(), Basis::Confirmed);
        };
        // Every client was seen before the measurement.
        all.iter().for_each(|_| ask());
        group.bench_function(BenchmarkId::new("authorize", count), |b| {
            b.iter_custom(|rounds| prepared(&apikee, &spent, rounds, &mut ask));
        });
    }
    group.finish();
}

/// The time of this number of requests, without that of the transport and that of establishing sessions.
fn prepared(apikee: &Apikee, spent: &AtomicU64, rounds: u64, ask: &mut dyn FnMut()) -> Duration {
    let mut total = Duration::ZERO;
    let mut left = rounds;
    while left > 0 {
        apikee.prepare();
        let batch = left.min(32);
        left -= batch;
        let before = spent.load(Ordering::Relaxed);
        let start = Instant::now();
        (0..batch).for_each(|_| ask());
        total += start.elapsed().saturating_sub(Duration::from_nanos(spent.load(Ordering::Relaxed) - before));
    }
    total
}

criterion_group!(benches, authorize, clients);
criterion_main!(benches);
