//! The random bytes that JavaScript has written.

use rand_core::{TryCryptoRng, TryRng};

/// Returns the bytes and wipes them. Fails when no more bytes are left.
pub(crate) struct Brought<'r>(&'r mut [u8]);

/// No more random bytes are left.
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

/// The bytes are as secure as JavaScript's generator.
impl TryCryptoRng for Brought<'_> {}
