//! The codes that all functions return.

use core::ffi::{CStr, c_char};

use apikee::{IssueError, KeyError, KeyringError};

/// What a function came to. The numbers stay what they are.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum ApikeeError {
    /// It is done.
    Ok = 0,

    /// The key is refused: there is none.
    MissingKey = 1,
    /// The key is refused: it does not start with `apikee_`.
    InvalidPrefix = 2,
    /// The key is refused: there is no `.` behind the payload.
    InvalidFormat = 3,
    /// The key is refused: it is no key, or its claims are not well-formed.
    Decode = 4,
    /// The key is refused: the buffer is too small to find out whether it is good.
    KeyTooLong = 5,
    /// The key is refused: no secret of the keyring has signed it.
    InvalidSignature = 6,
    /// The key is refused: it was good until a time that is past.
    Expired = 7,
    /// The key is refused: it is good from a time that is yet to come.
    NotYetValid = 8,
    /// The key lacks a scope.
    InsufficientScope = 9,

    /// A pointer is null that must not be.
    NullPointer = 32,
    /// A pointer is not aligned for what it points to.
    Misaligned = 33,
    /// A length is more than memory has.
    InvalidLength = 34,
    /// What is written overlaps something else.
    Overlap = 35,
    /// An object was not initialised, was wiped, or is used up.
    NotInitialised = 36,
    /// A text is not UTF-8.
    InvalidUtf8 = 37,
    /// There are more scopes or headers than `APIKEE_MAX_SCOPES` or `APIKEE_MAX_HEADERS`.
    TooMany = 38,
    /// The buffer is too small. Where there is a length to return, it is one that is enough.
    BufferTooSmall = 39,
    /// There is no such claim, scope or member, or it is of another type.
    Absent = 40,
    /// The generator failed, repeats itself, or gives zeros.
    RandomFailed = 41,

    /// A secret is empty.
    EmptySecret = 64,
    /// The keyring holds `APIKEE_MAX_SECRETS` secrets already.
    KeyringFull = 65,
    /// The claims are too long for a key.
    ClaimsTooLong = 66,
    /// A time is out of range, or an expiry is of no known kind or negative.
    TimeOutOfRange = 67,
    /// A text is no well-formed JSON object.
    InvalidJson = 68,

    /// The server's public key is neither 64 hexadecimal digits nor base64 of 32 bytes.
    ServerKeyMalformed = 96,
    /// The server's public key is of low order, as a placeholder is.
    ServerKeyLowOrder = 97,
    /// The envelope is no well-formed JSON object.
    EnvelopeMalformed = 98,
    /// The body is not sealed.
    EnvelopeUnsealed = 99,
    /// The envelope's version is not known.
    EnvelopeVersion = 100,
    /// A member of the envelope is missing or wrongly encoded.
    EnvelopeEncoding = 101,
    /// The envelope names a key that cannot be trusted.
    EnvelopeWrongKey = 102,
    /// The answer is our own request sent back, with its public key replaced by the server's.
    EnvelopeReflected = 103,
    /// The envelope is not authentic.
    EnvelopeForged = 104,
    /// The answer is no well-formed JSON object.
    AnswerMalformed = 105,
    /// The answer has no boolean `success`.
    AnswerNoVerdict = 106,
    /// The client's id is no UUID of 36 characters.
    InvalidClientId = 108,
    /// The method is no HTTP token.
    InvalidMethod = 109,

    /// An error that this interface has no code for.
    Other = 127,
}

/// What a function returns for its result inside.
pub(crate) fn report(body: impl FnOnce() -> Result<(), ApikeeError>) -> ApikeeError {
    body().err().unwrap_or(ApikeeError::Ok)
}

/// The code of an error as a text that lasts, ended by a NUL.
///
/// A key that is refused has the code that all Apikee SDKs use, to be sent to whoever sent the key:
/// `"EXPIRED"`. Anything else has a name for logs. Never null.
#[unsafe(no_mangle)]
pub extern "C" fn apikee_error_code(error: i32) -> *const c_char {
    text(error).as_ptr()
}

