//! Envelopes, on the client's side: one session for one request and its answer.

use core::ffi::c_void;

use apikee::envelope::{Pending, ServerKey, Session, sealed_len};

use crate::{
    args::{self, ApikeeText, Span},
    error::{ApikeeError, report},
    random::{ApikeeRandom, Random},
    slot::{self, Place},
};

/// Bytes of an `apikee_server_key`, on every target.
pub const APIKEE_SERVER_KEY_SIZE: usize = 160;
/// Bytes of an `apikee_session`, on every target.
pub const APIKEE_SESSION_SIZE: usize = 112;
/// Bytes of an `apikee_pending`, on every target.
pub const APIKEE_PENDING_SIZE: usize = 96;

/// The platform's public key, ready for sessions. It contains no secret.
#[repr(C)]
pub struct ApikeeServerKey {
    opaque: [u64; 20],
}
const _: () = assert!(APIKEE_SERVER_KEY_SIZE == size_of::<ApikeeServerKey>());

/// A key shared with the platform, for one request. Sealing uses it up. If it is not used, wipe it with
/// `apikee_session_wipe`.
#[repr(C)]
pub struct ApikeeSession {
    opaque: [u64; 14],
}
const _: () = assert!(APIKEE_SESSION_SIZE == size_of::<ApikeeSession>());

/// The state that opens the answer to one request. Opening uses it up. If it is not used, wipe it with
/// `apikee_pending_wipe`.
#[repr(C)]
pub struct ApikeePending {
    opaque: [u64; 12],
}
const _: () = assert!(APIKEE_PENDING_SIZE == size_of::<ApikeePending>());

impl Place for ApikeeServerKey {
    type Value = ServerKey;
    const MARK: u64 = 0x6170_696B_6565_0003;
}

impl Place for ApikeeSession {
    type Value = Session;
    const MARK: u64 = 0x6170_696B_6565_0004;
}

impl Place for ApikeePending {
    type Value = Pending;
    const MARK: u64 = 0x6170_696B_6565_0005;
}

/// Parses the platform's public key: 64 hexadecimal digits, or base64 of 32 bytes in either alphabet, padded or not.
/// The old contents of `server_key` are overwritten, also after an error.
///
/// Errors: `APIKEE_ERROR_SERVER_KEY_MALFORMED`, `APIKEE_ERROR_SERVER_KEY_LOW_ORDER`.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apikee_server_key_init(
    server_key: *mut ApikeeServerKey,
    text: *const c_void,
    text_len: usize,
) -> ApikeeError {
    report(|| {
        args::apart([Span::one(server_key)], [Span::bytes(text, text_len)])?;
        // SAFETY: the caller keeps the rules, and the two do not overlap.
        let text = unsafe {
            slot::wipe(server_key)?;
            args::text(text, text_len)?
        };
        let value: ServerKey = text.parse()?;
        // SAFETY: as above.
        unsafe { slot::init(server_key, value) }
    })
}

/// Establishes a session for one request: it draws 32 random bytes and computes two X25519 operations. You can do this
/// ahead of time. The old contents of `session` are overwritten, also after an error.
///
/// Errors: `APIKEE_ERROR_RANDOM_FAILED`.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apikee_session_establish(
    session: *mut ApikeeSession,
    server_key: *const ApikeeServerKey,
    random: ApikeeRandom,
    random_context: *mut c_void,
) -> ApikeeError {
    report(|| {
        args::apart([Span::one(session)], [Span::one(server_key)])?;
        // SAFETY: the caller keeps the rules, and the two do not overlap.
        let server_key = unsafe {
            slot::wipe(session)?;
            slot::get(server_key)?
        };
        let mut random = Random::new(random, random_context)?;
        let value = Session::establish(server_key, &mut random).map_err(|_| ApikeeError::RandomFailed)?;
        // SAFETY: as above.
        unsafe { slot::init(session, value) }
    })
}

/// Seals a request into `buf`, which needs `APIKEE_SEALED_LEN(plaintext_len)` bytes. It draws a nonce of 12 bytes.
/// `envelope_len` receives the envelope's length, and `pending` the state that opens the answer. The session is used
/// up, except after an error about an argument or a buffer that is too small.
///
/// Errors: `APIKEE_ERROR_BUFFER_TOO_SMALL`, with the envelope's length in `envelope_len`;
/// `APIKEE_ERROR_RANDOM_FAILED`.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apikee_session_seal(
    session: *mut ApikeeSession,
    plaintext: *const c_void,
    plaintext_len: usize,
    random: ApikeeRandom,
    random_context: *mut c_void,
    buf: *mut c_void,
    buf_len: usize,
    envelope_len: *mut usize,
    pending: *mut ApikeePending,
) -> ApikeeError {
    report(|| {
        args::apart(
            [Span::one(session), Span::bytes(buf, buf_len), Span::one(envelope_len), Span::one(pending)],
            [Span::bytes(plaintext, plaintext_len)],
        )?;
        // SAFETY: the caller keeps the rules, and the output does not overlap.
        let plaintext = unsafe {
            slot::wipe(pending)?;
            args::put(envelope_len, 0)?;
            args::bytes(plaintext, plaintext_len)?
        };
        let mut random = Random::new(random, random_context)?;
        let needed = sealed_len(plaintext_len);
        // SAFETY: as above.
        let buf = unsafe {
            slot::get(session.cast_const())?;
            args::buffer(buf, buf_len, needed)?
        };
        if buf.len() < needed {
            // SAFETY: as above.
            unsafe { args::put(envelope_len, needed) }?;
            return Err(ApikeeError::BufferTooSmall);
        }
        // SAFETY: as above.
        let session = unsafe { slot::take(session) }?;
        let (envelope, value) = session.seal(plaintext, &mut random, buf)?;
        // SAFETY: as above.
        unsafe {
            args::put(envelope_len, envelope.len())?;
            slot::init(pending, value)
        }
    })
}

/// Opens an answer in place: `answer_len` bytes at `answer`. `plaintext` then points into it. The pending is used up,
/// except after an error about an argument.
///
/// An answer that can be opened may still be a refusal: see `apikee_pending_require_success`. After an error, `answer`
/// contains parts of the envelope, never of a plaintext.
///
/// Errors: those from `APIKEE_ERROR_ENVELOPE_MALFORMED` to `APIKEE_ERROR_ENVELOPE_FORGED`.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apikee_pending_open(
    pending: *mut ApikeePending,
    answer: *mut c_void,
    answer_len: usize,
    plaintext: *mut ApikeeText,
) -> ApikeeError {
    report(|| {
        args::apart([Span::one(pending), Span::bytes(answer, answer_len), Span::one(plaintext)], [])?;
        // SAFETY: the caller keeps the rules, and no two overlap.
        let (pending, answer) = unsafe {
            args::put(plaintext, ApikeeText::NONE)?;
            let answer = args::bytes_mut(answer, answer_len)?;
            (slot::take(pending)?, answer)
        };
        let opened = pending.open(answer)?;
        // SAFETY: as above.
        unsafe { args::put(plaintext, ApikeeText::of(opened.into_bytes())) }
    })
}

/// Overwrites a session with zeros, whether it was initialised or not. Does nothing if `session` is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apikee_session_wipe(session: *mut ApikeeSession) {
    // SAFETY: the caller keeps the rules.
    unsafe { slot::wipe_any(session) }
}

/// Overwrites a pending with zeros, whether it was initialised or not. Does nothing if `pending` is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apikee_pending_wipe(pending: *mut ApikeePending) {
    // SAFETY: the caller keeps the rules.
    unsafe { slot::wipe_any(pending) }
}
