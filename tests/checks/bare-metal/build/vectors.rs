//! Converts `tests/vectors/*.json` to Rust constants of the types in `src/check`.
//!
//! Every vector becomes a case or an error, so none is skipped silently.

use std::{error::Error, fmt::Write as _, fs, path::Path};

use serde_json::Value;

type Outcome<T> = Result<T, Box<dyn Error>>;

pub fn to_rust(folder: &Path) -> Outcome<String> {
    let (mut keys, mut envelopes, mut exchanges) = (String::new(), String::new(), String::new());
    for vector in of_file(folder, "keys.json", "vectors")? {
        write!(keys, "{},", key(&vector)?)?;
    }
    for vector in of_file(folder, "envelopes.json", "vectors")? {
        write!(envelopes, "{},", envelope(&vector)?)?;
    }
    for vector in of_file(folder, "http.json", "exchanges")? {
        write!(exchanges, "{},", exchange(&vector)?)?;
    }
    Ok(format!(
        "pub static KEYS: &[KeyCase] = &[{keys}];\n\
         pub static ENVELOPES: &[EnvelopeCase] = &[{envelopes}];\n\
         pub static EXCHANGES: &[Exchange] = &[{exchanges}];\n"
    ))
}

fn of_file(folder: &Path, name: &str, member: &str) -> Outcome<Vec<Value>> {
    let mut file: Value = serde_json::from_slice(&fs::read(folder.join(name))?)?;
    match file[member].take() {
        Value::Array(vectors) if !vectors.is_empty() => Ok(vectors),
        _ => Err(format!("{name} has no {member}").into()),
    }
}

fn text<'v>(vector: &'v Value, name: &str) -> Outcome<&'v str> {
    vector[name].as_str().ok_or_else(|| format!("no {name} in {vector}").into())
}

fn strings(vector: &Value) -> Outcome<Vec<&str>> {
    let all = vector.as_array().and_then(|all| all.iter().map(Value::as_str).collect());
    all.ok_or_else(|| format!("{vector} is not an array of strings").into())
}

fn key(vector: &Value) -> Outcome<String> {
    let expect = &vector["expect"];
    let expected = if expect["ok"] == true {
        let known = ["ok", "id", "tenant", "scopes", "environment", "expires_at", "not_before", "meta"];
        let members = expect.as_object().ok_or("expect is not an object")?;
        if members.len() != known.len() || !known.iter().all(|name| members.contains_key(*name)) {
            return Err(format!("a claim that is not checked: {expect}").into());
        }
        format!(
            "Expected::Claims {{ id: {:?}, tenant: {:?}, scopes: &{:?}, environment: {:?}, expires_at: {:?}, \
             not_before: {:?}, meta: {} }}",
            text(expect, "id")?,
            text(expect, "tenant")?,
            strings(&expect["scopes"])?,
            text(expect, "environment")?,
            expect["expires_at"].as_i64(),
            expect["not_before"].as_i64(),
            json(&expect["meta"]),
        )
    } else {
        let mut codes = vec![text(expect, "code")?];
        if let Some(also) = expect.get("also") {
            codes.extend(strings(also)?);
        }
        format!("Expected::Refused(&{codes:?})")
    };
    Ok(format!(
        "KeyCase {{ name: {:?}, secrets: &{:?}, key: {:?}, now: {}, expected: {expected} }}",
        text(vector, "name")?,
        strings(&vector["secrets"])?,
        text(vector, "key")?,
        vector["now"].as_i64().ok_or("no time")?,
    ))
}

fn json(value: &Value) -> String {
    match value {
        Value::Null => "Json::Null".into(),
        Value::Bool(value) => format!("Json::Bool({value})"),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(value), _) => format!("Json::Int({value})"),
            (None, Some(value)) => format!("Json::UInt({value})"),
            (None, None) => format!("Json::Float({:?}_f64)", number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => format!("Json::String({text:?})"),
        Value::Array(elements) => {
            let elements: Vec<_> = elements.iter().map(json).collect();
            format!("Json::Array(&[{}])", elements.join(","))
        }
        Value::Object(members) => {
            let members: Vec<_> = members.iter().map(|(name, value)| format!("({name:?}, {})", json(value))).collect();
            format!("Json::Object(&[{}])", members.join(","))
        }
    }
}

