//! Finds the claims in a payload of JSON. [`msgpack`](super::msgpack) does it for MessagePack.

use crate::{
    json::{cursor::Cursor, scan::Reader},
    names::Malformed,
    text::{Text, pull},
    time::UnixTime,
};

/// The encoding of a payload. The first byte of the payload tells which one it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Encoding {
    /// JSON, written by the Node SDK and, by default, by this crate.
    Json,
    /// MessagePack, written by the Python SDK if `msgpack` is installed.
    MessagePack,
}

impl Encoding {
    /// The encoding of this payload. The first byte of a MessagePack map is never the first byte of JSON.
    pub(crate) const fn of(payload: &[u8]) -> Self {
        match payload {
            [0x80..=0x8F | 0xDE | 0xDF, ..] => Self::MessagePack.if_read(),
            _ => Self::Json,
        }
    }

    /// Without the feature `msgpack`, everything is read as JSON. The compiler sees that, and leaves the other reader
    /// out.
    pub(crate) const fn if_read(self) -> Self {
        if cfg!(feature = "msgpack") { self } else { Self::Json }
    }
}

/// The claims in a payload.
#[derive(Clone, Copy, Default)]
pub(crate) struct Found {
    /// The places of the claims that are present and not null. Strings without their quotes.
    pub(crate) places: [Span; CLAIMS],
    /// The values of those claims that are times, in the same order.
    pub(crate) times: [Secs; 2],
}

/// Seconds. They have the alignment of a [`Span`], so that [`Found`] has no gaps.
#[derive(Clone, Copy, Default)]
#[repr(Rust, packed(4))]
pub(crate) struct Secs(pub(crate) i64);

/// The claims by their index in [`NAMES`]: first the times, last the strings.
pub(crate) const EXPIRES_AT: usize = 0;
pub(crate) const NOT_BEFORE: usize = 1;
pub(crate) const SCOPES: usize = 2;
pub(crate) const META: usize = 3;
pub(crate) const ID: usize = 4;
pub(crate) const TENANT: usize = 5;
pub(crate) const ENVIRONMENT: usize = 6;
pub(super) const CLAIMS: usize = 7;

/// The names of the claims.
const NAMES: [u32; CLAIMS] =
    [code(b"exp"), code(b"nbf"), code(b"scp"), code(b"meta"), code(b"id"), code(b"tid"), code(b"env")];

impl Found {
    /// The value of a claim that is a time, if it is present.
    pub(crate) const fn time(&self, claim: usize) -> Option<UnixTime> {
        match claim {
            EXPIRES_AT if self.places[EXPIRES_AT].is_some() => Some(UnixTime::from_secs(self.times[EXPIRES_AT].0)),
            NOT_BEFORE if self.places[NOT_BEFORE].is_some() => Some(UnixTime::from_secs(self.times[NOT_BEFORE].0)),
            _ => None,
        }
    }
}

/// A place in a payload. Both ends fit into one word because of [`MAX_PAYLOAD_LEN`](super::MAX_PAYLOAD_LEN). Each
/// verified key holds one place for each claim, and is moved, so it should be small.
#[derive(Clone, Copy, Default)]
pub(crate) struct Span(u32);

impl Span {
    /// Positions above `u16::MAX` count as `u16::MAX`: in a longer payload, nothing beyond it can be read.
    pub(crate) fn new(start: usize, end: usize) -> Self {
        let place = |at| u32::from(u16::try_from(at).unwrap_or(u16::MAX));
        Self(place(start) | place(end) << 16)
    }

    /// Whether there is a value, even an empty string. No value starts at the first byte of a payload.
    pub(crate) const fn is_some(self) -> bool {
        self.0 != 0
    }

    pub(super) fn start(self) -> usize {
        usize::try_from(self.0 & 0xFFFF).unwrap_or_default()
    }

    pub(super) fn end(self) -> usize {
        usize::try_from(self.0 >> 16).unwrap_or_default()
    }

    pub(super) fn end_at(&mut self, end: usize) {
        *self = Self::new(self.start(), end);
    }

    /// The bytes at this place.
    pub(crate) fn of(self, payload: &[u8]) -> &[u8] {
        payload.get(self.start()..self.end()).unwrap_or_default()
    }
}

/// The index of the claim with this name; [`CLAIMS`] for any other member.
pub(super) fn claim(name: Text<'_>) -> usize {
    let code = match name.as_bytes() {
        Some(name) => code(name),
        None => spelt_out(name),
    };
    NAMES.iter().position(|own| *own == code).unwrap_or(CLAIMS)
}

/// A name of two to four bytes as a number, filled up with a byte that never occurs in UTF-8; 0 for any other name.
const fn code(name: &[u8]) -> u32 {
    match *name {
        [a, b] => u32::from_le_bytes([a, b, 0xFF, 0xFF]),
        [a, b, c] => u32::from_le_bytes([a, b, c, 0xFF]),
        [a, b, c, d] => u32::from_le_bytes([a, b, c, d]),
        _ => 0,
    }
}

