//! An event as one line of `key=value` pairs.
//!
//! ```text
//! event=denied code=INSUFFICIENT_SCOPE class=scopes tenant="acme" key_id="0OlPYxTx2cSZAc2Qmd9Kzf" key_prefix="apikee_2VPfZ"
//! method="GET" route="/admin" path="/admin" address=203.0.113.9 missing_scopes="admin" elapsed_us=9
//! ```
//!
//! (That is one line.) A value without quotes is a number, an address, or one of a fixed set of words. All other
//! values stand in quotes. They are escaped as `Debug` escapes a string, so that nobody can forge a line or a pair, and
//! each has at most [`MAX_VALUE_LEN`] bytes.

use core::{
    error::Error,
    fmt::{self, Write as _},
    time::Duration,
};

use super::{audit::Audit, event::Event};
use crate::{
    key::MissingScopes,
    policy::{Basis, Denial},
};

/// A longer value is cut, and ends in `...`.
const MAX_VALUE_LEN: usize = 256;

/// One line of `key=value` pairs, for logs: the event's [name](Event::name) first.
///
/// Values that are not from a fixed set stand in quotes and are escaped, so that no tenant and no path can forge a line.
/// Each has at most 256 bytes.
///
/// | key | of a request |
/// |---|---|
/// | `event` | the [name](Event::name) |
/// | `basis` | of a grant: [`Basis::name`] |
/// | `code`, `class` | of a denial: [`Denial::code`], [`Denial::class`] |
/// | `tenant`, `key_id`, `key_prefix`, `method`, `route`, `path`, `address` | as [`Audit`] has them; what is not known is left out |
/// | `missing_scopes` | of a denial, with commas between them |
/// | `cause` | what happened between the service and the platform, or what is wrong with the key |
/// | `elapsed_us` | how long the decision took, in microseconds |
impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "event={}", self.name())?;
        match self {
            Self::Granted { audit, basis, elapsed } => {
                granted(f, audit, basis)?;
                took(f, *elapsed)
            }
            Self::Denied { audit, denial, elapsed } => {
                denied(f, audit, denial)?;
                took(f, *elapsed)
            }
            Self::Observed { audit, verdict: Ok(basis) } => granted(f, audit, basis),
            Self::Observed { audit, verdict: Err(denial) } => denied(f, audit, denial),
            Self::Outage { outage } => text(f, "cause", outage),
            Self::BreakerOpened | Self::BreakerClosed | Self::ClientBreakerOpened | Self::ClientBreakerClosed => Ok(()),
            Self::RefusalDisplaced { total } => write!(f, r#" total={total} hint="raise max_clients""#),
            Self::ClientIdDisplaced { total } => write!(f, r#" total={total} hint="raise max_client_ids""#),
            Self::EndpointRegistered { method_path } => text(f, "route", method_path),
            Self::ClientUpserted { client } => write!(f, " client={client}"),
            Self::RoutesFull { limit } => write!(f, r#" limit={limit} hint="give templates as routes, not paths""#),
            Self::Dropped { total } => write!(f, " total={total}"),
            Self::KeyringReplaced { secrets, retiring, displaced } => {
                write!(f, " secrets={secrets} retiring={retiring} displaced={displaced}")
            }
            Self::WeakSecrets { secrets } => {
                write!(f, r#" secrets={secrets} hint="apikee secret prints a strong one""#)
            }
            Self::FileRead { file, entries } => {
                text(f, "file", file)?;
                write!(f, " entries={entries}")
            }
            Self::FileRejected { error } => text(f, "cause", Causes(*error)),
        }
    }
}

fn granted(f: &mut fmt::Formatter<'_>, audit: &Audit<'_>, basis: &Basis) -> fmt::Result {
    write!(f, " basis={}", basis.name())?;
    who(f, audit)?;
    basis.cause().map_or(Ok(()), |cause| text(f, "cause", Causes(cause)))
}

fn denied(f: &mut fmt::Formatter<'_>, audit: &Audit<'_>, denial: &Denial<'_>) -> fmt::Result {
    write!(f, " code={} class={}", denial.code(), denial.class())?;
    who(f, audit)?;
    if let Denial::MissingScopes(missing) = denial {
        text(f, "missing_scopes", List(missing))?;
    }
    denial.source().map_or(Ok(()), |cause| text(f, "cause", Causes(cause)))
}

fn who(f: &mut fmt::Formatter<'_>, audit: &Audit<'_>) -> fmt::Result {
    for (name, value) in [
        ("tenant", audit.tenant()),
        ("key_id", audit.key_id()),
        ("key_prefix", audit.key_prefix()),
        ("method", audit.method()),
        ("route", audit.route()),
        ("path", audit.path()),
    ] {
        if let Some(value) = value {
            text(f, name, value)?;
        }
    }
    audit.address().map_or(Ok(()), |address| write!(f, " address={address}"))
}

fn took(f: &mut fmt::Formatter<'_>, elapsed: Duration) -> fmt::Result {
    write!(f, " elapsed_us={}", elapsed.as_micros())
}

/// A pair whose value is escaped.
fn text(f: &mut fmt::Formatter<'_>, name: &str, value: impl fmt::Display) -> fmt::Result {
    write!(f, " {name}=\"")?;
    write!(Escaped { f, room: Some(MAX_VALUE_LEN) }, "{value}")?;
    f.write_char('"')
}

/// Escapes what is written, and cuts it.
struct Escaped<'f, 'g> {
    f: &'f mut fmt::Formatter<'g>,
    /// `None` when the value is cut.
    room: Option<usize>,
}

impl fmt::Write for Escaped<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            let Some(room) = self.room else {
                return Ok(());
            };
            // As `Debug` has it, a single quote needs no escape between double ones.
            let (plain, escape) = if c == '\'' { (Some(c), None) } else { (None, Some(c.escape_debug())) };
            let escaped = plain.into_iter().chain(escape.into_iter().flatten());
            self.room = room.checked_sub(escaped.clone().map(char::len_utf8).sum());
            if self.room.is_none() {
                return self.f.write_str("...");
            }
            escaped.into_iter().try_for_each(|c| self.f.write_char(c))?;
        }
        Ok(())
    }
}

/// An error and its causes, with colons between them.
struct Causes<'e>(&'e (dyn Error + 'static));

impl fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

/// Scopes with commas between them.
struct List<'m>(&'m MissingScopes<'m>);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().enumerate().try_for_each(|(at, scope)| {
            f.write_str(if at == 0 { "" } else { "," })?;
            f.write_str(scope)
        })
    }
}
