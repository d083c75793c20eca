//! Secrets do not stay in memory: neither in a pool whose sessions were taken, nor on the stack below a call that has
//! returned.
//!
//! Each test first searches memory that was not wiped, and finds the secret there. This shows that the search works. It
//! reads the memory of the process as a file, which only Linux has.

use std::{collections::HashSet, fs::File, hint::black_box, os::unix::fs::FileExt as _, thread};

use apikee::Keyring;
use hmac::{KeyInit as _, block_api::HmacCore};
use sha2::{Digest as _, Sha256};
#[cfg(feature = "envelope")]
use {
    apikee::envelope::ServerKey,
    rand_core::TryRng as _,
    std::sync::LazyLock,
    x25519_dalek::{PublicKey, StaticSecret},
};

/// If this many bytes of a secret are found, that is not by chance.
const PART: usize = 8;

fn read_memory(start: usize, len: usize) -> Vec<u8> {
    let mut memory = vec![0; len];
    File::open("/proc/self/mem").unwrap().read_exact_at(&mut memory, start as u64).unwrap();
    memory
}

/// Whether memory holds eight consecutive bytes of `secret`, either unchanged or in the form that SHA-256 reads: words
/// of 32 bits, most significant byte first.
fn holds(memory: &[u8], secret: &[u8]) -> bool {
    let swapped: Vec<u8> = secret.chunks(4).flat_map(|word| word.iter().rev().copied()).collect();
    let parts: HashSet<&[u8]> = [secret, &swapped].iter().flat_map(|form| form.windows(PART)).collect();
    memory.windows(PART).any(|window| parts.contains(window))
}

mod stack {
    use super::*;

    /// Distance from the caller to the work. It is larger than the frames of the search: otherwise the search would
    /// overwrite the bytes that it looks for.
    const APART: usize = 64 << 10;
    /// Size of the searched area. It is larger than all frames of the work.
    const SEARCHED: usize = 128 << 10;

