//! MessagePack payloads. `rmp` is the second implementation. It reads one marker and its data. The nesting is put
//! together here.

use std::collections::HashSet;

use rmp::{Marker, decode};

use super::{
    claims::{check_payload, is_message_pack},
    model::{MAX_DEPTH, Number, Tree},
};

/// The library reads a payload as `rmp` does.
pub fn body(payload: &[u8]) {
    if is_message_pack(payload) {
        check_payload(payload, tree(payload).as_ref());
    }
}

/// The content of the bytes; `None` if the library must refuse them.
pub fn tree(mut bytes: &[u8]) -> Option<Tree> {
    let tree = read(&mut bytes, 1)?;
    bytes.is_empty().then_some(tree)
}

fn read(bytes: &mut &[u8], depth: usize) -> Option<Tree> {
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
            Tree::Array((0..len).map(|_| read(bytes, depth + 1)).collect::<Option<_>>()?)
        }
        Marker::FixMap(_) | Marker::Map16 | Marker::Map32 => {
            let len = decode::read_map_len(bytes).ok()?;
            if depth > MAX_DEPTH {
                return None;
            }
            let mut members: Vec<(String, Tree)> = Vec::new();
            let mut names = HashSet::new();
            for _ in 0..len {
                let Tree::String(name) = read(bytes, MAX_DEPTH + 1)? else {
                    return None;
                };
                if !names.insert(name.clone()) {
                    return None;
                }
                members.push((name, read(bytes, depth + 1)?));
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
