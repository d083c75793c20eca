//! What happens, for logs and metrics: events, who hears of them, and an event as one line of `key=value` pairs.
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
    panic::AssertUnwindSafe,
    time::Duration,
};
use std::{panic::catch_unwind, sync::Arc, time::Instant};

use super::{
    files::{FileError, News, WatchedFile},
    request::Audit,
    secrets::Replaced,
};
#[cfg(any(feature = "log", feature = "tracing"))]
use crate::key::KeyError;
use crate::{
    key::MissingScopes,
    policy::{Basis, Denial, Outage},
    protocol::{ClientId, MethodPath},
};

/// Something that happened in a client. No secret, no key and no header value is in any of them. A denial has the
/// platform's own [reason](Denial::reason), if there is one.
///
/// What a request is about stands in an [`Audit`]. Its method and path are a stranger's: escape them in logs.
/// `Display` does, and `Debug` too.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Event<'e> {
    /// A request is let through.
    Granted {
        /// Who asked for what.
        audit: Audit<'e>,
        /// On what.
        basis: Basis,
        /// How long that took.
        elapsed: Duration,
    },
    /// A request is denied.
    Denied {
        /// Who asked for what.
        audit: Audit<'e>,
        /// Why.
        denial: Denial<'e>,
        /// How long that took.
        elapsed: Duration,
    },
    /// What the platform makes of a request that went on without waiting for it, in
    /// [`Enforcement::Observe`](super::Enforcement::Observe).
    Observed {
        /// Who asked for what.
        audit: Audit<'e>,
        /// What would have become of it.
        verdict: Result<Basis, Denial<'e>>,
    },
    /// A call of the platform was made, of any kind, and failed.
    Outage {
        /// How.
        outage: Outage,
    },
    /// The platform has failed too often, and is not asked for a while.
    BreakerOpened,
    /// The platform answers again.
    BreakerClosed,
    /// The platform has failed too often at one client's requests, and is not asked about them for a while.
    ClientBreakerOpened,
    /// The platform answers again at the requests of such a client.
    ClientBreakerClosed,
    /// A client's refusal is not remembered any more, though it still holds: more clients were refused at once than
    /// [`max_clients`](super::ApikeeBuilder::max_clients) allows for.
    RefusalDisplaced {
        /// How many so far.
        total: u64,
    },
    /// A tenant's client must be looked up anew: more tenants are in use at once than
    /// [`max_client_ids`](super::ApikeeBuilder::max_client_ids) allows for.
    ClientIdDisplaced {
        /// How many so far.
        total: u64,
    },
    /// The platform has been told of a route.
    EndpointRegistered {
        /// The route.
        method_path: MethodPath<'e>,
    },
    /// The platform has been told of a client, which is new to it or to us.
    ClientUpserted {
        /// Its id.
        client: ClientId,
    },
    /// There is no room for one more route: it is not registered, nor is any further one. Told once. Something
    /// gives the paths of requests as [routes](super::AuthorizeRequest::as_route).
    RoutesFull {
        /// How many routes there is room for.
        limit: usize,
    },
    /// The platform will not hear of something: the queue was full and its oldest entries were dropped, or an
    /// entry is larger than the queue, or the client was closed with entries left, or is closed and takes no more.
    Dropped {
        /// How many entries so far.
        total: u64,
    },
    /// The secrets were replaced: by [`set_keyring`](super::Apikee::set_keyring), or because the secret file has
    /// changed, or because the time of an old secret is over.
    KeyringReplaced {
        /// How many secrets are accepted now.
        secrets: usize,
        /// How many of them are old, and accepted for [`secret_grace`](super::ApikeeBuilder::secret_grace) only.
        retiring: usize,
        /// How many old ones were given up before their time, since a keyring holds
        /// [`MAX_SECRETS`](crate::key::MAX_SECRETS).
        displaced: usize,
    },
    /// Secrets have fewer than [`STRONG_SECRET_LEN`](crate::key::STRONG_SECRET_LEN) bytes: whoever has a key may find
    /// them by trying. Told when the client is built and when its secrets are replaced.
    WeakSecrets {
        /// How many.
        secrets: usize,
    },
    /// A file has changed and its content is in use, or it is good again after it was rejected.
    FileRead {
        /// Which one.
        file: WatchedFile,
        /// How many secrets or fingerprints it has.
        entries: usize,
    },
    /// A file cannot be used any more. What it had before stays in use. Told once for each thing that is wrong with
    /// it.
    FileRejected {
        /// Which file, and why.
        error: &'e FileError,
    },
}

