//! Hexadecimal text of a known length.

/// Reads exactly 2 `N` hexadecimal digits, in upper or lower case.
pub(crate) fn read<const N: usize>(text: &str) -> Option<[u8; N]> {
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
        return None;
    };
    let mut bytes = [0; N];
    if pairs.len() != bytes.len() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(pairs) {
        let [high, low] = pair.map(value);
        *byte = high << 4 | low;
        if (high | low) > 0xF {
            return None;
        }
    }
    Some(bytes)
}

/// The value of a digit in upper or lower case; above 15 if it is not a digit.
pub(crate) fn value(digit: u8) -> u8 {
    let number = digit.wrapping_sub(b'0');
    // This bit makes a letter lower case.
    let letter = (digit | 0x20).wrapping_sub(b'a');
    if number < 10 {
        number
    } else if letter < 6 {
        letter.wrapping_add(10)
    } else {
        u8::MAX
    }
}

/// The two digits of a byte, in lower case.
pub(crate) fn digits(byte: u8) -> [u8; 2] {
    [byte >> 4, byte & 0xF].map(|digit| match digit {
        0..=9 => b'0'.wrapping_add(digit),
        _ => b'a'.wrapping_sub(10).wrapping_add(digit),
    })
}
