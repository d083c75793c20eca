//! One deadline for all that a call does.
//!
//! A call runs on one thread from its look-up to its last byte. The deadline is kept with that thread,
//! since ureq counts some steps (a `CONNECT` to a proxy, for one) from the beginning each time.

use core::{cell::Cell, time::Duration};
use std::{thread_local, time::Instant};

use ureq::{Error, unversioned::transport::NextTimeout};

thread_local! {
    static DEADLINE: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Runs `call`, in which [`remaining`] counts towards the deadline.
pub(super) fn until<T>(deadline: Instant, call: impl FnOnce() -> T) -> T {
    struct Restore(Option<Instant>);
    impl Drop for Restore {
        fn drop(&mut self) {
            DEADLINE.set(self.0);
        }
    }
    let _restore = Restore(DEADLINE.replace(Some(deadline)));
    call()
}

/// Runs a part of the call that must end at `deadline`, and no later than the call.
pub(super) fn sooner<T>(deadline: Instant, part: impl FnOnce() -> T) -> T {
    until(DEADLINE.get().map_or(deadline, |of_call| of_call.min(deadline)), part)
}

/// How long an operation may take that ureq gives `timeout`: more than zero, and not past the deadline.
pub(super) fn remaining(timeout: NextTimeout) -> Result<Duration, Error> {
    let left = DEADLINE
        .get()
        .map_or(*timeout.after, |deadline| deadline.saturating_duration_since(Instant::now()).min(*timeout.after));
    if left.is_zero() { Err(Error::Timeout(timeout.reason)) } else { Ok(left) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn part_of_a_call_ends_no_later_than_the_call() {
        let left = || {
            remaining(NextTimeout {
                after: ureq::unversioned::transport::time::Duration::from_secs(90),
                ..NextTimeout::default()
            })
            .unwrap()
        };
        let at = |secs| Instant::now() + Duration::from_secs(secs);
        assert!(left() > Duration::from_secs(60));
        until(at(60), || {
            sooner(at(30), || assert!(left() <= Duration::from_secs(30)));
            assert!(left() > Duration::from_secs(30));
            sooner(at(90), || assert!(left() <= Duration::from_secs(60)));
        });
        sooner(at(30), || assert!(left() <= Duration::from_secs(30)));
        assert!(left() > Duration::from_secs(60));
    }
}
