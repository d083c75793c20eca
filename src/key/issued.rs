//! The short way through a payload that is written as the SDKs write it, and we: compact JSON, the
//! claims in their order, the strings in ASCII and without escapes.
//!
//! Whatever differs is left to the general reader, which would find the same here, in four times the
//! time.

use core::ops::Range;

use crate::json::{run::plain_run, scan};

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
        let mut rest = Rest { payload, at: 0 };
        rest.pass(br#"{"id":"#)?;
        let id = rest.string()?;
        rest.pass(br#","tid":"#)?;
        let tid = rest.string()?;
        rest.pass(br#","scp":"#)?;
        let scp = rest.strings()?;
        rest.pass(br#","env":"#)?;
        let env = rest.string()?;
        let exp = rest.pass(br#","exp":"#).map(|()| rest.number());
        let nbf = rest.pass(br#","nbf":"#).map(|()| rest.number());
        let meta = rest.pass(br#","meta":"#).map(|()| rest.last_object());
        rest.pass(b"}")?;
        let (exp, nbf, meta) = (all(exp)?, all(nbf)?, all(meta)?);
        (rest.at == payload.len()).then_some(Self { id, tid, scp, env, exp, nbf, meta })
    }
}

/// A member may be absent, but not be there and unreadable.
fn all<T>(member: Option<Option<T>>) -> Option<Option<T>> {
    match member {
        None => Some(None),
        Some(value) => value.map(Some),
    }
}

struct Rest<'p> {
    payload: &'p [u8],
    at: usize,
}

impl<'p> Rest<'p> {
    fn bytes(&self) -> &'p [u8] {
        self.payload.get(self.at..).unwrap_or_default()
    }

    #[inline(always)]
    fn pass(&mut self, text: &[u8]) -> Option<()> {
        self.bytes().starts_with(text).then(|| self.at = self.at.saturating_add(text.len()))
    }

    #[inline(always)]
    fn string(&mut self) -> Option<Range<usize>> {
        self.pass(b"\"")?;
        let start = self.at;
        let run = plain_run(self.bytes());
        self.at = self.at.saturating_add(run.len);
        let end = self.at;
        self.pass(b"\"")?;
        run.ascii.then_some(start..end)
    }

    fn strings(&mut self) -> Option<Range<usize>> {
        let start = self.at;
        self.pass(b"[")?;
        if self.pass(b"]").is_none() {
            self.string()?;
            while self.pass(b",").is_some() {
                self.string()?;
            }
            self.pass(b"]")?;
        }
        Some(start..self.at)
    }

    /// An integer of at most 18 digits, none of them needless, so that it fits.
    fn number(&mut self) -> Option<i64> {
        let (mut value, mut len) = (0_i64, 0_usize);
        for byte in self.bytes() {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                break;
            }
            value = value.wrapping_mul(10).wrapping_add(i64::from(digit));
            len = len.saturating_add(1);
        }
        let needless = len > 1 && self.pass(b"0").is_some();
        self.at = self.at.saturating_add(len);
        ((1..=18).contains(&len) && !needless).then_some(value)
    }

    /// An object that ends one byte before the payload does.
    fn last_object(&mut self) -> Option<Range<usize>> {
        let object = self.at..self.payload.len().checked_sub(1)?;
        scan::any_object(self.payload.get(object.clone())?, 1).ok()?;
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
            r#"{"id":"i","tid":"\u{e9}","scp":[],"env":"e"}"#,
            r#"{"id":"i","tid":null,"scp":[],"env":"e"}"#,
            r#"{"id":"i","tid":"t","scp":[],"env":"e","exp":01}"#,
            r#"{"id":"i","tid":"t","scp":[],"env":"e","exp":-1}"#,
            r#"{"id":"i","tid":"t","scp":[],"env":"e","exp":}"#,
            r#"{"id":"i","tid":"t","scp":[],"env":"e","exp":1.0}"#,
            r#"{"id":"i","tid":"t","scp":[],"env":"e","exp":1234567890123456789}"#,
            r#"{"id":"i","tid":"t","scp":[],"env":"e","meta":{"a":1,"a":2}}"#,
            r#"{"id":"i","tid":"t","scp":[],"env":"e","meta":{}}}"#,
            r#"{"id":"i","tid":"t","scp":[],"env":"e","meta":null}"#,
            r#"{"id":"i","tid":"t","scp":[],"env":"e","exp":1,"exp":2}"#,
            r#"{"id":"i","tid":"t","scp":[],"env":"e","zz":1}"#,
            "",
        ] {
            let payload = payload.replace("\\u{e9}", "\u{e9}");
            assert!(Issued::find(payload.as_bytes()).is_none(), "{payload}");
        }
    }
}
