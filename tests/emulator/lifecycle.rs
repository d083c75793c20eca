//! Connections, limits, and the end of an emulator.

use std::{
    net::TcpListener,
    thread,
    time::{Duration, Instant},
};

use apikee::{
    emulator::{Emulator, EmulatorError, Misbehaviour, Occasion},
    envelope::sealed_len,
    meta::JsonObject,
};

use crate::{builder, calls::Call, started, until, validation, wire::Wire};

/// Far less than the delays that are cut short, and far longer than anything else takes.
const PROMPTLY: Duration = Duration::from_secs(10);

const FOR_EVER: Misbehaviour = Misbehaviour::Delay(Duration::from_secs(3_600));

#[test]
fn the_url_is_on_loopback_and_each_emulator_has_its_own() {
    let (one, other) = (started(), started());
    assert_eq!(one.url(), format!("http://127.0.0.1:{}/api/v1", one.port()));
    assert_ne!(one.port(), other.port());
    assert_ne!(one.public_key(), other.public_key());
    assert_eq!(one.project_env(), Emulator::PROJECT_ENV);
}

#[test]
fn a_port_in_use_is_an_error_and_is_free_after_the_drop() {
    let emulator = started();
    let port = emulator.port();
    assert!(matches!(builder().port(port).start(), Err(EmulatorError::Listen(_))));
    let mut wire = Wire::to(&emulator);
    Call::of(&emulator, &validation()).over(&mut wire).accepted();
    drop(emulator);
    wire.assert_ended();
    drop(wire);
    // Another test may have the port for a moment.
    let is_free = || TcpListener::bind(("127.0.0.1", port)).is_ok();
    assert!((0..1000).any(|_| is_free() || {
        std::thread::sleep(std::time::Duration::from_millis(10));
        false
    }));
}

#[test]
fn a_connection_is_kept_alive() {
    let emulator = started();
    let mut wire = Wire::to(&emulator);
    for _ in 0..3 {
        Call::of(&emulator, &validation()).over(&mut wire).accepted();
        let call = Call::of(&emulator, &validation()).header("x-api-key", None);
        call.over(&mut wire).failed(401, "INVALID_PROJECT_KEY");
    }
    assert_eq!((emulator.connections(), emulator.requests()), (1, 6));
}

#[test]
fn a_connection_is_closed_when_the_caller_requests_it() {
    let emulator = started();
    let mut wire = Wire::to(&emulator);
    Call::of(&emulator, &validation()).header("Connection", Some("Close")).over(&mut wire).accepted();
    wire.assert_ended();
    for request in [
        "POST / HTTP/1.0\r\n\r\n",
        "POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n",
        "POST / HTTP/1.1\r\nConnection: te, close\r\n\r\n",
        "POST / HTTP/1.1\r\nConnection: te\r\nConnection: close\r\n\r\n",
    ] {
        let mut wire = Wire::to(&emulator);
        wire.write(request);
        assert_eq!(wire.read().unwrap().status, 404, "{request}");
        wire.assert_ended();
    }
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    let emulator = started();
    let mut wire = Wire::to(&emulator);
    wire.write("POST / HTTP/1.1\r\n\r\nPOST /api/v1/client/x?y HTTP/1.1\r\n\r\n");
    assert_eq!([(); 2].map(|()| wire.read().unwrap().status), [404, 400]);
}

