//! Writing compact JSON, to the byte as `JSON.stringify` does.

use super::scan::{Cursor, plain_run};
use crate::{buf::Writer, text::Text};

/// Writes a string with its quotes. Only what must be escaped is: the quote, the backslash and the
/// control characters below U+0020, the latter with a letter where JSON has one.
pub(crate) fn string(out: &mut Writer<'_>, text: &str) {
    out.byte(b'"');
    escape_into(out, text);
    out.byte(b'"');
}

fn escape_into(out: &mut Writer<'_>, text: &str) {
    let mut rest = text.as_bytes();
    loop {
        let (plain, stopped) = rest.split_at_checked(plain_run(rest).len).unwrap_or((rest, &[]));
        out.bytes(plain);
        let Some((&byte, after)) = stopped.split_first() else {
            return;
        };
        match byte {
            b'"' => out.bytes(br#"\""#),
            b'\\' => out.bytes(br"\\"),
            0x08 => out.bytes(br"\b"),
            0x0C => out.bytes(br"\f"),
            b'\n' => out.bytes(br"\n"),
            b'\r' => out.bytes(br"\r"),
            b'\t' => out.bytes(br"\t"),
            control => out.format(format_args!("\\u{control:04x}")),
        }
        rest = after;
    }
}

/// Writes the JSON that stands in `text`, which has been checked, without white space and with its
/// strings escaped as [`string`] does. Numbers stay as they are spelt.
pub(crate) fn compact(out: &mut Writer<'_>, text: &[u8]) {
    let mut cursor = Cursor { text, at: 0 };
    while let Some(byte) = cursor.peek() {
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' => cursor.advance(),
            b'"' => {
                let Ok(value) = cursor.string() else {
                    return;
                };
                respell(out, value);
            }
            other => {
                out.byte(other);
                cursor.advance();
            }
        }
    }
}

fn respell(out: &mut Writer<'_>, value: Text<'_>) {
    out.byte(b'"');
    match value.as_str() {
        Some(plain) => out.bytes(plain.as_bytes()),
        None => value.chars().for_each(|c| escape_into(out, c.encode_utf8(&mut [0; 4]))),
    }
    out.byte(b'"');
}

/// Writes an integer.
pub(crate) fn integer(out: &mut Writer<'_>, value: i64) {
    out.format(format_args!("{value}"));
}