/// How loud an event is in a log.
#[cfg(any(feature = "log", feature = "tracing"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Severity {
    Warning,
    Info,
    Debug,
}

impl Event<'_> {
    /// The event in one word, for logs and metrics: `granted`, `breaker_opened`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Granted { .. } => "granted",
            Self::Denied { .. } => "denied",
            Self::Observed { .. } => "observed",
            Self::Outage { .. } => "outage",
            Self::BreakerOpened => "breaker_opened",
            Self::BreakerClosed => "breaker_closed",
            Self::ClientBreakerOpened => "client_breaker_opened",
            Self::ClientBreakerClosed => "client_breaker_closed",
            Self::RefusalDisplaced { .. } => "refusal_displaced",
            Self::ClientIdDisplaced { .. } => "client_id_displaced",
            Self::EndpointRegistered { .. } => "endpoint_registered",
            Self::ClientUpserted { .. } => "client_upserted",
            Self::RoutesFull { .. } => "routes_full",
            Self::Dropped { .. } => "dropped",
            Self::KeyringReplaced { .. } => "keyring_replaced",
            Self::WeakSecrets { .. } => "weak_secrets",
            Self::FileRead { .. } => "file_read",
            Self::FileRejected { .. } => "file_rejected",
        }
    }

    #[cfg(any(feature = "log", feature = "tracing"))]
    const fn severity(&self) -> Severity {
        match self {
            Self::Denied { denial: Denial::Key(KeyError::BufferTooSmall { .. }), .. }
            | Self::Outage { .. }
            | Self::BreakerOpened
            | Self::ClientBreakerOpened
            | Self::RefusalDisplaced { .. }
            | Self::ClientIdDisplaced { .. }
            | Self::RoutesFull { .. }
            | Self::Dropped { .. }
            | Self::WeakSecrets { .. }
            | Self::FileRejected { .. } => Severity::Warning,
            Self::KeyringReplaced { displaced, .. } if *displaced > 0 => Severity::Warning,
            Self::Denied { .. }
            | Self::BreakerClosed
            | Self::ClientBreakerClosed
            | Self::KeyringReplaced { .. }
            | Self::FileRead { .. } => Severity::Info,
            Self::Granted { .. }
            | Self::Observed { .. }
            | Self::EndpointRegistered { .. }
            | Self::ClientUpserted { .. } => Severity::Debug,
        }
    }
}

/// Hears what happens. The thread that makes the request calls it, or the client's own thread.
///
/// - An observer that panics is caught: a log that fails takes no request down.
/// - An observer that blocks makes the request wait, and no timeout of the client's ends that. No lock of the
///   client's is held meanwhile, so other requests go on.
///
/// A closure is one, too:
///
/// ```
/// use apikee::client::{Event, Observer};
///
/// let observer = |event: &Event<'_>| {
///     if let Event::BreakerOpened = event {
///         eprintln!("the platform is down");
///     }
/// };
/// fn takes(observer: impl Observer) {}
/// takes(observer);
/// ```
pub trait Observer: Send + Sync {
    /// Takes note of an event.
    fn on_event(&self, event: &Event<'_>);
}

impl<F: Fn(&Event<'_>) + Send + Sync> Observer for F {
    fn on_event(&self, event: &Event<'_>) {
        self(event);
    }
}

/// Where a client's events go.
#[derive(Clone, Default)]
pub(super) struct Events(Option<Arc<dyn Observer>>);

impl Events {
    pub(super) fn to(observer: impl Observer + 'static) -> Self {
        Self(Some(Arc::new(observer)))
    }

    /// The time, if somebody hears of what is about to happen: then there will be an event that says how long it took.
    pub(super) fn start(&self) -> Option<Instant> {
        self.0.as_ref().map(|_| Instant::now())
    }

    /// Tells of a file that was read again, or of new secrets.
    pub(super) fn tell(&self, news: &News) {
        match news {
            News::Keyring(Replaced { secrets, retiring, displaced, weak }) => {
                let (secrets, retiring, displaced) = (*secrets, *retiring, *displaced);
                self.emit(&Event::KeyringReplaced { secrets, retiring, displaced });
                self.warn_of_weak_secrets(*weak);
            }
            News::Read { file, entries } => self.emit(&Event::FileRead { file: *file, entries: *entries }),
            News::Rejected { error, known: false } => self.emit(&Event::FileRejected { error }),
            News::Rejected { known: true, .. } => {}
        }
    }

