//! New keys.

use core::{ffi::c_void, time::Duration};

use apikee::{Expiry, IssueError, JsonObject, MAX_PAYLOAD_LEN, NewKey, UnixTime, issue_buffer_len};

use crate::{
    args::{self, ApikeeText, Span},
    error::{ApikeeError, report},
    keyring::ApikeeKeyring,
    random::{ApikeeRandom, Random},
    slot,
};

/// Scopes that `apikee_issue` takes at most.
pub const APIKEE_MAX_SCOPES: usize = 32;

/// When a new key expires.
#[repr(u32)]
pub enum ApikeeExpiry {
    /// After 90 days; `expiry_seconds` is not read.
    Default = 0,
    /// `expiry_seconds` after it is issued.
    After = 1,
    /// At the end of the second `expiry_seconds` since 1970.
    At = 2,
    /// Not at all; `expiry_seconds` is not read.
    Never = 3,
}

/// A caller in C may pass any number, so the enum itself is not what is passed.
#[expect(clippy::as_conversions, reason = "the numbers are what the enum is")]
mod kind {
    use super::ApikeeExpiry;

    pub(super) const DEFAULT: u32 = ApikeeExpiry::Default as u32;
    pub(super) const AFTER: u32 = ApikeeExpiry::After as u32;
    pub(super) const AT: u32 = ApikeeExpiry::At as u32;
    pub(super) const NEVER: u32 = ApikeeExpiry::Never as u32;
}

/// What a new key shall say. All zeros, it is a key for no tenant and without scopes, for `"production"`, good
/// for 90 days.
#[repr(C)]
pub struct ApikeeNewKey {
    /// Whose key it is.
    pub tenant: ApikeeText,
    /// What it is good for, in that order. May be null if `scope_count` is 0.
    pub scopes: *const ApikeeText,
    /// How many scopes there are: `APIKEE_MAX_SCOPES` at most.
    pub scope_count: usize,
    /// The environment tag; null for `"production"`.
    pub environment: ApikeeText,
    /// Anything else, a JSON object; null for nothing.
    pub meta: ApikeeText,
    /// What `expiry_seconds` means: an `apikee_expiry`.
    pub expiry: u32,
    /// Whether `not_before` counts: 0 or 1.
    pub has_not_before: u32,
    /// When it expires.
    pub expiry_seconds: i64,
    /// The first second in which it is good, since 1970.
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
}

/// Issues a key, signed with the keyring's first secret, into `buf`, and its length into `key_len`.
///
/// `now_millis` is in milliseconds since 1970. `random` gives the id its ten bytes, and is called again, a few
/// times at most, in one case of 256. `APIKEE_ISSUE_BUFFER_LEN(payload_len)` bytes of buffer are enough, and
/// 1024 are for most keys. The key stands at the front of `buf`; behind it, and after an error, `buf` holds
/// unspecified bytes.
///
/// Errors: `APIKEE_ERROR_BUFFER_TOO_SMALL`, with a length that is enough in `key_len`;
/// `APIKEE_ERROR_CLAIMS_TOO_LONG`, `APIKEE_ERROR_TIME_OUT_OF_RANGE`, `APIKEE_ERROR_INVALID_JSON`,
/// `APIKEE_ERROR_TOO_MANY`, `APIKEE_ERROR_RANDOM_FAILED`.
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
        // SAFETY: the caller keeps the rules, and what is written is apart.
        let (keyring, new_key) = unsafe {
            args::put(key_len, 0)?;
            (slot::get(keyring)?, args::one(new_key)?)
        };
        let mut random = Random::new(random, random_context)?;
        let scopes = Span::array(new_key.scopes, new_key.scope_count);
        args::apart(written, [new_key.tenant.span(), new_key.environment.span(), new_key.meta.span(), scopes])?;
        // SAFETY: as above.
        let (listed, tenant, environment, meta) = unsafe {
            (
                args::array(new_key.scopes, new_key.scope_count)?,
                new_key.tenant.read()?,
                new_key.environment.read_if_any()?,
                new_key.meta.read_if_any()?,
            )
        };
        let mut places = [""; APIKEE_MAX_SCOPES];
        let scopes = places.get_mut(..listed.len()).ok_or(ApikeeError::TooMany)?;
        for (place, scope) in scopes.iter_mut().zip(listed) {
            args::apart(written, [scope.span()])?;
            // SAFETY: as above.
            *place = unsafe { scope.read() }?;
        }
        let mut new = NewKey::new(tenant).scopes(scopes).expires(new_key.expires()?);
        if let Some(environment) = environment {
            new = new.environment(environment);
        }
        if let Some(meta) = meta {
            new = new.meta(JsonObject::new(meta).map_err(|_| ApikeeError::InvalidJson)?);
        }
        if new_key.has_not_before != 0 {
            new = new.not_before(UnixTime::from_secs(new_key.not_before));
        }
        // SAFETY: as above.
        let buf = unsafe { args::buffer(buf, buf_len, issue_buffer_len(MAX_PAYLOAD_LEN)) }?;
        let issued = keyring.issue(&new, UnixTime::from_millis(now_millis), &mut random, buf);
        let len = match issued {
            Ok(key) => key.len(),
            Err(IssueError::BufferTooSmall { needed }) => needed,
            Err(_) => 0,
        };
        // SAFETY: as above.
        unsafe { args::put(key_len, len) }?;
        issued.map(drop).map_err(ApikeeError::from)
    })
}
