//! The guard without a server. Requests are views of a few fields.
#![cfg(feature = "web")]

#[cfg(any(feature = "http", feature = "tiny_http"))]
mod adapters;
mod addresses;
mod audits;
mod credentials;
mod disclosed;
mod grants;
#[cfg(feature = "openapi")]
mod openapi;
mod paths;
#[path = "../support/platform.rs"]
mod platform;
mod refusals;
mod smuggling;
#[path = "../support/mod.rs"]
mod support;
#[cfg(feature = "tiny_http")]
mod tiny_http;
#[cfg(feature = "tiny_http")]
mod wire;

use apikee::{
    Apikee,
    web::{Guard, RequestView},
};
use platform::{CLIENT, SECRET};

/// A guard in local mode.
fn guard() -> Guard {
    Guard::new(Apikee::builder().secret(SECRET).build().unwrap())
}

/// A good key with the scope `read`.
fn key() -> String {
    platform::key(CLIENT, "{}")
}

/// Header fields of a request. A look-up finds all fields, as [`apikee::web::HeaderLookup`] requires.
fn lookup<'r>(fields: &'r [(&'r str, &'r [u8])]) -> impl Fn(&str, usize) -> Option<&'r [u8]> {
    move |name: &str, nth: usize| {
        fields.iter().filter(|field| field.0.eq_ignore_ascii_case(name)).nth(nth).map(|field| field.1)
    }
}

/// The tenant of a request to `GET /users` with these fields, or the code of its refusal.
fn ask(guard: &Guard, fields: &[(&str, &[u8])]) -> Result<String, &'static str> {
    let lookup = lookup(fields);
    match guard.check(RequestView::new("GET", "/users", &lookup)) {
        Ok(grant) => Ok(grant.expect("the path is not excluded").key().claims().tenant().to_string()),
        Err(refusal) => Err(refusal.code()),
    }
}
