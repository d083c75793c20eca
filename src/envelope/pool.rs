//! Sessions established ahead of time.

use core::{fmt, time::Duration};

use heapless::Deque;

use super::Session;

/// Up to `N` sessions, at least one, that were established ahead of time, so that a request pays for AES only.
///
/// Each is taken once. Those older than a set age are thrown away, which bounds how long a key lies
/// in memory before it is used. What leaves the pool is overwritten there, but a pool that is moved leaves its
/// bytes behind: fill it where it stays.
///
/// Times are those of any clock that does not go back, counted from any
/// start; to a clock that does go back, sessions from its future are as good as new.
pub struct SessionPool<const N: usize> {
    sessions: Deque<(Duration, Session), N>,
    max_age: Duration,
}

impl<const N: usize> SessionPool<N> {
    /// An empty pool, of sessions that may be used for `max_age` after they were put there.
    #[must_use]
    pub const fn new(max_age: Duration) -> Self {
        Self { sessions: Deque::new(), max_age }
    }

    /// Puts a session in, or returns it if there are `N` already that can still be used.
    ///
    /// # Errors
    ///
    /// The session, if the pool is full.
    pub fn put(&mut self, session: Session, now: Duration) -> Result<(), Session> {
        self.drop_old(now);
        self.sessions.push_back((now, session)).map_err(|(_, session)| session)
    }

    /// Takes the oldest session that can still be used.
    pub fn take(&mut self, now: Duration) -> Option<Session> {
        self.drop_old(now);
        let session = self.sessions.front_mut().map(|(_, session)| session.take());
        self.sessions.pop_front();
        session
    }

    /// How many sessions there are, old ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// Whether there is no room for another, old ones included.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.sessions.is_full()
    }

    /// Throws away the sessions that are too old to be used.
    pub fn drop_old(&mut self, now: Duration) {
        while let Some((since, session)) = self.sessions.front_mut() {
            if now.saturating_sub(*since) <= self.max_age {
                break;
            }
            session.wipe();
            self.sessions.pop_front();
        }
    }
}

impl<const N: usize> fmt::Debug for SessionPool<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionPool").field("len", &self.len()).field("max_age", &self.max_age).finish()
    }
}
