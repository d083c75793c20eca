//! The fast reader for payloads in the form that the SDKs and this crate issue: compact JSON, with the claims in
//! their usual order, and ASCII strings without escapes.
//!
//! Any other payload goes to the general reader. For a payload that this reader accepts, both find the same claims.

use super::payload::{ENVIRONMENT, EXPIRES_AT, Found, ID, META, NOT_BEFORE, SCOPES, Secs, Span, TENANT};
use crate::json::{
    cursor::{Cursor, plain_len},
    scan::Reader,
};

/// Without this reader a verification takes a fifth longer (x86-64). On small processors it would save only a thirtieth
/// of the time, and cost half a kilobyte of flash.
const IS_USED: bool = cfg!(target_pointer_width = "64");

/// Finds the claims. `None` means only that the general reader must read this payload.
pub(super) fn find(payload: &[u8]) -> Option<Found> {
    if !IS_USED {
        return None;
    }
    let mut cursor = Cursor::new(payload);
    let mut found = Found::default();
    found.places[ID] = cursor.pass(br#"{"id":"#)?.plain_string()?;
    found.places[TENANT] = cursor.pass(br#","tid":"#)?.plain_string()?;
    found.places[SCOPES] = cursor.pass(br#","scp":"#)?.plain_strings()?;
    found.places[ENVIRONMENT] = cursor.pass(br#","env":"#)?.plain_string()?;
    if let Some(cursor) = cursor.pass(br#","exp":"#) {
        (found.places[EXPIRES_AT], found.times[EXPIRES_AT]) = cursor.time()?;
    }
    if let Some(cursor) = cursor.pass(br#","nbf":"#) {
        (found.places[NOT_BEFORE], found.times[NOT_BEFORE]) = cursor.time()?;
    }
    if let Some(cursor) = cursor.pass(br#","meta":{"#) {
        found.places[META] = cursor.rest_of_object()?;
    }
    (cursor.rest() == b"}").then_some(found)
}

impl Cursor<'_> {
    /// Passes `text` if it comes next.
    #[inline(always)]
    fn pass(&mut self, text: &[u8]) -> Option<&mut Self> {
        if !self.rest().starts_with(text) {
            return None;
        }
        self.at = self.at.wrapping_add(text.len());
        Some(self)
    }

    /// Passes an ASCII string without escapes. Returns its place, without the quotes.
    #[inline(always)]
    fn plain_string(&mut self) -> Option<Span> {
        let start = self.pass(b"\"")?.at;
        let end = start.wrapping_add(plain_len(self.rest()));
        self.at = end;
        self.pass(b"\"")?;
        Some(Span::new(start, end))
    }

    fn plain_strings(&mut self) -> Option<Span> {
        let start = self.at;
        if self.pass(b"[]").is_none() {
            self.pass(b"[")?.plain_string()?;
            while let Some(next) = self.pass(b",") {
                next.plain_string()?;
            }
            self.pass(b"]")?;
        }
        Some(Span::new(start, self.at))
    }

    fn time(&mut self) -> Option<(Span, Secs)> {
        let start = self.at;
        let secs = self.integer().ok()?;
        Some((Span::new(start, self.at), Secs(secs)))
    }

    /// Passes an object whose opening brace has already been passed. Returns the place of the whole object.
    fn rest_of_object(&mut self) -> Option<Span> {
        let start = self.at.wrapping_sub(1);
        let mut reader = Reader::within(Cursor { text: self.text, at: start });
        reader.skip().ok()?;
        self.at = reader.place();
        Some(Span::new(start, self.at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn payloads_of_the_sdks_take_the_fast_path_with_the_same_result() {
        for payload in [
            r#"{"id":"","tid":"","scp":[],"env":""}"#,
            r#"{"id":"i","tid":"t","scp":[],"env":"e","exp":-1,"nbf":9223372036854775807}"#,
            r#"{"id":"i","tid":"t","scp":["a","b"],"env":"e","exp":0,"nbf":123456789012345678,"meta":{"a":[1]}}"#,
        ] {
            let short = find(payload.as_bytes()).unwrap();
            let mut general = Found::default();
            crate::key::payload::read_json(&mut payload.as_bytes().to_vec(), &mut general).unwrap();
            for (short, general) in short.places.into_iter().zip(general.places) {
                assert_eq!(short.is_some(), general.is_some(), "{payload}");
                assert_eq!(short.of(payload.as_bytes()), general.of(payload.as_bytes()), "{payload}");
            }
            for time in [EXPIRES_AT, NOT_BEFORE] {
                assert_eq!(short.time(time), general.time(time), "{payload}");
            }
        }
    }

    #[test]
    fn any_other_payload_takes_the_general_path() {
        for payload in [
            r#" {"id":"i","tid":"t","scp":[],"env":"e"}"#,
            r#"{"id":"i","tid":"t","scp":[],"env":"e"} "#,
            r#"{"tid":"t","id":"i","scp":[],"env":"e"}"#,
            r#"{"id":"i","tid":"t","scp":[],"env":"e"},"#,
            r#"{"id":"i","tid":"t","scp":["a",],"env":"e"}"#,
            r#"{"id":"i","tid":"t","scp":[1],"env":"e"}"#,
            r#"{"id":"i","tid":"t\u0041","scp":[],"env":"e"}"#,
            r#"{"id":"i","tid":"é","scp":[],"env":"e"}"#,
            r#"{"id":"i","tid":null,"scp":[],"env":"e"}"#,
            r#"{"id":"i","tid":"t","scp":[],"env":"e","exp":01}"#,
            r#"{"id":"i","tid":"t","scp":[],"env":"e","exp":}"#,
            r#"{"id":"i","tid":"t","scp":[],"env":"e","exp":1.0}"#,
            r#"{"id":"i","tid":"t","scp":[],"env":"e","exp":9223372036854775808}"#,
            r#"{"id":"i","tid":"t","scp":[],"env":"e","exp":10000000000000000000000000000000000000001}"#,
            r#"{"id":"i","tid":"t","scp":[],"env":"e","meta":{"a":1,"a":2}}"#,
            r#"{"id":"i","tid":"t","scp":[],"env":"e","meta":{}}}"#,
            r#"{"id":"i","tid":"t","scp":[],"env":"e","meta":null}"#,
            r#"{"id":"i","tid":"t","scp":[],"env":"e","exp":1,"exp":2}"#,
            r#"{"id":"i","tid":"t","scp":[],"env":"e","zz":1}"#,
            "",
        ] {
            assert!(find(payload.as_bytes()).is_none(), "{payload}");
        }
    }
}
