//! What the JSON and the MessagePack reader share: how deep a payload may nest, and the check that
//! no object names a member twice.
//!
//! A reader keeps one bit for each name of an object in a single word ([`Names`]). Most objects are small, and
//! no bit is set twice: their names differ. Where a bit is set twice, [`distinct`] goes over the names again
//! when the object ends:
//!
//! 1. The first pass puts a hash of each name into a filter. Only names that share a place there can be equal.
//! 2. A round goes over those names and keeps the [`CHOSEN`] least of them, in the order of their hashes. Equal
//!    names meet there. Names of equal hashes are compared as strings, so the answer is exact. If some names do
//!    not fit into a round, the next round takes those behind the greatest name of this one.
//!
//! The answer does not depend on luck. Whatever the names are, each round is done with [`CHOSEN`] of them, so
//! an object of `n` members takes at most `2 + n / CHOSEN` passes over its own text, and [`ROUNDS`] bounds them.
//! A pass does a fixed number of comparisons for each name, and none reads more than the name. Objects
//! of one depth stand side by side, and there are at most [`MAX_DEPTH`] depths. So the time is linear in the
//! length of the text.

use core::{cmp::Ordering, mem::swap};

use heapless::Vec;

use crate::text::Text;

/// The payload is not well-formed. Where and why is left out: whoever could use it may be a forger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Objects and arrays inside one another that are read, the outermost included. Claims need three;
/// docs/WIRE.md asks for at least 16. It bounds the readers' stack.
pub(crate) const MAX_DEPTH: usize = 32;

/// Whether there is room for 16 kB on the stack. Not on 32-bit processors, nor in WebAssembly, where the stack of a
/// small module has no more than that. All that is different there is named here.
const ROOMY: bool = cfg!(target_pointer_width = "64");

/// Names that one round compares.
const CHOSEN: usize = if ROOMY { 256 } else { 16 };

/// Pairs of words in the filter.
const FILTER: usize = if ROOMY { 1024 } else { 1 };

/// Rounds for one object at most: enough for 128 times [`CHOSEN`] members, which is 32,768, or 2,048 where memory is
/// small. The longest payload that is verified has fewer than 8192 / 6.
const ROUNDS: usize = 128;

/// The names that an object has had so far, as a Bloom filter of one bit a name.
#[derive(Clone, Copy)]
pub(crate) struct Names(u32);

impl Names {
    pub(crate) const NONE: Self = Self(0);

    /// What they are once two names have shared a bit.
    const SHARED: u32 = u32::MAX;

    /// Adds a name.
    pub(crate) fn add(&mut self, name: Text<'_>) {
        // One string may be written with and without escapes: such a name meets all others.
        let bits = name.as_bytes().map_or(Self::SHARED, bit);
        self.0 = if self.0 & bits == 0 { self.0 | bits } else { Self::SHARED };
    }

    /// Whether one name may be there twice: then [`distinct`] has to look.
    pub(crate) const fn may_repeat(&self) -> bool {
        self.0 == Self::SHARED
    }
}

/// One of 32 bits. The names of the claims have seven different ones.
fn bit(name: &[u8]) -> u32 {
    let ends = name.first().zip(name.last()).map_or(0, |(first, last)| first.wrapping_add(*last));
    1_u32.rotate_left(u32::from(ends))
}

/// Refuses an object that names a member twice. `len` is the length of its text.
///
/// Takes much stack: call it from a function that is not inlined, so that only objects of many members take it.
pub(crate) fn distinct<'t>(names: impl Iterator<Item = Text<'t>> + Clone, len: usize) -> Result<(), Malformed> {
    distinct_in(ROUNDS, names, len)
}

