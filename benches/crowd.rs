//! Many requests at once: the cost of waiting for a slot, and whether a refused client gets through.
//!
//! `cargo bench --bench crowd --features ureq,emulator` takes about two minutes.

#[path = "../tests/support/faults.rs"]
mod every_fault;

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use apikee::{
    Apikee, Keyring, NewKey, SysRng, UnixTime,
    breaker::BreakerConfig,
    client::{ApikeeBuilder, AuthorizeRequest, Call, Received, TransportError},
    emulator::{EmulatedClient, Emulator, Occasion},
    envelope::{Recipient, ServerKey, sealed_len},
    meta::JsonObject,
    policy::Basis,
    protocol::{ClientId, MethodPath},
};

const SECRET: &[u8] = b"2014e90b82285ea7888b4a091409ecfcd6a6536fc62d5dcf3e1fd31f6bf54ea1";

fn id(number: usize) -> String {
    format!("497f6eca-6276-4993-bfeb-{number:012x}")
}

fn key(number: usize) -> String {
    let meta = format!(r#"{{"clientId":"{}"}}"#, id(number));
    let new = NewKey::new("acme-corp").meta(JsonObject::new(&meta).unwrap());
    let keys = Keyring::new(SECRET).unwrap();
    keys.issue(&new, UnixTime::now(), &mut SysRng, &mut [0; 1024]).unwrap().to_owned()
}

fn ask(apikee: &Apikee, key: &str) -> Option<Basis> {
    let request = AuthorizeRequest::new(Some(key), MethodPath::new("GET", "/users").unwrap());
    apikee.authorize(&request).ok().map(|grant| grant.basis())
}

fn main() {
    // `cargo test --benches` also runs this file. Then it does nothing.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    throughput();
    refused();
}

/// A platform in this process that takes 20 ms to confirm a request.
fn slow() -> ApikeeBuilder {
    let platform = Recipient::new([7; 32]);
    let server = ServerKey::from_bytes(*platform.public_key()).unwrap();
    let transport = move |call: &Call<'_>, answer: &mut [u8]| -> Result<Received, TransportError> {
        let mut body = call.body.to_vec();
        let (_, reply) = platform.open(&mut body).unwrap();
        thread::sleep(Duration::from_millis(20));
        let plaintext = br#"{"success":true}"#;
        let len = sealed_len(plaintext.len());
        reply.seal(plaintext, &mut SysRng, &mut answer[..len]).unwrap();
        Ok(Received { status: 200, len, retry_after: None })
    };
    let builder = Apikee::builder().secret(SECRET).project_key("sk_test_example").project_env("my-app-production");
    builder.server_key(server).transport(transport).auto_register(false)
}

/// The number of confirmed requests a second, and the processor time of each.
fn rate(apikee: &Apikee, threads: usize, clients: usize, time: Duration) -> (f64, Duration) {
    let keys: Vec<_> = (0..clients).map(key).collect();
    let (done, cpu, start) = (AtomicUsize::new(0), cpu(), Instant::now());
    thread::scope(|scope| {
        for thread in 0..threads {
            let (key, done) = (&keys[thread % clients], &done);
            scope.spawn(move || {
                while start.elapsed() < time {
                    assert_eq!(ask(apikee, key), Some(Basis::Confirmed));
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    let done = done.into_inner();
    (done as f64 / start.elapsed().as_secs_f64(), (self::cpu() - cpu) / done as u32)
}

/// The processor time of this process, in the kernel's ticks of 10 ms.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

fn throughput() {
    const TIME: Duration = Duration::from_secs(3);
    println!("a platform that takes 20 ms, confirmed requests a second and processor time of each");
    for (threads, slots, clients) in [(64, 64, 4), (64, 32, 4), (256, 32, 4), (256, 32, 1)] {
        // The two take turns, since other programs also use the machine.
        let mut best = [(0.0_f64, Duration::MAX); 2];
        for _ in 0..3 {
            let builder = || slow().max_in_flight(slots).timeout(Duration::from_secs(60));
            let limited = builder().build().unwrap();
            let free = builder().max_in_flight_per_client(slots).build().unwrap();
            for (best, apikee) in best.iter_mut().zip([&limited, &free]) {
                let (rate, cpu) = rate(apikee, threads, clients, TIME);
                *best = (best.0.max(rate), best.1.min(cpu));
            }
        }
        let [(limited, cpu), (free, free_cpu)] = best;
        println!(
            "{threads:>4} threads, {slots} slots, {clients} clients: {limited:.0} ({cpu:.0?}), without a share for each \
             client {free:.0} ({free_cpu:.0?}): {:.3}",
            limited / free
        );
    }
}

/// A client that has exceeded its rate limit asks on 256 threads for a minute, while each kind of fault happens in
/// turn.
fn refused() {
    const THREADS: usize = 256;
    const TIME: Duration = Duration::from_secs(60);
    // The time starts at a full hour, so that the limit stays exceeded the whole time.
    let now = UnixTime::now().as_secs();
    let hour = UnixTime::from_secs(now - now % 3600);
    let platform = Emulator::builder().max_connections(1024).time(hour).timestamp_tolerance(None).start().unwrap();
    platform.add_client(ClientId::new(&id(0)).unwrap(), EmulatedClient::new("spent").hourly(1));
    platform.add_client(ClientId::new(&id(1)).unwrap(), EmulatedClient::new("other"));
    let apikee = Apikee::builder()
        .secret(SECRET)
        .project_key(Emulator::PROJECT_KEY)
        .project_env(platform.project_env())
        .server_public_key(platform.public_key())
        .base_url(platform.url())
        .breaker(BreakerConfig::DEFAULT.cool_down(Duration::from_millis(50), Duration::from_millis(200)).unwrap())
        .timeout(Duration::from_millis(500))
        .build()
        .unwrap();
    let (spent, other) = (key(0), key(1));
    while ask(&apikee, &spent) == Some(Basis::Confirmed) {}
    let faults: Vec<_> = every_fault::faults(Duration::from_millis(500)).into_iter().map(|(fault, _)| fault).collect();
    let (asked, let_through, others, over) =
        (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (apikee, spent, other, asked, let_through, others, over) =
                (&apikee, &spent, &other, &asked, &let_through, &others, &over);
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    // One thread in eight asks for the client that was not refused.
                    if thread % 8 == 0 {
                        others.fetch_add(usize::from(ask(apikee, other).is_some()), Ordering::Relaxed);
                    } else {
                        asked.fetch_add(1, Ordering::Relaxed);
                        let_through.fetch_add(usize::from(ask(apikee, spent).is_some()), Ordering::Relaxed);
                    }
                }
            });
        }
        let each = TIME / faults.len() as u32;
        for fault in &faults {
            platform.behave();
            platform.misbehave(fault.clone(), Occasion::Always);
            thread::sleep(each);
            platform.clear_log();
        }
        over.store(true, Ordering::Relaxed);
    });
    let [asked, let_through, others] = [asked, let_through, others].map(AtomicUsize::into_inner);
    println!(
        "{THREADS} threads, {TIME:?}, {} kinds of fault: {let_through} of {asked} requests of the refused client let \
         through, {others} of another client",
        faults.len()
    );
    assert_eq!(let_through, 0);
}
