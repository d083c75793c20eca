//! Runs every golden case in `tests/vectors/*.json`, and in the folder that `APIKEE_VECTORS` names.
//!
//! A failed case prints one line. The test itself fails once, at the end, with the counts.

use std::{fs, path::Path};

use apikee::{KeyError, Keyring, UnixTime};
use serde_json::{Value, json};

#[test]
fn all_vectors_hold() {
    let mut files = json_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors"));
    if let Some(folder) = std::env::var_os("APIKEE_VECTORS").filter(|folder| !folder.is_empty()) {
        files.extend(json_files(Path::new(&folder)));
    }
    let (mut passed, mut failed) = (0, 0);
    for path in files {
        let file: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        for vector in file["vectors"].as_array().into_iter().flatten() {
            let Some(outcome) = run(vector) else {
                continue;
            };
            match outcome {
                Ok(()) => passed += 1,
                Err(why) => {
                    failed += 1;
                    println!("FAILED {} {}: {why}", path.display(), vector["name"]);
                }
            }
        }
    }
    println!("{passed} passed, {failed} failed");
    assert!(failed == 0, "{failed} of {} vectors failed", passed + failed);
    let least = 86 + if cfg!(feature = "msgpack") { 57 } else { 0 } + if cfg!(feature = "envelope") { 56 } else { 0 };
    assert!(passed >= least, "some vectors of this repository were not found");
}

fn json_files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    files
}

/// `None` for a kind of vector that does not run here.
fn run(vector: &Value) -> Option<Result<(), String>> {
    if vector["format"] == "msgpack" && !cfg!(feature = "msgpack") {
        return None;
    }
    match vector.get("kind").and_then(Value::as_str) {
        None if vector.get("key").is_some() => Some(key(vector)),
        #[cfg(feature = "envelope")]
        Some(kind) => crate::envelope_vectors::run(kind, vector),
        _ => None,
    }
}

/// Runs a key with its secrets and its time, and checks the result.
fn key(vector: &Value) -> Result<(), String> {
    let mut secrets = vector["secrets"].as_array().ok_or("no secrets")?.iter().filter_map(Value::as_str);
    let mut keys = Keyring::new(secrets.next().ok_or("no secret")?.as_bytes()).map_err(|error| error.to_string())?;
    for secret in secrets {
        keys.accept(secret.as_bytes()).map_err(|error| error.to_string())?;
    }
    let now = UnixTime::from_secs(vector["now"].as_i64().ok_or("no time")?);
    let mut buf = [0; 16 * 1024];
    let expected = &vector["expect"];
    let answer = match keys.verify_header(vector["key"].as_str(), now, &mut buf) {
        Ok(key) => {
            if Some(key.raw()) != vector["key"].as_str() {
                return Err("the raw key differs".into());
            }
            let mut answer = serde_json::to_value(key.claims()).map_err(|error| error.to_string())?;
            answer["ok"] = json!(true);
            answer
        }
        Err(error) => {
            let accepted = expected["also"].as_array().into_iter().flatten().chain([&expected["code"]]);
            if expected["ok"] == json!(false) && accepted.into_iter().any(|code| *code == json!(error.code())) {
                return Ok(());
            }
            json!({ "ok": false, "code": error.code() })
        }
    };
    if same(&answer, expected) { Ok(()) } else { Err(format!("{answer} instead of {expected}")) }
}

/// Whether two values are equal. Numbers are compared by value: JSON does not say whether 1e21 is an integer.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}

#[test]
fn a_missing_key_has_its_own_code() {
    let keys = Keyring::new(b"secret").unwrap();
    let refused = keys.verify_header(None::<&str>, UnixTime::from_secs(0), &mut []).unwrap_err();
    assert_eq!((refused, refused.code()), (KeyError::Missing, "MISSING_KEY"));
}
