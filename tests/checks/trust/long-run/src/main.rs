//! Runs many authorizations on 64 threads, while faults happen at random. An oracle judges each result.
//!
//! ```text
//! apikee-long-run process|sockets REQUESTS
//! ```
//!
//! With `process`, the platform is in this process and records its answers. With `sockets`, `UreqTransport` sends the
//! calls to the emulator, whose answers are recorded, too. The program ends with an error if one result is wrong, if
//! too few requests are confirmed, if those of a client are not confirmed any more, or if memory, descriptors or
//! threads grow. The variable PLANTED plants a fault: `verdict`, `breaker`, `memory` or `descriptor`.

#[path = "../../../../support/faults.rs"]
mod every_fault;
mod oracle;
mod platform;

use std::{
    fs,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use apikee::{
    Apikee, Denial, Expiry, Keyring, NewKey, Revocations, SysRng, UnixTime,
    breaker::BreakerConfig,
    client::{ApikeeBuilder, AuthorizeRequest},
    meta::JsonObject,
    policy::{Basis, Outage},
    protocol::MethodPath,
};

use crate::oracle::{Case, Oracle, Seen};

const THREADS: usize = 64;
/// Clients of each thread. No other thread uses them, so that the oracle knows which refusals are remembered.
const CLIENTS: usize = 4;
const SECRET: &[u8] = b"2014e90b82285ea7888b4a091409ecfcd6a6536fc62d5dcf3e1fd31f6bf54ea1";
const ADDRESSES: [&str; 2] = ["203.0.113.7", "203.0.113.8"];
const LIMIT: Duration = Duration::from_millis(500);

/// A generator of pseudo-random numbers. The seed determines all numbers.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % end
    }
}

pub fn client_id(number: usize) -> String {
    format!("497f6eca-6276-4993-bfeb-{number:012x}")
}

fn key(number: usize, secret: &[u8], expires: Expiry) -> String {
    let meta = format!(r#"{{"clientId":"{}"}}"#, client_id(number));
    let new = NewKey::new("acme-corp").scopes(&["read"]).meta(JsonObject::new(&meta).unwrap()).expires(expires);
    Keyring::new(secret).unwrap().issue(&new, UnixTime::now(), &mut SysRng, &mut [0; 1024]).unwrap().to_owned()
}

/// The keys of a client. All except the first are refused without asking the platform.
fn keys(number: usize, revoked: &Revocations) -> Vec<(Case, String)> {
    let good = key(number, SECRET, Expiry::Never);
    let forged = good[..good.len() - 1].to_owned() + if good.ends_with('0') { "1" } else { "0" };
    let gone = key(number, SECRET, Expiry::Never);
    revoked.insert(apikee::Fingerprint::of(&gone));
    vec![
        (Case::Good, good.clone()),
        (Case::Bad, forged),
        (Case::Bad, key(number, b"the secret of another service", Expiry::Never)),
        (Case::Bad, good[..good.len() / 2].to_owned()),
        (Case::Expired, key(number, SECRET, Expiry::At(UnixTime::from_secs(1_700_000_000)))),
        (Case::Revoked, gone),
        (Case::Scopes, good),
        (Case::None, String::new()),
    ]
}

fn planted() -> String {
    std::env::var("PLANTED").unwrap_or_default()
}

fn builder(revoked: &Revocations) -> ApikeeBuilder {
    let [first, longest] = match &*planted() {
        // Once a breaker is open, its client is not asked for any more.
        "breaker" => [Duration::from_secs(3600); 2],
        _ => [1, 20].map(Duration::from_millis),
    };
    let breaker = BreakerConfig::DEFAULT.cool_down(first, longest).unwrap();
    Apikee::builder()
        .secret(SECRET)
        .revocations(revoked.clone())
        .timeout(LIMIT)
        .breaker(breaker)
        .refusal_memory(oracle::memory())
        .max_in_flight(24)
        .auto_register(false)
}

/// The memory in kB, descriptors and threads of this process.
fn held() -> [u64; 3] {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim_start_matches(':').trim().trim_end_matches(" kB").parse().unwrap()
    };
    let descriptors = u64::try_from(fs::read_dir("/proc/self/fd").unwrap().count()).unwrap();
    [field("VmRSS"), descriptors, field("Threads")]
}

/// The mean values of [`held`] during a part of the requests. The largest values would depend on when the most
/// connections happen to be open.
#[derive(Default)]
struct Mean {
    sums: [u64; 3],
    count: u64,
}

impl Mean {
    fn note(&mut self) {
        self.sums.iter_mut().zip(held()).for_each(|(sum, now)| *sum += now);
        self.count += 1;
    }

    fn values(&self) -> [u64; 3] {
        assert!(self.count > 0, "too fast to measure: more requests are needed");
        self.sums.map(|sum| sum / self.count)
    }
}

