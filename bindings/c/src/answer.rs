//! The platform's verdict on a request.

use core::ffi::c_void;

use apikee::protocol::Answer;

use crate::{
    args::{self, ApikeeText, Span},
    error::{ApikeeError, report},
    session::ApikeePending,
    slot,
};

/// The platform's answer to a validate call. Its texts point into the body that it was read from. A text that is
/// absent is null.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct ApikeeAnswer {
    /// Whether the platform lets the request through. False after any error.
    pub success: bool,
    /// Whether the answer came out of an envelope: from the platform, for this request.
    pub sealed: bool,
    /// Whether `duration_ms` counts.
    pub has_duration: bool,
    /// How long the platform took, in milliseconds.
    pub duration_ms: u64,
    /// The client that was asked about.
    pub client_id: ApikeeText,
    /// The project and environment that were asked about.
    pub project_env: ApikeeText,
    /// The method and path that were asked about.
    pub method_path: ApikeeText,
    /// The platform's reason for a refusal, as a code.
    pub code: ApikeeText,
    /// The platform's reason for a refusal, in words. It may contain line breaks: escape them in logs.
    pub message: ApikeeText,
}

impl ApikeeAnswer {
    const NONE: Self = Self {
        success: false,
        sealed: false,
        has_duration: false,
        duration_ms: 0,
        client_id: ApikeeText::NONE,
        project_env: ApikeeText::NONE,
        method_path: ApikeeText::NONE,
        code: ApikeeText::NONE,
        message: ApikeeText::NONE,
    };

    fn of(answer: &Answer<'_>, sealed: bool) -> Self {
        let text = |text: Option<&str>| text.map_or(ApikeeText::NONE, |text| ApikeeText::of(text.as_bytes()));
        Self {
            success: answer.success(),
            sealed,
            has_duration: answer.duration_ms().is_some(),
            duration_ms: answer.duration_ms().unwrap_or_default(),
            client_id: text(answer.client_id()),
            project_env: text(answer.project_env()),
            method_path: text(answer.method_path()),
            code: text(answer.code()),
            message: text(answer.message()),
        }
    }
}

/// Zeros `answer` before anything else: nobody finds the verdict of an earlier answer there.
///
/// # Safety
///
/// The caller in C keeps the rules.
unsafe fn forget(answer: *mut ApikeeAnswer) -> Result<(), ApikeeError> {
    // SAFETY: what this function's caller vouches for.
    unsafe { args::put(answer, ApikeeAnswer::NONE) }
}

/// # Safety
///
/// The caller in C keeps the rules, and nothing else refers to `answer`.
unsafe fn give(verdict: &Answer<'_>, sealed: bool, answer: *mut ApikeeAnswer) -> Result<(), ApikeeError> {
    // SAFETY: what this function's caller vouches for.
    unsafe { args::put(answer, ApikeeAnswer::of(verdict, sealed)) }?;
    if verdict.success() { Ok(()) } else { Err(ApikeeError::ServerRejected) }
}

/// Opens the answer to a validate call, `body_len` bytes at `body`, and checks that the platform lets the request
/// through. Only `APIKEE_ERROR_OK` means that it does.
///
/// The body is changed where it stands, and the texts of `answer` point into it. The pending is used up, except
/// after an error about an argument.
///
/// Errors: `APIKEE_ERROR_SERVER_REJECTED` if the platform refuses the request; `answer` then says why. Any other
/// error means that there is no trustworthy answer: those of `apikee_pending_open`,
/// `APIKEE_ERROR_ANSWER_MALFORMED`, `APIKEE_ERROR_ANSWER_NO_VERDICT`.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apikee_pending_require_success(
    pending: *mut ApikeePending,
    body: *mut c_void,
    body_len: usize,
    answer: *mut ApikeeAnswer,
) -> ApikeeError {
    report(|| {
        // SAFETY: the caller keeps the rules.
        unsafe { forget(answer) }?;
        args::apart([Span::one(pending), Span::bytes(body, body_len), Span::one(answer)], [])?;
        // SAFETY: the caller keeps the rules, and all are apart.
        let (pending, body) = unsafe {
            let body = args::bytes_mut(body, body_len)?;
            (slot::take(pending)?, body)
        };
        let verdict = Answer::read_opened(pending.open(body)?)?;
        // SAFETY: as above.
        unsafe { give(&verdict, true, answer) }
    })
}

/// As `apikee_pending_require_success`, for an answer that came without an envelope, as some deployments send it.
///
/// Nothing but the connection says who wrote such an answer, or for which request: whoever ends the TLS connection
/// can let all requests through. Call this only where the user has asked for it.
///
/// Errors: `APIKEE_ERROR_SERVER_REJECTED`, `APIKEE_ERROR_ANSWER_MALFORMED`, `APIKEE_ERROR_ANSWER_NO_VERDICT`.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apikee_unsealed_require_success(
    body: *mut c_void,
    body_len: usize,
    answer: *mut ApikeeAnswer,
) -> ApikeeError {
    report(|| {
        // SAFETY: the caller keeps the rules.
        unsafe { forget(answer) }?;
        args::apart([Span::bytes(body, body_len), Span::one(answer)], [])?;
        // SAFETY: the caller keeps the rules, and the two are apart.
        let body = unsafe { args::bytes_mut(body, body_len) }?;
        let verdict = Answer::read_unsealed(body)?;
        // SAFETY: as above.
        unsafe { give(&verdict, false, answer) }
    })
}
