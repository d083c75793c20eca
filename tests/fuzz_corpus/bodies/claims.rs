//! Compares the claims that the library reads with those of the model.

use std::sync::LazyLock;

use apikee::{
    Keyring, UnixTime, VerifiedKey,
    key::{Encoding, UntrustedKey},
    meta::{Array, Meta, Text, Value},
};

use super::{
    model::{Claims, Number, Tree},
    trees::{self, is_message_pack},
};
use crate::support::{self, NOW, OTHER_SECRET, SECRET};

/// Accepts two secrets. The first one signs.
pub static RING: LazyLock<Keyring> = LazyLock::new(|| {
    let mut ring = Keyring::new(SECRET).unwrap();
    ring.accept(OTHER_SECRET).unwrap();
    ring
});

/// Signs the payload, and compares the library's result with `tree`.
pub fn check_payload(payload: &[u8], tree: Option<&Tree>) {
    // Numbers have no leading zeros, so a key cannot contain such a payload.
    if payload.len() > apikee::key::MAX_PAYLOAD_LEN || matches!(payload, [] | [0, ..]) {
        return;
    }
    check_signed(&support::key(SECRET, payload), payload, 0, tree);
}

/// Compares the library's result for a well-formed key with `tree`. The secret with this index signed the key.
pub fn check_signed(key: &str, payload: &[u8], secret_index: usize, tree: Option<&Tree>) {
    let expected = tree.and_then(Tree::claims);
    let mut buf = vec![0; apikee::verify_buffer_len(key.len())];
    let untrusted = UntrustedKey::read(key, &mut buf).expect("the key is well-formed");
    let encoding = if is_message_pack(payload) { Encoding::MessagePack } else { Encoding::Json };
    assert_eq!(untrusted.encoding, encoding);
    assert!(!untrusted.non_canonical);
    match (&untrusted.claims, &expected) {
        (Some(ours), Some(theirs)) => check_claims(ours.untrusted(), theirs),
        (ours, theirs) => assert!(ours.is_none() && theirs.is_none(), "{ours:?} instead of {theirs:?}"),
    }

    let mut buf = vec![0; apikee::verify_buffer_len(key.len())];
    for now in expected.as_ref().map_or(vec![NOW], times) {
        let answer = RING.verify(key, UnixTime::from_secs(now), &mut buf);
        let code = expected.as_ref().map_or(Some("DECODE_ERROR"), |claims| claims.code_at(now));
        assert_eq!(answer.as_ref().err().map(|error| error.code()), code, "at {now}");
        if let (Ok(verified), Some(claims)) = (&answer, &expected) {
            check_verified(verified, key, secret_index, claims);
        }
    }
}

/// Times just before and after each change of the result.
fn times(claims: &Claims) -> Vec<i64> {
    let mut times = vec![NOW];
    times.extend(claims.expires_at.iter().flat_map(|at| [*at, at.saturating_add(1)]));
    times.extend(claims.not_before.iter().flat_map(|at| [*at, at.saturating_sub(1)]));
    times
}

pub fn check_verified(verified: &VerifiedKey<'_>, key: &str, secret_index: usize, claims: &Claims) {
    assert_eq!(verified.raw(), key);
    assert_eq!(verified.prefix(), &key[..12]);
    assert_eq!(verified.secret_index(), secret_index);
    check_claims(verified.claims(), claims);
    let scopes: Vec<&str> = claims.scopes.iter().map(String::as_str).collect();
    assert!(verified.require(&scopes).is_ok());
}

pub fn check_claims(ours: &apikee::Claims<'_>, theirs: &Claims) {
    assert_eq!(ours.id(), theirs.id);
    assert_eq!(ours.tenant(), theirs.tenant);
    assert_eq!(ours.scopes().iter().collect::<Vec<_>>(), theirs.scopes);
    assert_eq!(ours.scopes().is_empty(), theirs.scopes.is_empty());
    assert!(theirs.scopes.iter().all(|scope| ours.scopes().contains(scope)));
    assert_eq!(ours.environment(), theirs.environment);
    assert_eq!(ours.expires_at().map(UnixTime::as_secs), theirs.expires_at);
    assert_eq!(ours.not_before().map(UnixTime::as_secs), theirs.not_before);
    check_object(&ours.meta(), &theirs.meta);
    assert_eq!(serde_json::to_value(ours).unwrap(), theirs.to_value());
}

fn check_object(ours: &Meta<'_>, theirs: &[(String, Tree)]) {
    assert_eq!(ours.iter().count(), theirs.len());
    assert_eq!(ours.is_empty(), theirs.is_empty());
    for ((name, value), (own_name, own_value)) in ours.iter().zip(theirs) {
        check_text(name, own_name);
        check_value(value, own_value);
        // NaN is not equal to itself.
        assert!(own_value.has_nan() || ours.get(own_name) == Some(value), "{own_name:?}");
    }
    if let Some(text) = ours.as_json() {
        let again = trees::json(text.as_bytes());
        assert_eq!(again, Some(Tree::Object(theirs.to_vec())));
    }
}

fn check_array(ours: &Array<'_>, theirs: &[Tree]) {
    assert_eq!(ours.iter().count(), theirs.len());
    ours.iter().zip(theirs).for_each(|(ours, theirs)| check_value(ours, theirs));
}

fn check_value(ours: Value<'_>, theirs: &Tree) {
    match (ours, theirs) {
        (Value::Null, Tree::Null) => {}
        (Value::Bool(ours), Tree::Bool(theirs)) => assert_eq!(ours, *theirs),
        (Value::Number(ours), Tree::Number(theirs)) => check_number(ours, theirs),
        (Value::String(ours), Tree::String(theirs)) => check_text(ours, theirs),
        (Value::Array(ours), Tree::Array(theirs)) => check_array(&ours, theirs),
        (Value::Object(ours), Tree::Object(theirs)) => check_object(&ours, theirs),
        (Value::Bytes(ours), Tree::Bytes(theirs)) => assert_eq!(ours, theirs),
        (Value::Extension(kind, ours), Tree::Extension(own, theirs)) => assert_eq!((kind, ours), (*own, &theirs[..])),
        _ => panic!("{ours:?} instead of {theirs:?}"),
    }
}

fn check_number(ours: apikee::meta::Number<'_>, theirs: &Number) {
    let integer = theirs.integer.as_ref();
    assert_eq!(ours.as_i64(), integer.and_then(|value| i64::try_from(*value).ok()));
    assert_eq!(ours.as_u64(), integer.and_then(|value| u64::try_from(*value).ok()));
    // Compares bits, so that NaN is equal to NaN.
    assert_eq!(ours.as_f64().map(f64::to_bits), Some(theirs.float.to_bits()));
}

fn check_text(ours: Text<'_>, theirs: &str) {
    assert!(ours == *theirs && ours == Text::from(theirs) && Text::from(theirs) == ours);
    assert!(ours.chars().eq(theirs.chars()));
    assert_eq!(ours.to_string(), theirs);
    assert_eq!(format!("{ours:?}"), format!("{theirs:?}"));
    assert!(ours.as_str().is_none_or(|text| text == theirs));
    let mut buf = vec![0; theirs.len()];
    assert_eq!(ours.read_into(&mut buf), Ok(theirs));
    if let Some((_, short)) = buf.split_first_mut() {
        assert_eq!(ours.read_into(short), Err(apikee::BufferTooSmall { needed: theirs.len() }));
    }
}
