//! Finding known members in the body of an answer.

use core::ops::Range;

use crate::{
    json::{cursor::Cursor, scan::Reader},
    names::Malformed,
    text::unquote_in_place,
};

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

/// Whether the member at `at` is there, and not null.
pub(crate) fn is_present(body: &[u8], at: &Range<usize>) -> bool {
    body.get(at.clone()).is_some_and(|value| !value.is_empty() && value != b"null")
}

/// Undoes the escapes of the string at `at` where it stands, and returns where it then is: `None` if
/// it is absent or null.
pub(crate) fn string(body: &mut [u8], at: Range<usize>) -> Result<Option<Range<usize>>, Malformed> {
    if !is_present(body, &at) {
        return Ok(None);
    }
    let inner = body.get_mut(at.clone()).and_then(unquote_in_place).ok_or(Malformed)?;
    Ok(Some(at.start.saturating_add(inner.start)..at.start.saturating_add(inner.end)))
}

/// The string that stands at `at`, which was checked to be UTF-8.
pub(crate) fn text(body: &[u8], at: Option<Range<usize>>) -> Option<&str> {
    core::str::from_utf8(body.get(at?)?).ok()
}
