//! Replaces `std` and `arc_swap` in the code under test.
//!
//! Without the feature `model` it only re-exports them. With it, shuttle may switch to another thread at each lock,
//! condition variable, parked thread, and load or store of an `ArcSwap`. Time stands still, except that a wait with a
//! time limit may time out at any moment if [`set_timeouts`] permits it.

pub use ::std::*;

/// Whether the environment turns on this planted fault. The check puts the faults into a copy of the crate.
pub fn planted(fault: &str) -> bool {
    ::std::env::var("PLANTED").is_ok_and(|planted| planted == fault)
}

pub use arc_swap::Guard;
#[cfg(not(feature = "model"))]
pub use arc_swap::{ArcSwap, ArcSwapOption};

/// Does nothing: real threads have a real clock.
#[cfg(not(feature = "model"))]
pub fn set_timeouts(_: bool) {}

#[cfg(feature = "model")]
pub use modelled::{ArcSwap, ArcSwapOption, set_timeouts, sync, thread, time};

#[cfg(feature = "model")]
mod modelled {
    use ::std::{
        sync::{
            Arc,
            atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
        },
        time::Duration,
    };
    use shuttle::rand::Rng as _;

    static TIMEOUTS: AtomicBool = AtomicBool::new(false);
    /// Nanoseconds.
    static CLOCK: AtomicU64 = AtomicU64::new(0);

    /// Sets whether a wait with a time limit may time out at any moment. Otherwise it never times out. Then a thread
    /// that nobody wakes is a deadlock, which shuttle reports.
    pub fn set_timeouts(fire: bool) {
        TIMEOUTS.store(fire, Relaxed);
        CLOCK.store(0, Relaxed);
    }

    /// Whether a wait with this limit times out now. If so, moves the clock past the limit.
    fn is_over(limit: Duration) -> bool {
        let over = TIMEOUTS.load(Relaxed) && shuttle::rand::thread_rng().gen_bool(0.3);
        if over {
            CLOCK.fetch_add(u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX / 4), Relaxed);
            shuttle::thread::yield_now();
        }
        over
    }

    pub mod sync {
        pub use ::std::sync::*;
        pub use shuttle::sync::{Mutex, MutexGuard};

        use super::{Duration, is_over};

        pub struct Condvar(shuttle::sync::Condvar);

        impl Condvar {
            pub const fn new() -> Self {
                Self(shuttle::sync::Condvar::new())
            }

            pub fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> LockResult<MutexGuard<'a, T>> {
                self.0.wait(guard)
            }

            pub fn wait_timeout<'a, T>(
                &self,
                guard: MutexGuard<'a, T>,
                limit: Duration,
            ) -> LockResult<(MutexGuard<'a, T>, bool)> {
                if is_over(limit) {
                    return Ok((guard, true));
                }
                let told = self.0.wait(guard).map(|guard| (guard, false));
                told.map_err(|poisoned| PoisonError::new((poisoned.into_inner(), false)))
            }

            /// No scenario calls this. The source needs it to compile.
            pub fn wait_timeout_while<'a, T>(
                &self,
                guard: MutexGuard<'a, T>,
                limit: Duration,
                condition: impl FnMut(&mut T) -> bool,
            ) -> LockResult<(MutexGuard<'a, T>, shuttle::sync::WaitTimeoutResult)> {
                self.0.wait_timeout_while(guard, limit, condition)
            }

            pub fn notify_one(&self) {
                self.0.notify_one();
            }

            pub fn notify_all(&self) {
                self.0.notify_all();
            }
        }
    }

    pub mod thread {
        pub use shuttle::thread::*;

        pub fn park_timeout(limit: super::Duration) {
            if !super::is_over(limit) {
                park();
            }
        }
    }

    pub mod time {
        pub use ::std::time::*;
        use core::ops::Add;

        use super::{CLOCK, Relaxed};

        /// A moment of the clock that stands still.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub struct Instant(Duration);

        impl Instant {
            /// One nanosecond later than the last call, so that all times differ.
            pub fn now() -> Self {
                Self(Duration::from_nanos(CLOCK.fetch_add(1, Relaxed)))
            }

            pub fn elapsed(&self) -> Duration {
                Self::now().saturating_duration_since(*self)
            }

            pub fn checked_add(&self, time: Duration) -> Option<Self> {
                self.0.checked_add(time).map(Self)
            }

            pub fn checked_duration_since(&self, earlier: Self) -> Option<Duration> {
                self.0.checked_sub(earlier.0)
            }

            pub fn saturating_duration_since(&self, earlier: Self) -> Duration {
                self.0.saturating_sub(earlier.0)
            }
        }

        impl Add<Duration> for Instant {
            type Output = Self;

            fn add(self, time: Duration) -> Self {
                Self(self.0 + time)
            }
        }
    }

    /// The real `ArcSwapOption`. Each call is one step, and its inside is not modelled.
    pub struct ArcSwapOption<T>(arc_swap::ArcSwapOption<T>);

    impl<T> ArcSwapOption<T> {
        pub fn empty() -> Self {
            Self(arc_swap::ArcSwapOption::empty())
        }

        pub fn load(&self) -> arc_swap::Guard<Option<Arc<T>>> {
            shuttle::thread::yield_now();
            self.0.load()
        }

        pub fn swap(&self, new: Option<Arc<T>>) -> Option<Arc<T>> {
            shuttle::thread::yield_now();
            let old = self.0.swap(new);
            shuttle::thread::yield_now();
            old
        }
    }

    /// The real `ArcSwap`. Each call is one step.
    pub struct ArcSwap<T>(arc_swap::ArcSwap<T>);

    impl<T> ArcSwap<T> {
        pub fn new(value: Arc<T>) -> Self {
            Self(arc_swap::ArcSwap::new(value))
        }

        pub fn load(&self) -> arc_swap::Guard<Arc<T>> {
            shuttle::thread::yield_now();
            self.0.load()
        }

        pub fn load_full(&self) -> Arc<T> {
            shuttle::thread::yield_now();
            self.0.load_full()
        }

        pub fn store(&self, new: Arc<T>) {
            shuttle::thread::yield_now();
            self.0.store(new);
            shuttle::thread::yield_now();
        }
    }
}
