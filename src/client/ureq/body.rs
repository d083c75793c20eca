//! Reading an answer's body to its end, since only then its connection can be used again.

use std::io::Read as _;

use ureq::{Body, Error};

/// How much is read of a body that is of no use.
const MAX_DRAINED: u64 = 64 * 1024;

/// Reads the body into `answer`, and no more than that and a little. Its length.
pub(super) fn read(body: &mut Body, answer: &mut [u8]) -> Result<usize, Error> {
    let max = u64::try_from(answer.len()).unwrap_or(u64::MAX);
    let too_long = || Error::BodyExceedsLimit(max);
    if body.content_length().is_some_and(|len| len > max) {
        return Err(too_long());
    }
    let mut reader = body.as_reader();
    let mut len = 0_usize;
    loop {
        let rest = answer.get_mut(len..).unwrap_or_default();
        if rest.is_empty() {
            // The end is only seen by reading on.
            return if reader.read(&mut [0])? == 0 { Ok(len) } else { Err(too_long()) };
        }
        match reader.read(rest)? {
            0 => return Ok(len),
            read => len = len.saturating_add(read),
        }
    }
}

/// Passes over the body. If it does not end soon enough, the connection is closed.
pub(super) fn drain(body: &mut Body) {
    if body.content_length().is_some_and(|len| len > MAX_DRAINED) {
        return;
    }
    // The end is only seen by reading on.
    let mut reader = body.as_reader().take(MAX_DRAINED.saturating_add(1));
    let mut sink = [0; 1024];
    while matches!(reader.read(&mut sink), Ok(1..)) {}
}
