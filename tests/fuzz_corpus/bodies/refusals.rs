//! Sequences of requests of several clients through a client table and the policy. Meanwhile the platform answers,
//! refuses, fails and stalls.
//!
//! Besides the model, two claims are checked directly. A refused client is not let through while its refusal is
//! remembered. And the requests of one client do not change the decisions about others.

use std::{collections::HashSet, time::Duration};

use apikee::{
    Policy,
    breaker::{BreakerConfig, BreakerState, ClientPermit, ClientRef, ClientSlot, ClientTable, Evidence, RefusalMemory},
    policy::{Basis, Fault, Outage, Outcome, Rejection},
};

use super::splitter::Splitter;

const CLIENTS: usize = 6;
const ADDRESSES: [&[u8]; 7] = [b"", b"a", b"b", b"c", b"d", b"e", b"f"];
const FIRST: u64 = 100;
const LONGEST: u64 = 800;
const PROBE: u64 = 1_000;

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn name(client: usize) -> ClientRef {
    ClientRef::new(client as u128)
}

/// The outcome of a call. One in four is a confirmation.
fn outcome(byte: u8) -> Outcome {
    match byte % 16 {
        0 => Outcome::Rejected(Rejection::UNSUCCESSFUL),
        1 => Outcome::Rejected(Rejection::Forbidden),
        2 => Outcome::Rejected(Rejection::RateLimited { retry_after: None }),
        3 => Outcome::Rejected(Rejection::RateLimited { retry_after: Some(u32::from(byte >> 4) * 3) }),
        4 => Outcome::Outage(Outage::Dns),
        5 | 6 => Outcome::Outage(Outage::Connect),
        7 => Outcome::Outage(Outage::Timeout),
        8 => Outcome::Outage(Outage::Reset),
        9 | 10 => Outcome::Outage(Outage::Status(500)),
        11 => Outcome::Fault(Fault::Unreadable),
        _ => Outcome::Confirmed,
    }
}

/// The settings of the tables.
#[derive(Clone, Copy)]
struct Settings {
    row: usize,
    rate: usize,
    window: usize,
}

impl Settings {
    fn read(input: &mut Splitter<'_>) -> Self {
        let window = usize::from(input.byte() % 16) + 1;
        Self { row: usize::from(input.byte() % 6) + 1, rate: usize::from(input.byte()) % window + 1, window }
    }

    fn table(self) -> ClientTable<Vec<ClientSlot>> {
        let config = BreakerConfig::DEFAULT.consecutive_failures(self.row as u32).unwrap();
        let config = config.failure_rate(self.rate as u32, self.window as u32).unwrap();
        let config = config.cool_down(ms(FIRST), ms(LONGEST)).unwrap().probe_timeout(ms(PROBE)).unwrap();
        ClientTable::new(config, RefusalMemory::DEFAULT, vec![ClientSlot::EMPTY; CLIENTS])
    }
}

/// One step of all clients.
enum Step {
    Wait(u64),
    /// A request of this client from this address arrives.
    Ask(usize, usize),
    /// The call with this number, among those in flight, ends.
    End(usize, Outcome),
    /// The call with this number never ends.
    Lose(usize),
}

fn step(input: &mut Splitter<'_>) -> Step {
    let (kind, value) = (input.byte(), input.byte());
    match kind % 8 {
        // Up to 90 s, mostly far less.
        0 => Step::Wait(
            u64::from(value).pow(2) / if kind & 8 == 0 { 256 } else { 1 } * if kind & 16 == 0 { 1 } else { 2 },
        ),
        1..=3 => Step::Ask(usize::from(value) % CLIENTS, usize::from(kind >> 3) % ADDRESSES.len()),
        4..=6 => Step::End(usize::from(kind >> 3), outcome(value)),
        _ => Step::Lose(usize::from(value)),
    }
}

/// The table refuses, remembers and lets through like the simplest model.
pub fn body(input: &[u8]) {
    let mut input = Splitter(input);
    if input.byte() % 4 == 0 { one_client_fails(&mut input) } else { as_the_model(&mut input) }
}

struct Call {
    permit: ClientPermit,
    client: usize,
    address: usize,
    asked: Duration,
    tried: Tried,
}

/// The outcome of a request about which the platform was not asked, or gave no answer.
fn unasked(
    table: &mut ClientTable<Vec<ClientSlot>>,
    client: usize,
    address: usize,
    outage: Outage,
    now: Duration,
) -> Outcome {
    match table.remembered(name(client), ADDRESSES[address], now) {
        Some(rejection) => Outcome::Remembered(rejection),
        None => Outcome::Outage(outage),
    }
}

