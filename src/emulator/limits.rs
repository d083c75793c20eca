//! Rate limits, counted in whole hours and days of the emulator's clock.

use crate::UnixTime;

const HOUR: i64 = 60 * 60;

/// The limits of a client, and what is used of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) hour: Window,
    pub(super) day: Window,
}

/// A limit that starts anew with every multiple of `secs`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    pub(super) allowed: Option<u32>,
    secs: i64,
    /// Which window `used` was counted in.
    counted: i64,
    used: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { hour: Window::new(HOUR), day: Window::new(24 * HOUR) }
    }
}

impl Limits {
    /// Takes one request from all limits, or from none.
    ///
    /// # Errors
    ///
    /// The seconds, at least 1, until all limits that are spent start anew.
    pub(super) fn take(&mut self, now: UnixTime) -> Result<(), u32> {
        let windows = [&mut self.hour, &mut self.day];
        if let Some(wait) = windows.iter().filter_map(|window| window.wait(now)).max() {
            return Err(wait);
        }
        windows.into_iter().for_each(|window| window.take(now));
        Ok(())
    }
}

impl Window {
    const fn new(secs: i64) -> Self {
        Self { allowed: None, secs, counted: 0, used: 0 }
    }

    const fn current(&self, now: UnixTime) -> i64 {
        now.as_secs().div_euclid(self.secs)
    }

    fn wait(&self, now: UnixTime) -> Option<u32> {
        let used = if self.counted == self.current(now) { self.used } else { 0 };
        let past = now.as_secs().rem_euclid(self.secs);
        let left = u32::try_from(self.secs.saturating_sub(past)).unwrap_or(u32::MAX);
        self.allowed.filter(|allowed| used >= *allowed).map(|_| left)
    }

    fn take(&mut self, now: UnixTime) {
        let current = self.current(now);
        if self.counted != current {
            (self.counted, self.used) = (current, 0);
        }
        self.used = self.used.saturating_add(1);
    }
}
