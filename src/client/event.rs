//! What happens, for logs and metrics.

use core::{panic::AssertUnwindSafe, time::Duration};
use std::{panic::catch_unwind, sync::Arc, time::Instant};

use super::{
    audit::Audit,
    file::{FileError, WatchedFile},
};
#[cfg(any(feature = "log", feature = "tracing"))]
use crate::key::KeyError;
use crate::{
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
        /// [`MAX_SECRETS`](crate::MAX_SECRETS).
        displaced: usize,
    },
    /// Secrets have fewer than [`STRONG_SECRET_LEN`](crate::STRONG_SECRET_LEN) bytes: whoever has a key may find them
    /// by trying. Told when the client is built and when its secrets are replaced.
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
pub(super) enum Severity {
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
    pub(super) const fn severity(&self) -> Severity {
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
/// use apikee::{Event, Observer};
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

    pub(super) fn emit(&self, event: &Event<'_>) {
        if let Some(observer) = &self.0 {
            // Nothing of ours is behind the observer, so nothing can be left half done.
            let _ = catch_unwind(AssertUnwindSafe(|| observer.on_event(event)));
        }
    }
}
