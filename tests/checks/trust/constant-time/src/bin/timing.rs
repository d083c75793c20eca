//! Measures two classes of inputs in random order, and compares their times by Welch's t-test, as dudect does (Reparaz,
//! Balasch and Verbauwhede, 2017). The classes differ in a way that only a secret determines: for example, in one class
//! a tag is wrong only in its last bits, and in the other from the first byte on.
//!
//! The test uses all samples, and also the fastest 50, 90 and 99 %, because interrupts only add time. The largest |t|
//! counts. As in dudect, a value above 10 is a difference: with several tests for each pair, on a shared machine,
//! chance alone sometimes exceeds 4.5.

use std::{hint::black_box, process::ExitCode, time::Instant};

use apikee::{
    Keyring,
    envelope::{Recipient, ServerKey, Session, sealed_len},
};
use apikee_constant_time::{NOW, Xorshift, key, server_key};

const DIFFERENT: f64 = 10.0;
/// The smallest |t| for a planted fault.
const FAR_ABOVE: f64 = 50.0;

/// The number of different inputs of a class.
const POOL: usize = 256;

#[derive(Default)]
struct Moments {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Moments {
    /// Welford's method.
    fn of(samples: impl Iterator<Item = u64>) -> Self {
        samples.fold(Self::default(), |Self { count, mean, squares }, sample| {
            let (count, off) = (count + 1.0, sample as f64 - mean);
            let mean = mean + off / count;
            Self { count, mean, squares: squares + off * (sample as f64 - mean) }
        })
    }

    fn error(&self) -> f64 {
        self.squares / (self.count - 1.0) / self.count
    }
}

/// The largest |t|; and for the fastest 90 % of both classes, in nanoseconds, the difference and the smallest difference
/// that would count.
fn compare([one, other]: &[Vec<u64>; 2]) -> (f64, f64, f64) {
    let mut all = [one.as_slice(), other].concat();
    all.sort_unstable();
    let test = |percent: usize| {
        let most = all[(all.len() - 1) * percent / 100];
        let [one, other] = [one, other].map(|own| Moments::of(own.iter().copied().filter(|time| *time <= most)));
        let (off, error) = (one.mean - other.mean, (one.error() + other.error()).sqrt());
        (if error > 0.0 { off / error } else { 0.0 }, off, DIFFERENT * error)
    };
    let t = [50, 90, 99, 100].map(|percent| test(percent).0.abs()).into_iter().fold(0.0, f64::max);
    let (_, off, least) = test(90);
    (t, off, least)
}

/// Takes `count` samples: `prepare` makes the input of a class, and `work` on it is timed.
fn measure<I>(count: usize, mut prepare: impl FnMut(bool, usize) -> I, mut work: impl FnMut(I)) -> [Vec<u64>; 2] {
    let mut rng = Xorshift(0x7469_6d69_6e67);
    let mut times = [const { Vec::new() }; 2];
    for at in 0..count + count / 20 {
        let word = rng.word();
        let class = word >> 40 & 1 == 1;
        let input = black_box(prepare(class, (word >> 8) as usize % POOL));
        let start = Instant::now();
        work(input);
        let time = start.elapsed();
        // The first samples only warm up the processor.
        if at >= count / 20 {
            times[usize::from(class)].push(time.as_nanos() as u64);
        }
    }
    times
}

struct Report(bool);

impl Report {
    fn constant(&mut self, name: &str, times: &[Vec<u64>; 2]) {
        self.tell(name, times, |t| t < DIFFERENT);
    }

    fn planted(&mut self, name: &str, times: &[Vec<u64>; 2]) {
        self.tell(name, times, |t| t > FAR_ABOVE);
    }

