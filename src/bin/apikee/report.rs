//! Writes results: as text for people (a headline and a block of fields), or as JSON for programs (one compact object
//! per line).
//!
//! All characters in strings that are not printable are escaped. In text, strings are in quotes, as Rust writes them.
//! An attacker may have written a string: a control character could control the terminal, and a mark that changes the
//! direction of writing could fake the text. This also applies to JSON, because people may read it on a terminal.

use std::{
    fmt::Display,
    io::{self, Write},
};

use apikee::{Claims, Denial, KeyError, MissingScopes, UnixTime, VerifiedKey, key::Meta};
use serde::{
    Serialize, Serializer,
    ser::{Error as _, SerializeMap as _},
};
use serde_json::{
    ser::{self, Compound, Formatter},
    value::RawValue,
};

use crate::{
    candidates::Candidate,
    terminal::{self, red},
    times::Shown,
};

/// How results are printed.
#[derive(clap::Args)]
pub(crate) struct Form {
    /// Print JSON: one object per line, one for each result
    #[arg(long)]
    pub(crate) json: bool,

    /// Print no result, no hint and no summary: only the exit code tells the result
    #[arg(long, short, conflicts_with = "json")]
    pub(crate) quiet: bool,
}

/// Why a key is refused, by any check: a code (the SDKs' code if they have one) and a sentence. It contains nothing of
/// the key.
pub(crate) struct Refusal {
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl Refusal {
    /// For a key on the deny-list. The SDKs have no code for it.
    pub(crate) fn revoked() -> Self {
        Self { code: Denial::Revoked.code(), message: Denial::Revoked.to_string() }
    }
}

impl From<KeyError> for Refusal {
    fn from(error: KeyError) -> Self {
        Self { code: error.code(), message: error.to_string() }
    }
}

impl From<MissingScopes<'_>> for Refusal {
    fn from(missing: MissingScopes<'_>) -> Self {
        Self { code: missing.code(), message: missing.to_string() }
    }
}

/// The first line of a key's block.
pub(crate) fn headline(out: &mut impl Write, candidate: &Candidate<'_>, verdict: impl Display) -> io::Result<()> {
    match (candidate.line, candidate.prefix()) {
        (Some(line), Some(prefix)) => write!(out, "line {line}, {}...", prefix.escape_debug())?,
        (Some(line), None) => write!(out, "line {line}")?,
        (None, Some(prefix)) => write!(out, "{}...", prefix.escape_debug())?,
        (None, None) => write!(out, "key")?,
    }
    writeln!(out, ": {verdict}")
}

/// The only line for a key that is refused.
pub(crate) fn refused(out: &mut impl Write, candidate: &Candidate<'_>, refusal: &Refusal) -> io::Result<()> {
    headline(out, candidate, format_args!("{}, {}: {}", red("refused"), refusal.code, refusal.message))
}

/// One line of a block.
pub(crate) fn field(out: &mut impl Write, name: &str, value: impl Display) -> io::Result<()> {
    writeln!(out, "  {name:<13}{value}")
}

/// A field for each claim.
pub(crate) fn claims(out: &mut impl Write, claims: &Claims<'_>, now: UnixTime) -> io::Result<()> {
    let time = |time: Option<UnixTime>, absent: &str| match time {
        Some(time) => Shown { time, now }.to_string(),
        None => absent.into(),
    };
    let scopes: Vec<String> = claims.scopes().iter().map(|scope| format!("{scope:?}")).collect();
    field(out, "tenant", format_args!("{:?}", claims.tenant()))?;
    field(out, "id", format_args!("{:?}", claims.id()))?;
    field(out, "scopes", if scopes.is_empty() { "none".into() } else { scopes.join(", ") })?;
    field(out, "environment", format_args!("{:?}", claims.environment()))?;
    field(out, "expires", time(claims.expires_at(), "never"))?;
    field(out, "not before", time(claims.not_before(), "valid immediately"))?;
    field(out, "meta", json(&Exact(claims.meta()))?)
}

/// The fields of a key that is good.
pub(crate) fn verified(out: &mut impl Write, key: &VerifiedKey<'_>, now: UnixTime) -> io::Result<()> {
    claims(out, key.claims(), now)?;
    let index = key.secret_index();
    field(out, "secret", format_args!("{index} ({})", if index == 0 { "signs new keys" } else { "only verifies" }))?;
    field(out, "fingerprint", key.fingerprint())
}

