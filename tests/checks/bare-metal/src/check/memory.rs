//! Tests the functions that copy, fill and compare memory (the firmware's or the toolchain's) against loops over bytes.

use core::hint::black_box;

use super::Outcome;

const LEN: usize = 64;
/// Lengths up to more than two rounds of 16 bytes, with every rest of words and bytes.
const LONGEST: usize = 40;
/// Offsets of both sides: every position in a word, with the target before and after the source.
const PLACES: core::ops::Range<usize> = 0..12;

pub fn check() -> Outcome {
    for len in 0..=LONGEST {
        for to in PLACES {
            filled(len, to)?;
            for from in PLACES {
                copied(len, from, to)?;
                compared(len, from, to)?;
            }
        }
    }
    Ok(())
}

/// Bytes that differ from their neighbours. The compiler must read each from memory.
fn bytes() -> [u8; LEN] {
    let mut bytes = [0; LEN];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = black_box(at as u8).wrapping_mul(167);
    }
    bytes
}

fn copied(len: usize, from: usize, to: usize) -> Outcome {
    let source = bytes();
    let mut one_by_one = bytes();
    for at in 0..len {
        one_by_one[to + at] = black_box(source[from + at]);
    }
    let mut over_itself = bytes();
    over_itself.copy_within(black_box(from..from + len), to);
    let mut from_elsewhere = bytes();
    from_elsewhere[to..][..len].copy_from_slice(black_box(&source[from..][..len]));
    if same(&over_itself, &one_by_one) && same(&from_elsewhere, &one_by_one) {
        Ok(())
    } else {
        Err("bytes are copied to a wrong place")
    }
}

fn filled(len: usize, at: usize) -> Outcome {
    for byte in [0, 0xA5] {
        let mut place = bytes();
        place[at..][..len].fill(black_box(byte));
        let mut one_by_one = bytes();
        for at in at..at + len {
            one_by_one[at] = black_box(byte);
        }
        if !same(&place, &one_by_one) {
            return Err("wrong bytes are filled");
        }
    }
    Ok(())
}

fn compared(len: usize, from: usize, to: usize) -> Outcome {
    let (mut one, mut other) = ([0x5A_u8; LEN], [0xFF_u8; LEN]);
    let (one, other) = (&mut one[from..][..len], &mut other[to..][..len]);
    other.fill(0x5A);
    if black_box(&*one) != black_box(&*other) {
        return Err("equal bytes compare as different");
    }
    for at in 0..len {
        other[at] = 0x80;
        if black_box(&*one).cmp(black_box(&*other)).is_ge() || black_box(&*other).cmp(black_box(&*one)).is_le() {
            return Err("a greater byte does not compare as greater");
        }
        other[at] = 0x5A;
    }
    Ok(())
}

fn same(one: &[u8; LEN], other: &[u8; LEN]) -> bool {
    one.iter().zip(other).all(|(one, other)| black_box(*one) == black_box(*other))
}
