//! Events to the `log` crate.

use super::event::{Event, Observer};
use crate::policy::Denial;

/// Writes events to the `log` crate, under the target `apikee`.
///
/// | event | level |
/// |---|---|
/// | an outage, a breaker opened, entries dropped, refusals or client ids displaced, no room for routes | warn |
/// | weak secrets, a file rejected, old secrets displaced | warn |
/// | denied, a breaker closed, the keyring replaced, a file read again | info |
/// | granted, observed, a client upserted, an endpoint registered | debug |
///
/// A denial is its code, its [class](crate::Denial::class) and its causes:
/// `SERVER_UNAVAILABLE (overload): "the service is overloaded: .."`. A grant is its [`Basis`](crate::Basis).
#[derive(Debug, Clone, Copy, Default)]
pub struct LogObserver;

const TARGET: &str = "apikee";

impl Observer for LogObserver {
    fn on_event(&self, event: &Event<'_>) {
        match event {
            Event::Granted { basis, elapsed } => log::debug!(target: TARGET, "granted in {elapsed:?}: {basis}"),
            Event::Denied { denial, elapsed } => {
                log::info!(target: TARGET, "denied in {elapsed:?}: {}", Denied(denial));
            }
            Event::Observed { verdict: Ok(basis) } => log::debug!(target: TARGET, "observed: {basis}"),
            Event::Observed { verdict: Err(denial) } => {
                log::debug!(target: TARGET, "observed: {}", Denied(denial));
            }
            Event::Outage { outage } => log::warn!(target: TARGET, "{outage}"),
            Event::BreakerOpened => log::warn!(target: TARGET, "the circuit breaker opened"),
            Event::BreakerClosed => log::info!(target: TARGET, "the circuit breaker closed"),
            Event::ClientBreakerOpened => log::warn!(target: TARGET, "the circuit breaker opened for one client"),
            Event::ClientBreakerClosed => log::info!(target: TARGET, "the circuit breaker closed for one client"),
            Event::RefusalDisplaced { total } => {
                log::warn!(target: TARGET, "{total} refusals displaced so far: raise max_clients");
            }
            Event::ClientIdDisplaced { total } => {
                log::warn!(target: TARGET, "{total} client ids displaced so far: raise max_client_ids");
            }
            Event::EndpointRegistered { method_path } => {
                log::debug!(target: TARGET, "registered {:?}", std::string::ToString::to_string(method_path));
            }
            Event::ClientUpserted { client } => log::debug!(target: TARGET, "upserted client {client}"),
            Event::RoutesFull { limit } => {
                log::warn!(target: TARGET, "there is no room for more than {limit} routes: no other is registered");
            }
            Event::Dropped { total } => log::warn!(target: TARGET, "{total} entries of the queue dropped so far"),
            Event::KeyringReplaced { secrets, retiring, displaced: 0 } => {
                log::info!(target: TARGET, "{secrets} secrets are accepted, {retiring} of them for a time only");
            }
            Event::KeyringReplaced { secrets, retiring, displaced } => log::warn!(
                target: TARGET,
                "{secrets} secrets are accepted, {retiring} of them for a time only, and for {displaced} others there \
                 is no room"
            ),
            Event::WeakSecrets { secrets } => log::warn!(
                target: TARGET,
                "weak secrets: {secrets} of fewer than {} bytes (apikee secret prints a new one)",
                crate::key::STRONG_SECRET_LEN
            ),
            Event::FileRead { file, entries } => {
                log::info!(target: TARGET, "the {file} was read again: {entries} entries");
            }
            Event::FileRejected { error } => {
                log::warn!(target: TARGET, "what was read last stays in use: {:?}", Line(*error));
            }
        }
    }
}

/// A denial for people: its code, its class, and its causes.
struct Denied<'d>(&'d Denial<'d>);

impl core::fmt::Display for Denied<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} ({}): {:?}", self.0.code(), self.0.class(), Line(self.0))
    }
}

/// An error and its causes, as one string whose line breaks and control characters are escaped.
struct Line<'e>(&'e dyn core::error::Error);

impl core::fmt::Debug for Line<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let mut line = std::string::ToString::to_string(self.0);
        let mut cause = self.0.source();
        while let Some(error) = cause {
            line.push_str(": ");
            line.push_str(&std::string::ToString::to_string(error));
            cause = error.source();
        }
        core::fmt::Debug::fmt(&line, f)
    }
}
