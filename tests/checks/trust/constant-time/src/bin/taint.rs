//! Passes secrets through the crate's public API while valgrind's memcheck treats them as undefined. memcheck then
//! reports each branch and each address that depends on a secret.
//!
//! The output of the crate is marked as public again: a verdict, a public key, an envelope. Prints one line for each
//! check with the number of branches and addresses that memcheck reported.

use std::{
    ffi::{c_int, c_uint, c_void},
    hint::black_box,
    process::ExitCode,
    slice,
};

use apikee::{
    Expiry, KeyError, Keyring, NewKey,
    envelope::{OpenError, Pending, Recipient, ServerKey, Session, sealed_len},
};
use apikee_constant_time::{NOW, Xorshift, key, server_key};

unsafe extern "C" {
    fn request_secret(at: *mut c_void, len: usize);
    fn request_public(at: *mut c_void, len: usize);
    fn request_errors() -> c_uint;
    fn request_running() -> c_int;
}

/// Marks a value as secret: from now on, nothing may depend on it.
fn secret<T: ?Sized>(value: &mut T) {
    // SAFETY: the request marks the bytes of `value` and changes none.
    unsafe { request_secret((&raw mut *value).cast(), size_of_val(value)) }
}

/// Marks a value as public: from now on, anything may depend on it.
fn public<T: ?Sized>(value: &mut T) {
    // SAFETY: the request marks the bytes of `value` and changes none.
    unsafe { request_public((&raw mut *value).cast(), size_of_val(value)) }
}

/// The 32 bytes at an offset in a value.
fn part<T>(value: &mut T, at: usize) -> &mut [u8] {
    assert!(at + 32 <= size_of::<T>());
    // SAFETY: the bytes are inside of `value`, which is borrowed as long as the result, and belong to an array.
    unsafe { slice::from_raw_parts_mut((&raw mut *value).cast::<u8>().add(at), 32) }
}

/// The offset of an array of 32 bytes in a value. Both are public.
fn place_of<T>(value: &mut T, array: &[u8; 32]) -> usize {
    (0..=size_of::<T>() - 32).find(|at| part(value, *at) == array).expect("the array")
}

struct Checks {
    all_good: bool,
}

impl Checks {
    /// Checks that nothing in `work` depends on a secret.
    fn constant(&mut self, name: &str, work: impl FnOnce()) {
        self.check(name, work, |found| found == 0);
    }

    /// Checks that a planted fault is found.
    fn planted(&mut self, name: &str, work: impl FnOnce()) {
        self.check(name, work, |found| found > 0);
    }

    fn check(&mut self, name: &str, work: impl FnOnce(), is_good: impl FnOnce(c_uint) -> bool) {
        // SAFETY: the request counts.
        let errors = || unsafe { request_errors() };
        let before = errors();
        work();
        let found = errors() - before;
        let good = is_good(found);
        println!("{} | {name} | {found}", if good { "ok" } else { "FAILED" });
        self.all_good &= good;
    }
}

/// A generator. It marks draws of 32 bytes as secret. Shorter draws are nonces, which are public.
struct Rng(Xorshift);

