//! The client.

use core::{fmt, mem, panic::AssertUnwindSafe, time::Duration};
use std::{boxed::Box, io, panic::catch_unwind, process, sync::Arc, thread, time::Instant, vec};

use super::{
    background::{Background, Task},
    event::{Event, Events},
    files::{FileError, News, Watch},
    gate::Deadline,
    platform,
    request::{About, AuthorizeRequest, Facts},
    revocations::{Revocations, Revoked},
    secrets::{InUse, Keys, boxed_copy},
    server::{Enforcement, Server},
};
use crate::{
    breaker::BreakerState,
    crypto::stack,
    key::{Claims, KeyError, Keyring, MissingScopes, OwnedKey, VerifiedKey, bounded_buffer_len},
    policy::{Denial, Fault, Grant, Outcome, OwnedGrant, Policy},
    protocol::Endpoint,
    time::UnixTime,
};

/// Issues and verifies keys. In server mode it also asks the platform about each request. A process has one, and shares
/// it by reference.
///
/// It is in local mode unless you configure the platform. [`ApikeeBuilder`](super::ApikeeBuilder) lists the settings
/// that turn on server mode.
///
/// ```
/// use apikee::{Apikee, NewKey, client::AuthorizeRequest, policy::Basis, protocol::MethodPath};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let apikee = Apikee::builder().secret(b"the current secret: 32 random bytes").build()?;
///
/// let mut buf = [0; 1024];
/// let issued = apikee.issue(&NewKey::new("acme-corp").scopes(&["read"]), &mut buf)?;
///
/// let request = AuthorizeRequest::new(Some(issued.key()), MethodPath::new("GET", "/users")?).scopes(&["read"]);
/// match apikee.authorize(&request) {
///     Ok(grant) => assert_eq!(grant.basis(), Basis::Local),
///     Err(denial) => panic!("{} {}", denial.http_status(), denial.code()),
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Threads
///
/// In server mode the client owns one thread, unless
/// [`background_thread(false)`](super::ApikeeBuilder::background_thread) is set. [`close`](Self::close) waits for the
/// thread. If you drop the client instead, the thread finishes its current call and ends, and nothing waits for it.
/// `UreqTransport` also starts a thread for each look-up of a name, which ends with the look-up.
///
/// With a [secret file](super::ApikeeBuilder::secret_file) or a [deny-list](super::ApikeeBuilder::deny_list_file), in
/// either mode, the client owns another thread, which reads the files again when they change. It ends when the client
/// is dropped. `background_thread(false)` switches it off, too.
///
/// # Processes that fork
///
/// **In server mode, build the client after the fork**: in each worker of a prefork server, and in a daemon after it
/// has left its terminal. A client that was built before the fork does not work in the child. Its thread does not exist
/// there, a lock may never be released, and its connections belong to both processes.
///
/// The client knows the process that built it. In any other process, a request with a good key gets [`Fault::Forked`],
/// also in [`Enforcement::Observe`]. The [`Policy`](super::ApikeeBuilder::policy) denies it by default.
/// [`issue`](Self::issue) fails with the same fault. Dropping the client, [`close`](Self::close) and
/// [`prepare`](Self::prepare) do nothing. No observer receives events about entries that wait in the queue, because the
/// parent has these entries, too.
///
/// In local mode a client still works after a fork, and an old secret still ends after its
/// [grace](super::ApikeeBuilder::secret_grace). The thread that reads files again does not exist in the child. In the
/// child, do not call [`reload_files`](Self::reload_files), [`set_keyring`](Self::set_keyring) or
/// [`Revocations::insert`], nor the other functions that change [`Revocations`]: they may block for ever, because a
/// thread of the parent may have held their lock during the fork. Build a new client in the child if it must see
/// changes.
pub struct Apikee {
    pub(super) inner: Arc<Inner>,
    /// The id of the process that built it.
    process: u32,
}

pub(super) struct Inner {
    pub(super) keys: Keys,
    pub(super) revocations: Box<[Revocations]>,
    pub(super) revoked: Option<Revoked>,
    pub(super) watch: Option<Watch>,
    pub(super) policy: Policy,
    pub(super) server: Option<Server>,
    pub(super) events: Events,
}

impl Apikee {
    pub(super) fn start(inner: Inner, watches: bool) -> io::Result<Self> {
        let inner = Arc::new(inner);
        if watches && inner.watch.is_some() {
            let shared = Arc::clone(&inner);
            thread::Builder::new().name("apikee-files".into()).spawn(move || shared.watch())?;
        }
        if let Some(background) = inner.background() {
            background.starts();
            let shared = Arc::clone(&inner);
            let started = thread::Builder::new().name("apikee".into()).spawn(move || shared.work());
            started.inspect_err(|_| inner.stop_watching())?;
        }
        Ok(Self { inner, process: process::id() })
    }

