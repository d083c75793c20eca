//! JSON payloads.

use core::ops::Range;

use super::{
    payload::{Found, Read},
    scopes::END,
};
use crate::{
    buf::move_within,
    json::scan::{self, Cursor},
    names::Malformed,
    text::{undo_escapes_in_place, unquote_in_place},
};

pub(crate) enum Json {}

impl Read for Json {
    fn scan(payload: &[u8]) -> Result<Found, Malformed> {
        let mut found = Found::default();
        scan::object(payload, 0, &mut |name, value| found.note(name, value))?;
        Ok(found)
    }

    fn is_null(value: &[u8]) -> bool {
        value.first() == Some(&b'n')
    }

    fn string(value: &mut [u8]) -> Result<Range<usize>, Malformed> {
        unquote_in_place(value).ok_or(Malformed)
    }

    /// A string is packed at or before the place of its opening quote, and its end takes no more
    /// than the place of its closing quote: what is still to be read is never overwritten.
    fn pack_strings(value: &mut [u8]) -> Result<usize, Malformed> {
        let (mut read, mut packed) = (1_usize, 0_usize);
        if value.first() != Some(&b'[') {
            return Err(Malformed);
        }
        while let Some((start, end, escaped)) = next_string(value, read)? {
            read = end.saturating_add(1);
            let mut len = end.saturating_sub(start);
            move_within(value, start..end, packed).ok_or(Malformed)?;
            if escaped {
                let place = value.get_mut(packed..packed.saturating_add(len)).ok_or(Malformed)?;
                len = undo_escapes_in_place(place);
            }
            packed = packed.saturating_add(len);
            *value.get_mut(packed).ok_or(Malformed)? = END;
            packed = packed.saturating_add(1);
        }
        Ok(packed)
    }

    fn integer(value: &[u8]) -> Result<i64, Malformed> {
        scan::integer(value).ok_or(Malformed)
    }

    fn is_object(value: &[u8]) -> bool {
        value.first() == Some(&b'{')
    }
}

/// Where the next string of an array starts and ends, without its quotes, and whether it has
/// escapes; `None` at the end of the array. `at` is behind the bracket, or behind an element.
fn next_string(array: &[u8], at: usize) -> Result<Option<(usize, usize, bool)>, Malformed> {
    let mut cursor = Cursor { text: array, at };
    cursor.skip_space();
    if cursor.peek() == Some(b',') {
        cursor.advance();
        cursor.skip_space();
    }
    if cursor.peek() == Some(b']') {
        return Ok(None);
    }
    let start = cursor.at.saturating_add(1);
    let text = cursor.string()?;
    Ok(Some((start, cursor.at.saturating_sub(1), text.as_bytes().is_none())))
}
