//! What an envelope says of itself, without a key, and so without any proof.

use std::{collections::BTreeSet, fmt};

use apikee::{ServerKey, ServerKeyError};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use crate::exchange;

/// Bytes of the tag, which the ciphertext ends with.
const TAG_LEN: usize = 16;

/// Whether this can only be an envelope: a key starts with no brace.
pub(crate) fn is_meant(text: &[u8]) -> bool {
    text.trim_ascii_start().starts_with(b"{")
}

/// The parts that could be read, and what is wrong with the others.
pub(crate) struct UntrustedEnvelope {
    pub(crate) version: Option<String>,
    /// In base64url, as it stands in the envelope; so is `iv`.
    pub(crate) epk: Option<String>,
    pub(crate) iv: Option<String>,
    /// The length in bytes, with the tag.
    pub(crate) ciphertext_len: Option<usize>,
    /// The length in bytes.
    pub(crate) plaintext_len: Option<usize>,
    /// Whether an envelope like this is opened by nobody, whatever the key.
    pub(crate) unusable: bool,
    pub(crate) warnings: Vec<String>,
}

impl UntrustedEnvelope {
    /// `None` if it is not a JSON object.
    pub(crate) fn read(text: &[u8]) -> Option<Self> {
        let Members(members) = serde_json::from_slice(text).ok()?;
        let mut faults = Vec::new();
        let mut names = BTreeSet::new();
        if !members.iter().all(|(name, _)| names.insert(name)) {
            faults.push("a name is there twice".to_owned());
        }
        let mut member = |name: &str| {
            let value = members.iter().find(|(own, _)| own == name).map(|(_, value)| value);
            let fault = match value {
                Some(Value::String(text)) => return Some(text.as_str()),
                Some(_) => format!("{name} is no string"),
                None if name == "ct" => "ct is missing: the body is not sealed".into(),
                None => format!("{name} is missing"),
            };
            faults.push(fault);
            None
        };
        let (version, epk, iv, ct) = (member("v"), member("epk"), member("iv"), member("ct"));
        if version.is_some_and(|version| version != "1") {
            faults.push("the version is none that is known: that would be \"1\"".into());
        }
        let mut note = |decoded: Result<Vec<u8>, String>| decoded.map_err(|fault| faults.push(fault)).ok();
        let epk_bytes = epk.and_then(|text| note(exactly::<32>("epk", text)));
        let iv_bytes = iv.and_then(|text| note(exactly::<12>("iv", text)));
        let ct_bytes = ct.and_then(|text| note(decode("ct", text)));
        let ciphertext_len = ct_bytes.map(|bytes| bytes.len());
        let plaintext_len = ciphertext_len.and_then(|len| len.checked_sub(TAG_LEN));
        if ciphertext_len.is_some() && plaintext_len.is_none() {
            faults.push(format!("ct is shorter than its tag of {TAG_LEN} bytes"));
        }

        let unusable = !faults.is_empty();
        let mut warnings = faults;
        if let Some(epk) = epk_bytes.as_ref().and_then(|bytes| bytes.as_slice().try_into().ok()) {
            warnings.extend(of_epk(epk));
        }
        Some(Self {
            version: version.map(Into::into),
            epk: epk_bytes.and(epk).map(Into::into),
            iv: iv_bytes.and(iv).map(Into::into),
            ciphertext_len,
            plaintext_len,
            unusable,
            warnings,
        })
    }
}

/// What there is to say of a public key (docs/WIRE.md, "Envelopes").
fn of_epk(epk: [u8; 32]) -> Vec<String> {
    let mut warnings = Vec::new();
    if matches!(ServerKey::from_bytes(epk), Err(ServerKeyError::LowOrder)) {
        warnings.push("epk is of low order, as a placeholder is: both sides refuse it".into());
    }
    match exchange::configured_server_key() {
        Ok(Some(server)) if *server.as_bytes() == epk => {
            warnings.push("epk is the configured server key: this is an answer, not a request".into());
        }
        Ok(_) => {}
        Err(_) => warnings.push("the configured server key cannot be used, so epk is not compared with it".into()),
    }
    warnings
}

fn exactly<const N: usize>(name: &str, text: &str) -> Result<Vec<u8>, String> {
    let bytes = decode(name, text)?;
    match bytes.len() {
        len if len == N => Ok(bytes),
        len => Err(format!("{name} is {len} bytes long, and should be {N}")),
    }
}

fn decode(name: &str, text: &str) -> Result<Vec<u8>, String> {
    let decode = |text: &str| {
        let mut bytes = vec![0; text.len()];
        let len = Base64UrlUnpadded::decode(text, &mut bytes).ok()?.len();
        bytes.truncate(len);
        Some(bytes)
    };
    decode(text).ok_or_else(|| {
        let respelt = text.trim_end_matches('=').replace('+', "-").replace('/', "_");
        if decode(&respelt).is_some() {
            format!("{name} has padding or another alphabet, and should be base64url without padding")
        } else {
            format!("{name} is no base64url")
        }
    })
}

/// The members of an object as they stand, even twice.
struct Members(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Object)
    }
}
