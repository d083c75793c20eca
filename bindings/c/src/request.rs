//! Asks the platform about a key that was verified locally.

use core::ffi::c_void;

use apikee::{
    BufferTooSmall, UnixTime,
    protocol::{ClientId, MethodPath, Request as _, Timestamp, ValidateRequest},
};

use crate::{
    args::{self, ApikeeBool, ApikeeText, Span},
    error::{ApikeeError, report},
};

/// The maximum number of headers in a request.
pub const APIKEE_MAX_HEADERS: usize = 16;

/// A header field of the incoming request.
#[repr(C)]
pub struct ApikeeHeader {
    /// The name.
    pub name: ApikeeText,
    /// The value.
    pub value: ApikeeText,
}

/// A question to the platform: may a client make a request with this method and path now?
#[repr(C)]
pub struct ApikeeValidateRequest {
    /// The client's id: a UUID of 36 characters.
    pub client_id: ApikeeText,
    /// The slug of the project and environment.
    pub project_env: ApikeeText,
    /// The method of the incoming request.
    pub method: ApikeeText,
    /// Its path, percent-decoded. The part from the first `?` or `#` on is left out: see `keep_query`.
    pub path: ApikeeText,
    /// The name of the key among the client's keys; null for `"default"`.
    pub key_name: ApikeeText,
    /// The header fields for the platform. Do not send all of them. May be null if `header_count` is 0.
    pub headers: *const ApikeeHeader,
    /// Number of header fields, at most `APIKEE_MAX_HEADERS`.
    pub header_count: usize,
    /// Further data for the platform, as a JSON object; null for none.
    pub payload: ApikeeText,
    /// The current time in milliseconds since 1970.
    pub now_millis: i64,
    /// Keeps the query of `path`, which may contain secrets. False leaves it out.
    pub keep_query: ApikeeBool,
}

/// Reads the members that an answer must be about. They must not overlap what is `written`.
///
/// # Safety
///
/// The caller in C must keep the rules of the header, and `request` must not overlap what is written.
pub(crate) unsafe fn subject<'a, const N: usize>(
    request: &'a ApikeeValidateRequest,
    written: [Span; N],
) -> Result<ValidateRequest<'a>, ApikeeError> {
    let texts = [request.client_id, request.project_env, request.method, request.path];
    args::apart(written, texts.map(ApikeeText::span))?;
    let [client_id, project_env, method, path] = texts;
    // SAFETY: the caller of this function guarantees it, and the output does not overlap.
    let [client_id, project_env, method, path] =
        unsafe { [client_id.read()?, project_env.read()?, method.read()?, path.read()?] };
    let client_id = ClientId::new(client_id).map_err(|_| ApikeeError::InvalidClientId)?;
    let route = if request.keep_query == 0 { MethodPath::new } else { MethodPath::with_query };
    let route = route(method, path).map_err(|_| ApikeeError::InvalidMethod)?;
    let now = UnixTime::from_millis(request.now_millis);
    let timestamp = Timestamp::new(now).map_err(|_| ApikeeError::TimeOutOfRange)?;
    Ok(ValidateRequest::new(client_id, project_env, route, timestamp))
}

type Written = Result<usize, BufferTooSmall>;

/// # Safety
///
/// The caller in C must keep the rules of the header.
unsafe fn write(
    request: *const ApikeeValidateRequest,
    buf: *mut c_void,
    buf_len: usize,
    len: *mut usize,
    write: impl FnOnce(&ValidateRequest<'_>, &mut [u8]) -> Written,
) -> ApikeeError {
    report(|| {
        let written = [Span::bytes(buf, buf_len), Span::one(len)];
        args::apart(written, [Span::one(request)])?;
        // SAFETY: the caller of this function guarantees it, and the output does not overlap.
        let request = unsafe {
            args::put(len, 0)?;
            args::one(request)?
        };
        // SAFETY: as above.
        let validate = unsafe { subject(request, written) }?;
        let headers = Span::array(request.headers, request.header_count);
        args::apart(written, [request.key_name.span(), request.payload.span(), headers])?;
        // SAFETY: as above.
        let (listed, key_name, payload) = unsafe {
            (
                args::array(request.headers, request.header_count)?,
                request.key_name.read_if_any()?,
                request.payload.read_if_any()?,
            )
        };
        let mut places = [("", ""); APIKEE_MAX_HEADERS];
        let headers = places.get_mut(..listed.len()).ok_or(ApikeeError::TooMany)?;
        for (place, header) in headers.iter_mut().zip(listed) {
            args::apart(written, [header.name.span(), header.value.span()])?;
            // SAFETY: as above.
            *place = unsafe { (header.name.read()?, header.value.read()?) };
        }
        let mut validate = validate.headers(headers);
        if let Some(name) = key_name {
            validate = validate.key_name(name);
        }
        if let Some(payload) = payload {
            validate = validate.payload(args::object(payload)?);
        }
        // SAFETY: as above.
        let buf = unsafe { args::buffer(buf, buf_len, buf_len) }?;
        let (needed, fits) = match write(&validate, buf) {
            Ok(len) => (len, Ok(())),
            Err(error) => (error.needed, Err(ApikeeError::BufferTooSmall)),
        };
        // SAFETY: as above.
        unsafe { args::put(len, needed) }?;
        fits
    })
}

/// Writes the target of a validate call to the start of `buf`: path and query, to be appended to the base URL. It is
/// visible ASCII. `target_len` receives its length. This function makes no call itself.
///
/// Errors: `APIKEE_ERROR_BUFFER_TOO_SMALL`, with the exact length in `target_len`;
/// `APIKEE_ERROR_INVALID_CLIENT_ID`, `APIKEE_ERROR_INVALID_METHOD`, `APIKEE_ERROR_TIME_OUT_OF_RANGE`,
/// `APIKEE_ERROR_INVALID_JSON`, `APIKEE_ERROR_TOO_MANY`, `APIKEE_ERROR_INVALID_UTF8`.
///
/// A client of your service can cause these errors: with a long path, one that is not UTF-8, or a strange method. So
/// none of them may count as an outage: refuse the request. If `buf` is too small, it contains a part of the target.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apikee_write_validate_target(
    request: *const ApikeeValidateRequest,
    buf: *mut c_void,
    buf_len: usize,
    target_len: *mut usize,
) -> ApikeeError {
    // SAFETY: the caller keeps the rules.
    unsafe { write(request, buf, buf_len, target_len, |request, buf| request.write_target(buf).map(str::len)) }
}

/// Writes the body of a validate call to the start of `buf`: the plaintext for `apikee_session_seal`. It contains the
/// raw key if the headers do: then wipe `buf` after sealing. `body_len` receives its length. This function makes no
/// call itself.
///
/// Errors: those of `apikee_write_validate_target`, with the exact length in `body_len`.
///
/// A client of your service can cause these errors, also with long or many header fields, or with ones that are not
/// UTF-8. So none of them may count as an outage: refuse the request. If `buf` is too small, it contains a part of the
/// body, perhaps of the raw key: wipe it.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apikee_write_validate_body(
    request: *const ApikeeValidateRequest,
    buf: *mut c_void,
    buf_len: usize,
    body_len: *mut usize,
) -> ApikeeError {
    // SAFETY: the caller keeps the rules.
    unsafe { write(request, buf, buf_len, body_len, |request, buf| request.write_body(buf).map(str::len)) }
}
