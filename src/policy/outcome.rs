//! The result of a call to the platform.

use core::{fmt, time::Duration};

use crate::{buf::Writer, error::sentences};

/// The result of a call to the platform, from the transport, the status and the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Outcome {
    /// An accepted answer says `"success":true`.
    Confirmed,
    /// The platform refused the request.
    Rejected(Rejection),
    /// There was no usable answer, and the platform refused this client a short time ago.
    Remembered(Rejection),
    /// The platform could not be asked.
    Outage(Outage),
    /// This process lacked the resources to ask the platform.
    Overload(Overload),
    /// No trustworthy answer was received, and it was not an outage.
    Fault(Fault),
}

impl Outcome {
    /// The outcome for an HTTP status; `None` if the body of the answer decides.
    ///
    /// `retry_after` is the answer's header `Retry-After` in seconds; `None` if the header is missing or is a date.
    ///
    /// | status | outcome |
    /// |---|---|
    /// | 200 to 299 | `None`; without a readable answer, [`Fault::Unreadable`] |
    /// | 300 to 399 | [`Fault::Redirect`] |
    /// | 401 | [`Fault::ProjectKeyRefused`] |
    /// | 403 | [`Rejection::Forbidden`] |
    /// | 429 | [`Rejection::RateLimited`] |
    /// | 500 to 599 | [`Outage::Status`] |
    /// | any other | [`Fault::Status`] |
    ///
    /// 408 is a fault, like the other statuses from 400 to 499: it says that our request is wrong. The documentation
    /// only lets network errors, our own timeouts and 5xx fail open (docs/WIRE.md, "The platform's API").
    #[must_use]
    pub const fn from_status(status: u16, retry_after: Option<u32>) -> Option<Self> {
        Some(match status {
            200..=299 => return None,
            300..=399 => Self::Fault(Fault::Redirect),
            401 => Self::Fault(Fault::ProjectKeyRefused),
            403 => Self::Rejected(Rejection::Forbidden),
            429 => Self::Rejected(Rejection::RateLimited { retry_after }),
            500..=599 => Self::Outage(Outage::Status(status)),
            _ => Self::Fault(Fault::Status(status)),
        })
    }

    /// The outcome for the member `success` of an authentic answer.
    #[must_use]
    pub const fn from_success(success: bool) -> Self {
        if success { Self::Confirmed } else { Self::Rejected(Rejection::UNSUCCESSFUL) }
    }
}

/// Why the platform could not be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Outage {
    /// The platform's host name cannot be resolved.
    Dns,
    /// No connection could be made.
    Connect,
    /// The connection broke before the answer was complete.
    Reset,
    /// The time limit of the call was exceeded.
    Timeout,
    /// The platform answered with a status from 500 to 599.
    Status(u16),
    /// The platform failed too often, and is not asked for a while.
    BreakerOpen {
        /// The minimum time until it is asked again.
        retry_after: Duration,
    },
}

impl fmt::Display for Outage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dns => "the platform's name cannot be resolved",
            Self::Connect => "could not connect to the platform",
            Self::Reset => "the connection to the platform broke",
            Self::Timeout => "the platform did not answer in time",
            Self::Status(status) => return write!(f, "the platform answered with status {status}"),
            Self::BreakerOpen { .. } => "the circuit breaker is open",
        })
    }
}

impl core::error::Error for Outage {}

/// Why this process could not ask the platform. Load causes this, so it does not fail open by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Overload {
    /// Too many calls were in flight. The request got no slot before its time limit, or too little time was left for its
    /// own calls.
    TooManyInFlight,
    /// This process or machine is out of file descriptors, memory, threads, local ports or processor time.
    OutOfResources,
    /// The operating system does not provide random bytes.
    NoRandomness,
}

sentences!(
    Overload,
    TooManyInFlight: "too many calls to the platform are in flight",
    OutOfResources: "this process or machine is out of file descriptors, memory, threads, local ports or processor time",
    NoRandomness: "the operating system gives no randomness",
);

