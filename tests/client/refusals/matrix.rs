//! Every fault, for every class of client, with few and many clients, on one and many threads.

use std::{
    sync::{
        Arc, LazyLock,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use apikee::{
    Apikee, Fingerprint,
    breaker::{BreakerConfig, BreakerState, RefusalMemory},
    client::{Event, TransportError},
    emulator::{EmulatedClient, Emulator, Occasion},
    policy::{Basis, Fault, Outage, Overload, Rejection},
};

use super::{
    Decision, Denied, LONG, ask, at_once, builder, emulator, faults, id,
    platform::{Answer, Platform, Seen, key},
    wait_until,
};

const THREADS: [usize; 3] = [1, 64, 256];

/// The platform's answer about a client while nothing is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Healthy,
    /// 429 for the rest of the hour.
    Limited,
    /// `success:false`.
    Unsuccessful,
    /// 403, because of the address of these tests.
    Forbidden,
}

use Class::{Forbidden, Healthy, Limited, Unsuccessful};

impl Class {
    const ALL: [Self; 4] = [Healthy, Limited, Unsuccessful, Forbidden];

    /// The class of the client with this number.
    fn of(number: usize) -> Self {
        Self::ALL[number % 4]
    }

    fn says(self, answer: Decision) -> bool {
        match self {
            Healthy => answer == Ok(Basis::Confirmed),
            Limited => matches!(answer, Err(Denied::Rejected(Rejection::RateLimited { retry_after: Some(_) }))),
            Unsuccessful => matches!(answer, Err(Denied::Rejected(Rejection::Unsuccessful(_)))),
            Forbidden => answer == Err(Denied::Rejected(Rejection::Forbidden)),
        }
    }
}

struct Client {
    class: Class,
    key: String,
}

impl Client {
    fn new(number: usize) -> Self {
        Self { class: Class::of(number), key: key(&id(number), "{}") }
    }
}

fn many() -> &'static [Client] {
    static MANY: LazyLock<Vec<Client>> = LazyLock::new(|| clients(0..10_000));
    &MANY
}

fn clients(numbers: impl IntoIterator<Item = usize>) -> Vec<Client> {
    numbers.into_iter().map(Client::new).collect()
}

/// One client of each class, and each refused client together with one that is not.
fn few() -> Vec<Vec<Client>> {
    let ones = (0..4).map(|number| clients([number]));
    ones.chain((1..4).map(|number| clients([0, number]))).collect()
}

/// Asks once about each client, so that the client remembers the platform's answer.
fn introduce(apikee: &Apikee, clients: &[Client]) {
    for client in clients {
        let answer = ask(apikee, &client.key);
        assert!(client.class.says(answer), "{:?} at first: {answer:?}", client.class);
    }
}

/// Checks that refused clients are denied while the fault lasts, and that the others are confirmed after it.
fn check_during(name: &str, apikee: &Apikee, clients: &[Client], threads: usize, fault: impl Fn(bool)) {
    fault(true);
    // Each client at least once.
    let each = clients.len().div_ceil(threads).max(if threads == 1 { 16 } else { 1 });
    let answers = at_once(threads, each, |number| {
        let client = &clients[number % clients.len()];
        (client.class, ask(apikee, &client.key))
    });
    for (class, answer) in answers {
        assert!(class == Healthy || answer.is_err(), "{name}: {class:?} on {threads} threads: {answer:?}");
    }
    fault(false);
    // Checks some of them, as soon as the breakers allow it.
    for client in clients.iter().filter(|client| client.class == Healthy).take(4) {
        wait_until(|| ask(apikee, &client.key) == Ok(Basis::Confirmed));
    }
}

/// Refusals that outlast the test.
fn memory() -> RefusalMemory {
    RefusalMemory::DEFAULT.unsuccessful(LONG * 60).forbidden(LONG * 60)
}

/// A breaker that tries again as soon as possible.
fn eager() -> BreakerConfig {
    BreakerConfig::DEFAULT.cool_down(Duration::from_millis(1), Duration::from_millis(1)).unwrap()
}

// Faults in this process.

type Way = fn() -> Answer;

