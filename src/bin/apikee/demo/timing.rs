//! How long it takes here; `cargo bench` measures properly.

use std::{error::Error, hint::black_box, time::Instant};

use apikee::{JsonObject, Keyring, MAX_PAYLOAD_LEN, NewKey};

use super::{NOW, Stage, issue, keyring};

const ROUNDS: u32 = 10_000;

pub(super) fn show(stage: &mut Stage) -> Result<(), Box<dyn Error>> {
    let build = if cfg!(debug_assertions) { " (in a debug build: a release is faster by far)" } else { "" };
    stage.heading(&format!("How long it takes{build}"))?;
    let keys = keyring()?;
    let key =
        issue(&keys, &NewKey::new("acme-corp").scopes(&["read", "write"]).meta(JsonObject::new(r#"{"plan":"pro"}"#)?))?;
    time(stage, "10,000 verifications", "ok", &keys, &key)?;
    time(stage, "10,000 headers of 1 MB", "DECODE_ERROR", &keys, &format!("apikee_{}", "z".repeat(1_000_000)))?;
    // docs/WIRE.md, "Keys".
    stage.remark("the published SDKs take 150 s (Python) to 600 s (Node) for one")?;
    Ok(())
}

fn time(stage: &mut Stage, tried: &str, told: &str, keys: &Keyring, key: &str) -> Result<(), Box<dyn Error>> {
    let mut buf = [0; MAX_PAYLOAD_LEN];
    let mut came = "";
    let start = Instant::now();
    for _ in 0..ROUNDS {
        came = keys.verify(black_box(key), NOW, &mut buf).map_or_else(|error| error.code(), |_| "ok");
    }
    let each = start.elapsed().as_secs_f64() * 1e6 / f64::from(ROUNDS);
    stage.outcome(tried, told, came, format_args!("{each:.1} \u{b5}s each"))?;
    Ok(())
}
