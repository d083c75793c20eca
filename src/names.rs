//! Used by the JSON and the MessagePack reader: the limit to nesting, and the check that no object names a member
//! twice.
//!
//! A reader keeps one word for each object ([`Names`]). Each name of the object sets one bit in it. Most objects are
//! small, and no bit is set twice: then all names differ. If a bit is set twice, [`distinct`] goes over the names again
//! when the object ends:
//!
//! 1. The first pass puts a hash of each name into a filter. Only names that share a place there can be equal.
//! 2. A round goes over those names and keeps the [`CHOSEN`] smallest of them, in the order of their hashes. Equal
//!    names meet there. Names with equal hashes are compared as strings, so the answer is exact. If some names do not
//!    fit into a round, the next round takes the names above the greatest one of this round.
//!
//! The time does not depend on luck. For any names, each round finishes [`CHOSEN`] of them. So an object of `n` members
//! takes at most `2 + n / CHOSEN` passes over its own text, and [`ROUNDS`] limits them. A pass does a fixed number of
//! comparisons for each name, and none reads more than the name. Objects at the same depth do not overlap, and there
//! are at most [`MAX_DEPTH`] depths. So the time is linear in the length of the text.

use core::{cmp::Ordering, mem::swap};

use heapless::Vec;

use crate::text::Text;

/// The payload is not well-formed. There are no details, because they could help a forger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

/// How deep objects and arrays may nest, counting the outermost one. Claims need three levels; docs/WIRE.md asks for at
/// least 16. The limit bounds the readers' stack.
pub(crate) const MAX_DEPTH: usize = 32;

/// Whether the stack has room for 16 kB. On 32-bit processors and in WebAssembly, the stack of a small module is no
/// larger than that. All differences are defined here.
const ROOMY: bool = cfg!(target_pointer_width = "64");

/// The number of names that one round compares.
const CHOSEN: usize = if ROOMY { 256 } else { 16 };

/// The number of pairs of words in the filter.
const FILTER: usize = if ROOMY { 1024 } else { 1 };

/// The maximum number of rounds for one object. They are enough for 130 times [`CHOSEN`] members: 33,280, or 2,080
/// where memory is small. The longest payload that is verified has at most 2,079, in MessagePack.
const ROUNDS: usize = 130;

/// The names of an object so far, as a Bloom filter with one bit for each name.
#[derive(Clone, Copy)]
pub(crate) struct Names(u32);

impl Names {
    pub(crate) const NONE: Self = Self(0);

    /// The state after two names have shared a bit.
    const SHARED: u32 = u32::MAX;

    /// Adds a name.
    pub(crate) fn add(&mut self, name: Text<'_>) {
        // A string can be written with and without escapes. So a name with escapes counts as sharing a bit.
        let bits = name.as_bytes().map_or(Self::SHARED, bit);
        self.0 = if self.0 & bits == 0 { self.0 | bits } else { Self::SHARED };
    }

    /// Whether a name may occur twice. If so, [`distinct`] must check.
    pub(crate) const fn may_repeat(&self) -> bool {
        self.0 == Self::SHARED
    }
}

/// One of 32 bits. The seven names of claims have seven different bits.
fn bit(name: &[u8]) -> u32 {
    let ends = name.first().zip(name.last()).map_or(0, |(first, last)| first.wrapping_add(*last));
    1_u32.rotate_left(u32::from(ends))
}

/// Refuses an object that names a member twice. `len` is the length of its text.
///
/// It needs much stack. Call it from a function that is not inlined, so that only objects with many members need it.
pub(crate) fn distinct<'t>(names: impl Iterator<Item = Text<'t>> + Clone, len: usize) -> Result<(), Malformed> {
    distinct_in(ROUNDS, names, len)
}

fn distinct_in<'t>(rounds: usize, names: impl Iterator<Item = Text<'t>> + Clone, len: usize) -> Result<(), Malformed> {
    // Where memory is small, the filter would be small, too, and not worth its pass.
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

/// The hashes that occur, and those that more than one name may have: two bits for each place.
struct Filter {
    places: Vec<[u32; 2], FILTER>,
    any_shared: bool,
}

impl Filter {
    /// A filter for the names of an object whose text has this length. A typical object gets some 30 places for each
    /// member, up to [`FILTER`] words.
    fn of<'t>(names: impl Iterator<Item = Text<'t>>, len: usize) -> Self {
        let mut places = Vec::new();
        // There is room for them.
        let _ = places.resize((len / 16).saturating_add(1).min(FILTER), [0; 2]);
        let mut filter = Self { places, any_shared: false };
        names.for_each(|name| filter.add(hash(name)));
        filter
    }

    /// The place of a hash: its upper bits choose the word, its lower bits choose the bit.
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

/// A name, ordered by its hash, and by its characters if hashes are equal.
#[derive(Clone, Copy)]
struct Hashed<'t> {
    /// The hash, but its lowest bit says whether the name is written with escapes.
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

/// The smallest names above those of the round before.
struct Round<'t> {
    chosen: Vec<Hashed<'t>, CHOSEN>,
    /// Whether some names did not fit.
    more: bool,
}

impl<'t> Round<'t> {
    /// Keeps a name if it is one of the smallest. Refuses it if it is already there.
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
        // If there is no room, the greatest name is left for another round. If that name comes again in this round, it
        // is left again, since it is greater than all that stay.
        self.more |= self.chosen.push(new).is_err();
        Ok(())
    }
}

/// FNV-1a over the characters, and one more step that mixes the upper bits better.
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
    fn claims_need_no_second_pass_for_duplicates() {
        let claims = ["id", "tid", "scp", "env", "exp", "nbf", "meta"];
        let bits: u32 = claims.iter().map(|name| bit(name.as_bytes())).fold(0, |all, bit| all | bit);
        assert_eq!(bits.count_ones(), 7);
    }

    /// Inverts [`super::hash`] for one character: adds the character to `prefix` that gives the name this hash.
    fn name_of_hash(prefix: &str, wanted: u32) -> Option<String> {
        // Its steps can be inverted: the factors are odd.
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
    fn names_with_equal_hashes_are_compared_as_strings() {
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
        let many = 3000.min(CHOSEN * ROUNDS);
        let mut names: Vec<String> = (0..many).map(|n| format!("name {n}")).collect();
        for descending in [false, true] {
            names.sort_by_key(|name| hash(Text::from(&**name)));
            if descending {
                names.reverse();
            }
            let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
            assert_eq!(check(&names), Ok(()));
            for at in [0, 1, 255, 256, 257, 511, 512, 513, 1500, many - 2] {
                let repeated = names[at];
                let replaced = core::mem::replace(&mut names[many - 1], repeated);
                assert_eq!(check(&names), Err(Malformed), "{at}");
                names[many - 1] = replaced;
            }
        }
    }

    #[test]
    fn there_is_a_limit_to_the_rounds() {
        // The filter cannot exclude any of them: their lowest bits are equal, and so are their highest.
        let hashed = |n: u32| (0..).find_map(|prefix: u32| name_of_hash(&format!("{prefix:x}"), n << 5 | 7)).unwrap();
        let names: Vec<String> = (0..).map(hashed).take(CHOSEN * 3 + 1).collect();
        let check = |names: &[String]| distinct_in(3, names.iter().map(|name| Text::from(&**name)), 16 * FILTER);
        assert_eq!(check(&names[1..]), Ok(()));
        assert_eq!(check(&names), Err(Malformed));
    }
}