    /// Replaces the secrets while other threads use the client. From now on the first secret of `keys` signs new keys,
    /// and keys of all secrets in `keys` are good. A request that has begun is decided with one keyring or the other,
    /// never with a mixture.
    ///
    /// To rotate, [`accept`](Keyring::accept) the old secret in the new keyring until the last key that it signed has
    /// expired. Secrets that are not in `keys` are refused at once:
    /// [`secret_grace`](super::ApikeeBuilder::secret_grace) does not apply. The old secrets are wiped when no request
    /// uses them any more. The [leeway](super::ApikeeBuilder::leeway) stays as it was set in the builder.
    ///
    /// With a [secret file](super::ApikeeBuilder::secret_file), the keyring set here stays in use until the file
    /// changes.
    pub fn set_keyring(&self, keys: Keyring) {
        let replaced = self.inner.keys.replace(boxed_copy(&keys), Duration::ZERO, Instant::now());
        self.inner.events.report(&News::Keyring(replaced));
    }

    /// Reads the [secret file](super::ApikeeBuilder::secret_file) and the
    /// [deny-list](super::ApikeeBuilder::deny_list_file) now. The client's thread does this when they change. Use this
    /// function if your program knows when they change, or if the client has no
    /// [thread](super::ApikeeBuilder::background_thread). New content is read again after 0.1 s, in case it is half
    /// written. Without such files this function does nothing.
    ///
    /// # Errors
    ///
    /// The first [`FileError`]. The previous content of that file stays in use.
    pub fn reload_files(&self) -> Result<(), FileError> {
        let Inner { keys, watch, events, .. } = &*self.inner;
        let news = watch.as_ref().map(|watch| watch.reload(keys)).unwrap_or_default();
        news.iter().for_each(|news| events.report(news));
        news.into_iter().find_map(News::into_error).map_or(Ok(()), Err)
    }

    /// Whether the client asks the platform about requests.
    #[must_use]
    pub fn is_server_mode(&self) -> bool {
        self.inner.server.is_some()
    }

    /// Verifies a key locally, at the current time, in either mode; see [`Keyring::verify`]. It does not check whether
    /// the key is [revoked](super::ApikeeBuilder::revocations).
    ///
    /// # Errors
    ///
    /// See [`KeyError`].
    pub fn verify<K>(&self, key: &K) -> Result<OwnedKey, KeyError>
    where
        K: AsRef<[u8]> + ?Sized,
    {
        let mut buf = vec![0; bounded_buffer_len(key.as_ref())];
        self.verify_in(key, &mut buf).map(|key| key.to_owned())
    }

    /// Like [`verify`](Self::verify), with a buffer of the caller.
    ///
    /// # Errors
    ///
    /// See [`KeyError`].
    pub fn verify_in<'b, K>(&self, key: &'b K, buf: &'b mut [u8]) -> Result<VerifiedKey<'b>, KeyError>
    where
        K: AsRef<[u8]> + ?Sized,
    {
        self.inner.keys_in_use().verify(key, UnixTime::now(), buf)
    }

    /// Decides on a request. Its key must be good, must not be [revoked](super::ApikeeBuilder::revocations), and must
    /// have the scopes. Then, in server mode, the platform is asked. The time for all calls of a request is limited
    /// by [`timeout`](super::ApikeeBuilder::timeout).
    ///
    /// The grant owns its data. [`authorize_in`](Self::authorize_in) is the form for a buffer of the caller.
    ///
    /// # Errors
    ///
    /// See [`Denial`], which borrows only the scopes. The [`Policy`](super::ApikeeBuilder::policy) decides whether an
    /// outage, an overload, a rejection or a fault denies the request.
    pub fn authorize<'s>(&self, request: &AuthorizeRequest<'_, 's>) -> Result<OwnedGrant, Denial<'s>> {
        let mut buf = vec![0; request.key.map_or(0, bounded_buffer_len)];
        self.authorize_in(request, &mut buf).map(Grant::into_owned)
    }

    /// Like [`authorize`](Self::authorize), without allocation for the key: the grant borrows from the request and from
    /// `buf`.
    ///
    /// `buf` receives the key's payload, as in [`Keyring::verify`]. 1024 bytes are enough for most keys;
    /// [`verify_buffer_len`](crate::verify_buffer_len) returns the length that a key needs. If `buf` is too small, the
    /// request is denied with `BUFFER_TOO_SMALL`, status 500.
    ///
    /// # Errors
    ///
    /// See [`authorize`](Self::authorize).
    pub fn authorize_in<'b, 's>(
        &self,
        request: &AuthorizeRequest<'b, 's>,
        buf: &'b mut [u8],
    ) -> Result<Grant<'b>, Denial<'s>> {
        self.decide(Ok(request.key), request.scopes, &request.about, buf).0
    }

