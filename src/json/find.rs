//! Finding known members in the body of a request or of an answer.

use core::ops::Range;

use super::{cursor::Cursor, scan::Reader};
use crate::{names::Malformed, text::unquote_in_place};

/// Where the values of the members of those names stand in `body`, which is checked to be one JSON
/// object: an empty range for one that is absent. Other members are ignored.
pub(crate) fn find<const N: usize>(body: &[u8], names: [&str; N]) -> Result<[Range<usize>; N], Malformed> {
    let mut found = [const { 0..0 }; N];
    let mut reader = Reader::new(Cursor::new(body));
    reader.outermost()?;
    while reader.next()? {
        let (name, value) = (reader.name(), reader.value()?);
        // No object names a member twice.
        if let Some((place, _)) = found.iter_mut().zip(names).find(|(_, known)| name == *known) {
            *place = value;
        }
    }
    reader.end()?;
    Ok(found)
}

/// Undoes the escapes of the string at `at` where it stands, and returns where it then is: `None` for
/// what is absent or not a string.
pub(crate) fn string(body: &mut [u8], at: Range<usize>) -> Option<Range<usize>> {
    let inner = body.get_mut(at.clone()).and_then(unquote_in_place)?;
    Some(at.start.saturating_add(inner.start)..at.start.saturating_add(inner.end))
}

/// The string that stands at `at`.
pub(crate) fn text(body: &[u8], at: Option<Range<usize>>) -> Option<&str> {
    let text = core::str::from_utf8(body.get(at?)?);
    debug_assert!(text.is_ok(), "strings are checked to be UTF-8");
    text.ok()
}
