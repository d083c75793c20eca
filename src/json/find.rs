//! Finds known members in the body of a request or an answer.

use core::ops::Range;

use super::{cursor::Cursor, scan::Reader};
use crate::{names::Malformed, text::unquote_in_place};

/// The places in `body` of the values of the members with these names. An absent member has an empty range, and other
/// members are ignored. The function also checks that `body` is one JSON object.
pub(crate) fn find<const N: usize>(body: &[u8], names: [&str; N]) -> Result<[Range<usize>; N], Malformed> {
    let mut found = [const { 0..0 }; N];
    let mut reader = Reader::new(Cursor::new(body));
    reader.outermost()?;
    while reader.next()? {
        let (name, value) = (reader.name(), reader.value()?);
        // The reader refuses an object that names a member twice.
        if let Some((place, _)) = found.iter_mut().zip(names).find(|(_, known)| name == *known) {
            *place = value;
        }
    }
    reader.end()?;
    Ok(found)
}

/// Replaces the escapes of the string at `at` by the characters, in the same place. Returns the new range; `None` if
/// the value is absent or not a string.
pub(crate) fn string(body: &mut [u8], at: Range<usize>) -> Option<Range<usize>> {
    let inner = body.get_mut(at.clone()).and_then(unquote_in_place)?;
    Some(at.start.saturating_add(inner.start)..at.start.saturating_add(inner.end))
}

/// The string at `at`.
pub(crate) fn text(body: &[u8], at: Option<Range<usize>>) -> Option<&str> {
    let text = core::str::from_utf8(body.get(at?)?);
    debug_assert!(text.is_ok(), "strings are checked to be UTF-8");
    text.ok()
}
