//! Events for logs and metrics, their observers, and the text of an event: one line of `key=value` pairs.
//!
//! ```text
//! event=denied code=INSUFFICIENT_SCOPE class=scopes tenant="acme" key_id="31GnD7aYo8j6oPBo56j0i" key_prefix="apikee_2VPfZ"
//! method="GET" route="/admin" path="/admin" address=203.0.113.9 missing_scopes="admin" elapsed_us=9
//! ```
//!
//! (That is one line.) A value without quotes is a number, an address, a client's id, or one of a fixed set of words.
//! All other values are in quotes. They are escaped as `Debug` escapes a string, so that no value can forge a line or a
//! pair. Each is cut after [`MAX_VALUE_LEN`] bytes.

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

/// An event in a client. It contains no secret, no key and no header value. A denial contains the platform's own
/// [reason](Denial::reason), if there is one.
///
/// An [`Audit`] describes the request. Its method and path come from an untrusted caller: escape them in logs.
/// `Display` and `Debug` escape them.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Event<'e> {
    /// A request was granted.
    Granted {
        /// Who asked for what.
        audit: Audit<'e>,
        /// The reason for the grant.
        basis: Basis,
        /// Time that the decision took.
        elapsed: Duration,
    },
    /// A request was denied.
    Denied {
        /// Who asked for what.
        audit: Audit<'e>,
        /// The reason for the denial.
        denial: Denial<'e>,
        /// Time that the decision took.
        elapsed: Duration,
    },
    /// The platform's verdict on a request that did not wait for it, in
    /// [`Enforcement::Observe`](super::Enforcement::Observe). Each such request gets this event, or counts in
    /// [`Dropped`](Self::Dropped).
    Observed {
        /// Who asked for what.
        audit: Audit<'e>,
        /// The decision that [`Enforcement::Enforce`](super::Enforcement::Enforce) would have made.
        verdict: Result<Basis, Denial<'e>>,
    },
    /// A call to the platform, of any kind, ended in an outage.
    Outage {
        /// The kind of outage.
        outage: Outage,
    },
    /// The platform failed too often. It is not asked for a while.
    BreakerOpened,
    /// The platform answers again.
    BreakerClosed,
    /// The platform failed too often at requests of one client. It is not asked about them for a while. Not emitted if
    /// the same call changes the breaker for all, too.
    ClientBreakerOpened,
    /// The platform answers requests of such a client again. Not emitted if the same call changes the breaker for all,
    /// too.
    ClientBreakerClosed,
    /// A client's refusal was forgotten although it still applies. More clients failed or were refused than
    /// [`max_clients`](super::ApikeeBuilder::max_clients) has room for. A refused client may take two places: its id
    /// and its tenant's name.
    RefusalDisplaced {
        /// Number of places so far that were taken from refused clients.
        total: u64,
    },
    /// A tenant's client id was forgotten and must be looked up again. More tenants were looked up than
    /// [`max_client_ids`](super::ApikeeBuilder::max_client_ids) allows. The tenant that was stored first is forgotten.
    ClientIdDisplaced {
        /// Number of forgotten ids so far.
        total: u64,
    },
    /// A route was registered with the platform.
    EndpointRegistered {
        /// The route.
        method_path: MethodPath<'e>,
    },
    /// A client was created or replaced on the platform.
    ClientUpserted {
        /// The client's id.
        client: ClientId,
    },
    /// A route was not registered because there is no room. Later new routes are not registered either. This event is
    /// emitted once. The usual cause is a service that passes paths of requests as
    /// [routes](super::AuthorizeRequest::as_route).
    RoutesFull {
        /// Number of routes that there is room for.
        limit: usize,
    },
    /// An entry of the queue was dropped. There is no [`Observed`](Self::Observed) for it. The reason is one of these:
    ///
    /// - The queue was full, so its oldest entries were dropped.
    /// - The entry is larger than the queue.
    /// - The client was closed before the entry's turn, or had already been closed.
    /// - The secret of the entry's key was removed meanwhile.
    /// - The transport panicked.
    Dropped {
        /// Number of dropped entries so far.
        total: u64,
    },
    /// The secrets were replaced, for one of three reasons: [`set_keyring`](super::Apikee::set_keyring) was called, the
    /// secret file changed, or the grace period of an old secret ended. The last is reported by the client's thread or
    /// by the next request, whichever comes first.
    KeyringReplaced {
        /// Number of secrets that are accepted now.
        secrets: usize,
        /// Number of old secrets among them. They are accepted only for
        /// [`secret_grace`](super::ApikeeBuilder::secret_grace).
        retiring: usize,
        /// Number of old secrets that were removed before the end of their grace period, because a keyring holds at
        /// most [`MAX_SECRETS`](crate::key::MAX_SECRETS).
        displaced: usize,
    },
    /// Some secrets have fewer than [`STRONG_SECRET_LEN`](crate::key::STRONG_SECRET_LEN) bytes: an attacker who has a
    /// key can guess them by trial. This event is emitted when the client is built and when its secrets are replaced.
    WeakSecrets {
        /// Number of weak secrets.
        secrets: usize,
    },
    /// A file changed and its new content is in use, or a file that was rejected can be used again.
    FileRead {
        /// The file.
        file: WatchedFile,
        /// Number of secrets or fingerprints in the file.
        entries: usize,
    },
    /// A file cannot be used any more. Its previous content stays in use. The event is emitted once for each new
    /// problem.
    FileRejected {
        /// The file, and the problem.
        error: &'e FileError,
    },
}

