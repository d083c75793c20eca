//! Issues many keys in one process, for `tests/checks/interop/keys.py`.
//!
//! Reads one JSON object per line: `tenant`, `scopes`, `environment`, `expires_at` and `not_before` (seconds or null),
//! and `meta`. Writes one key per line. The secret is in `APIKEE_SECRET`. The argument is the encoding: `json` or
//! `msgpack`.
use std::{
    collections::BTreeMap,
    env,
    error::Error,
    io::{self, BufRead as _, BufWriter, Write as _},
};

use apikee::{
    Expiry, Keyring, NewKey, SysRng, UnixTime, issue_buffer_len,
    key::{Encoding, MAX_PAYLOAD_LEN},
    meta::JsonObject,
};
use serde_json::value::RawValue;

fn main() -> Result<(), Box<dyn Error>> {
    let keys = Keyring::new(env::var("APIKEE_SECRET")?.as_bytes())?;
    let encoding = match env::args().nth(1).as_deref() {
        Some("json") => Encoding::Json,
        Some("msgpack") => Encoding::MessagePack,
        _ => return Err("the argument is json or msgpack".into()),
    };
    let mut out = BufWriter::new(io::stdout().lock());
    let mut buf = vec![0; issue_buffer_len(MAX_PAYLOAD_LEN)];
    for line in io::stdin().lock().lines() {
        let line = line?;
        // Keeps the spelling of numbers in `meta`.
        let members: BTreeMap<&str, &RawValue> = serde_json::from_str(&line)?;
        let member = |name: &str| members.get(name).map(|value| value.get()).ok_or_else(|| format!("no {name}"));
        let tenant: String = serde_json::from_str(member("tenant")?)?;
        let scopes: Vec<String> = serde_json::from_str(member("scopes")?)?;
        let environment: String = serde_json::from_str(member("environment")?)?;
        let expires_at: Option<i64> = serde_json::from_str(member("expires_at")?)?;
        let not_before: Option<i64> = serde_json::from_str(member("not_before")?)?;

        let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
        let mut new = NewKey::new(&tenant)
            .scopes(&scopes)
            .environment(&environment)
            .expires(expires_at.map_or(Expiry::Never, |time| Expiry::At(UnixTime::from_secs(time))))
            .meta(JsonObject::new(member("meta")?)?)
            .encoding(encoding);
        if let Some(time) = not_before {
            new = new.not_before(UnixTime::from_secs(time));
        }
        writeln!(out, "{}", keys.issue(&new, UnixTime::now(), &mut SysRng, &mut buf)?)?;
    }
    Ok(out.flush()?)
}
