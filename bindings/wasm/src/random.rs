//! The random bytes that JavaScript brought along.

use rand_core::{TryCryptoRng, TryRng};

/// Gives out the bytes that were brought, wipes them, and fails when they are used up.
pub(crate) struct Brought<'r>(&'r mut [u8]);

/// There are no more random bytes.
#[derive(Debug)]
pub(crate) struct UsedUp;

impl core::fmt::Display for UsedUp {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("there are no more random bytes")
    }
}

impl core::error::Error for UsedUp {}

impl<'r> Brought<'r> {
    pub(crate) const fn new(bytes: &'r mut [u8]) -> Self {
        Self(bytes)
    }
}

impl TryRng for Brought<'_> {
    type Error = UsedUp;

    fn try_next_u32(&mut self) -> Result<u32, UsedUp> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes).map(|()| u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, UsedUp> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes).map(|()| u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), UsedUp> {
        let (drawn, rest) = core::mem::take(&mut self.0).split_at_mut_checked(out.len()).ok_or(UsedUp)?;
        out.copy_from_slice(drawn);
        drawn.fill(0);
        self.0 = rest;
        Ok(())
    }
}

/// They are as good as what JavaScript drew them from.
impl TryCryptoRng for Brought<'_> {}