    fn tell(&mut self, name: &str, times: &[Vec<u64>; 2], is_good: impl FnOnce(f64) -> bool) {
        let (t, off, least) = compare(times);
        let (good, count) = (is_good(t), times[0].len() + times[1].len());
        let verdict = if good { "ok" } else { "FAILED" };
        println!(
            "{verdict} | {name} | \\|t\\| {t:.1} ({off:+.2} ns; a difference of {least:.2} ns counts), {count} samples"
        );
        self.0 &= good;
    }
}

/// Keys with a wrong signature: one class differs only in the last digit, the other was signed with another secret.
fn forged_keys(keys: &Keyring, rng: &mut Xorshift) -> [Vec<String>; 2] {
    let other = Keyring::new(b"another secret").expect("a secret");
    let near = (0..POOL).map(|_| {
        let mut key = key(keys, rng);
        let last = key.pop().expect("a digit");
        key.push(if last == '0' { '1' } else { '0' });
        key
    });
    let near = near.collect();
    [near, (0..POOL).map(|_| key(&other, rng)).collect()]
}

/// Returns at the first byte that differs.
#[inline(never)]
fn early_exit(one: &[u8], other: &[u8]) -> bool {
    one.iter().zip(other).all(|(one, other)| black_box(*one) == *other)
}

fn keys(report: &mut Report, samples: usize) {
    let mut rng = Xorshift(0x6b65_7973);
    let secret = rng.bytes::<32>();
    let keys = Keyring::new(&secret).expect("a secret");
    let forged = forged_keys(&keys, &mut rng);
    let mut buf = [0; 1024];
    let text = |class: bool, at: usize| forged[usize::from(class)][at].clone();

    let times = measure(samples, text, |key| _ = black_box(keys.verify(&key, NOW, &mut buf).is_ok()));
    report.constant("`verify`: a signature wrong in its last digit, and in all", &times);

    let good: Vec<[u8; 32]> = (0..POOL).map(|_| rng.bytes()).collect();
    let pair = |class: bool, at: usize| {
        let mut tag = if class { Xorshift(at as u64 + 1).bytes() } else { good[at] };
        tag[31] ^= 1;
        (text(class, at), tag, good[at])
    };
    let times = measure(samples, pair, |(key, tag, good)| {
        _ = black_box(keys.verify(&key, NOW, &mut buf).is_ok());
        _ = black_box(early_exit(&tag, &good));
    });
    report.planted("planted: the same, and a comparison of 32 bytes that returns at the first difference", &times);

    let secrets: Vec<[u8; 32]> = (0..POOL).map(|_| rng.bytes()).collect();
    let with = |class: bool, at: usize| (if class { secrets[at] } else { secret }, text(true, at));
    let times = measure(samples, with, |(secret, key)| {
        let keys = Keyring::new(&secret).expect("a secret");
        _ = black_box(keys.verify(&key, NOW, &mut buf).is_ok());
    });
    report.constant("HMAC: `Keyring::new` and `verify` with one secret, and with others", &times);
}

fn server_keys(report: &mut Report, samples: usize) {
    /// Comparisons in one sample, because one comparison is shorter than a step of the clock.
    const TIMES: usize = 32;
    const KEYS: usize = 16;
    let mut rng = Xorshift(0x7365_7276_6572);
    let pinned = server_key(rng.bytes());
    let near = (0..KEYS as u8).map(|at| {
        let mut bytes = *pinned.as_bytes();
        bytes[31] ^= at + 1;
        ServerKey::from_bytes(bytes).expect("a key")
    });
    let classes: [Vec<ServerKey>; 2] = [near.collect(), (0..KEYS).map(|_| server_key(rng.bytes())).collect()];
    let pick = |class: bool, at: usize| &classes[usize::from(class)][at % KEYS];

    let times = measure(samples, pick, |key| {
        (0..TIMES).for_each(|_| _ = black_box(*black_box(key) == *black_box(&pinned)));
    });
    report.constant("`ServerKey == ServerKey`, 32 times: different in the last byte, and in all", &times);
    let times = measure(samples, pick, |key| {
        (0..TIMES).for_each(|_| _ = black_box(early_exit(black_box(key).as_bytes(), pinned.as_bytes())));
    });
    report.planted("planted: the same with a comparison that returns at the first difference", &times);
}

fn open(report: &mut Report, samples: usize) {
    const LEN: usize = 200;
    let mut rng = Xorshift(0x6f70_656e);
    let own = rng.bytes();
    let (server, recipient) = (server_key(own), Recipient::new(own));
    let prepare = |class: bool, _: usize| {
        let mut request = [0; sealed_len(LEN)];
        let session = Session::establish(&server, &mut rng).expect("a session");
        let (_, pending) = session.seal(&[0; LEN], &mut rng, &mut request).expect("an envelope");
        let (opened, reply) = recipient.open(&mut request).expect("a request");
        let mut answer = [0; sealed_len(LEN)];
        reply.seal(opened, &mut rng, &mut answer).expect("an answer");
        // 216 bytes are 288 digits. The last digit is the tag's last six bits. The tag's first digit is 22 before it.
        let digit = answer.len() - 3 - if class { 20 } else { 0 };
        answer[digit] = if answer[digit] == b'A' { b'B' } else { b'A' };
        (pending, answer)
    };
    let times =
        measure(samples / 20, prepare, |(pending, mut answer)| _ = black_box(pending.open(&mut answer).is_ok()));
    report.constant("`Pending::open`: a tag wrong in its last bits, and in its first", &times);
}

/// Different numbers for the generators of a class, or only zeros: from `Xorshift(0)`, each secret is zero.
fn seeds() -> [[u64; POOL]; 2] {
    let mut rng = Xorshift(0x0073_6565_6473);
    [[0; POOL], std::array::from_fn(|_| rng.word())]
}

fn sessions(report: &mut Report, samples: usize) {
    let mut rng = Xorshift(0x7365_7373_696f_6e73);
    let (server, seeds) = (server_key(rng.bytes()), seeds());
    let generator = |class: bool, at: usize| Xorshift(seeds[usize::from(class)][at]);

    let times = measure(samples, generator, |mut rng| _ = black_box(Session::establish(&server, &mut rng).is_ok()));
    report.constant("`Session::establish` (X25519 twice, HKDF): an ephemeral secret of zeros, and others", &times);
    let times = measure(samples, generator, |mut rng| {
        let secret: [u8; 32] = rng.clone().bytes();
        _ = black_box(Session::establish(&server, &mut rng).is_ok());
        let set: u32 = secret.iter().map(|byte| byte.count_ones()).sum();
        _ = (0..black_box(set) * 50).fold(1, |product: u32, _| black_box(product.wrapping_mul(3)));
    });
    report.planted("planted: the same, and 50 multiplications for each bit of the secret that is set", &times);

    let request = |class: bool, at: usize| {
        let mut rng = generator(class, at);
        (Session::establish(&server, &mut rng).expect("a session"), rng.bytes::<200>(), rng)
    };
    let times = measure(samples, request, |(session, plaintext, mut rng)| {
        _ = black_box(session.seal(&plaintext, &mut rng, &mut [0; sealed_len(200)]).is_ok());
    });
    report.constant("`Session::seal` (AES-GCM): one key and a plaintext of zeros, and others", &times);

    let classes = seeds.map(|seeds| {
        seeds.map(|seed| {
            let own = Xorshift(seed).bytes();
            let mut request = [0; sealed_len(200)];
            let session = Session::establish(&server_key(own), &mut rng).expect("a session");
            session.seal(&[0; 200], &mut rng, &mut request).expect("an envelope");
            (Recipient::new(own), request)
        })
    });
    let pick = |class: bool, at: usize| {
        let (recipient, request) = &classes[usize::from(class)][at];
        (recipient, *request)
    };
    let times = measure(samples, pick, |(recipient, mut request)| _ = black_box(recipient.open(&mut request).is_ok()));
    report.constant("`Recipient::open` (X25519, HKDF, AES-GCM): a server's secret of zeros, and others", &times);
}

fn main() -> ExitCode {
    let samples = std::env::args().nth(1).and_then(|samples| samples.parse().ok()).expect("the number of samples");
    let mut report = Report(true);
    keys(&mut report, samples);
    server_keys(&mut report, samples);
    sessions(&mut report, samples / 20);
    open(&mut report, samples);
    if report.0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
