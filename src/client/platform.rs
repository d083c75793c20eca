//! Calls to the platform: through the gate, sealed, over the transport, opened, and read.

use core::{panic::AssertUnwindSafe, time::Duration};
use std::{
    boxed::Box,
    panic::{catch_unwind, resume_unwind},
    string::String,
    sync::{Mutex, MutexGuard, PoisonError},
    vec::Vec,
};

use getrandom::SysRng;

use super::{
    event::{Event, Events},
    gate::{self, Caller, Deadline, Gate, Plaintext, Scratch},
    request::cut,
    signing::{NotSigned, Sign, sign},
    transport::{Call, Received, Transport, TransportError},
};
use crate::{
    buf::BufferTooSmall,
    crypto::{Zeroize, stack},
    envelope::{OpenError, Opened, Pending, SealError, ServerKey, Session, SessionPool, sealed_len},
    json::find::find,
    key::{PREFIX, VerifiedKey, without_keys},
    policy::{Fault, Outage, Outcome, Overload, Reason, Rejection},
    protocol::{
        Answer, BodyForm, ClientId, ClientRecord, ClientRecordError, CreateClient, FoundClient, FoundClientError,
        ProjectKey, Request, Sealing, UserAgent, ValidateRequest,
    },
};

/// Which bodies travel in envelopes; see [`Sealing`].
pub(super) enum Channel {
    /// The requests, and the answers if they must be sealed.
    Sealed(Box<Sealer>),
    /// Nothing.
    Plain,
}

/// The keys and sessions that seal requests.
pub(super) struct Sealer {
    server: ServerKey,
    sessions: Sessions,
    sealing: Sealing,
}

impl Channel {
    /// `None` if `sealing` needs a key and there is none.
    pub(super) fn new(sealing: Sealing, server: Option<ServerKey>) -> Option<Self> {
        match (sealing, server) {
            (Sealing::Off, _) => Some(Self::Plain),
            (_, server) => Some(Self::Sealed(Box::new(Sealer { server: server?, sessions: Sessions::new(), sealing }))),
        }
    }

    /// The configured sealing.
    fn sealing(&self) -> Sealing {
        match self {
            Self::Plain => Sealing::Off,
            Self::Sealed(sealer) => sealer.sealing,
        }
    }

    /// Whether few sessions are left, so that it is time to [`prepare`](Self::prepare) more.
    pub(super) fn runs_low(&self, now: Duration) -> bool {
        match self {
            Self::Sealed(sealer) => sealer.sessions.run_low(now),
            Self::Plain => false,
        }
    }

    /// Establishes one more session ahead of time. `false` if the pool is full, there is no randomness, or requests are
    /// not sealed.
    pub(super) fn prepare(&self, now: Duration) -> bool {
        match self {
            Self::Sealed(sealer) => sealer.sessions.add(&sealer.server, now),
            Self::Plain => false,
        }
    }

    /// A session for one request, from the pool or new. `None` if requests are not sealed.
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

/// The default limit of calls in flight.
pub(super) const POOLED: usize = 32;

/// Older sessions are thrown away when a session is taken or added.
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

    /// Whether at most half of the sessions are left, so that it is time to refill.
    fn run_low(&self, now: Duration) -> bool {
        let mut pool = self.lock();
        pool.drop_old(now);
        pool.len() <= POOLED / 2
    }

