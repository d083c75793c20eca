//! A generator that repeats itself, and ids drawn from it or from the operating system.

use std::format;

use rand_core::TryRng as _;

use crate::{ClientId, SysRng};

/// SplitMix64 (Steele, Lea and Flood, 2014). For what is to be repeatable, never for a secret.
#[derive(Debug)]
pub(super) struct SplitMix(pub(super) u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is small against 2^64.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next().checked_rem(end).unwrap_or_default()
    }
}

/// Where ids of new clients come from.
#[derive(Debug)]
pub(super) enum Ids {
    System,
    Seeded(SplitMix),
}

impl Ids {
    /// A random UUID (RFC 9562, version 4); `None` if the system has no randomness.
    pub(super) fn draw(&mut self) -> Option<ClientId> {
        let mut bytes = [0; 16];
        match self {
            Self::System => SysRng.try_fill_bytes(&mut bytes).ok()?,
            Self::Seeded(generator) => {
                let (halves, _) = bytes.as_chunks_mut::<8>();
                halves.iter_mut().for_each(|half| *half = generator.next().to_be_bytes());
            }
        }
        let id = u128::from_be_bytes(bytes) & !(0xF << 76) & !(0b11 << 62) | 4 << 76 | 0b10 << 62;
        let [first, second, third, fourth] = [id >> 80, id >> 64, id >> 48, id].map(|group| group & 0xFFFF_FFFF_FFFF);
        let text = format!(
            "{:08x}-{:04x}-{:04x}-{:04x}-{fourth:012x}",
            id >> 96,
            first & 0xFFFF,
            second & 0xFFFF,
            third & 0xFFFF
        );
        ClientId::new(&text).ok()
    }
}
