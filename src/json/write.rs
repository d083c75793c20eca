//! Writes compact JSON, with exactly the bytes of `JSON.stringify`.

use super::cursor::Cursor;
use crate::{buf::Writer, hex};

/// Writes the inside of a string, without the quotes. It escapes only what JSON requires: the quote, the backslash and
/// the control characters below U+0020. A control character gets its letter if JSON has one for it.
pub(crate) fn escaped(out: &mut Writer<'_>, text: &str) {
    let mut rest = text.as_bytes();
    loop {
        let plain = rest.iter().take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..0x20)).count();
        let Some((plain, [byte, after @ ..])) = rest.split_at_checked(plain) else {
            out.bytes(rest);
            return;
        };
        out.bytes(plain);
        match *byte {
            b'"' => out.bytes(br#"\""#),
            b'\\' => out.bytes(br"\\"),
            0x08 => out.bytes(br"\b"),
            0x0C => out.bytes(br"\f"),
            b'\n' => out.bytes(br"\n"),
            b'\r' => out.bytes(br"\r"),
            b'\t' => out.bytes(br"\t"),
            control => {
                out.bytes(br"\u00");
                out.bytes(&hex::digits(control));
            }
        }
        rest = after;
    }
}

/// Writes as much of the inside of a string as fits before `end`, a position in `out`. Returns whether everything
/// fitted. Control characters (U+0000 to U+001F and U+007F) are left out. The text is cut between characters, never
/// within an escape.
#[cfg(feature = "envelope")]
pub(crate) fn escaped_up_to(out: &mut Writer<'_>, text: &str, end: usize) -> bool {
    let mut write = |part| {
        let fitting = fitting(part, end.saturating_sub(out.len()));
        escaped(out, fitting);
        fitting.len() == part.len()
    };
    // Nearly all texts are free of them, and this check looks at many bytes at a time.
    if text.bytes().fold(false, |any, byte| any | byte.is_ascii_control()) {
        text.split(|c: char| c.is_ascii_control()).all(write)
    } else {
        write(text)
    }
}

/// The longest start of `text` that takes at most `room` bytes when escaped. `text` must not have control characters.
#[cfg(feature = "envelope")]
fn fitting(text: &str, room: usize) -> &str {
    // A byte takes at most two bytes.
    if text.len() <= room / 2 {
        return text;
    }
    let mut left = room;
    for (at, c) in text.char_indices() {
        let width = if matches!(c, '"' | '\\') { 2 } else { c.len_utf8() };
        match left.checked_sub(width) {
            Some(rest) => left = rest,
            None => return text.get(..at).unwrap_or_default(),
        }
    }
    text
}

/// Writes the checked JSON in `text` without white space, and with its strings escaped as in [`escaped`]. Numbers stay
/// as they are.
pub(crate) fn compact(out: &mut Writer<'_>, text: &[u8]) {
    let mut cursor = Cursor::new(text);
    // The text from here to the cursor is copied unchanged.
    let mut start = 0;
    while let Some(byte) = cursor.peek() {
        let end = cursor.at;
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' => {
                cursor.token();
                out.bytes(text.get(start..end).unwrap_or_default());
            }
            b'"' => {
                let Ok(string) = cursor.string() else {
                    return;
                };
                if string.as_bytes().is_some() {
                    continue;
                }
                out.bytes(text.get(start..end).unwrap_or_default());
                out.byte(b'"');
                string.chars().for_each(|c| escaped(out, c.encode_utf8(&mut [0; 4])));
                out.byte(b'"');
            }
            _ => {
                cursor.advance();
                continue;
            }
        }
        start = cursor.at;
    }
    out.bytes(text.get(start..).unwrap_or_default());
}

/// Writes an integer.
pub(crate) fn integer(out: &mut Writer<'_>, value: i64) {
    let (mut digits, mut rest) = ([0; 20], value.unsigned_abs());
    let mut len = 0_usize;
    for place in digits.iter_mut().rev() {
        *place = b'0'.wrapping_add(u8::try_from(rest % 10).unwrap_or_default());
        rest /= 10;
        len = len.saturating_add(1);
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        out.byte(b'-');
    }
    out.bytes(digits.get(digits.len().saturating_sub(len)..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Writer<'_>)) -> String {
        let mut buf = [0; 256];
        let mut out = Writer::new(&mut buf);
        write(&mut out);
        let len = out.len();
        String::from_utf8(buf[..len].to_vec()).unwrap()
    }

    #[test]
    #[cfg(feature = "envelope")]
    fn a_string_is_cut_between_characters_and_escapes() {
        let text = "a\"\r\n\\\u{7f}\u{e9}\0\u{1F600}z";
        let ends = ["a", "\\\"", "\\\\", "\u{e9}", "\u{1F600}", "z"];
        for room in 0..=20 {
            let mut expected = String::new();
            let fits = ends.iter().all(|part| {
                let fits = expected.len() + part.len() <= room;
                expected += if fits { part } else { "" };
                fits
            });
            // Two bytes in front, which count, too.
            let written = written(|out| {
                out.bytes(b"__");
                assert_eq!(escaped_up_to(out, text, 2 + room), fits, "{room}");
            });
            assert_eq!(written, format!("__{expected}"), "{room}");
        }
        assert_eq!(written(|out| assert!(escaped_up_to(out, "\r\n", 0))), "");
    }

    #[test]
    fn integers_are_written_over_their_whole_range() {
        for value in [0, 7, -7, 10, 1_760_000_000, i64::MAX, i64::MIN] {
            assert_eq!(written(|out| integer(out, value)), value.to_string());
        }
    }

    #[test]
    fn compact_drops_space_outside_strings_and_respells_escapes() {
        let text = "{ \"a b\" :\t[ 1 , 2.50 ,\n\"\\u00e9\\/\\u0007\\\"\" ] , \"\u{e9}\" : { } } ";
        let expected = "{\"a b\":[1,2.50,\"\u{e9}/\\u0007\\\"\"],\"\u{e9}\":{}}";
        assert_eq!(written(|out| compact(out, text.as_bytes())), expected);
    }
}
