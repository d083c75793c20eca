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
//! ([`Outcome::health`](crate::Outcome::health)): a rejection and a fault prove that the platform
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
//! use apikee::{Breaker, BreakerConfig, BreakerState, Health};
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

use core::{fmt, time::Duration};

use circuit::Circuit;
pub use clients::{BreakerChange, ClientPermit, ClientRef, ClientSlot, ClientTable, Evidence};
pub use config::{BreakerConfig, BreakerConfigError, RefusalMemory};

/// A circuit breaker: says whether to make a call.
///
/// While closed, it permits every call; it opens when too many of them fail, and permits none until a
/// cool-down is over; then it is half-open and permits one probe at a time, whose answer closes it and
/// whose failure opens it for longer. A permit counts only in the state that gave it, and a probe that
/// is lost is given up.
///
/// It has no lock: share it in a mutex, held for [`acquire`](Self::acquire) and
/// [`record`](Self::record), not for the call in between.
///
/// `now` is the time since any fixed start, on a clock that does not go backwards (`Instant::elapsed`
/// gives it).
#[derive(Debug)]
pub struct Breaker {
    config: BreakerConfig,
    circuit: Circuit,
}

/// Leave for one call, to be given back to [`Breaker::record`] or [`Breaker::release`].
///
/// It cannot be copied, so a call counts once:
///
/// ```compile_fail
/// # use apikee::{Breaker, Health, Permit};
/// fn record(breaker: &mut Breaker, permit: Permit, now: core::time::Duration) {
///     breaker.record(permit, Health::Down, now, 0);
///     breaker.record(permit, Health::Down, now, 0);
/// }
/// ```
///
/// ```
/// # use apikee::{Breaker, Health, Permit};
/// fn record(breaker: &mut Breaker, permit: Permit, now: core::time::Duration) {
///     breaker.record(permit, Health::Down, now, 0);
/// }
/// ```
#[derive(Debug)]
#[must_use = "a probe that is not given back stops all others until it is given up"]
pub struct Permit {
    generation: u32,
}

/// What a call says of the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Health {
    /// It answers, whatever the answer is.
    Up,
    /// It could not be reached, or failed.
    Down,
}

/// The state of a [`Breaker`] at some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum BreakerState {
    /// Every call is made.
    Closed,
    /// No call is made.
    Open,
    /// One call at a time is made, to find out.
    HalfOpen,
}

impl Breaker {
    /// A closed breaker.
    #[must_use]
    pub const fn new(config: BreakerConfig) -> Self {
        Self { config, circuit: Circuit::CLOSED }
    }

    /// Leave for a call.
    ///
    /// # Errors
    ///
    /// [`BreakerOpen`] during a cool-down, and while another call is the probe.
    pub fn acquire(&mut self, now: Duration) -> Result<Permit, BreakerOpen> {
        self.circuit.acquire(&self.config, now).map(|generation| Permit { generation })
    }

    /// Takes note of what a permitted call came to. `random` is 32 random bits, of which a cool-down
    /// makes use; they need not be secret.
    ///
    /// Nothing changes if the state that gave the permit has ended.
    pub fn record(&mut self, permit: Permit, health: Health, now: Duration, random: u32) {
        let Self { config, circuit } = self;
        circuit.record(config, permit.generation, health, now, random, |failures| config.trips(failures));
    }

    /// Takes back a permit without a call. If it was the probe's, the next caller may be the probe.
    pub fn release(&mut self, permit: Permit) {
        self.circuit.release(permit.generation);
    }

    /// The state at that time.
    #[must_use]
    pub fn state(&self, now: Duration) -> BreakerState {
        self.circuit.state(&self.config, now)
    }
}

impl Default for Breaker {
    fn default() -> Self {
        Self::new(BreakerConfig::DEFAULT)
    }
}

/// No call is to be made now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct BreakerOpen {
    retry_after: Duration,
}

impl BreakerOpen {
    /// How long to wait at least, never zero. Another caller may be first then.
    #[must_use]
    pub const fn retry_after(self) -> Duration {
        self.retry_after
    }
}

impl fmt::Display for BreakerOpen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the circuit breaker is open")
    }
}

impl core::error::Error for BreakerOpen {}
