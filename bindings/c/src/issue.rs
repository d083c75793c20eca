//! New keys.

use core::{ffi::c_void, time::Duration};

use apikee::{
    Expiry, Keyring, NewKey, UnixTime, issue_buffer_len,
    key::{IssueError, MAX_PAYLOAD_LEN},
};

use crate::{
    args::{self, ApikeeBool, ApikeeText, Span},
    error::{ApikeeError, report},
    keyring::ApikeeKeyring,
    random::{ApikeeRandom, Random},
    slot,
};

/// The maximum number of scopes that `apikee_issue` accepts.
pub const APIKEE_MAX_SCOPES: usize = 32;

/// When a new key expires.
#[repr(u32)]
pub enum ApikeeExpiry {
    /// After 90 days; `expiry_seconds` is ignored.
    Default = 0,
    /// `expiry_seconds` after the time of issue.
    After = 1,
    /// At the end of the second `expiry_seconds` since 1970.
    At = 2,
    /// Never; `expiry_seconds` is ignored.
    Never = 3,
}

/// A caller in C may pass any number, so functions take a number, not the enum.
#[expect(clippy::as_conversions, reason = "the numbers are what the enum is")]
mod kind {
    use super::ApikeeExpiry;

    pub(super) const DEFAULT: u32 = ApikeeExpiry::Default as u32;
    pub(super) const AFTER: u32 = ApikeeExpiry::After as u32;
    pub(super) const AT: u32 = ApikeeExpiry::At as u32;
    pub(super) const NEVER: u32 = ApikeeExpiry::Never as u32;
}

/// The claims of a new key. All zeros mean: no tenant, no scopes, `"production"`, and an expiry after 90 days.
#[repr(C)]
pub struct ApikeeNewKey {
    /// Tenant that owns the key.
    pub tenant: ApikeeText,
    /// The scopes, in this order. May be null if `scope_count` is 0.
    pub scopes: *const ApikeeText,
    /// Number of scopes, at most `APIKEE_MAX_SCOPES`.
    pub scope_count: usize,
    /// The environment tag; null for `"production"`.
    pub environment: ApikeeText,
    /// Further claims, as a JSON object; null for none.
    pub meta: ApikeeText,
    /// The meaning of `expiry_seconds`: an `apikee_expiry`.
    pub expiry: u32,
    /// Whether `not_before` is used.
    pub has_not_before: ApikeeBool,
    /// The time of expiry: see `expiry`.
    pub expiry_seconds: i64,
    /// The first second in which the key is good, since 1970.
    pub not_before: i64,
}

impl ApikeeNewKey {
    fn expires(&self) -> Result<Expiry, ApikeeError> {
        match self.expiry {
            kind::DEFAULT => Ok(Expiry::default()),
            kind::AFTER => {
                let seconds = u64::try_from(self.expiry_seconds).map_err(|_| ApikeeError::TimeOutOfRange)?;
                Ok(Expiry::After(Duration::from_secs(seconds)))
            }
            kind::AT => Ok(Expiry::At(UnixTime::from_secs(self.expiry_seconds))),
            kind::NEVER => Ok(Expiry::Never),
            _ => Err(ApikeeError::TimeOutOfRange),
        }
    }

