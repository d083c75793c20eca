//! The client: with a platform in the same process, and without one; over `ureq`, with handwritten servers and with the
//! emulator.
#![cfg(feature = "client")]

mod asking;
mod audits;
mod background;
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
#[cfg(feature = "tracing")]
mod tracing;
#[cfg(feature = "ureq")]
mod ureq;

use apikee::{Apikee, Denial, client::AuthorizeRequest, policy::Basis, protocol::MethodPath};

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
