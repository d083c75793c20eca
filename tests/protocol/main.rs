//! The messages between a service and the platform: requests, envelopes, answers.
#![cfg(feature = "envelope")]

mod answers;
mod envelope;
mod http_vectors;
mod requests;
#[path = "../support/mod.rs"]
mod support;