fn envelope(vector: &Value) -> Outcome<String> {
    let ok = vector["ok"].as_bool();
    let kind = match text(vector, "kind")? {
        "request" => format!(
            "Kind::Request {{ server_private: {:?}, ephemeral: {:?}, iv: {:?}, plaintext: {:?}, envelope: {:?} }}",
            bytes::<32>(text(vector, "server_private")?)?,
            bytes::<32>(text(vector, "ephemeral_private")?)?,
            bytes::<12>(text(vector, "iv")?)?,
            text(vector, "plaintext")?,
            text(vector, "envelope")?,
        ),
        "response" => {
            let plaintext = if ok == Some(true) { Some(text(vector, "plaintext")?) } else { None };
            format!(
                "Kind::Response {{ ephemeral: {:?}, envelope: {:?}, plaintext: {plaintext:?} }}",
                bytes::<32>(text(vector, "ephemeral_private")?)?,
                text(vector, "envelope")?,
            )
        }
        "answer" => format!(
            "Kind::Answer {{ ephemeral: {:?}, envelope: {:?}, ok: {} }}",
            bytes::<32>(text(vector, "ephemeral_private")?)?,
            text(vector, "envelope")?,
            ok.ok_or("no ok")?,
        ),
        "server-key" => format!("Kind::ServerKey {{ ok: {} }}", ok.ok_or("no ok")?),
        other => return Err(format!("unknown kind {other}").into()),
    };
    let (name, server_public) = (text(vector, "name")?, text(vector, "server_public")?);
    Ok(format!("EnvelopeCase {{ name: {name:?}, server_public: {server_public:?}, kind: {kind} }}"))
}

fn bytes<const N: usize>(hex: &str) -> Outcome<[u8; N]> {
    let bytes: Result<Vec<u8>, _> =
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(hex.get(at..at + 2).unwrap_or("?"), 16)).collect();
    bytes?.try_into().map_err(|_| format!("{hex} is not {N} bytes").into())
}

/// Converts an exchange, with its times in our form: the SDK writes microseconds and `+00:00`, we write milliseconds
/// and `Z`.
fn exchange(vector: &Value) -> Outcome<String> {
    let mut body = vector["body"].clone();
    let mut millis = None;
    for time in ["/timestamp", "/keys/0/expiresAt"] {
        if let Some(time) = body.pointer_mut(time) {
            let (text, value) = as_ours(time.as_str().ok_or("a time is not a string")?)?;
            *time = Value::String(text);
            millis = Some(value);
        }
    }
    let headers = vector["headers"].as_object().ok_or("no headers")?;
    let fields: Vec<_> = headers
        .iter()
        .filter(|(name, _)| *name != "X-Apikee-Signature")
        .map(|(name, value)| (name, value.as_str().unwrap_or_default()))
        .collect();
    Ok(format!(
        "Exchange {{ target: {:?}, sealed: {}, body: {:?}, millis: {}, fields: &{fields:?} }}",
        text(vector, "target")?.strip_prefix("/api/v1").ok_or("an unknown base path")?,
        vector["encrypted"].as_bool().ok_or("no encrypted")?,
        body.to_string(),
        millis.unwrap_or(0),
    ))
}

/// A time in milliseconds: as text in our form, and since 1970.
fn as_ours(text: &str) -> Outcome<(String, i64)> {
    let bad = || format!("not a time: {text}");
    let number = |at: std::ops::Range<usize>| text.get(at).and_then(|digits| digits.parse::<i64>().ok());
    let field = |at| number(at).ok_or_else(bad);
    let (year, month, day) = (field(0..4)?, field(5..7)?, field(8..10)?);
    let (hour, minute, second) = (field(11..13)?, field(14..16)?, field(17..19)?);
    let milli = number(20..23).unwrap_or(0);
    // Computes days since 1970, with years that start in March.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 719_469;
    let ours = format!("{}.{milli:03}Z", text.get(..19).ok_or_else(bad)?);
    Ok((ours, (((days * 24 + hour) * 60 + minute) * 60 + second) * 1000 + milli))
}
