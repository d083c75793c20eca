//! Revoked keys: a set of fingerprints that can change while requests read it, and the service's own check.
//!
//! Structure of the set:
//!
//! ```text
//! fingerprint ── first 10 bits ──> one of 1024 shards: filter of 4096 bits ── may have it ──> ArcSwap ──> HashSet
//! ```
//!
//! - Most keys are not revoked. The filter speeds up the answer for them. With a million entries, in 6 of 7 cases the
//!   filter alone says that a key is not in the set. That takes one memory access; the set takes three or four.
//! - Readers take no lock. A writer copies a shard, changes the copy, and replaces the shard by it. Writers take turns.
//! - The filter bits of an entry are set before the entry is in the set, and cleared after it has left the set.
//! - A shard is small: copying one takes microseconds.
//! - Only writers free replaced shards, because an allocator may lock. A replaced shard that is still read is kept
//!   until the next change.

use core::{
    fmt,
    panic::AssertUnwindSafe,
    sync::atomic::{AtomicU32, Ordering},
};
use std::{
    boxed::Box,
    collections::HashSet,
    panic::catch_unwind,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    vec::Vec,
};

use arc_swap::ArcSwapOption;

use crate::key::{Fingerprint, VerifiedKey};

const SHARDS: usize = 1024;
/// Number of 32-bit words in the filter of a shard.
const WORDS: usize = 128;

struct Shard {
    filter: [AtomicU32; WORDS],
    set: ArcSwapOption<Set>,
}

type Set = HashSet<Fingerprint>;

/// A set of fingerprints of revoked keys. Threads share it, and it can change while they read it.
///
/// A clone is another handle of the same set. Give one to
/// [`ApikeeBuilder::revocations`](super::ApikeeBuilder::revocations), and keep one to change the set: when a message
/// arrives, when somebody revokes a key, or from a [file](Self::replace_from_file). To read a file again whenever it
/// changes, use [`ApikeeBuilder::deny_list_file`](super::ApikeeBuilder::deny_list_file) instead.
///
/// ```
/// use apikee::{Apikee, Fingerprint, Revocations};
///
/// let revocations = Revocations::new();
/// let apikee = Apikee::builder()
///     .secret(b"the current secret: 32 random bytes")
///     .revocations(revocations.clone())
///     .build()?;
///
/// let leaked = Fingerprint::of("apikee_leaked.key");
/// assert!(revocations.insert(leaked));
/// assert!(revocations.contains(&leaked));
/// # Ok::<(), apikee::ConfigError>(())
/// ```
///
/// # Cost
///
/// [`contains`](Self::contains) takes no lock and never waits for a change. The set takes half a megabyte, and 35 to 75
/// bytes for each entry. A request sees the state of each key before a change or after it, never in between.
///
/// In a set of a million entries, each [`insert`](Self::insert) copies about a thousand of them. Use
/// [`extend`](Self::extend) to add many. [`replace`](Self::replace) with a million entries takes a quarter of a second
/// to a second, on the calling thread.
#[derive(Clone)]
pub struct Revocations(Arc<Inner>);

struct Inner {
    shards: Box<[Shard]>,
    /// Shards that were replaced while they were read. A writer holds this lock during a change.
    retired: Mutex<Vec<Arc<Set>>>,
}

impl Revocations {
    /// Creates an empty set.
    #[must_use]
    pub fn new() -> Self {
        let shard = || Shard { filter: [const { AtomicU32::new(0) }; WORDS], set: ArcSwapOption::empty() };
        Self(Arc::new(Inner { shards: (0..SHARDS).map(|_| shard()).collect(), retired: Mutex::default() }))
    }

    /// Whether the key with this fingerprint is revoked.
    #[must_use]
    pub fn contains(&self, fingerprint: &Fingerprint) -> bool {
        let (shard, (word, bits)) = (self.shard(shard_of(fingerprint)), place(fingerprint));
        let word = shard.filter.get(word).map_or(0, |word| word.load(Ordering::Acquire));
        word & bits == bits && shard.set.load().as_ref().is_some_and(|set| set.contains(fingerprint))
    }

    /// Revokes a key. Returns `true` if it was not revoked before.
    pub fn insert(&self, fingerprint: Fingerprint) -> bool {
        !self.contains(&fingerprint) && self.extend([fingerprint]) == 1
    }

