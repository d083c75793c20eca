//! Events in the `log` crate.

use std::{error::Error as _, sync::Mutex, time::Duration};

use apikee::{
    Denial, KeyError, Keyring,
    client::{Audit, Event, LogObserver, Observer as _, WatchedFile},
    policy::{Basis, Fault, Outage, Overload, Rejection},
};
use log::{LevelFilter, Log, Metadata, Record};

use crate::{
    ask,
    platform::{Answer, CLIENT, Platform, key},
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
fn each_event_is_logged_on_one_line_and_without_the_key() {
    log::set_logger(&Recorder).unwrap();
    log::set_max_level(LevelFilter::Trace);
    let platform = Platform::new(|seen| if seen.is_validation() { Answer::status(503) } else { Answer::status(403) });
    let apikee = platform.builder().observer(LogObserver).build().unwrap();
    let (good, evil) = (key(CLIENT, "{}"), key("a\nb", "{}"));
    assert!(ask(&apikee, &good).is_ok());
    assert!(ask(&apikee, &evil).is_err());
    assert!(ask(&apikee, &good[1..]).is_err());
    let lines = LINES.lock().unwrap();
    let is = |at: usize, start: &str, end: &str| lines[at].starts_with(start) && lines[at].contains(end);
    assert!(is(0, r#"WARN event=outage cause="the platform answered with status 503""#, ""), "{lines:?}");
    let cause = r#" cause="the platform answered with status 503""#;
    assert!(is(1, "INFO event=granted basis=failed_open tenant=", cause), "{lines:?}");
    let cause = r#" cause="the platform forbids the request""#;
    let start = r#"INFO event=denied code=SERVER_REJECTED class=rejected tenant="a\nb" key_id=""#;
    assert!(is(2, start, cause), "{lines:?}");
    let start = r#"INFO event=denied code=INVALID_PREFIX class=key method="GET" route="/users" cause="#;
    assert!(is(3, start, r#"cause="the key does not start with 'apikee_'" elapsed_us="#), "{lines:?}");
    assert!(lines.iter().all(|line| !line.contains(&good[12..]) && !line.contains('\n')));
    drop(lines);

    let logged = |event: Event<'_>| {
        LogObserver.on_event(&event);
        LINES.lock().unwrap().pop().unwrap()
    };
    let (audit, elapsed) = (Audit::default(), Duration::from_micros(1500));
    let rejection = Rejection::Forbidden;
    for (denial, expected) in [
        (Denial::Revoked, "code=REVOKED class=revoked"),
        (Denial::Remembered(rejection), "code=SERVER_REJECTED class=remembered"),
        (Denial::Outage(Outage::Dns), "code=SERVER_UNAVAILABLE class=outage"),
        (Denial::Overload(Overload::OutOfResources), "code=SERVER_UNAVAILABLE class=overload"),
        (Denial::Overload(Overload::TooManyInFlight), "code=SERVER_UNAVAILABLE class=overload"),
        (Denial::Fault(Fault::Forked), "code=SERVER_FAULT class=fault"),
        (Denial::Fault(Fault::ProjectKeyRefused), "code=SERVER_FAULT class=fault"),
        (Denial::Fault(Fault::UntrustedCertificate), "code=SERVER_FAULT class=fault"),
    ] {
        // Somebody must repair these, so they are never below the level `warn`.
        let repair = matches!(denial, Denial::Overload(_) | Denial::Fault(_));
        let levels = if repair { ["WARN", "WARN"] } else { ["INFO", "DEBUG"] };
        let cause = denial.source().map(|cause| format!(" cause=\"{cause}\"")).unwrap_or_default();
        let line = logged(Event::Denied { audit, denial, elapsed });
        assert_eq!(line, format!("{} event=denied {expected}{cause} elapsed_us=1500", levels[0]));
        let line = logged(Event::Observed { audit, verdict: Err(denial) });
        assert_eq!(line, format!("{} event=observed {expected}{cause}", levels[1]));
    }
    let overload = Overload::TooManyInFlight;
    assert_eq!(
        logged(Event::Granted { audit, basis: Basis::DespiteOverload(overload), elapsed }),
        format!("WARN event=granted basis=despite_overload cause=\"{overload}\" elapsed_us=1500")
    );
    let basis = Basis::DespiteFault(Fault::ProjectKeyRefused);
    for event in [Event::Granted { audit, basis, elapsed }, Event::Observed { audit, verdict: Ok(basis) }] {
        assert!(logged(event).starts_with("WARN "), "{event}");
    }
    let basis = Basis::DespiteRejection;
    assert!(logged(Event::Granted { audit, basis, elapsed }).starts_with("INFO "));
    let basis = Basis::Confirmed;
    for event in [Event::Granted { audit, basis, elapsed }, Event::Observed { audit, verdict: Ok(basis) }] {
        assert!(logged(event).starts_with("DEBUG "), "{event}");
    }
    let denial = Denial::Key(KeyError::BufferTooSmall { needed: 99 });
    assert_eq!(
        logged(Event::Denied { audit, denial, elapsed }),
        "WARN event=denied code=BUFFER_TOO_SMALL class=buffer \
         cause=\"the buffer is too small for the key: 99 bytes are needed\" elapsed_us=1500"
    );
    assert_eq!(
        logged(Event::RoutesFull { limit: 1024 }),
        r#"WARN event=routes_full limit=1024 hint="pass route templates, not paths""#
    );
    assert_eq!(
        logged(Event::KeyringReplaced { secrets: 2, retiring: 1, displaced: 0 }),
        "INFO event=keyring_replaced secrets=2 retiring=1 displaced=0"
    );
    assert!(logged(Event::KeyringReplaced { secrets: 8, retiring: 7, displaced: 3 }).starts_with("WARN "));
    assert_eq!(
        logged(Event::WeakSecrets { secrets: 1 }),
        r#"WARN event=weak_secrets secrets=1 hint="apikee secret prints a strong one""#
    );
    assert_eq!(
        logged(Event::FileRead { file: WatchedFile::DenyList, entries: 3 }),
        r#"INFO event=file_read file="deny-list" entries=3"#
    );
    let error = &Keyring::from_file("no-such\nfile").unwrap_err();
    let line = logged(Event::FileRejected { error });
    assert!(line.starts_with(r#"WARN event=file_rejected cause="the secret file "#), "{line}");
    assert!(line.contains("cannot be read") && !line.contains('\n'), "{line}");
}
