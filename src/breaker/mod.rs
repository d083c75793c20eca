//! When to stop asking a platform that does not answer, and when to ask again.
//!
//! - **Closed**: every call is made. What each came to is kept, for the last 64 of them.
//! - **Open**: too many of them failed. No call is made until a cool-down is over.
//! - **Half-open**: the cool-down is over. One call, the probe, is made at a time.
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
//! [`Breaker::acquire`] gives a [`Permit`] for a call or says how long to wait, and
//! [`Breaker::record`] takes the permit back with what the call came to. Only an outage is a failure
//! ([`Outcome::health`](crate::policy::Outcome::health)): a rejection and a fault prove that the platform
//! answers. The breaker opens at a number of failures in a row, or at a number of them among the last calls
//! ([`BreakerConfig`]). The first cool-down is short, and each failed probe doubles it up to a
//! longest, since a probe costs a caller the whole time limit of a call. The caller's randomness
//! takes away up to half of each, so that a fleet does not come back all at once.
//!
//! The machine is pure: time and randomness are arguments, and it has neither locks nor atomics.
//! Whoever shares it puts it into a mutex, and holds that for `acquire` and `record`, not for the
//! call in between.
//!
//! A [`Breaker`] is for callers that trust each other. A service that asks on behalf of its customers takes a
//! [`ClientTable`], in which one client cannot open the breaker for the others.
//!
//! # Invariants
//!
//! - While half-open, there is one permit whose result counts. A probe that does not come back is
//!   given up after [`BreakerConfig::probe_timeout`].
//! - A permit counts only in the state that gave it, and there once: results that come late neither
//!   open nor close anything.
//! - A refusal says to wait for the longest cool-down or the probe's time limit at most, whatever the
//!   clock does. When time goes backwards, the wait begins anew, and no state is kept forever.
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
