//! Where the key is.

use super::view::HeaderLookup;
use crate::key::{KeyError, PREFIX};

/// The key of a request, `None` if there is none.
///
/// # Errors
///
/// [`KeyError::Multiple`] if there are two. The SDKs, to whom their frameworks give both values as one, answer
/// with `DECODE_ERROR`.
pub(super) fn find<'r>(
    headers: &'r dyn HeaderLookup<'r>,
    header: &str,
    bearer: bool,
) -> Result<Option<&'r [u8]>, KeyError> {
    let key = only(headers, header)?;
    if !bearer {
        return Ok(key);
    }
    let credentials = only(headers, "authorization")?.unwrap_or_default();
    match key {
        None => Ok(token(credentials)),
        // However it is spelt: who joins two fields to one, or allows for more than we do, may have read a key there.
        Some(_) if credentials.windows(PREFIX.len()).any(|part| part == PREFIX.as_bytes()) => Err(KeyError::Multiple),
        // Somebody else's token, beside a key in its own header.
        Some(key) => Ok(Some(key)),
    }
}

/// The one value of a header field, `None` if it is missing or empty.
fn only<'r>(headers: &'r dyn HeaderLookup<'r>, name: &str) -> Result<Option<&'r [u8]>, KeyError> {
    let Some(value) = headers.get(name, 0).map(trim) else {
        return Ok(None);
    };
    if headers.get(name, 1).is_some() || is_joined(value) {
        return Err(KeyError::Multiple);
    }
    Ok(Some(value).filter(|value| !value.is_empty()))
}

/// Whether the value may be that of two fields: a proxy or a CGI gateway joins them with a comma (RFC 9110, section
/// 5.3), and some with a blank. Neither is in a key.
fn is_joined(value: &[u8]) -> bool {
    // All bytes of a key come behind comma and blank. This is done for each request: several bytes at a time.
    if value.iter().fold(u8::MAX, |lowest, byte| lowest.min(*byte)) > b',' {
        return false;
    }
    let has_comma = value.contains(&b',');
    let parts = value.split(|byte| matches!(byte, b',' | b' ' | b'\t'));
    let keys = parts.filter(|part| part.starts_with(PREFIX.as_bytes())).count();
    keys > 1 || keys == 1 && has_comma
}

/// The token of credentials for the scheme `Bearer` (RFC 6750, section 2.1), in whatever case (RFC 9110, section
/// 11.1). `None` for another scheme, and for no token.
fn token(credentials: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = credentials.split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| trim(token)).filter(|token| !token.is_empty())
}

/// Without the white space that may stand around a value (RFC 9110, section 5.5).
fn trim(value: &[u8]) -> &[u8] {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = value.iter().take_while(|byte| blank(byte)).count();
    let value = value.get(start..).unwrap_or_default();
    let blanks = value.iter().rev().take_while(|byte| blank(byte)).count();
    value.get(..value.len().saturating_sub(blanks)).unwrap_or_default()
}