/// The metadata of a key. Its JSON is written as it is in the key: a number may be longer than Rust's types.
struct Exact<'b>(Meta<'b>);

impl Serialize for Exact<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_json() {
            Some(text) => RawValue::from_string(text.into()).map_err(S::Error::custom)?.serialize(serializer),
            None => self.0.serialize(serializer),
        }
    }
}

/// The members of an object that is being written.
pub(crate) struct Members<'o, 'l>(Compound<'o, &'l mut Vec<u8>, Printable>);

/// Writes an object and the end of its line, in one piece.
pub(crate) fn json_line(
    mut out: impl Write,
    members: impl FnOnce(&mut Members<'_, '_>) -> io::Result<()>,
) -> io::Result<()> {
    let mut line = Vec::new();
    let mut serializer = ser::Serializer::with_formatter(&mut line, Printable);
    let mut object = Members(serializer.serialize_map(None)?);
    members(&mut object)?;
    object.0.end()?;
    line.push(b'\n');
    out.write_all(&line)
}

/// A value as it is written in a line.
fn json(value: &(impl Serialize + ?Sized)) -> io::Result<String> {
    let mut text = Vec::new();
    value.serialize(&mut ser::Serializer::with_formatter(&mut text, Printable))?;
    String::from_utf8(text).map_err(io::Error::other)
}

impl Members<'_, '_> {
    pub(crate) fn member(&mut self, name: &str, value: &(impl Serialize + ?Sized)) -> io::Result<()> {
        Ok(self.0.serialize_entry(name, value)?)
    }

    /// The number of the key's line, if it was read from standard input.
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
        self.member("meta", &Exact(claims.meta()))
    }

    /// The start of the key, safe for logs, and why the key is refused.
    pub(crate) fn refusal(&mut self, candidate: &Candidate<'_>, refusal: &Refusal) -> io::Result<()> {
        self.member("prefix", &candidate.prefix())?;
        self.member("code", refusal.code)?;
        self.member("message", &refusal.message)
    }
}

/// Compact JSON with only printable characters.
struct Printable;

impl Formatter for Printable {
    fn write_string_fragment<W: Write + ?Sized>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        escape(out, fragment, is_printable)
    }

    /// JSON that is written already. The control characters of ASCII are white space there, except U+007F. All other
    /// characters that are not printable are in strings.
    fn write_raw_fragment<W: Write + ?Sized>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        let mut parts = fragment.split(|c| c < ' ');
        parts.try_for_each(|part| escape(out, part, |c| matches!(c, '"' | '\\') || is_printable(c)))
    }
}

/// Writes a text, and escapes each character that is not plain as JSON does it in strings.
fn escape(out: &mut (impl Write + ?Sized), text: &str, is_plain: impl Fn(char) -> bool) -> io::Result<()> {
    if text.bytes().all(|byte| byte.is_ascii() && is_plain(byte.into())) {
        return out.write_all(text.as_bytes());
    }
    for part in text.split_inclusive(|c| !is_plain(c)) {
        let plain = part.trim_end_matches(|c| !is_plain(c));
        out.write_all(plain.as_bytes())?;
        for unit in part[plain.len()..].encode_utf16() {
            write!(out, "\\u{unit:04x}")?;
        }
    }
    Ok(())
}

/// Characters that `escape_debug` does not escape, and the single quote, which JSON does not escape.
fn is_printable(c: char) -> bool {
    c == '\'' || c.escape_debug().eq([c]) && (c.is_ascii() || !terminal::shows_ascii_only())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unprintable_characters_are_escaped_and_mean_the_same() {
        for meant in
            ["plain", "it's", "\u{1b}[31m", "\u{9b}2J", "a\u{202e}b\u{7f}", "\"\\\n", "\u{1F600}\u{E0001}é", ""]
        {
            let written = json(&meant).unwrap();
            assert!(written.chars().all(|c| !c.is_control() && c != '\u{202e}'), "{written:?}");
            assert_eq!(serde_json::from_str::<String>(&written).unwrap(), meant);
        }
        assert_eq!(json("it's \u{1F600}").unwrap(), "\"it's \u{1F600}\"");
        assert_eq!(json("\u{E0001}").unwrap(), r#""\udb40\udc01""#);
    }
}
