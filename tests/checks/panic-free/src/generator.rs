//! Reproducible "random" bytes: the programs must give the same results each time.

use rand_core::{TryCryptoRng, TryRng};

/// A multiplicative generator (PCG's multiplier). The compiler cannot know its output, because the seed comes from the
/// command line. With the seed zero it fails.
pub struct Generator(pub u64);

/// The seed was zero.
#[derive(Debug)]
pub struct Failed;

impl core::fmt::Display for Failed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the generator failed")
    }
}

impl core::error::Error for Failed {}

impl TryRng for Generator {
    type Error = Failed;

    fn try_next_u32(&mut self) -> Result<u32, Failed> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Failed> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Failed> {
        if self.0 == 0 {
            return Err(Failed);
        }
        for place in out {
            self.0 = self.0.wrapping_mul(0x5851_F42D_4C95_7F2D);
            let [.., byte] = self.0.to_le_bytes();
            *place = byte;
        }
        Ok(())
    }
}

/// Not really secure: the crate requires this trait.
impl TryCryptoRng for Generator {}