    /// Establishes one more session. `false` if the pool is full or there is no randomness. No lock is held meanwhile,
    /// so no request waits.
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
pub(super) enum Body<'b> {
    Opened(Opened<'b>),
    Unsealed(&'b mut [u8]),
}

/// The longest body that is sent, in bytes before it is sealed. It may contain an untrusted caller's header fields and
/// payload. A longer body is not sent, because a server may refuse it before reading it.
pub(super) const MAX_BODY_LEN: usize = 64 * 1024;

/// Why a call failed.
#[derive(Clone, Copy)]
pub(super) struct Failed {
    pub(super) outcome: Outcome,
    /// The platform does not know the client of the call.
    pub(super) unknown_client: bool,
}

impl From<Outcome> for Failed {
    fn from(outcome: Outcome) -> Self {
        Self { outcome, unknown_client: outcome == Outcome::Fault(Fault::Status(404)) }
    }
}

impl From<Failed> for Outcome {
    fn from(failed: Failed) -> Self {
        failed.outcome
    }
}

/// Reads the answer to a validate call. The answer must be about this request, whatever the verdict is. Any verdict
/// except success is a rejection. Its reason does not contain the `secrets`.
pub(super) fn success(body: Body<'_>, request: &ValidateRequest<'_>, secrets: &[&str]) -> Result<(), Failed> {
    let answer = match body {
        Body::Opened(body) => Answer::read_opened(body),
        Body::Unsealed(body) => Answer::read_unsealed(body),
    };
    let answer = answer.map_err(|_| Outcome::Fault(Fault::Unreadable))?;
    if !answer.is_about(request) {
        return Err(Outcome::Fault(Fault::Forged).into());
    }
    if answer.success() {
        return Ok(());
    }
    let unknown_client = [answer.error(), answer.code()].into_iter().flatten().any(names_no_client);
    let [code, message] = [answer.reason(), answer.message()].map(|text| loggable(text?, secrets));
    let reason = Reason::new(code.as_deref(), message.as_deref());
    Err(Failed { outcome: Outcome::Rejected(Rejection::Unsuccessful(reason)), unknown_client })
}

/// The start of a text of the platform, for logs. The platform may repeat what it has received, so keys are cut, and a
/// text with a part of a secret is left out.
fn loggable(text: &str, secrets: &[&str]) -> Option<String> {
    // Keys first: a key that is cut within its payload does not look like one.
    let mut text = without_keys(text);
    let shown = cut(&text, Reason::MAX_LEN);
    let shown = (!secrets.iter().any(|secret| repeats(shown, secret))).then(|| shown.into());
    // The rest may contain a secret.
    text.as_mut_str().zeroize();
    shown
}

/// Whether the text contains 9 characters of the secret in a row (one more than `sk_live_` has), or a whole shorter
/// secret.
fn repeats(text: &str, secret: &str) -> bool {
    let len = secret.len().min("sk_live_".len().saturating_add(1));
    (0..text.len()).any(|at| text.get(at..at.saturating_add(len)).is_some_and(|part| secret.contains(part)))
}

/// Reads the answer to a [`CreateClient`].
fn created(body: Body<'_>) -> Result<ClientId, Failed> {
    let record = match body {
        Body::Opened(body) => ClientRecord::read_opened(body),
        Body::Unsealed(body) => ClientRecord::read_unsealed(body),
    };
    match record {
        Ok(record) => Ok(record.id()),
        // The platform refused the client, not a key. No key was validated, so a policy must not overrule this.
        Err(ClientRecordError::Refused) => Err(Outcome::Rejected(Rejection::Forbidden).into()),
        Err(_) => Err(Outcome::Fault(Fault::Unreadable).into()),
    }
}

/// Reads the answer to a [`RegisterEndpoint`](crate::protocol::RegisterEndpoint). Its body is not documented, so only
/// `success:false` is a failure.
pub(super) fn registered(body: Body<'_>) -> Result<(), Failed> {
    match created(body) {
        Err(Failed { outcome: outcome @ Outcome::Rejected(_), .. }) => Err(outcome.into()),
        _ => Ok(()),
    }
}

/// Reads the answer to a [`FindClient`](crate::protocol::FindClient).
pub(super) fn found(body: Body<'_>, name: &str) -> Result<FoundClient, Failed> {
    let Body::Unsealed(body) = body else {
        return Err(Outcome::Fault(Fault::Unreadable).into());
    };
    match FoundClient::read_unsealed(body, name) {
        Ok(found) => Ok(found),
        Err(FoundClientError::Refused) => Err(Outcome::Rejected(Rejection::Forbidden).into()),
        Err(_) => Err(Outcome::Fault(Fault::Unreadable).into()),
    }
}

/// Runs a call, and then wipes the stack below. The result is copied out in parts. A copy of a whole [`Outcome`] also
/// has the bytes that its variant does not use, and there the stack may have held the key of a session.
pub(super) fn wiped(call: impl FnOnce() -> Outcome) -> Outcome {
    let mut reason = Reason::NONE;
    let run = || {
        let outcome = call();
        if let Outcome::Rejected(Rejection::Unsuccessful(given)) | Outcome::Remembered(Rejection::Unsuccessful(given)) =
            outcome
        {
            reason = given;
        }
        Brief::of(outcome)
    };
    // Also after a panic of the transport.
    match stack::wiped_deep(|| catch_unwind(AssertUnwindSafe(run))) {
        Ok(brief) => brief.with(reason),
        Err(panic) => resume_unwind(panic),
    }
}

/// An [`Outcome`] without the platform's reason, which is most of its size.
#[derive(Clone, Copy)]
enum Brief {
    Confirmed,
    Rejected(BriefRejection),
    Remembered(BriefRejection),
    Outage(Outage),
    Overload(Overload),
    Fault(Fault),
}

#[derive(Clone, Copy)]
enum BriefRejection {
    Unsuccessful,
    Forbidden,
    RateLimited(Option<u32>),
}

impl Brief {
    const fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Confirmed => Self::Confirmed,
            Outcome::Rejected(rejection) => Self::Rejected(BriefRejection::of(rejection)),
            Outcome::Remembered(rejection) => Self::Remembered(BriefRejection::of(rejection)),
            Outcome::Outage(outage) => Self::Outage(outage),
            Outcome::Overload(overload) => Self::Overload(overload),
            Outcome::Fault(fault) => Self::Fault(fault),
        }
    }