#[test]
fn expect_100_continue_gets_a_continue_response() {
    let emulator = started();
    let mut wire = Wire::to(&emulator);
    wire.write("POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    assert_eq!(wire.read_exact(25), b"HTTP/1.1 100 Continue\r\n\r\n");
    wire.write("{}");
    assert_eq!(wire.read().unwrap().status, 404);
}

#[test]
fn slow_answers_do_not_delay_other_requests() {
    let emulator = started();
    emulator.misbehave(FOR_EVER, Occasion::Next(20));
    let mut slow: Vec<_> = (0..20).map(|_| Wire::to(&emulator)).collect();
    for wire in &mut slow {
        Call::of(&emulator, &validation()).write(wire);
    }
    until(|| emulator.requests() == 20);
    Call::of(&emulator, &validation()).to(&emulator).accepted();
}

#[test]
fn the_drop_does_not_wait_for_connections() {
    let emulator = started();
    let mut wires: Vec<_> = (0..5).map(|_| Wire::to(&emulator)).collect();
    let drip = Misbehaviour::Drip { every: Duration::from_secs(3_600) };
    for ((wire, misbehaviour), requests) in wires.iter_mut().zip([FOR_EVER, drip]).zip(1..) {
        emulator.misbehave(misbehaviour, Occasion::Next(1));
        Call::of(&emulator, &validation()).write(wire);
        until(|| emulator.requests() == requests);
    }
    wires[2].write("POST /api/v1/client HTTP/1.1\r\nContent-Length: 10\r\n\r\n");
    wires[3].write("POST /api/v1/cl");
    until(|| emulator.connections() == 5);
    let started = Instant::now();
    drop(emulator);
    assert!(started.elapsed() < PROMPTLY);
    for wire in &mut wires {
        // Unread input may have reset the connection.
        assert!(wire.read_to_end().unwrap_or_default().len() <= 1);
    }
}

#[test]
fn a_panicking_observer_ends_only_its_connection() {
    let emulator = builder().on_request(|entry| assert_ne!(entry.refusal, Some("UNKNOWN_PATH"))).start().unwrap();
    let mut wire = Wire::to(&emulator);
    wire.write("POST / HTTP/1.1\r\n\r\n");
    wire.assert_ended();
    Call::of(&emulator, &validation()).to(&emulator).refused("UNKNOWN_CLIENT");
}

#[test]
fn connections_above_the_limit_are_closed_and_the_others_served() {
    let emulator = builder().max_connections(2).start().unwrap();
    let (mut one, mut other) = (Wire::to(&emulator), Wire::to(&emulator));
    until(|| emulator.connections() == 2);
    Wire::to(&emulator).assert_ended();
    for wire in [&mut one, &mut other] {
        Call::of(&emulator, &validation()).over(wire).refused("UNKNOWN_CLIENT");
    }
    drop(one);
    // The thread of the dropped connection ends a little later.
    until(|| {
        let mut wire = Wire::to(&emulator);
        Call::of(&emulator, &validation()).try_write(&mut wire).is_ok() && wire.read().is_ok()
    });
}

#[test]
fn malformed_http_gets_an_error_status_and_a_closed_connection() {
    let emulator = started();
    let long = format!("POST /{} HTTP/1.1\r\n\r\n", "x".repeat(20_000));
    let many = format!("POST / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(4_000));
    for (bytes, status) in [
        ("\r\n\r\n", 400),
        ("\u{16}\u{3}\u{1}\r\n", 400),
        ("POST /\r\n\r\n", 400),
        ("POST  / HTTP/1.1\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\n: x\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\na b: x\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
        ("POST / HTTP/1.1\r\nContent-Length: 87497\r\n\r\n", 413),
        ("POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999999\r\n\r\n", 413),
        (&long, 431),
        (&many, 431),
        ("POST / HTTP/2.0\r\n\r\n", 505),
    ] {
        let mut wire = Wire::to(&emulator);
        wire.write(bytes);
        wire.finish();
        assert_eq!(wire.read().unwrap().status, status, "{bytes:?}");
        wire.assert_ended();
    }
    let mut wire = Wire::to(&emulator);
    wire.write(b"POST /\xFF HTTP/1.1\r\n\r\n");
    assert_eq!(wire.read().unwrap().status, 400);
}

#[test]
fn a_body_that_is_too_long_is_still_answered() {
    let emulator = started();
    let mut wire = Wire::to(&emulator);
    let call = Call { body: vec![b'x'; 500_000], ..Call::of(&emulator, &validation()) };
    call.write(&mut wire);
    wire.finish();
    assert_eq!(wire.read().unwrap().status, 413);
    wire.assert_ended();
}

#[test]
fn a_body_may_be_the_envelope_of_64_kib() {
    let emulator = started();
    let call = Call { body: vec![b' '; sealed_len(64 * 1024)], ..Call::of(&emulator, &validation()) };
    call.to(&emulator).failed(400, "UNREADABLE_ENVELOPE");
    let payload = format!(r#"{{"pad":"{}"}}"#, "x".repeat(60_000));
    let request = validation().payload(JsonObject::new(&payload).unwrap());
    Call::of(&emulator, &request).to(&emulator).accepted();
}

#[test]
fn many_callers_are_served_at_once() {
    let emulator = started();
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                let mut wire = Wire::to(&emulator);
                for _ in 0..5 {
                    Call::of(&emulator, &validation()).over(&mut wire).accepted();
                }
            });
        }
    });
    assert_eq!((emulator.connections(), emulator.requests()), (16, 80));
}

#[test]
fn the_answer_to_head_has_no_body() {
    let emulator = Emulator::start().unwrap();
    for target in ["/", "/api/v1/client", "/unknown"] {
        let mut wire = Wire::to(&emulator);
        wire.write(format!("HEAD {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
        let answer = wire.read_to_end().unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 ") && answer.ends_with(b"\r\n\r\n"), "{target}");
    }
}
