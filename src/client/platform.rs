//! Calls of the platform: through the gate, sealed, over the transport, opened, and read.

use core::time::Duration;
use std::{
    boxed::Box,
    string::String,
    sync::{Mutex, MutexGuard, PoisonError},
};

use getrandom::SysRng;

use super::{
    event::{Event, Events},
    gate::{self, Caller, Deadline, Gate, Scratch, Slot},
    signing::{NotSigned, Sign},
    transport::{Call, Transport},
};
use crate::{
    envelope::{OpenError, SealError, ServerKey, Session, SessionPool, sealed_len},
    opened::Opened,
    policy::{Fault, Outage, Outcome, Overload, Reason, Rejection},
    protocol::{
        Answer, BodyForm, ClientId, ClientRecord, ClientRecordError, CreateClient, FindClient, FoundClient,
        FoundClientError, ProjectKey, Request, Sealing, UserAgent, ValidateRequest, WrittenEndpoint,
    },
};

/// What travels in envelopes; see [`Sealing`].
pub(super) enum Channel {
    /// The requests, and the answers if they must be.
    Sealed(Box<Sealer>),
    /// Nothing.
    Plain,
}

/// What requests are sealed with.
pub(super) struct Sealer {
    server: ServerKey,
    sessions: Sessions,
    answers: Answers,
}

/// Whether the answer to a sealed request may come in the clear.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Answers {
    Sealed,
    SealedOrNot,
}

impl Channel {
    pub(super) fn sealed(server: ServerKey, answers: Answers) -> Self {
        Self::Sealed(Box::new(Sealer { server, sessions: Sessions::new(), answers }))
    }

    /// The degree of sealing that it is for.
    fn sealing(&self) -> Sealing {
        match self {
            Self::Plain => Sealing::Off,
            Self::Sealed(sealer) => match sealer.answers {
                Answers::Sealed => Sealing::Required,
                Answers::SealedOrNot => Sealing::Requests,
            },
        }
    }

    /// Whether so few sessions are left that it is time to [`prepare`](Self::prepare) more.
    pub(super) fn runs_low(&self, now: Duration) -> bool {
        match self {
            Self::Sealed(sealer) => sealer.sessions.run_low(now),
            Self::Plain => false,
        }
    }

    /// Establishes one more session ahead of time; `false` if there is no room for it, no randomness, or no use.
    pub(super) fn prepare(&self, now: Duration) -> bool {
        match self {
            Self::Sealed(sealer) => sealer.sessions.add(&sealer.server, now),
            Self::Plain => false,
        }
    }

    /// A session for one request, prepared or new; `None` if the request goes plain.
    fn session(&self, now: Duration) -> Result<Option<Session>, Outcome> {
        let Self::Sealed(sealer) = self else {
            return Ok(None);
        };
        let session = match sealer.sessions.take(now) {
            Some(session) => Ok(session),
            None => Session::establish(&sealer.server, &mut SysRng),
        };
        session.map(Some).map_err(|_| Outcome::Overload(Overload::NoRandomness))
    }
}

/// As many as calls may be under way by default.
pub(super) const POOLED: usize = 32;

/// Older ones are thrown away when the next is taken or added.
const MAX_AGE: Duration = Duration::from_secs(300);

/// Sessions that were established ahead of time.
struct Sessions(Mutex<SessionPool<POOLED>>);

impl Sessions {
    const fn new() -> Self {
        Self(Mutex::new(SessionPool::new(MAX_AGE)))
    }

    fn take(&self, now: Duration) -> Option<Session> {
        self.lock().take(now)
    }

    /// Whether so few are left that it is time to refill.
    fn run_low(&self, now: Duration) -> bool {
        let mut pool = self.lock();
        pool.drop_old(now);
        pool.len() <= POOLED / 2
    }

    /// Establishes one more; `false` if there is no room for it, or no randomness. No request waits for it.
    fn add(&self, server: &ServerKey, now: Duration) -> bool {
        let mut pool = self.lock();
        pool.drop_old(now);
        let full = pool.is_full();
        drop(pool);
        if full {
            return false;
        }
        match Session::establish(server, &mut SysRng) {
            Ok(session) => self.lock().put(session, now).is_ok(),
            Err(_) => false,
        }
    }

    fn lock(&self) -> MutexGuard<'_, SessionPool<POOLED>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
    pub(super) channel: Channel,
    /// Checked.
    pub(super) user_agent: Box<str>,
    pub(super) transport: Box<dyn Transport>,
    pub(super) signer: Option<Box<dyn Sign>>,
    pub(super) gate: Gate,
    pub(super) events: Events,
}

impl Platform {
    /// Asks about a request. What comes of it is an outcome, whichever way, and whether the platform does not know
    /// the client.
    pub(super) fn validate(
        &self,
        caller: Caller<'_>,
        request: &ValidateRequest<'_>,
        deadline: Deadline,
    ) -> (Outcome, bool) {
        let mut unknown = false;
        let sign = || match &self.signer {
            Some(signer) => {
                let (client, method_path, timestamp) = request.signed();
                signer.sign(client, &method_path, &timestamp).map(Some)
            }
            None => Ok(None),
        };
        let verdict = self.exchange(Some(caller), request, sign, deadline, |body| {
            let answer = match body {
                Body::Opened(body) => Answer::read_opened(body),
                Body::Unsealed(body) => Answer::read_unsealed(body),
            };
            let answer = answer.map_err(|_| Outcome::Fault(Fault::Unreadable))?;
            if !answer.success() {
                unknown = [answer.error(), answer.code()].into_iter().flatten().any(names_no_client);
                let reason = Reason::new(answer.reason(), answer.message());
                return Err(Outcome::Rejected(Rejection::Unsuccessful(reason)));
            }
            if answer.is_about(request) { Ok(()) } else { Err(Outcome::Fault(Fault::Forged)) }
        });
        match verdict {
            Ok(()) => (Outcome::Confirmed, false),
            Err(outcome) => (outcome, unknown || outcome == Outcome::Fault(Fault::Status(404))),
        }
    }

