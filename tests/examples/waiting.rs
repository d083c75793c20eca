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

/// A path without a key is answered before the requests that wait for the platform.
#[test]
fn an_async_server_answers_others_while_guards_wait() {
    let (platform, answers, arrived) = holding();
    let service = asking_with("axum", &platform, &[("TOKIO_WORKER_THREADS", "1"), ("APIKEE_SERVER_TIMEOUT", "60")]);
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
        assert!(answered.try_recv().is_err(), "the other requests must still wait");
        drop(held);
    });
}
