//! Server mode: what the platform receives about a request, and the result of its answer.

use std::{
    collections::BTreeMap,
    io::ErrorKind,
    net::TcpListener,
    sync::{Arc, Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};

use apikee::{
    emulator::{EmulatedClient, Emulator, LoggedRequest, Misbehaviour, Occasion, RequestKind},
    protocol::ClientId,
};
use serde_json::Value;

use crate::{
    LONG,
    caller::{Ask, CALLERS, Reply, curl},
    closed::closed,
    keys::{CLIENT, borrowed, environment, good},
    service::{ALL, Service},
};

/// A platform that knows this client.
pub(crate) fn started(client: EmulatedClient) -> Emulator {
    let platform = Emulator::start().unwrap();
    platform.add_client(ClientId::new(CLIENT).unwrap(), client);
    platform
}

/// A platform that knows a client, and answers its requests only while the lock is free. It sends a message for each
/// request that has arrived.
pub(crate) fn holding() -> (Emulator, Arc<Mutex<()>>, mpsc::Receiver<()>) {
    let (sender, arrived) = mpsc::channel();
    let answers = Arc::new(Mutex::new(()));
    let (sender, may_answer) = (Mutex::new(sender), Arc::clone(&answers));
    let observe = move |entry: &LoggedRequest| {
        if entry.kind == RequestKind::Validate {
            let _ = sender.lock().unwrap().send(());
            drop(may_answer.lock());
        }
    };
    let platform = Emulator::builder().on_request(observe).start().unwrap();
    platform.add_client(ClientId::new(CLIENT).unwrap(), EmulatedClient::new("acme-corp"));
    (platform, answers, arrived)
}

/// A service that asks this platform.
pub(crate) fn asking(name: &'static str, platform: &Emulator) -> Service {
    asking_with(name, platform, &[])
}

/// A service that asks this platform, with additional variables in its environment.
pub(crate) fn asking_with(name: &'static str, platform: &Emulator, more: &[(&'static str, &str)]) -> Service {
    let mut environment = environment();
    environment.push(("APIKEE_SERVER_KEY", Emulator::PROJECT_KEY.into()));
    environment.push(("APIKEE_PROJECT_ENV", platform.project_env().into()));
    environment.push(("APIKEE_SERVER_PUBLIC_KEY", platform.public_key().into()));
    environment.push(("APIKEE_BASE_URL", platform.url().into()));
    environment.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
    Service::start(name, &borrowed(&environment))
}

/// The validate calls that were made.
pub(crate) fn validations(platform: &Emulator) -> Vec<LoggedRequest> {
    platform.log().into_iter().filter(|entry| entry.kind == RequestKind::Validate).collect()
}

/// The headers in the envelope of a validate call.
pub(crate) fn disclosed(entry: &LoggedRequest) -> BTreeMap<String, Value> {
    let text = entry.body.as_deref().unwrap();
    let body: Value = serde_json::from_str(text).unwrap();
    let members: Vec<&String> = body.as_object().unwrap().keys().collect();
    assert_eq!(members, ["headers", "name", "timestamp"]);
    let headers = body["headers"].as_object().unwrap();
    for name in headers.keys() {
        // The parser keeps only one of several members with the same name.
        assert_eq!(text.matches(&format!("\"{name}\":")).count(), 1, "{text}");
    }
    headers.clone().into_iter().collect()
}

/// Ends the service, and returns the bodies of all registrations of routes. A server registers routes in the order of
/// their first requests. So this asks for one more route, `/me`, and waits for its registration. A CGI program registers
/// nothing.
fn registrations(service: Service, platform: &Emulator) -> Vec<String> {
    let name = service.name;
    assert_eq!(curl(&service, &Ask::get("/me").key(&good(&[]))).status, 200, "{name}");
    let registered = || {
        let log = platform.log().into_iter().filter(|entry| entry.kind == RequestKind::Endpoint);
        log.map(|entry| entry.body.unwrap()).collect::<Vec<_>>()
    };
    let start = Instant::now();
    while name != "cgi" && !registered().iter().any(|body| body == ME) {
        assert!(start.elapsed() < LONG, "{name}: {:?}", registered());
        thread::sleep(Duration::from_millis(5));
    }
    drop(service);
    registered()
}

const ME: &str = r#"{"method":"GET","path":"/me","name":"GET /me"}"#;

/// Checks that the call has only its usual header fields, and each of them once.
pub(crate) fn assert_usual_fields(entry: &LoggedRequest) {
    let names: Vec<String> = entry.headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
    for name in &names {
        let usual = ["host", "user-agent", "content-type", "content-length", "accept", "accept-encoding"];
        let usual = usual.contains(&&**name) || ["x-api-key", "x-apikee-encrypted"].contains(&&**name);
        assert!(usual, "{names:?}");
        assert_eq!(names.iter().filter(|other| *other == name).count(), 1, "{names:?}");
    }
}