    /// Revokes several keys. Returns the number of keys that were not revoked before.
    pub fn extend(&self, fingerprints: impl IntoIterator<Item = Fingerprint>) -> usize {
        let sorted = sorted(fingerprints);
        let mut changes = self.changes();
        let mut new = 0;
        // The fingerprints are sorted, so those of one shard are neighbours.
        for added in sorted.chunk_by(|one, other| shard_of(one) == shard_of(other)) {
            let Some(shard) = added.first().map(|first| self.shard(shard_of(first))) else { continue };
            let mut set = shard.set.load().as_deref().cloned().unwrap_or_default();
            let before = set.len();
            set.extend(added);
            new = set.len().saturating_sub(before).saturating_add(new);
            shard.put(set, &mut changes);
        }
        new
    }

    /// Removes a key from the set. Returns `true` if it was revoked.
    pub fn remove(&self, fingerprint: &Fingerprint) -> bool {
        let mut changes = self.changes();
        let shard = self.shard(shard_of(fingerprint));
        let mut set = shard.set.load().as_deref().cloned().unwrap_or_default();
        let removed = set.remove(fingerprint);
        if removed {
            shard.put(set, &mut changes);
        }
        removed
    }

    /// Replaces all entries by these. Returns the number of keys in the new set.
    pub fn replace(&self, fingerprints: impl IntoIterator<Item = Fingerprint>) -> usize {
        let sorted = sorted(fingerprints);
        let mut changes = self.changes();
        let mut rest = sorted.as_slice();
        for (at, shard) in self.0.shards.iter().enumerate() {
            let (own, others) = rest.split_at(rest.partition_point(|fingerprint| shard_of(fingerprint) <= at));
            rest = others;
            shard.put(own.iter().copied().collect(), &mut changes);
        }
        sorted.len()
    }

    /// Takes the lock that a change needs.
    fn changes(&self) -> MutexGuard<'_, Vec<Arc<Set>>> {
        self.0.retired.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of revoked keys. It visits each of the 1024 shards.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.shards.iter().map(|shard| shard.set.load().as_ref().map_or(0, |set| set.len())).sum()
    }

    /// Whether no key is revoked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.shards.iter().all(|shard| shard.set.load().is_none())
    }

    /// All fingerprints, sorted: to store them, or to send them to another service.
    #[must_use]
    pub fn to_vec(&self) -> Vec<Fingerprint> {
        let mut all = Vec::new();
        for shard in self.0.shards.iter() {
            all.extend(shard.set.load().iter().flat_map(|set| set.iter()));
        }
        all.sort_unstable();
        all
    }

    #[expect(clippy::indexing_slicing, reason = "the index is below the number of shards")]
    fn shard(&self, at: usize) -> &Shard {
        &self.0.shards[at]
    }
}

impl Shard {
    /// Replaces the set of the shard, and frees replaced sets that nobody reads any more.
    fn put(&self, set: Set, retired: &mut Vec<Arc<Set>>) {
        let mut filter = [0; WORDS];
        for fingerprint in &set {
            let (word, bits) = place(fingerprint);
            if let Some(word) = filter.get_mut(word) {
                *word |= bits;
            }
        }
        let words = || self.filter.iter().zip(filter);
        words().for_each(|(word, bits)| _ = word.fetch_or(bits, Ordering::Release));
        retired.extend(self.set.swap((!set.is_empty()).then(|| Arc::new(set))));
        words().for_each(|(word, bits)| word.store(bits, Ordering::Release));
        // A set in this list is in no shard any more, so no new reader can begin to use it. If this is the only
        // reference, it can be freed.
        retired.retain(|set| Arc::strong_count(set) > 1);
    }
}

/// Uses the first bytes of a fingerprint, so that sorted fingerprints are also sorted by shard.
fn shard_of(fingerprint: &Fingerprint) -> usize {
    let [first, second, ..] = *fingerprint.as_bytes();
    usize::from(u16::from_be_bytes([first, second])) / (0x1_0000 / SHARDS)
}

/// The word of the filter, and the bits in it: two, or one if both are the same. A fingerprint is a hash, so its bits
/// are as good as random.
fn place(fingerprint: &Fingerprint) -> (usize, u32) {
    let [_, _, third, fourth, fifth, ..] = *fingerprint.as_bytes();
    (usize::from(third) % WORDS, 1 << (fourth % 32) | 1 << (fifth % 32))
}

fn sorted(fingerprints: impl IntoIterator<Item = Fingerprint>) -> Vec<Fingerprint> {
    let mut sorted: Vec<_> = fingerprints.into_iter().collect();
    sorted.sort_unstable();
    sorted.dedup();
    sorted
}

