//! Sequences of calls through a breaker.

use std::time::Duration;

use apikee::breaker::{Breaker, BreakerConfig, BreakerState, Health, Permit};

use super::splitter::Splitter;

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// The model of the current state.
enum Phase {
    /// The results so far, the latest last; true for a failure.
    Closed(Vec<bool>),
    /// When it was opened, and for how long.
    Open(Duration, Duration),
    /// When the probe began.
    Probing(Duration),
    /// The next caller makes the probe.
    Released,
}

struct Model {
    phase: Phase,
    /// The number of states before this one.
    epoch: usize,
    cool_down: u64,
}

impl Model {
    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.epoch += 1;
    }
}

/// A breaker grants and refuses like the simplest model: everything while closed, nothing while open, and then one
/// probe at a time. Permits of earlier states change nothing.
pub fn body(input: &[u8]) {
    let mut input = Splitter(input);
    let row = u32::from(input.byte()) % 64 + 1;
    let window = u32::from(input.byte()) % 64 + 1;
    let rate = u32::from(input.byte()) % window + 1;
    let first = u64::from(input.byte()) + 1;
    let longest = first + u64::from(input.byte()) * 4;
    let probe = u64::from(input.byte()) + 1;
    let config = BreakerConfig::DEFAULT.consecutive_failures(row).unwrap().failure_rate(rate, window).unwrap();
    let config = config.cool_down(ms(first), ms(longest)).unwrap().probe_timeout(ms(probe)).unwrap();

    let mut breaker = Breaker::new(config);
    let mut model = Model { phase: Phase::Closed(Vec::new()), epoch: 0, cool_down: first };
    let mut permits: Vec<(Permit, usize)> = Vec::new();
    let mut now = ms(1_000);
    while !input.is_empty() {
        let (step, value) = (input.byte(), input.byte());
        match step % 8 {
            0 => now += ms(value.into()),
            1 => now = now.saturating_sub(ms(value.into())),
            2..=4 => {
                let wait = wait(&mut model.phase, now, probe);
                match breaker.acquire(now) {
                    Ok(permit) => {
                        assert_eq!(wait, Duration::ZERO, "granted too early");
                        if !matches!(model.phase, Phase::Closed(_)) {
                            model.enter(Phase::Probing(now));
                        }
                        permits.push((permit, model.epoch));
                    }
                    Err(open) => {
                        assert_eq!(open.retry_after(), wait);
                        assert!(!wait.is_zero() && wait <= ms(longest.max(probe)));
                    }
                }
            }
            _ if permits.is_empty() => {}
            5 | 6 => {
                let (permit, epoch) = permits.swap_remove(usize::from(value >> 1) % permits.len());
                let down = value & 1 == 1;
                let random = u32::from_be_bytes([input.byte(); 4]);
                breaker.record(permit, if down { Health::Down } else { Health::Up }, now, random);
                if epoch == model.epoch {
                    record(&mut model, &mut breaker, down, now, random, (first, longest), (row, rate, window));
                }
            }
            _ => {
                let (permit, epoch) = permits.swap_remove(usize::from(value >> 1) % permits.len());
                // The permit is lost or released.
                if value & 1 == 1 {
                    breaker.release(permit);
                    if epoch == model.epoch && matches!(model.phase, Phase::Probing(_)) {
                        model.enter(Phase::Released);
                    }
                }
            }
        }
        let expected = match &model.phase {
            Phase::Closed(_) => BreakerState::Closed,
            Phase::Open(since, wait) if now.saturating_sub(*since) < *wait => BreakerState::Open,
            _ => BreakerState::HalfOpen,
        };
        assert_eq!(breaker.state(now), expected);
    }
}

/// The time until a call is permitted. If the clock has gone back, the wait starts again.
fn wait(phase: &mut Phase, now: Duration, probe: u64) -> Duration {
    let (since, wait) = match phase {
        Phase::Closed(_) | Phase::Released => return Duration::ZERO,
        Phase::Open(since, wait) => (since, *wait),
        Phase::Probing(since) => (since, ms(probe)),
    };
    *since = now.min(*since);
    wait.saturating_sub(now - *since)
}

/// Records the result of a call of the current state in the model.
fn record(
    model: &mut Model,
    breaker: &mut Breaker,
    down: bool,
    now: Duration,
    random: u32,
    (first, longest): (u64, u64),
    (row, rate, window): (u32, u32, u32),
) {
    let opens = match &mut model.phase {
        Phase::Closed(results) => {
            results.push(down);
            let latest = || results.iter().rev();
            latest().take_while(|down| **down).count() >= row as usize
                || latest().take(window as usize).filter(|down| **down).count() >= rate as usize
        }
        _ => down,
    };
    if opens {
        let wait = breaker.acquire(now).expect_err("the breaker opens").retry_after();
        let whole = model.cool_down;
        assert!(wait >= ms(whole - whole / 2) && wait <= ms(whole), "{wait:?} of {whole}");
        assert!(random != u32::MAX || wait == ms(whole));
        model.cool_down = longest.min(whole * 2);
        model.enter(Phase::Open(now, wait));
    } else if !matches!(model.phase, Phase::Closed(_)) {
        model.cool_down = first;
        model.enter(Phase::Closed(Vec::new()));
    }
}
