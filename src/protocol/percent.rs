//! Percent-encoding of what stands in a query.

use crate::buf::Writer;

/// Writes `text` as a value of a query, to the byte as the published SDKs do (`urlencode` of
/// Python): letters, digits and `-._~` as they are, a space as `+`, any other byte as `%XX`.
pub(crate) fn query_value(out: &mut Writer<'_>, text: &str) {
    for byte in text.bytes() {
        query_byte(out, byte);
    }
}

/// Writes one byte of a value.
pub(crate) fn query_byte(out: &mut Writer<'_>, byte: u8) {
    match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.byte(byte),
        b' ' => out.byte(b'+'),
        _ => out.bytes(&[b'%', hex_digit(byte >> 4), hex_digit(byte & 0xF)]),
    }
}

/// Of 0 to 15.
const fn hex_digit(value: u8) -> u8 {
    match value {
        0..=9 => b'0'.wrapping_add(value),
        _ => b'A'.wrapping_sub(10).wrapping_add(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ascii_byte_is_encoded_as_python_does() {
        let all: String = (0..128_u8).map(char::from).collect();
        let mut buf = [0; 512];
        let mut out = Writer::new(&mut buf);
        query_value(&mut out, &all);
        let len = out.len();
        // urllib.parse.quote_plus(bytes(range(128)))
        let expected = "%00%01%02%03%04%05%06%07%08%09%0A%0B%0C%0D%0E%0F%10%11%12%13%14%15%16%17%18%19%1A%1B%1C\
                        %1D%1E%1F+%21%22%23%24%25%26%27%28%29%2A%2B%2C-.%2F0123456789%3A%3B%3C%3D%3E%3F%40ABCDEFGHI\
                        JKLMNOPQRSTUVWXYZ%5B%5C%5D%5E_%60abcdefghijklmnopqrstuvwxyz%7B%7C%7D~%7F";
        assert_eq!(core::str::from_utf8(&buf[..len]), Ok(expected));
    }
}
