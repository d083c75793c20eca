//! A second, very simple implementation of keys (docs/WIRE.md, "Keys"). Tests compare the library with it, and sign
//! payloads with it.
#![allow(dead_code, reason = "each test uses its part")]

use apikee::BufferTooSmall;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

pub const SECRET: &[u8] = b"2014e90b82285ea7888b4a091409ecfcd6a6536fc62d5dcf3e1fd31f6bf54ea1";
pub const OTHER_SECRET: &[u8] = b"d261e10ae9fc6c76e86bb80b0fac04676c4161b1dfb96298624a40c7d1e1948c";

/// The time of the vectors.
pub const NOW: i64 = 1_760_000_000;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

pub fn tag(secret: &[u8], payload: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
    mac.update(payload);
    mac.finalize().into_bytes().into()
}

/// The key with this payload. A first byte of zero is lost, because a number has no leading zeros.
pub fn key(secret: &[u8], payload: &[u8]) -> String {
    format!("apikee_{}.{}", base62(payload), base62(&tag(secret, payload)))
}

/// The bytes as one number in base 62. No bytes give no digits.
pub fn base62(bytes: &[u8]) -> String {
    // Most significant limb first.
    let mut number: Vec<u32> = bytes
        .rchunks(4)
        .rev()
        .map(|limb| limb.iter().fold(0, |all, byte| all << 8 | u32::from(*byte)))
        .skip_while(|limb| *limb == 0)
        .collect();
    let mut digits = Vec::new();
    let mut from = 0;
    while from < number.len() {
        let mut rest = 0;
        for limb in &mut number[from..] {
            let value = u64::from(rest) << 32 | u64::from(*limb);
            (*limb, rest) = ((value / 62) as u32, (value % 62) as u32);
        }
        digits.push(ALPHABET[rest as usize]);
        from += usize::from(number[from] == 0);
    }
    if digits.is_empty() && !bytes.is_empty() {
        digits.push(b'0');
    }
    digits.reverse();
    String::from_utf8(digits).unwrap()
}

/// The bytes of the number, without leading zeros. The number zero is one byte. `None` if there are no digits, or if a
/// character is not a digit. Leading zeros are skipped.
pub fn base62_decode(text: &[u8]) -> Option<Vec<u8>> {
    if text.is_empty() {
        return None;
    }
    // Least significant limb first.
    let mut number: Vec<u32> = Vec::new();
    for digit in text {
        let mut carry = ALPHABET.iter().position(|own| own == digit)? as u64;
        for limb in &mut number {
            carry += u64::from(*limb) * 62;
            *limb = carry as u32;
            carry >>= 32;
        }
        if carry > 0 {
            number.push(carry as u32);
        }
    }
    let bytes: Vec<u8> =
        number.iter().rev().flat_map(|limb| limb.to_be_bytes()).skip_while(|byte| *byte == 0).collect();
    Some(if bytes.is_empty() { vec![0] } else { bytes })
}

/// The payload of a well-formed key.
pub fn payload_of(key: &str) -> Vec<u8> {
    let (payload, _) = key.strip_prefix("apikee_").unwrap().split_once('.').unwrap();
    base62_decode(payload.as_bytes()).unwrap()
}

/// A generator that always returns the same numbers (Marsaglia's xorshift64).
#[derive(Clone)]
pub struct Xorshift(pub u64);

impl Xorshift {
    pub fn word(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `bound`, or zero.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.word() % (bound.max(1) as u64)) as usize
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
        out.iter_mut().for_each(|byte| *byte = self.word() as u8);
        Ok(())
    }
}

/// This is not a secure generator. The tests only use it for ids of keys that protect nothing.
impl rand_core::TryCryptoRng for Xorshift {}

/// Returns the written text. Checks the length that the error names if the buffer is too small: it is enough, one byte
/// less is not enough, and a longer buffer gives the same text.
pub fn exactly(write: &dyn for<'b> Fn(&'b mut [u8]) -> Result<&'b str, BufferTooSmall>) -> String {
    let BufferTooSmall { needed } = write(&mut []).unwrap_err();
    assert_eq!(write(&mut vec![0; needed - 1]), Err(BufferTooSmall { needed }));
    let (mut exact, mut roomy) = (vec![0; needed], vec![0xFF; needed + 9]);
    let text = write(&mut exact).unwrap();
    assert_eq!((text.len(), write(&mut roomy)), (needed, Ok(text)));
    text.to_owned()
}
