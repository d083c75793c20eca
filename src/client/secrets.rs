//! Parses secrets, and holds the keyring in use, which can be replaced while requests read it.
//!
//! The same rules apply to the environment and to files, so that the same secret gives the same keys from both:
//!
//! - White space around a secret is removed. A blank secret is skipped.
//! - A byte-order mark or a control character is an error. An editor or a copy-and-paste has added it, it is invisible,
//!   and another service would read a different secret.
//!
//! ```text
//! request ── load ──> ArcSwap <── stages ── current + retired ── replace, expire
//!
//! stages: current + both old rings ── a grace ends ──> current + one old ring ── a grace ends ──> current
//! ```
//!
//! - Readers never wait for a lock. After a fork, a lock may never be released.
//! - Each stage knows when it ends, and the next stage. So a request never uses a secret whose grace is over, even if
//!   no thread has removed that secret.
//! - A ring that is not in use any more is wiped when its last user drops it.

use core::{ops::Deref, time::Duration};
use std::{
    boxed::Box,
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError},
    time::Instant,
    vec::Vec,
};

use arc_swap::{ArcSwap, Guard};

use crate::{
    crypto::stack,
    error::sentences,
    key::{Keyring, KeyringError},
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

/// A keyring of these secrets. The first signs. `None` if there are no secrets.
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

/// The longest grace. It can be added to any time without overflow.
const MAX_GRACE: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The keyring in use, and its parts.
pub(super) struct Keys {
    in_use: ArcSwap<Stage>,
    /// Only writers use this.
    parts: Mutex<Parts>,
    leeway: Duration,
}

/// A keyring, and its end if it has one: the end of the grace of an old secret.
struct Stage {
    keys: Keyring,
    next: Option<(Instant, Arc<Stage>)>,
}

impl Stage {
    fn of(keys: &Keyring, next: Option<(Instant, Arc<Self>)>) -> Arc<Self> {
        stack::wiped_deep(|| Arc::new(Self { keys: keys.duplicate(), next }))
    }

    /// The next stage, if this one is over.
    fn next_at(&self, now: impl FnOnce() -> Instant) -> Option<&Arc<Self>> {
        self.next.as_ref().filter(|(end, _)| *end <= now()).map(|(_, next)| next)
    }
}

/// The keyring that a request uses.
pub(super) struct InUse(Guard<Arc<Stage>>);

impl Deref for InUse {
    type Target = Keyring;

    fn deref(&self) -> &Keyring {
        &self.0.keys
    }
}

struct Parts {
    current: Box<Keyring>,
    /// Former current keyrings, the newest first.
    retired: VecDeque<Retired>,
}

struct Retired {
    keys: Box<Keyring>,
    until: Instant,
    /// Number of its secrets that had no room the last time.
    without_room: usize,
}

impl Parts {
    /// The secrets that are accepted just before this time.
    fn accepted_before(&self, end: Instant) -> Box<Keyring> {
        let mut keys = boxed_copy(&self.current);
        for retired in self.retired.iter().filter(|retired| retired.until >= end) {
            keys.accept_all_of(&retired.keys);
        }
        keys
    }

    /// Removes rings whose time is over, and rings of which no secret is new and fits: newer ones end later. Returns
    /// the number of secrets that have no room any more.
    fn tidy(&mut self, now: Instant) -> usize {
        let (mut newer, mut displaced) = (boxed_copy(&self.current), 0_usize);
        self.retired.retain_mut(|retired| {
            let before = newer.secrets();
            if retired.until > now {
                let without_room = newer.accept_all_of(&retired.keys);
                displaced = displaced.saturating_add(without_room.saturating_sub(retired.without_room));
                retired.without_room = without_room;
            }
            newer.secrets() > before
        });
        displaced
    }
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
        let in_use = ArcSwap::new(Stage::of(&keys, None));
        Self { in_use, parts: Mutex::new(Parts { current: keys, retired: VecDeque::new() }), leeway }
    }

    /// The keyring in use. If this removes old secrets whose grace is over, it calls `report`.
    pub(super) fn load(&self, report: impl FnOnce(Replaced)) -> InUse {
        self.load_at(Instant::now, report)
    }

    /// The time is read only while an old secret has a grace.
    fn load_at(&self, now: impl Fn() -> Instant, report: impl FnOnce(Replaced)) -> InUse {
        let stage = self.in_use.load();
        if stage.next_at(&now).is_none() {
            return InUse(stage);
        }
        let now = now();
        // If another thread has the lock, it is publishing new stages, or this process was forked meanwhile.
        let parts = match self.parts.try_lock() {
            Ok(parts) => Some(parts),
            Err(TryLockError::Poisoned(parts)) => Some(parts.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        };
        if let Some(replaced) = parts.and_then(|mut parts| self.expire_in(&mut parts, now)) {
            report(replaced);
        }
        let mut stage = self.in_use.load_full();
        while let Some(next) = stage.next_at(|| now).cloned() {
            stage = next;
        }
        InUse(Guard::from_inner(stage))
    }

    /// Signs with `keys` from now on. The previous secrets are accepted for `grace`, but at most for [`MAX_GRACE`].
    pub(super) fn replace(&self, mut keys: Box<Keyring>, grace: Duration, now: Instant) -> Replaced {
        keys.set_leeway(self.leeway);
        let until = now.checked_add(grace.min(MAX_GRACE));
        debug_assert!(until.is_some(), "a year can be added to any time");
        let mut parts = self.parts();
        let old = core::mem::replace(&mut parts.current, keys);
        match until.filter(|_| !grace.is_zero()) {
            Some(until) => parts.retired.push_front(Retired { keys: old, until, without_room: 0 }),
            None => parts.retired.clear(),
        }
        let displaced = parts.tidy(now);
        Replaced { displaced, ..self.publish(&mut parts) }
    }

    /// Removes old secrets whose time is over. `None` if there are none.
    pub(super) fn expire(&self, now: Instant) -> Option<Replaced> {
        self.expire_in(&mut self.parts(), now)
    }

    fn expire_in(&self, parts: &mut Parts, now: Instant) -> Option<Replaced> {
        let over = parts.retired.iter().any(|retired| retired.until <= now);
        over.then(|| {
            parts.tidy(now);
            self.publish(parts)
        })
    }

    fn publish(&self, parts: &mut Parts) -> Replaced {
        let mut ends: Vec<_> = parts.retired.iter().map(|retired| retired.until).collect();
        ends.sort_unstable();
        ends.dedup();
        // From the last stage to the first, because each one holds the next.
        let mut secrets = parts.current.secrets();
        let mut stage = Stage::of(&parts.current, None);
        for end in ends.into_iter().rev() {
            let keys = parts.accepted_before(end);
            secrets = keys.secrets();
            stage = Stage::of(&keys, Some((end, stage)));
        }
        self.in_use.store(stage);
        let retiring = secrets.saturating_sub(parts.current.secrets());
        Replaced { secrets, retiring, displaced: 0, weak: parts.current.weak_secrets() }
    }

    fn parts(&self) -> MutexGuard<'_, Parts> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::string::String;

    use super::*;
    use crate::{NewKey, SysRng, UnixTime, key::MAX_SECRETS};

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
        good_at(keys, secret, Instant::now())
    }

    fn good_at(keys: &Keys, secret: &str, now: Instant) -> bool {
        keys.load_at(|| now, drop).verify(&issued(secret), UnixTime::now(), &mut [0; 1024]).is_ok()
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
    fn without_a_thread_each_old_secret_ends_at_its_own_time() {
        let start = Instant::now();
        let keys = Keys::new(ring(&["a"]), Duration::ZERO);
        keys.replace(ring(&["b"]), MINUTE, start);
        keys.replace(ring(&["c"]), MINUTE, start + MINUTE / 2);
        let ends = [start + MINUTE, start + MINUTE * 3 / 2];
        let accepted = |now| ["a", "b", "c"].map(|secret| good_at(&keys, secret, now));
        let shortly = Duration::from_nanos(1);
        assert_eq!(accepted(ends[0] - shortly), [true, true, true]);
        // As after a fork, or while another thread publishes.
        let locked = keys.parts();
        assert_eq!(accepted(ends[1]), [false, false, true]);
        assert_eq!(accepted(ends[1] - shortly), [false, true, true]);
        assert_eq!(accepted(ends[0]), [false, true, true]);
        drop(locked);
        let mut reports = Vec::new();
        for now in [ends[0] - shortly, ends[0], ends[0], ends[1], ends[1]] {
            keys.load_at(|| now, |replaced| reports.push((replaced.secrets, replaced.retiring)));
        }
        assert_eq!(reports, [(2, 1), (1, 0)], "reported once each");
        assert!(keys.parts().retired.is_empty(), "the old secrets are wiped");
        assert!(keys.in_use.load().next.is_none());
    }

    #[test]
    fn a_grace_too_long_to_add_lasts_for_a_year() {
        for grace in [Duration::MAX, Duration::from_secs(u64::MAX), MAX_GRACE] {
            let start = Instant::now();
            let keys = Keys::new(ring(&["a"]), Duration::ZERO);
            assert_eq!(keys.replace(ring(&["b"]), grace, start).retiring, 1, "{grace:?}");
            let accepted = |now| ["a", "b"].map(|secret| good_at(&keys, secret, now));
            assert_eq!(accepted(start + MAX_GRACE - MINUTE), [true, true]);
            assert_eq!(accepted(start + MAX_GRACE), [false, true]);
        }
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

    #[test]
    fn an_old_secret_without_room_is_reported_once() {
        let start = Instant::now();
        let keys = Keys::new(ring(&["a", "b"]), Duration::ZERO);
        let seven = ["1", "2", "3", "4", "5", "6", "7"];
        let displaced = [0, 1, 2].map(|first| {
            let mut order = seven;
            order.rotate_left(first);
            let replaced = keys.replace(ring(&order), MINUTE, start);
            assert_eq!((replaced.secrets, replaced.retiring), (MAX_SECRETS, 1));
            replaced.displaced
        });
        assert_eq!(displaced, [1, 0, 0]);
        assert!(good(&keys, "a") && !good(&keys, "b"));
    }

    /// A file of secrets changes also if only its order or its white space changes.
    #[test]
    fn an_old_secret_stays_until_its_end_however_often_the_others_are_replaced() {
        let start = Instant::now();
        let keys = Keys::new(ring(&["a"]), Duration::ZERO);
        for round in 0..20 {
            let both = if round % 2 == 0 { ring(&["b", "c"]) } else { ring(&["c", "b"]) };
            let replaced = keys.replace(both, MINUTE, start + Duration::from_secs(round));
            assert_eq!((replaced.secrets, replaced.retiring, replaced.displaced), (3, 1, 0));
            assert!(good(&keys, "a"), "{round}");
        }
        keys.expire(start + MINUTE);
        assert!(!good(&keys, "a") && good(&keys, "b"));
    }

    /// Linux offers the process's own memory as a file. So this test can read freed memory.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_ring_that_was_replaced_is_wiped() {
        use std::os::unix::fs::FileExt as _;

        let keys = Keys::new(ring(&["a", "b"]), Duration::ZERO);
        let address = core::ptr::from_ref(&*keys.load(drop)) as u64;
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
        let reader = keys.load(drop);
        keys.replace(ring(&["c"]), Duration::ZERO, Instant::now());
        assert!(states(&read()).iter().any(|state| before.contains(state)), "a request still uses it");
        drop(reader);
        assert!(!states(&read()).iter().any(|state| before.contains(state)));
    }

    #[test]
    fn the_leeway_stays() {
        let keys = Keys::new(ring(&["a"]), MINUTE);
        keys.replace(ring(&["b"]), MINUTE, Instant::now());
        assert_eq!(keys.load(drop).leeway_secs(), 60);
    }
}