impl rand_core::TryRng for Rng {
    type Error = core::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        self.0.try_next_u32()
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        self.0.try_next_u64()
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        self.0.try_fill_bytes(out)?;
        if out.len() == 32 {
            secret(out);
        }
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Rng {}

fn secret_ring(secrets: &[&[u8]]) -> Keyring {
    let mut secrets: Vec<Vec<u8>> = secrets.iter().map(|bytes| bytes.to_vec()).collect();
    secrets.iter_mut().for_each(|bytes| secret(bytes.as_mut_slice()));
    let mut keys = Keyring::new(&secrets[0]).expect("a secret");
    for secret in &secrets[1..] {
        keys.accept(secret).expect("room");
    }
    keys
}

fn keys(checks: &mut Checks) {
    let mut rng = Xorshift(0x6b65_7973);
    let (first, second) = (rng.bytes::<64>(), rng.bytes::<100>());
    for len in [1, 16, 32, 63, 64] {
        let good = key(&Keyring::new(&first[..len]).expect("a secret"), &mut rng);
        checks.constant(&format!("`Keyring::new`, `verify` of a good key, secret of {len} bytes"), || {
            let keys = secret_ring(&[&first[..len]]);
            let mut buf = [0; 1024];
            let mut verdict = keys.verify(&good, NOW, &mut buf);
            public(black_box(&mut verdict));
            assert!(verdict.is_ok());
        });
        let mut forged = good;
        let at = forged.len() - 20;
        let digit = if &forged[at..=at] == "7" { "8" } else { "7" };
        forged.replace_range(at..=at, digit);
        checks.constant(&format!("`Keyring::new`, `verify` of a forged key, secret of {len} bytes"), || {
            let keys = secret_ring(&[&first[..len]]);
            let mut buf = [0; 1024];
            let mut verdict = keys.verify(&forged, NOW, &mut buf);
            public(black_box(&mut verdict));
            assert_eq!(verdict.map(|_| ()), Err(KeyError::InvalidSignature));
        });
    }

    let old = key(&Keyring::new(&second).expect("a secret"), &mut rng);
    checks.constant("`verify` of a key of the second of three secrets, which has 100 bytes", || {
        let keys = secret_ring(&[&first, &second, &first[..32]]);
        let mut buf = [0; 1024];
        let mut verdict = keys.verify(&old, NOW, &mut buf);
        public(black_box(&mut verdict));
        assert_eq!(verdict.expect("a good key").secret_index(), 1);
    });
    checks.constant("`issue`", || {
        let keys = secret_ring(&[&first]);
        let mut buf = [0; 1024];
        let new = NewKey::new("acme-corp").scopes(&["read"]).expires(Expiry::Never);
        let mut issued = keys.issue(&new, NOW, &mut rng, &mut buf).is_ok();
        public(&mut issued);
        assert!(issued);
    });
}

fn server_keys(checks: &mut Checks) {
    let mut rng = Xorshift(0x7365_7276_6572);
    let bytes = rng.bytes();
    for (name, same) in [("the same", true), ("another", false)] {
        let pinned = server_key(bytes);
        let mut other = server_key(if same { bytes } else { rng.bytes() });
        let public_bytes = *other.as_bytes();
        let at = place_of(&mut other, &public_bytes);
        checks.constant(&format!("`ServerKey == ServerKey`, {name}"), || {
            secret(part(&mut other, at));
            let mut verdict = black_box(&other) == black_box(&pinned);
            public(black_box(&mut verdict));
            assert_eq!(verdict, same);
        });
        public(part(&mut other, at));
    }
}

/// A point outside of the subgroup of prime order. There is no table for it, so the ladder is used.
fn without_table() -> ServerKey {
    let mut point = [0; 32];
    point[0] = 2;
    ServerKey::from_bytes(point).expect("not of low order")
}

/// A session with a secret key. Only its public key is public.
fn secret_session(server: &ServerKey, drawn: &Xorshift) -> Session {
    let public_key = *Recipient::new(drawn.clone().bytes()).public_key();
    let mut twin = Session::establish(server, &mut drawn.clone()).expect("a session");
    let mut session = Session::establish(server, &mut Rng(drawn.clone())).expect("a session");
    public(part(&mut session, place_of(&mut twin, &public_key)));
    session
}

/// The server's side with a secret key. Only its public key is public.
fn secret_recipient(mut bytes: [u8; 32]) -> Recipient {
    let mut twin = Recipient::new(bytes);
    let public_key = *twin.public_key();
    secret(&mut bytes);
    let mut recipient = Recipient::new(bytes);
    public(part(&mut recipient, place_of(&mut twin, &public_key)));
    recipient
}

/// Seals, and marks the envelope as public.
fn sealed(session: Session, plaintext: &[u8], rng: &mut Xorshift) -> (Vec<u8>, Pending) {
    let mut envelope = vec![0; sealed_len(plaintext.len())];
    let (_, pending) = session.seal(plaintext, rng, &mut envelope).expect("an envelope");
    public(envelope.as_mut_slice());
    (envelope, pending)
}

fn envelopes(checks: &mut Checks) {
    let mut rng = Xorshift(0x0065_6e76_656c_6f70);
    let own = rng.bytes();
    for (name, server) in [("of prime order", server_key(own)), ("not of prime order", without_table())] {
        let drawn = Xorshift(rng.word());
        checks.constant(&format!("`Session::establish`, server key {name}"), || {
            secret_session(&server, &drawn);
        });
    }

    let server = server_key(own);
    for len in [0, 1, 16, 500] {
        for forged in [false, true] {
            let what = if forged { "forged" } else { "good" };
            let forge = |envelope: &mut Vec<u8>| {
                let at = envelope.len() - 10;
                envelope[at] = if envelope[at] == b'A' { b'B' } else { b'A' };
            };
            let drawn = Xorshift(rng.word());
            let mut plaintext = vec![b'p'; len];
            secret(plaintext.as_mut_slice());
            let session = secret_session(&server, &drawn);
            let mut made = None;
            checks.constant(&format!("`Session::seal` of {len} bytes"), || {
                made = Some(sealed(session, &plaintext, &mut rng));
            });
            let (mut request, pending) = made.expect("an envelope");

            let (plaintext, reply) = Recipient::new(own)
                .open(&mut request.clone())
                .map(|(plaintext, reply)| (plaintext.to_vec(), reply))
                .expect("a request");
            let mut answer = vec![0; sealed_len(len)];
            reply.seal(&plaintext, &mut rng, &mut answer).expect("an answer");

            if forged {
                forge(&mut request);
                forge(&mut answer);
            }
            checks.constant(&format!("`Recipient::open` of a {what} request of {len} bytes, `Reply::seal`"), || {
                match secret_recipient(own).open(&mut request) {
                    Ok((plaintext, reply)) => {
                        assert!(!forged);
                        reply.seal(plaintext, &mut rng, &mut vec![0; sealed_len(len)]).expect("room");
                    }
                    Err(error) => assert!(forged && error == OpenError::Forged),
                }
            });
            checks.constant(&format!("`Pending::open` of a {what} answer of {len} bytes"), || {
                match pending.open(&mut answer) {
                    Ok(_) => assert!(!forged),
                    Err(error) => assert!(forged && error == OpenError::Forged),
                }
            });
        }
    }
}

/// Faults of the kinds that the checks look for.
fn planted(checks: &mut Checks) {
    /// Returns at the first byte that differs.
    #[inline(never)]
    fn early_exit(one: &[u8; 32], other: &[u8; 32]) -> bool {
        one.iter().zip(other).all(|(one, other)| black_box(*one) == *other)
    }

    #[inline(never)]
    fn look_up(table: &[u8; 256], index: u8) -> u8 {
        table[usize::from(index)]
    }

    let mut rng = Xorshift(0x0070_6c61_6e74);
    let (mut tag, table) = (rng.bytes::<32>(), rng.bytes::<256>());
    let other = tag;
    secret(&mut tag);
    checks.planted("planted: a comparison that returns at the first difference", || {
        let mut verdict = early_exit(black_box(&tag), black_box(&other));
        public(black_box(&mut verdict));
        assert!(verdict);
    });
    checks.planted("planted: a look-up in a table", || {
        let mut found = look_up(black_box(&table), tag[0]);
        public(black_box(&mut found));
    });
}

fn main() -> ExitCode {
    // SAFETY: the request asks.
    if unsafe { request_running() } == 0 {
        eprintln!("taint: run it in valgrind");
        return ExitCode::FAILURE;
    }
    let mut checks = Checks { all_good: true };
    keys(&mut checks);
    server_keys(&mut checks);
    envelopes(&mut checks);
    planted(&mut checks);
    if checks.all_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
