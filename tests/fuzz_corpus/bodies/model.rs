//! The content of a payload in a form that both encodings share, and its claims.

use serde_json::{Value, json};

/// How deep objects and arrays may nest, counting the outermost one.
pub const MAX_DEPTH: usize = 32;

/// A value of a payload.
#[derive(Debug, Clone, PartialEq)]
pub enum Tree {
    Null,
    Bool(bool),
    Number(Number),
    String(String),
    Array(Vec<Tree>),
    /// In order. Names are unique.
    Object(Vec<(String, Tree)>),
    Bytes(Vec<u8>),
    Extension(i8, Vec<u8>),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Number {
    /// The value, if the number is written as an integer and fits into 128 bits.
    pub integer: Option<i128>,
    pub float: f64,
    /// Its text in JSON.
    pub spelt: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Claims {
    pub id: String,
    pub tenant: String,
    pub scopes: Vec<String>,
    pub environment: String,
    pub expires_at: Option<i64>,
    pub not_before: Option<i64>,
    pub meta: Vec<(String, Tree)>,
}

impl Tree {
    /// Whether the library must read it. It may refuse objects with more than 32,768 members (see `src/names.rs`).
    pub fn must_be_read(&self) -> bool {
        match self {
            Self::Object(members) => members.len() <= 32_768 && members.iter().all(|(_, value)| value.must_be_read()),
            Self::Array(elements) => elements.iter().all(Self::must_be_read),
            _ => true,
        }
    }

    /// The value as MessagePack holds it; `None` if it has an integer of more than 64 bits.
    pub fn packed(self) -> Option<Self> {
        Some(match self {
            Self::Number(Number { integer: None, spelt: Some(spelt), .. }) if !spelt.contains(['.', 'e', 'E']) => {
                return None;
            }
            Self::Number(Number { integer: Some(integer), .. }) => {
                i64::try_from(integer).is_ok().then_some(()).or(u64::try_from(integer).ok().map(drop))?;
                Self::Number(Number { integer: Some(integer), float: integer as f64, spelt: None })
            }
            Self::Number(number) => Self::Number(Number { spelt: None, ..number }),
            Self::Array(elements) => Self::Array(elements.into_iter().map(Self::packed).collect::<Option<_>>()?),
            Self::Object(members) => Self::Object(
                members.into_iter().map(|(name, value)| Some((name, value.packed()?))).collect::<Option<_>>()?,
            ),
            scalar => scalar,
        })
    }

    /// The claims of this payload; `None` if it is not a claims object.
    pub fn claims(&self) -> Option<Claims> {
        let Self::Object(members) = self else {
            return None;
        };
        // Null counts as absent.
        let member = |name: &str| members.iter().find(|(own, value)| own == name && *value != Self::Null);
        let text = |name: &str, default: &str| match member(name) {
            None => Some(default.to_owned()),
            Some((_, Self::String(text))) => Some(text.clone()),
            Some(_) => None,
        };
        let time = |name: &str| match member(name) {
            None => Some(None),
            Some((_, Self::Number(number))) => Some(Some(i64::try_from(number.integer?).ok()?)),
            Some(_) => None,
        };
        Some(Claims {
            id: text("id", "")?,
            tenant: text("tid", "")?,
            scopes: match member("scp") {
                None => Vec::new(),
                Some((_, Self::Array(scopes))) => scopes.iter().map(Self::string).collect::<Option<_>>()?,
                Some(_) => return None,
            },
            environment: text("env", "production")?,
            expires_at: time("exp")?,
            not_before: time("nbf")?,
            meta: match member("meta") {
                None => Vec::new(),
                Some((_, Self::Object(meta))) => meta.clone(),
                Some(_) => return None,
            },
        })
    }

    /// The text of this member of an object.
    pub fn member(&self, name: &str) -> Option<&String> {
        match self {
            Self::Object(members) => members.iter().find_map(|(own, value)| match value {
                Self::String(text) if own == name => Some(text),
                _ => None,
            }),
            _ => None,
        }
    }

    fn string(&self) -> Option<String> {
        match self {
            Self::String(text) => Some(text.clone()),
            _ => None,
        }
    }

    pub fn has_nan(&self) -> bool {
        match self {
            Self::Number(number) => number.float.is_nan(),
            Self::Array(elements) => elements.iter().any(Self::has_nan),
            Self::Object(members) => members.iter().any(|(_, value)| value.has_nan()),
            _ => false,
        }
    }

    /// The value as the feature `serde` serialises it.
    pub fn to_value(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => json!(value),
            Self::Number(Number { integer, float, .. }) => {
                let integer = integer.as_ref();
                let signed = integer.and_then(|value| i64::try_from(*value).ok());
                let unsigned = integer.and_then(|value| u64::try_from(*value).ok());
                signed.map(|value| json!(value)).or(unsigned.map(|value| json!(value))).unwrap_or(json!(float))
            }
            Self::String(text) => json!(text),
            Self::Array(elements) => elements.iter().map(Self::to_value).collect(),
            Self::Object(members) => object_to_value(members),
            Self::Bytes(bytes) => json!(bytes),
            Self::Extension(kind, bytes) => json!([kind, bytes]),
        }
    }

    /// The text that `JSON.stringify` would write, but with numbers as they are spelt.
    pub fn to_compact_json(&self) -> String {
        match self {
            Self::Number(Number { spelt: Some(spelt), .. }) => spelt.clone(),
            Self::Array(elements) => {
                let elements: Vec<_> = elements.iter().map(Self::to_compact_json).collect();
                format!("[{}]", elements.join(","))
            }
            Self::Object(members) => {
                let member = |(name, value): &(String, Self)| format!("{}:{}", json!(name), value.to_compact_json());
                format!("{{{}}}", members.iter().map(member).collect::<Vec<_>>().join(","))
            }
            scalar => scalar.to_value().to_string(),
        }
    }
}

fn object_to_value(members: &[(String, Tree)]) -> Value {
    members.iter().map(|(name, value)| (name.clone(), value.to_value())).collect()
}

impl Claims {
    /// The claims as the feature `serde` serialises them.
    pub fn to_value(&self) -> Value {
        json!({
            "id": self.id,
            "tenant": self.tenant,
            "scopes": self.scopes,
            "environment": self.environment,
            "expires_at": self.expires_at,
            "not_before": self.not_before,
            "meta": object_to_value(&self.meta),
        })
    }

    /// The code of the refusal at this time; `None` if the key is accepted.
    pub fn code_at(&self, now: i64) -> Option<&'static str> {
        match (self.expires_at, self.not_before) {
            (Some(exp), _) if now > exp => Some("EXPIRED"),
            (_, Some(nbf)) if now < nbf => Some("NOT_YET_VALID"),
            _ => None,
        }
    }
}
