//! A generator that gives the bytes it was made with, so that a run can be repeated.
//!
//! For debugging only: a key and a nonce that are sealed with twice give both plaintexts away.

use std::{error::Error, fmt};

use rand_core::{TryCryptoRng, TryRng};

/// Gives these bytes one after another, and fails when they are used up.
pub(crate) struct Pinned<'p>(pub(crate) &'p [u8]);

/// There are no pinned bytes left.
#[derive(Debug)]
pub(crate) struct UsedUp;

impl TryRng for Pinned<'_> {
    type Error = UsedUp;

    fn try_next_u32(&mut self) -> Result<u32, UsedUp> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, UsedUp> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), UsedUp> {
        let (given, left) = self.0.split_at_checked(out.len()).ok_or(UsedUp)?;
        out.copy_from_slice(given);
        self.0 = left;
        Ok(())
    }
}

/// Whoever pins the bytes answers for them.
impl TryCryptoRng for Pinned<'_> {}

impl fmt::Display for UsedUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the pinned bytes are used up")
    }
}

impl Error for UsedUp {}
