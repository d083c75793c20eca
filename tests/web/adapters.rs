//! Requests and responses of web frameworks, without sockets. `tests/examples` tests them over sockets.

use apikee::web::{Guard, RequestView};

use crate::{CLIENT, guard, key};

/// Checks a request with a good key, one with two keys, and one without a key.
fn holds<'r, R>(guard: &'r Guard, good: &'r R, twice: &'r R, none: &'r R)
where
    &'r R: Into<RequestView<'r>>,
{
    assert_eq!(tenant(guard, good), Ok(CLIENT.into()));
    assert_eq!(tenant(guard, twice), Err("MULTIPLE_KEYS"));
    assert_eq!(tenant(guard, none), Err("MISSING_KEY"));
    let shown = format!("{:?}", good.into());
    assert!(shown.contains(r#"method: "GET", path: "/users/7""#), "{shown}");
}

fn tenant<'r, R>(guard: &'r Guard, request: &'r R) -> Result<String, &'static str>
where
    &'r R: Into<RequestView<'r>>,
{
    guard
        .require(&["read"])
        .check(request)
        .map_or_else(|refusal| Err(refusal.code()), |grant| Ok(grant.key().claims().tenant().to_string()))
}

#[cfg(feature = "http")]
#[test]
fn the_guard_works_with_requests_and_responses_of_the_http_crate() {
    let (guard, key) = (guard(), key());
    let request = |keys: &[&str]| {
        let builder = http::Request::get("http://api.example.com/users/7?page=2");
        keys.iter().fold(builder, |builder, key| builder.header("X-API-KEY", *key)).body(()).unwrap()
    };
    let (good, twice, none) = (request(&[&key]), request(&[&key, &key]), request(&[]));
    holds(&guard, &good, &twice, &none);
    let (good, twice, none) = (good.into_parts().0, twice.into_parts().0, none.into_parts().0);
    holds(&guard, &good, &twice, &none);

    // The router also sees only the path.
    let health = http::Request::get("http://api.example.com/health").body(()).unwrap();
    assert!(guard.check(&health).unwrap().is_none());

    let response: http::Response<String> = guard.check(&none).unwrap_err().to_http();
    assert_eq!(response.status(), 401);
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(response.headers()["www-authenticate"], r#"ApiKey realm="apikee", header="x-api-key""#);
    assert_eq!(response.body(), r#"{"error":"MISSING_KEY","message":"'x-api-key' header is required"}"#);
}

#[cfg(feature = "tiny_http")]
#[test]
fn the_guard_works_with_requests_and_responses_of_tiny_http() {
    use std::io::Read as _;
    let (guard, key) = (guard(), key());
    let request = |keys: &[&str]| {
        let request = tiny_http::TestRequest::new().with_path("/users/7?page=2");
        let header = |key: &&str| tiny_http::Header::from_bytes("X-API-KEY", *key).unwrap();
        let request = keys.iter().map(header).fold(request, tiny_http::TestRequest::with_header);
        tiny_http::Request::from(request)
    };
    let (good, twice, none) = (request(&[&key]), request(&[&key, &key]), request(&[]));
    holds(&guard, &good, &twice, &none);
    assert_eq!(guard.client_address(&good), Some([127, 0, 0, 1].into()));

    let response = guard.check(&none).unwrap_err().to_tiny_http();
    assert_eq!(response.status_code(), 401);
    let field = |name: &'static str| {
        let header = response.headers().iter().find(|header| header.field.equiv(name)).unwrap();
        header.value.as_str().to_owned()
    };
    assert_eq!(field("Content-Type"), "application/json");
    assert_eq!(field("WWW-Authenticate"), r#"ApiKey realm="apikee", header="x-api-key""#);
    let mut body = String::new();
    response.into_reader().read_to_string(&mut body).unwrap();
    assert_eq!(body, r#"{"error":"MISSING_KEY","message":"'x-api-key' header is required"}"#);
}
