//! The codes that functions return.

use core::ffi::{CStr, c_char};

use apikee::{
    KeyError,
    key::{IssueError, KeyringError},
};

/// Why a function failed. The numbers never change.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum ApikeeError {
    /// No error: the function succeeded.
    Ok = 0,

    /// The request has no key.
    MissingKey = 1,
    /// The key is refused: it does not start with `apikee_`.
    InvalidPrefix = 2,
    /// The key is refused: it has no `.` after the payload.
    InvalidFormat = 3,
    /// The key is refused: it cannot be decoded, or its claims are not well-formed.
    Decode = 4,
    /// The key is refused: it does not fit the buffer, so it was not checked.
    KeyTooLong = 5,
    /// The key is refused: no secret of the keyring signed it.
    InvalidSignature = 6,
    /// The key is refused: it has expired.
    Expired = 7,
    /// The key is refused: it is not valid yet.
    NotYetValid = 8,
    /// The request is refused: the key lacks a scope.
    InsufficientScope = 9,
    /// The request is refused by the platform.
    ServerRejected = 10,

    /// A pointer is null but must not be.
    NullPointer = 32,
    /// A pointer is not aligned for its type.
    Misaligned = 33,
    /// A length is larger than the address space.
    InvalidLength = 34,
    /// Memory to be written overlaps another argument.
    Overlap = 35,
    /// An object was not initialised, was wiped, or was used up.
    NotInitialised = 36,
    /// A text is not UTF-8.
    InvalidUtf8 = 37,
    /// There are more scopes or headers than `APIKEE_MAX_SCOPES` or `APIKEE_MAX_HEADERS`.
    TooMany = 38,
    /// The buffer is too small. If the function returns a length, that length is enough.
    BufferTooSmall = 39,
    /// The claim, scope or member does not exist, or has another type.
    Absent = 40,
    /// The random number generator failed or returned zeros, or no usable id was drawn in 16 attempts.
    RandomFailed = 41,

    /// The secret is empty.
    EmptySecret = 64,
    /// The keyring already has `APIKEE_MAX_SECRETS` secrets.
    KeyringFull = 65,
    /// The claims are too long for a key.
    ClaimsTooLong = 66,
    /// A time is out of range, or `expiry` is unknown.
    TimeOutOfRange = 67,
    /// A text is not a well-formed JSON object.
    InvalidJson = 68,

    /// The server's public key is neither 64 hexadecimal digits nor base64 of 32 bytes.
    ServerKeyMalformed = 96,
    /// The server's public key has low order, for example a placeholder of zeros.
    ServerKeyLowOrder = 97,
    /// The envelope is not a well-formed JSON object.
    EnvelopeMalformed = 98,
    /// The body is not an envelope.
    EnvelopeUnsealed = 99,
    /// The envelope's version is unknown.
    EnvelopeVersion = 100,
    /// A member of the envelope is missing or wrongly encoded.
    EnvelopeEncoding = 101,
    /// The envelope names a key that cannot be trusted.
    EnvelopeWrongKey = 102,
    /// The answer is our own request sent back, with its public key replaced by the server's.
    EnvelopeReflected = 103,
    /// The envelope is not authentic.
    EnvelopeForged = 104,
    /// The answer is not a well-formed JSON object.
    AnswerMalformed = 105,
    /// The answer has no boolean `success`.
    AnswerNoVerdict = 106,
    /// The answer is about another client, project and environment, method or path.
    AnswerAnotherRequest = 107,
    /// The client's id is not a UUID of 36 characters.
    InvalidClientId = 108,
    /// The method is not an HTTP token.
    InvalidMethod = 109,

    /// An error for which this interface has no code.
    Other = 127,
}

/// Turns a result into the code that a function returns.
pub(crate) fn report(body: impl FnOnce() -> Result<(), ApikeeError>) -> ApikeeError {
    body().err().unwrap_or(ApikeeError::Ok)
}

/// The code of an error as a constant text that ends with a NUL. Never null.
///
/// For a refusal it is the code that all Apikee SDKs send to the client, such as `"EXPIRED"`. For any other error it is
/// a name for logs.
#[unsafe(no_mangle)]
pub extern "C" fn apikee_error_code(error: i32) -> *const c_char {
    text(error).as_ptr()
}