    const fn with(self, reason: Reason) -> Outcome {
        match self {
            Self::Confirmed => Outcome::Confirmed,
            Self::Rejected(rejection) => Outcome::Rejected(rejection.with(reason)),
            Self::Remembered(rejection) => Outcome::Remembered(rejection.with(reason)),
            Self::Outage(outage) => Outcome::Outage(outage),
            Self::Overload(overload) => Outcome::Overload(overload),
            Self::Fault(fault) => Outcome::Fault(fault),
        }
    }
}

impl BriefRejection {
    const fn of(rejection: Rejection) -> Self {
        match rejection {
            Rejection::Unsuccessful(_) => Self::Unsuccessful,
            Rejection::Forbidden => Self::Forbidden,
            Rejection::RateLimited { retry_after } => Self::RateLimited(retry_after),
        }
    }

    const fn with(self, reason: Reason) -> Rejection {
        match self {
            Self::Unsuccessful => Rejection::Unsuccessful(reason),
            Self::Forbidden => Rejection::Forbidden,
            Self::RateLimited(retry_after) => Rejection::RateLimited { retry_after },
        }
    }
}

/// A call that is ready to be sent.
struct Outgoing<'s> {
    target: &'s str,
    form: BodyForm,
    signature: Option<String>,
    body: &'s [u8],
    /// Opens the answer. `None` if the body is not sealed.
    pending: Option<Pending>,
    timeout: Duration,
}

/// The connection to the platform, and the credentials for it.
pub(super) struct Platform {
    pub(super) project_key: Box<ProjectKey>,
    pub(super) project_env: Box<str>,
    pub(super) channel: Channel,
    /// Was checked by [`UserAgent`].
    pub(super) user_agent: Box<str>,
    pub(super) transport: Box<dyn Transport>,
    pub(super) signer: Option<Box<dyn Sign>>,
    pub(super) gate: Gate,
    pub(super) events: Events,
}

