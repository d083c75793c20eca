//! Which paths need no key, and what the platform is told of a route.

use apikee::web::{Guard, RequestView};

use crate::{guard, key, lookup, platform::Platform};

/// Whether a request without a key is let through.
fn is_open(guard: &Guard, method: &str, path: &str) -> bool {
    let lookup = lookup(&[]);
    let mut buf = [0; 64];
    match guard.check(RequestView::new(method, path, &lookup), &mut buf) {
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
fn the_sdks_paths_need_no_key_and_whatever_is_not_one_of_them_byte_for_byte_does() {
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
fn other_paths_take_the_place_of_the_sdks() {
    let guard = guard().excluded_paths(["/live", "/docs"]);
    assert!(is_open(&guard, "GET", "/live") && is_open(&guard, "GET", "/docs"));
    assert!(!is_open(&guard, "GET", "/health"));
    let none = crate::guard().excluded_paths::<&str>([]);
    assert!(!is_open(&none, "GET", "/health"));
}

#[test]
fn a_route_with_a_guard_of_its_own_needs_a_key_under_whatever_path() {
    let lookup = lookup(&[]);
    let request = RequestView::new("GET", "/health", &lookup);
    for route in [guard().route("/health"), guard().require(&["read"]), guard().require(&[])] {
        assert_eq!(route.check(request, &mut [0; 64]).unwrap_err().code(), "MISSING_KEY");
    }
}

#[test]
fn scopes_that_are_required_later_take_the_place_of_those_before() {
    let key = key();
    let fields = [("x-api-key", key.as_bytes())];
    let lookup = lookup(&fields);
    let request = RequestView::new("GET", "/users", &lookup);
    let mut buf = [0; 1024];
    assert!(guard().require(&["admin"]).require(&["read"]).check(request, &mut buf).is_ok());
}

/// The `method_path` that the platform is asked about.
fn told(method: &str, path: &str, route: Option<&str>, template: Option<&str>) -> String {
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
    let mut buf = [0; 1024];
    assert!(guard.check(request, &mut buf).is_ok());
    let target = &platform.seen()[0].target;
    target.split_once("method_path=").unwrap().1.to_owned()
}

#[test]
fn the_platform_counts_by_the_template_of_the_guard_then_of_the_request_and_else_by_the_path() {
    let path = "/users/7?token=secret";
    assert_eq!(told("get", path, None, None), "GET%3A%3A%3A%2Fusers%2F7");
    assert_eq!(told("GET", path, Some("/users/{id}"), None), "GET%3A%3A%3A%2Fusers%2F%7Bid%7D");
    assert_eq!(told("GET", path, Some("/a"), Some("/users/:id?")), "GET%3A%3A%3A%2Fusers%2F%3Aid%3F");
}

#[test]
fn a_method_that_is_none_is_not_asked_about() {
    let key = key();
    let fields = [("x-api-key", key.as_bytes())];
    let lookup = lookup(&fields);
    let platform = Platform::willing();
    let server = Guard::new(platform.builder().build().unwrap());
    let nothing = crate::lookup(&[]);
    for method in ["", "GET /x", "G\r\nT", "G@T"] {
        let code = |guard: &Guard, request| {
            let mut buf = [0; 1024];
            guard.check(request, &mut buf).map(|_| ()).map_err(|refusal| refusal.code())
        };
        let request = RequestView::new(method, "/users", &lookup);
        assert_eq!(code(&server, request), Err("SERVER_FAULT"), "{method:?}");
        assert_eq!(code(&guard(), request), Ok(()), "{method:?}");
        let keyless = RequestView::new(method, "/users", &nothing);
        assert_eq!(code(&server, keyless), Err("MISSING_KEY"), "{method:?}");
    }
    assert!(platform.seen().is_empty());
}
