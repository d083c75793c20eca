//! Events to the `tracing` crate.

use tracing::{Level, event};

use super::event::{Event, Observer, Severity};

/// Writes events to the `tracing` crate, under the target `apikee`, at the levels of `LogObserver`.
///
/// The message is the event's [name](Event::name). An event about a request has the fields `tenant`, `key_id`,
/// `key_prefix`, `method`, `route`, `path` and `address`, as far as they are known; a grant `basis`, and a denial `code` and
/// `class`. The field `line` is the whole event as one line of `key=value` pairs, escaped.
///
/// Events are written within the span that the request is in.
#[derive(Debug, Clone, Copy, Default)]
pub struct TracingObserver;

/// The level of an event is fixed where it is written.
macro_rules! write_event {
    ($severity:expr, $($fields:tt)*) => {
        match $severity {
            Severity::Warning => event!(target: "apikee", Level::WARN, $($fields)*),
            Severity::Info => event!(target: "apikee", Level::INFO, $($fields)*),
            Severity::Debug => event!(target: "apikee", Level::DEBUG, $($fields)*),
        }
    };
}

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
