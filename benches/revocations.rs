//! What revocations cost a request, while they are replaced: a million entries, eight threads.
//!
//! ```text
//! cargo bench --features client --bench revocations
//! ```
//!
//! With more threads than cores a request may wait for a core, which has nothing to do with the revocations. So a
//! request's time is also taken as its thread's processor time. There is no lock, so there is nothing else to wait for.

use std::{
    hint::black_box,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use apikee::{Fingerprint, Keyring, NewKey, Revocations, SysRng, UnixTime};
use arc_swap::ArcSwap;
use rustix::time::{ClockId, clock_gettime};

const ENTRIES: u64 = 1_000_000;
const THREADS: u64 = 8;
const SECONDS: u64 = 5;
/// Requests whose processor time is taken together: that takes a call of the system.
const BLOCK: usize = 16;
/// Keys in use, for each thread.
const KEYS: u64 = 8192;

/// Bytes that look like a hash; the same for the same number (SplitMix64).
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

fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// What one thread has seen.
#[derive(Default)]
struct Seen {
    /// Nanoseconds of a look-up, with those of the clock.
    lookups: Vec<u32>,
    /// Of nothing.
    clock: Vec<u32>,
    /// The longest request by the clock on the wall, and the longest block of them by the thread's.
    wall: Duration,
    processor: Duration,
}

/// Looks keys up for a time, all of which are revoked, or none.
fn run(revocations: &Revocations, hits: bool, replaced: bool) -> (Seen, Vec<Duration>) {
    let done = AtomicBool::new(false);
    let ready = AtomicUsize::new(0);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let (done, ready) = (&done, &ready);
                scope.spawn(move || {
                    let first = if hits { 0 } else { 1000 * ENTRIES };
                    let asked: Vec<_> = (0..KEYS).map(|at| fingerprint(first + thread * KEYS + at)).collect();
                    let key = format!("apikee_{}.{}", "k".repeat(180), "s".repeat(43));
                    let mut seen = Seen::default();
                    ready.fetch_add(1, Ordering::SeqCst);
                    for block in asked.chunks_exact(BLOCK).cycle() {
                        if done.load(Ordering::Relaxed) {
                            break;
                        }
                        let own = processor_time();
                        for fingerprint in block {
                            // A request's part of it: its fingerprint, which it computes, and one look-up.
                            let (start, fingerprint) = (Instant::now(), black_box(*fingerprint));
                            black_box(Fingerprint::of(black_box(&key)));
                            let lookup = Instant::now();
                            let found = revocations.contains(&fingerprint);
                            seen.lookups.push(lookup.elapsed().as_nanos() as u32);
                            seen.wall = seen.wall.max(start.elapsed());
                            assert_eq!(found, hits);
                        }
                        seen.processor = seen.processor.max(processor_time().saturating_sub(own));
                        let clock = Instant::now();
                        seen.clock.push(clock.elapsed().as_nanos() as u32);
                    }
                    seen
                })
            })
            .collect();
        while ready.load(Ordering::SeqCst) < THREADS as usize {
            thread::yield_now();
        }
        let mut took = vec![];
        for round in 0..SECONDS {
            let second = Instant::now();
            if replaced {
                // A thousand entries go and a thousand come; all others stay.
                let list: Vec<_> = (0..ENTRIES - 1000)
                    .chain((1..=1000).map(|new| (round + 1) * ENTRIES + new))
                    .map(fingerprint)
                    .collect();
                let start = Instant::now();
                revocations.replace(list);
                took.push(start.elapsed());
            }
            thread::sleep(Duration::from_secs(1).saturating_sub(second.elapsed()));
        }
        done.store(true, Ordering::Relaxed);
        let mut all = Seen::default();
        for thread in threads {
            let seen = thread.join().unwrap();
            all.lookups.extend(seen.lookups);
            all.clock.extend(seen.clock);
            (all.wall, all.processor) = (all.wall.max(seen.wall), all.processor.max(seen.processor));
        }
        all.lookups.sort_unstable();
        all.clock.sort_unstable();
        (all, took)
    })
}

/// The fastest of many rounds, in nanoseconds: the others were interrupted.
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
    println!("{ENTRIES} entries, {THREADS} threads; the first set took {:.0?}", start.elapsed());
    println!(
        "| keys | replaced | median | 99 % | requests | longest, wall | longest block, processor | a replacement |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for (hits, replaced) in [(false, false), (false, true), (true, true)] {
        let (seen, took) = run(&revocations, hits, replaced);
        let clock = seen.clock[seen.clock.len() / 2];
        let at = |part: usize| seen.lookups[seen.lookups.len() * part / 100].saturating_sub(clock);
        println!(
            "| {} | {} | {} ns | {} ns | {} | {:.2?} | {:.2?} | {:.0?} |",
            if hits { "revoked" } else { "good" },
            if replaced { "each second" } else { "never" },
            at(50),
            at(99),
            seen.lookups.len(),
            seen.wall,
            seen.processor,
            took.into_iter().max().unwrap_or_default(),
        );
    }
}
