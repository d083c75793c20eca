//! Keys: good keys, every refusal in the order of the checks, golden cases of the published SDKs, and the time of a
//! verification.

use std::{
    error::Error,
    hint::black_box,
    io::Write as _,
    time::{Duration, Instant},
};

use apikee::{
    Expiry, Fingerprint, KeyError, KeyId, Keyring, NewKey, UnixTime, VerifiedKey,
    key::{DenyList, IssueError, KeyringError, MAX_PAYLOAD_LEN},
    meta::JsonObject,
};
use serde_json::Value;

use super::{NOW, SECRET, Shown, Stage, changed};
use crate::report::{self, Refusal};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn keyring() -> Result<Keyring, KeyringError> {
    Keyring::new(SECRET)
}

/// Issues a key at [`NOW`], with an id that is the same every time.
fn issue(keys: &Keyring, new: &NewKey<'_>) -> Result<String, IssueError> {
    let mut buf = [0; 1024];
    keys.issue_with_id(new, KeyId::new(NOW, [7; 10]).as_str(), NOW, &mut buf).map(str::to_owned)
}

pub(super) fn issue_and_verify(stage: &mut Stage) -> Shown {
    stage.heading("A key is issued, and verified with nothing but the secret")?;
    let keys = keyring()?;
    let key = issue(
        &keys,
        &NewKey::new("acme-corp").scopes(&["read", "write"]).meta(JsonObject::new(r#"{"plan": "pro"}"#)?),
    )?;
    writeln!(stage.out, "  {key}\n")?;
    let mut buf = [0; 1024];
    let verified = keys.verify(&key, NOW, &mut buf);
    if let Ok(key) = &verified {
        report::verified(&mut stage.out, key, NOW)?;
        writeln!(stage.out)?;
    }
    stage.verified("this key", "ok", &verified)
}

pub(super) fn rotate(stage: &mut Stage) -> Shown {
    stage.heading("A secret is replaced while its keys are still in use")?;
    let old_key = issue(&keyring()?, &NewKey::new("acme-corp"))?;
    let mut keys = Keyring::new(b"the new secret")?;
    keys.accept(SECRET)?;
    let new_key = issue(&keys, &NewKey::new("acme-corp"))?;
    let mut buf = [0; 1024];
    stage.verified("new key", "ok", &keys.verify(&new_key, NOW, &mut buf))?;
    stage.verified("old key, its secret still accepted", "ok", &keys.verify(&old_key, NOW, &mut buf))?;
    let keys = Keyring::new(b"the new secret")?;
    stage.verified("old key, its secret dropped", "INVALID_SIGNATURE", &keys.verify(&old_key, NOW, &mut buf))
}

pub(super) fn refuse(stage: &mut Stage) -> Shown {
    stage.heading("Refused keys and their codes")?;
    let keys = keyring()?;
    let key = issue(&keys, &NewKey::new("acme-corp").scopes(&["read"]).expires(Expiry::After(DAY)))?;
    let later = NOW.checked_add_secs(2 * DAY.as_secs()).ok_or("the demo's clock is off")?;
    let not_yet = issue(&keys, &NewKey::new("acme-corp").not_before(later))?;
    let unsigned = key.split_once('.').map_or("", |(payload, _)| payload);
    let respelt = key.replacen("apikee_", "apikee_0", 1);
    // Changes a character in the middle of the payload.
    let tampered = changed(&key, unsigned.len() / 2);
    let forged = issue(&Keyring::new(b"a forger's guess")?, &NewKey::new("acme-corp"))?;

    let mut buf = [0; 1024];
    let cases: [(&str, Option<&str>, UnixTime, KeyError); 8] = [
        ("no key at all", None, NOW, KeyError::Missing),
        ("another service's key", Some("sk_live_4242"), NOW, KeyError::InvalidPrefix),
        ("a key without its signature", Some(unsigned), NOW, KeyError::InvalidFormat),
        ("a key respelt with a leading zero", Some(&respelt), NOW, KeyError::Decode),
        ("a key with a digit changed", Some(&tampered), NOW, KeyError::InvalidSignature),
        ("a key signed with another secret", Some(&forged), NOW, KeyError::InvalidSignature),
        ("a key past its expiry", Some(&key), later, KeyError::Expired),
        ("a key before its time", Some(&not_yet), NOW, KeyError::NotYetValid),
    ];
    for (tried, key, now, error) in cases {
        stage.verified(tried, error.code(), &keys.verify_header(key, now, &mut buf))?;
    }

    let verified = keys.verify(&key, NOW, &mut buf)?;
    let missing = verified.require(&["read", "admin"]).err().map(Refusal::from);
    let denied = DenyList::new(&[Fingerprint::of(verified.raw())])?.contains(&verified.fingerprint());
    for (tried, expected, refusal) in [
        ("a key without the scope admin", "INSUFFICIENT_SCOPE", missing),
        ("a key on the deny-list", Refusal::revoked().code, denied.then(Refusal::revoked)),
    ] {
        let Refusal { code, message } = refusal.unwrap_or(Refusal { code: "ok", message: String::new() });
        stage.outcome(tried, expected, code, message)?;
    }
    Ok(())
}

// Golden cases made with the published SDKs. The tests run them, too. The demo shows our results and those of the SDKs.

const VECTORS: &str = include_str!("../../../../tests/vectors/keys.json");

/// Golden cases by name, each with a remark.
const SHOWN: [(&str, &str); 6] = [
    ("json-tenant-1", "JSON, as all SDKs read it"),
    ("json-tenant-8", "JSON with escapes, as the Python SDK writes it"),
    ("msgpack-tenant-30", "MessagePack of the Python SDK, which the Node SDK cannot read"),
    ("json-signature-leading-zero-2-860", "an SDK issued it, and both SDKs refuse it, like 1 in 256 of their keys"),
    ("bad-noncanonical-zeros-both", "respelt with leading zeros: the deny-list of an SDK misses it"),
    ("bad-shape-exp-string", "signed by hand, with an expiry that is not a number: for Node it never expires"),
];

pub(super) fn golden_cases(stage: &mut Stage) -> Shown {
    stage.heading("Keys made with the published SDKs, and how the SDKs answer")?;
    let file: Value = serde_json::from_str(VECTORS)?;
    let vectors = file["vectors"].as_array().ok_or("there are no golden cases")?;
    for (name, remark) in SHOWN {
        let vector = vectors.iter().find(|vector| vector["name"] == name).ok_or("a golden case is missing")?;
        let mut buf = [0; MAX_PAYLOAD_LEN];
        let verified = verify_case(vector, &mut buf)?;
        let expected = &vector["expect"];
        let code = expected["code"].as_str().unwrap_or("ok");
        let came = match &verified {
            Ok(key) if same_claims(key, expected)? => "ok",
            Ok(_) => "other claims",
            Err(error) => error.code(),
        };
        let sdk = |name: &str| vector["sdk"][name].as_str().unwrap_or("?");
        stage.outcome(name, code, came, format_args!("Python {}, Node {}", sdk("python"), sdk("node")))?;
        stage.remark(remark)?;
    }
    Ok(())
}

fn verify_case<'b>(vector: &'b Value, buf: &'b mut [u8]) -> Result<Result<VerifiedKey<'b>, KeyError>, Box<dyn Error>> {
    let secret = vector["secrets"][0].as_str().ok_or("a golden case has no secret")?;
    let now = vector["now"].as_i64().ok_or("a golden case has no time")?;
    let keys = Keyring::new(secret.as_bytes())?;
    Ok(keys.verify_header(vector["key"].as_str(), UnixTime::from_secs(now), buf))
}

/// Whether the key has exactly the expected claims.
fn same_claims(key: &VerifiedKey<'_>, expected: &Value) -> serde_json::Result<bool> {
    let mut claims = serde_json::to_value(key.claims())?;
    claims["ok"] = true.into();
    Ok(claims == *expected)
}

const ROUNDS: u32 = 10_000;

pub(super) fn timing(stage: &mut Stage) -> Shown {
    let build = if cfg!(debug_assertions) { " (in a debug build; a release build is much faster)" } else { "" };
    stage.heading(&format!("How long it takes{build}"))?;
    let keys = keyring()?;
    let key =
        issue(&keys, &NewKey::new("acme-corp").scopes(&["read", "write"]).meta(JsonObject::new(r#"{"plan":"pro"}"#)?))?;
    time(stage, "10,000 verifications", "ok", &keys, &key)?;
    time(
        stage,
        "10,000 headers of 1 MB",
        "DECODE_ERROR",
        &keys,
        &format!("apikee_{}.{}", "z".repeat(1_000_000), "z".repeat(43)),
    )?;
    // docs/WIRE.md, "Keys".
    stage.remark("the published SDKs take 150 s (Python) to 600 s (Node) for one")
}

fn time(stage: &mut Stage, tried: &str, expected: &str, keys: &Keyring, key: &str) -> Shown {
    let mut buf = [0; MAX_PAYLOAD_LEN];
    let mut came = "";
    let start = Instant::now();
    for _ in 0..ROUNDS {
        came = keys.verify(black_box(key), NOW, &mut buf).map_or_else(|error| error.code(), |_| "ok");
    }
    let each = start.elapsed().as_secs_f64() * 1e6 / f64::from(ROUNDS);
    stage.outcome(tried, expected, came, format_args!("{each:.1} us each"))
}
