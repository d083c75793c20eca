//! The cost of the guard for a request: alone, and with the response.
//!
//! `respond/..` handles a request of `tiny_http` up to the last byte of its response, which goes into a sink. It
//! measures an accepted request, and one without a guard (`bare`) that gets the shortest JSON answer.

use std::{hint::black_box, io};

use apikee::{
    Apikee, Expiry, Keyring, NewKey, SysRng, UnixTime, verify_buffer_len,
    web::{Guard, RequestView},
};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use tiny_http::{Header, Request, Response, TestRequest};

const SECRET: &[u8] = b"2014e90b82285ea7888b4a091409ecfcd6a6536fc62d5dcf3e1fd31f6bf54ea1";

fn request(key: Option<&str>) -> Request {
    let fields = [("Host", "127.0.0.1"), ("User-Agent", "curl/8.5.0"), ("Accept", "*/*")];
    let fields = fields.into_iter().chain(key.map(|key| ("X-Api-Key", key)));
    let header = |(name, value): (&str, &str)| Header::from_bytes(name, value).unwrap();
    TestRequest::with_path(fields.map(header).fold(TestRequest::new(), TestRequest::with_header), "/users").into()
}

fn check(guard: &Guard, request: &Request, buf: &mut [u8]) -> u16 {
    guard.route("/users").require(&["read"]).check_in(request, buf).map_or_else(|refusal| refusal.status(), |_| 200)
}

fn respond(guard: &Guard, request: Request, buf: &mut [u8]) -> io::Result<()> {
    match guard.route("/users").require(&["read"]).check_in(&request, buf) {
        Ok(_) => request.respond(users()),
        Err(refusal) => refusal.respond(request),
    }
}

fn users() -> Response<io::Cursor<Vec<u8>>> {
    let json = Header::from_bytes("Content-Type", "application/json").unwrap();
    Response::from_string(r#"{"users":[]}"#).with_header(json)
}

fn guard(c: &mut Criterion) {
    let guard = Guard::new(Apikee::builder().secret(SECRET).build().unwrap());
    let keys = Keyring::new(SECRET).unwrap();
    let issue = |new: NewKey<'_>, now| keys.issue(&new, now, &mut SysRng, &mut [0; 1024]).unwrap().to_owned();
    let now = UnixTime::now();
    let good = issue(NewKey::new("acme-corp").scopes(&["read", "write"]), now);
    let forged = good[..good.len() - 1].to_owned() + if good.ends_with('0') { "1" } else { "0" };
    let expired = NewKey::new("acme-corp").scopes(&["read", "write"]).expires(Expiry::At(UnixTime::from_secs(1)));
    let expired = issue(expired, now);
    let under_scoped = issue(NewKey::new("acme-corp").scopes(&["write"]), now);
    let junk = format!("apikee_{}.{}", "z".repeat(8_000), "1".repeat(43));

    // Enough for the longest of these keys.
    let mut buf = vec![0; verify_buffer_len(junk.len())];
    let mut group = c.benchmark_group("guard");
    group.bench_function("respond/bare", |b| {
        b.iter_batched(|| request(Some(&good)), |request| request.respond(users()), BatchSize::SmallInput);
    });
    for (name, key, status) in [
        ("accepted", Some(&*good), 200),
        ("missing", None, 401),
        ("junk_8_kB", Some(&junk), 401),
        ("forged", Some(&forged), 401),
        ("expired", Some(&expired), 401),
        ("under_scoped", Some(&under_scoped), 403),
    ] {
        let request = || request(key);
        let once = request();
        assert_eq!(check(&guard, &once, &mut buf), status, "{name}");
        group.bench_function(format!("check/{name}"), |b| b.iter(|| check(&guard, black_box(&once), &mut buf)));
        group.bench_function(format!("respond/{name}"), |b| {
            b.iter_batched(request, |request| respond(&guard, black_box(request), &mut buf), BatchSize::SmallInput);
        });
    }
    let no_fields = |_: &str, _: usize| None;
    let health = RequestView::new("GET", "/health", &no_fields);
    group.bench_function("check/excluded", |b| {
        b.iter(|| assert!(guard.check_in(black_box(health), &mut []).is_ok_and(|grant| grant.is_none())));
    });
    group.finish();
}

criterion_group!(benches, guard);
criterion_main!(benches);
