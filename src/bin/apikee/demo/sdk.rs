//! Golden cases made with the published SDKs, which the tests run as well: what comes out here, and
//! what the SDKs answer.

use std::error::Error;

use apikee::{KeyError, Keyring, MAX_PAYLOAD_LEN, UnixTime, VerifiedKey};
use serde_json::Value;

use super::Stage;

const VECTORS: &str = include_str!("../../../../tests/vectors/keys.json");

/// Golden cases by name, and what there is to see.
const SHOWN: [(&str, &str); 6] = [
    ("json-tenant-1", "JSON, as all SDKs read it"),
    ("json-tenant-8", "JSON with escapes, as the Python SDK writes it"),
    ("msgpack-tenant-30", "MessagePack of the Python SDK, which the Node SDK cannot read"),
    ("json-signature-leading-zero-2-860", "an SDK issued it, and both SDKs refuse it: 1 in 256 is such a key"),
    ("bad-noncanonical-zeros-both", "respelt with leading zeros, so that it slips past a deny-list of theirs"),
    ("bad-shape-exp-string", "signed by hand, with an expiry that is no number: to Node it is eternal"),
];

pub(super) fn show(stage: &mut Stage) -> Result<(), Box<dyn Error>> {
    stage.heading("Keys made with the published SDKs, and what those answer to them")?;
    let file: Value = serde_json::from_str(VECTORS)?;
    let vectors = file["vectors"].as_array().ok_or("there are no golden cases")?;
    for (name, remark) in SHOWN {
        let vector = vectors.iter().find(|vector| vector["name"] == name).ok_or("a golden case is missing")?;
        let mut buf = [0; MAX_PAYLOAD_LEN];
        let verified = verify(vector, &mut buf)?;
        let expected = &vector["expect"];
        let told = expected["code"].as_str().unwrap_or("ok");
        let came = match &verified {
            Ok(key) if same_claims(key, expected)? => "ok",
            Ok(_) => "other claims",
            Err(error) => error.code(),
        };
        let sdk = |name: &str| vector["sdk"][name].as_str().unwrap_or("?");
        stage.outcome(name, told, came, format_args!("Python {}, Node {}", sdk("python"), sdk("node")))?;
        stage.remark(remark)?;
    }
    Ok(())
}

fn verify<'b>(vector: &'b Value, buf: &'b mut [u8]) -> Result<Result<VerifiedKey<'b>, KeyError>, Box<dyn Error>> {
    let secret = vector["secrets"][0].as_str().ok_or("a golden case has no secret")?;
    let now = vector["now"].as_i64().ok_or("a golden case has no time")?;
    let keys = Keyring::new(secret.as_bytes())?;
    Ok(keys.verify_header(vector["key"].as_str(), UnixTime::from_secs(now), buf))
}

/// Whether the key says all that it should.
fn same_claims(key: &VerifiedKey<'_>, expected: &Value) -> serde_json::Result<bool> {
    let mut claims = serde_json::to_value(key.claims())?;
    claims["ok"] = true.into();
    Ok(claims == *expected)
}
