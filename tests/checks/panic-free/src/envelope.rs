//! Seals and opens a request and its answer, on both sides.

use core::{ffi::c_int, time::Duration};

use apikee::envelope::{OpenError, Recipient, SealError, ServerKey, ServerKeyError, Session, SessionPool};

use crate::{Arguments, generator::Generator};

/// Arguments: `ROOM SERVER-KEY SEED SECRET FLIP TEXT`. The exit code is 0 if the answer contains the same text.
///
/// `SECRET` is the server's secret key, and `SERVER-KEY` its public key. They may also not belong together, as a test.
/// A bit of the byte at `FLIP` in the answer is changed, if there is such a byte. `with` is called with the opened
/// text.
pub fn run(arguments: &mut Arguments, with: impl FnOnce(&[u8])) -> c_int {
    let (mut request, mut answer) = ([0; 4096], [0; 4096]);
    let request = arguments.part_of(&mut request);
    let server = match arguments.text().parse::<ServerKey>() {
        Ok(server) => server,
        Err(ServerKeyError::Malformed) => return 10,
        Err(_) => return 11,
    };
    let mut rng = Generator(arguments.number().unsigned_abs());
    let Some(secret) = arguments.bytes32() else {
        return 64;
    };
    let recipient = Recipient::new(secret);
    let flip = usize::try_from(arguments.number()).ok();
    let text = arguments.bytes();

    let mut pool = SessionPool::<2>::new(Duration::from_secs(60));
    let Ok(session) = Session::establish(&server, &mut rng) else {
        return 12;
    };
    let Some(session) = pool.put(session, Duration::ZERO).ok().and_then(|()| pool.take(Duration::ZERO)) else {
        return 65;
    };
    let (sealed, pending) = match session.seal(text, &mut rng, request) {
        Ok((sealed, pending)) => (sealed.len(), pending),
        Err(error) => return not_sealed(error),
    };
    let (asked, reply) = match recipient.open(request.get_mut(..sealed).unwrap_or_default()) {
        Ok(opened) => opened,
        Err(error) => return not_opened(error),
    };
    let sealed = match reply.seal(asked, &mut rng, &mut answer) {
        Ok(sealed) => sealed.len(),
        Err(error) => return not_sealed(error),
    };
    let answer = answer.get_mut(..sealed).unwrap_or_default();
    if let Some(byte) = flip.and_then(|at| answer.get_mut(at)) {
        *byte ^= 1;
    }
    match pending.open(answer) {
        Ok(opened) => {
            with(opened.as_bytes());
            if opened.as_bytes() == text { 0 } else { 66 }
        }
        Err(error) => not_opened(error),
    }
}

fn not_sealed(error: SealError) -> c_int {
    match error {
        SealError::BufferTooSmall { .. } => 20,
        SealError::Rng => 21,
        _ => 63,
    }
}

fn not_opened(error: OpenError) -> c_int {
    match error {
        OpenError::Malformed => 30,
        OpenError::Unsealed => 31,
        OpenError::Version => 32,
        OpenError::Encoding => 33,
        OpenError::WrongKey => 34,
        OpenError::Forged => 35,
        OpenError::Reflected => 36,
        _ => 63,
    }
}