fn as_the_model(input: &mut Splitter<'_>) {
    let settings = Settings::read(input);
    let (mut table, mut model) = (settings.table(), Model::new(settings));
    let mut refusals = Refusals::default();
    let mut calls: Vec<Call> = Vec::new();
    let mut now = ms(1_000);
    while !input.is_empty() {
        let came = match step(input) {
            Step::Wait(millis) => {
                now += ms(millis);
                None
            }
            Step::Ask(client, address) => match (table.acquire(name(client), now), model.acquire(client, now)) {
                (Ok(permit), Ok(tried)) => {
                    calls.push(Call { permit, client, address, asked: now, tried });
                    None
                }
                (Err(open), Err(wait)) => {
                    assert_eq!(open.retry_after(), wait);
                    assert!(!wait.is_zero() && wait <= ms(LONGEST.max(PROBE)));
                    Some((client, address, unasked(&mut table, client, address, open.into(), now)))
                }
                (permit, tried) => panic!("{permit:?}, and the model says {:?}", tried.map(|_| ())),
            },
            Step::End(at, outcome) if !calls.is_empty() => {
                let Call { permit, client, address, asked, tried } = calls.swap_remove(at % calls.len());
                let evidence = outcome.evidence().unwrap();
                table.record(permit, evidence, now, u32::MAX);
                model.record(&tried, evidence, now);
                match outcome {
                    Outcome::Rejected(rejection) => {
                        table.refuse(name(client), rejection, ADDRESSES[address], now);
                        model.clients[client].has_slot = true;
                        refusals.refuse(client, address, rejection, now);
                    }
                    Outcome::Confirmed => {
                        table.confirm(name(client), ADDRESSES[address], asked);
                        refusals.confirm(client, address, asked);
                    }
                    _ => {}
                }
                Some((
                    client,
                    address,
                    match outcome {
                        Outcome::Outage(outage) => unasked(&mut table, client, address, outage, now),
                        outcome => outcome,
                    },
                ))
            }
            Step::Lose(at) if !calls.is_empty() => {
                let _ = calls.swap_remove(at % calls.len());
                None
            }
            Step::End(..) | Step::Lose(_) => None,
        };
        assert_eq!(table.state(now), model.all.state(now));
        for client in 0..CLIENTS {
            assert_eq!(table.client_state(name(client), now), model.clients[client].circuit.state(now));
        }
        if let Some((client, address, outcome)) = came {
            let decision = Policy::DEFAULT.decide(outcome);
            let refused = refusals.holds(client, address, now);
            assert!(!(refused && matches!(decision, Ok(Basis::FailedOpen(_)))), "a refused client was let through");
            if matches!(outcome, Outcome::Remembered(_)) {
                assert!(refused, "the platform did not refuse the client");
            }
        }
    }
    assert_eq!(table.displaced(), 0);
}

/// One client alone causes failures, in one of two tables. Every other client must be permitted or refused as in the
/// other table.
///
/// The failing client does not ask while the breaker is half-open for all. As the probe, it would make others wait
/// once.
fn one_client_fails(input: &mut Splitter<'_>) {
    let settings = Settings::read(input);
    let [mut with, mut without] = [settings.table(), settings.table()];
    let mut failing: Vec<ClientPermit> = Vec::new();
    let mut calls: Vec<[ClientPermit; 2]> = Vec::new();
    let mut now = ms(1_000);
    while !input.is_empty() {
        match step(input) {
            Step::Wait(millis) => now += ms(millis),
            Step::Ask(0, _) if with.state(now) != BreakerState::HalfOpen => failing.extend(with.acquire(name(0), now)),
            Step::Ask(0, _) => {}
            Step::Ask(client, _) => match (with.acquire(name(client), now), without.acquire(name(client), now)) {
                (Ok(with), Ok(without)) => calls.push([with, without]),
                (Err(with), Err(without)) => assert_eq!(with, without),
                other => panic!("another client's failures: {other:?}"),
            },
            Step::End(at, outcome) => match outcome.evidence() {
                Some(Evidence::Failed) if !failing.is_empty() => {
                    let permit = failing.swap_remove(at % failing.len());
                    with.record(permit, Evidence::Failed, now, u32::MAX);
                }
                Some(evidence @ (Evidence::Answered | Evidence::Unreachable)) if !calls.is_empty() => {
                    let permits = calls.swap_remove(at % calls.len());
                    let [with_it, without_it] = permits;
                    with.record(with_it, evidence, now, u32::MAX);
                    without.record(without_it, evidence, now, u32::MAX);
                }
                _ => {}
            },
            Step::Lose(_) => {}
        }
        assert_eq!(with.state(now), without.state(now));
    }
}

