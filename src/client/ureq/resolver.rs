//! Looks up names without long waits.
//!
//! `getaddrinfo` has no timeout, so it runs on a separate thread. If it hangs, there must not be one hanging thread for
//! each call. So there is at most one look-up at a time for each name. There are at most two names: the platform's and
//! the proxy's. All waiting calls share the result, and it is used for [`TTL`]. After that, the last good addresses are
//! still better than none: they are used if the next look-up fails, or takes longer than [`SLOW`].
//!
//! A look-up that fails because this process is out of threads, descriptors or memory says nothing about the name. If
//! there are no good addresses, the error is [`ConnectionError::Exhausted`].

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

/// Time for which addresses are used without another look-up.
pub(super) const TTL: Duration = Duration::from_secs(30);
/// Longest wait for a look-up if there are addresses of an earlier one.
pub(super) const SLOW: Duration = Duration::from_millis(200);
/// The maximum number of addresses that ureq accepts.
const MAX_ADDRS: usize = 16;

/// `getaddrinfo`, or a replacement in tests.
type LookUp = dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync;

/// A cache of look-ups.
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
    /// The addresses need no look-up before this time.
    fresh_until: Option<Instant>,
    /// The start of the look-up in progress, if there is one.
    since: Option<Instant>,
    /// Number of look-ups that have ended.
    ended: u64,
    /// Why the last look-up found nothing.
    failure: Failure,
}

#[derive(Debug, Clone, Copy)]
enum Failure {
    /// The name is not known, or the server for names did not answer.
    NotFound,
    /// This process had no resources for the look-up.
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

    /// Makes the next call look up all names again, because their addresses do not answer.
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
            // The end of the look-up needs this lock, and it may happen on this thread.
            drop(names);
            self.0.start(index, host, port);
            names = self.0.lock();
        }
        // The look-up counts as slow from its own start, not from the start of this call.
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

/// Names are never removed, so that an index stays valid.
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

    /// Starts a look-up. Without a thread, it ends at once.
    fn start(self: &Arc<Self>, index: usize, host: &str, port: u16) {
        let mut ending = Ending { shared: Arc::clone(self), index, found: Err(Failure::Exhausted) };
        let host = String::from(host);
        let look_up = move || {
            // The thread exists. A look-up that panics is not a lack of resources.
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

/// Reports the end of a look-up to all waiting calls, even after a panic.
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
            // `http://localhost` is permitted because it is this machine. A resolver may answer something else.
            let permitted = |addr: &SocketAddr| !host.eq_ignore_ascii_case("localhost") || addr.ip().is_loopback();
            for addr in self.addrs(host, port, timeout)?.into_iter().filter(permitted) {
                resolved.push(addr);
            }
        }
        if resolved.is_empty() { Err(Error::HostNotFound) } else { Ok(resolved) }
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
