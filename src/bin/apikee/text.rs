//! What is said of a key, as text for people: a headline and a block of fields.
//!
//! Strings are printed as Rust writes them, in quotes and with every character escaped that is not
//! printable. They may be a stranger's: a control character could drive the terminal, and a mark
//! that turns the direction of writing could fake what is read.

use std::{
    fmt::Display,
    io::{self, Write},
};

use apikee::{Claims, UnixTime, VerifiedKey};

use crate::{candidates::Candidate, json, refusal::Refusal, times::Shown};

/// What a key's block starts with.
pub(crate) fn headline<W: Write>(out: &mut W, candidate: &Candidate<'_>, verdict: impl Display) -> io::Result<()> {
    match (candidate.line, candidate.prefix()) {
        (Some(line), Some(prefix)) => write!(out, "line {line}, {}...", prefix.escape_debug())?,
        (Some(line), None) => write!(out, "line {line}")?,
        (None, Some(prefix)) => write!(out, "{}...", prefix.escape_debug())?,
        (None, None) => write!(out, "key")?,
    }
    writeln!(out, ": {verdict}")
}

/// All that is said of a key that is refused.
pub(crate) fn refused<W: Write>(out: &mut W, candidate: &Candidate<'_>, refusal: &Refusal) -> io::Result<()> {
    headline(out, candidate, format_args!("refused, {}: {}", refusal.code, refusal.message))
}

/// One line of a block.
pub(crate) fn field<W: Write>(out: &mut W, name: &str, value: impl Display) -> io::Result<()> {
    writeln!(out, "  {name:<13}{value}")
}

/// A field for each claim.
pub(crate) fn claims<W: Write>(out: &mut W, claims: &Claims<'_>, now: UnixTime) -> io::Result<()> {
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
    field(out, "not before", time(claims.not_before(), "good at once"))?;
    field(out, "meta", json::text(&claims.meta())?)
}

/// The fields of a key that is good.
pub(crate) fn verified<W: Write>(out: &mut W, key: &VerifiedKey<'_>, now: UnixTime) -> io::Result<()> {
    claims(out, key.claims(), now)?;
    let index = key.secret_index();
    field(out, "secret", format_args!("{index} ({})", if index == 0 { "the newest" } else { "an older one" }))?;
    field(out, "fingerprint", key.fingerprint())
}
