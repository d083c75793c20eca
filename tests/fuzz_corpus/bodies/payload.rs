//! Claims made from the input, and written in both encodings in any allowed way. `serde_json` and `rmp` read the same
//! claims, and so must the library.
//!
//! Random bytes are rarely a claims object with a nested meta. These payloads almost always are.

use arbitrary::{Result, Unstructured};
use rmp::encode;

use super::{
    claims::check_payload,
    model::{MAX_DEPTH, Number, Tree},
    trees,
};

/// The names with a meaning in claims and in meta.
const NAMES: [&str; 8] = ["id", "tid", "scp", "env", "exp", "nbf", "meta", "clientId"];

const TEXTS: [&str; 8] =
    ["", "acme-corp", "production", "read", "caf\u{e9}", "\u{1F600}", "a\"\\/\u{8}\n\u{1f}", "\0\u{7f}"];

const NUMBERS: [&str; 16] = [
    "0",
    "-0",
    "-1",
    "127",
    "-33",
    "65536",
    "1760000000",
    "253402300799",
    "-9223372036854775808",
    "9223372036854775807",
    "18446744073709551615",
    "18446744073709551616",
    "1.5",
    "-2.50e-3",
    "1E400",
    "123456789012345678901234567890",
];

/// About the most values in one payload.
const MAX_VALUES: usize = 24;

pub fn body(input: &[u8]) {
    // Bytes beyond the end of the input are zero, so there is always a payload.
    let _ = check(&mut Unstructured::new(input));
}

fn check(u: &mut Unstructured<'_>) -> Result<()> {
    let mut left = MAX_VALUES;
    let tree = claims(u, &mut left)?;
    let text = spelt(&tree, u)?.into_bytes();
    let read = trees::json(&text);
    check_payload(&text, read.as_ref());

    let mut packed = Vec::new();
    pack(&tree, u, &mut packed)?;
    let unpacked = trees::msgpack(&packed);
    check_payload(&packed, unpacked.as_ref());
    // MessagePack has no integers of more than 64 bits, so those are not compared.
    if let Some(read) = read.and_then(Tree::packed) {
        assert_eq!(Some(read), unpacked);
    }

    let packs = u.ratio(1, 2)?;
    let edited = edited(if packs { packed } else { text }, u)?;
    check_payload(&edited, trees::payload(&edited).as_ref());
    Ok(())
}

/// An object whose members are mostly those of claims, of mostly the right types.
fn claims(u: &mut Unstructured<'_>, left: &mut usize) -> Result<Tree> {
    let mut members = Vec::new();
    for (at, name) in NAMES.iter().enumerate() {
        let value = match (u.int_in_range(0..=7)?, *name) {
            (0, _) => continue,
            (1, _) => value(u, left, 2)?,
            (_, "exp" | "nbf") => number(u)?,
            (_, "scp") => {
                let len = u.int_in_range(0..=4)?;
                Tree::Array((0..len).map(|_| Ok(Tree::String(text(u)?))).collect::<Result<_>>()?)
            }
            (_, "meta") => object(u, left, 2)?,
            (_, _) => Tree::String(text(u)?),
        };
        // Sometimes the name is another one, perhaps a duplicate.
        let name = if u.ratio(1, 16)? { text(u)? } else { (*name).to_owned() };
        let place = if u.ratio(1, 8)? { u.int_in_range(0..=members.len())? } else { members.len() };
        members.insert(place.min(at), (name, value));
    }
    Ok(Tree::Object(members))
}

fn value(u: &mut Unstructured<'_>, left: &mut usize, depth: usize) -> Result<Tree> {
    *left = left.saturating_sub(1);
    let kinds = if *left == 0 || depth > MAX_DEPTH + 1 { 4 } else { 9 };
    Ok(match u.int_in_range(0..=kinds)? {
        0 => Tree::Null,
        1 => Tree::Bool(u.arbitrary()?),
        2 | 3 => number(u)?,
        4 => Tree::String(text(u)?),
        5 => chain(u, left, depth)?,
        6 | 7 => {
            let len = u.int_in_range(0..=5)?;
            Tree::Array((0..len).map(|_| value(u, left, depth + 1)).collect::<Result<_>>()?)
        }
        _ => object(u, left, depth)?,
    })
}

/// Nested values whose depth is close to the limit.
fn chain(u: &mut Unstructured<'_>, left: &mut usize, depth: usize) -> Result<Tree> {
    let to = u.int_in_range(MAX_DEPTH - 2..=MAX_DEPTH + 1)?;
    let mut tree = value(u, left, MAX_DEPTH + 2)?;
    for _ in depth..=to {
        tree = if u.arbitrary()? { Tree::Array(vec![tree]) } else { Tree::Object(vec![(text(u)?, tree)]) };
    }
    Ok(tree)
}

fn object(u: &mut Unstructured<'_>, left: &mut usize, depth: usize) -> Result<Tree> {
    let len = u.int_in_range(0..=5)?;
    let members = (0..len).map(|_| Ok((text(u)?, value(u, left, depth + 1)?)));
    Ok(Tree::Object(members.collect::<Result<_>>()?))
}

fn number(u: &mut Unstructured<'_>) -> Result<Tree> {
    let spelt = match u.int_in_range(0..=3)? {
        0 => u.arbitrary::<i64>()?.to_string(),
        1 => u.arbitrary::<i8>()?.to_string(),
        _ => (*u.choose(&NUMBERS)?).to_owned(),
    };
    Ok(Tree::Number(Number { integer: spelt.parse().ok(), float: spelt.parse().unwrap(), spelt: Some(spelt) }))
}

