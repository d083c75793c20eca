//! The circuit breaker: claim by claim, and compared with a model that remembers everything.

use core::time::Duration;

use apikee::breaker::{
    Breaker, BreakerConfig, BreakerConfigError,
    BreakerState::{Closed, HalfOpen, Open},
    Health::{self, Down, Up},
    Permit,
};
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{FileFailurePersistence, RngSeed},
};

/// Random bits that do not shorten a cool-down.
const ALL: u32 = u32::MAX;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// It opens after 3 failures in a row or 4 of 6. Cool-downs double from 100 ms to 350 ms. A probe takes up to 1 s.
fn config() -> BreakerConfig {
    let config = BreakerConfig::DEFAULT.consecutive_failures(3).unwrap().failure_rate(4, 6).unwrap();
    config.cool_down(ms(100), ms(350)).unwrap().probe_timeout(ms(1_000)).unwrap()
}

fn call(breaker: &mut Breaker, health: Health, now: Duration) {
    let permit = breaker.acquire(now).unwrap();
    breaker.record(permit, health, now, ALL);
}

fn opened_at(now: Duration) -> Breaker {
    let mut breaker = Breaker::new(config());
    (0..3).for_each(|_| call(&mut breaker, Down, now));
    assert_eq!(breaker.state(now), Open);
    breaker
}

fn wait_of(breaker: &mut Breaker, now: Duration) -> Duration {
    breaker.acquire(now).unwrap_err().retry_after()
}

#[test]
fn consecutive_failures_open_the_breaker() {
    let mut breaker = Breaker::new(config().failure_rate(64, 64).unwrap());
    for health in [Down, Down, Up, Down, Down] {
        call(&mut breaker, health, ms(0));
        assert_eq!(breaker.state(ms(0)), Closed);
    }
    call(&mut breaker, Down, ms(0));
    assert_eq!(breaker.state(ms(0)), Open);
}

#[test]
fn a_high_failure_rate_opens_the_breaker() {
    let mut breaker = Breaker::new(config());
    for health in [Down, Down, Up, Down, Up] {
        call(&mut breaker, health, ms(0));
        assert_eq!(breaker.state(ms(0)), Closed);
    }
    call(&mut breaker, Down, ms(0));
    assert_eq!(breaker.state(ms(0)), Open);
}

#[test]
fn failures_before_the_window_are_forgotten() {
    let mut breaker = Breaker::new(config());
    for health in [Down, Down, Up, Up, Down, Up, Down, Up, Down, Up, Up, Down] {
        call(&mut breaker, health, ms(0));
        assert_eq!(breaker.state(ms(0)), Closed);
    }
}

#[test]
fn the_widest_window_holds_64_calls() {
    let config = BreakerConfig::DEFAULT.consecutive_failures(64).unwrap().failure_rate(2, 64).unwrap();
    for (good, state) in [(62, Open), (63, Closed)] {
        let mut breaker = Breaker::new(config);
        call(&mut breaker, Down, ms(0));
        (0..good).for_each(|_| call(&mut breaker, Up, ms(0)));
        call(&mut breaker, Down, ms(0));
        assert_eq!(breaker.state(ms(0)), state, "{good} successful calls in between");
    }
}

#[test]
fn an_open_breaker_refuses_until_its_cool_down_is_over() {
    let mut breaker = opened_at(ms(50));
    assert_eq!(wait_of(&mut breaker, ms(50)), ms(100));
    assert_eq!(wait_of(&mut breaker, ms(149)), ms(1));
    assert_eq!(breaker.state(ms(149)), Open);
    assert_eq!(breaker.state(ms(150)), HalfOpen);
    assert!(breaker.acquire(ms(150)).is_ok());
}

#[test]
fn only_one_probe_runs_at_a_time() {
    let mut breaker = opened_at(ms(0));
    let probe = breaker.acquire(ms(100)).unwrap();
    assert_eq!(wait_of(&mut breaker, ms(100)), ms(1_000));
    assert_eq!(breaker.state(ms(500)), HalfOpen);
    breaker.record(probe, Up, ms(500), ALL);
    assert_eq!(breaker.state(ms(500)), Closed);
}

#[test]
fn a_closed_breaker_has_forgotten_the_failures_that_opened_it() {
    let mut breaker = opened_at(ms(0));
    call(&mut breaker, Up, ms(100));
    call(&mut breaker, Down, ms(100));
    call(&mut breaker, Down, ms(100));
    assert_eq!(breaker.state(ms(100)), Closed);
}

