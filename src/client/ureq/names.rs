//! Looking up names, one at a time.
//!
//! The system's look-up cannot be given a time limit, so it takes a thread, and where no name server
//! answers that thread hangs. Here there is one for each name at most, however many calls wait. What was
//! found is good for [`FRESH`], and after that it is served while a new look-up is under way, or fails:
//! a name server that is down need not take the platform with it.

use core::{
    fmt,
    net::{IpAddr, SocketAddr},
    time::Duration,
};
use std::{
    collections::HashMap,
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
        transport::{NextTimeout, time},
    },
};

/// How long an address is used before it is looked up again.
const FRESH: Duration = Duration::from_secs(30);

/// No wait is longer; calls have deadlines of their own.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

type LookUp = dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync;

#[derive(Clone)]
pub(super) struct Names {
    shared: Arc<Shared>,
}

struct Shared {
    look_up: std::boxed::Box<LookUp>,
    /// Those of the base URL and of a proxy, so there are two at most.
    known: Mutex<HashMap<(String, u16), Known>>,
    changed: Condvar,
}

#[derive(Default)]
struct Known {
    addresses: Vec<SocketAddr>,
    found: Option<Instant>,
    under_way: bool,
    /// How many look-ups have ended.
    ended: u64,
}

impl Names {
    /// Asks the system.
    pub(super) fn system() -> Self {
        Self::new(|host, port| (host, port).to_socket_addrs().map(Iterator::collect))
    }

    fn new(look_up: impl Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static) -> Self {
        let (look_up, known, changed) = (std::boxed::Box::new(look_up), Mutex::default(), Condvar::new());
        Self { shared: Arc::new(Shared { look_up, known, changed }) }
    }

    /// The addresses of a name; `None` when the time is up.
    fn find(&self, host: &str, port: u16, limit: Duration) -> Option<io::Result<Vec<SocketAddr>>> {
        let start = Instant::now();
        let name = (host.to_string(), port);
        let mut known = self.shared.lock();
        let entry = known.entry(name.clone()).or_default();
        if entry.found.is_some_and(|found| found.elapsed() < FRESH) {
            return Some(Ok(entry.addresses.clone()));
        }
        let ended = entry.ended;
        if !entry.under_way {
            entry.under_way = true;
            let shared = Arc::clone(&self.shared);
            let asked = name.clone();
            let thread = thread::Builder::new().name("apikee-dns".into()).spawn(move || shared.look_up(&asked));
            if let Err(error) = thread {
                entry.under_way = false;
                return Some(Err(error));
            }
        }
        if !entry.addresses.is_empty() {
            return Some(Ok(entry.addresses.clone()));
        }
        loop {
            let entry = known.entry(name.clone()).or_default();
            if !entry.addresses.is_empty() {
                return Some(Ok(entry.addresses.clone()));
            }
            if entry.ended != ended {
                return Some(Err(io::ErrorKind::NotFound.into()));
            }
            let left = limit.checked_sub(start.elapsed()).filter(|left| !left.is_zero())?;
            (known, _) = self.shared.changed.wait_timeout(known, left).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Shared {
    /// On its own thread.
    fn look_up(&self, name: &(String, u16)) {
        let found = (self.look_up)(&name.0, name.1);
        let mut known = self.lock();
        let entry = known.entry(name.clone()).or_default();
        entry.under_way = false;
        entry.ended = entry.ended.wrapping_add(1);
        if let Ok(addresses) = found
            && !addresses.is_empty()
        {
            entry.addresses = addresses;
            entry.found = Some(Instant::now());
        }
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(String, u16), Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Resolver for Names {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let host = uri.host().ok_or(Error::HostNotFound)?;
        let default_port = if uri.scheme_str() == Some("http") { 80 } else { 443 };
        let port = uri.port_u16().unwrap_or(default_port);
        let addresses = match host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            Ok(address) => [SocketAddr::new(address, port)].into(),
            Err(_) => {
                let limit = match timeout.after {
                    time::Duration::Exact(limit) => limit,
                    time::Duration::NotHappening => LONGEST_WAIT,
                };
                self.find(host, port, limit)
                    .ok_or(Error::Timeout(ureq::Timeout::Resolve))?
                    .map_err(|_| Error::HostNotFound)?
            }
        };
        let mut resolved = self.empty();
        for address in config.ip_family().keep_wanted(addresses.into_iter()).take(MOST) {
            resolved.push(address);
        }
        if resolved.is_empty() { Err(Error::HostNotFound) } else { Ok(resolved) }
    }
}

/// As many as `ureq` has room for.
const MOST: usize = 16;

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Names").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            atomic::{AtomicUsize, Ordering},
            mpsc,
        },
        thread,
    };

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn address() -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 443))
    }

    #[test]
    fn a_look_up_that_hangs_takes_one_thread_however_many_wait() {
        let look_ups = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&look_ups);
        let (release, released) = mpsc::channel::<()>();
        let released = Mutex::new(released);
        let names = Names::new(move |_, _| {
            count.fetch_add(1, Ordering::Relaxed);
            let _ = released.lock().unwrap().recv();
            Ok([address()].into())
        });
        for _ in 0..200 {
            assert!(names.find("platform.test", 443, Duration::from_micros(1)).is_none(), "each keeps to its time");
        }
        let waiting = {
            let names = names.clone();
            thread::spawn(move || names.find("platform.test", 443, LONG))
        };
        drop(release);
        assert_eq!(waiting.join().unwrap().unwrap().unwrap(), [address()]);
        assert_eq!(look_ups.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn the_last_good_address_is_served_while_look_ups_fail() {
        let names = Names::new(|_, _| Err(io::ErrorKind::NotFound.into()));
        assert!(names.find("platform.test", 443, LONG).unwrap().is_err());
        let old = Known { addresses: [address()].into(), ..Known::default() };
        names.shared.lock().insert(("platform.test".into(), 443), old);
        for _ in 0..3 {
            assert_eq!(names.find("platform.test", 443, LONG).unwrap().unwrap(), [address()]);
        }
    }

    #[test]
    fn a_fresh_address_is_not_looked_up_again() {
        let look_ups = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&look_ups);
        let names = Names::new(move |_, _| {
            count.fetch_add(1, Ordering::Relaxed);
            Ok([address()].into())
        });
        for _ in 0..3 {
            assert_eq!(names.find("platform.test", 443, LONG).unwrap().unwrap(), [address()]);
        }
        assert_eq!(look_ups.load(Ordering::Relaxed), 1);
    }
}
