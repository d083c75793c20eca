//! Events to the `log` crate.

use super::event::{Event, Observer};

/// Writes events to the `log` crate, under the target `apikee`.
///
/// | event | level |
/// |---|---|
/// | an outage, a breaker opened, entries dropped, refusals or client ids displaced | warn |
/// | denied, a breaker closed | info |
/// | granted, observed, a client upserted, an endpoint registered | debug |
#[derive(Debug, Clone, Copy, Default)]
pub struct LogObserver;

const TARGET: &str = "apikee";

impl Observer for LogObserver {
    fn on_event(&self, event: &Event<'_>) {
        match event {
            Event::Granted { basis, elapsed } => log::debug!(target: TARGET, "granted in {elapsed:?}: {basis}"),
            Event::Denied { denial, elapsed } => {
                log::info!(target: TARGET, "denied in {elapsed:?}: {}: {:?}", denial.code(), Line(denial));
            }
            Event::Observed { verdict: Ok(basis) } => log::debug!(target: TARGET, "observed: {basis}"),
            Event::Observed { verdict: Err(denial) } => {
                log::debug!(target: TARGET, "observed: {}: {:?}", denial.code(), Line(denial));
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
            Event::Dropped { total } => log::warn!(target: TARGET, "{total} entries of the queue dropped so far"),
        }
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