fn distinct_in<'t>(rounds: usize, names: impl Iterator<Item = Text<'t>> + Clone, len: usize) -> Result<(), Malformed> {
    // Where memory is small, so would be the filter: it is not worth its pass.
    let filter = ROOMY.then(|| Filter::of(names.clone(), len));
    if filter.as_ref().is_some_and(|filter| !filter.any_shared) {
        return Ok(());
    }
    let mut round = Round { chosen: Vec::new(), more: false };
    let mut after = None;
    for _ in 0..rounds {
        for name in names.clone() {
            let hash = hash(name);
            if filter.as_ref().is_none_or(|filter| filter.is_shared(hash)) {
                round.take(Hashed::new(name, hash), after.as_ref())?;
            }
        }
        if !round.more {
            return Ok(());
        }
        after = round.chosen.last().copied();
        round.chosen.clear();
        round.more = false;
    }
    Err(Malformed)
}

/// Which hashes there are, and which of them more than one name may have: two bits for each place.
struct Filter {
    places: Vec<[u32; 2], FILTER>,
    any_shared: bool,
}

impl Filter {
    /// For the names of an object of that length: some 30 places for each member of a usual one, up to [`FILTER`]
    /// words.
    fn of<'t>(names: impl Iterator<Item = Text<'t>>, len: usize) -> Self {
        let mut places = Vec::new();
        // There is room.
        let _ = places.resize((len / 16).saturating_add(1).min(FILTER), [0; 2]);
        let mut filter = Self { places, any_shared: false };
        names.for_each(|name| filter.add(hash(name)));
        filter
    }

    /// The word of a hash, by its upper bits, and the bit there, by its lower ones.
    fn place(&self, hash: u32) -> (usize, u32) {
        let places = u64::try_from(self.places.len()).unwrap_or_default();
        let word = u64::from(hash).wrapping_mul(places) >> u32::BITS;
        (usize::try_from(word).unwrap_or_default(), 1_u32.rotate_left(hash))
    }

    fn add(&mut self, hash: u32) {
        let (word, bit) = self.place(hash);
        if let Some([seen, shared]) = self.places.get_mut(word) {
            *shared |= *seen & bit;
            *seen |= bit;
            self.any_shared |= *shared != 0;
        }
    }

    fn is_shared(&self, hash: u32) -> bool {
        let (word, bit) = self.place(hash);
        self.places.get(word).is_some_and(|[_, shared]| shared & bit != 0)
    }
}

/// A name in the order of hashes, and of strings where these are equal.
#[derive(Clone, Copy)]
struct Hashed<'t> {
    /// The hash. The lowest bit says instead whether the name is written with escapes.
    hash: u32,
    raw: &'t [u8],
}

impl<'t> Hashed<'t> {
    fn new(name: Text<'t>, hash: u32) -> Self {
        let (raw, escaped) = name.as_written();
        Self { hash: hash & !1 | u32::from(escaped), raw }
    }

    fn name(&self) -> Text<'t> {
        Text::json(self.raw, self.hash & 1 != 0)
    }

    fn cmp(&self, other: &Self) -> Ordering {
        (self.hash >> 1).cmp(&(other.hash >> 1)).then_with(|| self.name().chars().cmp(other.name().chars()))
    }
}

/// The least names behind those of the round before.
struct Round<'t> {
    chosen: Vec<Hashed<'t>, CHOSEN>,
    /// There were names that did not fit.
    more: bool,
}

impl<'t> Round<'t> {
    /// Keeps a name if it is among the least, and refuses it if it is there already.
    fn take(&mut self, mut new: Hashed<'t>, after: Option<&Hashed<'t>>) -> Result<(), Malformed> {
        if after.is_some_and(|last| new.cmp(last).is_le()) {
            return Ok(());
        }
        let behind = if ROOMY { self.chosen.partition_point(|own| own.cmp(&new).is_lt()) } else { 0 };
        let mut moves = false;
        for own in self.chosen.iter_mut().skip(behind) {
            if !moves {
                match new.cmp(own) {
                    Ordering::Less => moves = true,
                    Ordering::Equal => return Err(Malformed),
                    Ordering::Greater => continue,
                }
            }
            swap(own, &mut new);
        }
        // The greatest is left for another round if there is no room. Should the same name come again in this one, it
        // is left, too, since it is greater than all that stay.
        self.more |= self.chosen.push(new).is_err();
        Ok(())
    }
}

