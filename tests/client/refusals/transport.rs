//! Answers that come early or never end, and a process without file descriptors.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use apikee::{
    breaker::BreakerState,
    client::{AuthorizeRequest, Event},
    emulator::Emulator,
    meta::JsonObject,
    policy::{Basis, Fault, Outage, Overload, Rejection},
    protocol::MethodPath,
};

use super::{Denied, LONG, ask, at_once, builder, builder_at, decide, emulator, id, platform::key, server::Server};
#[cfg(target_os = "linux")]
use crate::{all_descriptors, with_few_descriptors};

/// A gateway with a limit answers after it has read the head, and closes the connection. It leaves the body unread, or
/// reads and discards it.
#[test]
fn early_413_is_read_and_the_request_is_denied() {
    let key = key(&id(1), "{}");
    let headers: Vec<_> = (0..64).map(|_| ("cookie", "x".repeat(8_000))).collect();
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let payload = format!(r#"{{"note":"{}"}}"#, "x".repeat(40_000));
    for payload in [None, Some(JsonObject::new(&payload).unwrap())] {
        for lingers in [true, false] {
            let server = Server::on_streams(move |_, mut stream, _| {
                use std::io::{BufRead as _, BufReader, Read as _, Write as _};
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let mut line = String::new();
                while reader.read_line(&mut line).is_ok_and(|len| len > 2) {
                    line.clear();
                }
                let answer = "HTTP/1.1 413 Too Long\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                let _ = stream.write_all(answer.as_bytes());
                if lingers {
                    let _ = stream.shutdown(std::net::Shutdown::Write);
                    while matches!(reader.read(&mut [0; 4096]), Ok(1..)) {}
                }
            });
            let apikee = builder_at(&server.url()).build().unwrap();
            let request =
                AuthorizeRequest::new(Some(&key), MethodPath::new("GET", "/users").unwrap()).headers(&headers);
            let request = match payload {
                Some(payload) => request.payload(payload),
                None => request,
            };
            for answer in at_once(4, 8, |_| decide(&apikee, &request)) {
                assert_eq!(answer, Err(Denied::Fault(Fault::Status(413))), "{lingers}");
            }
            assert_eq!(apikee.breaker_state(), Some(BreakerState::Closed));
        }
    }
}

#[test]
fn rate_limit_is_decided_by_the_head_when_the_body_stalls() {
    let (sent, heads) = mpsc::channel();
    let server = Server::run(move |connection, _| {
        while connection.request().is_some() {
            connection.write(b"HTTP/1.1 429 Slow Down\r\nRetry-After: 60\r\nContent-Length: 100\r\n\r\n{");
            sent.send(Instant::now()).unwrap();
            // The rest is never sent.
            connection.wait_for_end();
        }
    });
    let apikee = builder_at(&server.url()).build().unwrap();
    let key = key(&id(1), "{}");
    for _ in 0..5 {
        let answer = ask(&apikee, &key);
        let took = heads.recv().unwrap().elapsed();
        assert_eq!(answer, Err(Denied::Rejected(Rejection::RateLimited { retry_after: Some(60) })));
        assert!(took < Duration::from_secs(1), "{took:?}, of 3 s at most");
    }
    for answer in at_once(64, 2, |_| ask(&apikee, &key)) {
        assert_eq!(answer, Err(Denied::Rejected(Rejection::RateLimited { retry_after: Some(60) })));
    }
}

#[cfg(target_os = "linux")]
const EMULATOR: [&str; 2] = ["TEST_EMULATOR_URL", "TEST_EMULATOR_PUBLIC_KEY"];

/// The platform is in the parent process, so it keeps its descriptors.
#[cfg(target_os = "linux")]
#[test]
#[ignore = "run by the test below, in a process that may open few files"]
fn child_asks_without_descriptors() {
    let [url, public_key] = EMULATOR.map(|name| std::env::var(name).unwrap());
    let evidence = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&evidence);
    let apikee = apikee::Apikee::builder()
        .secret(super::platform::SECRET)
        .project_key(Emulator::PROJECT_KEY)
        .project_env(Emulator::PROJECT_ENV)
        .server_public_key(&public_key)
        .base_url(&url)
        .auto_register(false)
        .tenant_is_client_id(true)
        .observer(move |event: &Event<'_>| {
            if let Event::BreakerOpened | Event::ClientBreakerOpened | Event::Outage { .. } = event {
                count.fetch_add(1, Ordering::Relaxed);
            }
        })
        .build()
        .unwrap();
    let key = key(&id(1), "{}");
    let files = all_descriptors();
    for answer in at_once(4, 16, |_| ask(&apikee, &key)) {
        assert_eq!(answer, Err(Denied::Overload(Overload::OutOfResources)));
    }
    assert_eq!(apikee.breaker_state(), Some(BreakerState::Closed));
    assert_eq!(evidence.load(Ordering::Relaxed), 0);
    drop(files);
    assert_eq!(ask(&apikee, &key), Ok(Basis::Confirmed), "descriptors are available again");
}

#[cfg(target_os = "linux")]
#[test]
fn process_without_descriptors_denies_as_an_overload() {
    let emulator = emulator().start().unwrap();
    emulator.add_client(id(1).parse().unwrap(), apikee::emulator::EmulatedClient::new("acme-corp"));
    let output = with_few_descriptors()
        .args(["--exact", "refusals::transport::child_asks_without_descriptors", "--ignored", "--nocapture"])
        .envs(EMULATOR.into_iter().zip([emulator.url(), emulator.public_key()]))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(emulator.requests(), 1);
}

/// Nobody listens: this is an outage, and may fail open.
#[test]
fn platform_that_refuses_connections_is_an_outage_and_refused_clients_stay_denied() {
    let emulator = emulator().start().unwrap();
    emulator.add_client(id(1).parse().unwrap(), apikee::emulator::EmulatedClient::new("good"));
    emulator.add_client(id(2).parse().unwrap(), apikee::emulator::EmulatedClient::new("spent").hourly(0));
    let apikee = builder(&emulator).tenant_is_client_id(true).timeout(LONG).build().unwrap();
    let keys = [1, 2].map(|number| key(&id(number), "{}"));
    assert_eq!(ask(&apikee, &keys[0]), Ok(Basis::Confirmed));
    assert!(ask(&apikee, &keys[1]).is_err());
    let url = emulator.url().to_owned();
    drop(emulator);
    let _closed = crate::closed::closed(&url);
    for (number, answer) in at_once(64, 4, |number| (number, ask(&apikee, &keys[number % 2]))) {
        match answer {
            Ok(Basis::FailedOpen(Outage::Connect | Outage::Reset | Outage::BreakerOpen { .. })) if number % 2 == 0 => {}
            Err(Denied::Remembered(Rejection::RateLimited { .. })) if number % 2 == 1 => {}
            other => panic!("{number}: {other:?}"),
        }
    }
}
