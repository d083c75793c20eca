//! Sessions that were established ahead of time.

use core::time::Duration;
use std::sync::{Mutex, MutexGuard, PoisonError};

use getrandom::SysRng;

use crate::envelope::{ServerKey, Session, SessionPool};

/// As many as calls may be under way by default.
pub(super) const POOLED: usize = 32;

/// Older ones are thrown away when the next is taken or added.
const MAX_AGE: Duration = Duration::from_secs(300);

pub(super) struct Sessions(Mutex<SessionPool<POOLED>>);

impl Sessions {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(SessionPool::new(MAX_AGE)))
    }

    pub(super) fn take(&self, now: Duration) -> Option<Session> {
        self.lock().take(now)
    }

    /// Whether so few are left that it is time to refill.
    pub(super) fn run_low(&self, now: Duration) -> bool {
        let mut pool = self.lock();
        pool.drop_old(now);
        pool.len() <= POOLED / 2
    }

    /// Establishes one more; `false` if there is no room for it, or no randomness. No request waits for it.
    pub(super) fn add(&self, server: &ServerKey, now: Duration) -> bool {
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