/// How the platform refused the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Rejection {
    /// An accepted answer says `"success":false`, perhaps with a reason.
    Unsuccessful(Reason),
    /// Status 403, for example for an address outside the client's list, or a refusal to create or look up a client.
    Forbidden,
    /// Status 429: the client's rate limit is exceeded.
    RateLimited {
        /// Seconds to wait, if the platform gave a time.
        retry_after: Option<u32>,
    },
}

impl Rejection {
    /// An answer of `"success":false` without a reason.
    pub const UNSUCCESSFUL: Self = Self::Unsuccessful(Reason::NONE);
}

/// Prints the platform's own reason, escaped, if it gave one.
impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unsuccessful(reason) if !reason.is_none() => {
                return write!(f, "the platform refuses the key: {reason}");
            }
            Self::Unsuccessful(_) => "the platform refuses the key",
            Self::Forbidden => "the platform forbids the request",
            Self::RateLimited { .. } => "rate limit exceeded",
        })
    }
}

impl core::error::Error for Rejection {}

/// The platform's own reason for a refusal, for the operators of the service. It consists of the members `error` (or
/// else `code`) and `message` of the answer, with a colon between them.
///
/// It is escaped as `Debug` escapes a string, so that it is safe on one line of a log. It has at most
/// [`MAX_LEN`](Self::MAX_LEN) bytes: a longer reason is cut between two characters. It is never sent to a client.
///
/// A platform may repeat a key in its texts. `Apikee` cuts API keys in them to 12 characters, and leaves out a text with
/// a part of the project key or of the raw key.
///
/// ```
/// use apikee::policy::Reason;
///
/// let reason = Reason::new(Some("IP_NOT_ALLOWED"), Some("203.0.113.9 is not\non the list"));
/// assert_eq!(reason.as_str(), r"IP_NOT_ALLOWED: 203.0.113.9 is not\non the list");
/// assert!(Reason::new(None, None).is_none());
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Reason {
    /// The text, followed by zeros. An escaped text does not contain zeros.
    text: [u8; Self::MAX_LEN],
}

impl Reason {
    /// The maximum length of a reason in bytes. A [`Denial`](super::Denial) contains one, and is passed through every
    /// function that can deny. With 128 bytes or more, the error would be too large for that.
    pub const MAX_LEN: usize = 100;

    /// No reason was given.
    pub const NONE: Self = Self { text: [0; Self::MAX_LEN] };

    /// The reason in an answer: `Answer::reason` and `Answer::message`.
    #[must_use]
    pub fn new(code: Option<&str>, message: Option<&str>) -> Self {
        let [code, message] = [code, message].map(|text| text.filter(|text| !text.is_empty()));
        let separator = if code.is_some() && message.is_some() { ": " } else { "" };
        let mut text = [0; Self::MAX_LEN];
        let mut out = Writer::new(&mut text);
        let parts = [code.unwrap_or_default(), separator, message.unwrap_or_default()];
        // Each character takes at least one byte, so this ends after at most `MAX_LEN` of them.
        parts.into_iter().flat_map(str::chars).all(|c| push(&mut out, c));
        Self { text }
    }

    /// The text, escaped; empty if no reason was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let text = core::str::from_utf8(&self.text);
        debug_assert!(text.is_ok(), "only whole characters are written");
        text.unwrap_or_default().trim_end_matches('\0')
    }

    /// Whether no reason was given.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        matches!(self.text, [0, ..])
    }
}

/// Writes a character, escaped. Returns `false` if it does not fit.
fn push(out: &mut Writer<'_>, c: char) -> bool {
    // `Debug` does not escape a single quote in a string, so its backslash is left out.
    let spelt = c.escape_debug().skip(usize::from(c == '\''));
    let len = spelt.clone().map(char::len_utf8).fold(out.len(), usize::saturating_add);
    let fits = len <= Reason::MAX_LEN;
    if fits {
        spelt.for_each(|c| out.bytes(c.encode_utf8(&mut [0; 4]).as_bytes()));
    }
    fits
}

impl Default for Reason {
    fn default() -> Self {
        Self::NONE
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Prints the text in quotes.
impl fmt::Debug for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reason(\"{self}\")")
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Reason {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "{=str}", self.as_str());
    }
}

