//! Decides when to stop asking a platform that does not answer, and when to ask again.
//!
//! - **Closed**: every call is made. The results of the last 64 calls are kept.
//! - **Open**: too many calls failed. No call is made until a cool-down is over.
//! - **Half-open**: the cool-down is over. One call at a time is made. It is called the probe.
//!
//! ```text
//!                too many failures
//!   ┌────────┐ ─────────────────────> ┌──────┐
//!   │ Closed │                        │ Open │ <─────────────┐
//!   └────────┘ <────────┐             └──────┘               │ the probe fails:
//!                       │                 │ the cool-down    │ a longer cool-down
//!            the probe  │                 v is over          │
//!            gets an    │          ┌───────────┐             │
//!            answer     └───────── │ Half-open │ ────────────┘
//!                                  └───────────┘
//!                                    │       ^ the probe is released, or lost:
//!                                    └───────┘ the next caller is the probe
//! ```
//!
//! [`Breaker::acquire`] gives a [`Permit`] for a call or says how long to wait. [`Breaker::record`] takes the permit
//! back with the result of the call. Only an outage is a failure ([`Outcome::health`](crate::policy::Outcome::health)):
//! a rejection or a fault shows that the platform answers. The breaker opens after a number of failures in a row, or
//! after a number of failures among the last calls ([`BreakerConfig`]). The first cool-down is short. Each failed probe
//! doubles it up to a limit, since a probe costs a caller the whole time limit of a call. The caller's random bits
//! shorten each cool-down by up to half, so that the machines of a fleet do not all ask again at the same time.
//!
//! The state machine has no side effects: time and randomness are arguments, and it has neither locks nor atomics. To
//! share it, put it into a mutex. Hold the mutex for `acquire` and `record`, not during the call in between.
//!
//! A [`Breaker`] is for callers that trust each other. If your service asks on behalf of its customers, use a
//! [`ClientTable`]: there, one client cannot open the breaker for the others.
//!
//! # Invariants
//!
//! - While half-open, only one permit counts. A probe whose permit does not come back is given up after
//!   [`BreakerConfig::probe_timeout`].
//! - A permit counts only once, and only in the state that gave it. Late results neither open nor close anything.
//! - A refused caller waits at most the longest cool-down or the probe's time limit. If the clock goes back, this wait
//!   starts again, but it gets no longer. No state is kept forever.
//!
//! # Example
//!
//! ```
//! use apikee::breaker::{Breaker, BreakerConfig, BreakerState, Health};
//! use core::time::Duration;
//!
//! let config = BreakerConfig::DEFAULT.consecutive_failures(2)?;
//! let mut breaker = Breaker::new(config);
//! let (at, random) = (Duration::from_secs, u32::MAX);
//!
//! for _ in 0..2 {
//!     let permit = breaker.acquire(at(10))?;
//!     breaker.record(permit, Health::Down, at(10), random);
//! }
//! assert_eq!(breaker.state(at(10)), BreakerState::Open);
//! assert!(breaker.acquire(at(10)).is_err());
//!
//! let probe = breaker.acquire(at(11))?;
//! assert!(breaker.acquire(at(11)).is_err(), "one probe at a time");
//! breaker.record(probe, Health::Up, at(11), random);
//! assert_eq!(breaker.state(at(11)), BreakerState::Closed);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod circuit;
mod clients;
mod config;

pub use circuit::{Breaker, BreakerOpen, BreakerState, Health, Permit};
pub use clients::{BreakerChange, ClientPermit, ClientRef, ClientSlot, ClientTable, Evidence};
pub use config::{BreakerConfig, BreakerConfigError, RefusalMemory};
