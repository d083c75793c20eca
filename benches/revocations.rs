//! The cost of revocations for a request while they are replaced: a million entries, eight threads.
//!
//! ```text
//! cargo bench --features client --bench revocations
//! ```
//!
//! A look-up is too short to be timed by itself. So a thread alternates: it times requests with a look-up, and requests
//! with only the SHA-256 of the key. The difference of the medians is the cost of a look-up.
//!
//! One thread with its own core measures whether a replacement delays requests: with eight threads on fewer cores, a
//! request also waits for a core. For comparison, the same thread also runs while a set is replaced that nothing reads.
//! That shows the machine's own pauses.

use std::{
    hint::black_box,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use apikee::{Fingerprint, Keyring, NewKey, Revocations, SysRng, UnixTime};
use arc_swap::ArcSwap;

const ENTRIES: u64 = 1_000_000;
const SECONDS: u64 = 5;
/// The number of keys in use by each thread.
const KEYS: u64 = 8192;
/// A request must not take this long.
const LONG: Duration = Duration::from_millis(1);

/// Bytes that look like a hash. The same number always gives the same bytes (SplitMix64).
fn fingerprint(number: u64) -> Fingerprint {
    let mut bytes = [0; 32];
    for (at, chunk) in (1..).zip(bytes.chunks_exact_mut(8)) {
        let mut z = (number * 4 + at).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        chunk.copy_from_slice(&(z ^ (z >> 31)).to_le_bytes());
    }
    Fingerprint::from_bytes(bytes)
}

/// The measurements of one thread.
#[derive(Default)]
struct Seen {
    /// Nanoseconds of requests, with a look-up and without.
    with: Vec<u32>,
    without: Vec<u32>,
    /// The number of requests with a look-up that took longer than 1 ms, and the longest time.
    long: usize,
    longest: Duration,
}

/// Looks up keys for some seconds. Either all of them are revoked or none. Meanwhile one set is replaced each second.
fn run(revocations: &Revocations, threads: u64, hits: bool, replaced: Option<&Revocations>) -> Seen {
    let done = AtomicBool::new(false);
    let ready = AtomicU64::new(0);
    thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|thread| {
                let (done, ready) = (&done, &ready);
                scope.spawn(move || {
                    let first = if hits { 0 } else { 1000 * ENTRIES };
                    let asked: Vec<_> = (0..KEYS).map(|at| fingerprint(first + thread * KEYS + at)).collect();
                    let key = format!("apikee_{}.{}", "k".repeat(180), "s".repeat(43));
                    let mut seen = Seen::default();
                    ready.fetch_add(1, Ordering::SeqCst);
                    let requests = asked.iter().flat_map(|fingerprint| [(fingerprint, false), (fingerprint, true)]);
                    for (fingerprint, look_up) in requests.cycle() {
                        if done.load(Ordering::Relaxed) {
                            break;
                        }
                        let start = Instant::now();
                        black_box(Fingerprint::of(black_box(&key)));
                        if look_up {
                            assert_eq!(revocations.contains(black_box(fingerprint)), hits);
                        }
                        let took = start.elapsed();
                        if look_up {
                            seen.with.push(took.as_nanos() as u32);
                            seen.long += usize::from(took > LONG);
                            seen.longest = seen.longest.max(took);
                        } else {
                            seen.without.push(took.as_nanos() as u32);
                        }
                    }
                    seen
                })
            })
            .collect();
        while ready.load(Ordering::SeqCst) < threads {
            thread::yield_now();
        }
        for round in 0..SECONDS {
            let second = Instant::now();
            if let Some(replaced) = replaced {
                // A thousand entries are removed and a thousand are added. All others stay.
                let list: Vec<_> = (0..ENTRIES - 1000)
                    .chain((1..=1000).map(|new| (round + 1) * ENTRIES + new))
                    .map(fingerprint)
                    .collect();
                replaced.replace(list);
            }
            thread::sleep(Duration::from_secs(1).saturating_sub(second.elapsed()));
        }
        done.store(true, Ordering::Relaxed);
        let mut all = Seen::default();
        for thread in running {
            let seen = thread.join().unwrap();
            all.with.extend(seen.with);
            all.without.extend(seen.without);
            (all.long, all.longest) = (all.long + seen.long, all.longest.max(seen.longest));
        }
        all
    })
}

fn median(nanoseconds: &mut [u32]) -> u32 {
    let middle = nanoseconds.len() / 2;
    *nanoseconds.select_nth_unstable(middle).1
}

/// The fastest of many rounds, in nanoseconds. The slower ones were interrupted.
fn fastest(mut work: impl FnMut()) -> f64 {
    let round = |work: &mut dyn FnMut()| {
        let start = Instant::now();
        (0..200).for_each(|_| work());
        start.elapsed()
    };
    let fastest = (0..5_000).map(|_| round(&mut work)).min().unwrap();
    fastest.as_nanos() as f64 / 200.0
}

fn main() {
    let keys = Keyring::new(b"2014e90b82285ea7888b4a091409ecfcd6a6536fc62d5dcf3e1fd31f6bf54ea1").unwrap();
    let mut buf = [0; 1024];
    let new = NewKey::new("acme-corp").scopes(&["read", "write"]);
    let now = UnixTime::now();
    let key = keys.issue(&new, now, &mut SysRng, &mut buf).unwrap();
    let fixed = fastest(|| assert!(keys.verify(black_box(key), now, &mut [0; 1024]).is_ok()));
    let keys = ArcSwap::from_pointee(keys);
    let swapped = fastest(|| assert!(keys.load().verify(black_box(key), now, &mut [0; 1024]).is_ok()));
    println!("a key verified: {fixed:.0} ns with a fixed keyring, {swapped:.0} ns with one that can be replaced");

    let sha = fastest(|| {
        black_box(Fingerprint::of(black_box(key)));
    });
    println!("its SHA-256: {sha:.0} ns");

    let start = Instant::now();
    let revocations: Revocations = (0..ENTRIES).map(fingerprint).collect();
    println!("{ENTRIES} entries; the first set took {:.0?}", start.elapsed());
    let start = Instant::now();
    revocations.replace((0..ENTRIES).map(fingerprint));
    println!("a replacement: {:.0?}", start.elapsed());
    let other = Revocations::new();

    println!("| threads | keys | replaced | SHA-256 | look-up | requests |");
    println!("|---|---|---|---|---|---|");
    for threads in [1, 8] {
        for (hits, replaced) in [(false, None), (false, Some(&revocations)), (true, Some(&revocations))] {
            let mut seen = run(&revocations, threads, hits, replaced);
            let sha = median(&mut seen.without);
            println!(
                "| {threads} | {} | {} | {sha} ns | {} ns | {} |",
                if hits { "revoked" } else { "good" },
                if replaced.is_some() { "each second" } else { "never" },
                median(&mut seen.with).saturating_sub(sha),
                seen.with.len(),
            );
        }
    }

    println!("| one thread; replaced | requests | over {LONG:?} | longest |");
    println!("|---|---|---|---|");
    for _ in 0..3 {
        let sets = [("nothing", None), ("a set that nobody reads", Some(&other)), ("the set", Some(&revocations))];
        for (name, replaced) in sets {
            let seen = run(&revocations, 1, false, replaced);
            println!("| {name} | {} | {} | {:.2?} |", seen.with.len(), seen.long, seen.longest);
        }
    }
}
