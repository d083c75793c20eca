//! The second implementations that read a payload. `serde_json` splits a text into its parts, and `rmp` reads one
//! marker and its data. This file builds the nested values from them. It also refuses what the library refuses in
//! addition: duplicate names, and values that nest too deep.

use std::{collections::HashSet, fmt};

use rmp::{Marker, decode};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::model::{MAX_DEPTH, Number, Tree};

/// The first byte decides (docs/WIRE.md).
pub fn is_message_pack(payload: &[u8]) -> bool {
    matches!(payload, [0x80..=0x8F | 0xDE | 0xDF, ..])
}

/// The content of a payload in either encoding.
pub fn payload(payload: &[u8]) -> Option<Tree> {
    if is_message_pack(payload) { msgpack(payload) } else { json(payload) }
}

/// The content of the text. `None` if the library must refuse the text.
pub fn json(text: &[u8]) -> Option<Tree> {
    read_json(serde_json::from_slice::<&RawValue>(text).ok()?, 1)
}

fn read_json(value: &RawValue, depth: usize) -> Option<Tree> {
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
                tree.push((name, read_json(value, depth + 1)?));
            }
            (depth <= MAX_DEPTH).then_some(Tree::Object(tree))?
        }
        b'[' => {
            if depth > MAX_DEPTH {
                return None;
            }
            let elements: Vec<&RawValue> = serde_json::from_str(text).ok()?;
            Tree::Array(elements.into_iter().map(|value| read_json(value, depth + 1)).collect::<Option<_>>()?)
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

/// The members of an object in their order.
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

/// The content of the bytes. `None` if the library must refuse the bytes.
pub fn msgpack(mut bytes: &[u8]) -> Option<Tree> {
    let tree = read_msgpack(&mut bytes, 1)?;
    bytes.is_empty().then_some(tree)
}

fn read_msgpack(bytes: &mut &[u8], depth: usize) -> Option<Tree> {
    let marker = Marker::from_u8(*bytes.first()?);
    Some(match marker {
        Marker::Reserved => return None,
        Marker::Null => {
            decode::read_nil(bytes).ok()?;
            Tree::Null
        }
        Marker::True | Marker::False => Tree::Bool(decode::read_bool(bytes).ok()?),
        Marker::F32 => float(decode::read_f32(bytes).ok()?.into()),
        Marker::F64 => float(decode::read_f64(bytes).ok()?),
        Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32 => {
            let len = decode::read_str_len(bytes).ok()?;
            Tree::String(String::from_utf8(take(bytes, len)?).ok()?)
        }
        Marker::Bin8 | Marker::Bin16 | Marker::Bin32 => {
            let len = decode::read_bin_len(bytes).ok()?;
            Tree::Bytes(take(bytes, len)?)
        }
        Marker::FixExt1
        | Marker::FixExt2
        | Marker::FixExt4
        | Marker::FixExt8
        | Marker::FixExt16
        | Marker::Ext8
        | Marker::Ext16
        | Marker::Ext32 => {
            let ext = decode::read_ext_meta(bytes).ok()?;
            Tree::Extension(ext.typeid, take(bytes, ext.size)?)
        }
        Marker::FixArray(_) | Marker::Array16 | Marker::Array32 => {
            let len = decode::read_array_len(bytes).ok()?;
            if depth > MAX_DEPTH {
                return None;
            }
            Tree::Array((0..len).map(|_| read_msgpack(bytes, depth + 1)).collect::<Option<_>>()?)
        }
        Marker::FixMap(_) | Marker::Map16 | Marker::Map32 => {
            let len = decode::read_map_len(bytes).ok()?;
            if depth > MAX_DEPTH {
                return None;
            }
            let mut members: Vec<(String, Tree)> = Vec::new();
            let mut names = HashSet::new();
            for _ in 0..len {
                let Tree::String(name) = read_msgpack(bytes, MAX_DEPTH + 1)? else {
                    return None;
                };
                if !names.insert(name.clone()) {
                    return None;
                }
                members.push((name, read_msgpack(bytes, depth + 1)?));
            }
            Tree::Object(members)
        }
        _ => {
            let integer: i128 = decode::read_int(bytes).ok()?;
            Tree::Number(Number { integer: Some(integer), float: integer as f64, spelt: None })
        }
    })
}

fn float(float: f64) -> Tree {
    Tree::Number(Number { integer: None, float, spelt: None })
}

fn take(bytes: &mut &[u8], len: u32) -> Option<Vec<u8>> {
    let (taken, rest) = bytes.split_at_checked(usize::try_from(len).ok()?)?;
    *bytes = rest;
    Some(taken.to_vec())
}
