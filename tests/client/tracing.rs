//! Events in the `tracing` crate.

use std::{
    fmt::{self, Write as _},
    sync::{Arc, Mutex},
};

use apikee::client::TracingObserver;
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

use crate::{
    ask,
    platform::{Answer, CLIENT, Platform, key},
};

/// Records level and fields of each event, one event per line.
struct Recorder(Arc<Mutex<Vec<String>>>);

struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // The field `line` has its own tests, and times and ids differ each time.
        match field.name() {
            "line" => assert!(format!("{value:?}").starts_with("event=")),
            "key_id" => assert_ne!(format!("{value:?}"), "\"\""),
            name => write!(self.0, " {name}={value:?}").unwrap(),
        }
    }
}

impl Subscriber for Recorder {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "apikee"
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields(event.metadata().level().to_string());
        event.record(&mut fields);
        self.0.lock().unwrap().push(fields.0);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[test]
fn each_event_has_its_fields_and_not_the_key() {
    let lines = Arc::<Mutex<Vec<String>>>::default();
    let platform = Platform::new(|seen| if seen.is_validation() { Answer::status(503) } else { Answer::status(403) });
    let apikee = platform.builder().observer(TracingObserver).build().unwrap();
    let (good, unknown) = (key(CLIENT, "{}"), key("a\nb", "{}"));
    tracing::subscriber::with_default(Recorder(Arc::clone(&lines)), || {
        assert!(ask(&apikee, &good).is_ok());
        assert!(ask(&apikee, &unknown).is_err());
        assert!(ask(&apikee, "nonsense").is_err());
    });
    let prefix = &good[..12];
    assert_eq!(
        core::mem::take(&mut *lines.lock().unwrap()),
        [
            "WARN message=outage".to_owned(),
            format!(
                r#"INFO message=granted tenant="{CLIENT}" key_prefix="{prefix}" method="GET" route="/users" basis="failed_open""#
            ),
            format!(
                r#"INFO message=denied tenant="a\nb" key_prefix="{}" method="GET" route="/users" code="SERVER_REJECTED" class="rejected""#,
                &unknown[..12]
            ),
            r#"INFO message=denied method="GET" route="/users" code="INVALID_PREFIX" class="key""#.to_owned(),
        ]
    );

    // A refused project key denies every request.
    let platform = Platform::new(|_| Answer::status(401));
    let apikee = platform.builder().observer(TracingObserver).build().unwrap();
    tracing::subscriber::with_default(Recorder(Arc::clone(&lines)), || assert!(ask(&apikee, &good).is_err()));
    assert_eq!(
        *lines.lock().unwrap(),
        [format!(
            r#"WARN message=denied tenant="{CLIENT}" key_prefix="{prefix}" method="GET" route="/users" code="SERVER_FAULT" class="fault""#
        )]
    );
}
