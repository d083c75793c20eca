//! JSON (RFC 8259) on borrowed bytes: a reader with limits, and as much of a writer as is needed.
//!
//! A [`Reader`] goes through a text once, without recursion. It stops at each member of the outermost object, and
//! checks everything that it passes. Beyond the grammar, it refuses duplicate names, unpaired surrogates, more than
//! [`MAX_DEPTH`](crate::names::MAX_DEPTH) levels, and bytes after the end. [`scan::Members`] walks over text that has
//! been checked. [`JsonObject`] is a caller's object that has been checked once.

pub(crate) mod cursor;
#[cfg(feature = "envelope")]
pub(crate) mod find;
pub(crate) mod scan;
pub(crate) mod write;

use core::fmt;

use self::{cursor::Cursor, scan::Reader};
use crate::{buf::Writer, error::sentences, names::Malformed};

/// The checked text of a JSON object. It can be inserted into claims or into a body, and cannot break out of its place.
///
/// Beyond the grammar of JSON, it must not name a member of one object twice, have unpaired surrogates, or nest deeper
/// than 31 levels. An object of up to 32,768 members is never refused for its size. A larger one may be refused: the
/// check for duplicate names has a fixed memory and a limit to its time. On 32-bit processors and in WebAssembly the
/// limit is 2,048.
///
/// When it is written, white space is left out, and strings are escaped as `JSON.stringify` does. Numbers stay as they
/// are.
///
/// ```
/// # use apikee::meta::{InvalidJsonObject, JsonObject};
/// assert!(JsonObject::new(r#"{"plan": "pro"}"#).is_ok());
/// assert_eq!(JsonObject::new(r#"{"plan": pro}"#).unwrap_err(), InvalidJsonObject);
/// ```
#[derive(Clone, Copy)]
pub struct JsonObject<'a> {
    text: &'a str,
    empty: bool,
    /// The text has neither white space to leave out nor escapes to change.
    compact: bool,
}

impl<'a> JsonObject<'a> {
    /// `{}`.
    pub const EMPTY: Self = Self { text: "{}", empty: true, compact: true };

    /// Checks the text.
    ///
    /// # Errors
    ///
    /// [`InvalidJsonObject`] if the text is not such an object.
    pub fn new(text: &'a str) -> Result<Self, InvalidJsonObject> {
        let empty = check(text.as_bytes()).map_err(|_| InvalidJsonObject)?;
        // A space within a string also counts, although it could stay. This only costs time.
        let compact = text.bytes().all(|byte| byte > b' ' && byte != b'\\');
        Ok(Self { text, empty, compact })
    }

    /// The text as it was given.
    #[must_use]
    pub const fn as_str(&self) -> &'a str {
        self.text
    }

    /// Whether the object has no members.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.empty
    }

    pub(crate) fn write(&self, out: &mut Writer<'_>) {
        if self.compact {
            out.bytes(self.text.as_bytes());
        } else {
            write::compact(out, self.text.as_bytes());
        }
    }
}

/// Checks a whole object. Returns whether it is empty.
fn check(text: &[u8]) -> Result<bool, Malformed> {
    let mut reader = Reader::within(Cursor::new(text));
    reader.outermost()?;
    let mut empty = true;
    while reader.next()? {
        reader.skip()?;
        empty = false;
    }
    reader.end()?;
    Ok(empty)
}

/// Prints only the length: the text may hold data that must not be logged.
impl fmt::Debug for JsonObject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonObject").field("len", &self.text.len()).finish_non_exhaustive()
    }
}

/// Not a well-formed JSON object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct InvalidJsonObject;

sentences!(InvalidJsonObject, "not a well-formed JSON object");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_could_break_out_of_a_body_is_not_an_object() {
        for text in ["", "[]", "1", "{", "{}}", "{},", r#"{"a":1}{"#, r#"{"a":1,"a":2}"#, "{\"a\":\"\n\"}", "{} x"] {
            assert_eq!(JsonObject::new(text).unwrap_err(), InvalidJsonObject, "{text}");
        }
    }

    #[test]
    fn an_object_of_31_levels_is_the_deepest() {
        let nested = |levels: usize| format!("{}{{}}{}", "{\"a\":".repeat(levels - 1), "}".repeat(levels - 1));
        assert!(JsonObject::new(&nested(31)).is_ok());
        assert!(JsonObject::new(&nested(32)).is_err());
    }

    #[test]
    fn objects_are_written_in_compact_form() {
        for (text, written) in [
            ("{}", "{}"),
            (" { } ", "{}"),
            (r#"{"a":[1.50,true]}"#, r#"{"a":[1.50,true]}"#),
            (r#"{"a": "b c"}"#, r#"{"a":"b c"}"#),
            (r#"{"\u0061":"\/\u001F"}"#, r#"{"a":"/\u001f"}"#),
            ("{\"a\":\n\"\u{e9}\"}", "{\"a\":\"\u{e9}\"}"),
        ] {
            let object = JsonObject::new(text).unwrap();
            assert_eq!(object.is_empty(), written == "{}");
            let mut buf = [0; 64];
            let mut out = Writer::new(&mut buf);
            object.write(&mut out);
            let len = out.len();
            assert_eq!(buf.get(..len), Some(written.as_bytes()), "{text}");
        }
    }
}