fn text(error: i32) -> &'static CStr {
    use ApikeeError as E;

    // Not the enum itself: a caller in C may pass any number.
    let names = [
        (E::Ok, c"OK"),
        (E::MissingKey, c"MISSING_KEY"),
        (E::InvalidPrefix, c"INVALID_PREFIX"),
        (E::InvalidFormat, c"INVALID_FORMAT"),
        (E::Decode, c"DECODE_ERROR"),
        (E::KeyTooLong, c"DECODE_ERROR"),
        (E::InvalidSignature, c"INVALID_SIGNATURE"),
        (E::Expired, c"EXPIRED"),
        (E::NotYetValid, c"NOT_YET_VALID"),
        (E::InsufficientScope, c"INSUFFICIENT_SCOPE"),
        (E::NullPointer, c"NULL_POINTER"),
        (E::Misaligned, c"MISALIGNED"),
        (E::InvalidLength, c"INVALID_LENGTH"),
        (E::Overlap, c"OVERLAP"),
        (E::NotInitialised, c"NOT_INITIALISED"),
        (E::InvalidUtf8, c"INVALID_UTF8"),
        (E::TooMany, c"TOO_MANY"),
        (E::BufferTooSmall, c"BUFFER_TOO_SMALL"),
        (E::Absent, c"ABSENT"),
        (E::RandomFailed, c"RANDOM_FAILED"),
        (E::EmptySecret, c"EMPTY_SECRET"),
        (E::KeyringFull, c"KEYRING_FULL"),
        (E::ClaimsTooLong, c"CLAIMS_TOO_LONG"),
        (E::TimeOutOfRange, c"TIME_OUT_OF_RANGE"),
        (E::InvalidJson, c"INVALID_JSON"),
        (E::ServerKeyMalformed, c"SERVER_KEY_MALFORMED"),
        (E::ServerKeyLowOrder, c"SERVER_KEY_LOW_ORDER"),
        (E::EnvelopeMalformed, c"ENVELOPE_MALFORMED"),
        (E::EnvelopeUnsealed, c"ENVELOPE_UNSEALED"),
        (E::EnvelopeVersion, c"ENVELOPE_VERSION"),
        (E::EnvelopeEncoding, c"ENVELOPE_ENCODING"),
        (E::EnvelopeWrongKey, c"ENVELOPE_WRONG_KEY"),
        (E::EnvelopeReflected, c"ENVELOPE_REFLECTED"),
        (E::EnvelopeForged, c"ENVELOPE_FORGED"),
        (E::AnswerMalformed, c"ANSWER_MALFORMED"),
        (E::AnswerNoVerdict, c"ANSWER_NO_VERDICT"),
        (E::InvalidClientId, c"INVALID_CLIENT_ID"),
        (E::InvalidMethod, c"INVALID_METHOD"),
    ];
    names.into_iter().find(|(own, _)| number(*own) == error).map_or(c"OTHER", |(_, name)| name)
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
impl From<apikee::ServerKeyError> for ApikeeError {
    fn from(error: apikee::ServerKeyError) -> Self {
        match error {
            apikee::ServerKeyError::Malformed => Self::ServerKeyMalformed,
            apikee::ServerKeyError::LowOrder => Self::ServerKeyLowOrder,
            _ => Self::Other,
        }
    }
}

#[cfg(feature = "envelope")]
impl From<apikee::SealError> for ApikeeError {
    fn from(error: apikee::SealError) -> Self {
        match error {
            apikee::SealError::BufferTooSmall { .. } => Self::BufferTooSmall,
            apikee::SealError::Rng => Self::RandomFailed,
            _ => Self::Other,
        }
    }
}

#[cfg(feature = "envelope")]
impl From<apikee::OpenError> for ApikeeError {
    fn from(error: apikee::OpenError) -> Self {
        match error {
            apikee::OpenError::Malformed => Self::EnvelopeMalformed,
            apikee::OpenError::Unsealed => Self::EnvelopeUnsealed,
            apikee::OpenError::Version => Self::EnvelopeVersion,
            apikee::OpenError::Encoding => Self::EnvelopeEncoding,
            apikee::OpenError::WrongKey => Self::EnvelopeWrongKey,
            apikee::OpenError::Reflected => Self::EnvelopeReflected,
            apikee::OpenError::Forged => Self::EnvelopeForged,
            _ => Self::Other,
        }
    }
}

#[cfg(feature = "envelope")]
impl From<apikee::AnswerError> for ApikeeError {
    fn from(error: apikee::AnswerError) -> Self {
        match error {
            apikee::AnswerError::Malformed => Self::AnswerMalformed,
            apikee::AnswerError::NoVerdict => Self::AnswerNoVerdict,
            _ => Self::Other,
        }
    }
}
