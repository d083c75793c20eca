//! Sessions with the platform.

use apikee::{
    envelope::{OpenError, Opened, Pending, SealError, ServerKey, Session},
    protocol::{Answer, AnswerError},
};

use crate::{
    failure::Failure,
    module::{MAX_BODY, Module},
    random::Brought,
    slots::Resident,
};

/// How many public keys of platforms can exist at once.
pub(crate) const SERVERS: usize = 16;

/// How many sessions can exist at once, established or waiting for an answer.
pub(crate) const SESSIONS: usize = 1024;

/// The stage of a session. A move out of a stage leaves its bytes in the place. So a vacant place consists of as many
/// zeros as the largest stage has bytes, and contains nothing of a key.
pub(crate) enum Stage {
    Vacant(#[expect(dead_code, reason = "it overwrites what a move left")] [u8; size_of::<Session>()]),
    Established(Session),
    Pending(Pending),
}

impl Resident for Stage {
    const VACANT: Self = Self::Vacant([0; size_of::<Session>()]);
}

impl Module {
    /// Takes the 32 bytes of the platform's public key from the input.
    ///
    /// JavaScript has already decoded its text: the kernel's base64 in four constant-time variants would take 10 kB.
    pub(crate) fn server_key(&mut self, len: usize) -> Result<i32, Failure> {
        let bytes = self.input.get(..len).and_then(|bytes| bytes.try_into().ok()).ok_or(Failure::InvalidArgument)?;
        let key = ServerKey::from_bytes(bytes).map_err(|_| Failure::LowOrderServerKey)?;
        self.servers.insert(Some(key))
    }

    /// Establishes a session from 32 random bytes.
    pub(crate) fn establish(&mut self, server: i32) -> Result<i32, Failure> {
        let server = self.servers.get(server)?.as_ref().ok_or(Failure::Freed)?;
        let session =
            Session::establish(server, &mut Brought::new(&mut self.random)).map_err(|_| Failure::RngFailed)?;
        self.sessions.insert(Stage::Established(session))
    }

    /// Seals the input with 12 random bytes.
    pub(crate) fn seal(&mut self, session: i32, len: usize) -> Result<i32, Failure> {
        let stage = self.sessions.get(session)?;
        if !matches!(stage, Stage::Established(_)) {
            return Err(Failure::SessionUsed);
        }
        let plaintext = self.input.get(..len).filter(|body| body.len() <= MAX_BODY).ok_or(Failure::TooLong)?;
        let Stage::Established(established) = core::mem::replace(stage, Stage::VACANT) else {
            return Err(Failure::SessionUsed);
        };
        let sealed = established.seal(plaintext, &mut Brought::new(&mut self.random), &mut self.output.0);
        let (envelope, pending) = match sealed {
            Ok(sealed) => sealed,
            Err(error) => {
                self.sessions.free(session);
                return Err(if matches!(error, SealError::Rng) { Failure::RngFailed } else { Failure::TooLong });
            }
        };
        *stage = Stage::Pending(pending);
        i32::try_from(envelope.len()).map_err(|_| Failure::TooLong)
    }

    /// Opens the answer in the input. Afterwards the session's place is free, also after an error.
    pub(crate) fn open(&mut self, session: i32, len: usize) -> Result<i32, Failure> {
        let pending = self.take_pending(session)?;
        let answer = self.input.get_mut(..len).ok_or(Failure::TooLong)?;
        copy(&pending.open(answer).map_err(failure)?, &mut self.output.0)
    }

    /// The same for the answer to a validate call, which it also reads. The output is 1 if the platform lets the
    /// request through, otherwise 0, and then the answer.
    pub(crate) fn verdict(&mut self, session: i32, len: usize) -> Result<i32, Failure> {
        let pending = self.take_pending(session)?;
        let answer = self.input.get_mut(..len).ok_or(Failure::TooLong)?;
        let opened = pending.open(answer).map_err(failure)?;
        let (verdict, text) = self.output.0.split_first_mut().ok_or(Failure::TooLong)?;
        // Copies the answer before it is read, because reading decodes its escapes in place.
        let len = copy(&opened, text)?;
        match Answer::read_opened(opened) {
            Ok(answer) => *verdict = u8::from(answer.success()),
            Err(error) => {
                text.fill(0);
                return Err(if error == AnswerError::NoVerdict {
                    Failure::NoVerdict
                } else {
                    Failure::MalformedAnswer
                });
            }
        }
        Ok(len.saturating_add(1))
    }

    /// Takes the state that opens an answer out of its place. The place is free afterwards.
    fn take_pending(&mut self, session: i32) -> Result<Pending, Failure> {
        let stage = self.sessions.get(session)?;
        if !matches!(stage, Stage::Pending(_)) {
            return Err(Failure::SessionUsed);
        }
        let Stage::Pending(pending) = core::mem::replace(stage, Stage::VACANT) else {
            return Err(Failure::SessionUsed);
        };
        self.sessions.free(session);
        Ok(pending)
    }
}

/// Copies the opened text; returns its length.
fn copy(opened: &Opened<'_>, output: &mut [u8]) -> Result<i32, Failure> {
    let place = output.get_mut(..opened.as_bytes().len()).ok_or(Failure::TooLong)?;
    place.copy_from_slice(opened.as_bytes());
    i32::try_from(place.len()).map_err(|_| Failure::TooLong)
}

fn failure(error: OpenError) -> Failure {
    match error {
        OpenError::Malformed => Failure::MalformedEnvelope,
        OpenError::Unsealed => Failure::Unsealed,
        OpenError::Version => Failure::UnknownVersion,
        OpenError::Encoding => Failure::WrongEncoding,
        OpenError::WrongKey => Failure::WrongKey,
        OpenError::Reflected => Failure::Reflected,
        _ => Failure::Forged,
    }
}
