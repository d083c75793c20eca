//! Bytes to text, by Horner's rule from base 2^280 to base 62^10.
//!
//! The number grows in the output buffer as digits in base 62^10, each in the place of its ten characters. Each step
//! takes 35 bytes more: it multiplies the number by 2^280 and adds the bytes. Both use tables of powers and five
//! double-width sums that slide over the digits. Only the lowest sum is divided, by a multiplication with the
//! reciprocal. The quotient may be one too small: then the digit is too large by 62^10 until the end. The correction is
//! thus not in the chain of operations that limits the speed.

use core::iter::once;

use super::{high, low, product, without_leading};

/// Bytes that one step takes: five units of seven bytes.
const STEP: usize = 35;
const UNIT: usize = 7;
const UNITS: usize = 5;
/// 62^10, the largest power of 62 in a `u64` (2^59.54).
const RADIX: u64 = 62_u64.pow(10);
/// Characters of one digit in that radix.
const GROUP: usize = 10;

/// 2^(56 k) in radix 62^10, least significant digit first, for k from 0 to 5.
const POWERS: [[u64; UNITS]; UNITS + 1] = powers();

#[expect(
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "runs at compile time"
)]
pub(super) const fn powers() -> [[u64; UNITS]; UNITS + 1] {
    let mut table = [[0; UNITS]; UNITS + 1];
    table[0][0] = 1;
    let mut k = 0;
    while k < UNITS {
        let mut carry = 0;
        let mut at = 0;
        while at < UNITS {
            let wide = ((table[k][at] as u128) << (8 * UNIT)) + carry;
            table[k + 1][at] = (wide % RADIX as u128) as u64;
            carry = wide / RADIX as u128;
            at += 1;
        }
        assert!(carry == 0, "five digits hold 2^280");
        k += 1;
    }
    table
}

/// [`divide`] takes dividends below 2^122. A sum collects each digit (below 2 · 62^10) times each digit of 2^280, each
/// unit (below 2^56) times each of its powers, and a carry.
#[expect(clippy::as_conversions, clippy::indexing_slicing, reason = "runs at compile time")]
const _: () = {
    let mut most = u64::MAX as u128;
    let mut at = 0;
    while at < UNITS {
        most += POWERS[UNITS][at] as u128 * 2 * RADIX as u128;
        // A digit of a power is below the radix, and a unit below 2^56.
        most += RADIX as u128 * (1 << 56);
        at += 1;
    }
    assert!(most < 1 << 122);
};

/// Bytes of buffer that [`encode`] needs for this number of bytes: about 4/3 of it, as a multiple of 10.
pub(crate) const fn encoded_capacity(bytes: usize) -> usize {
    groups_of(bytes).saturating_mul(GROUP)
}

/// The groups that this number of bytes needs. As 62^10 > 2^59.5, a group holds at least 59.5 bits.
///
/// Divides first, because 16 times a large number does not fit into a `usize`.
const fn groups_of(bytes: usize) -> usize {
    let (whole, rest) = (bytes / 119, bytes % 119);
    whole.saturating_mul(16).saturating_add(rest.saturating_mul(16).div_ceil(119))
}

/// Writes `bytes` as one big-endian integer. The text, without leading zeros, is at the end of the first
/// [`encoded_capacity`] bytes of `out`. `None` if `out` is shorter than that.
pub(crate) fn encode<'b>(bytes: &[u8], out: &'b mut [u8]) -> Option<&'b mut [u8]> {
    let out = out.get_mut(..encoded_capacity(bytes.len()))?;
    let (groups, _) = out.as_chunks_mut::<GROUP>();
    let (head, steps) = bytes.as_rchunks::<STEP>();
    let mut first = [0; STEP];
    if let Some(place) = STEP.checked_sub(head.len()).and_then(|at| first.get_mut(at..)) {
        place.copy_from_slice(head);
    }
    let (mut used, mut done) = (0, head.len());
    for step in once(&first).chain(steps) {
        append(groups, used, step);
        // This depends on the length only, so that the time reveals nothing about the bytes.
        used = groups_of(done);
        done = done.saturating_add(STEP);
    }
    write_pairs(groups);
    write_text(out);
    without_leading(b'0', out)
}

/// Replaces the number in the last `used` groups by itself times 2^280 plus `step`. It then has five groups more, or as
/// many more as there are: digits without a group are zero.
#[inline(always)]
fn append(groups: &mut [[u8; GROUP]], used: usize, step: &[u8; STEP]) {
    let Some((free, standing)) = groups.split_at_mut_checked(groups.len().saturating_sub(used)) else {
        return;
    };
    let mut window = [0; UNITS];
    for (unit, power) in units(step).into_iter().rev().zip(&POWERS) {
        slide_over(&mut window, unit, power);
    }
    let [.., shift] = &POWERS;
    for group in standing.iter_mut().rev() {
        slide_over(&mut window, load(group), shift);
        store(group, next_digit(&mut window));
    }
    let digits = [(); UNITS].map(|()| next_digit(&mut window));
    for (digit, group) in digits.into_iter().zip(free.iter_mut().rev()) {
        store(group, digit);
    }
}