    /// Looks up the client of that name, if there is one: a fault if there are several.
    pub(super) fn find(&self, caller: Caller<'_>, name: &str, deadline: Deadline) -> Result<Option<ClientId>, Outcome> {
        let request = FindClient::new(&self.project_env, name);
        self.exchange(Some(caller), &request, unsigned, deadline, |body| {
            let Body::Unsealed(body) = body else {
                return Err(Outcome::Fault(Fault::Unreadable));
            };
            match FoundClient::read_unsealed(body, name) {
                Ok(FoundClient::One(id)) => Ok(Some(id)),
                Ok(FoundClient::None) => Ok(None),
                Ok(FoundClient::Several) => Err(Outcome::Fault(Fault::UnknownClient)),
                Err(FoundClientError::Refused) => Err(Outcome::Rejected(Rejection::Forbidden)),
                Err(_) => Err(Outcome::Fault(Fault::Unreadable)),
            }
        })
    }

    /// Creates a client, or brings it up to date.
    pub(super) fn upsert(
        &self,
        caller: Caller<'_>,
        request: &CreateClient<'_>,
        deadline: Deadline,
    ) -> Result<ClientId, Outcome> {
        let client = self.exchange(Some(caller), request, unsigned, deadline, |body| {
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

    /// Tells of a route, by the body of a [`RegisterEndpoint`](crate::RegisterEndpoint).
    pub(super) fn register(&self, body: &str, deadline: Deadline) -> Result<(), Outcome> {
        let request = WrittenEndpoint { project_env: &self.project_env, body };
        self.exchange(None, &request, unsigned, deadline, |_| Ok(()))
    }

    /// One call, from the gate to what `read` makes of the answer's body. Without a caller, no request waits for it,
    /// and it says nothing about the validations that the breaker is for.
    fn exchange<R: Request, T>(
        &self,
        caller: Option<Caller<'_>>,
        request: &R,
        sign: impl FnOnce() -> Result<Option<String>, NotSigned>,
        deadline: Deadline,
        read: impl FnOnce(Body<'_>) -> Result<T, Outcome>,
    ) -> Result<T, Outcome> {
        let mut slot = self.gate.enter(caller, deadline, &self.events)?;
        let result = match self.call(&mut slot, request, sign, deadline, read) {
            // What was left was too little. Load did that, and load must not look like an outage.
            Err(Outcome::Outage(Outage::Timeout)) if slot.mostly_waited() => Err(slot.as_if_still_waiting()),
            result => result,
        };
        let outcome = result.as_ref().err().copied().unwrap_or(Outcome::Confirmed);
        slot.settle(outcome);
        if let Outcome::Outage(outage) = outcome {
            self.events.emit(&Event::Outage { outage });
        }
        result
    }

    fn call<R: Request, T>(
        &self,
        slot: &mut Slot<'_>,
        request: &R,
        sign: impl FnOnce() -> Result<Option<String>, NotSigned>,
        deadline: Deadline,
        read: impl FnOnce(Body<'_>) -> Result<T, Outcome>,
    ) -> Result<T, Outcome> {
        let sealing = self.channel.sealing();
        let form = R::form(sealing);
        let session = match form {
            BodyForm::Plain => None,
            BodyForm::Sealed => self.channel.session(slot.entered())?,
        };
        let signature = sign().map_err(|NotSigned| Outcome::Fault(Fault::NotSent))?;
        let timeout = deadline.left().ok_or(Outcome::Overload(Overload::TooManyInFlight))?;
        let Some(Scratch { target, body, envelope, answer }) = slot.scratch() else {
            return Err(Outcome::Overload(Overload::OutOfResources));
        };
        let target = gate::write(target, |buf| request.write_target(buf).map(str::len));
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
        let fields = request.header_fields_as(form, &self.project_key, user_agent);
        let mut headers: heapless::Vec<(&str, &str), 5> = fields.iter().copied().collect();
        headers.extend(signature.as_deref().map(|signature| ("x-apikee-signature", signature)));
        let call = Call { method: R::METHOD, target, headers: &headers, body: sent, timeout };
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
            Err(OpenError::Unsealed) if sealing != Sealing::Required => read(Body::Unsealed(answer)),
            Err(OpenError::Unsealed) => Err(Outcome::Fault(Fault::Unsealed)),
            Err(OpenError::WrongKey | OpenError::Reflected | OpenError::Forged) => Err(Outcome::Fault(Fault::Forged)),
            Err(OpenError::Malformed | OpenError::Version | OpenError::Encoding) => {
                Err(Outcome::Fault(Fault::Unreadable))
            }
        }
    }
}

/// Whether a code of the platform says that the client does not exist.
fn names_no_client(code: &str) -> bool {
    ["UNKNOWN_CLIENT", "CLIENT_NOT_FOUND", "CLIENT_UNKNOWN", "NO_SUCH_CLIENT"].contains(&code)
}
