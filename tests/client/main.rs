//! The client: with a platform in the same process, and without one; over `ureq`, with handwritten servers and with the
//! emulator.
#![cfg(feature = "client")]

mod asking;
mod audits;
mod background;
#[cfg(all(feature = "ureq", feature = "emulator"))]
#[path = "../support/closed.rs"]
mod closed;
mod configuration;
#[cfg(all(feature = "ureq", feature = "emulator"))]
#[path = "../support/faults.rs"]
mod faults;
#[cfg(unix)]
mod fork;
mod gate;
mod issuing;
#[cfg(feature = "log")]
mod logging;
#[path = "../support/platform.rs"]
mod platform;
#[cfg(all(feature = "ureq", feature = "emulator"))]
mod refusals;
mod reload;
mod sealing;
#[cfg(all(feature = "ureq", feature = "emulator"))]
mod server_mode;
#[path = "../support/mod.rs"]
mod support;
#[cfg(feature = "tracing")]
mod tracing;
#[cfg(feature = "ureq")]
mod ureq;

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use apikee::{Apikee, Denial, client::AuthorizeRequest, policy::Basis, protocol::MethodPath};

/// Far longer than any step of these tests takes.
const LONG: Duration = Duration::from_secs(60);

/// Waits until the condition holds.
#[track_caller]
fn wait_until(mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < LONG, "the condition never held");
        thread::yield_now();
    }
}

/// Starts this program of tests again, in a process that may open few files.
#[cfg(target_os = "linux")]
fn with_few_descriptors() -> std::process::Command {
    let mut command = std::process::Command::new("sh");
    command.args(["-c", r#"ulimit -n 64 && exec "$0" "$@""#]).arg(std::env::current_exe().unwrap());
    command
}

/// Opens files until no descriptor is left.
#[cfg(target_os = "linux")]
fn all_descriptors() -> Vec<std::fs::File> {
    let mut files = Vec::new();
    loop {
        match std::fs::File::open("/dev/null") {
            Ok(file) => files.push(file),
            Err(error) => {
                assert_eq!(error.raw_os_error(), Some(24), "{error}");
                return files;
            }
        }
    }
}

/// Sets the flag when it is dropped: the threads that wait for the flag must also end when an assertion fails.
struct SetOnDrop<'f>(&'f AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The decision on a request with this key to the route `GET /users`, which needs the scope `read`.
fn ask(apikee: &Apikee, key: &str) -> Result<Basis, String> {
    ask_for(apikee, Some(key), &["read"])
}

fn ask_for(apikee: &Apikee, key: Option<&str>, scopes: &[&str]) -> Result<Basis, String> {
    let request = AuthorizeRequest::new(key, MethodPath::new("GET", "/users?page=2").unwrap());
    decide(apikee, &request.as_route().scopes(scopes))
}

fn decide(apikee: &Apikee, request: &AuthorizeRequest<'_, '_>) -> Result<Basis, String> {
    apikee.authorize(request).map(|grant| grant.basis()).map_err(code_and_cause)
}

/// The code of a denial, and its cause.
fn code_and_cause(denial: Denial<'_>) -> String {
    match std::error::Error::source(&denial) {
        Some(cause) => format!("{}: {cause}", denial.code()),
        None => denial.code().to_owned(),
    }
}