    /// Like [`authorize_in`](Self::authorize_in). It also accepts an error instead of a header, if the guard refused
    /// the header before the key was read, and a request that the platform cannot be asked about ([`Facts::about`]). It
    /// also returns the claims if the key's signature is good.
    pub(crate) fn decide<'k, 'b: 'k, 's>(
        &self,
        header: Result<Option<&'k [u8]>, KeyError>,
        scopes: &'s [&'s str],
        facts: &impl Facts,
        buf: &'b mut [u8],
    ) -> (Result<Grant<'k>, Denial<'s>>, Option<Claims<'k>>) {
        let Inner { policy, server, events, .. } = &*self.inner;
        let (start, now) = (events.start(), UnixTime::now());
        let (key, claims) = self.accept(header, now, buf);
        let verdict = match (key, server) {
            (Err(denial), _) => Err(denial),
            (Ok(key), None) => Grant::local(key, scopes).map_err(Denial::from),
            (Ok(key), Some(_)) if self.has_forked() => policy.authorize(key, scopes, Outcome::Fault(Fault::Forked)),
            (Ok(key), Some(server)) => match server.settings.enforcement {
                // Checked before the platform is asked. The policy checks again and trusts no caller.
                Enforcement::Enforce => match MissingScopes::check(key.claims().scopes(), scopes) {
                    Err(missing) => Err(missing.into()),
                    Ok(()) => {
                        // The time starts here: a slow check for revoked keys must not look like an outage of the
                        // platform.
                        let deadline = &Deadline::after(server.settings.timeout);
                        let outcome = match facts.about() {
                            Some(about) => {
                                platform::wiped(|| server.ask(&key, &About { scopes, ..about }, now, deadline, *policy))
                            }
                            None => server.unasked(&key, None, facts.origin(), *policy),
                        };
                        policy.authorize(key, scopes, outcome)
                    }
                },
                Enforcement::Observe => {
                    let grant = Grant::observed(key, scopes);
                    let observed =
                        || facts.about().is_some_and(|about| server.observe(&key, &About { scopes, ..about }, now));
                    if grant.is_ok() && !observed() {
                        let audit = facts.audit().with_key(header.ok().flatten(), claims.as_ref());
                        let client = facts.about().and_then(|about| about.client);
                        let verdict = policy.decide(server.unasked(&key, client, facts.origin(), *policy));
                        events.emit(&Event::Observed { audit, verdict });
                    }
                    grant.map_err(Denial::from)
                }
            },
        };
        if let Some(start) = start {
            let elapsed = start.elapsed();
            let audit = facts.audit().with_key(header.ok().flatten(), claims.as_ref());
            events.emit(&match verdict {
                Ok(grant) => Event::Granted { audit, basis: grant.basis(), elapsed },
                Err(denial) => Event::Denied { audit, denial, elapsed },
            });
        }
        (verdict, claims)
    }

    /// Returns the key if it is good and not revoked, and the claims if the key's signature is good.
    fn accept<'k, 'b: 'k>(
        &self,
        header: Result<Option<&'k [u8]>, KeyError>,
        now: UnixTime,
        buf: &'b mut [u8],
    ) -> (Result<VerifiedKey<'k>, Denial<'static>>, Option<Claims<'k>>) {
        let Inner { revocations, revoked, .. } = &*self.inner;
        let key = match header {
            Ok(Some(key)) => key,
            Ok(None) => return (Err(KeyError::Missing.into()), None),
            Err(error) => return (Err(error.into()), None),
        };
        let key = match self.inner.keys_in_use().verify_or_tell(key, now, buf) {
            Ok(key) => key,
            Err((error, claims)) => return (Err(error.into()), claims),
        };
        let is_listed = !revocations.is_empty() && {
            let fingerprint = key.fingerprint();
            revocations.iter().any(|revocations| revocations.contains(&fingerprint))
        };
        let is_revoked = is_listed || revoked.as_ref().is_some_and(|revoked| revoked.has(&key));
        (if is_revoked { Err(Denial::Revoked) } else { Ok(key) }, Some(*key.claims()))
    }

    /// Describes one of the service's routes to the platform, for its console. This is best effort. It runs on the
    /// client's thread, or on the caller's thread if the client has none. In local mode it does nothing.
    ///
    /// A description replaces an earlier one, and also the registration without a description. After a failure of any
    /// kind, the next confirmed request of the [route](AuthorizeRequest::as_route) tries again, as with
    /// [`auto_register`](super::ApikeeBuilder::auto_register), even if that is off. Only the methods listed there are
    /// tried again. A route of more than 512 bytes is not described.
    ///
    /// ```
    /// use apikee::{Apikee, protocol::{Endpoint, MethodPath}};
    ///
    /// # let apikee = Apikee::builder().secret(b"the current secret: 32 random bytes").build()?;
    /// let route = MethodPath::new("GET", "/users/{id}")?;
    /// apikee.describe(&Endpoint::new(route).description("One user").scopes(&["read"]).tags(&["users"]));
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn describe(&self, endpoint: &Endpoint<'_>) {
        if let Some(server) = self.usable_server() {
            stack::wiped_deep(|| server.describe(endpoint));
        }
    }

    /// Establishes sessions ahead of time until the pool is full, so that the next requests pay for AES only. The
    /// client's thread does this; without a thread, call it in a quiet moment. There is room for 32 sessions, and each
    /// is thrown away after 5 minutes. Returns the number of sessions that were added: 0 in local mode, without sealing
    /// and after a fork.
    pub fn prepare(&self) -> usize {
        self.usable_server().map_or(0, |server| stack::wiped_deep(|| server.prepare()))
    }

    /// State of the breaker for calls to the platform. `None` in local mode, and after a
    /// [fork](Self#processes-that-fork).
    #[must_use]
    pub fn breaker_state(&self) -> Option<BreakerState> {
        self.usable_server().map(|server| server.platform.gate.breaker_state())
    }

    /// Ends the thread after it has processed the queue, but waits at most `within`. Returns the number of entries that
    /// are left in the queue. They count as dropped ([`Event::Dropped`]). Dropping the client does the same with a time
    /// of zero.
    ///
    /// Requests are decided as before. In [`Enforcement::Observe`] the platform does not receive them any more; they
    /// count as dropped.
    pub fn close(&self, within: Duration) -> usize {
        self.usable_server().map_or(0, |server| server.close(within))
    }

    /// Whether this process forked from the one that built the client. Server mode does not work then: see [`Apikee`].
    pub(super) fn has_forked(&self) -> bool {
        process::id() != self.process
    }

    /// The parts of server mode. `None` in local mode and after a fork.
    fn usable_server(&self) -> Option<&Server> {
        self.inner.server.as_ref().filter(|_| !self.has_forked())
    }
}