impl Platform {
    /// The texts of a request about this key that must not be in a log. All keys start with the same prefix.
    pub(super) fn secrets<'s>(&'s self, key: &VerifiedKey<'s>) -> [&'s str; 2] {
        let raw_key = key.raw();
        [self.project_key.header_value(), raw_key.strip_prefix(PREFIX).unwrap_or(raw_key)]
    }

    /// Creates or replaces a client.
    pub(super) fn upsert(
        &self,
        caller: Caller<'_>,
        request: &CreateClient<'_>,
        deadline: &Deadline,
    ) -> Result<ClientId, Outcome> {
        let client = self.exchange(Some(caller), request, deadline, created)?;
        // The observer's time is not the platform's.
        let _ = deadline.suspended(|| self.events.emit(&Event::ClientUpserted { client }));
        Ok(client)
    }

    /// Makes one call through the gate, and returns the result of `read` on the answer's body. Without a caller, the
    /// result of the call does not count for the breaker.
    pub(super) fn exchange<R: Request, A>(
        &self,
        caller: Option<Caller<'_>>,
        request: &R,
        deadline: &Deadline,
        read: impl FnOnce(Body<'_>) -> Result<A, Failed>,
    ) -> Result<A, Failed> {
        // Checked before the gate. Otherwise such a request could become the probe, and block other probes.
        let max_target_len = self.transport.max_target_len();
        if !fits(max_target_len, request.write_target(&mut [])) || !fits(MAX_BODY_LEN, request.write_body(&mut [])) {
            return Err(Outcome::Fault(Fault::NotSent).into());
        }
        let mut slot = self.gate.enter(caller, deadline, &self.events)?;
        let entered = slot.entered();
        let Scratch { target, body, envelope, answer } = &mut slot.scratch;
        let mut result = match self.write(request, deadline, entered, target, body, envelope) {
            Err(outcome) => Err(outcome.into()),
            Ok(Outgoing { target, form, signature, body, pending, timeout }) => {
                let user_agent = UserAgent::checked(&self.user_agent);
                let fields = request.header_fields_as(form, &self.project_key, user_agent);
                let mut headers: heapless::Vec<(&str, &str), 5> = fields.iter().copied().collect();
                headers.extend(signature.as_deref().map(|signature| ("x-apikee-signature", signature)));
                let call = Call { method: R::METHOD, target, headers: &headers, body, timeout };
                match deadline.asking(|| self.transport.call(&call, answer)) {
                    Err(error) => {
                        // The front of an answer that is too long may look like a whole one.
                        let may_be_whole = error != TransportError::OVERSIZED;
                        let result = may_be_whole.then(|| self.read_late(pending, answer, read)).flatten();
                        answer.zeroize();
                        result.unwrap_or_else(|| Err(Outcome::from(error).into()))
                    }
                    Ok(received) => {
                        let result = self.read(received, pending, answer, read);
                        answer.iter_mut().take(received.len).for_each(Zeroize::zeroize);
                        result
                    }
                }
            }
        };
        if let Err(Failed { outcome: Outcome::Outage(outage), .. }) = result {
            result = Err(self.gate.judge(caller.map(|caller| caller.client), deadline, outage).into());
        }
        let outcome = result.as_ref().err().map_or(Outcome::Confirmed, |failed| failed.outcome);
        // The observer's time is not the platform's.
        let _ = deadline.suspended(|| {
            slot.settle(outcome);
            if let Outcome::Outage(outage) = outcome {
                self.events.emit(&Event::Outage { outage });
            }
        });
        result
    }

    /// Writes a request into these buffers, and seals it if necessary.
    fn write<'s, R: Request>(
        &self,
        request: &R,
        deadline: &Deadline,
        now: Duration,
        target: &'s mut Vec<u8>,
        body: &'s mut Plaintext,
        envelope: &'s mut Vec<u8>,
    ) -> Result<Outgoing<'s>, Outcome> {
        let form = R::form(self.channel.sealing());
        let session = match form {
            BodyForm::Plain => None,
            BodyForm::Sealed => self.channel.session(now)?,
        };
        let signature = match &self.signer {
            Some(signer) => sign(request, &**signer).map_err(|NotSigned| Outcome::Fault(Fault::NotSent))?,
            None => None,
        };
        let timeout = deadline.left().ok_or(Outcome::Overload(Overload::TooManyInFlight))?;
        let target = gate::write(target, |buf| request.write_target(buf).map(str::len));
        let body = body.write(|buf| request.write_body(buf).map(|text| text.len()));
        let Some(session) = session else {
            return Ok(Outgoing { target, form, signature, body, pending: None, timeout });
        };
        let room = sealed_len(body.len());
        if envelope.len() < room {
            envelope.resize(room, 0);
        }
        let sealed = session.seal(body, &mut SysRng, envelope);
        body.zeroize();
        let (sealed, pending) = sealed.map_err(|error| match error {
            SealError::Rng => Outcome::Overload(Overload::NoRandomness),
            SealError::BufferTooSmall { .. } => Outcome::Fault(Fault::NotSent),
        })?;
        Ok(Outgoing { target, form, signature, body: sealed.as_bytes(), pending: Some(pending), timeout })
    }

    /// Reads the answer if its status is a success.
    fn read<A>(
        &self,
        received: Received,
        pending: Option<Pending>,
        answer: &mut [u8],
        read: impl FnOnce(Body<'_>) -> Result<A, Failed>,
    ) -> Result<A, Failed> {
        if let Some(outcome) = Outcome::from_status(received.status, received.retry_after) {
            return Err(outcome.into());
        }
        let answer = answer.get_mut(..received.len).ok_or(Outcome::Fault(Fault::Oversized))?;
        self.read_body(pending, answer, read)
    }

    /// Reads an answer although its call failed: the connection may have broken after its end. `None` if it is not a
    /// whole JSON object, because a part of one never is. The unused rest of the buffer is zeros.
    fn read_late<A>(
        &self,
        pending: Option<Pending>,
        answer: &mut [u8],
        read: impl FnOnce(Body<'_>) -> Result<A, Failed>,
    ) -> Option<Result<A, Failed>> {
        let end = answer.iter().rposition(|byte| *byte != 0)?;
        let answer = answer.get_mut(..=end)?;
        find(answer, []).ok()?;
        Some(self.read_body(pending, answer, read))
    }

    /// Opens the body of an answer if it is sealed, and reads it.
    fn read_body<A>(
        &self,
        pending: Option<Pending>,
        answer: &mut [u8],
        read: impl FnOnce(Body<'_>) -> Result<A, Failed>,
    ) -> Result<A, Failed> {
        let Some(pending) = pending else {
            return read(Body::Unsealed(answer));
        };
        // Opening an answer that is not sealed leaves the buffer unchanged.
        let fault = match pending.open(answer) {
            Ok(opened) => return read(Body::Opened(opened)),
            Err(OpenError::Unsealed) if self.channel.sealing() != Sealing::Required => {
                return read(Body::Unsealed(answer));
            }
            Err(OpenError::Unsealed) => Fault::Unsealed,
            Err(OpenError::WrongKey | OpenError::Reflected | OpenError::Forged) => Fault::Forged,
            Err(OpenError::Malformed | OpenError::Version | OpenError::Encoding) => Fault::Unreadable,
        };
        Err(Outcome::Fault(fault).into())
    }
}

/// Whether a text that was written into an empty buffer has at most this length.
fn fits(len: usize, written: Result<&str, BufferTooSmall>) -> bool {
    written.err().is_none_or(|error| error.needed <= len)
}

/// Whether an error code of the platform says that the client does not exist.
fn names_no_client(code: &str) -> bool {
    ["UNKNOWN_CLIENT", "CLIENT_NOT_FOUND", "CLIENT_UNKNOWN", "NO_SUCH_CLIENT"].contains(&code)
}
