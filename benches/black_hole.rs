//! How a platform that does not answer affects requests: connecting hangs, and requests fail open.
//!
//! 200 requests a second are made for 30 s. Each starts at its scheduled time, even if earlier requests are late. Its
//! time is measured from the scheduled start.

use std::{
    net::{TcpListener, TcpStream},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use apikee::{
    Apikee, Keyring, NewKey, SysRng, UnixTime,
    client::AuthorizeRequest,
    envelope::{Recipient, ServerKey},
    meta::JsonObject,
    policy::Basis,
    protocol::MethodPath,
};

const SECRET: &[u8] = b"2014e90b82285ea7888b4a091409ecfcd6a6536fc62d5dcf3e1fd31f6bf54ea1";
/// The number of clients that take turns.
const CLIENTS: usize = 200;
const EVERY: Duration = Duration::from_millis(5);
const REQUESTS: usize = 6000;
/// More than can be in flight at once, so that no request waits for a thread.
const WORKERS: usize = 64;

fn main() {
    // `cargo test --benches` also runs this file. Then it does nothing.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    // A listener with a full queue accepts no more connections.
    let hole = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = hole.local_addr().unwrap();
    let waiting: Vec<_> =
        (0..5000).map_while(|_| TcpStream::connect_timeout(&address, Duration::from_millis(200)).ok()).collect();
    assert!(waiting.len() < 5000, "the queue never fills");

    let server = ServerKey::from_bytes(*Recipient::new([7; 32]).public_key()).unwrap();
    let apikee = Apikee::builder()
        .secret(SECRET)
        .project_key("sk_test_example")
        .project_env("my-app-production")
        .server_key(server)
        .base_url(&format!("http://{address}/api/v1"))
        .build()
        .unwrap();
    let keys: Vec<_> = (0..CLIENTS).map(key).collect();

    let next = AtomicUsize::new(0);
    let times = Mutex::new(Vec::with_capacity(REQUESTS));
    let start = Instant::now();
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= REQUESTS {
                        return;
                    }
                    let due = EVERY * at as u32;
                    thread::sleep(due.saturating_sub(start.elapsed()));
                    let request =
                        AuthorizeRequest::new(Some(&keys[at % CLIENTS]), MethodPath::new("GET", "/users").unwrap());
                    let basis = apikee.authorize(&request).unwrap().basis();
                    assert!(matches!(basis, Basis::FailedOpen(_)));
                    times.lock().unwrap().push((due, start.elapsed() - due));
                }
            });
        }
        for second in [3, 15, 29] {
            thread::sleep(Duration::from_secs(second).saturating_sub(start.elapsed()));
            println!("after {second:>2} s: {} threads, {} kB of memory", threads(), memory());
        }
    });
    let times = times.into_inner().unwrap();
    for (name, from, to) in [("first 3 s", 0, 3), ("after that", 3, 30)] {
        let within = |due: &Duration| (from..to).contains(&due.as_secs());
        let mut times: Vec<_> = times.iter().filter(|(due, _)| within(due)).map(|(_, time)| *time).collect();
        times.sort();
        let [p50, p99, max] = [times.len() / 2, times.len() * 99 / 100, times.len() - 1].map(|at| times[at]);
        println!("{name:<10}: {} requests, p50 {p50:.2?}, p99 {p99:.2?}, longest {max:.2?}", times.len());
    }
}

fn key(number: usize) -> String {
    let meta = format!(r#"{{"clientId":"497f6eca-6276-4993-bfeb-{number:012x}"}}"#);
    let new = NewKey::new("acme-corp").meta(JsonObject::new(&meta).unwrap());
    let keys = Keyring::new(SECRET).unwrap();
    keys.issue(&new, UnixTime::now(), &mut SysRng, &mut [0; 1024]).unwrap().to_owned()
}

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count)
}

/// The memory in use, in kilobytes.
fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    line.and_then(|line| line.split_whitespace().nth(1)).unwrap_or("?").to_owned()
}
