//! What comes into the log, at the level that tells the most.

use std::sync::Mutex;

use apikee::client::UreqTransport;
use log::{LevelFilter, Log, Metadata, Record};

use super::{
    AMPLE,
    environment::runs_with,
    post,
    server::{OK, Server},
};

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Lines;

impl Log for Lines {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        LINES.lock().unwrap().push(record.args().to_string());
    }

    fn flush(&self) {}
}

#[test]
fn no_log_has_the_project_key() {
    // There is one logger for a process.
    if !runs_with("ureq::logs::no_log_has_the_project_key", &[]) {
        return;
    }
    log::set_logger(&Lines).unwrap();
    log::set_max_level(LevelFilter::Trace);
    let server = Server::answering(OK);
    let transport = UreqTransport::new(&server.url()).unwrap();
    for _ in 0..2 {
        post(&transport, AMPLE).unwrap();
    }
    assert_eq!(server.requests()[1].header("x-api-key"), ["sk_test_secret"]);

    let lines = LINES.lock().unwrap();
    // Bytes are dumped sixteen to a line, which ends with those that are ASCII.
    let dump: String = lines.iter().map(|line| &line[line.len().saturating_sub(16)..]).collect();
    assert!(dump.contains("/client/validate"), "nothing is dumped any more, so this test shows nothing");
    assert!(!dump.contains("sk_test") && !lines.concat().contains("sk_test"), "{lines:#?}");
}