/// Answers that one client's request can cause.
const CAUSED: [(&str, Way); 6] = [
    ("500", || Answer::status(500)),
    ("502", || Answer::status(502)),
    ("503", || Answer::status(503)),
    ("599", || Answer::status(599)),
    ("reset", || Answer::Error(TransportError::Outage(Outage::Reset))),
    ("timeout", || Answer::Error(TransportError::Outage(Outage::Timeout))),
];

const OTHERS: [(&str, Way); 17] = [
    ("no such name", || Answer::Error(TransportError::Outage(Outage::Dns))),
    ("no connection", || Answer::Error(TransportError::Outage(Outage::Connect))),
    ("no descriptors", || Answer::Error(TransportError::Overload(Overload::OutOfResources))),
    ("no randomness", || Answer::Error(TransportError::Overload(Overload::NoRandomness))),
    ("no trust", || Answer::Error(TransportError::Fault(Fault::UntrustedCertificate))),
    ("too long", || Answer::Error(TransportError::OVERSIZED)),
    ("301", || Answer::status(301)),
    ("401", || Answer::status(401)),
    ("403", || Answer::status(403)),
    ("404", || Answer::status(404)),
    ("408", || Answer::status(408)),
    ("413", || Answer::status(413)),
    ("429", || Answer::status(429)),
    ("429 for a second", || Answer::Limited(1)),
    ("garbage", || Answer::Plain(200, b"<html>".to_vec())),
    ("unsealed", || Answer::Plain(200, br#"{"success":true}"#.to_vec())),
    ("success:false", Answer::no),
];

/// A platform with a fault that can be switched on for a range of clients.
fn platform(fault: &Arc<AtomicUsize>, culprits: std::ops::Range<usize>) -> Arc<Platform> {
    let fault = Arc::clone(fault);
    Platform::new(move |seen: &Seen| {
        let id = &seen.target["/client/".len()..][..36];
        let number = usize::from_str_radix(&id[24..], 16).unwrap();
        let ways = CAUSED.iter().chain(&OTHERS);
        if let Some((_, way)) = fault.load(Relaxed).checked_sub(1).and_then(|fault| ways.clone().nth(fault))
            && culprits.contains(&number)
        {
            return way();
        }
        match Class::of(number) {
            Healthy => Answer::yes(),
            Limited => Answer::Limited(3600),
            Unsuccessful => Answer::no(),
            Forbidden => Answer::status(403),
        }
    })
}

fn faults_in_this_process() -> impl Iterator<Item = &'static str> {
    CAUSED.iter().chain(&OTHERS).map(|(name, _)| *name)
}

#[test]
fn one_or_two_refused_clients_stay_denied_during_every_fault() {
    for clients in few() {
        let on = Arc::new(AtomicUsize::new(0));
        let apikee = platform(&on, 0..usize::MAX).builder().breaker(eager()).refusal_memory(memory());
        let apikee = apikee.timeout(LONG).build().unwrap();
        introduce(&apikee, &clients);
        // Many threads for one client show no more than for two.
        for threads in THREADS.into_iter().filter(|threads| *threads < 256 || clients.len() == 2) {
            for (number, name) in faults_in_this_process().enumerate() {
                let switch = |is_on| on.store(if is_on { number + 1 } else { 0 }, Relaxed);
                check_during(name, &apikee, &clients, threads, switch);
            }
        }
    }
}

/// All of them are clients of one process. Each fault with each number of threads uses some of them. By default,
/// refusals of 4096 clients are remembered, so the first ones are forgotten during the test.
#[test]
fn ten_thousand_clients_keep_their_answers_during_every_fault() {
    let on = Arc::new(AtomicUsize::new(0));
    let apikee = platform(&on, 0..usize::MAX).builder().breaker(eager()).refusal_memory(memory());
    let apikee = apikee.timeout(LONG).build().unwrap();
    let turns = THREADS.len() * faults_in_this_process().count();
    let mut turns = many().chunks(many().len().div_ceil(turns));
    for threads in THREADS {
        for (number, name) in faults_in_this_process().enumerate() {
            let clients = turns.next().unwrap();
            introduce(&apikee, clients);
            let switch = |is_on| on.store(if is_on { number + 1 } else { 0 }, Relaxed);
            check_during(name, &apikee, clients, threads, switch);
        }
    }
}

/// The requests of client 0 change no answer to another client, and open no breaker for others.
#[test]
fn faults_of_one_client_do_not_change_answers_to_others() {
    let all = many();
    for others in [1, 2, 9_999] {
        for threads in THREADS {
            for (number, (name, _)) in CAUSED.iter().enumerate() {
                let on = Arc::new(AtomicUsize::new(number + 1));
                let opened = Arc::new(AtomicUsize::new(0));
                let count = Arc::clone(&opened);
                let apikee = platform(&on, 0..1)
                    .builder()
                    .breaker(eager())
                    .timeout(LONG)
                    .observer(move |event: &Event<'_>| {
                        if let Event::BreakerOpened = event {
                            count.fetch_add(1, Relaxed);
                        }
                    })
                    .build()
                    .unwrap();
                // Every second request is the culprit's, and so is the first.
                let answers = at_once(threads, if threads == 1 { 32 } else { 2 }, |number| {
                    let client = if number % 2 == 0 { 0 } else { 1 + number / 2 * 37 % others };
                    (client, ask(&apikee, &all[client].key))
                });
                for (client, answer) in answers {
                    let is_right = match client {
                        // A request that waited long for its slot is an overload.
                        0 => matches!(answer, Ok(_) | Err(Denied::Overload(Overload::TooManyInFlight))),
                        _ => all[client].class.says(answer),
                    };
                    assert!(is_right, "{name}, {threads} threads: client {client} of {others}: {answer:?}");
                }
                assert_eq!(apikee.breaker_state(), Some(BreakerState::Closed), "{name}");
                assert_eq!(opened.load(Relaxed), 0, "{name}");
            }
        }
    }
}

