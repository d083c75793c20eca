//! Everything that a service does with a key: verification, scopes, the deny-list, look-ups.

use core::{ffi::c_int, hint::black_box, time::Duration};

use apikee::{
    Fingerprint, KeyError, UnixTime, VerifiedKey,
    key::{DenyList, log_prefix},
    meta::{Array, Meta, Text, Value},
};

use crate::Arguments;

/// Arguments: `ROOM NOW LEEWAY KEY SCOPE MEMBER DENIED SECRET...`. The key `-` means no key. The exit code is 0 if the
/// key is good.
///
/// `with` is called with a good key.
pub fn run(arguments: &mut Arguments, with: impl FnOnce(&VerifiedKey<'_>)) -> c_int {
    let mut room = [0; 8192];
    let room = arguments.part_of(&mut room);
    let now = UnixTime::from_secs(arguments.number());
    let leeway = Duration::from_secs(arguments.number().unsigned_abs());
    let key = arguments.bytes();
    let (scope, member) = (arguments.text(), arguments.text());
    let denied = [arguments.text().parse().unwrap_or(Fingerprint::of(member)), Fingerprint::of(scope)];
    let Some(mut keys) = arguments.keyring() else {
        return 64;
    };
    keys.set_leeway(leeway);

    let header = (key != b"-").then_some(key);
    let key = match keys.verify_header(header, now, room) {
        Ok(key) => key,
        Err(error) => return refused(error),
    };
    if DenyList::new(&denied).or(DenyList::new(&denied[..1])).is_ok_and(|list| list.contains(&key.fingerprint())) {
        return 20;
    }
    if let Err(missing) = key.require(&[scope]) {
        missing.iter().for_each(show);
        show((missing.code(), missing.http_status()));
        return 21;
    }
    look_at(&key, member);
    with(&key);
    0
}

fn refused(error: KeyError) -> c_int {
    show((error.code(), error.http_status()));
    match error {
        KeyError::Missing => 10,
        KeyError::InvalidPrefix => 11,
        KeyError::InvalidFormat => 12,
        KeyError::Decode => 13,
        KeyError::BufferTooSmall { .. } => 14,
        KeyError::InvalidSignature => 15,
        KeyError::Expired => 16,
        KeyError::NotYetValid => 17,
        _ => 63,
    }
}

/// Makes the compiler assume that the value is used.
fn show<T>(value: T) {
    black_box(value);
}

fn look_at(key: &VerifiedKey<'_>, member: &str) {
    show((key.secret_index(), key.raw(), key.prefix(), log_prefix(member)));
    let claims = key.claims();
    show((claims.id(), claims.tenant(), claims.environment(), claims.expires_at(), claims.not_before()));
    show(claims.scopes().is_empty());
    claims.scopes().iter().for_each(show);
    let meta = claims.meta();
    show((meta.as_bytes(), meta.as_json(), meta.encoding(), meta.is_empty()));
    show((meta.get_i64(member), meta.get_u64(member), meta.get_bool(member)));
    show(meta.get_str(member).is_some_and(|text| text == member));
    meta.get_str(member).into_iter().for_each(look_at_text);
    meta.get_object(member).into_iter().for_each(look_at_object);
    meta.get_array(member).into_iter().for_each(look_at_array);
    look_at_object(meta);
}

/// Calls all functions except `Number::as_f64`, because `core` reads decimal fractions with bounds checks. Does not
/// visit nested objects and arrays: the same functions read their members.
fn look_at_object(object: Meta<'_>) {
    for (name, value) in object {
        look_at_text(name);
        look_at_value(value);
    }
}

fn look_at_array(array: Array<'_>) {
    array.into_iter().for_each(look_at_value);
}

fn look_at_value(value: Value<'_>) {
    match value {
        Value::Number(number) => show((number.as_i64(), number.as_u64())),
        Value::String(text) => look_at_text(text),
        other => show(other),
    }
}

fn look_at_text(text: Text<'_>) {
    let mut copy = [0; 64];
    show(text.as_str());
    show(text.read_into(&mut copy));
    text.chars().for_each(show);
}
