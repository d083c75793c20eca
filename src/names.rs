//! What the JSON and the MessagePack reader share: how deep a payload may nest, and the check that
//! no object names a member twice.

use crate::text::Text;

/// The payload is not well-formed. Where and why is left out: whoever could use it may be a forger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Objects and arrays inside one another that are read, the outermost included. Claims need three;
/// WIRE.md asks for at least 16. It bounds the readers' stack.
pub(crate) const MAX_DEPTH: usize = 32;

/// Bytes that the check for duplicates may read again in one payload: it keeps the reader's time in
/// bounds. A look back reads no more than the payload, so objects of 256 members in 8 KiB pass for
/// sure, and some of twice as many.
const REREAD: usize = 256 * 8192;

/// How many more bytes may be read again.
pub(crate) struct Budget(usize);

impl Budget {
    pub(crate) const FULL: Self = Self(REREAD);

    /// Takes note that so many bytes are read again.
    pub(crate) fn spend(&mut self, bytes: usize) -> Result<(), Malformed> {
        self.0 = self.0.checked_sub(bytes).ok_or(Malformed)?;
        Ok(())
    }
}

/// The names that an object has had so far, as a Bloom filter of one bit a name: only a name whose
/// bit is taken needs a look at the earlier ones.
#[derive(Clone, Copy)]
pub(crate) struct Names(u32);

impl Names {
    pub(crate) const NONE: Self = Self(0);

    /// Adds a name, and returns whether it may be among those before it.
    #[inline]
    pub(crate) fn add(&mut self, name: Text<'_>) -> bool {
        // One string may be written with and without escapes: such a name meets all others.
        let bits = name.as_bytes().map_or(u32::MAX, bit);
        let met = self.0 & bits != 0;
        self.0 |= bits;
        met
    }
}

/// One of 32 bits. The names of the claims have seven different ones.
fn bit(name: &[u8]) -> u32 {
    let ends = name.first().zip(name.last()).map_or(0, |(first, last)| first.wrapping_add(*last));
    1_u32.rotate_left(u32::from(ends))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_need_no_second_look_for_duplicates() {
        let claims = ["id", "tid", "scp", "env", "exp", "nbf", "meta"];
        let bits: u32 = claims.iter().map(|name| bit(name.as_bytes())).fold(0, |all, bit| all | bit);
        assert_eq!(bits.count_ones(), 7);
    }
}