#[test]
fn failed_probes_double_the_cool_down_up_to_the_longest_and_success_resets_it() {
    let mut breaker = opened_at(ms(0));
    let mut now = ms(0);
    for wait in [100, 200, 350, 350] {
        assert_eq!(wait_of(&mut breaker, now), ms(wait));
        now += ms(wait);
        call(&mut breaker, Down, now);
    }
    now += ms(350);
    call(&mut breaker, Up, now);
    (0..3).for_each(|_| call(&mut breaker, Down, now));
    assert_eq!(wait_of(&mut breaker, now), ms(100));
}

#[test]
fn randomness_shortens_a_cool_down_by_up_to_half() {
    for (random, wait) in [(0, 50), (u32::MAX / 2, 75), (u32::MAX, 100)] {
        let mut breaker = Breaker::new(config().consecutive_failures(1).unwrap());
        let permit = breaker.acquire(ms(0)).unwrap();
        breaker.record(permit, Down, ms(0), random);
        assert_eq!(wait_of(&mut breaker, ms(0)), ms(wait), "{random}");
    }
}

#[test]
fn a_lost_probe_times_out_and_its_late_result_is_ignored() {
    let mut breaker = opened_at(ms(0));
    let lost = breaker.acquire(ms(100)).unwrap();
    assert_eq!(wait_of(&mut breaker, ms(1_099)), ms(1));
    let probe = breaker.acquire(ms(1_100)).unwrap();
    breaker.record(lost, Up, ms(1_200), ALL);
    assert_eq!(breaker.state(ms(1_200)), HalfOpen);
    assert_eq!(wait_of(&mut breaker, ms(1_200)), ms(900));
    breaker.record(probe, Down, ms(1_200), ALL);
    assert_eq!(breaker.state(ms(1_200)), Open);
}

#[test]
fn a_slow_probe_counts_if_no_other_was_started() {
    let mut breaker = opened_at(ms(0));
    let probe = breaker.acquire(ms(100)).unwrap();
    breaker.record(probe, Up, ms(9_000), ALL);
    assert_eq!(breaker.state(ms(9_000)), Closed);
}

#[test]
fn after_a_released_probe_the_next_call_is_the_probe() {
    let mut breaker = opened_at(ms(0));
    let unused = breaker.acquire(ms(100)).unwrap();
    breaker.release(unused);
    assert_eq!(breaker.state(ms(100)), HalfOpen);
    call(&mut breaker, Up, ms(100));
    assert_eq!(breaker.state(ms(100)), Closed);
}

#[test]
fn a_released_permit_of_an_earlier_state_does_not_end_a_probe() {
    let mut breaker = Breaker::new(config());
    let early = breaker.acquire(ms(0)).unwrap();
    (0..3).for_each(|_| call(&mut breaker, Down, ms(0)));
    let _probe = breaker.acquire(ms(100)).unwrap();
    breaker.release(early);
    assert!(breaker.acquire(ms(100)).is_err());
}

#[test]
fn late_results_neither_close_nor_open_the_breaker() {
    let mut breaker = Breaker::new(config());
    let mut early: Vec<Permit> = (0..7).map(|_| breaker.acquire(ms(0)).unwrap()).collect();
    (0..3).for_each(|_| call(&mut breaker, Down, ms(0)));

    breaker.record(early.pop().unwrap(), Up, ms(10), ALL);
    assert_eq!(wait_of(&mut breaker, ms(10)), ms(90), "open as before");

    let probe = breaker.acquire(ms(100)).unwrap();
    breaker.record(early.pop().unwrap(), Up, ms(100), ALL);
    breaker.record(early.pop().unwrap(), Down, ms(100), ALL);
    assert_eq!(wait_of(&mut breaker, ms(100)), ms(1_000), "half-open as before");

    breaker.record(probe, Up, ms(100), ALL);
    early.into_iter().for_each(|permit| breaker.record(permit, Down, ms(100), ALL));
    assert_eq!(breaker.state(ms(100)), Closed, "closed, and the four earlier failures do not count");
}

#[test]
fn a_clock_that_goes_back_costs_at_most_one_cool_down() {
    let mut breaker = opened_at(ms(1_000_000));
    assert_eq!(breaker.state(ms(7)), Open);
    assert_eq!(wait_of(&mut breaker, ms(7)), ms(100));
    assert!(breaker.acquire(ms(107)).is_ok());
    // The probe is lost, and the clock goes back again.
    assert_eq!(wait_of(&mut breaker, ms(3)), ms(1_000));
    assert!(breaker.acquire(ms(1_003)).is_ok());
}

#[test]
fn the_earliest_and_the_latest_time_are_accepted() {
    let mut breaker = opened_at(Duration::MAX);
    assert!(breaker.acquire(Duration::MAX).is_err());
    assert_eq!(wait_of(&mut breaker, Duration::ZERO), ms(100));
    assert!(breaker.acquire(Duration::MAX).is_ok());
}

