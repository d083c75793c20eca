//! Calls of the platform: through the gate, sealed, over the transport, opened, and read.

use core::time::Duration;
use std::{boxed::Box, string::String, time::Instant};

use getrandom::SysRng;

use super::{
    event::{Event, Events},
    gate::{Gate, Slot},
    scratch::{self, Scratch},
    sessions::Sessions,
    sign::{NotSigned, Sign},
    transport::{Call, Transport},
};
use crate::{
    envelope::{OpenError, SealError, ServerKey, Session, sealed_len},
    opened::Opened,
    policy::{Fault, Outage, Outcome, Overload, Rejection},
    protocol::{
        Answer, BodyForm, ClientId, ClientRecord, ClientRecordError, CreateClient, ProjectKey, RegisterEndpoint,
        Request, UserAgent, ValidateRequest,
    },
};

/// The time that all calls for one request may take together.
#[derive(Clone, Copy)]
pub(super) struct Deadline {
    start: Instant,
    limit: Duration,
}

impl Deadline {
    pub(super) fn after(limit: Duration) -> Self {
        Self { start: Instant::now(), limit }
    }

    /// What is left, unless the time is up.
    pub(super) fn left(&self) -> Result<Duration, Outcome> {
        match self.limit.checked_sub(self.start.elapsed()) {
            None | Some(Duration::ZERO) => Err(Outcome::Outage(Outage::Timeout)),
            Some(left) => Ok(left),
        }
    }
}

/// Whether an answer may come in the clear.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Answers {
    Sealed,
    SealedOrNot,
}