impl Default for Revocations {
    fn default() -> Self {
        Self::new()
    }
}

impl FromIterator<Fingerprint> for Revocations {
    fn from_iter<I: IntoIterator<Item = Fingerprint>>(fingerprints: I) -> Self {
        let this = Self::new();
        this.replace(fingerprints);
        this
    }
}

/// Shows the number of entries only.
impl fmt::Debug for Revocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Revocations").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// The service's check for revoked keys.
pub(super) struct Revoked(Box<dyn Fn(&VerifiedKey<'_>) -> bool + Send + Sync>);

impl Revoked {
    pub(super) fn new(revoked: impl Fn(&VerifiedKey<'_>) -> bool + Send + Sync + 'static) -> Self {
        Self(Box::new(revoked))
    }

    /// A check that panics counts as revoked: see the test
    /// `a_revocation_check_that_panics_counts_as_revoked`.
    pub(super) fn has(&self, key: &VerifiedKey<'_>) -> bool {
        catch_unwind(AssertUnwindSafe(|| (self.0)(key))).unwrap_or(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fingerprints of a fixed sequence.
    fn some(range: core::ops::Range<u32>) -> Vec<Fingerprint> {
        range.map(|number| Fingerprint::of(&std::format!("{number}"))).collect()
    }

    #[test]
    fn inserted_keys_are_found_and_removed_keys_are_not() {
        let (revocations, list) = (Revocations::new(), some(0..5_000));
        assert!(revocations.is_empty() && !revocations.contains(&list[0]));
        assert!(revocations.insert(list[0]) && !revocations.insert(list[0]));
        assert_eq!(revocations.extend(list[..4_000].iter().copied()), 3_999);
        assert_eq!(revocations.extend(list[3_000..].iter().chain(&list).copied()), 1_000);
        assert_eq!(revocations.len(), 5_000);
        assert!(list.iter().all(|fingerprint| revocations.contains(fingerprint)));
        assert!(revocations.remove(&list[7]) && !revocations.remove(&list[7]));
        assert!(!revocations.contains(&list[7]) && revocations.contains(&list[8]));
        assert_eq!(revocations.len(), 4_999);
        for fingerprint in &list {
            revocations.remove(fingerprint);
        }
        assert!(revocations.is_empty());
    }

    #[test]
    fn a_replaced_set_has_only_the_new_entries() {
        let (old, new) = (some(0..3_000), some(2_000..5_000));
        let revocations: Revocations = old.iter().copied().collect();
        assert_eq!(revocations.replace(new.iter().chain(&new).copied()), 3_000);
        assert!(old[..2_000].iter().all(|fingerprint| !revocations.contains(fingerprint)));
        assert!(new.iter().all(|fingerprint| revocations.contains(fingerprint)));
        let mut sorted = new;
        sorted.sort_unstable();
        assert_eq!(revocations.to_vec(), sorted);
        assert_eq!(revocations.replace([]), 0);
        assert!(revocations.is_empty());
    }

    #[test]
    fn the_first_and_the_last_fingerprint_have_a_shard() {
        let ends = [Fingerprint::from_bytes([0; 32]), Fingerprint::from_bytes([0xff; 32])];
        let revocations: Revocations = ends.into_iter().collect();
        assert!(ends.iter().all(|end| revocations.contains(end)));
        assert_eq!(revocations.to_vec(), ends);
    }

    #[test]
    fn a_reader_frees_nothing() {
        let (revocations, list) = (Revocations::new(), some(0..1_000));
        let retired = || revocations.0.retired.lock().unwrap().len();
        revocations.replace(list.iter().copied());
        let read = revocations.shard(shard_of(&list[0])).set.load();
        let owner = Arc::downgrade(read.as_ref().unwrap());
        revocations.replace([]);
        assert_eq!(retired(), 1);
        drop(read);
        assert!(owner.upgrade().is_some(), "the reader must not free the set");
        assert!(!revocations.remove(&list[2]));
        revocations.insert(list[1]);
        assert!(owner.upgrade().is_none() && retired() == 0);
    }

    #[test]
    fn no_entry_is_lost_when_several_threads_insert() {
        let (revocations, list) = (Revocations::new(), some(0..4_000));
        let added: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = list
                .chunks(1_000)
                .map(|part| scope.spawn(|| part.iter().filter(|one| revocations.insert(**one)).count()))
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!((added, revocations.len()), (4_000, 4_000));
    }
}
