//! Background work on one thread of the client. No request waits for it. It establishes sessions ahead of time,
//! registers routes, and in observe mode reports requests to the platform.
//!
//! ```text
//! request ──> queue (bounded, drops its oldest) ──> thread ──> platform
//!                                                     └──> sessions
//! ```
//!
//! The queue has two limits: entries and bytes. The bytes of an entry are its own size and all memory that it owns.

use core::time::Duration;
use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Instant,
    vec::Vec,
};

/// Longer than anybody waits, and short enough to add to any time without overflow.
const MAX_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// The queue to the thread, and its state.
pub(super) struct Background<J> {
    state: Mutex<State<J>>,
    /// Signals work for the thread, or the end.
    wake: Condvar,
    /// Signals that the thread has ended.
    ended: Condvar,
    max_jobs: usize,
    max_bytes: usize,
}

struct State<J> {
    jobs: VecDeque<Entry<J>>,
    /// The bytes of all jobs together.
    bytes: usize,
    dropped: u64,
    refill: bool,
    running: bool,
    /// No job starts after this time.
    stop: Option<Instant>,
}

struct Entry<J> {
    job: J,
    bytes: usize,
}

/// The next task of the thread.
pub(super) enum Task<J> {
    Job(J),
    Refill,
}

/// Jobs that the thread will not do. The caller must report them.
#[must_use]
pub(super) struct Dropped<J> {
    pub(super) jobs: Vec<J>,
    /// All jobs that were dropped so far, including these.
    pub(super) total: u64,
}

impl<J> Background<J> {
    /// Both limits must be at least 1.
    pub(super) const fn new(max_jobs: usize, max_bytes: usize) -> Self {
        let state = State { jobs: VecDeque::new(), bytes: 0, dropped: 0, refill: true, running: false, stop: None };
        Self { state: Mutex::new(state), wake: Condvar::new(), ended: Condvar::new(), max_jobs, max_bytes }
    }

    /// Queues a job that owns `owned` bytes in addition to its own size. Returns the jobs that are dropped: the oldest
    /// ones, until there is room, or the new job itself if it is larger than the whole queue.
    pub(super) fn push(&self, job: J, owned: usize) -> Dropped<J> {
        let bytes = owned.saturating_add(size_of::<Entry<J>>());
        let mut state = self.lock();
        let mut jobs = Vec::new();
        // After the end, the new job is dropped, because no thread takes jobs out of the queue any more.
        if state.stop.is_some() || bytes > self.max_bytes {
            jobs.push(job);
        } else {
            let room = self.max_bytes.saturating_sub(bytes);
            while state.jobs.len() >= self.max_jobs || state.bytes > room {
                let Some(oldest) = state.pop() else {
                    break;
                };
                jobs.push(oldest);
            }
            state.bytes = state.bytes.saturating_add(bytes);
            state.jobs.push_back(Entry { job, bytes });
        }
        let dropped = state.give_up(jobs);
        drop(state);
        self.wake.notify_one();
        dropped
    }

    /// Counts a job that the thread has begun but cannot do. Returns the total of dropped jobs.
    pub(super) fn give_up_one(&self) -> u64 {
        let mut state = self.lock();
        state.dropped = state.dropped.saturating_add(1);
        state.dropped
    }

    /// Asks the thread for new sessions.
    pub(super) fn refill(&self) {
        let mut state = self.lock();
        if !state.refill {
            state.refill = true;
            drop(state);
            self.wake.notify_one();
        }
    }