fn main() {
    let arguments: Vec<_> = std::env::args().collect();
    let [_, mode, requests] = &arguments[..] else { panic!("process|sockets REQUESTS") };
    let requests: u64 = requests.parse().expect("a number of requests");
    let revoked = Revocations::new();
    let keys: Vec<_> = (0..THREADS * CLIENTS).map(|number| keys(number, &revoked)).collect();
    match &**mode {
        "process" => {
            let platform = platform::InProcess::new();
            let apikee = platform.configure(builder(&revoked)).build().unwrap();
            run(&apikee, requests, &keys, &|_| platform::take_told());
        }
        "sockets" => {
            let platform = platform::Sockets::start(THREADS * CLIENTS);
            let apikee = platform.configure(builder(&revoked)).build().unwrap();
            run(&apikee, requests, &keys, &|path| platform.take_told(path));
        }
        _ => panic!("process or sockets"),
    }
}

fn run(
    apikee: &Apikee,
    requests: u64,
    keys: &[Vec<(Case, String)>],
    told: &(dyn Fn(&str) -> Option<oracle::Told> + Sync),
) {
    let planted = planted();
    let (done, start) = (AtomicU64::new(0), Instant::now());
    let seen = Mutex::new(Seen::default());
    let (mut early, mut late) = (Mean::default(), Mean::default());
    thread::scope(|scope| {
        for (number, keys) in keys.chunks(CLIENTS).enumerate() {
            let (done, seen, planted) = (&done, &seen, &*planted);
            scope.spawn(move || {
                let mut random = Random(u64::try_from(number).unwrap());
                let mut oracles: Vec<_> = keys.iter().map(|_| Oracle::default()).collect();
                // After the requests, more follow until each client has been confirmed once more.
                let mut confirmed_again = [false; CLIENTS];
                loop {
                    let count = done.fetch_add(1, Relaxed);
                    if count >= requests {
                        if confirmed_again == [true; CLIENTS] {
                            break;
                        }
                        assert!(count < 2 * requests, "clients that are not confirmed again");
                    }
                    let client = usize::try_from(random.below(4)).unwrap();
                    // Three of four keys are good.
                    let kind = usize::try_from(random.below(32)).unwrap();
                    let (case, key) = keys[client].get(kind).unwrap_or(&keys[client][0]);
                    let address = usize::try_from(random.below(2)).unwrap();
                    let scopes: &[&str] = if *case == Case::Scopes { &["write"] } else { &["read"] };
                    let path = format!("/users/{count}");
                    let headers = [("x-forwarded-for", ADDRESSES[address])];
                    let key = (*case != Case::None).then_some(key);
                    let method_path = MethodPath::new("GET", &path).unwrap();
                    let request = AuthorizeRequest::new(key, method_path).scopes(scopes).headers(&headers);
                    let before = Instant::now();
                    let mut answer = apikee.authorize(&request).map(|grant| grant.basis());
                    let after = Instant::now();
                    // While a breaker is open, answers are quick. Without a pause, 64 busy threads could keep the
                    // probe's thread from running, and use up the requests.
                    if let Ok(Basis::FailedOpen(Outage::BreakerOpen { .. })) | Err(Denial::Remembered(_)) = answer {
                        thread::sleep(Duration::from_millis(1));
                    }
                    if planted == "verdict" && count == requests / 2 {
                        answer = match answer {
                            Ok(_) => Err(Denial::Revoked),
                            Err(_) => Ok(Basis::Confirmed),
                        };
                    }
                    if planted == "memory" && count % 2 == 0 {
                        std::mem::forget(std::hint::black_box(vec![1_u8; 1000]));
                    }
                    if planted == "descriptor" && count % 1000 == 0 {
                        std::mem::forget(fs::File::open("/dev/null").unwrap());
                    }
                    confirmed_again[client] |= count >= requests && matches!(answer, Ok(Basis::Confirmed));
                    oracles[client].judge(*case, told(&path), address, answer, before, after);
                }
                let mut all = seen.lock().unwrap();
                oracles.into_iter().for_each(|oracle| all.add(oracle.seen));
            });
        }
        let mut ended = 0;
        while ended < requests {
            thread::sleep(Duration::from_millis(20));
            ended = done.load(Relaxed);
            if (requests / 4..requests / 2).contains(&ended) {
                early.note();
            } else if ended >= requests / 2 {
                late.note();
            }
        }
    });
    // These values are from the time when the threads were running.
    let [memory, descriptors, threads] = early.values();
    let [memory_after, descriptors_after, threads_after] = late.values();
    let seen = seen.into_inner().unwrap();
    println!("{seen}");
    println!(
        "held {memory} kB, {descriptors} descriptors, {threads} threads; later {memory_after} kB, {descriptors_after}, {threads_after}"
    );
    println!("total {requests} in {:.0?}, wrong {}", start.elapsed(), seen.wrong.len());
    seen.wrong.iter().take(5).for_each(|wrong| println!("wrong: {wrong}"));
    assert!(seen.wrong.is_empty(), "wrong answers");
    // Usually half.
    assert!(seen.confirmed() > requests / 4, "too few requests are confirmed");
    assert!(memory_after <= memory + MEMORY_SLACK, "memory grows");
    assert!(descriptors_after <= descriptors + DESCRIPTOR_SLACK, "descriptors grow");
    assert!(threads_after <= threads + DESCRIPTOR_SLACK, "threads grow");
}

/// Growth in kB that the allocator may cause: each of 64 threads has its own arena.
const MEMORY_SLACK: u64 = 4096;
/// The number of connections varies, and with `sockets` also the number of the emulator's threads for them.
const DESCRIPTOR_SLACK: u64 = 16;