/// The body of an answer.
enum Body<'b> {
    Opened(Opened<'b>),
    Unsealed(&'b mut [u8]),
}

/// The longest body that is sent, in bytes before it is sealed. A stranger's header fields and payload may be
/// in it; a longer one, which a server may refuse before it has read it, is not tried.
pub(super) const MAX_BODY_LEN: usize = 64 * 1024;

/// Only validation requests are signed.
fn unsigned() -> Result<Option<String>, NotSigned> {
    Ok(None)
}

/// How the platform is reached, and by whom.
pub(super) struct Platform {
    pub(super) project_key: ProjectKey,
    pub(super) project_env: Box<str>,
    pub(super) server: ServerKey,
    /// Checked.
    pub(super) user_agent: Box<str>,
    pub(super) transport: Box<dyn Transport>,
    pub(super) signer: Option<Box<dyn Sign>>,
    pub(super) answers: Answers,
    pub(super) sessions: Sessions,
    pub(super) gate: Gate,
    pub(super) events: Events,
}

impl Platform {
    /// Asks about a request. What comes of it is an outcome, whichever way.
    pub(super) fn validate(&self, request: &ValidateRequest<'_>, deadline: Deadline) -> Outcome {
        let sign = || match &self.signer {
            Some(signer) => {
                let (client, method_path, timestamp) = request.signed();
                signer.sign(client, &method_path, &timestamp).map(Some)
            }
            None => Ok(None),
        };
        let verdict = self.exchange(request, sign, deadline, |body| {
            let answer = match body {
                Body::Opened(body) => Answer::read_opened(body),
                Body::Unsealed(body) => Answer::read_unsealed(body),
            };
            let answer = answer.map_err(|_| Outcome::Fault(Fault::Unreadable))?;
            if !answer.success() {
                return Err(Outcome::from_success(false));
            }
            // In the clear, nothing else ties an answer to its request.
            let ours = answer.client_id().is_none_or(|id| ClientId::new(id) == Ok(request.signed().0))
                && answer.project_env().is_none_or(|slug| *slug == *self.project_env);
            if ours { Ok(()) } else { Err(Outcome::Fault(Fault::Forged)) }
        });
        match verdict {
            Ok(()) => Outcome::Confirmed,
            Err(outcome) => outcome,
        }
    }

    /// Creates a client, or brings it up to date.
    pub(super) fn upsert(&self, request: &CreateClient<'_>, deadline: Deadline) -> Result<ClientId, Outcome> {
        let client = self.exchange(request, unsigned, deadline, |body| {
            let record = match body {
                Body::Opened(body) => ClientRecord::read_opened(body),
                Body::Unsealed(body) => ClientRecord::read_unsealed(body),
            };
            record.map(|record| record.id()).map_err(|error| match error {
                // Of the client, not of a key: nothing that may be overruled has been validated.
                ClientRecordError::Refused => Outcome::Rejected(Rejection::Forbidden),
                _ => Outcome::Fault(Fault::Unreadable),
            })
        })?;
        self.events.emit(&Event::ClientUpserted { client });
        Ok(client)
    }

    /// Tells of a route.
    pub(super) fn register(&self, request: &RegisterEndpoint<'_>, deadline: Deadline) -> Result<(), Outcome> {
        self.exchange(request, unsigned, deadline, |_| Ok(()))
    }

    /// One call, from the gate to what `read` makes of the answer's body.
    fn exchange<R: Request, T>(
        &self,
        request: &R,
        sign: impl FnOnce() -> Result<Option<String>, NotSigned>,
        deadline: Deadline,
        read: impl FnOnce(Body<'_>) -> Result<T, Outcome>,
    ) -> Result<T, Outcome> {
        self.gate.enter(&self.events).and_then(|mut slot| {
            let result = self.call(&mut slot, request, sign, deadline, read);
            let outcome = result.as_ref().err().copied().unwrap_or(Outcome::Confirmed);
            if let (Outcome::Outage(outage), true) = (outcome, slot.called()) {
                self.events.emit(&Event::Outage { outage });
            }
            // A registry that fails says nothing of the validations that the breaker is for.
            slot.settle(outcome.health().filter(|_| R::FORM == BodyForm::Sealed));
            result
        })
    }

    fn call<R: Request, T>(
        &self,
        slot: &mut Slot<'_>,
        request: &R,
        sign: impl FnOnce() -> Result<Option<String>, NotSigned>,
        deadline: Deadline,
        read: impl FnOnce(Body<'_>) -> Result<T, Outcome>,
    ) -> Result<T, Outcome> {
        let session = match R::FORM {
            BodyForm::Plain => None,
            BodyForm::Sealed => Some(self.session(slot.entered())?),
        };
        let signature = sign().map_err(|NotSigned| Outcome::Fault(Fault::NotSent))?;
        let timeout = deadline.left()?;
        slot.calls();
        let Scratch { target, body, envelope, answer } = slot.scratch();
        let target = scratch::write(target, |buf| request.write_target(buf).map(str::len));
        let body = body.write(|buf| request.write_body(buf).map(|text| text.len()));
        if body.len() > MAX_BODY_LEN {
            crate::crypto::Zeroize::zeroize(body);
            return Err(Outcome::Fault(Fault::NotSent));
        }
        let (sent, pending) = match session {
            None => (&*body, None),
            Some(session) => {
                let room = sealed_len(body.len());
                if envelope.len() < room {
                    envelope.resize(room, 0);
                }
                let sealed = session.seal(body, &mut SysRng, envelope);
                crate::crypto::Zeroize::zeroize(body);
                let (sealed, pending) = sealed.map_err(|error| match error {
                    SealError::Rng => Outcome::Overload(Overload::NoRandomness),
                    SealError::BufferTooSmall { .. } => Outcome::Fault(Fault::NotSent),
                })?;
                (sealed.as_bytes(), Some(pending))
            }
        };

        let user_agent = UserAgent::checked(&self.user_agent);
        let fields = request.header_fields(&self.project_key, user_agent);
        let [first, second, third, fourth] = fields;
        let signed = [first, second, third, fourth, ("x-apikee-signature", signature.as_deref().unwrap_or_default())];
        let headers = if signature.is_some() { &signed[..] } else { &fields[..] };
        let call = Call { method: R::METHOD, target, headers, body: sent, timeout };
        let received = self.transport.call(&call, answer)?;

        if let Some(outcome) = Outcome::from_status(received.status, received.retry_after) {
            return Err(outcome);
        }
        let answer = answer.get_mut(..received.len).ok_or(Outcome::Fault(Fault::Oversized))?;
        let Some(pending) = pending else {
            return read(Body::Unsealed(answer));
        };
        // An answer in the clear leaves the buffer as it was.
        match pending.open(answer) {
            Ok(opened) => read(Body::Opened(opened)),
            Err(OpenError::Unsealed) if self.answers == Answers::SealedOrNot => read(Body::Unsealed(answer)),
            Err(OpenError::Unsealed) => Err(Outcome::Fault(Fault::Unsealed)),
            Err(OpenError::WrongKey | OpenError::Reflected | OpenError::Forged) => Err(Outcome::Fault(Fault::Forged)),
            Err(OpenError::Malformed | OpenError::Version | OpenError::Encoding) => {
                Err(Outcome::Fault(Fault::Unreadable))
            }
        }
    }

    /// One that was prepared, or a new one.
    fn session(&self, now: Duration) -> Result<Session, Outcome> {
        match self.sessions.take(now) {
            Some(session) => Ok(session),
            None => {
                Session::establish(&self.server, &mut SysRng).map_err(|_| Outcome::Overload(Overload::NoRandomness))
            }
        }
    }
}
