//! Decides which results are right.
//!
//! | the key | the platform's answer | right result |
//! |---|---|---|
//! | bad, revoked, or without the scope | not asked | the denial for this reason |
//! | good | success | confirmed |
//! | good | a refusal | a denial with this refusal |
//! | good | not trustworthy | a denial as a fault |
//! | good | an outage | passes, unless a refusal of the client is remembered: then a denial as remembered |
//! | good | not asked, or a timeout after waiting for a slot | like an outage if a breaker is open; otherwise a denial as an overload |

use std::{
    collections::BTreeMap,
    fmt,
    time::{Duration, Instant},
};

use apikee::{
    Denial,
    breaker::RefusalMemory,
    policy::{Basis, Outage, Rejection},
};

/// What is wrong with the key, if anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    Good,
    Bad,
    Expired,
    Revoked,
    Scopes,
    None,
}

/// The platform's answer to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    Success,
    Unsuccessful,
    Forbidden,
    /// With a `Retry-After`, in seconds.
    Limited(Option<u32>),
    Outage(Outage),
    Fault,
}

const SHORT: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(2);

pub fn memory() -> RefusalMemory {
    RefusalMemory::DEFAULT.unsuccessful(SHORT).forbidden(SHORT).rate_limited(SHORT, LONGEST)
}

/// A remembered refusal: the time until which it must be remembered, and the time after which it must not be.
type Memory = Option<(Instant, Instant)>;

fn extend(memory: &mut Memory, before: Instant, after: Instant, time: Duration) {
    let (must, may) = memory.unwrap_or((before, after));
    *memory = Some((must.max(before + time), may.max(after + time)));
}

/// The numbers of right results by name, and the wrong results.
#[derive(Default)]
pub struct Seen {
    counts: BTreeMap<&'static str, u64>,
    pub wrong: Vec<String>,
}

impl Seen {
    pub fn add(&mut self, other: Self) {
        other.counts.into_iter().for_each(|(name, count)| *self.counts.entry(name).or_default() += count);
        self.wrong.extend(other.wrong);
    }

    pub fn confirmed(&self) -> u64 {
        self.counts.get("confirmed").copied().unwrap_or(0)
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.counts.iter().try_for_each(|(name, count)| write!(f, "{name} {count}; "))
    }
}

/// Judges the results of one client.
#[derive(Default)]
pub struct Oracle {
    /// The last refusal of the client, and the last one for each of its addresses.
    client: Memory,
    forbidden: [Memory; 2],
    pub seen: Seen,
}

impl Oracle {
    pub fn judge(
        &mut self,
        case: Case,
        told: Option<Told>,
        address: usize,
        answer: Result<Basis, Denial<'_>>,
        before: Instant,
        after: Instant,
    ) {
        match self.verdict(case, told, address, &answer, before, after) {
            Some(name) => *self.seen.counts.entry(name).or_default() += 1,
            None => self.seen.wrong.push(format!("{case:?}, told {told:?}: {answer:?}")),
        }
    }

    /// The name of a right result. `None` if the result is wrong.
    fn verdict(
        &mut self,
        case: Case,
        told: Option<Told>,
        address: usize,
        answer: &Result<Basis, Denial<'_>>,
        before: Instant,
        after: Instant,
    ) -> Option<&'static str> {
        let right = match (case, told) {
            (Case::Good, _) => None,
            (_, Some(_)) => return None,
            (Case::Bad | Case::Expired | Case::None, None) => Some(matches!(answer, Err(Denial::Key(_)))),
            (Case::Revoked, None) => Some(matches!(answer, Err(Denial::Revoked))),
            (Case::Scopes, None) => Some(matches!(answer, Err(Denial::MissingScopes(_)))),
        };
        if let Some(right) = right {
            return right.then_some("refused without asking");
        }
        // The call timed out, so the platform's answer did not arrive.
        let timed_out = after.duration_since(before) >= crate::LIMIT;
        let told = match answer {
            Ok(Basis::FailedOpen(Outage::Timeout)) | Err(Denial::Remembered(_) | Denial::Overload(_)) if timed_out => {
                Some(Told::Outage(Outage::Timeout))
            }
            _ => told,
        };
        let (right, name) = match (told, answer) {
            (Some(Told::Success), Ok(Basis::Confirmed)) => {
                (self.client, self.forbidden[address]) = (None, None);
                (true, "confirmed")
            }
            (Some(Told::Unsuccessful), Err(Denial::Rejected(Rejection::Unsuccessful(_)))) => {
                extend(&mut self.client, before, after, SHORT);
                (true, "refused by the platform")
            }
            (Some(Told::Limited(secs)), Err(Denial::Rejected(Rejection::RateLimited { .. }))) => {
                let time = secs.map_or(SHORT, |secs| Duration::from_secs(secs.max(1).into()).min(LONGEST));
                extend(&mut self.client, before, after, time);
                (true, "refused by the platform")
            }
            (Some(Told::Forbidden), Err(Denial::Rejected(Rejection::Forbidden))) => {
                extend(&mut self.forbidden[address], before, after, SHORT);
                // The refusals of other addresses may last as long, if they have not ended.
                if let (Some((_, may)), [Some(one), Some(other)]) = (self.forbidden[address], &mut self.forbidden) {
                    (one.1, other.1) = (may, may);
                }
                (true, "refused by the platform")
            }
            (Some(Told::Fault), Err(Denial::Fault(_))) => (true, "untrusted"),
            // A timeout after a long wait for a slot is treated as if the request still waited.
            (Some(Told::Outage(Outage::Timeout)) | None, Ok(Basis::FailedOpen(Outage::BreakerOpen { .. }))) => {
                (!self.must_remember(address, after), "let through by a breaker")
            }
            (Some(Told::Outage(told)), Ok(Basis::FailedOpen(outage))) => {
                (told == *outage && !self.must_remember(address, after), "let through in an outage")
            }
            (Some(Told::Outage(_)) | None, Err(Denial::Remembered(_))) => {
                (self.may_remember(address, before), "refused by a remembered refusal")
            }
            // The request waited for its slot for more than a tenth of its time.
            (Some(Told::Outage(Outage::Timeout)) | None, Err(Denial::Overload(_))) => (true, "no slot in time"),
            _ => (false, ""),
        };
        right.then_some(name)
    }

    fn must_remember(&self, address: usize, now: Instant) -> bool {
        [self.client, self.forbidden[address]].into_iter().flatten().any(|(must, _)| now < must)
    }

    fn may_remember(&self, address: usize, now: Instant) -> bool {
        [self.client, self.forbidden[address]].into_iter().flatten().any(|(_, may)| now <= may)
    }
}