/// No trustworthy answer was received, and it was not an outage. Either the answer cannot be trusted, or the request
/// could not be sent, or its client is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Fault {
    /// An unexpected status.
    Status(u16),
    /// A redirect. It is never followed: it would send the project key to another host.
    Redirect,
    /// Status 401: the platform does not know the project key.
    ProjectKeyRefused,
    /// The answer is not well-formed, or it is missing.
    Unreadable,
    /// The answer is not sealed.
    Unsealed,
    /// The answer is longer than the limit.
    Oversized,
    /// The answer is not authentic, or it is not an answer to this request.
    Forged,
    /// The server's certificate is not trusted.
    UntrustedCertificate,
    /// The key's client is not known: the platform has no such client or lists several, the resolver took too long, or
    /// the key has no tenant.
    UnknownClient,
    /// Nothing was asked: the request is too long to send, HTTP cannot express it, the client's address does not fit or
    /// contains the key, or this machine's clock is out of range.
    NotSent,
    /// Nothing was asked: the process has forked after the client was built.
    Forked,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Status(status) => return write!(f, "the platform answered with the unexpected status {status}"),
            Self::Redirect => "the platform answered with a redirect",
            Self::ProjectKeyRefused => "the platform refused the project key",
            Self::Unreadable => "the platform's answer is not well-formed",
            Self::Unsealed => {
                "the platform's answer is not sealed (APIKEE_SEALING=requests accepts plain answers, which can be forged)"
            }
            Self::Oversized => "the platform's answer is too long",
            Self::Forged => "the platform's answer is not authentic",
            Self::UntrustedCertificate => "the platform's certificate is not trusted",
            Self::UnknownClient => {
                "the key's client on the platform is not known: the platform must have exactly one client with the \
                 tenant's name; or put its id into the key's meta as clientId, set client_resolver, or set \
                 create_unknown_clients"
            }
            Self::NotSent => "the request cannot be sent to the platform",
            Self::Forked => "the process has forked since the client was built: build the client after the fork",
        })
    }
}

impl core::error::Error for Fault {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Denial;

    #[test]
    fn a_reason_is_escaped_as_debug_escapes() {
        for text in ["it's", "a\r\n\"b\"\\", "\u{1b}[31m\u{202e}\u{7f}\u{9b}", "caf\u{e9} \u{1F600}", "\0"] {
            let quoted = format!("{text:?}");
            assert_eq!(Reason::new(Some(text), None).as_str(), &quoted[1..quoted.len() - 1]);
            assert_eq!(Reason::new(None, Some(text)), Reason::new(Some(text), None));
        }
        assert_eq!(Reason::new(Some("A"), Some("b")).as_str(), "A: b");
        assert_eq!(Reason::new(None, None), Reason::NONE);
        assert_eq!(Reason::new(Some(""), Some("")), Reason::NONE);
        assert_eq!(Reason::new(Some(""), Some("b")).as_str(), "b");
        assert_eq!(Reason::new(Some("A"), Some("")).as_str(), "A");
    }

    #[test]
    fn a_long_reason_is_cut_between_characters_and_never_within_an_escape() {
        for (c, spelt) in
            [('a', "a"), ('\u{e9}', "\u{e9}"), ('\u{1F600}', "\u{1F600}"), ('\n', r"\n"), ('\u{7f}', r"\u{7f}")]
        {
            for before in 0..8 {
                let text: String = "x".repeat(before) + &c.to_string().repeat(10_000);
                let reason = Reason::new(Some(&text), Some("never seen"));
                let fitting = (Reason::MAX_LEN - before) / spelt.len();
                assert_eq!(reason.as_str(), "x".repeat(before) + &spelt.repeat(fitting));
            }
        }
    }

    #[test]
    fn a_denial_with_a_reason_is_small_enough_to_be_an_error() {
        assert!(size_of::<Denial<'_>>() + size_of::<&()>() < 128, "{}", size_of::<Denial<'_>>());
    }
}
