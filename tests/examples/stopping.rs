//! The end of services: after a signal, and after a fatal error.

use std::{net::TcpStream, thread, time::Instant};

use crate::{
    LONG,
    caller::{Ask, curl},
    keys::{borrowed, environment, good},
    platform::{asking_with, holding},
    service::Service,
};

#[test]
fn a_stop_finishes_requests_in_flight_and_refuses_new_ones() {
    for signal in ["TERM", "INT"] {
        let (platform, answers, arrived) = holding();
        let patient = [("APIKEE_SERVER_TIMEOUT", "60"), ("TIMEOUT_SECONDS", "60")];
        let mut service = asking_with("oxhttp", &platform, &patient);

        let held = answers.lock().unwrap();
        let in_flight = thread::scope(|scope| {
            let service = &service;
            let in_flight = scope.spawn(|| curl(service, &Ask::get("/me").key(&good(&[]))));
            arrived.recv_timeout(LONG).unwrap();
            service.signal(signal);
            let start = Instant::now();
            let refused = loop {
                let reply = curl(service, &Ask::get("/health"));
                if reply.status != 200 {
                    break reply;
                }
                assert!(start.elapsed() < LONG, "{signal}: new requests are still answered");
            };
            assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")), "{signal}");
            drop(held);
            in_flight.join().unwrap()
        });
        assert_eq!(in_flight.status, 200, "{signal}");
        assert_eq!(service.ended(), Some(0), "{signal}");
    }
}

#[test]
fn a_stop_does_not_wait_for_idle_connections() {
    let mut environment = environment();
    // By default the server itself would soon close idle connections.
    environment.push(("TIMEOUT_SECONDS", "3600".into()));
    let mut service = Service::start("oxhttp", &borrowed(&environment));
    let idle: Vec<_> = (0..10).map(|_| TcpStream::connect(service.address).unwrap()).collect();
    assert_eq!(curl(&service, &Ask::get("/health")).status, 200);
    service.signal("TERM");
    assert_eq!(service.ended(), Some(0));
    drop(idle);
}

#[test]
fn a_server_that_can_no_longer_serve_ends_with_an_error() {
    // When these servers have run out of descriptors, they never accept a connection again.
    for name in ["tiny_http", "rouille"] {
        let mut service = Service::start_with_descriptors(name, 64, &borrowed(&environment()));
        let mut idle = vec![];
        while service.lives() && idle.len() < 100 {
            idle.extend(TcpStream::connect(service.address));
        }
        let code = service.ended();
        assert!(code.is_some_and(|code| code != 0), "{name}: {code:?}: {}", service.output());
    }
}

#[test]
fn oxhttp_serves_again_after_more_connections_than_it_has_descriptors_for() {
    let mut service = Service::start_with_descriptors("oxhttp", 160, &borrowed(&environment()));
    let idle: Vec<_> = (0..100).map(|_| TcpStream::connect(service.address).unwrap()).collect();
    drop(idle);
    assert_eq!(curl(&service, &Ask::get("/health")).status, 200);
    assert!(service.lives());
}

#[test]
fn an_address_that_is_in_use_is_an_error() {
    for name in ["oxhttp", "tiny_http", "rouille", "axum"] {
        let taken = Service::start(name, &borrowed(&environment()));
        let output = Service::refuses_to_start_at(taken.address, name, &borrowed(&environment()));
        assert!(!output.is_empty(), "{name}");
    }
}