impl Inner {
    fn background(&self) -> Option<&Background<super::server::Job>> {
        self.server.as_ref().and_then(|server| server.background.as_ref())
    }

    /// The keyring in use. It contains no secret whose grace is over.
    pub(super) fn keys_in_use(&self) -> InUse {
        self.keys.load(|replaced| self.events.report(&News::Keyring(replaced)))
    }

    /// The loop of the thread that reads files again.
    fn watch(&self) {
        if let Some(watch) = &self.watch {
            while let Some(news) = watch.next(&self.keys) {
                news.iter().for_each(|news| self.events.report(news));
            }
        }
    }

    fn stop_watching(&self) {
        if let Some(watch) = &self.watch {
            watch.stop();
        }
    }

    /// The loop of the thread that calls the platform.
    fn work(&self) {
        let (Some(server), Some(background)) = (&self.server, self.background()) else {
            return;
        };
        let _ends = Ends(background);
        while let Some(task) = background.next() {
            // The caller's transport may panic. Then there is no verdict, and the next job must be done: see the test
            // `after_a_job_that_panics_the_thread_continues`.
            let work = || match task {
                Task::Job(job) => {
                    server.work(&self.keys_in_use(), self.policy, &job, background.time_left(server.settings.timeout))
                }
                Task::Refill => {
                    server.prepare();
                    true
                }
            };
            if !stack::wiped_deep(|| catch_unwind(AssertUnwindSafe(work))).unwrap_or(false) {
                self.events.emit(&Event::Dropped { total: background.give_up_one() });
            }
        }
    }
}

/// Reports the end of the thread, even if the thread panics.
struct Ends<'a>(&'a Background<super::server::Job>);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.ends();
    }
}

impl Drop for Apikee {
    fn drop(&mut self) {
        if !self.has_forked() {
            self.inner.stop_watching();
            self.close(Duration::ZERO);
        } else if self.is_server_mode() {
            // A transport may lock when it is dropped, or close its connections, which the parent still uses.
            mem::forget(Arc::clone(&self.inner));
        }
    }
}

impl fmt::Debug for Apikee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Apikee").field("server_mode", &self.is_server_mode()).finish_non_exhaustive()
    }
}
