//! The platform's verdict on a request.

use core::ffi::c_void;

use apikee::protocol::{Answer, ValidateRequest};

use crate::{
    args::{self, ApikeeText, Span},
    error::{ApikeeError, report},
    request::{self, ApikeeValidateRequest},
    session::ApikeePending,
    slot,
};

/// The platform's answer to a validate call. Its texts point into the body that it was parsed from. An absent text is
/// null.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct ApikeeAnswer {
    /// Whether the platform lets the request through. False after any error.
    pub success: bool,
    /// Whether the answer was in an envelope. Then the platform made it for this request.
    pub sealed: bool,
    /// Whether `duration_ms` is valid.
    pub has_duration: bool,
    /// The time that the platform took, in milliseconds.
    pub duration_ms: u64,
    /// The client, if the answer names it: that of the request, perhaps with capital letters.
    pub client_id: ApikeeText,
    /// The project and environment.
    pub project_env: ApikeeText,
    /// The method and path, perhaps with one colon between them.
    pub method_path: ApikeeText,
    /// The platform's reason for a refusal, as a code. See `message` before you log it.
    pub code: ApikeeText,
    /// The platform's reason for a refusal, in words. Like `code`, it is the platform's text: it may contain line
    /// breaks, and repeat what was sent to it, including the key of the request and the project key. Before you log
    /// either of them, escape it and remove all keys.
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
            code: text(answer.reason()),
            message: text(answer.message()),
        }
    }
}

/// Zeros `answer` before any other check, so that it never contains the verdict of an earlier answer. It must not
/// overlap the `inputs`.
///
/// # Safety
///
/// The caller in C must keep the rules of the header.
unsafe fn forget<const N: usize>(answer: *mut ApikeeAnswer, inputs: [Span; N]) -> Result<(), ApikeeError> {
    args::apart([Span::one(answer)], inputs)?;
    // SAFETY: the caller of this function guarantees it.
    unsafe { args::put(answer, ApikeeAnswer::NONE) }
}

/// # Safety
///
/// The caller in C must keep the rules of the header, and nothing else may refer to `answer`.
unsafe fn give(
    verdict: &Answer<'_>,
    request: &ValidateRequest<'_>,
    sealed: bool,
    answer: *mut ApikeeAnswer,
) -> Result<(), ApikeeError> {
    if !verdict.is_about(request) {
        return Err(ApikeeError::AnswerAnotherRequest);
    }
    // SAFETY: the caller of this function guarantees it.
    unsafe { args::put(answer, ApikeeAnswer::of(verdict, sealed)) }?;
    if verdict.success() { Ok(()) } else { Err(ApikeeError::ServerRejected) }
}

/// Opens the answer to a validate call, `body_len` bytes at `body`, and checks that the platform lets the request
/// through. Only `APIKEE_ERROR_OK` means that it does.
///
/// `request` is the request that was sent: the answer must be about its client, project and environment, method and
/// path, if it names them. The body is decrypted in place, and the texts of `answer` point into it. The pending is used
/// up, except after an error about an argument.
///
/// Errors: `APIKEE_ERROR_SERVER_REJECTED` if the platform refuses the request; `answer` then contains the reason. Any
/// other error means that there is no trustworthy answer: the errors of `apikee_pending_open`,
/// `APIKEE_ERROR_ANSWER_MALFORMED`, `APIKEE_ERROR_ANSWER_NO_VERDICT`, `APIKEE_ERROR_ANSWER_ANOTHER_REQUEST`. Errors
/// about `request`: `APIKEE_ERROR_INVALID_CLIENT_ID`, `APIKEE_ERROR_INVALID_METHOD`,
/// `APIKEE_ERROR_TIME_OUT_OF_RANGE`.
///
/// Call this only for an answer with a status from 200 to 299.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apikee_pending_require_success(
    pending: *mut ApikeePending,
    request: *const ApikeeValidateRequest,
    body: *mut c_void,
    body_len: usize,
    answer: *mut ApikeeAnswer,
) -> ApikeeError {
    report(|| {
        // SAFETY: the caller keeps the rules.
        unsafe { forget(answer, [Span::one(pending), Span::bytes(body, body_len), Span::one(request)]) }?;
        let written = [Span::one(pending), Span::bytes(body, body_len), Span::one(answer)];
        args::apart(written, [Span::one(request)])?;
        // SAFETY: the caller keeps the rules, and no two overlap.
        let (request, pending, body) = unsafe {
            let request = request::subject(args::one(request)?, written)?;
            let body = args::bytes_mut(body, body_len)?;
            (request, slot::take(pending)?, body)
        };
        let verdict = Answer::read_opened(pending.open(body)?)?;
        // SAFETY: as above.
        unsafe { give(&verdict, &request, true, answer) }
    })
}

/// Like `apikee_pending_require_success`, for an answer without an envelope. Some deployments send such answers.
///
/// Nothing except the connection proves who wrote such an answer, or for which request. An attacker at the end of the
/// TLS connection can let all requests through. Call this only if the user has asked for it.
///
/// Errors: those of `apikee_pending_require_success`, except for the errors of `apikee_pending_open`.
///
/// Call this only for an answer with a status from 200 to 299.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apikee_unsealed_require_success(
    request: *const ApikeeValidateRequest,
    body: *mut c_void,
    body_len: usize,
    answer: *mut ApikeeAnswer,
) -> ApikeeError {
    report(|| {
        // SAFETY: the caller keeps the rules.
        unsafe { forget(answer, [Span::bytes(body, body_len), Span::one(request)]) }?;
        let written = [Span::bytes(body, body_len), Span::one(answer)];
        args::apart(written, [Span::one(request)])?;
        // SAFETY: the caller keeps the rules, and no two overlap.
        let (request, body) =
            unsafe { (request::subject(args::one(request)?, written)?, args::bytes_mut(body, body_len)?) };
        let verdict = Answer::read_unsealed(body)?;
        // SAFETY: as above.
        unsafe { give(&verdict, &request, false, answer) }
    })
}
