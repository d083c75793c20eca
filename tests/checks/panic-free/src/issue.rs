//! Issuing a key.

use core::ffi::c_int;

use apikee::{
    Expiry, NewKey, UnixTime,
    key::{Encoding, IssueError},
    meta::JsonObject,
};

use crate::{Arguments, generator::Generator};

/// Arguments: `ROOM NOW TENANT SCOPE ENVIRONMENT EXPIRES NOT-BEFORE META SEED SECRET...`. The exit code is 0 if a key
/// was issued and the same secrets verify it.
///
/// JSON is the default. `encoding` is not set for it, so that the program does not contain the code of the other one.
pub fn run(arguments: &mut Arguments, encoding: Option<Encoding>) -> c_int {
    let mut room = [0; 1024];
    let room = arguments.part_of(&mut room);
    let now = UnixTime::from_secs(arguments.number());
    let tenant = arguments.text();
    let scopes = [arguments.text()];
    let environment = arguments.text();
    let expires = Expiry::At(UnixTime::from_secs(arguments.number()));
    let not_before = UnixTime::from_secs(arguments.number());
    let Ok(meta) = JsonObject::new(arguments.text()) else {
        return 65;
    };
    let new = NewKey::new(tenant).scopes(&scopes).environment(environment).meta(meta);
    let mut new = new.expires(expires).not_before(not_before);
    if let Some(encoding) = encoding {
        new = new.encoding(encoding);
    }
    let mut rng = Generator(arguments.number().unsigned_abs());
    let Some(keys) = arguments.keyring() else {
        return 64;
    };
    let key = match keys.issue(&new, now, &mut rng, room) {
        Ok(key) => key,
        Err(IssueError::BufferTooSmall { .. }) => return 10,
        Err(IssueError::TooLong) => return 11,
        Err(IssueError::TimeOutOfRange) => return 12,
        Err(IssueError::UnusableId) => return 13,
        Err(IssueError::Rng) => return 14,
        Err(IssueError::IntegerTooLarge) => return 16,
        Err(_) => return 63,
    };
    let mut room = [0; 1024];
    match keys.verify(key, now, &mut room) {
        Ok(key) if key.claims().tenant() == tenant => 0,
        _ => 15,
    }
}