#[test]
fn settings_out_of_range_are_refused() {
    use BreakerConfigError::{CoolDown, Failures, ProbeTimeout, Window};
    let config = BreakerConfig::DEFAULT;
    let (day, too_long) = (Duration::from_secs(86_400), Duration::from_secs(86_401));

    assert_eq!(config.consecutive_failures(0), Err(Failures));
    assert_eq!(config.consecutive_failures(65), Err(Failures));
    assert!(config.consecutive_failures(1).is_ok() && config.consecutive_failures(64).is_ok());

    assert_eq!(config.failure_rate(0, 1), Err(Failures));
    assert_eq!(config.failure_rate(2, 1), Err(Failures));
    assert_eq!(config.failure_rate(1, 0), Err(Window));
    assert_eq!(config.failure_rate(1, 65), Err(Window));
    assert!(config.failure_rate(1, 1).is_ok() && config.failure_rate(64, 64).is_ok());

    assert_eq!(config.cool_down(ms(0), ms(1)), Err(CoolDown));
    assert_eq!(config.cool_down(Duration::from_micros(999), ms(1)), Err(CoolDown));
    assert_eq!(config.cool_down(ms(2), ms(1)), Err(CoolDown));
    assert_eq!(config.cool_down(ms(1), too_long), Err(CoolDown));
    assert!(config.cool_down(ms(1), ms(1)).is_ok() && config.cool_down(day, day).is_ok());

    assert_eq!(config.probe_timeout(ms(0)), Err(ProbeTimeout));
    assert_eq!(config.probe_timeout(too_long), Err(ProbeTimeout));
    assert!(config.probe_timeout(Duration::from_nanos(1)).is_ok() && config.probe_timeout(day).is_ok());
}

#[test]
fn the_default_configuration_is_the_documented_one() {
    let said = BreakerConfig::DEFAULT.consecutive_failures(5).unwrap().failure_rate(16, 32).unwrap();
    let said = said.cool_down(ms(1_000), ms(30_000)).unwrap().probe_timeout(ms(10_000)).unwrap();
    assert_eq!(BreakerConfig::default(), said);
}

/// The settings, from which the configuration is made.
#[derive(Debug, Clone, Copy)]
struct Settings {
    consecutive: u32,
    failures: u32,
    window: u32,
    first: u64,
    longest: u64,
    probe: u64,
}

impl Settings {
    fn config(self) -> BreakerConfig {
        let config = BreakerConfig::DEFAULT.consecutive_failures(self.consecutive).unwrap();
        let config = config.failure_rate(self.failures, self.window).unwrap();
        config.cool_down(ms(self.first), ms(self.longest)).unwrap().probe_timeout(ms(self.probe)).unwrap()
    }
}

/// The whole history. The model computes each answer from it again.
struct Model {
    settings: Settings,
    epochs: Vec<Epoch>,
}

struct Epoch {
    kind: Kind,
    /// The time when the epoch began, and of each call of `acquire`.
    times: Vec<Duration>,
    results: Vec<Health>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Closed,
    Cooling { random: u32 },
    Probing,
    Released,
}

impl Model {
    fn new(settings: Settings) -> Self {
        let mut model = Self { settings, epochs: Vec::new() };
        model.begin(Kind::Closed, ms(0));
        model
    }

    fn begin(&mut self, kind: Kind, now: Duration) {
        self.epochs.push(Epoch { kind, times: vec![now], results: Vec::new() });
    }

    fn current(&mut self) -> &mut Epoch {
        self.epochs.last_mut().unwrap()
    }

    fn kind(&self) -> Kind {
        self.epochs.last().unwrap().kind
    }

    /// Time after the beginning of the current epoch in which no calls are permitted.
    fn wait(&self) -> Duration {
        match self.kind() {
            Kind::Closed | Kind::Released => ms(0),
            Kind::Probing => ms(self.settings.probe),
            Kind::Cooling { random } => {
                let this_outage = self.epochs.iter().rev().take_while(|epoch| epoch.kind != Kind::Closed);
                let before = this_outage.filter(|epoch| matches!(epoch.kind, Kind::Cooling { .. })).count() - 1;
                let whole = (0..before).fold(self.settings.first, |wait, _| self.settings.longest.min(wait * 2));
                let share = (f64::from(random) + 1.0) / 4_294_967_296.0;
                ms(whole - whole / 2 + (share * (whole / 2) as f64).floor() as u64)
            }
        }
    }

    fn remaining(&self, now: Duration) -> Duration {
        let began = self.epochs.last().unwrap().times.iter().min().unwrap();
        self.wait().saturating_sub(now.saturating_sub(*began))
    }

    fn state(&self, now: Duration) -> apikee::breaker::BreakerState {
        match self.kind() {
            Kind::Closed => Closed,
            Kind::Cooling { .. } if self.remaining(now) > ms(0) => Open,
            _ => HalfOpen,
        }
    }

