//! Runs the bodies of the targets over their corpora, each input once: `cargo run --example replay`, in `fuzz`.
//! `tests/checks/trust/coverage/run` measures which code this reaches.

use std::{fs, path::Path};

use apikee_fuzz::bodies;

type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 17] = [
    ("answer", bodies::answer::body),
    ("authorize", bodies::authorize::body),
    ("base62", bodies::base62::body),
    ("breaker", bodies::breaker::body),
    ("guard", bodies::guard::body),
    ("issue_verify", bodies::issue_verify::body),
    ("json", bodies::json::body),
    ("msgpack", bodies::msgpack::body),
    ("open_client", bodies::open_client::body),
    ("open_recipient", bodies::open_recipient::body),
    ("payload", bodies::payload::body),
    ("percent", bodies::percent::body),
    ("refusals", bodies::refusals::body),
    ("request", bodies::request::body),
    ("sealed", bodies::sealed::body),
    ("transport", bodies::transport::body),
    ("verify", bodies::verify::body),
];

fn main() {
    // The control of the coverage check: reaches nothing.
    if std::env::args().nth(1).as_deref() == Some("nothing") {
        return;
    }
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (target, body) in TARGETS {
        let entries = fs::read_dir(corpus.join(target)).unwrap();
        let inputs: Vec<_> = entries.map(|entry| fs::read(entry.unwrap().path()).unwrap()).collect();
        inputs.iter().for_each(|input| body(input));
        println!("{target}: {} inputs", inputs.len());
    }
}