/// Takes the lowest digit out of the sums.
#[inline(always)]
fn next_digit(window: &mut [u128; UNITS]) -> u64 {
    let [lowest, w1, w2, w3, w4] = *window;
    let (quotient, rest) = divide(lowest);
    *window = [w1.wrapping_add(u128::from(quotient)), w2, w3, w4, 0];
    rest
}

/// The units of a step, most significant first. Each is read in one access of eight bytes; the extra byte is cut off.
#[inline(always)]
fn units(step: &[u8; STEP]) -> [u64; UNITS] {
    const MASK: u64 = (1 << (8 * UNIT)) - 1;
    let eight =
        |start: usize| step.get(start..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u64::from_be_bytes(*bytes));
    [eight(0) >> 8, eight(6) & MASK, eight(13) & MASK, eight(20) & MASK, eight(27) & MASK]
}

/// Adds `factor` times `power` to the sums. They cannot overflow: see the bound above.
#[inline(always)]
fn slide_over(window: &mut [u128; UNITS], factor: u64, power: &[u64; UNITS]) {
    for (sum, digit) in window.iter_mut().zip(power) {
        *sum = sum.wrapping_add(product(factor, *digit));
    }
}

/// The quotient and the rest of the division of a number below 2^122 by 62^10. The quotient is at most one too small.
///
/// With n = 2^58 u + v and R = 2^122 / 62^10, the estimate ⌊u ⌊R⌋ / 2^64⌋ is less than
/// v / 62^10 + u (R - ⌊R⌋) / 2^64 < 0.35 + 0.44 below n / 62^10, so at most one below its floor.
#[inline(always)]
fn divide(dividend: u128) -> (u64, u64) {
    #[expect(clippy::as_conversions, reason = "runs at compile time; below 2^63")]
    const RECIPROCAL: u64 = ((1 << 122) / RADIX as u128) as u64;
    let quotient = high(product(low(dividend >> 58), RECIPROCAL));
    (quotient, low(dividend).wrapping_sub(quotient.wrapping_mul(RADIX)))
}

// These read and write the first eight of the ten bytes, in one access each.

fn load(group: &[u8; GROUP]) -> u64 {
    group.first_chunk().map_or(0, |digit| u64::from_le_bytes(*digit))
}

fn store(group: &mut [u8; GROUP], digit: u64) {
    if let Some(place) = group.first_chunk_mut() {
        *place = digit.to_le_bytes();
    }
}

/// Replaces each group by the values of its five pairs of digits, as little-endian `u16`s.
///
/// It takes a digit as a fraction of 62^10, with 64 bits behind the point. Each multiplication by 62^2 moves the next
/// pair before the point. With x = digit · 2^64 / 62^10, the estimate is between x and x + 4. An error of less than
/// 2^64 / 62^10 = 21.9 does not change the last pair.
#[expect(clippy::as_conversions, reason = "a pair is below 2^12, the reciprocal below 2^64")]
#[expect(clippy::arithmetic_side_effects, reason = "a digit is below 2^60, and twice the estimate below 2^64 - 17")]
fn write_pairs(groups: &mut [[u8; GROUP]]) {
    const RECIPROCAL: u64 = ((1 << 123) / RADIX as u128) as u64;
    let mut carry = 0;
    for group in groups.iter_mut().rev() {
        let digit = load(group) + carry;
        carry = u64::from(digit >= RADIX);
        let digit = digit - carry * RADIX;
        let mut fraction = high(product(digit << 4, RECIPROCAL)) * 2 + 4;
        let mut next = || {
            let wide = product(fraction, 62_u64.pow(2));
            fraction = low(wide);
            high(wide)
        };
        let four = next() | next() << 16 | next() << 32 | next() << 48;
        store(group, four);
        if let Some(place) = group.last_chunk_mut() {
            *place = (next() as u16).to_le_bytes();
        }
    }
}

/// Replaces each pair value by its two characters.
///
/// Not inlined: in a separate function over memory, the compiler vectorises the loops.
#[inline(never)]
#[expect(clippy::as_conversions, reason = "a quotient by 62 of a number below 62^2")]
#[expect(clippy::arithmetic_side_effects, reason = "a digit is below 62, a character below 128")]
fn write_text(out: &mut [u8]) {
    for place in out.as_chunks_mut::<2>().0 {
        let pair = u16::from_le_bytes(*place);
        // 2^19 / 8457 is 61.994: exact for pairs below 62^2.
        let first = ((u32::from(pair) * 8457) >> 19) as u16;
        // The first digit in the low byte, the second digit in the high byte.
        let digits = first | (pair - first * 62) << 8;
        let past_nine = (digits + 0x0101 * (0x80 - 10)) >> 7 & 0x0101;
        let past_upper = (digits + 0x0101 * (0x80 - 36)) >> 7 & 0x0101;
        let text = digits + 0x0101 * u16::from(b'0') + past_nine * 7 + past_upper * 6;
        *place = text.to_le_bytes();
    }
}
