//! JSON that the caller wrote.

use core::fmt;

use crate::{
    buf::Writer,
    json::{scan, write},
};

/// The text of a JSON object, checked: it can stand in a body and not break out of it.
///
/// Refused, apart from what JSON refuses: members named twice in one object, unpaired surrogates,
/// more than 31 levels of nesting. White space is left out when it is sent and strings are respelt
/// as `JSON.stringify` does; numbers stay as they are.
#[derive(Clone, Copy)]
pub struct JsonObject<'a>(&'a str);

impl<'a> JsonObject<'a> {
    /// Checks the text.
    ///
    /// # Errors
    ///
    /// [`InvalidJsonObject`].
    pub fn new(text: &'a str) -> Result<Self, InvalidJsonObject> {
        // One level below the body's own.
        scan::object(text.as_bytes(), 1, |_, _| {}).map_err(|_| InvalidJsonObject)?;
        Ok(Self(text))
    }

    pub(crate) fn write(&self, out: &mut Writer<'_>) {
        write::compact(out, self.0.as_bytes());
    }
}

/// The length only: it may hold what belongs in no log.
impl fmt::Debug for JsonObject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonObject").field("len", &self.0.len()).finish_non_exhaustive()
    }
}

/// The text is no well-formed JSON object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct InvalidJsonObject;

impl fmt::Display for InvalidJsonObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the text is no well-formed JSON object")
    }
}

impl core::error::Error for InvalidJsonObject {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_break_out_of_a_body_is_no_object() {
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
}
