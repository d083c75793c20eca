//! The response to a refused request.

use core::{error::Error, fmt};
use std::{
    borrow::Cow,
    boxed::Box,
    format,
    string::{String, ToString as _},
    sync::Arc,
    vec,
};

use crate::{
    buf::{BufferTooSmall, Writer},
    client::{Audit, OwnedAudit},
    json::write,
    key::KeyError,
    policy::Denial,
};

/// Why a request is refused, and the response to it. The body has the form of the SDKs' middlewares (docs/WIRE.md,
/// "Claims").
///
/// | code | status | header fields |
/// |---|---|---|
/// | `MISSING_KEY`, `MULTIPLE_KEYS`, `INVALID_PREFIX`, `INVALID_FORMAT`, `DECODE_ERROR`, `INVALID_SIGNATURE`, `EXPIRED`, `NOT_YET_VALID`, `REVOKED` | 401 | `WWW-Authenticate` |
/// | `INSUFFICIENT_SCOPE` | 403 | `WWW-Authenticate` if `Bearer` is accepted |
/// | `SERVER_REJECTED` ([`Rejected`](Denial::Rejected), [`Remembered`](Denial::Remembered)) | 401 | `WWW-Authenticate`, and `Retry-After` if the rate limit is exceeded and the time is known |
/// | `SERVER_UNAVAILABLE` ([`Outage`](Denial::Outage)) | 503 | `Retry-After` while the circuit breaker is open |
/// | `SERVER_UNAVAILABLE` ([`Overload`](Denial::Overload)) | 503 | `Retry-After: 1` |
/// | `SERVER_FAULT` ([`Fault`](Denial::Fault)) | 502 | |
/// | `BUFFER_TOO_SMALL`: the service's buffer for [`check_in`](super::Guard::check_in) is too small for the key | 500 | |
///
/// The body is `{"error":CODE,"message":..}`. The message contains no more than the code, except for the missing scopes
/// and the name of the header for the key.
///
/// A refusal borrows the route's list of scopes, and nothing of the request. [`audit`](Self::audit) returns who asked
/// for what:
///
/// ```
/// # use apikee::web::{Guard, RequestView};
/// fn serve(guard: &Guard, request: RequestView<'_>) -> u16 {
///     match guard.require(&["admin"]).check(request) {
///         Ok(_) => 200,
///         Err(refusal) => {
///             let audit = refusal.audit();
///             eprintln!("{:?} {:?} {:?}: {refusal}", audit.tenant(), audit.method(), audit.path());
///             refusal.status()
///         }
///     }
/// }
/// ```
#[derive(Clone)]
pub struct Refusal<'a>(Box<Refused<'a>>);

/// On the heap. Otherwise each result that may contain a refusal would be as large as this.
#[derive(Clone)]
struct Refused<'a> {
    denial: Denial<'a>,
    challenge: Arc<Challenge>,
    audit: OwnedAudit,
}

/// Where the guard expects the key. The response names the place to the client.
#[derive(Debug)]
pub(super) struct Challenge {
    /// The name of the header field, in lower case.
    pub(super) header: Box<str>,
    /// Whether the key may also be a bearer token.
    pub(super) bearer: bool,
    /// The value of `WWW-Authenticate` if bearer tokens are not accepted. The scheme is not registered: it names the
    /// header to use.
    api_key: Box<str>,
}

impl Challenge {
    /// The header's name is a token, so nothing must be escaped.
    pub(super) fn new(header: &str, bearer: bool) -> Self {
        Self { header: header.into(), bearer, api_key: format!(r#"ApiKey realm="apikee", header="{header}""#).into() }
    }
}

impl<'a> Refusal<'a> {
    pub(super) fn new(denial: Denial<'a>, challenge: &Arc<Challenge>, audit: &Audit<'_>) -> Self {
        Self(Box::new(Refused { denial, challenge: Arc::clone(challenge), audit: OwnedAudit::of(audit) }))
    }

    /// The reason, for the service itself. Do not send it to the client.
    #[must_use]
    pub fn denial(&self) -> &Denial<'a> {
        &self.0.denial
    }

    /// Who asked for what, for the service itself. The tenant is known if the key's signature is good.
    #[must_use]
    pub fn audit(&self) -> Audit<'_> {
        self.0.audit.as_audit()
    }

    /// The HTTP status; see [`Denial::http_status`].
    #[must_use]
    pub fn status(&self) -> u16 {
        self.0.denial.http_status()
    }

