//! What is said of a key, as JSON for programs: one compact object a line.
//!
//! Characters that are not printable are escaped in it, for it may be read on a terminal after all.

use std::io::{self, Write};

use apikee::Claims;
use serde::{Serialize, Serializer as _, ser::SerializeMap as _};
use serde_json::ser::{Compound, Formatter, Serializer};

use crate::{candidates::Candidate, refusal::Refusal};

/// The members of an object that is being written.
pub(crate) struct Members<'o, W: Write>(Compound<'o, W, Printable>);

/// Writes an object and ends the line.
pub(crate) fn line<W: Write>(
    mut out: W,
    members: impl FnOnce(&mut Members<'_, &mut W>) -> io::Result<()>,
) -> io::Result<()> {
    let mut serializer = Serializer::with_formatter(&mut out, Printable);
    let mut object = Members(serializer.serialize_map(None)?);
    members(&mut object)?;
    object.0.end()?;
    out.write_all(b"\n")
}

/// A value as it is written in a line.
pub(crate) fn text(value: &(impl Serialize + ?Sized)) -> io::Result<String> {
    let mut text = Vec::new();
    value.serialize(&mut Serializer::with_formatter(&mut text, Printable))?;
    String::from_utf8(text).map_err(io::Error::other)
}

impl<W: Write> Members<'_, W> {
    pub(crate) fn member(&mut self, name: &str, value: &(impl Serialize + ?Sized)) -> io::Result<()> {
        Ok(self.0.serialize_entry(name, value)?)
    }

    /// The line that a key was on, if it was on one.
    pub(crate) fn place(&mut self, candidate: &Candidate<'_>) -> io::Result<()> {
        candidate.line.map_or(Ok(()), |line| self.member("line", &line))
    }

    /// A member for each claim.
    pub(crate) fn claims(&mut self, claims: &Claims<'_>) -> io::Result<()> {
        self.member("id", claims.id())?;
        self.member("tenant", claims.tenant())?;
        self.member("scopes", &claims.scopes())?;
        self.member("environment", claims.environment())?;
        self.member("expires_at", &claims.expires_at())?;
        self.member("not_before", &claims.not_before())?;
        self.member("meta", &claims.meta())
    }

    /// The front of the key that is safe in logs, and why it is refused.
    pub(crate) fn refusal(&mut self, candidate: &Candidate<'_>, refusal: &Refusal) -> io::Result<()> {
        self.member("prefix", &candidate.prefix())?;
        self.member("code", refusal.code)?;
        self.member("message", &refusal.message)
    }
}

/// Compact JSON that is all printable.
pub(crate) struct Printable;

impl Formatter for Printable {
    fn write_string_fragment<W: Write + ?Sized>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        for part in fragment.split_inclusive(|c| !is_printable(c)) {
            let plain = part.trim_end_matches(|c| !is_printable(c));
            out.write_all(plain.as_bytes())?;
            for unit in part.get(plain.len()..).unwrap_or_default().encode_utf16() {
                write!(out, "\\u{unit:04x}")?;
            }
        }
        Ok(())
    }
}

/// What `escape_debug` leaves alone, and the quote, which it escapes for Rust's sake.
fn is_printable(c: char) -> bool {
    c == '\'' || c.escape_debug().eq([c])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unprintable_characters_are_escaped_and_mean_the_same() {
        for meant in
            ["plain", "it's", "\u{1b}[31m", "\u{9b}2J", "a\u{202e}b\u{7f}", "\"\\\n", "\u{1F600}\u{E0001}é", ""]
        {
            let written = text(&meant).unwrap();
            assert!(written.chars().all(|c| !c.is_control() && c != '\u{202e}'), "{written:?}");
            assert_eq!(serde_json::from_str::<String>(&written).unwrap(), meant);
        }
        assert_eq!(text("it's \u{1F600}").unwrap(), "\"it's \u{1F600}\"");
        assert_eq!(text("\u{E0001}").unwrap(), r#""\udb40\udc01""#);
    }
}