    /// Waits for a task. `None` after the end. Jobs go before sessions, because somebody waits for their results.
    pub(super) fn next(&self) -> Option<Task<J>> {
        let mut state = self.lock();
        loop {
            if state.stop.is_some_and(|stop| Instant::now() >= stop) {
                return None;
            }
            if let Some(job) = state.pop() {
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

    /// Time that a job may take: `limit`, or the time until the end if that is less.
    pub(super) fn time_left(&self, limit: Duration) -> Duration {
        match self.lock().stop {
            Some(stop) => stop.saturating_duration_since(Instant::now()).min(limit),
            None => limit,
        }
    }

    /// Records that the thread is about to start.
    pub(super) fn starts(&self) {
        self.lock().running = true;
    }

    /// Records that the thread has ended.
    pub(super) fn ends(&self) {
        self.lock().running = false;
        self.ended.notify_all();
    }

    /// Lets the thread process the queue, and waits at most `within` until the thread has ended. Returns the jobs that
    /// were not done. They count as dropped.
    pub(super) fn close(&self, within: Duration) -> Dropped<J> {
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
        state.bytes = 0;
        let undone = core::mem::take(&mut state.jobs);
        state.give_up(undone.into_iter().map(|entry| entry.job).collect())
    }

    fn lock(&self) -> MutexGuard<'_, State<J>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<J> State<J> {
    /// Takes out the oldest job.
    fn pop(&mut self) -> Option<J> {
        let Entry { job, bytes } = self.jobs.pop_front()?;
        self.bytes = self.bytes.saturating_sub(bytes);
        Some(job)
    }

    fn give_up(&mut self, jobs: Vec<J>) -> Dropped<J> {
        self.dropped = self.dropped.saturating_add(u64::try_from(jobs.len()).unwrap_or(u64::MAX));
        Dropped { jobs, total: self.dropped }
    }
}

#[cfg(test)]
mod tests {
    use std::vec;

    use super::*;

    const ENTRY: usize = size_of::<Entry<u8>>();

    /// The jobs that a push drops, and the total of dropped jobs.
    fn pushed(background: &Background<u8>, job: u8, owned: usize) -> (Vec<u8>, u64) {
        let Dropped { jobs, total } = background.push(job, owned);
        (jobs, total)
    }

    fn queued(background: &Background<u8>) -> Vec<u8> {
        let next = || match background.next() {
            Some(Task::Job(job)) => Some(job),
            _ => None,
        };
        core::iter::from_fn(next).collect()
    }

    #[test]
    fn a_full_queue_drops_its_oldest_job_and_counts_it() {
        let background = Background::new(2, usize::MAX);
        let dropped = [1, 2, 3, 4].map(|job| pushed(&background, job, 0));
        assert_eq!(dropped, [(vec![], 0), (vec![], 0), (vec![1], 1), (vec![2], 2)]);
        assert_eq!(queued(&background), [3, 4]);
    }

    #[test]
    fn a_queue_drops_its_oldest_jobs_until_the_new_one_fits() {
        let background = Background::new(usize::MAX, 3 * ENTRY + 100);
        for (job, owned) in [(1, 10), (2, 50), (3, 40)] {
            assert_eq!(pushed(&background, job, owned), (vec![], 0), "they fit exactly");
        }
        assert_eq!(pushed(&background, 4, 11), (vec![1, 2], 2), "one byte more than the first entry owned");
        assert_eq!(pushed(&background, 5, 49), (vec![], 2), "the remaining room");
        assert_eq!(pushed(&background, 6, 0), (vec![3], 3), "the entry itself takes room, too");
        assert_eq!(queued(&background), [4, 5, 6]);
        assert_eq!(pushed(&background, 7, 2 * ENTRY + 100), (vec![], 3), "an entry that was taken out takes no room");
    }

    #[test]
    fn an_entry_larger_than_the_queue_is_dropped_and_displaces_no_other() {
        let background = Background::new(8, 2 * ENTRY);
        assert_eq!(pushed(&background, 1, 0), (vec![], 0));
        for owned in [ENTRY + 1, usize::MAX] {
            assert_eq!(pushed(&background, 2, owned).0, [2]);
        }
        assert_eq!(pushed(&background, 3, ENTRY), (vec![1], 3), "the largest that fits");
        assert_eq!(queued(&background), [3]);
        let tiny = Background::new(8, 1);
        assert_eq!(pushed(&tiny, 1, 0), (vec![1], 1));
    }

    #[test]
    fn closing_without_a_thread_returns_and_counts_the_remaining_jobs() {
        let background = Background::new(2, usize::MAX);
        for job in [1, 2, 3] {
            let _ = background.push(job, 0);
        }
        let Dropped { jobs, total } = background.close(Duration::ZERO);
        assert_eq!((jobs, total), (vec![2, 3], 3));
        assert!(background.next().is_none());
        assert_eq!(pushed(&background, 4, 0), (vec![4], 4), "a later job is dropped");
        let Dropped { jobs, total } = background.close(Duration::ZERO);
        assert_eq!((jobs, total), (vec![], 4), "nothing is counted twice");
    }

    #[test]
    fn queued_jobs_are_done_before_the_end() {
        let background = Background::new(8, usize::MAX);
        for job in 0..4 {
            assert_eq!(pushed(&background, job, 0), (vec![], 0));
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
        assert_eq!((undone.jobs, undone.total), (vec![], 0));
    }
}
