//! Rate limits, counted in whole hours, days, weeks and months (UTC) of the emulator's clock.

use std::vec::Vec;

use serde_json::{Map, Value};

use super::clock;
use crate::UnixTime;

const HOUR: i64 = 60 * 60;
const DAY: i64 = 24 * HOUR;
const WEEK: i64 = 7 * DAY;

/// 1970 began on a Thursday, and a week begins on Monday.
const MONDAY_TO_1970: i64 = 3 * DAY;

/// What a limit is counted in. The names are those of the members of JSON.
#[derive(Debug, Clone, Copy)]
enum Period {
    Hour,
    Day,
    Week,
    Month,
}

const PERIODS: [(Period, &str); 4] =
    [(Period::Hour, "hour"), (Period::Day, "day"), (Period::Week, "week"), (Period::Month, "month")];

impl Period {
    /// The number of the period that a second is in, and the second that the next one starts in.
    fn at(self, secs: i64) -> (i64, i64) {
        let whole = |len: i64, shift: i64| {
            let number = secs.saturating_add(shift).div_euclid(len);
            (number, number.saturating_add(1).saturating_mul(len).saturating_sub(shift))
        };
        match self {
            Self::Hour => whole(HOUR, 0),
            Self::Day => whole(DAY, 0),
            Self::Week => whole(WEEK, MONDAY_TO_1970),
            Self::Month => {
                let (month, next) = clock::month(secs.div_euclid(DAY));
                (month, next.saturating_mul(DAY))
            }
        }
    }
}

/// The requests that are good in each hour, day, week and month; `None` is as many as wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Limits {
    pub(super) hour: Option<u32>,
    pub(super) day: Option<u32>,
    pub(super) week: Option<u32>,
    pub(super) month: Option<u32>,
}

impl Limits {
    pub(super) const fn list(&self) -> [Option<u32>; 4] {
        [self.hour, self.day, self.week, self.month]
    }

    /// Both at once.
    pub(super) fn and(self, other: Self) -> Self {
        let stricter = |one: Option<u32>, other: Option<u32>| one.into_iter().chain(other).min();
        Self {
            hour: stricter(self.hour, other.hour),
            day: stricter(self.day, other.day),
            week: stricter(self.week, other.week),
            month: stricter(self.month, other.month),
        }
    }

    /// An object with a number for each limit that there is.
    pub(super) fn record(&self) -> Value {
        let members = PERIODS.iter().zip(self.list());
        Value::Object(
            members.filter_map(|((_, name), limit)| Some(((*name).into(), limit?.into()))).collect::<Map<_, _>>(),
        )
    }

    /// Reads such an object; `None` if it is not one. An absent object has no limits.
    pub(super) fn read(value: Option<&Value>) -> Option<Self> {
        let Some(value) = value.filter(|value| !value.is_null()) else { return Some(Self::default()) };
        let members = value.as_object()?;
        let read = |name: &str| match members.get(name) {
            None | Some(Value::Null) => Some(None),
            Some(number) => number.as_u64().and_then(|number| u32::try_from(number).ok()).map(Some),
        };
        Some(Self { hour: read("hour")?, day: read("day")?, week: read("week")?, month: read("month")? })
    }
}

/// What a client has used, in the periods that its last request was in.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Usage([Counter; 4]);

#[derive(Debug, Clone, Copy, Default)]
struct Counter {
    /// The period that `used` was counted in.
    period: i64,
    used: u32,
}

impl Usage {
    /// The seconds, at least 1, until all limits that are reached start anew; `None` if none is reached.
    pub(super) fn wait(&self, now: UnixTime, limits: Limits) -> Option<u32> {
        let waits = PERIODS.iter().zip(self.used(now)).zip(limits.list()).filter_map(|(((period, _), used), limit)| {
            let (_, end) = period.at(now.as_secs());
            limit.filter(|limit| used >= *limit).map(|_| end.saturating_sub(now.as_secs()))
        });
        waits.max().map(|wait| u32::try_from(wait).unwrap_or(u32::MAX))
    }

    /// Counts one request.
    pub(super) fn count(&mut self, now: UnixTime) {
        for ((period, _), counter) in PERIODS.iter().zip(&mut self.0) {
            let (current, _) = period.at(now.as_secs());
            if counter.period != current {
                *counter = Counter { period: current, used: 0 };
            }
            counter.used = counter.used.saturating_add(1);
        }
    }

    /// The requests of the hour, day, week and month that it is now.
    pub(super) fn used(&self, now: UnixTime) -> [u32; 4] {
        let mut used = self.0.map(|counter| counter.used);
        for (((period, _), counter), used) in PERIODS.iter().zip(&self.0).zip(&mut used) {
            if counter.period != period.at(now.as_secs()).0 {
                *used = 0;
            }
        }
        used
    }

    /// As it stands in the state file: the number of each period and the requests in it.
    pub(super) fn record(&self) -> Value {
        self.0.iter().map(|counter| Value::from(Vec::from([counter.period, counter.used.into()]))).collect()
    }

    pub(super) fn read(value: &Value) -> Option<Self> {
        let counters: &[Value; 4] = value.as_array()?.as_slice().try_into().ok()?;
        let mut this = Self::default();
        for (counter, value) in this.0.iter_mut().zip(counters) {
            let [period, used]: &[Value; 2] = value.as_array()?.as_slice().try_into().ok()?;
            *counter = Counter { period: period.as_i64()?, used: u32::try_from(used.as_u64()?).ok()? };
        }
        Some(this)
    }
}