fn everywhere(client: impl Fn() -> EmulatedClient, test: impl Fn(&str, &Emulator, &dyn Fn(&Ask) -> Reply)) {
    for name in ALL {
        for (caller, ask) in CALLERS {
            let platform = started(client());
            let service = asking(name, &platform);
            test(&format!("{name}, {caller}"), &platform, &|request| ask(&service, request));
            let output = service.whole_output();
            assert!(output.lines().count() <= 1 && !output.contains("apikee_"), "{name}: {output}");
        }
    }
}

fn acme() -> EmulatedClient {
    EmulatedClient::new("acme-corp")
}

#[test]
fn the_platform_receives_only_route_key_address_and_user_agent() {
    let key = good(&["read"]);
    let request = Ask::get("/users/7?page=2&token=private")
        .key(&key)
        .header("User-Agent", "tester/1.0")
        .header("Cookie", "session=private")
        .header("Authorization", "Bearer private")
        .header("X-Forwarded-For", "203.0.113.9")
        .header("X-Real-IP", "203.0.113.9")
        .header("Forwarded", "for=203.0.113.9");
    everywhere(acme, |who, platform, ask| {
        let reply = ask(&request);
        assert_eq!((reply.status, &*reply.body), (200, r#"{"id":"7"}"#), "{who}");
        let [seen] = &validations(platform)[..] else { panic!("{who}") };
        assert_eq!((seen.status, seen.refusal), (Some(200), None), "{who}");
        assert_eq!(seen.method_path.as_deref(), Some("GET:::/users/{id}"), "{who}");
        let expected = [
            ("user-agent", "tester/1.0"),
            ("x-api-key", &*key),
            ("x-forwarded-for", "127.0.0.1"),
            ("x-real-ip", "127.0.0.1"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), Value::from(value)));
        assert_eq!(disclosed(seen), BTreeMap::from(expected), "{who}");
        assert_usual_fields(seen);
        let outside = format!("{:?}", seen.headers);
        for secret in [&*key, "private", "203.0.113.9", "tester/1.0"] {
            assert!(!outside.contains(secret), "{who}: {outside}");
        }
    });
}

#[test]
fn the_platform_receives_the_method_and_the_template_of_a_route() {
    let key = good(&["read", "write"]);
    everywhere(acme, |who, platform, ask| {
        let asked = [
            (Ask::get("/me"), 200, "GET:::/me"),
            (Ask::new("HEAD", "/users/8"), 200, "HEAD:::/users/{id}"),
            (Ask::new("POST", "/users?x"), 201, "POST:::/users"),
            (Ask::get("/nowhere?x"), 404, "GET:::/{unknown}"),
            (Ask::new("DELETE", "/users/8"), 404, "DELETE:::/{unknown}"),
        ];
        for (request, status, route) in asked {
            platform.clear_log();
            assert_eq!(ask(&request.key(&key)).status, status, "{who}: {route}");
            let [seen] = &validations(platform)[..] else { panic!("{who}: {route}") };
            assert_eq!(seen.method_path.as_deref(), Some(route), "{who}");
        }
    });
}

#[test]
fn the_platform_is_not_asked_about_refused_or_excluded_requests() {
    let key = good(&["write"]);
    everywhere(acme, |who, platform, ask| {
        let forged = format!("{key}0");
        for (request, status) in [
            (Ask::get("/health"), 200),
            (Ask::get("/openapi.json"), 200),
            (Ask::get("/me"), 401),
            (Ask::get("/me").key(&forged), 401),
            (Ask::get("/users/7").key(&key), 403),
        ] {
            assert_eq!(ask(&request).status, status, "{who}: {request:?}");
        }
        assert_eq!(platform.requests(), 0, "{who}");
    });
}

#[test]
fn a_request_that_the_platform_refuses_is_refused() {
    let request = Ask::get("/me").key(&good(&["read"]));
    everywhere(acme, |who, platform, ask| {
        platform.misbehave_at(RequestKind::Validate, Misbehaviour::Refuse, Occasion::Next(1));
        let reply = ask(&request);
        assert_eq!((reply.status, &*reply.code()), (401, "SERVER_REJECTED"), "{who}");
        assert!(reply.header("www-authenticate").is_some() && reply.header("retry-after").is_none(), "{who}");
        assert_eq!(ask(&request).status, 200, "{who}");
    });
}

#[test]
fn an_exceeded_rate_limit_gives_a_retry_after_field() {
    let request = Ask::get("/me").key(&good(&["read"]));
    everywhere(
        || acme().hourly(1),
        |who, _, ask| {
            assert_eq!(ask(&request).status, 200, "{who}");
            let reply = ask(&request);
            assert_eq!((reply.status, &*reply.code()), (401, "SERVER_REJECTED"), "{who}");
            let seconds: u32 = reply.header("retry-after").unwrap_or_else(|| panic!("{who}")).parse().unwrap();
            assert!((1..=3600).contains(&seconds), "{who}: {seconds}");
        },
    );
}

#[test]
fn a_forged_address_does_not_pass_the_allowed_networks_of_a_client() {
    let request = Ask::get("/me").key(&good(&["read"])).header("X-Forwarded-For", "192.0.2.1");
    everywhere(
        || acme().network("192.0.2.0/24").unwrap(),
        |who, platform, ask| {
            let reply = ask(&request);
            assert_eq!((reply.status, &*reply.code()), (401, "SERVER_REJECTED"), "{who}");
            assert_eq!(validations(platform)[0].refusal, Some("IP_NOT_ALLOWED"), "{who}");
        },
    );
}

/// The status of a request with a good key in an outage. A CGI program remembers no refusals, so it fails closed.
fn in_an_outage(who: &str) -> u16 {
    if who.starts_with("cgi") { 503 } else { 200 }
}

#[test]
fn an_outage_lets_good_keys_through_and_a_fault_does_not() {
    let request = Ask::get("/me").key(&good(&["read"]));
    everywhere(acme, |who, platform, ask| {
        for misbehaviour in [Misbehaviour::Status(503), Misbehaviour::HangUp] {
            platform.misbehave(misbehaviour.clone(), Occasion::Always);
            assert_eq!(ask(&request).status, in_an_outage(who), "{who}: {misbehaviour:?}");
            assert_eq!(ask(&Ask::get("/users/7").key(&good(&[]))).status, 403, "{who}");
            assert_eq!(ask(&Ask::get("/me")).status, 401, "{who}");
            platform.behave();
        }
        for misbehaviour in [Misbehaviour::Garbage, Misbehaviour::Forged, Misbehaviour::Unsealed] {
            platform.misbehave(misbehaviour.clone(), Occasion::Next(1));
            let reply = ask(&request);
            assert_eq!((reply.status, &*reply.code()), (502, "SERVER_FAULT"), "{who}: {misbehaviour:?}");
            assert_eq!(reply.header("www-authenticate"), None, "{who}");
        }
    });
}

#[test]
fn a_stopped_platform_is_an_outage() {
    for name in ALL {
        let platform = started(acme());
        let service = asking(name, &platform);
        let url = platform.url().to_owned();
        drop(platform);
        let _closed = closed(&url);
        assert_eq!(curl(&service, &Ask::get("/me").key(&good(&[]))).status, in_an_outage(name), "{name}");
        assert_eq!(curl(&service, &Ask::get("/me")).status, 401, "{name}");
    }
}

#[test]
fn a_proxy_header_does_not_redirect_calls() {
    for name in ALL {
        let (platform, elsewhere) = (started(acme()), TcpListener::bind("127.0.0.1:0").unwrap());
        elsewhere.set_nonblocking(true).unwrap();
        let service = asking(name, &platform);
        let proxy = format!("http://{}", elsewhere.local_addr().unwrap());
        let request = Ask::get("/me").key(&good(&[])).header("Proxy", &proxy);
        assert_eq!(curl(&service, &request).status, 200, "{name}");
        assert_eq!(validations(&platform).len(), 1, "{name}");
        assert_eq!(elsewhere.accept().unwrap_err().kind(), ErrorKind::WouldBlock, "{name}");
    }
}

#[test]
fn a_scan_of_paths_and_methods_registers_only_one_template() {
    for name in ALL {
        let platform = started(acme());
        let service = asking(name, &platform);
        let key = good(&["read", "write"]);
        let paths = ["/admin", "/.env", "/users/7/x", "/me/", "/%2e%2e/etc/passwd", "/users/"];
        for path in paths {
            for method in ["GET", "DELETE"] {
                assert_eq!(curl(&service, &Ask::new(method, path).key(&key)).status, 404, "{name}: {method} {path}");
            }
        }
        for (method, path) in [("FUZZ", "/admin"), ("PROPFIND", "/me"), ("get", "/users/7"), ("FUZZ", "/users")] {
            assert_eq!(curl(&service, &Ask::new(method, path).key(&key)).status, 501, "{name}: {method} {path}");
        }
        let asked: Vec<_> = validations(&platform).into_iter().map(|seen| seen.method_path.unwrap()).collect();
        assert_eq!(asked.len(), 2 * paths.len(), "{name}");
        let usual = ["GET:::/{unknown}", "DELETE:::/{unknown}"];
        assert!(asked.iter().all(|path| usual.contains(&&**path)), "{name}: {asked:?}");
        let unknown =
            |method| format!(r#"{{"method":"{method}","path":"/{{unknown}}","name":"{method} /{{unknown}}"}}"#);
        let expected = [unknown("GET"), unknown("DELETE"), ME.to_owned()];
        assert_eq!(registrations(service, &platform), &expected[..if name == "cgi" { 0 } else { 3 }], "{name}");
    }
}

#[test]
fn servers_register_a_template_once_and_cgi_programs_never() {
    for name in ALL {
        let platform = started(acme());
        let service = asking(name, &platform);
        for id in 1..=4 {
            assert_eq!(curl(&service, &Ask::get(&format!("/users/{id}")).key(&good(&["read"]))).status, 200, "{name}");
        }
        let users = r#"{"method":"GET","path":"/users/{id}","name":"GET /users/{id}","metadata":{"scopes":["read"]}}"#;
        assert_eq!(registrations(service, &platform), &[users, ME][..if name == "cgi" { 0 } else { 2 }], "{name}");
    }
}
