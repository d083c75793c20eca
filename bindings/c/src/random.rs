//! The caller's random number generator.

use core::{
    ffi::{c_int, c_void},
    fmt,
};

use rand_core::{TryCryptoRng, TryRng};

use crate::error::ApikeeError;

/// Fills `len` bytes at `out` with random bytes that are fit for keys, and returns 0. Any other number means failure.
/// This is the convention of mbedTLS: `mbedtls_ctr_drbg_random` is such a function.
///
/// `context` is the `random_context` of the call; it may be null. The function is called on the caller's stack while a
/// function of this library runs. It must not touch any other argument of that function. It must return: an exception
/// or `longjmp` is not allowed. Bytes that are all zeros count as a failure, because a generator that is switched off
/// returns them. A generator that repeats itself is not noticed, and then envelopes can be read and forged: notice it
/// in your function.
pub type ApikeeRandom = Option<unsafe extern "C" fn(context: *mut c_void, out: *mut u8, len: usize) -> c_int>;

/// A generator and its context.
pub(crate) struct Random {
    fill: unsafe extern "C" fn(*mut c_void, *mut u8, usize) -> c_int,
    context: *mut c_void,
}

impl Random {
    pub(crate) fn new(fill: ApikeeRandom, context: *mut c_void) -> Result<Self, ApikeeError> {
        Ok(Self { fill: fill.ok_or(ApikeeError::NullPointer)?, context })
    }
}

/// The generator failed.
#[derive(Debug)]
pub(crate) struct Failed;

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the generator failed")
    }
}

impl core::error::Error for Failed {}

impl TryRng for Random {
    type Error = Failed;

    fn try_next_u32(&mut self) -> Result<u32, Failed> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_ne_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Failed> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_ne_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Failed> {
        out.fill(0);
        // SAFETY: the caller passed both together, and `out` has this length.
        let code = unsafe { (self.fill)(self.context, out.as_mut_ptr(), out.len()) };
        if code == 0 && out.iter().any(|byte| *byte != 0) { Ok(()) } else { Err(Failed) }
    }
}

/// The documentation of `ApikeeRandom` requires this from the caller.
impl TryCryptoRng for Random {}
