//! Paths that need no key, and the routes that the platform receives.

use std::{
    sync::{Mutex, mpsc},
    time::Duration,
};

use apikee::{
    Keyring, NewKey, SysRng, UnixTime,
    client::{Enforcement, Event},
    policy::{Basis, OnFault, Policy},
    protocol::ClientId,
    web::{Guard, RequestView},
};

use crate::{
    guard, key, lookup,
    platform::{Answer, CLIENT, Platform, SECRET, willing},
};

/// Whether a request without a key is granted.
fn is_open(guard: &Guard, method: &str, path: &str) -> bool {
    let lookup = lookup(&[]);
    match guard.check(RequestView::new(method, path, &lookup)) {
        Ok(grant) => {
            assert!(grant.is_none());
            true
        }
        Err(refusal) => {
            assert_eq!((refusal.status(), refusal.code()), (401, "MISSING_KEY"));
            false
        }
    }
}

#[test]
fn only_the_exact_default_paths_need_no_key() {
    for path in ["/health", "/ready", "/metrics", "/health?", "/health?verbose=1", "/health?a?b#c"] {
        assert!(is_open(&guard(), "GET", path) && is_open(&guard(), "HEAD", path), "{path}");
    }
    for path in [
        "",
        "/",
        "*",
        "/health/",
        "//health",
        "/Health",
        "/healthy",
        "/health/db",
        "/%68ealth",
        "/health%3F",
        "/health#x",
        "/health#?",
        "/./health",
        "/users/../health",
        "/health/..",
        "/health;v=1",
        "/health\0",
        "http://a/health",
        "health",
        "?/health",
        "/users?/health",
        "/health ",
        "/health\t",
    ] {
        assert!(!is_open(&guard(), "GET", path), "{path:?}");
    }
}

#[test]
fn configured_paths_replace_the_default_paths() {
    let guard = guard().excluded_paths(["/live", "/docs"]);
    assert!(is_open(&guard, "GET", "/live") && is_open(&guard, "GET", "/docs"));
    assert!(!is_open(&guard, "GET", "/health"));
    let none = crate::guard().excluded_paths::<&str>([]);
    assert!(!is_open(&none, "GET", "/health"));
}

#[test]
fn a_route_with_its_own_guard_needs_a_key_on_every_path() {
    let lookup = lookup(&[]);
    let request = RequestView::new("GET", "/health", &lookup);
    for route in [guard().route("/health"), guard().require(&["read"]), guard().require(&[])] {
        assert_eq!(route.check(request).unwrap_err().code(), "MISSING_KEY");
    }
}

#[test]
fn a_second_list_of_required_scopes_replaces_the_first() {
    let key = key();
    let fields = [("x-api-key", key.as_bytes())];
    let lookup = lookup(&fields);
    let request = RequestView::new("GET", "/users", &lookup);
    assert!(guard().require(&["admin"]).require(&["read"]).check(request).is_ok());
}

/// The `method_path` in the request to the platform.
fn sent_method_path(method: &str, path: &str, route: Option<&str>, template: Option<&str>) -> String {
    let platform = Platform::willing();
    let guard = Guard::new(platform.builder().build().unwrap());
    let key = key();
    let fields = [("x-api-key", key.as_bytes())];
    let lookup = lookup(&fields);
    let mut request = RequestView::new(method, path, &lookup);
    if let Some(route) = route {
        request = request.route(route);
    }
    let guard = match template {
        Some(template) => guard.route(template),
        None => guard.require(&["read"]),
    };
    assert!(guard.check(request).is_ok());
    let target = &platform.seen()[0].target;
    target.split_once("method_path=").unwrap().1.to_owned()
}

#[test]
fn the_platform_gets_the_guards_template_else_the_requests_else_the_path() {
    let path = "/users/7?token=secret";
    assert_eq!(sent_method_path("get", path, None, None), "GET%3A%3A%3A%2Fusers%2F7");
    assert_eq!(sent_method_path("GET", path, Some("/users/{id}"), None), "GET%3A%3A%3A%2Fusers%2F%7Bid%7D");
    assert_eq!(sent_method_path("GET", path, Some("/a"), Some("/users/:id?")), "GET%3A%3A%3A%2Fusers%2F%3Aid%3F");
}

#[test]
fn equivalent_paths_are_sent_in_one_spelling() {
    for path in ["/~user/a%2Fb", "/%7Euser/a%2Fb", "/%7e%75ser/%61%2fb", "/%7euser/a%2fb?%7e"] {
        assert_eq!(sent_method_path("GET", path, None, None), "GET%3A%3A%3A%2F~user%2Fa%252Fb", "{path}");
    }
    assert_eq!(
        sent_method_path("GET", "/%zz%7e", None, None),
        "GET%3A%3A%3A%2F%25zz~",
        "an invalid escape stays unchanged"
    );
    assert_eq!(
        sent_method_path("GET", "/%7e", None, Some("/%7e")),
        "GET%3A%3A%3A%2F%257e",
        "a template stays unchanged"
    );
}