/// The level of an event in a log.
#[cfg(any(feature = "log", feature = "tracing"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Severity {
    Warning,
    Info,
    Debug,
}

impl Event<'_> {
    /// The event's name in one word, for logs and metrics: `granted`, `breaker_opened`.
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
            // The service or its connection to the platform needs repair, and it may concern every request.
            | Self::Denied { denial: Denial::Fault(_) | Denial::Overload(_), .. }
            | Self::Observed { verdict: Err(Denial::Fault(_) | Denial::Overload(_)), .. }
            | Self::Observed { verdict: Ok(Basis::DespiteFault(_) | Basis::DespiteOverload(_)), .. }
            | Self::Granted { basis: Basis::DespiteFault(_) | Basis::DespiteOverload(_), .. }
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
            // Passed without the platform's consent.
            Self::Granted { basis: Basis::FailedOpen(_) | Basis::DespiteRejection, .. }
            | Self::Denied { .. }
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

/// Receives events. It is called on the thread of the request, or on the client's own thread.
///
/// - If an observer panics, the panic is caught and the request continues.
/// - If an observer blocks, its request waits, and no timeout of the client ends that. The client holds no lock
///   meanwhile, so other requests continue, except those that wait for the same look-up of a client.
///   So an observer must not call `authorize` for the same tenant.
///
/// A closure is an observer, too:
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
    /// Receives an event.
    fn on_event(&self, event: &Event<'_>);
}

impl<F: Fn(&Event<'_>) + Send + Sync> Observer for F {
    fn on_event(&self, event: &Event<'_>) {
        self(event);
    }
}

/// The receiver of a client's events.
#[derive(Clone, Default)]
pub(super) struct Events(Option<Arc<dyn Observer>>);

impl Events {
    pub(super) fn to(observer: impl Observer + 'static) -> Self {
        Self(Some(Arc::new(observer)))
    }

    /// The current time, if there is an observer that will receive the duration.
    pub(super) fn start(&self) -> Option<Instant> {
        self.0.as_ref().map(|_| Instant::now())
    }

