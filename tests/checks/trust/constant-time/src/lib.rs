//! Helpers for both programs.

use apikee::{
    Expiry, Keyring, NewKey, UnixTime,
    envelope::{Recipient, ServerKey},
};

/// The time at which all keys are issued and verified.
pub const NOW: UnixTime = UnixTime::from_secs(1_760_000_000);

/// A generator that always gives the same numbers (Marsaglia's xorshift64).
#[derive(Clone)]
pub struct Xorshift(pub u64);

impl Xorshift {
    pub fn word(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| (self.word() >> 32) as u8)
    }
}

impl rand_core::TryRng for Xorshift {
    type Error = core::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok((self.word() >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(self.word())
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        out.iter_mut().for_each(|byte| *byte = (self.word() >> 32) as u8);
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Xorshift {}

/// A key signed with this keyring.
pub fn key(keys: &Keyring, rng: &mut Xorshift) -> String {
    let new = NewKey::new("acme-corp").scopes(&["read"]).expires(Expiry::Never);
    keys.issue(&new, NOW, rng, &mut [0; 1024]).expect("a key").to_owned()
}

/// The server's key for this secret. It is in the subgroup of prime order.
pub fn server_key(secret: [u8; 32]) -> ServerKey {
    ServerKey::from_bytes(*Recipient::new(secret).public_key()).expect("a key")
}
