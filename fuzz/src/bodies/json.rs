//! JSON payloads. `serde_json` is the second implementation. It splits a text into its parts. Duplicate names and too
//! deep nesting are checked here.

use std::{collections::HashSet, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{
    claims::{check_payload, is_message_pack},
    model::{MAX_DEPTH, Number, Tree},
};

/// The library reads a payload as `serde_json` does.
pub fn body(payload: &[u8]) {
    if !is_message_pack(payload) {
        check_payload(payload, tree(payload).as_ref());
    }
}

/// The content of the text; `None` if the library must refuse it.
pub fn tree(text: &[u8]) -> Option<Tree> {
    read(serde_json::from_slice::<&RawValue>(text).ok()?, 1)
}

fn read(value: &RawValue, depth: usize) -> Option<Tree> {
    let text = value.get();
    Some(match text.as_bytes().first()? {
        b'{' => {
            let Members(members) = serde_json::from_str(text).ok()?;
            let mut tree: Vec<(String, Tree)> = Vec::new();
            let mut names = HashSet::new();
            for (name, value) in members {
                if depth > MAX_DEPTH || !names.insert(name.clone()) {
                    return None;
                }
                tree.push((name, read(value, depth + 1)?));
            }
            (depth <= MAX_DEPTH).then_some(Tree::Object(tree))?
        }
        b'[' => {
            if depth > MAX_DEPTH {
                return None;
            }
            let elements: Vec<&RawValue> = serde_json::from_str(text).ok()?;
            Tree::Array(elements.into_iter().map(|value| read(value, depth + 1)).collect::<Option<_>>()?)
        }
        b'"' => Tree::String(serde_json::from_str(text).ok()?),
        b't' | b'f' => Tree::Bool(text == "true"),
        b'n' => Tree::Null,
        _ => Tree::Number(Number {
            integer: text.parse().ok(),
            float: text.parse().unwrap(),
            spelt: Some(text.to_owned()),
        }),
    })
}

/// The members of an object, in their order.
struct Members<'t>(Vec<(String, &'t RawValue)>);

impl<'t> Deserialize<'t> for Members<'t> {
    fn deserialize<D: Deserializer<'t>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;

        impl<'t> Visitor<'t> for All {
            type Value = Members<'t>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'t>>(self, mut map: A) -> Result<Members<'t>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(All)
    }
}
