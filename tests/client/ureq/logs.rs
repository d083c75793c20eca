//! The content of the log at its most detailed level.

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
    // A process has only one logger.
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
    // Bytes are dumped sixteen to a line. The line ends with the ASCII characters.
    let dump: String = lines.iter().map(|line| &line[line.len().saturating_sub(16)..]).collect();
    assert!(dump.contains("/client/validate"), "the log has no dump of the bytes, so this test proves nothing");
    assert!(!dump.contains("sk_test") && !lines.concat().contains("sk_test"), "{lines:#?}");
}
