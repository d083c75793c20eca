//! Many threads with one client.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use apikee::{
    Keyring, NewKey, Policy, SysRng, UnixTime,
    breaker::{BreakerConfig, BreakerState},
    emulator::{EmulatedClient, Misbehaviour, Occasion},
    policy::{Basis, Fault, OnFault, Outage},
    protocol::ClientId,
};

use super::{LONG, SECRET, ask, builder, platform, wait_until};

const THREADS: usize = 64;
const EACH: usize = 500;

/// The platform knows half of the clients, and confirms only their keys. The others are refused. A fault lets a request
/// through here. An outage must not let a refused client through.
#[test]
fn sixty_four_threads_get_their_own_answers_while_the_platform_fails_at_random() {
    let platform = platform();
    let keys = Keyring::new(SECRET).unwrap();
    let keys: Vec<_> = (0..16)
        .map(|n| {
            let id = format!("11111111-2222-4333-8444-5555555555{n:02x}");
            if n % 2 == 0 {
                platform.add_client(ClientId::new(&id).unwrap(), EmulatedClient::new(&id));
            }
            let new = NewKey::new(&id).scopes(&["read"]);
            keys.issue(&new, UnixTime::now(), &mut SysRng, &mut [0; 1024]).unwrap().to_owned()
        })
        .collect();
    for (fault, seed) in [
        (Misbehaviour::Status(503), 1),
        (Misbehaviour::Reset, 2),
        (Misbehaviour::Truncate, 3),
        (Misbehaviour::CloseIdle, 4),
        (Misbehaviour::Forged, 5),
    ] {
        platform.misbehave(fault, Occasion::Randomly { percent: 3, seed });
    }
    let cool_down = Duration::from_millis(5);
    let apikee = builder(&platform)
        .policy(Policy::DEFAULT.on_fault(OnFault::Admit))
        .tenant_is_client_id(true)
        .breaker(BreakerConfig::DEFAULT.cool_down(cool_down, cool_down).unwrap())
        // One more slot for the registration of routes.
        .max_in_flight(THREADS + 1)
        .timeout(LONG)
        .build()
        .unwrap();

    for client in (1..keys.len()).step_by(2) {
        // Asks until the platform refuses. A random fault can come first.
        wait_until(|| ask(&apikee, &keys[client]) == Err("SERVER_REJECTED"));
    }
    let [confirmed, rejected, others] = [(); 3].map(|()| AtomicUsize::new(0));
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (apikee, keys, confirmed, rejected, others) = (&apikee, &keys, &confirmed, &rejected, &others);
            scope.spawn(move || {
                for round in 0..EACH {
                    let client = (thread + round * 7) % keys.len();
                    let counter = match ask(apikee, &keys[client]) {
                        Ok(Basis::Confirmed) => {
                            assert_eq!(client % 2, 0, "the answer of another client");
                            confirmed
                        }
                        Err("SERVER_REJECTED") => {
                            assert_eq!(client % 2, 1, "the answer of another client");
                            rejected
                        }
                        Ok(Basis::FailedOpen(Outage::Status(503) | Outage::Reset | Outage::BreakerOpen { .. }))
                        | Ok(Basis::DespiteFault(Fault::Forged)) => {
                            assert_eq!(client % 2, 0, "a refused client must stay refused");
                            others
                        }
                        other => panic!("{other:?}"),
                    };
                    counter.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    let [confirmed, rejected, others] = [confirmed, rejected, others].map(AtomicUsize::into_inner);
    assert_eq!(confirmed + rejected + others, THREADS * EACH);
    assert!(confirmed > EACH && rejected > EACH && others > 0, "{confirmed} {rejected} {others}");

    platform.behave();
    // The breaker of a client may be open, and also the breaker for all.
    for key in keys.iter().step_by(2) {
        wait_until(|| ask(&apikee, key) == Ok(Basis::Confirmed));
    }
    assert_eq!(apikee.breaker_state(), Some(BreakerState::Closed));
    assert_eq!(apikee.close(LONG), 0);
}