// Faults over sockets.

fn known_to(emulator: &Emulator, number: usize) {
    let client = EmulatedClient::new(&id(number));
    let client = match Class::of(number) {
        Healthy => client,
        Limited => client.hourly(0),
        Unsuccessful => client.fingerprint(Fingerprint::of("another key")),
        Forbidden => client.network("203.0.113.0/24").unwrap(),
    };
    emulator.add_client(id(number).parse().unwrap(), client);
}

/// Tenants are looked up once, or, with an age of zero, for each request. Then the look-up fails.
fn every_fault_over_sockets(clients: &[Client], threads: usize, max_client_id_age: Duration) {
    let emulator = emulator().start().unwrap();
    (0..64).for_each(|number| known_to(&emulator, number));
    let short = Duration::from_millis(400);
    let [short_lived, patient] = [short, LONG].map(|timeout| {
        let apikee = builder(&emulator).breaker(eager()).refusal_memory(memory());
        apikee.max_client_id_age(max_client_id_age).timeout(timeout).build().unwrap()
    });
    introduce(&patient, clients);
    for client in clients {
        // A busy machine may need more than one try.
        wait_until(|| client.class.says(ask(&short_lived, &client.key)));
    }
    for (fault, class) in faults::faults(short) {
        let apikee = if class == faults::Class::Outage(Outage::Timeout) { &short_lived } else { &patient };
        check_during(&format!("{fault:?}"), apikee, clients, threads, |is_on| {
            emulator.behave();
            if is_on {
                emulator.misbehave(fault.clone(), Occasion::Always);
            }
        });
        emulator.clear_log();
    }
}

#[test]
fn one_or_two_refused_clients_stay_denied_during_every_fault_on_the_wire() {
    for clients in few() {
        every_fault_over_sockets(&clients, 1, LONG);
    }
}

#[test]
fn sixty_four_clients_keep_their_answers_during_every_fault_on_the_wire() {
    for threads in THREADS {
        every_fault_over_sockets(&clients(0..64), threads, LONG);
    }
}

#[test]
fn sixty_four_clients_keep_their_answers_during_every_fault_of_the_look_up() {
    every_fault_over_sockets(&clients(0..64), 64, Duration::ZERO);
}
