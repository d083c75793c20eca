//! The client against a platform in the same process, and against none.
#![cfg(feature = "client")]

mod asking;
mod audits;
mod background;
mod configuration;
#[cfg(unix)]
mod fork;
mod gate;
mod issuing;
#[cfg(feature = "log")]
mod logging;
#[path = "../support/platform.rs"]
mod platform;
mod reload;
mod sealing;
#[cfg(feature = "tracing")]
mod tracing;

use apikee::{Apikee, AuthorizeRequest, Basis, Denial, MethodPath};

/// What becomes of a request with that key to the route `GET /users`, which needs the scope `read`.
fn ask(apikee: &Apikee, key: &str) -> Result<Basis, String> {
    ask_for(apikee, Some(key), &["read"])
}

fn ask_for(apikee: &Apikee, key: Option<&str>, scopes: &[&str]) -> Result<Basis, String> {
    let request = AuthorizeRequest::new(key, MethodPath::new("GET", "/users?page=2").unwrap());
    decide(apikee, &request.as_route().scopes(scopes))
}

fn decide(apikee: &Apikee, request: &AuthorizeRequest<'_, '_>) -> Result<Basis, String> {
    apikee.authorize(request).map(|grant| grant.basis()).map_err(told)
}

/// The code of a denial, and what is behind it.
fn told(denial: Denial<'_>) -> String {
    match std::error::Error::source(&denial) {
        Some(cause) => format!("{}: {cause}", denial.code()),
        None => denial.code().to_owned(),
    }
}