/// The routes that are registered after one request with each of these paths and templates.
fn registered(enforcement: Enforcement, requests: &[(&str, Option<&str>, Option<&str>)]) -> Vec<String> {
    let platform = Platform::willing();
    let (sender, receiver) = mpsc::channel();
    let sender = Mutex::new(sender);
    let builder = platform.builder().auto_register(true).enforcement(enforcement).background_thread(true);
    let observer = move |event: &Event<'_>| match event {
        Event::EndpointRegistered { method_path } => {
            sender.lock().unwrap().send(Some(method_path.to_string())).unwrap();
        }
        Event::Observed { .. } | Event::Granted { basis: Basis::Confirmed, .. } => {
            sender.lock().unwrap().send(None).unwrap();
        }
        _ => {}
    };
    let guard = Guard::new(builder.observer(observer).build().unwrap());
    let key = key();
    let fields = [("x-api-key", key.as_bytes())];
    let lookup = lookup(&fields);
    let mut registered = Vec::new();
    for (path, route, template) in requests {
        let mut request = RequestView::new("GET", path, &lookup);
        if let Some(route) = route {
            request = request.route(route);
        }
        match template {
            Some(template) => drop(guard.route(template).check(request).unwrap()),
            None => drop(guard.check(request).unwrap()),
        }
        // A registration is queued before the request is decided, and sent before the next request.
        while let Some(route) = receiver.recv_timeout(Duration::from_secs(60)).expect("the platform is asked") {
            registered.push(route);
        }
    }
    assert_eq!(guard.apikee().close(Duration::from_secs(60)), 0);
    registered.extend(receiver.try_iter().flatten());
    registered
}

#[test]
fn only_templates_are_registered_and_each_once_in_both_enforcement_modes() {
    let requests = [
        ("/users/7", None, None),
        ("/users/{id}", None, None),
        ("/users/8", Some("/users/{id}"), None),
        ("/users/9", None, Some("/users/{id}")),
        ("/users/9", Some("/a"), Some("/users/{id}/all")),
        ("/users/10", None, None),
    ];
    for enforcement in [Enforcement::Enforce, Enforcement::Observe] {
        let expected = ["GET:::/users/{id}", "GET:::/users/{id}/all"];
        assert_eq!(registered(enforcement, &requests), expected, "{enforcement:?}");
    }
}

#[test]
fn the_platform_is_not_asked_about_an_invalid_or_a_long_method() {
    let key = key();
    let fields = [("x-api-key", key.as_bytes())];
    let lookup = lookup(&fields);
    let platform = Platform::willing();
    let server = Guard::new(platform.builder().build().unwrap());
    let nothing = crate::lookup(&[]);
    let long = "A".repeat(33);
    for method in ["", "GET /x", "G\r\nT", "G@T", &long] {
        let code = |guard: &Guard, request| guard.check(request).map(|_| ()).map_err(|refusal| refusal.code());
        let request = RequestView::new(method, "/users", &lookup);
        assert_eq!(code(&server, request), Err("SERVER_FAULT"), "{method:?}");
        assert_eq!(code(&guard(), request), Ok(()), "{method:?}");
        let keyless = RequestView::new(method, "/users", &nothing);
        assert_eq!(code(&server, keyless), Err("MISSING_KEY"), "{method:?}");
    }
    assert!(platform.seen().is_empty());
    let known = "A".repeat(32);
    assert!(server.check(RequestView::new(&known, "/users", &lookup)).is_ok());
}

#[test]
fn a_refused_address_stays_refused_with_a_long_method() {
    let key = key();
    let fields = [("x-api-key", key.as_bytes())];
    let lookup = lookup(&fields);
    let platform = Platform::new(|seen| if seen.is_validation() { Answer::status(403) } else { willing(seen) });
    let policy = Policy::DEFAULT.on_fault(OnFault::Admit);
    let server = Guard::new(platform.builder().policy(policy).build().unwrap());
    let ask = |method: &str, peer: &str| {
        let request = RequestView::new(method, "/users", &lookup).peer(peer.parse().unwrap());
        server.check(request).map(|_| ()).map_err(|refusal| refusal.code())
    };
    let long = "A".repeat(33);
    assert_eq!(ask("GET", "203.0.113.9"), Err("SERVER_REJECTED"));
    assert_eq!(ask(&long, "203.0.113.9"), Err("SERVER_REJECTED"));
    assert_eq!(ask(&long, "203.0.113.10"), Ok(()), "this address was not refused");
}

/// The platform's refusal is stored under the client that the resolver named.
#[test]
fn a_client_that_the_resolver_names_stays_refused_with_a_long_method() {
    let keys = Keyring::new(SECRET).unwrap();
    let key = keys.issue(&NewKey::new(""), UnixTime::now(), &mut SysRng, &mut [0; 1024]).unwrap().to_owned();
    let fields = [("x-api-key", key.as_bytes())];
    let lookup = lookup(&fields);
    let platform = Platform::new(|_| Answer::Limited(3600));
    let policy = Policy::DEFAULT.on_fault(OnFault::Admit);
    let client = ClientId::new(CLIENT).unwrap();
    let builder = platform.builder().policy(policy).client_resolver(move |_| Some(client));
    let server = Guard::new(builder.build().unwrap());
    let ask = |method: &str| server.check(RequestView::new(method, "/users", &lookup)).map(|_| ()).map_err(|_| ());
    let long = "A".repeat(33);
    assert_eq!(ask(&long), Ok(()), "it was not refused yet");
    assert_eq!((ask("GET"), ask(&long)), (Err(()), Err(())));
}