/// The refused clients, computed directly from the rules.
#[derive(Default)]
struct Refusals([Refused; CLIENTS]);

#[derive(Default)]
struct Refused {
    /// Refusals for every address, by a 429 and by `success:false`: the end of each, and the time of the last one.
    limited: (Vec<Duration>, Duration),
    unsuccessful: (Vec<Duration>, Duration),
    /// Refusals for these addresses. All of them last until the latest is over.
    addresses: HashSet<usize>,
    /// There were more than four addresses, so every address is refused.
    everywhere: bool,
    until: Duration,
    last_address: Duration,
}

impl Refusals {
    fn refuse(&mut self, client: usize, address: usize, rejection: Rejection, now: Duration) {
        let refused = &mut self.0[client];
        match rejection {
            Rejection::Forbidden => {
                refused.last_address = now;
                if now >= refused.until {
                    refused.addresses.clear();
                    refused.everywhere = false;
                }
                refused.addresses.insert(address);
                refused.everywhere |= refused.addresses.len() > 4;
                refused.until = now + ms(60_000);
            }
            Rejection::RateLimited { retry_after } => {
                let secs = retry_after.map_or(60, |secs| secs.clamp(1, 3_600));
                refused.limited.0.push(now + Duration::from_secs(secs.into()));
                refused.limited.1 = now;
            }
            _ => {
                refused.unsuccessful.0.push(now + ms(60_000));
                refused.unsuccessful.1 = now;
            }
        }
    }

    /// If there was a refusal since the call began, it is kept, and all earlier ones of its kind, too.
    fn confirm(&mut self, client: usize, address: usize, asked: Duration) {
        let refused = &mut self.0[client];
        for (ends, last) in [&mut refused.limited, &mut refused.unsuccessful] {
            if *last < asked {
                ends.clear();
            }
        }
        if refused.last_address < asked {
            refused.addresses.remove(&address);
        }
    }

    fn holds(&self, client: usize, address: usize, now: Duration) -> bool {
        let Refused { limited, unsuccessful, addresses, everywhere, until, .. } = &self.0[client];
        limited.0.iter().chain(&unsuccessful.0).any(|until| now < *until)
            || now < *until && (*everywhere || addresses.contains(&address))
    }
}

/// A simple breaker.
struct Circuit {
    phase: Phase,
    epoch: usize,
    cool_down: u64,
}

enum Phase {
    /// The results so far, the latest last.
    Closed(Vec<(Evidence, usize)>),
    Open(Duration),
    Probing(Duration),
    Released,
}

impl Circuit {
    fn new() -> Self {
        Self { phase: Phase::Closed(Vec::new()), epoch: 0, cool_down: FIRST }
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.epoch += 1;
    }

    fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed(_))
    }

    fn wait(&self, now: Duration) -> Duration {
        match self.phase {
            Phase::Closed(_) | Phase::Released => Duration::ZERO,
            Phase::Open(until) => until.saturating_sub(now),
            Phase::Probing(since) => (since + ms(PROBE)).saturating_sub(now),
        }
    }

    fn state(&self, now: Duration) -> BreakerState {
        match self.phase {
            Phase::Closed(_) => BreakerState::Closed,
            Phase::Open(until) if now < until => BreakerState::Open,
            _ => BreakerState::HalfOpen,
        }
    }

    fn acquire(&mut self, now: Duration) -> usize {
        if !self.is_closed() {
            self.enter(Phase::Probing(now));
        }
        self.epoch
    }

    fn open(&mut self, now: Duration) {
        self.enter(Phase::Open(now + ms(self.cool_down)));
        self.cool_down = LONGEST.min(self.cool_down * 2);
    }

    fn close(&mut self) {
        self.cool_down = FIRST;
        self.enter(Phase::Closed(Vec::new()));
    }

    fn release(&mut self, epoch: usize) {
        if epoch == self.epoch && matches!(self.phase, Phase::Probing(_)) {
            self.enter(Phase::Released);
        }
    }
}