    /// Which of the secrets are left on the stack below a call that does `work`.
    fn left_by(work: impl FnOnce() + Send, secrets: &[(&'static str, Vec<u8>)]) -> Vec<&'static str> {
        let search = || {
            let here = 0_u8;
            let top = (&raw const here as usize) - APART;
            far_below(work);
            let memory = read_memory(top - SEARCHED, SEARCHED);
            secrets.iter().filter(|(_, secret)| holds(&memory, secret)).map(|(name, _)| *name).collect()
        };
        thread::scope(|scope| thread::Builder::new().stack_size(2 << 20).spawn_scoped(scope, search).unwrap().join())
            .unwrap()
    }

    #[inline(never)]
    fn far_below(work: impl FnOnce()) {
        let apart = [0_u8; APART];
        black_box(&apart);
        at_the_end(work);
        black_box(&apart);
    }

    #[inline(never)]
    fn at_the_end(work: impl FnOnce()) {
        work();
    }

    /// The key with each pad, as RFC 2104, section 2, defines them.
    fn padded(secret: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
        let key = if secret.len() <= 64 { secret.to_vec() } else { Sha256::digest(secret).to_vec() };
        let with = |pad: u8| key.iter().map(|byte| byte ^ pad).collect();
        vec![("inner pad", with(0x36)), ("outer pad", with(0x5c)), ("key", key)]
    }

    /// Checks that the search finds the pads of a key that is not wiped.
    fn assert_found(key: &[u8], secrets: &[(&'static str, Vec<u8>)]) {
        let unwiped = left_by(|| drop(black_box(HmacCore::<Sha256>::new_from_slice(key))), secrets);
        assert!(unwiped.contains(&"outer pad"), "the search does not find the unwiped key: {unwiped:?}");
    }

    fn secrets() -> Vec<Vec<u8>> {
        let mut rng = crate::support::Xorshift(0x6d61_635f_7061_6473);
        [16, 32, 63, 64, 65, 100, 1_000].map(|len| (0..len).map(|_| rng.word() as u8).collect()).into()
    }

    #[test]
    fn a_keyring_leaves_no_padded_secret_on_the_stack() {
        for secret in secrets() {
            let padded = padded(&secret);
            assert_found(&secret, &padded);
            let make = || assert!(black_box(Keyring::new(&secret)).is_ok());
            assert_eq!(left_by(make, &padded), [""; 0], "{} bytes", secret.len());
        }
    }

    #[cfg(feature = "client")]
    #[test]
    fn a_secret_file_leaves_no_padded_secret_on_the_stack() {
        let path =
            std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("memory-secret-{}", std::process::id()));
        for len in [32, 64, 100] {
            let mut rng = crate::support::Xorshift(len);
            let secret: Vec<u8> = (0..len).map(|_| b'a' + (rng.word() % 26) as u8).collect();
            std::fs::write(&path, &secret).unwrap();
            let padded = padded(&secret);
            assert_found(&secret, &padded);
            let read = || assert!(black_box(Keyring::from_file(&path)).is_ok());
            assert_eq!(left_by(read, &padded), [""; 0], "{len} bytes");
        }
        std::fs::remove_file(&path).unwrap();
    }

    #[cfg(feature = "envelope")]
    #[test]
    fn a_session_leaves_no_secrets_on_the_stack() {
        use apikee::envelope::Session;

        for seed in 1..=4 {
            let agreed = agreed(seed);
            let mut secrets = padded(&agreed.extracted);
            secrets.push(("shared secret", agreed.shared.to_vec()));
            secrets.push(("ephemeral secret", agreed.ephemeral.to_vec()));
            assert_found(&agreed.extracted, &secrets);
            let unwiped = left_by(|| _ = black_box(agreed.ephemeral), &secrets);
            assert_eq!(unwiped, ["ephemeral secret"]);
            let unwiped = left_by(|| _ = black_box(agreed.shared), &secrets);
            assert_eq!(unwiped, ["shared secret"]);

            let establish =
                || assert!(black_box(Session::establish(&SERVER, &mut crate::support::Xorshift(seed))).is_ok());
            assert_eq!(left_by(establish, &secrets), [""; 0], "seed {seed}");
        }
    }
}

#[cfg(feature = "envelope")]
static SERVER: LazyLock<ServerKey> = LazyLock::new(|| ServerKey::from_bytes(server_public().to_bytes()).unwrap());

#[cfg(feature = "envelope")]
fn server_public() -> PublicKey {
    PublicKey::from(&StaticSecret::from([0x42; 32]))
}

/// The values that a session with this seed is derived from, according to docs/WIRE.md, "Envelopes".
#[cfg(feature = "envelope")]
struct Agreed {
    ephemeral: [u8; 32],
    shared: [u8; 32],
    extracted: [u8; 32],
    key: [u8; 32],
}

#[cfg(feature = "envelope")]
fn agreed(seed: u64) -> Agreed {
    let mut ephemeral = [0; 32];
    let Ok(()) = crate::support::Xorshift(seed).try_fill_bytes(&mut ephemeral);
    let shared = StaticSecret::from(ephemeral).diffie_hellman(&server_public()).to_bytes();
    let extracted = crate::support::tag(&[0; 32], &shared);
    let key = crate::support::tag(&extracted, b"apikee-v1\x01");
    Agreed { ephemeral, shared, extracted, key }
}

#[cfg(feature = "envelope")]
mod pool {
    use core::time::Duration;

    use apikee::envelope::{Session, SessionPool};

    use super::*;

    const SESSIONS: usize = 3;
    const MAX_AGE: Duration = Duration::from_secs(60);
    const NEW: Duration = Duration::ZERO;
    const TOO_OLD: Duration = Duration::from_secs(61);

    /// A pool that does not move. Its sessions have the seeds from 1 on.
    fn filled() -> Box<SessionPool<SESSIONS>> {
        let mut pool = Box::new(SessionPool::new(MAX_AGE));
        (1..=SESSIONS as u64).for_each(|seed| pool.put(session(seed), NEW).unwrap());
        assert_eq!(seeds_in(&pool), [1, 2, 3]);
        pool
    }

    fn session(seed: u64) -> Session {
        Session::establish(&SERVER, &mut crate::support::Xorshift(seed)).unwrap()
    }

    /// The seeds of the sessions whose keys are in the memory of the pool.
    fn seeds_in(pool: &SessionPool<SESSIONS>) -> Vec<u64> {
        let memory = read_memory(black_box(pool) as *const _ as usize, size_of_val(pool));
        (1..=5).filter(|seed| holds(&memory, &agreed(*seed).key)).collect()
    }

    #[test]
    fn a_pool_keeps_nothing_of_a_session_that_was_taken() {
        let mut pool = filled();
        // Also wraps around the end of the pool's memory.
        for seed in 4..=5 {
            drop(pool.take(NEW).unwrap());
            pool.put(session(seed), NEW).unwrap();
        }
        assert_eq!(seeds_in(&pool), [3, 4, 5]);
        for left in [&[4, 5][..], &[5], &[]] {
            let taken = pool.take(NEW).unwrap();
            assert_eq!(seeds_in(&pool), left);
            drop(taken);
        }
    }

    #[test]
    fn a_pool_keeps_nothing_of_a_session_that_is_too_old() {
        let mut pool = filled();
        pool.drop_old(TOO_OLD);
        assert_eq!(seeds_in(&pool), [0; 0]);

        let mut pool = filled();
        assert!(pool.take(TOO_OLD).is_none());
        assert_eq!(seeds_in(&pool), [0; 0]);

        let mut pool = filled();
        pool.put(session(4), TOO_OLD).unwrap();
        assert_eq!(seeds_in(&pool), [4]);
    }

    #[test]
    fn a_full_pool_keeps_nothing_of_a_session_that_it_returns() {
        let mut pool = filled();
        drop(pool.put(session(4), NEW).unwrap_err());
        assert_eq!(seeds_in(&pool), [1, 2, 3]);
    }
}
