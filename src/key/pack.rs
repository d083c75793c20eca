//! Writing claims as MessagePack, to the byte as the Python SDK writes them: `msgpack.packb(claims, use_bin_type=True)`.
//!
//! Each value has its smallest form. `meta` comes as JSON text, and is written as what Python's `json.loads` makes of
//! it: a number with a fraction or an exponent is a `float64`, any other one an integer.

use super::{IssueError, issue::NewKey};
use crate::{
    buf::Writer,
    json::{cursor::Cursor, members::Elements, members::Members},
    text::Text,
    time::UnixTime,
};

/// The payload of a key with that id.
pub(super) fn write(new: &NewKey<'_>, id: &str, now: UnixTime, out: &mut Writer<'_>) -> Result<(), IssueError> {
    let (exp, nbf) = new.times(now)?;
    let meta = Some(new.meta).filter(|meta| !meta.is_empty());
    let optional = [exp.is_some(), nbf.is_some(), meta.is_some()];
    head(out, &MAP, optional.into_iter().filter(|is_there| *is_there).count().saturating_add(4));
    string(out, Text::from("id"));
    string(out, Text::from(id));
    string(out, Text::from("tid"));
    string(out, Text::from(new.tenant));
    string(out, Text::from("scp"));
    head(out, &ARRAY, new.scopes.len());
    new.scopes.iter().for_each(|scope| string(out, Text::from(*scope)));
    string(out, Text::from("env"));
    string(out, Text::from(new.environment));
    for (name, time) in [("exp", exp), ("nbf", nbf)] {
        if let Some(secs) = time {
            string(out, Text::from(name));
            integer(out, secs.into());
        }
    }
    if let Some(meta) = meta {
        string(out, Text::from("meta"));
        json(out, meta.as_str().as_bytes())?;
    }
    Ok(())
}

/// Writes a checked JSON value, token by token: the front of an array or object says how many parts follow, and
/// nothing stands at its end.
fn json(out: &mut Writer<'_>, text: &[u8]) -> Result<(), IssueError> {
    let mut cursor = Cursor::new(text);
    loop {
        match cursor.token() {
            0 => return Ok(()),
            b'{' => head(out, &MAP, Members::new(value_at(&cursor)).count()),
            b'[' => head(out, &ARRAY, Elements::new(value_at(&cursor)).count()),
            b'}' | b']' | b',' | b':' => {}
            b'"' => {
                // A checked string can be passed.
                string(out, cursor.string().unwrap_or(Text::plain(&[])));
                continue;
            }
            _ => {
                scalar(out, cursor.pass_value().unwrap_or_default())?;
                continue;
            }
        }
        cursor.advance();
    }
}

/// The value that stands there.
fn value_at<'t>(cursor: &Cursor<'t>) -> &'t [u8] {
    cursor.clone().pass_value().unwrap_or_default()
}

fn scalar(out: &mut Writer<'_>, text: &[u8]) -> Result<(), IssueError> {
    match text {
        b"null" => out.byte(0xC0),
        b"false" => out.byte(0xC2),
        b"true" => out.byte(0xC3),
        number => {
            let number = core::str::from_utf8(number).unwrap_or_default();
            if number.bytes().any(|byte| matches!(byte, b'.' | b'e' | b'E')) {
                let value: f64 = number.parse().unwrap_or_default();
                out.byte(0xCB);
                out.bytes(&value.to_bits().to_be_bytes());
            } else {
                let value: i128 = number.parse().map_err(|_| IssueError::IntegerTooLarge)?;
                if !(i64::MIN.into()..=u64::MAX.into()).contains(&value) {
                    return Err(IssueError::IntegerTooLarge);
                }
                integer(out, value);
            }
        }
    }
    Ok(())
}

/// An integer from -2^63 to 2^64-1.
fn integer(out: &mut Writer<'_>, value: i128) {
    // The value in two's complement is the end of this.
    let bytes = value.to_be_bytes();
    let (marker, width) = match value {
        -0x20..0x80 => {
            out.bytes(bytes.last_chunk::<1>().unwrap_or(&[0]));
            return;
        }
        0x80..0x100 => (0xCC, 1),
        0x100..0x1_0000 => (0xCD, 2),
        0x1_0000..0x1_0000_0000 => (0xCE, 4),
        0x1_0000_0000.. => (0xCF, 8),
        -0x80..-0x20 => (0xD0, 1),
        -0x8000..-0x80 => (0xD1, 2),
        -0x8000_0000..-0x8000 => (0xD2, 4),
        _ => (0xD3, 8),
    };
    out.byte(marker);
    out.bytes(bytes.get(bytes.len().saturating_sub(width)..).unwrap_or_default());
}

/// The markers of a type with a length.
struct Markers {
    /// The marker that holds a length up to `most` itself.
    own: u8,
    most: usize,
    /// The marker before a length of one byte. Arrays and maps have none.
    one: Option<u8>,
    /// The markers before a length of two and of four bytes.
    two: u8,
    four: u8,
}

const STR: Markers = Markers { own: 0xA0, most: 31, one: Some(0xD9), two: 0xDA, four: 0xDB };
const ARRAY: Markers = Markers { own: 0x90, most: 15, one: None, two: 0xDC, four: 0xDD };
const MAP: Markers = Markers { own: 0x80, most: 15, one: None, two: 0xDE, four: 0xDF };

/// The marker and the length. No payload that is issued has a length of more than 32 bits.
fn head(out: &mut Writer<'_>, markers: &Markers, len: usize) {
    match (u8::try_from(len), markers.one, u16::try_from(len)) {
        (Ok(short), _, _) if len <= markers.most => out.byte(markers.own | short),
        (Ok(short), Some(marker), _) => out.bytes(&[marker, short]),
        (_, _, Ok(short)) => {
            out.byte(markers.two);
            out.bytes(&short.to_be_bytes());
        }
        _ => {
            out.byte(markers.four);
            out.bytes(&u32::try_from(len).unwrap_or(u32::MAX).to_be_bytes());
        }
    }
}

fn string(out: &mut Writer<'_>, text: Text<'_>) {
    match text.as_bytes() {
        Some(plain) => {
            head(out, &STR, plain.len());
            out.bytes(plain);
        }
        None => {
            head(out, &STR, text.chars().map(char::len_utf8).sum());
            text.chars().for_each(|c| out.bytes(c.encode_utf8(&mut [0; 4]).as_bytes()));
        }
    }
}
