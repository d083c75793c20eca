//! The data that the platform receives, and its decisions.

use apikee::{
    Fingerprint, NewKey,
    client::{AuthorizeRequest, Upsert},
    emulator::{EmulatedClient, Misbehaviour, Occasion, RequestKind},
    policy::Basis,
    protocol::MethodPath,
};

use super::{CLIENT, LONG, ask, builder, key, patient, platform};

#[test]
fn a_key_is_issued_authorized_and_its_route_registered() {
    let platform = platform();
    let apikee = builder(&platform).build().unwrap();
    let mut buf = [0; 1024];
    let issued = apikee.issue(&NewKey::new("new-corp").scopes(&["read"]), &mut buf).unwrap();
    assert_eq!(Some(issued.upsert()), platform.client_named("new-corp").map(Upsert::Done));

    for _ in 0..3 {
        let headers = [("user-agent", "curl/8.5.0"), ("x-forwarded-for", "203.0.113.9")];
        let request =
            AuthorizeRequest::new(Some(issued.key()), MethodPath::new("GET", "/users/{id}").unwrap()).headers(&headers);
        assert_eq!(apikee.authorize(&request.as_route()).unwrap().basis(), Basis::Confirmed);
    }
    assert_eq!(apikee.close(LONG), 0);
    let endpoints: Vec<_> = platform.endpoints().into_iter().map(|endpoint| (endpoint.method, endpoint.path)).collect();
    assert_eq!(endpoints, [("GET".to_owned(), "/users/{id}".to_owned())]);

    let log = platform.log();
    let kinds = |kind| log.iter().filter(|request| request.kind == kind).count();
    assert_eq!((kinds(RequestKind::Client), kinds(RequestKind::Validate), kinds(RequestKind::Endpoint)), (1, 3, 1));
    assert!(platform.connections() <= 2, "connections are kept: one for requests, one for the thread");
}

#[test]
fn refusals_of_the_platform_are_denied_even_if_outages_fail_open() {
    let platform = platform();
    let apikee = builder(&platform).auto_register(false).build().unwrap();
    let (id, key) = (CLIENT.parse().unwrap(), key());
    let client = || EmulatedClient::new("acme-corp");

    platform.add_client(id, client().hourly(2));
    assert_eq!(
        [(); 3].map(|()| ask(&apikee, &key)),
        [Ok(Basis::Confirmed), Ok(Basis::Confirmed), Err("SERVER_REJECTED")]
    );
    let request = AuthorizeRequest::new(Some(&key), MethodPath::new("GET", "/users").unwrap());
    let denial = apikee.authorize(&request).unwrap_err();
    assert!(denial.retry_after().is_some_and(|seconds| (1..=3600).contains(&seconds)), "{denial:?}");

    platform.add_client(id, client().network("203.0.113.0/24").unwrap());
    assert_eq!(ask(&apikee, &key), Err("SERVER_REJECTED"), "loopback is not an allowed network");

    platform.add_client(id, client().fingerprint(Fingerprint::of("another key")));
    assert_eq!(ask(&apikee, &key), Err("SERVER_REJECTED"), "the platform does not have this key");
    platform.add_client(id, client().fingerprint(Fingerprint::of(&key)));
    assert_eq!(ask(&apikee, &key), Ok(Basis::Confirmed));

    platform.remove_client(id);
    assert_eq!(ask(&apikee, &key), Err("SERVER_REJECTED"));
}

#[test]
fn a_wrong_project_key_is_a_fault_and_not_an_outage() {
    let platform = platform();
    let apikee = builder(&platform).project_key("sk_test_wrong").build().unwrap();
    assert_eq!(ask(&apikee, &key()), Err("SERVER_FAULT"));
}

#[test]
fn another_servers_public_key_gives_no_access() {
    let (platform, other) = (platform(), platform());
    let apikee = builder(&platform).server_public_key(other.public_key()).build().unwrap();
    assert_eq!(ask(&apikee, &key()), Err("SERVER_FAULT"));
}

#[test]
fn requests_succeed_with_a_platform_that_closes_idle_connections() {
    let platform = platform();
    platform.misbehave(Misbehaviour::CloseIdle, Occasion::Always);
    let apikee = builder(&platform).breaker(patient()).auto_register(false).background_thread(false).build().unwrap();
    for _ in 0..100 {
        assert_eq!(ask(&apikee, &key()), Ok(Basis::Confirmed));
    }
}

#[cfg(feature = "request-signing")]
#[test]
fn a_project_with_a_public_key_accepts_only_signed_requests() {
    use apikee::emulator::Emulator;
    let platform = Emulator::builder()
        .request_signing_key(include_str!("../../data/signing-test-key.public.pem"))
        .unwrap()
        .start()
        .unwrap();
    platform.add_client(CLIENT.parse().unwrap(), EmulatedClient::new("acme-corp"));
    let signing =
        builder(&platform).private_key(include_str!("../../data/signing-test-key.pkcs8.pem")).build().unwrap();
    assert_eq!(ask(&signing, &key()), Ok(Basis::Confirmed));
    let unsigned = builder(&platform).build().unwrap();
    assert_eq!(ask(&unsigned, &key()), Err("SERVER_REJECTED"));
    assert_eq!(signing.close(LONG), 0);
}
