//! Parses secrets, and holds the keyring in use, which can be replaced while requests read it.
//!
//! The same rules apply to the environment and to files, so that the same secret gives the same keys from both:
//!
//! - White space around a secret is removed. A blank secret is skipped.
//! - A byte-order mark or a control character is an error. An editor or a copy-and-paste has added it, it is invisible,
//!   and another service would read a different secret.
//!
//! ```text
//! request ── load ──> ArcSwap <── the ring in use ── current + retired ── replace, expire
//! ```
//!
//! Readers take no lock. A replaced ring is wiped when its last user drops it.

use core::{ops::Deref, time::Duration};
use std::{
    boxed::Box,
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use arc_swap::ArcSwap;

use crate::{
    crypto::stack,
    error::sentences,
    key::{Keyring, KeyringError, MAX_SECRETS},
};

/// U+FEFF. `trim` does not remove it.
const BYTE_ORDER_MARK: char = '\u{FEFF}';

/// Puts a keyring on the heap: moving it then copies none of its secrets. The copies that `make` has left are wiped.
pub(super) fn boxed<E>(make: impl FnOnce() -> Result<Keyring, E>) -> Result<Box<Keyring>, E> {
    stack::wiped_deep(|| make().map(Box::new))
}

/// A second keyring of the same secrets, on the heap; see [`boxed`].
pub(super) fn boxed_copy(keys: &Keyring) -> Box<Keyring> {
    stack::wiped_deep(|| Box::new(keys.duplicate()))
}

/// A keyring of these secrets, the newest first. `None` if there are no secrets.
pub(super) fn keyring<'s>(secrets: impl IntoIterator<Item = &'s str>) -> Result<Option<Keyring>, SecretsError> {
    let mut ring: Option<Keyring> = None;
    for secret in secrets.into_iter().map(str::trim).filter(|secret| !secret.is_empty()) {
        if secret.contains(BYTE_ORDER_MARK) {
            return Err(SecretsError::ByteOrderMark);
        }
        if secret.contains(char::is_control) {
            return Err(SecretsError::ControlCharacter);
        }
        let added = match &mut ring {
            Some(ring) => ring.accept(secret.as_bytes()).map(|_| ()),
            None => Keyring::new(secret.as_bytes()).map(|new| ring = Some(new)),
        };
        added.map_err(|error| match error {
            // Blank secrets are skipped above.
            KeyringError::Full | KeyringError::EmptySecret => SecretsError::TooMany,
        })?;
    }
    Ok(ring)
}

/// The problem with a text of secrets. It contains nothing of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SecretsError {
    ByteOrderMark,
    ControlCharacter,
    TooMany,
}

sentences!(
    SecretsError,
    ByteOrderMark: "it has a byte-order mark: save it as UTF-8 without one",
    ControlCharacter: "a secret has a control character in it, such as a line break",
    TooMany: "a keyring holds 8 secrets at most",
);

/// The keyring in use, and its parts.
pub(super) struct Keys {
    in_use: ArcSwap<Keyring>,
    /// Only writers use this.
    parts: Mutex<Parts>,
    leeway: Duration,
}

struct Parts {
    current: Box<Keyring>,
    /// Former current keyrings, the newest first.
    retired: VecDeque<Retired>,
}

struct Retired {
    keys: Box<Keyring>,
    until: Instant,
}

/// The result of a replacement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Replaced {
    /// Number of secrets that are accepted now.
    pub(super) secrets: usize,
    /// Number of secrets among them that are accepted only for a time.
    pub(super) retiring: usize,
    /// Number of old secrets that were removed before the end of their time, because there is no room.
    pub(super) displaced: usize,
    /// Number of weak secrets among the current ones.
    pub(super) weak: usize,
}

impl Keys {
    pub(super) fn new(mut keys: Box<Keyring>, leeway: Duration) -> Self {
        keys.set_leeway(leeway);
        let in_use = stack::wiped_deep(|| ArcSwap::from_pointee(keys.duplicate()));
        Self { in_use, parts: Mutex::new(Parts { current: keys, retired: VecDeque::new() }), leeway }
    }

    /// The keyring in use.
    pub(super) fn load(&self) -> impl Deref<Target = Arc<Keyring>> {
        self.in_use.load()
    }

    /// Signs with `keys` from now on. The previous secrets are accepted for `grace`.
    pub(super) fn replace(&self, mut keys: Box<Keyring>, grace: Duration, now: Instant) -> Replaced {
        keys.set_leeway(self.leeway);
        let mut parts = self.parts();
        let old = core::mem::replace(&mut parts.current, keys);
        match now.checked_add(grace).filter(|_| !grace.is_zero()) {
            Some(until) => parts.retired.push_front(Retired { keys: old, until }),
            None => parts.retired.clear(),
        }
        // Older rings cannot contribute a secret, because a keyring holds only this many.
        parts.retired.truncate(MAX_SECRETS);
        self.publish(&mut parts, now)
    }

    /// Removes old secrets whose time is over. `None` if there are none.
    pub(super) fn expire(&self, now: Instant) -> Option<Replaced> {
        let mut parts = self.parts();
        let over = parts.retired.iter().any(|retired| retired.until <= now);
        over.then(|| self.publish(&mut parts, now))
    }