    pub(super) fn warn_of_weak_secrets(&self, weak: usize) {
        if weak > 0 {
            self.emit(&Event::WeakSecrets { secrets: weak });
        }
    }

    pub(super) fn emit(&self, event: &Event<'_>) {
        if let Some(observer) = &self.0 {
            // The observer is promised this: see the test `an_observer_that_panics_takes_no_request_down`. Nothing of
            // ours is behind it, so nothing can be left half done.
            let _ = catch_unwind(AssertUnwindSafe(|| observer.on_event(event)));
        }
    }
}

/// A longer value is cut, and ends in `...`.
const MAX_VALUE_LEN: usize = 256;

/// One line of `key=value` pairs, for logs: the event's [name](Event::name) first.
///
/// Values that are not from a fixed set stand in quotes and are escaped, so that no tenant and no path can forge a
/// line. Each has at most 256 bytes.
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

/// Writes events to the `log` crate, under the target `apikee`: each as one line of `key=value` pairs, which is the
/// `Display` of [`Event`].
///
/// | event | level |
/// |---|---|
/// | an outage, a breaker opened, entries dropped, refusals or client ids displaced, no room for routes | warn |
/// | a buffer of the service's that is too small for a key | warn |
/// | weak secrets, a file rejected, old secrets displaced | warn |
/// | denied, a breaker closed, the keyring replaced, a file read again | info |
/// | granted, observed, a client upserted, an endpoint registered | debug |
#[cfg(feature = "log")]
#[derive(Debug, Clone, Copy, Default)]
pub struct LogObserver;

#[cfg(feature = "log")]
impl Observer for LogObserver {
    fn on_event(&self, event: &Event<'_>) {
        let level = match event.severity() {
            Severity::Warning => log::Level::Warn,
            Severity::Info => log::Level::Info,
            Severity::Debug => log::Level::Debug,
        };
        log::log!(target: "apikee", level, "{event}");
    }
}

/// Writes events to the `tracing` crate, under the target `apikee`, at the levels of `LogObserver`.
///
/// The message is the event's [name](Event::name). An event about a request has the fields `tenant`, `key_id`,
/// `key_prefix`, `method`, `route`, `path` and `address`, as far as they are known; a grant `basis`, and a denial
/// `code` and `class`. The field `line` is the whole event as one line of `key=value` pairs, escaped.
///
/// Events are written within the span that the request is in.
#[cfg(feature = "tracing")]
#[derive(Debug, Clone, Copy, Default)]
pub struct TracingObserver;

/// The level of an event is fixed where it is written.
#[cfg(feature = "tracing")]
macro_rules! write_event {
    ($severity:expr, $($fields:tt)*) => {
        match $severity {
            Severity::Warning => tracing::event!(target: "apikee", tracing::Level::WARN, $($fields)*),
            Severity::Info => tracing::event!(target: "apikee", tracing::Level::INFO, $($fields)*),
            Severity::Debug => tracing::event!(target: "apikee", tracing::Level::DEBUG, $($fields)*),
        }
    };
}

#[cfg(feature = "tracing")]
impl Observer for TracingObserver {
    fn on_event(&self, event: &Event<'_>) {
        let (audit, decision) = match event {
            Event::Granted { audit, basis, .. } => (audit, Ok(basis)),
            Event::Denied { audit, denial, .. } => (audit, Err(denial)),
            Event::Observed { audit, verdict } => (audit, verdict.as_ref()),
            _ => return write_event!(event.severity(), line = %event, "{}", event.name()),
        };
        write_event!(
            event.severity(),
            tenant = audit.tenant(),
            key_id = audit.key_id(),
            key_prefix = audit.key_prefix(),
            method = audit.method(),
            route = audit.route(),
            path = audit.path(),
            address = audit.address().map(tracing::field::display),
            basis = decision.ok().map(|basis| basis.name()),
            code = decision.err().map(|denial| denial.code()),
            class = decision.err().map(|denial| denial.class()),
            line = %event,
            "{}",
            event.name()
        );
    }
}
