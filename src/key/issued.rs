//! The short way through a payload that is written as the SDKs write it, and we: compact JSON, the
//! claims in their order, the strings in ASCII and without escapes.
//!
//! Whatever differs is left to the general reader, which would find the same here, in twice as many
//! instructions on a Cortex-M4.

use core::ops::Range;

use crate::json::{
    run::plain_run,
    scan::{self, Cursor},
};

/// Where the claims stand, the strings without their quotes.
pub(crate) struct Issued {
    pub(crate) id: Range<usize>,
    pub(crate) tid: Range<usize>,
    pub(crate) scp: Range<usize>,
    pub(crate) env: Range<usize>,
    pub(crate) exp: Option<i64>,
    pub(crate) nbf: Option<i64>,
    pub(crate) meta: Option<Range<usize>>,
}

impl Issued {
    /// Finds the claims; `None` says only that it takes the general reader.
    pub(crate) fn find(payload: &[u8]) -> Option<Self> {
        let mut cursor = Cursor { text: payload, at: 0 };
        let id = cursor.pass(br#"{"id":"#)?.plain_string()?;
        let tid = cursor.pass(br#","tid":"#)?.plain_string()?;
        let scp = cursor.pass(br#","scp":"#)?.plain_strings()?;
        let env = cursor.pass(br#","env":"#)?.plain_string()?;
        let (mut exp, mut nbf, mut meta) = (None, None, None);
        if let Some(cursor) = cursor.pass(br#","exp":"#) {
            exp = Some(cursor.integer()?);
        }
        if let Some(cursor) = cursor.pass(br#","nbf":"#) {
            nbf = Some(cursor.integer()?);
        }
        if let Some(cursor) = cursor.pass(br#","meta":"#) {
            meta = Some(cursor.last_object()?);
        }
        (cursor.rest() == b"}").then_some(Self { id, tid, scp, env, exp, nbf, meta })
    }
}

impl Cursor<'_> {
    /// Passes `text`, if it comes next.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn pass(&mut self, text: &[u8]) -> Option<&mut Self> {
        let rest = self.rest();
        // So few bytes are dearer to compare by a call of `memcmp`, which narrow targets do not inline.
        let starts = match cfg!(target_pointer_width = "64") {
            true => rest.starts_with(text),
            false => rest.get(..text.len()).is_some_and(|front| front.iter().eq(text)),
        };
        if !starts {
            return None;
        }
        self.at = self.at.wrapping_add(text.len());
        Some(self)
    }

    /// Passes a string of ASCII without escapes, and returns where it stands between the quotes.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    fn plain_string(&mut self) -> Option<Range<usize>> {
        let [b'"', rest @ ..] = self.rest() else {
            return None;
        };
        let run = plain_run(rest);
        if rest.get(run.len) != Some(&b'"') || !run.ascii {
            return None;
        }
        let start = self.at.wrapping_add(1);
        let end = start.wrapping_add(run.len);
        self.at = end.wrapping_add(1);
        Some(start..end)
    }

    fn plain_strings(&mut self) -> Option<Range<usize>> {
        let start = self.at;
        if self.pass(b"[]").is_none() {
            self.pass(b"[")?.plain_string()?;
            while let Some(next) = self.pass(b",") {
                next.plain_string()?;
            }
            self.pass(b"]")?;
        }
        Some(start..self.at)
    }

    /// Passes an integer that has no sign and no needless digit.
    fn integer(&mut self) -> Option<i64> {
        let digits = self.rest();
        let (value, len) = scan::leading_digits(digits);
        let needless = len > 1 && digits.first() == Some(&b'0');
        self.at = self.at.wrapping_add(len);
        if len == 0 || len > scan::MAX_DIGITS || needless { None } else { i64::try_from(value).ok() }
    }

    /// Passes an object that ends one byte before the payload does.
    fn last_object(&mut self) -> Option<Range<usize>> {
        let object = self.at..self.text.len().checked_sub(1)?;
        scan::any_object(self.text.get(object.clone())?, 1).ok()?;
        self.at = object.end;
        Some(object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_sdk_issues_goes_the_short_way() {
        for payload in [
            r#"{"id":"","tid":"","scp":[],"env":""}"#,
            r#"{"id":"i","tid":"t","scp":[],"env":"e","exp":1,"nbf":9223372036854775807}"#,
            r#"{"id":"i","tid":"t","scp":["a","b"],"env":"e","exp":0,"nbf":123456789012345678,"meta":{"a":[1]}}"#,
        ] {
            assert!(Issued::find(payload.as_bytes()).is_some(), "{payload}");
        }
    }

    #[test]
    fn whatever_differs_goes_the_long_way() {
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
            r#"{"id":"i","tid":"t","scp":[],"env":"e","exp":-1}"#,
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
            assert!(Issued::find(payload.as_bytes()).is_none(), "{payload}");
        }
    }
}