/// Found by number, because a caller in C may pass any number.
static NAMES: &[(ApikeeError, &CStr)] = &[
    (ApikeeError::Ok, c"OK"),
    (ApikeeError::MissingKey, c"MISSING_KEY"),
    (ApikeeError::InvalidPrefix, c"INVALID_PREFIX"),
    (ApikeeError::InvalidFormat, c"INVALID_FORMAT"),
    (ApikeeError::Decode, c"DECODE_ERROR"),
    (ApikeeError::KeyTooLong, c"DECODE_ERROR"),
    (ApikeeError::InvalidSignature, c"INVALID_SIGNATURE"),
    (ApikeeError::Expired, c"EXPIRED"),
    (ApikeeError::NotYetValid, c"NOT_YET_VALID"),
    (ApikeeError::InsufficientScope, c"INSUFFICIENT_SCOPE"),
    (ApikeeError::ServerRejected, c"SERVER_REJECTED"),
    (ApikeeError::NullPointer, c"NULL_POINTER"),
    (ApikeeError::Misaligned, c"MISALIGNED"),
    (ApikeeError::InvalidLength, c"INVALID_LENGTH"),
    (ApikeeError::Overlap, c"OVERLAP"),
    (ApikeeError::NotInitialised, c"NOT_INITIALISED"),
    (ApikeeError::InvalidUtf8, c"INVALID_UTF8"),
    (ApikeeError::TooMany, c"TOO_MANY"),
    (ApikeeError::BufferTooSmall, c"BUFFER_TOO_SMALL"),
    (ApikeeError::Absent, c"ABSENT"),
    (ApikeeError::RandomFailed, c"RANDOM_FAILED"),
    (ApikeeError::EmptySecret, c"EMPTY_SECRET"),
    (ApikeeError::KeyringFull, c"KEYRING_FULL"),
    (ApikeeError::ClaimsTooLong, c"CLAIMS_TOO_LONG"),
    (ApikeeError::TimeOutOfRange, c"TIME_OUT_OF_RANGE"),
    (ApikeeError::InvalidJson, c"INVALID_JSON"),
    (ApikeeError::ServerKeyMalformed, c"SERVER_KEY_MALFORMED"),
    (ApikeeError::ServerKeyLowOrder, c"SERVER_KEY_LOW_ORDER"),
    (ApikeeError::EnvelopeMalformed, c"ENVELOPE_MALFORMED"),
    (ApikeeError::EnvelopeUnsealed, c"ENVELOPE_UNSEALED"),
    (ApikeeError::EnvelopeVersion, c"ENVELOPE_VERSION"),
    (ApikeeError::EnvelopeEncoding, c"ENVELOPE_ENCODING"),
    (ApikeeError::EnvelopeWrongKey, c"ENVELOPE_WRONG_KEY"),
    (ApikeeError::EnvelopeReflected, c"ENVELOPE_REFLECTED"),
    (ApikeeError::EnvelopeForged, c"ENVELOPE_FORGED"),
    (ApikeeError::AnswerMalformed, c"ANSWER_MALFORMED"),
    (ApikeeError::AnswerNoVerdict, c"ANSWER_NO_VERDICT"),
    (ApikeeError::AnswerAnotherRequest, c"ANSWER_ANOTHER_REQUEST"),
    (ApikeeError::InvalidClientId, c"INVALID_CLIENT_ID"),
    (ApikeeError::InvalidMethod, c"INVALID_METHOD"),
];

fn text(error: i32) -> &'static CStr {
    NAMES.iter().find(|(own, _)| number(*own) == error).map_or(c"OTHER", |(_, name)| name)
}

#[expect(clippy::as_conversions, reason = "the number is what the enum is")]
const fn number(error: ApikeeError) -> i32 {
    error as i32
}

impl From<KeyError> for ApikeeError {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Missing => Self::MissingKey,
            KeyError::InvalidPrefix => Self::InvalidPrefix,
            KeyError::InvalidFormat => Self::InvalidFormat,
            KeyError::Decode => Self::Decode,
            KeyError::BufferTooSmall { .. } => Self::KeyTooLong,
            KeyError::InvalidSignature => Self::InvalidSignature,
            KeyError::Expired => Self::Expired,
            KeyError::NotYetValid => Self::NotYetValid,
            _ => Self::Other,
        }
    }
}

impl From<KeyringError> for ApikeeError {
    fn from(error: KeyringError) -> Self {
        match error {
            KeyringError::EmptySecret => Self::EmptySecret,
            KeyringError::Full => Self::KeyringFull,
            _ => Self::Other,
        }
    }
}

impl From<IssueError> for ApikeeError {
    fn from(error: IssueError) -> Self {
        match error {
            IssueError::BufferTooSmall { .. } => Self::BufferTooSmall,
            IssueError::TooLong => Self::ClaimsTooLong,
            IssueError::TimeOutOfRange => Self::TimeOutOfRange,
            IssueError::Rng => Self::RandomFailed,
            _ => Self::Other,
        }
    }
}

#[cfg(feature = "envelope")]
impl From<apikee::envelope::ServerKeyError> for ApikeeError {
    fn from(error: apikee::envelope::ServerKeyError) -> Self {
        match error {
            apikee::envelope::ServerKeyError::Malformed => Self::ServerKeyMalformed,
            apikee::envelope::ServerKeyError::LowOrder => Self::ServerKeyLowOrder,
            _ => Self::Other,
        }
    }
}

#[cfg(feature = "envelope")]
impl From<apikee::envelope::SealError> for ApikeeError {
    fn from(error: apikee::envelope::SealError) -> Self {
        match error {
            apikee::envelope::SealError::BufferTooSmall { .. } => Self::BufferTooSmall,
            apikee::envelope::SealError::Rng => Self::RandomFailed,
            _ => Self::Other,
        }
    }
}

#[cfg(feature = "envelope")]
impl From<apikee::envelope::OpenError> for ApikeeError {
    fn from(error: apikee::envelope::OpenError) -> Self {
        match error {
            apikee::envelope::OpenError::Malformed => Self::EnvelopeMalformed,
            apikee::envelope::OpenError::Unsealed => Self::EnvelopeUnsealed,
            apikee::envelope::OpenError::Version => Self::EnvelopeVersion,
            apikee::envelope::OpenError::Encoding => Self::EnvelopeEncoding,
            apikee::envelope::OpenError::WrongKey => Self::EnvelopeWrongKey,
            apikee::envelope::OpenError::Reflected => Self::EnvelopeReflected,
            apikee::envelope::OpenError::Forged => Self::EnvelopeForged,
            _ => Self::Other,
        }
    }
}

#[cfg(feature = "envelope")]
impl From<apikee::protocol::AnswerError> for ApikeeError {
    fn from(error: apikee::protocol::AnswerError) -> Self {
        match error {
            apikee::protocol::AnswerError::Malformed => Self::AnswerMalformed,
            apikee::protocol::AnswerError::NoVerdict => Self::AnswerNoVerdict,
            _ => Self::Other,
        }
    }
}
