//! Fixed bytes for tests. A device uses its own generator instead.

use core::fmt;

use rand_core::{TryCryptoRng, TryRng};

/// Returns these bytes once, and then fails.
pub struct Pinned<'p>(pub &'p [u8]);

impl TryRng for Pinned<'_> {
    type Error = fmt::Error;

    fn try_next_u32(&mut self) -> Result<u32, fmt::Error> {
        Err(fmt::Error)
    }

    fn try_next_u64(&mut self) -> Result<u64, fmt::Error> {
        Err(fmt::Error)
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), fmt::Error> {
        let (drawn, rest) = self.0.split_at_checked(out.len()).ok_or(fmt::Error)?;
        out.copy_from_slice(drawn);
        self.0 = rest;
        Ok(())
    }
}

impl TryCryptoRng for Pinned<'_> {}
