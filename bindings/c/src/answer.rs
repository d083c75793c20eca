//! The platform's verdict on a request.

use core::ffi::c_void;

use apikee::Answer;

use crate::{
    args::{self, ApikeeText, Span},
    error::{ApikeeError, report},
    session::ApikeePending,
    slot,
};

/// The answer to a validate call. Its texts point into the body that it was read from; those that are absent
/// are null.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct ApikeeAnswer {
    /// Whether the platform lets the request through. False after an error.
    pub success: bool,
    /// Whether it came out of an envelope: from the platform, for this request.
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
    /// Why the request is refused, as a code.
    pub code: ApikeeText,
    /// Why the request is refused, in words. They may hold line breaks: escape them in logs.
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

/// Opens the answer, `body_len` bytes at `body`, and reads what it says. The body is changed where it stands.
/// The pending is used up, unless it is an argument that is wrong.
///
/// Any error means that the platform has not answered.
///
/// Errors: those of `apikee_pending_open`, `APIKEE_ERROR_ANSWER_MALFORMED`, `APIKEE_ERROR_ANSWER_NO_VERDICT`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apikee_pending_read_answer(
    pending: *mut ApikeePending,
    body: *mut c_void,
    body_len: usize,
    answer: *mut ApikeeAnswer,
) -> ApikeeError {
    report(|| {
        // First of all: whoever ignores the code finds no verdict of an earlier answer.
        // SAFETY: the caller keeps the rules.
        unsafe { args::put(answer, ApikeeAnswer::NONE) }?;
        args::apart([Span::one(pending), Span::bytes(body, body_len), Span::one(answer)], [])?;
        // SAFETY: the caller keeps the rules, and all are apart.
        let (pending, body) = unsafe {
            let body = args::bytes_mut(body, body_len)?;
            (slot::take(pending)?, body)
        };
        let verdict = Answer::read_opened(pending.open(body)?)?;
        // SAFETY: as above.
        unsafe { args::put(answer, ApikeeAnswer::of(&verdict, true)) }
    })
}

/// Reads an answer that came without an envelope, as some deployments send it.
///
/// Nothing but the connection says who wrote it, or for which request: whoever sits where TLS ends can let all
/// requests through. Only for where the user has asked for this.
///
/// Errors: `APIKEE_ERROR_ANSWER_MALFORMED`, `APIKEE_ERROR_ANSWER_NO_VERDICT`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apikee_answer_read_unsealed(
    body: *mut c_void,
    body_len: usize,
    answer: *mut ApikeeAnswer,
) -> ApikeeError {
    report(|| {
        // First of all, as above.
        // SAFETY: the caller keeps the rules.
        unsafe { args::put(answer, ApikeeAnswer::NONE) }?;
        args::apart([Span::bytes(body, body_len), Span::one(answer)], [])?;
        // SAFETY: the caller keeps the rules, and the two are apart.
        let body = unsafe { args::bytes_mut(body, body_len) }?;
        let verdict = Answer::read_unsealed(body)?;
        // SAFETY: as above.
        unsafe { args::put(answer, ApikeeAnswer::of(&verdict, false)) }
    })
}