    /// Emits the events for a file that was read again, or for new secrets.
    pub(super) fn report(&self, news: &News) {
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
            // `Observer` promises to catch panics: see the test `an_observer_that_panics_does_not_affect_requests`. No
            // state of the client is changed here, so a panic cannot leave it inconsistent.
            let _ = catch_unwind(AssertUnwindSafe(|| observer.on_event(event)));
        }
    }
}

/// A longer value is cut after this many bytes, and then ends in `...`.
const MAX_VALUE_LEN: usize = 256;

/// One line of `key=value` pairs, for logs. The first pair is the event's [name](Event::name).
///
/// Values that are not from a fixed set are quoted and escaped, so that no tenant and no path can forge a line. A value
/// is cut after 256 bytes, and then ends in `...`.
///
/// | key | value, for events about a request |
/// |---|---|
/// | `event` | the [name](Event::name) |
/// | `basis` | of a grant: [`Basis::name`] |
/// | `code`, `class` | of a denial: [`Denial::code`], [`Denial::class`] |
/// | `tenant`, `key_id`, `key_prefix`, `method`, `route`, `path`, `address` | from the [`Audit`]; an unknown value is left out |
/// | `missing_scopes` | of a denial, separated by commas |
/// | `cause` | the failure between the service and the platform, or the problem of the key |
/// | `elapsed_us` | time that the decision took, in microseconds |
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
            Self::RoutesFull { limit } => write!(f, r#" limit={limit} hint="pass route templates, not paths""#),
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

/// A pair with an escaped value.
fn text(f: &mut fmt::Formatter<'_>, name: &str, value: impl fmt::Display) -> fmt::Result {
    write!(f, " {name}=\"")?;
    write!(Escaped { f, room: Some(MAX_VALUE_LEN) }, "{value}")?;
    f.write_char('"')
}

/// Escapes the text, and cuts it.
struct Escaped<'f, 'g> {
    f: &'f mut fmt::Formatter<'g>,
    /// Bytes that may still be written. `None` after the value was cut.
    room: Option<usize>,
}

impl fmt::Write for Escaped<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            let Some(room) = self.room else {
                return Ok(());
            };
            // Like `Debug`: a single quote needs no escape inside double quotes.
            let mut escaped = c.escape_debug().skip(usize::from(c == '\''));
            self.room = room.checked_sub(escaped.clone().map(char::len_utf8).sum());
            if self.room.is_none() {
                return self.f.write_str("...");
            }
            escaped.try_for_each(|c| self.f.write_char(c))?;
        }
        Ok(())
    }
}

/// An error and its causes, separated by colons.
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

/// Scopes, separated by commas.
struct List<'m>(&'m MissingScopes<'m>);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().enumerate().try_for_each(|(at, scope)| {
            f.write_str(if at == 0 { "" } else { "," })?;
            f.write_str(scope)
        })
    }
}

/// Writes events to the `log` crate, with the target `apikee`. Each event is one line of `key=value` pairs: the
/// `Display` of [`Event`].
///
/// | event | level |
/// |---|---|
/// | an outage, a breaker opened, entries dropped, refusals or client ids displaced, no room for routes | warn |
/// | a fault or an overload, also if the [`Policy`](crate::Policy) admits it or the request was only observed | warn |
/// | the service's buffer is too small for a key | warn |
/// | weak secrets, a file rejected, old secrets displaced | warn |
/// | denied for another reason, a breaker closed, the keyring replaced, a file read again | info |
/// | granted in an outage, or although the platform refused the key | info |
/// | granted or observed otherwise, a client upserted, an endpoint registered | debug |
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
/// `key_prefix`, `method`, `route`, `path` and `address`, if they are known. A grant also has `basis`; a denial also
/// has `code` and `class`. The field `line` is the whole event as one line of `key=value` pairs, escaped.
///
/// Events are written within the span of the request.
#[cfg(feature = "tracing")]
#[derive(Debug, Clone, Copy, Default)]
pub struct TracingObserver;

/// A macro, because `tracing` needs the level of an event at compile time.
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
