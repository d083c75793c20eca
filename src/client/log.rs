//! Events to the `log` crate.

use super::event::{Event, Observer, Severity};

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
#[derive(Debug, Clone, Copy, Default)]
pub struct LogObserver;

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