    fn publish(&self, parts: &mut Parts, now: Instant) -> Replaced {
        parts.retired.retain(|retired| retired.until > now);
        let mut keys = boxed_copy(&parts.current);
        let displaced = parts.retired.iter().map(|retired| keys.accept_all_of(&retired.keys)).sum();
        let secrets = keys.secrets();
        let retiring = secrets.saturating_sub(parts.current.secrets());
        self.in_use.store(stack::wiped_deep(|| Arc::new(keys.duplicate())));
        Replaced { secrets, retiring, displaced, weak: parts.current.weak_secrets() }
    }

    fn parts(&self) -> MutexGuard<'_, Parts> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::{string::String, vec::Vec};

    use super::*;
    use crate::{NewKey, SysRng, UnixTime};

    const MINUTE: Duration = Duration::from_secs(60);

    fn ring(secrets: &[&str]) -> Box<Keyring> {
        let mut keys = Box::new(Keyring::new(secrets[0].as_bytes()).unwrap());
        for secret in &secrets[1..] {
            keys.accept(secret.as_bytes()).unwrap();
        }
        keys
    }

    fn issued(secret: &str) -> String {
        ring(&[secret]).issue(&NewKey::new("t"), UnixTime::now(), &mut SysRng, &mut [0; 1024]).unwrap().into()
    }

    fn good(keys: &Keys, secret: &str) -> bool {
        keys.load().verify(&issued(secret), UnixTime::now(), &mut [0; 1024]).is_ok()
    }

    #[test]
    fn an_old_secret_is_good_until_its_time_is_over() {
        let start = Instant::now();
        let keys = Keys::new(ring(&["a"]), Duration::ZERO);
        assert_eq!(
            keys.replace(ring(&["b"]), MINUTE, start),
            Replaced { secrets: 2, retiring: 1, displaced: 0, weak: 1 }
        );
        assert!(good(&keys, "a") && good(&keys, "b"));
        assert_eq!(keys.expire(start + MINUTE - Duration::from_nanos(1)), None);
        assert!(good(&keys, "a"));
        assert_eq!(keys.expire(start + MINUTE), Some(Replaced { secrets: 1, retiring: 0, displaced: 0, weak: 1 }));
        assert!(!good(&keys, "a") && good(&keys, "b"));
        assert_eq!(keys.expire(start + 2 * MINUTE), None, "reported once");
    }

    #[test]
    fn without_a_time_only_the_new_ring_is_good() {
        let start = Instant::now();
        let keys = Keys::new(ring(&["a"]), Duration::ZERO);
        keys.replace(ring(&["b"]), MINUTE, start);
        keys.replace(ring(&["c", "d"]), Duration::ZERO, start);
        assert_eq!(["a", "b", "c", "d"].map(|secret| good(&keys, secret)), [false, false, true, true]);
    }

    #[test]
    fn a_secret_that_comes_back_is_current_and_takes_no_second_place() {
        let start = Instant::now();
        let keys = Keys::new(ring(&["a"]), Duration::ZERO);
        for secret in ["b", "a", "b", "a"] {
            keys.replace(ring(&[secret]), MINUTE, start);
        }
        let replaced = keys.replace(ring(&["b", "a"]), MINUTE, start);
        assert_eq!((replaced.secrets, replaced.retiring, replaced.displaced), (2, 0, 0));
        keys.expire(start + MINUTE);
        assert!(good(&keys, "a") && good(&keys, "b"));
    }

    #[test]
    fn the_newest_of_many_old_secrets_stay() {
        let start = Instant::now();
        let keys = Keys::new(ring(&["0"]), Duration::ZERO);
        let mut replaced = None;
        for round in 1..=20 {
            let secret = std::format!("{round}");
            replaced = Some(keys.replace(ring(&[&secret]), MINUTE, start));
        }
        let replaced = replaced.unwrap();
        assert_eq!((replaced.secrets, replaced.retiring), (MAX_SECRETS, MAX_SECRETS - 1));
        assert!(replaced.displaced > 0);
        for round in 0..=20 {
            assert_eq!(good(&keys, &std::format!("{round}")), round >= 13, "{round}");
        }
    }

    /// Linux offers the process's own memory as a file. So this test can read freed memory.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_ring_that_was_replaced_is_wiped() {
        use std::os::unix::fs::FileExt as _;

        let keys = Keys::new(ring(&["a", "b"]), Duration::ZERO);
        let address = Arc::as_ptr(&keys.load()) as u64;
        let read = || {
            let mut memory = [0; size_of::<Keyring>()];
            std::fs::File::open("/proc/self/mem").unwrap().read_exact_at(&mut memory, address).unwrap();
            memory
        };
        let states = |memory: &[u8]| -> Vec<[u8; 16]> {
            let windows = memory.windows(16).filter(|window| !window.contains(&0));
            windows.map(|window| window.try_into().unwrap()).collect()
        };
        let before = states(&read());
        assert!(!before.is_empty(), "the search must find the state of a secret");
        let reader = keys.load();
        keys.replace(ring(&["c"]), Duration::ZERO, Instant::now());
        assert!(states(&read()).iter().any(|state| before.contains(state)), "a request still uses it");
        drop(reader);
        assert!(!states(&read()).iter().any(|state| before.contains(state)));
    }

    #[test]
    fn the_leeway_stays() {
        let keys = Keys::new(ring(&["a"]), MINUTE);
        keys.replace(ring(&["b"]), MINUTE, Instant::now());
        assert_eq!(keys.load().leeway_secs(), 60);
    }
}