/// FNV-1a over the characters, and one step more, since its upper bits are those that it mixes last.
fn hash(name: Text<'_>) -> u32 {
    let hash = name.chars().fold(0x811C_9DC5, |hash: u32, c| (hash ^ u32::from(c)).wrapping_mul(0x0100_0193));
    (hash ^ hash >> 15).wrapping_mul(0x2C1B_3C6D)
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    fn check(names: &[&str]) -> Result<(), Malformed> {
        distinct(names.iter().map(|name| Text::from(*name)), names.iter().map(|name| name.len() + 5).sum())
    }

    #[test]
    fn claims_need_no_second_look_for_duplicates() {
        let claims = ["id", "tid", "scp", "env", "exp", "nbf", "meta"];
        let bits: u32 = claims.iter().map(|name| bit(name.as_bytes())).fold(0, |all, bit| all | bit);
        assert_eq!(bits.count_ones(), 7);
    }

    /// The hash of [`super::hash`] undone by a character: what must come last for a name to have that hash.
    fn name_of_hash(prefix: &str, wanted: u32) -> Option<String> {
        // Its steps can be taken back: the factors are odd.
        let inverse =
            |factor: u32| (0..5).fold(factor, |own, _| own.wrapping_mul(2_u32.wrapping_sub(factor.wrapping_mul(own))));
        let mixed = wanted.wrapping_mul(inverse(0x2C1B_3C6D));
        let last = (mixed ^ mixed >> 15 ^ mixed >> 30).wrapping_mul(inverse(0x0100_0193));
        let before = prefix.chars().fold(0x811C_9DC5, |hash: u32, c| (hash ^ u32::from(c)).wrapping_mul(0x0100_0193));
        let name = format!("{prefix}{}", char::from_u32(before ^ last)?);
        assert_eq!(hash(Text::from(&*name)), wanted);
        Some(name)
    }

    #[test]
    fn names_of_one_hash_are_told_apart_as_strings() {
        let names: Vec<String> = (0..).filter_map(|n: u32| name_of_hash(&format!("{n:x}"), 7)).take(1000).collect();
        let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(check(&names), Ok(()));
        for (first, second) in [(0, 999), (255, 256), (256, 257), (998, 999), (500, 0)] {
            let repeated = names[first];
            let replaced = core::mem::replace(&mut names[second], repeated);
            assert_eq!(check(&names), Err(Malformed));
            names[second] = replaced;
        }
    }

    #[test]
    fn names_that_come_in_the_worst_order_are_all_compared() {
        let mut names: Vec<String> = (0..3000).map(|n| format!("name {n}")).collect();
        for descending in [false, true] {
            names.sort_by_key(|name| hash(Text::from(&**name)));
            if descending {
                names.reverse();
            }
            let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
            assert_eq!(check(&names), Ok(()));
            for at in [0, 1, 255, 256, 257, 511, 512, 513, 1500, 2998] {
                let repeated = names[at];
                let replaced = core::mem::replace(&mut names[2999], repeated);
                assert_eq!(check(&names), Err(Malformed), "{at}");
                names[2999] = replaced;
            }
        }
    }

    #[test]
    fn there_is_a_limit_to_the_rounds() {
        // The filter leaves none of them out: they have the same lowest bits, and the same highest.
        let hashed = |n: u32| (0..).find_map(|prefix: u32| name_of_hash(&format!("{prefix:x}"), n << 5 | 7)).unwrap();
        let names: Vec<String> = (0..).map(hashed).take(CHOSEN * 3 + 1).collect();
        let check = |names: &[String]| distinct_in(3, names.iter().map(|name| Text::from(&**name)), 16 * FILTER);
        assert_eq!(check(&names[1..]), Ok(()));
        assert_eq!(check(&names), Err(Malformed));
    }
}
