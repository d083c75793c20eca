//! Keys: verified with the vector's secrets and time.

use apikee::{
    Keyring, UnixTime, VerifiedKey,
    meta::{Meta, Number, Value},
};

use super::Outcome;

pub struct KeyCase {
    pub name: &'static str,
    pub secrets: &'static [&'static str],
    pub key: &'static str,
    pub now: i64,
    pub expected: Expected,
}

pub enum Expected {
    Claims {
        id: &'static str,
        tenant: &'static str,
        scopes: &'static [&'static str],
        environment: &'static str,
        expires_at: Option<i64>,
        not_before: Option<i64>,
        meta: Json,
    },
    /// Refused with one of these codes.
    Refused(&'static [&'static str]),
}

/// A value in a vector.
pub enum Json {
    Null,
    #[allow(dead_code, reason = "not all vectors contain one")]
    Bool(bool),
    Int(i64),
    #[allow(dead_code, reason = "not all vectors contain one")]
    UInt(u64),
    #[allow(dead_code, reason = "not all vectors contain one")]
    Float(f64),
    String(&'static str),
    Array(&'static [Json]),
    Object(&'static [(&'static str, Json)]),
}

pub fn check(case: &KeyCase, buf: &mut [u8]) -> Outcome {
    let (first, others) = case.secrets.split_first().ok_or("no secret")?;
    let mut keys = Keyring::new(first.as_bytes()).map_err(|_| "the secret is refused")?;
    for secret in others {
        keys.accept(secret.as_bytes()).map_err(|_| "a secret is refused")?;
    }
    match (keys.verify_header(Some(case.key), UnixTime::from_secs(case.now), buf), &case.expected) {
        (Ok(key), Expected::Claims { .. }) => same_claims(case, &key),
        (Err(error), Expected::Refused(codes)) if codes.contains(&error.code()) => Ok(()),
        (Ok(_), Expected::Refused(_)) => Err("accepted"),
        (Err(error), _) => Err(error.code()),
    }
}

fn same_claims(case: &KeyCase, key: &VerifiedKey<'_>) -> Outcome {
    let Expected::Claims { id, tenant, scopes, environment, expires_at, not_before, meta } = &case.expected else {
        return Err("no claims to compare with");
    };
    let claims = key.claims();
    let seconds = |time: Option<UnixTime>| time.map(|time| time.as_secs());
    let Json::Object(members) = meta else {
        return Err("the expected meta is not an object");
    };
    for (same, what) in [
        (key.raw() == case.key, "the raw key differs"),
        (claims.id() == *id, "the id differs"),
        (claims.tenant() == *tenant, "the tenant differs"),
        (claims.scopes().iter().eq(scopes.iter().copied()), "the scopes differ"),
        (claims.environment() == *environment, "the environment differs"),
        (seconds(claims.expires_at()) == *expires_at, "the expiry differs"),
        (seconds(claims.not_before()) == *not_before, "the not-before time differs"),
        (same_object(&claims.meta(), members), "the meta differs"),
    ] {
        if !same {
            return Err(what);
        }
    }
    Ok(())
}

fn same_object(ours: &Meta<'_>, theirs: &[(&str, Json)]) -> bool {
    ours.iter().count() == theirs.len()
        && theirs.iter().all(|(name, value)| ours.get(name).is_some_and(|own| same(&own, value)))
}

fn same(ours: &Value<'_>, theirs: &Json) -> bool {
    match (ours, theirs) {
        (Value::Null, Json::Null) => true,
        (Value::Bool(ours), Json::Bool(theirs)) => ours == theirs,
        (Value::Number(ours), _) => same_number(ours, theirs),
        (Value::String(ours), Json::String(theirs)) => ours == theirs,
        (Value::Array(ours), Json::Array(theirs)) => {
            ours.iter().count() == theirs.len() && ours.iter().zip(*theirs).all(|(ours, theirs)| same(&ours, theirs))
        }
        (Value::Object(ours), Json::Object(theirs)) => same_object(ours, theirs),
        _ => false,
    }
}

/// Compares by value, because JSON does not say whether 1e21 is an integer.
fn same_number(ours: &Number<'_>, theirs: &Json) -> bool {
    match *theirs {
        Json::Int(value) => ours.as_i64() == Some(value),
        Json::UInt(value) => ours.as_u64() == Some(value),
        Json::Float(value) => ours.as_f64() == Some(value),
        _ => false,
    }
}
