//! Looking up names without waiting longer than necessary.
//!
//! `getaddrinfo` takes no timeout, so it runs on a thread of its own. If it hangs, it must not hang on one
//! thread for each call. So there is at most one look-up at a time for each name. There are two names at
//! most: the platform's and the proxy's. All calls that wait share the result, and it is good for [`TTL`].
//! After that the last good addresses are still better than none: they are used when the next look-up
//! fails, or takes longer than [`SLOW`].
//!
//! A look-up that fails because this process is out of threads, descriptors or memory says nothing of the
//! name. Without good addresses it is [`ConnectionError::Exhausted`].

use core::{
    fmt,
    net::{IpAddr, SocketAddr},
    time::Duration,
};
use std::{
    boxed::Box,
    io,
    net::ToSocketAddrs as _,
    string::{String, ToString as _},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Instant,
    vec::Vec,
};

use ureq::{
    Error,
    config::Config,
    http::Uri,
    unversioned::{
        resolver::{ResolvedSocketAddrs, Resolver},
        transport::NextTimeout,
    },
};

use super::connector::{ConnectionError, refuses_look_up, remaining};

/// How long addresses are used without another look-up.
pub(super) const TTL: Duration = Duration::from_secs(30);
/// How long a look-up is waited for if there are addresses of an earlier one.
pub(super) const SLOW: Duration = Duration::from_millis(200);
/// As many addresses as ureq takes.
const MAX_ADDRS: usize = 16;

/// `getaddrinfo`, or what stands in for it.
pub(super) type LookUp = dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync;

/// Remembers what it has looked up.
#[derive(Clone)]
pub(super) struct Names(Arc<Shared>);

struct Shared {
    look_up: Box<LookUp>,
    ttl: Duration,
    names: Mutex<Vec<Name>>,
    changed: Condvar,
}

struct Name {
    host: Box<str>,
    port: u16,
    /// The last good addresses.
    addrs: Vec<SocketAddr>,
    /// Until when they need no look-up.
    fresh_until: Option<Instant>,
    /// Since when a look-up is under way.
    since: Option<Instant>,
    /// How many look-ups have ended.
    ended: u64,
    /// Why the last one found nothing.
    failure: Failure,
}

#[derive(Debug, Clone, Copy)]
enum Failure {
    /// The name is not known, or nobody could tell.
    NotFound,
    /// This process could not ask.
    Exhausted,
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::NotFound => Self::HostNotFound,
            Failure::Exhausted => ConnectionError::Exhausted.into(),
        }
    }
}

impl Names {
    pub(super) fn new() -> Self {
        Self::with(TTL, |host, port| Ok((host, port).to_socket_addrs()?.collect()))
    }

    pub(super) fn with(
        ttl: Duration,
        look_up: impl Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static,
    ) -> Self {
        let (names, changed) = (Mutex::default(), Condvar::new());
        Self(Arc::new(Shared { look_up: Box::new(look_up), ttl, names, changed }))
    }

    /// Has all names looked up again, since their addresses do not answer.
    pub(super) fn expire(&self) {
        for name in self.0.lock().iter_mut() {
            name.fresh_until = None;
        }
    }

    fn addrs(&self, host: &str, port: u16, timeout: NextTimeout) -> Result<Vec<SocketAddr>, Error> {
        let started = Instant::now();
        let left = remaining(timeout)?;
        let mut names = self.0.lock();
        let index = position(&mut names, host, port);
        let Some(name) = names.get_mut(index) else { return Err(Error::HostNotFound) };
        if name.fresh_until.is_some_and(|until| started < until) {
            return Ok(name.addrs.clone());
        }
        let before = name.ended;
        let (since, start) = name.since.map_or((started, true), |since| (since, false));
        name.since = Some(since);
        let has_addrs = !name.addrs.is_empty();
        if start {
            // Whatever the look-up's end does, it does it with the lock.
            drop(names);
            self.0.start(index, host, port);
            names = self.0.lock();
        }
        // The look-up is slow since it began, not since this call did.
        let patience =
            if has_addrs { SLOW.saturating_sub(started.saturating_duration_since(since)).min(left) } else { left };
        let (names, _) = self
            .0
            .changed
            .wait_timeout_while(names, patience, |names| names.get(index).is_some_and(|name| name.ended == before))
            .unwrap_or_else(PoisonError::into_inner);
        match names.get(index) {
            Some(name) if !name.addrs.is_empty() => Ok(name.addrs.clone()),
            Some(name) if name.ended == before => Err(Error::Timeout(timeout.reason)),
            Some(name) => Err(name.failure.into()),
            None => Err(Error::HostNotFound),
        }
    }
}

/// Names are never taken out, so that an index stays good.
fn position(names: &mut Vec<Name>, host: &str, port: u16) -> usize {
    names.iter().position(|name| *name.host == *host && name.port == port).unwrap_or_else(|| {
        names.push(Name {
            host: host.into(),
            port,
            addrs: Vec::new(),
            fresh_until: None,
            since: None,
            ended: 0,
            failure: Failure::NotFound,
        });
        names.len().saturating_sub(1)
    })
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Vec<Name>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// If there is no thread, the look-up ends at once.
    fn start(self: &Arc<Self>, index: usize, host: &str, port: u16) {
        let mut ending = Ending { shared: Arc::clone(self), index, found: Err(Failure::Exhausted) };
        let host = String::from(host);
        let look_up = move || {
            // There is a thread. If the look-up panics, that is not a lack of resources.
            ending.found = Err(Failure::NotFound);
            ending.found = match (ending.shared.look_up)(&host, port) {
                Ok(addrs) if addrs.is_empty() => Err(Failure::NotFound),
                Ok(addrs) => Ok(addrs),
                Err(error) if refuses_look_up(&error) => Err(Failure::Exhausted),
                Err(_) => Err(Failure::NotFound),
            };
        };
        let _ = thread::Builder::new().name("apikee-dns".to_string()).spawn(look_up);
    }
}

/// Tells who waits that a look-up has ended, however it did.
struct Ending {
    shared: Arc<Shared>,
    index: usize,
    /// At least one address.
    found: Result<Vec<SocketAddr>, Failure>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        if let Some(name) = self.shared.lock().get_mut(self.index) {
            name.since = None;
            name.ended = name.ended.wrapping_add(1);
            match &mut self.found {
                Ok(addrs) => {
                    addrs.truncate(MAX_ADDRS);
                    name.addrs = core::mem::take(addrs);
                    name.fresh_until = Instant::now().checked_add(self.shared.ttl);
                }
                Err(failure) => name.failure = *failure,
            }
        }
        self.shared.changed.notify_all();
    }
}

impl Resolver for Names {
    fn resolve(&self, uri: &Uri, _: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let host = bare(uri.host().ok_or(Error::HostNotFound)?);
        let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("http") { 80 } else { 443 });
        let mut resolved = self.empty();
        if let Ok(addr) = host.parse::<IpAddr>() {
            resolved.push(SocketAddr::new(addr, port));
        } else {
            for addr in self.addrs(host, port, timeout)? {
                resolved.push(addr);
            }
        }
        Ok(resolved)
    }
}

/// A host without the brackets that an IPv6 address has in a URL.
pub(super) fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Names").finish_non_exhaustive()
    }
}