fn text(u: &mut Unstructured<'_>) -> Result<String> {
    Ok(match u.int_in_range(0..=3)? {
        0 => (*u.choose(&NAMES)?).to_owned(),
        1 => {
            let len = u.int_in_range(0..=12)?;
            (0..len).map(|_| u.arbitrary::<char>()).collect::<Result<_>>()?
        }
        _ => (*u.choose(&TEXTS)?).to_owned(),
    })
}

/// The tree in JSON, with white space and escapes wherever they are allowed.
fn spelt(tree: &Tree, u: &mut Unstructured<'_>) -> Result<String> {
    let (open, parts, close) = match tree {
        Tree::Array(elements) => ("[", elements.iter().map(|own| spelt(own, u)).collect::<Result<Vec<_>>>()?, "]"),
        Tree::Object(members) => {
            let member = |(name, value): &(String, Tree)| {
                Ok(format!("{}{}:{}{}", escaped(name, u)?, blank(u)?, blank(u)?, spelt(value, u)?))
            };
            ("{", members.iter().map(member).collect::<Result<Vec<_>>>()?, "}")
        }
        Tree::String(text) => return escaped(text, u),
        scalar => return Ok(scalar.to_compact_json()),
    };
    let parts: Vec<_> =
        parts.into_iter().map(|part| Ok(blank(u)?.to_owned() + &part + blank(u)?)).collect::<Result<_>>()?;
    Ok(open.to_owned() + &parts.join(",") + close)
}

fn blank(u: &mut Unstructured<'_>) -> Result<&'static str> {
    Ok(if u.ratio(1, 16)? { u.choose(&[" ", "\t", "\n", "\r", "  \r\n\t"])? } else { "" })
}

fn escaped(text: &str, u: &mut Unstructured<'_>) -> Result<String> {
    let mut spelt = String::from('"');
    for c in text.chars() {
        let plain = serde_json::to_string(&c).unwrap();
        if u.ratio(1, 8)? {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let digits = if u.arbitrary()? { format!("{unit:04x}") } else { format!("{unit:04X}") };
                spelt += &format!("\\u{digits}");
            }
        } else if c == '/' && u.arbitrary()? {
            spelt += "\\/";
        } else {
            spelt += &plain[1..plain.len() - 1];
        }
    }
    spelt.push('"');
    Ok(spelt)
}

/// The tree in MessagePack, where lengths and integers may take more bytes than they need.
fn pack(tree: &Tree, u: &mut Unstructured<'_>, out: &mut Vec<u8>) -> Result<()> {
    match tree {
        Tree::Null => encode::write_nil(out).unwrap(),
        Tree::Bool(value) => encode::write_bool(out, *value).unwrap(),
        Tree::Number(Number { integer: Some(integer), .. }) => match (i64::try_from(*integer), u64::try_from(*integer))
        {
            (Ok(value), _) if u.ratio(1, 8)? => encode::write_i64(out, value).unwrap(),
            (_, Ok(value)) if u.ratio(1, 8)? => encode::write_u64(out, value).unwrap(),
            (Ok(value), _) => drop(encode::write_sint(out, value).unwrap()),
            (_, Ok(value)) => drop(encode::write_uint(out, value).unwrap()),
            _ => encode::write_f32(out, *integer as f32).unwrap(),
        },
        Tree::Number(Number { float, .. }) => encode::write_f64(out, *float).unwrap(),
        Tree::String(text) => pack_text(text, u, out)?,
        Tree::Array(elements) => {
            match (elements.len(), width(u)?) {
                (len, 2) => out.extend([&[0xDC], &u16::try_from(len).unwrap().to_be_bytes()[..]].concat()),
                (len, 3) => out.extend([&[0xDD], &u32::try_from(len).unwrap().to_be_bytes()[..]].concat()),
                (len, _) => drop(encode::write_array_len(out, u32::try_from(len).unwrap()).unwrap()),
            }
            for element in elements {
                pack(element, u, out)?;
            }
        }
        Tree::Object(members) => {
            match (members.len(), width(u)?) {
                (len, 2) => out.extend([&[0xDE], &u16::try_from(len).unwrap().to_be_bytes()[..]].concat()),
                (len, 3) => out.extend([&[0xDF], &u32::try_from(len).unwrap().to_be_bytes()[..]].concat()),
                (len, _) => drop(encode::write_map_len(out, u32::try_from(len).unwrap()).unwrap()),
            }
            for (name, value) in members {
                pack_text(name, u, out)?;
                pack(value, u, out)?;
            }
        }
        Tree::Bytes(_) | Tree::Extension(..) => unreachable!("JSON has no such values"),
    }
    Ok(())
}

fn pack_text(text: &str, u: &mut Unstructured<'_>, out: &mut Vec<u8>) -> Result<()> {
    let len = u32::try_from(text.len()).unwrap();
    match width(u)? {
        1 if len < 256 => out.extend([0xD9, len as u8]),
        2 => out.extend([&[0xDA], &(len as u16).to_be_bytes()[..]].concat()),
        3 => out.extend([&[0xDB], &len.to_be_bytes()[..]].concat()),
        _ => drop(encode::write_str_len(out, len).unwrap()),
    }
    out.extend(text.as_bytes());
    Ok(())
}

/// 0, the smallest form, most of the time.
fn width(u: &mut Unstructured<'_>) -> Result<u8> {
    if u.ratio(1, 8)? { u.int_in_range(1..=3) } else { Ok(0) }
}

/// Changes, inserts or removes one byte, or cuts off the end.
fn edited(mut bytes: Vec<u8>, u: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let at = u.choose_index(bytes.len())?;
    match u.int_in_range(0..=3)? {
        0 => bytes[at] = u.arbitrary()?,
        1 => bytes.insert(at, u.arbitrary()?),
        2 => drop(bytes.remove(at)),
        _ => bytes.truncate(at),
    }
    Ok(bytes)
}
