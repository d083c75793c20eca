//! JSON payloads.

use super::{
    payload::{CLAIMS, ENVIRONMENT, EXPIRES_AT, Found, ID, META, NOT_BEFORE, SCOPES, Secs, Span, TENANT, claim},
    scopes::END,
};
use crate::{
    json::{cursor::Cursor, scan::Reader},
    names::Malformed,
    text::pull,
};

/// Checks that `payload` is one object and reads the claims in it. Escapes in their strings are undone where these
/// stand.
pub(super) fn read(payload: &mut [u8], found: &mut Found) -> Result<(), Malformed> {
    if !find(payload, found)? {
        return Ok(());
    }
    for string in [ID, TENANT, ENVIRONMENT] {
        let place = found.places.get_mut(string).filter(|place| place.is_some());
        if let Some(place) = place {
            place.end_at(pull(payload, place.start(), place.start()).1);
        }
    }
    let scopes = &mut found.places[SCOPES];
    scopes.end_at(pack(payload, *scopes)?);
    Ok(())
}

/// Finds where the claims stand, and whether one of their strings has escapes.
///
/// Not inlined: its stack of levels is taken while it runs, and no longer.
#[inline(never)]
fn find(payload: &[u8], found: &mut Found) -> Result<bool, Malformed> {
    let mut escaped = false;
    let mut reader = Reader::new(Cursor::new(payload));
    reader.outermost()?;
    while reader.next()? {
        let start = reader.place();
        let claim = claim(reader.name());
        // What stands around a string.
        let mut quote = 0;
        match claim {
            // No other value starts like null, which is as good as absent.
            ..CLAIMS if reader.peek() == b'n' => {
                reader.skip()?;
                continue;
            }
            ID | TENANT | ENVIRONMENT => {
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
                if let Some(time) = found.times.get_mut(claim / 2) {
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

/// Packs the strings of a checked array where it starts, each with an [`END`] after it, and returns where that ends.
///
/// A string is packed at or before the place of its opening quote, and its end takes no more
/// than the place of its closing quote: what is still to be read is never overwritten.
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
