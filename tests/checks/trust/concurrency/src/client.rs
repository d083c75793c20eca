//! The files of the client under test, and those that they need.

#[path = "../../../../../src/client/background.rs"]
mod background;
#[path = "../../../../../src/client/event.rs"]
mod event;
#[path = "../../../../../src/client/files.rs"]
mod files;
#[path = "../../../../../src/client/gate.rs"]
mod gate;
#[path = "../../../../../src/client/request.rs"]
mod request;
#[path = "../../../../../src/client/revocations.rs"]
mod revocations;
#[path = "../../../../../src/client/secrets.rs"]
mod secrets;

#[path = "scenarios.rs"]
pub mod scenarios;
