//! Reading an answer's body to its end, since only then its connection can be used again.

use core::time::Duration;
use std::{io::Read as _, time::Instant};

use ureq::{Body, Error};

use super::deadline;

/// How much is read of a body that is of no use, in bytes.
const MAX_DRAINED: u64 = 64 * 1024;
/// How long such a body is read. A new connection may cost about as much.
const MAX_DRAINING: Duration = Duration::from_millis(50);

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

/// Reads the body and throws it away. If it is too long or does not end soon, the connection is closed.
pub(super) fn drain(body: &mut Body) {
    if body.content_length().is_some_and(|len| len > MAX_DRAINED) {
        return;
    }
    match Instant::now().checked_add(MAX_DRAINING) {
        Some(end) => deadline::sooner(end, || pass_over(body)),
        None => pass_over(body),
    }
}

fn pass_over(body: &mut Body) {
    // The end is only seen by reading on.
    let mut reader = body.as_reader().take(MAX_DRAINED.saturating_add(1));
    let mut sink = [0; 1024];
    while matches!(reader.read(&mut sink), Ok(1..)) {}
}
