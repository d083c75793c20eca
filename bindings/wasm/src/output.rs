//! Writes claims to the output, in the form that JavaScript reads.
//!
//! ```text
//! f64  expires at, in seconds, or NaN
//! f64  not before, in seconds, or NaN
//! u32  index of the secret
//! u32  encoding of meta: 0 for JSON, 1 for MessagePack
//! u32  length of the id, of the tenant, of the environment, of meta
//! u32  length of each scope, and `END` after the last
//! the bytes of the scopes, the id, the tenant, the environment and meta
//! ```

use apikee::{UnixTime, VerifiedKey, key::Encoding};

use crate::failure::Failure;

/// Marks the end of the scopes' lengths. It cannot be a length.
const END: usize = u32::MAX as usize;

/// Writes the claims, and returns how many bytes they take.
pub(crate) fn write(key: &VerifiedKey<'_>, output: &mut [u8]) -> Result<usize, Failure> {
    let claims = key.claims();
    let (scopes, meta) = (claims.scopes(), claims.meta());
    let mut out = Output { buf: output, len: 0 };
    out.bytes(&seconds(claims.expires_at()).to_le_bytes());
    out.bytes(&seconds(claims.not_before()).to_le_bytes());
    out.number(key.secret_index());
    out.number(usize::from(meta.encoding() == Encoding::MessagePack));
    let texts = [claims.id().as_bytes(), claims.tenant().as_bytes(), claims.environment().as_bytes(), meta.as_bytes()];
    for text in &texts {
        out.number(text.len());
    }
    for scope in scopes.iter() {
        out.number(scope.len());
    }
    out.number(END);
    for scope in scopes.iter() {
        out.bytes(scope.as_bytes());
    }
    for text in &texts {
        out.bytes(text);
    }
    if out.len <= out.buf.len() { Ok(out.len) } else { Err(Failure::TooLong) }
}

/// Converts a time to a JavaScript number. Beyond 2^53 seconds it is rounded.
#[expect(clippy::cast_precision_loss, reason = "the comment above says this")]
fn seconds(time: Option<UnixTime>) -> f64 {
    time.map_or(f64::NAN, |time| time.as_secs() as f64)
}

/// Writes into a buffer. After the buffer's end, it only counts the bytes.
struct Output<'b> {
    buf: &'b mut [u8],
    len: usize,
}

impl Output<'_> {
    fn bytes(&mut self, bytes: &[u8]) {
        let end = self.len.saturating_add(bytes.len());
        if let Some(place) = self.buf.get_mut(self.len..end) {
            place.copy_from_slice(bytes);
        }
        self.len = end;
    }

    fn number(&mut self, value: usize) {
        // No value here is larger than the memory, so each fits in 32 bits.
        self.bytes(&u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes());
    }
}