    /// Parses the texts, which must not overlap the written memory. `places` is room for the scopes.
    ///
    /// Not inlined, so that its stack is free again when the key is made.
    ///
    /// # Safety
    ///
    /// The caller in C must keep the rules of the header.
    #[inline(never)]
    unsafe fn read<'a>(
        &'a self,
        places: &'a mut [&'a str; APIKEE_MAX_SCOPES],
        written: [Span; 2],
    ) -> Result<NewKey<'a>, ApikeeError> {
        let scopes = Span::array(self.scopes, self.scope_count);
        args::apart(written, [self.tenant.span(), self.environment.span(), self.meta.span(), scopes])?;
        // SAFETY: the caller of this function guarantees it, and the output does not overlap.
        let (listed, tenant, environment, meta) = unsafe {
            (
                args::array(self.scopes, self.scope_count)?,
                self.tenant.read()?,
                self.environment.read_if_any()?,
                self.meta.read_if_any()?,
            )
        };
        let scopes = places.get_mut(..listed.len()).ok_or(ApikeeError::TooMany)?;
        for (place, scope) in scopes.iter_mut().zip(listed) {
            args::apart(written, [scope.span()])?;
            // SAFETY: as above.
            *place = unsafe { scope.read() }?;
        }
        let mut new = NewKey::new(tenant).scopes(scopes).expires(self.expires()?);
        if let Some(environment) = environment {
            new = new.environment(environment);
        }
        if let Some(meta) = meta {
            new = new.meta(args::object(meta)?);
        }
        if self.has_not_before != 0 {
            new = new.not_before(UnixTime::from_secs(self.not_before));
        }
        Ok(new)
    }
}

/// Issues a key into `buf`, signed with the keyring's first secret. `key_len` receives its length.
///
/// `now_millis` is in milliseconds since 1970. `random` gives the ten random bytes of the key's id. For one key in 256
/// it is called again, at most a few times. A buffer of `APIKEE_ISSUE_BUFFER_LEN(payload_len)` bytes is enough, and
/// 1024 are enough for most keys. The key is at the start of `buf` and does not end with a NUL. The rest of `buf`
/// contains unspecified bytes; after an error all of `buf` does.
///
/// Errors: `APIKEE_ERROR_BUFFER_TOO_SMALL`, with a sufficient length in `key_len`; `APIKEE_ERROR_CLAIMS_TOO_LONG`,
/// `APIKEE_ERROR_TIME_OUT_OF_RANGE`, `APIKEE_ERROR_INVALID_JSON`, `APIKEE_ERROR_TOO_MANY`,
/// `APIKEE_ERROR_RANDOM_FAILED`.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apikee_issue(
    keyring: *const ApikeeKeyring,
    new_key: *const ApikeeNewKey,
    now_millis: i64,
    random: ApikeeRandom,
    random_context: *mut c_void,
    buf: *mut c_void,
    buf_len: usize,
    key_len: *mut usize,
) -> ApikeeError {
    report(|| {
        let written = [Span::bytes(buf, buf_len), Span::one(key_len)];
        args::apart(written, [Span::one(keyring), Span::one(new_key)])?;
        // SAFETY: the caller keeps the rules, and the output does not overlap.
        let (keyring, new_key) = unsafe {
            args::put(key_len, 0)?;
            (slot::get(keyring)?, args::one(new_key)?)
        };
        let mut random = Random::new(random, random_context)?;
        let mut places = [""; APIKEE_MAX_SCOPES];
        // SAFETY: as above.
        let new = unsafe { new_key.read(&mut places, written) };
        // Used by reference: a move would put a second copy on the stack.
        let new = new.as_ref().map_err(|error| *error)?;
        // SAFETY: as above.
        let buf = unsafe { args::buffer(buf, buf_len, issue_buffer_len(MAX_PAYLOAD_LEN)) }?;
        let issued = issue(keyring, new, UnixTime::from_millis(now_millis), &mut random, buf);
        let len = match issued {
            Ok(len) | Err(IssueError::BufferTooSmall { needed: len }) => len,
            Err(_) => 0,
        };
        // SAFETY: as above.
        unsafe { args::put(key_len, len) }?;
        issued.map(drop).map_err(ApikeeError::from)
    })
}

/// Not inlined: together, the kernel's variables and those of the arguments take 0.9 kB of stack.
#[inline(never)]
fn issue(
    keyring: &Keyring,
    new: &NewKey<'_>,
    now: UnixTime,
    random: &mut Random,
    buf: &mut [u8],
) -> Result<usize, IssueError> {
    keyring.issue(new, now, random, buf).map(str::len)
}