/// The [`code`] of a name with escapes, if the unescaped name consists of lower-case letters.
fn spelt_out(name: Text<'_>) -> u32 {
    let (mut code, mut shift) = (u32::MAX, 0_u32);
    for c in name.chars() {
        if !c.is_ascii_lowercase() || shift >= u32::BITS {
            return 0;
        }
        code ^= (u32::from(c) ^ 0xFF).wrapping_shl(shift);
        shift = shift.wrapping_add(8);
    }
    code
}

/// Ends each packed scope. This byte never occurs in UTF-8.
pub(super) const END: u8 = 0xFF;

/// Checks that `payload` is one object, and reads the claims in it. It replaces escapes in their strings by the
/// characters, in the same place.
pub(super) fn read_json(payload: &mut [u8], found: &mut Found) -> Result<(), Malformed> {
    if !find(payload, found)? {
        return Ok(());
    }
    for place in found.places[ID..].iter_mut().filter(|place| place.is_some()) {
        place.end_at(pull(payload, place.start(), place.start()).1);
    }
    let scopes = &mut found.places[SCOPES];
    scopes.end_at(pack(payload, *scopes)?);
    Ok(())
}

/// Finds the places of the claims. Returns whether one of their strings has escapes.
///
/// Not inlined: the stack for the levels is then in use only while this runs. (Inlined, a verifier on a Cortex-M4
/// would be 56 bytes smaller.)
#[inline(never)]
fn find(payload: &[u8], found: &mut Found) -> Result<bool, Malformed> {
    let mut escaped = false;
    let mut reader = Reader::new(Cursor::new(payload));
    reader.outermost()?;
    while reader.next()? {
        let start = reader.place();
        let claim = claim(reader.name());
        // The number of quote bytes on each side of the value.
        let mut quote = 0;
        match claim {
            // No other value starts with `n`. Null counts as absent.
            ..CLAIMS if reader.peek() == b'n' => {
                reader.skip()?;
                continue;
            }
            ID..CLAIMS => {
                escaped |= reader.string()?;
                quote = 1;
            }
            SCOPES => {
                reader.open(b'[')?;
                while reader.next()? {
                    escaped |= reader.string()?;
                }
            }
            EXPIRES_AT | NOT_BEFORE => {
                let secs = reader.integer()?;
                if let Some(time) = found.times.get_mut(claim) {
                    *time = Secs(secs);
                }
            }
            META if reader.peek() != b'{' => return Err(Malformed),
            _ => reader.skip()?,
        }
        if let Some(place) = found.places.get_mut(claim) {
            *place = Span::new(start.wrapping_add(quote), reader.place().wrapping_sub(quote));
        }
    }
    reader.end()?;
    Ok(escaped)
}

/// Packs the strings of a checked array to its start, each with an [`END`] after it. Returns where they end.
///
/// A packed string starts at or before its opening quote, and its `END` takes no more room than its closing quote. So
/// unread bytes are never overwritten.
fn pack(payload: &mut [u8], array: Span) -> Result<usize, Malformed> {
    let (mut at, mut packed) = (array.start(), array.start());
    while let Some(byte) = payload.get(..array.end()).and_then(|payload| payload.get(at)) {
        let quote = *byte == b'"';
        at = at.wrapping_add(1);
        if quote {
            (at, packed) = pull(payload, at, packed);
            *payload.get_mut(packed).ok_or(Malformed)? = END;
            (at, packed) = (at.wrapping_add(1), packed.wrapping_add(1));
        }
    }
    Ok(packed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_claim_is_found_by_its_name() {
        for (name, own) in [
            ("id", ID),
            ("tid", TENANT),
            ("scp", SCOPES),
            ("env", ENVIRONMENT),
            ("exp", EXPIRES_AT),
            ("nbf", NOT_BEFORE),
            ("meta", META),
        ] {
            assert_eq!(claim(Text::from(name)), own);
            for at in 0..name.len() {
                let (front, back) = name.split_at(at);
                let escaped = format!("{front}\\u00{:x}{}", back.as_bytes()[0], &back[1..]);
                assert_eq!(claim(Text::json(escaped.as_bytes(), true)), own);
            }
        }
    }

    #[test]
    fn other_names_are_not_claims() {
        for name in
            ["", "i", "d", "ID", "id\0", "id\0\0", "tid\0", "ide", "metas", "exp ", "\u{e9}", "\u{69}\u{64}\u{ff}"]
        {
            assert_eq!(claim(Text::from(name)), CLAIMS, "{name:?}");
        }
        for name in
            [r"i\u0064\u0000", r"\u0069d\u00ff", r"\u0069d\u0000\u0000", r"met\u0061s", r"\u0169d", r"\ud83d\ude00"]
        {
            assert_eq!(claim(Text::json(name.as_bytes(), true)), CLAIMS, "{name}");
        }
    }
}
