//! While the guard waits for the platform, an async server must answer other requests.

use std::{sync::mpsc, thread};

use crate::{
    LONG,
    caller::{Ask, curl},
    keys::good,
    platform::{asking_with, holding},
};

/// Waiting requests: one more than the server has threads for async work.
const WAITING: usize = 2;

/// Each call times out after three seconds. On a busy machine that can be too short for the other request, so the test
/// tries several times.
const ATTEMPTS: usize = 5;

#[test]
fn an_async_server_answers_others_while_guards_wait() {
    assert!((0..ATTEMPTS).any(|_| others_are_answered_first()));
}

/// Whether a path without a key is answered before the requests that wait for the platform.
fn others_are_answered_first() -> bool {
    let (platform, answers, arrived) = holding();
    let service = asking_with("axum", &platform, &[("TOKIO_WORKER_THREADS", "1")]);
    let waits = Ask::get("/me").key(&good(&[]));

    let held = answers.lock().unwrap();
    let (sender, answered) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..WAITING {
            let (sender, service, waits) = (sender.clone(), &service, &waits);
            scope.spawn(move || sender.send(curl(service, waits).status));
        }
        (0..WAITING).for_each(|_| arrived.recv_timeout(LONG).unwrap());
        assert_eq!(curl(&service, &Ask::get("/health")).status, 200);
        let first = answered.try_recv().is_err();
        drop(held);
        first
    })
}
