//! Events in the `log` crate.

use std::{error::Error as _, sync::Mutex, time::Duration};

use apikee::{
    Basis, Denial, Event, Fault, Keyring, LogObserver, Observer as _, Outage, Overload, Rejection, WatchedFile,
};
use log::{LevelFilter, Log, Metadata, Record};

use crate::{
    ask,
    platform::{CLIENT, Platform, Told, key},
};

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Recorder;

impl Log for Recorder {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        if record.target() == "apikee" {
            LINES.lock().unwrap().push(format!("{} {}", record.level(), record.args()));
        }
    }

    fn flush(&self) {}
}

#[test]
fn what_happens_is_logged_on_one_line_each_and_without_the_key() {
    log::set_logger(&Recorder).unwrap();
    log::set_max_level(LevelFilter::Trace);
    let platform = Platform::new(|seen| if seen.is_validation() { Told::status(503) } else { Told::status(403) });
    let apikee = platform.builder().observer(LogObserver).build().unwrap();
    let (good, evil) = (key(CLIENT, "{}"), key("a\nb", "{}"));
    assert!(ask(&apikee, &good).is_ok());
    assert!(ask(&apikee, &evil).is_err());
    assert!(ask(&apikee, &good[1..]).is_err());
    let lines = LINES.lock().unwrap();
    let is = |at: usize, start: &str, end: &str| lines[at].starts_with(start) && lines[at].ends_with(end);
    assert!(is(0, "WARN the platform answered with status 503", ""), "{lines:?}");
    assert!(
        is(1, "DEBUG granted in ", ": let through in an outage: the platform answered with status 503"),
        "{lines:?}"
    );
    let rejected = "SERVER_REJECTED (rejected): \"the platform rejects the request: the platform forbids the request\"";
    assert!(is(2, "INFO denied in ", rejected), "{lines:?}");
    assert!(
        is(3, "INFO denied in ", "INVALID_PREFIX (key): \"the key is refused: the key does not start with 'apikee_'\""),
        "{lines:?}"
    );
    assert!(lines.iter().all(|line| !line.contains(&good[12..]) && !line.contains('\n')));
    drop(lines);

    let logged = |event: Event<'_>| {
        LogObserver.on_event(&event);
        LINES.lock().unwrap().pop().unwrap()
    };
    let rejection = Rejection::Forbidden;
    for (denial, end) in [
        (Denial::Revoked, r#"REVOKED (revoked): "the key is revoked""#),
        (Denial::Remembered(rejection), r#"SERVER_REJECTED (remembered): "#),
        (Denial::Outage(Outage::Dns), r#"SERVER_UNAVAILABLE (outage): "#),
        (Denial::Overload(Overload::OutOfResources), r#"SERVER_UNAVAILABLE (overload): "#),
        (Denial::Fault(Fault::Forked), r#"SERVER_FAULT (fault): "#),
    ] {
        for event in [Event::Denied { denial, elapsed: Duration::ZERO }, Event::Observed { verdict: Err(denial) }] {
            let line = logged(event);
            assert!(line.contains(&format!(": {end}")), "{line}");
            assert!(denial.source().is_none_or(|cause| line.contains(&cause.to_string())), "{line}");
        }
    }
    let basis = Basis::DespiteOverload(Overload::TooManyInFlight);
    assert!(logged(Event::Granted { basis, elapsed: Duration::ZERO }).ends_with(&basis.to_string()));
    assert_eq!(
        logged(Event::RoutesFull { limit: 1024 }),
        "WARN there is no room for more than 1024 routes: no other is registered"
    );
    assert_eq!(
        logged(Event::KeyringReplaced { secrets: 2, retiring: 1, displaced: 0 }),
        "INFO 2 secrets are accepted, 1 of them for a time only"
    );
    assert!(logged(Event::KeyringReplaced { secrets: 8, retiring: 7, displaced: 3 }).starts_with("WARN "));
    assert_eq!(
        logged(Event::WeakSecrets { secrets: 1 }),
        "WARN weak secrets: 1 of fewer than 16 bytes (apikee secret prints a new one)"
    );
    assert_eq!(
        logged(Event::FileRead { file: WatchedFile::DenyList, entries: 3 }),
        "INFO the deny-list was read again: 3 entries"
    );
    let error = &Keyring::from_file("no-such\nfile").unwrap_err();
    let line = logged(Event::FileRejected { error });
    assert!(line.starts_with("WARN what was read last stays in use: \"the secret file "), "{line}");
    assert!(line.contains("cannot be read") && !line.contains('\n'), "{line}");
}
