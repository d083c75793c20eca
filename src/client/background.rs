//! What is done off the path of requests, on one thread of the client's own: sessions are established
//! ahead, routes registered, and in observe mode the platform is told of requests.
//!
//! ```text
//! request ──> queue (bounded, drops its oldest) ──> thread ──> platform
//!                                                     └──> sessions
//! ```

use core::time::Duration;
use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

/// More than anybody waits, and little enough to be added to any time.
const MAX_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// The queue to the thread, and word from it.
pub(super) struct Background<J> {
    state: Mutex<State<J>>,
    /// There is something to do, or the end has come.
    wake: Condvar,
    /// The thread has ended.
    ended: Condvar,
    max_jobs: usize,
}

struct State<J> {
    jobs: VecDeque<J>,
    dropped: u64,
    refill: bool,
    running: bool,
    /// From when on nothing more is done.
    stop: Option<Instant>,
}

/// What there is to do.
pub(super) enum Task<J> {
    Job(J),
    Refill,
}

impl<J> Background<J> {
    pub(super) const fn new(max_jobs: usize) -> Self {
        let state = State { jobs: VecDeque::new(), dropped: 0, refill: true, running: false, stop: None };
        Self { state: Mutex::new(state), wake: Condvar::new(), ended: Condvar::new(), max_jobs }
    }

    /// Queues a job. Returns one that is dropped for it, if any, and how many were so far.
    pub(super) fn push(&self, job: J) -> Option<(J, u64)> {
        let mut state = self.lock();
        // When it is over, the newest is dropped: nobody will take the oldest.
        let dropped = if state.stop.is_some() {
            Some(job)
        } else {
            let oldest = if state.jobs.len() >= self.max_jobs { state.jobs.pop_front() } else { None };
            state.jobs.push_back(job);
            oldest
        };
        state.dropped = state.dropped.saturating_add(u64::from(dropped.is_some()));
        let total = state.dropped;
        drop(state);
        self.wake.notify_one();
        dropped.map(|job| (job, total))
    }

    /// Asks for new sessions.
    pub(super) fn refill(&self) {
        let mut state = self.lock();
        if !state.refill {
            state.refill = true;
            drop(state);
            self.wake.notify_one();
        }
    }

    /// Waits for something to do; `None` when it is over. Jobs go first: somebody counts on them.
    pub(super) fn next(&self) -> Option<Task<J>> {
        let mut state = self.lock();
        loop {
            if state.stop.is_some_and(|stop| Instant::now() >= stop) {
                return None;
            }
            if let Some(job) = state.jobs.pop_front() {
                return Some(Task::Job(job));
            }
            if state.stop.is_some() {
                return None;
            }
            if core::mem::take(&mut state.refill) {
                return Some(Task::Refill);
            }
            state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// How long a job may take, when it takes at most `limit` otherwise.
    pub(super) fn time_left(&self, limit: Duration) -> Duration {
        match self.lock().stop {
            Some(stop) => stop.saturating_duration_since(Instant::now()).min(limit),
            None => limit,
        }
    }

    /// The thread is about to start.
    pub(super) fn starts(&self) {
        self.lock().running = true;
    }

    /// The thread has ended.
    pub(super) fn ends(&self) {
        self.lock().running = false;
        self.ended.notify_all();
    }

    /// Lets the thread work off the queue for so long, and waits for its end. Returns how many jobs
    /// are left undone.
    pub(super) fn close(&self, within: Duration) -> usize {
        let now = Instant::now();
        let stop = now.checked_add(within.min(MAX_WAIT)).unwrap_or(now);
        let mut state = self.lock();
        state.stop = Some(state.stop.map_or(stop, |earlier| earlier.min(stop)));
        self.wake.notify_all();
        while state.running {
            let Some(left) = stop.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) else {
                break;
            };
            (state, _) = self.ended.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
        }
        let undone = state.jobs.len();
        state.jobs.clear();
        undone
    }

    fn lock(&self) -> MutexGuard<'_, State<J>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_drops_its_oldest_and_counts() {
        let background = Background::new(2);
        assert_eq!([1, 2, 3, 4].map(|job| background.push(job)), [None, None, Some((1, 1)), Some((2, 2))]);
        let next = || match background.next() {
            Some(Task::Job(job)) => Some(job),
            _ => None,
        };
        assert_eq!([next(), next(), next()], [Some(3), Some(4), None]);
    }

    #[test]
    fn closing_without_a_thread_tells_what_is_undone() {
        let background = Background::new(2);
        background.push(());
        assert_eq!(background.close(Duration::ZERO), 1);
        assert!(background.next().is_none());
        assert_eq!(background.push(()), Some(((), 1)), "what comes later is dropped");
    }

    #[test]
    fn what_is_queued_is_worked_off_before_the_end() {
        let background = Background::new(8);
        for job in 0..4 {
            background.push(job);
        }
        background.starts();
        let undone = std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                let mut done = 0;
                while let Some(task) = background.next() {
                    done += usize::from(matches!(task, Task::Job(_)));
                }
                background.ends();
                done
            });
            let undone = background.close(Duration::MAX);
            assert_eq!(thread.join().unwrap(), 4);
            undone
        });
        assert_eq!(undone, 0);
    }
}