    /// The code for the response body; see [`Denial::code`].
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.0.denial.code()
    }

    /// The value of `Retry-After` in seconds, if the response needs one.
    #[must_use]
    pub fn retry_after(&self) -> Option<u32> {
        self.0.denial.retry_after()
    }

    /// The value of `WWW-Authenticate`, if the response needs one. A 401 must have it (RFC 9110, section 11.6.1). If
    /// `Bearer` is accepted, a 403 has it, too (RFC 6750, section 3).
    ///
    /// If `Bearer` is not accepted, the scheme is `ApiKey`. It is not registered: it names the header to use.
    #[must_use]
    pub fn www_authenticate(&self) -> Option<&str> {
        Some(match (self.status(), self.0.challenge.bearer) {
            // The client must not throw away a token that was not checked, or that may be good later.
            (401, true) if self.spares_token() => r#"Bearer realm="apikee""#,
            (401, true) => r#"Bearer realm="apikee", error="invalid_token""#,
            (403, true) => r#"Bearer realm="apikee", error="insufficient_scope""#,
            (401, false) => &self.0.challenge.api_key,
            _ => return None,
        })
    }

    /// All header fields of the response, including `Content-Type`. The server adds `Content-Length`.
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, Cow<'_, str>)> {
        [
            ("Content-Type", Some(Cow::Borrowed("application/json"))),
            ("WWW-Authenticate", self.www_authenticate().map(Cow::Borrowed)),
            ("Retry-After", self.retry_after().map(|seconds| Cow::Owned(seconds.to_string()))),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
    }

    /// Writes the response's body into `buf`: JSON of about 80 bytes, more with many missing scopes.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] contains the needed length. Then `buf` holds the beginning of the text.
    pub fn write_body<'b>(&self, buf: &'b mut [u8]) -> Result<&'b str, BufferTooSmall> {
        let mut out = Writer::new(buf);
        out.bytes(br#"{"error":""#);
        out.bytes(self.code().as_bytes());
        out.bytes(br#"","message":""#);
        self.write_message(&mut out);
        out.bytes(br#""}"#);
        let needed = out.len();
        buf.get(..needed).and_then(|text| core::str::from_utf8(text).ok()).ok_or(BufferTooSmall { needed })
    }

    /// The response's body; see [`write_body`](Self::write_body).
    #[must_use]
    pub fn body(&self) -> String {
        let mut buf = vec![0; 256];
        if let Err(BufferTooSmall { needed }) = self.write_body(&mut buf) {
            buf = vec![0; needed];
        }
        let body = self.write_body(&mut buf);
        debug_assert!(body.is_ok(), "there is as much room as it asked for");
        body.unwrap_or_default().into()
    }

    /// Writes the SDKs' sentence, as the inside of a JSON string.
    fn write_message(&self, out: &mut Writer<'_>) {
        match self.0.denial {
            // With the name of this guard's header.
            Denial::Key(KeyError::Missing) => {
                out.byte(b'\'');
                out.bytes(self.0.challenge.header.as_bytes());
                out.bytes(b"' header is required");
            }
            Denial::MissingScopes(missing) => {
                out.bytes(self.0.denial.sentence().as_bytes());
                for (at, scope) in missing.iter().enumerate() {
                    out.bytes(if at == 0 { b"" } else { b", " });
                    write::escaped(out, scope);
                }
            }
            denial => out.bytes(denial.sentence().as_bytes()),
        }
    }

    fn spares_token(&self) -> bool {
        matches!(
            self.0.denial,
            Denial::Key(KeyError::Missing | KeyError::Multiple | KeyError::NotYetValid)
                | Denial::Rejected(_)
                | Denial::Remembered(_)
        )
    }
}

impl fmt::Debug for Refusal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refusal").field("denial", &self.0.denial).field("audit", &self.audit()).finish()
    }
}

/// The text of the [`Denial`].
impl fmt::Display for Refusal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.denial.fmt(f)
    }
}

impl Error for Refusal<'_> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.denial.source()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Overload, Reason, Rejection};

    fn refusal(denial: Denial<'static>, bearer: bool) -> Refusal<'static> {
        Refusal::new(denial, &Arc::new(Challenge::new("x-api-key", bearer)), &Audit::default())
    }

    #[test]
    fn a_remembered_refusal_gets_the_same_response_as_the_refusal() {
        for bearer in [false, true] {
            for (rejection, retry_after) in [
                (Rejection::UNSUCCESSFUL, None),
                (Rejection::Unsuccessful(Reason::new(Some("IP_NOT_ALLOWED"), None)), None),
                (Rejection::Forbidden, None),
                (Rejection::RateLimited { retry_after: None }, None),
                (Rejection::RateLimited { retry_after: Some(42) }, Some("42")),
            ] {
                let responses = [Denial::Rejected(rejection), Denial::Remembered(rejection)].map(|denial| {
                    let refusal = refusal(denial, bearer);
                    let headers = refusal.headers().map(|(name, value)| (name, value.into_owned()));
                    (refusal.status(), refusal.body(), headers.collect::<vec::Vec<_>>())
                });
                assert_eq!(responses[0], responses[1], "{rejection:?}");
                let (status, body, headers) = &responses[1];
                assert_eq!(*status, 401);
                assert_eq!(body, r#"{"error":"SERVER_REJECTED","message":"Server validation failed"}"#);
                let field = |name: &str| headers.iter().find(|field| field.0 == name).map(|field| &*field.1);
                assert_eq!(field("Retry-After"), retry_after, "{rejection:?}");
                assert!(!field("WWW-Authenticate").unwrap().contains("error="), "the key may be good again");
            }
        }
    }

    #[test]
    fn an_overload_asks_the_client_to_retry_and_does_not_blame_the_key() {
        for overload in [Overload::TooManyInFlight, Overload::OutOfResources, Overload::NoRandomness] {
            let refusal = refusal(Denial::Overload(overload), false);
            assert_eq!((refusal.status(), refusal.code()), (503, "SERVER_UNAVAILABLE"));
            assert_eq!((refusal.retry_after(), refusal.www_authenticate()), (Some(1), None));
            assert_eq!(
                refusal.body(),
                r#"{"error":"SERVER_UNAVAILABLE","message":"Server validation is unavailable"}"#
            );
        }
    }
}