    /// The number of the epoch in which the permit is valid, or how long to wait.
    fn acquire(&mut self, now: Duration) -> Result<usize, Duration> {
        self.current().times.push(now);
        match self.remaining(now) {
            Duration::ZERO if self.kind() == Kind::Closed => Ok(self.epochs.len()),
            Duration::ZERO => {
                self.begin(Kind::Probing, now);
                Ok(self.epochs.len())
            }
            wait => Err(wait),
        }
    }

    fn record(&mut self, epoch: usize, health: Health, now: Duration, random: u32) {
        if epoch != self.epochs.len() {
            return;
        }
        self.current().results.push(health);
        let latest: Vec<Health> = self.current().results.iter().rev().copied().collect();
        let row = latest.iter().take_while(|health| **health == Down).count();
        let rate = latest.iter().take(self.settings.window as usize).filter(|health| **health == Down).count();
        let trips = row >= self.settings.consecutive as usize || rate >= self.settings.failures as usize;
        match (self.kind(), health) {
            (Kind::Closed, _) if trips => self.begin(Kind::Cooling { random }, now),
            (Kind::Probing, Down) => self.begin(Kind::Cooling { random }, now),
            (Kind::Probing, Up) => self.begin(Kind::Closed, now),
            _ => {}
        }
    }

    fn release(&mut self, epoch: usize) {
        if epoch == self.epochs.len() && self.kind() == Kind::Probing {
            self.begin(Kind::Released, ms(0));
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Step {
    /// Milliseconds, forward or back.
    Wait(i64),
    Acquire,
    /// Uses one of the open permits.
    Record(prop::sample::Index, Health, u32),
    Release(prop::sample::Index),
    Lose(prop::sample::Index),
}

fn settings() -> impl Strategy<Value = Settings> {
    let window = prop_oneof![1..=8_u32, 1..=64_u32];
    let counts = window.prop_flat_map(|window| (1..=8_u32, 1..=window, Just(window)));
    (counts, 1..=100_u64, 0..=400_u64, 1..=300_u64).prop_map(|((consecutive, failures, window), first, more, probe)| {
        Settings { consecutive, failures, window, first, longest: first + more, probe }
    })
}

fn step() -> impl Strategy<Value = Step> {
    let health = prop_oneof![3 => Just(Down), 2 => Just(Up)];
    let random = prop_oneof![Just(0), Just(u32::MAX), any::<u32>()];
    prop_oneof![
        5 => (0..=150_i64).prop_map(Step::Wait),
        1 => (-400..=0_i64).prop_map(Step::Wait),
        8 => Just(Step::Acquire),
        7 => (any::<prop::sample::Index>(), health, random).prop_map(|(at, health, random)| Step::Record(at, health, random)),
        1 => any::<prop::sample::Index>().prop_map(Step::Release),
        1 => any::<prop::sample::Index>().prop_map(Step::Lose),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 256,
        rng_seed: RngSeed::Fixed(3),
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_breaker_agrees_with_the_model(settings in settings(), steps in vec(step(), 0..150)) {
        let (mut breaker, mut model) = (Breaker::new(settings.config()), Model::new(settings));
        let longest = ms(settings.longest.max(settings.probe));
        let mut permits: Vec<(Permit, usize)> = Vec::new();
        let mut now = ms(1_000);
        for step in steps {
            match step {
                Step::Wait(millis) if millis < 0 => now = now.saturating_sub(ms(millis.unsigned_abs())),
                Step::Wait(millis) => now += ms(millis.unsigned_abs()),
                Step::Acquire => match (breaker.acquire(now), model.acquire(now)) {
                    (Ok(permit), Ok(epoch)) => permits.push((permit, epoch)),
                    (Err(open), Err(wait)) => {
                        prop_assert_eq!(open.retry_after(), wait);
                        prop_assert!(wait > ms(0) && wait <= longest);
                    }
                    (permit, epoch) => prop_assert!(false, "{:?}, and the model says {:?}", permit, epoch),
                },
                Step::Record(..) | Step::Release(_) | Step::Lose(_) if permits.is_empty() => {}
                Step::Record(at, health, random) => {
                    let (permit, epoch) = permits.swap_remove(at.index(permits.len()));
                    breaker.record(permit, health, now, random);
                    model.record(epoch, health, now, random);
                }
                Step::Release(at) => {
                    let (permit, epoch) = permits.swap_remove(at.index(permits.len()));
                    breaker.release(permit);
                    model.release(epoch);
                }
                Step::Lose(at) => drop(permits.swap_remove(at.index(permits.len()))),
            }
            prop_assert_eq!(breaker.state(now), model.state(now));
        }
    }
}
