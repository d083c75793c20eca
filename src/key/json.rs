//! JSON payloads.

use core::ops::Range;

use super::{payload::Found, scopes::END};
use crate::{
    json::scan::{self, Cursor},
    names::Malformed,
    text::pull,
};

/// Checks that `payload` is one object and finds the claims in it.
pub(super) fn scan(payload: &[u8]) -> Result<Found, Malformed> {
    let mut found = Found::default();
    let escaped = scan::object(payload, 0, &mut |name, value| {
        // No other value starts like null.
        if payload.get(value.start) != Some(&b'n') {
            found.note(name, value);
        }
    })?;
    found.escaped = escaped;
    Ok(found)
}

/// Checks that the array at `array` holds strings alone. If there are escapes, the strings are packed where the
/// array starts, each with an [`END`] after it. Returns where the array ends, or what is packed.
///
/// A string is packed at or before the place of its opening quote, and its end takes no more
/// than the place of its closing quote: what is still to be read is never overwritten.
pub(super) fn strings(payload: &mut [u8], array: Range<usize>, escaped: bool) -> Result<usize, Malformed> {
    if payload.get(array.start) != Some(&b'[') {
        return Err(Malformed);
    }
    let (mut at, mut packed) = (array.start, array.start);
    loop {
        let mut cursor = Cursor { text: payload, at };
        // Passes the bracket that opens, or the comma.
        cursor.advance();
        if cursor.token() == b']' {
            break;
        }
        let start = cursor.at.wrapping_add(1);
        let has_escapes = cursor.pass_string()?;
        let end = cursor.at.wrapping_sub(1);
        let last = cursor.token() == b']';
        at = cursor.at;
        if escaped {
            packed = pull(payload, start..end, packed, has_escapes);
            *payload.get_mut(packed).ok_or(Malformed)? = END;
            packed = packed.wrapping_add(1);
        }
        if last {
            break;
        }
    }
    Ok(if escaped { packed } else { array.end })
}