struct Client {
    circuit: Circuit,
    has_slot: bool,
}

struct Tried {
    client: usize,
    all: usize,
    /// 0, as in a new circuit, if the client had no slot.
    own: usize,
}

struct Model {
    settings: Settings,
    all: Circuit,
    /// The client whose probe failed in this half-open state.
    probe: Option<usize>,
    clients: Vec<Client>,
}

impl Model {
    fn new(settings: Settings) -> Self {
        let client = || Client { circuit: Circuit::new(), has_slot: false };
        Self { settings, all: Circuit::new(), probe: None, clients: (0..CLIENTS).map(|_| client()).collect() }
    }

    fn acquire(&mut self, client: usize, now: Duration) -> Result<Tried, Duration> {
        let own = &mut self.clients[client];
        for wait in [own.circuit.wait(now), self.all.wait(now)] {
            if !wait.is_zero() {
                return Err(wait);
            }
        }
        let all = self.all.acquire(now);
        let own = if own.has_slot { own.circuit.acquire(now) } else { 0 };
        Ok(Tried { client, all, own })
    }

    fn record(&mut self, tried: &Tried, evidence: Evidence, now: Duration) {
        let Settings { row, rate, window } = self.settings;
        let client = &mut self.clients[tried.client];
        let mut counts = true;
        let is_current = tried.own == client.circuit.epoch;
        match evidence {
            Evidence::Failed => {
                counts = is_current;
                client.has_slot = true;
                if counts {
                    match &mut client.circuit.phase {
                        Phase::Closed(results) => {
                            results.push((evidence, tried.client));
                            let failed = |result: &&(Evidence, usize)| result.0 == Evidence::Failed;
                            if results.iter().rev().take_while(failed).count() >= row
                                || results.iter().rev().take(window).filter(failed).count() >= rate
                            {
                                client.circuit.open(now);
                            }
                        }
                        Phase::Probing(_) => client.circuit.open(now),
                        Phase::Open(_) | Phase::Released => {}
                    }
                }
            }
            Evidence::Answered if client.has_slot && is_current => match &mut client.circuit.phase {
                Phase::Closed(results) => results.push((evidence, tried.client)),
                Phase::Probing(_) => client.circuit.close(),
                Phase::Open(_) | Phase::Released => {}
            },
            Evidence::Unreachable => client.circuit.release(tried.own),
            Evidence::Answered => {}
        }
        if !counts {
            return self.all.release(tried.all);
        }
        if tried.all != self.all.epoch {
            return;
        }
        match &mut self.all.phase {
            Phase::Closed(results) => {
                results.push((evidence, tried.client));
                if opens(results, row, rate, window) {
                    self.all.open(now);
                    self.probe = None;
                }
            }
            Phase::Probing(_) => match evidence {
                Evidence::Answered => {
                    self.all.close();
                    self.probe = None;
                }
                Evidence::Failed if self.probe.is_none_or(|other| other == tried.client) => {
                    self.probe = Some(tried.client);
                    self.all.release(tried.all);
                    let client = &mut self.clients[tried.client];
                    if client.circuit.is_closed() {
                        client.circuit.open(now);
                    }
                }
                _ => {
                    self.all.open(now);
                    self.probe = None;
                }
            },
            Phase::Open(_) | Phase::Released => {}
        }
    }
}

/// Whether these results, the latest last, open the breaker for all.
fn opens(results: &[(Evidence, usize)], row: usize, rate: usize, window: usize) -> bool {
    let latest = || results.iter().rev().take(64);
    let two = |results: &[&(Evidence, usize)]| {
        let failed = results.iter().filter(|result| result.0 == Evidence::Failed);
        failed.map(|result| result.1).collect::<HashSet<_>>().len() > 1
    };
    // Without failures that a single client could have caused.
    let certain = || results.iter().rev().filter(|result| result.0 != Evidence::Failed).take(64);
    let unreachable = |result: &&(Evidence, usize)| result.0 == Evidence::Unreachable;
    let failures: Vec<_> = latest().take_while(|result| result.0 != Evidence::Answered).collect();
    let in_a_row = if two(&failures) { failures.len() } else { certain().take_while(unreachable).count() };
    let last: Vec<_> = latest().take(window).collect();
    let many = if two(&last) {
        last.iter().filter(|result| result.0 != Evidence::Answered).count()
    } else {
        certain().take(window).filter(unreachable).count()
    };
    in_a_row >= row || many >= rate
}
