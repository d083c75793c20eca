//! Whatever a request contains, it stays one request: nothing in it can split a URL, a header or a JSON member.

use apikee::web::{Guard, RequestView};
use proptest::{collection::vec, prelude::*};

use crate::{guard, key, lookup, platform::Platform};

/// Values that some servers are known to accept.
const VALUES: [&[u8]; 9] = [
    b"a\r\nX-Api-Key: b",
    b"a\nb",
    b"a\0b",
    b"\"},\"x\":{\"",
    b"\\",
    b"\xff\xfe",
    "caf\u{e9} \u{2028}".as_bytes(),
    b"\x1b[31m",
    b"%0d%0aX: y",
];

const PATHS: [&str; 14] = [
    "/a/../b",
    "/%2e%2e/b",
    "/a%00",
    "/a\0",
    "/a?b=c&method_path=x",
    "/a#b",
    "/a:::b",
    ":::",
    "/a&project_env=x",
    "/a b",
    "/a\r\nHost: b",
    "/\"},\"x\":{\"",
    "/caf\u{e9}",
    "/%",
];

/// The target and the body of the request to the platform about a request with this path and `User-Agent`.
fn asked(path: &str, agent: &[u8]) -> (String, serde_json::Value) {
    let platform = Platform::willing();
    let guard = Guard::new(platform.builder().build().unwrap());
    let key = key();
    let fields = [("user-agent", agent), ("x-api-key", key.as_bytes())];
    let lookup = lookup(&fields);
    assert!(guard.require(&[]).check(RequestView::new("GET", path, &lookup)).is_ok(), "{path:?}");
    let seen = &platform.seen()[0];
    for (name, value) in &seen.headers {
        assert!(value.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{name}: {value:?}");
    }
    (seen.target.clone(), seen.body.clone())
}

#[test]
fn a_path_stays_one_value_of_the_query() {
    for path in PATHS {
        let (target, _) = asked(path, b"a");
        assert!(target.bytes().all(|byte| byte.is_ascii_graphic() && !b"#\"<>\\".contains(&byte)), "{target:?}");
        let (_, query) = target.split_once('?').unwrap();
        let parameters: Vec<_> = query.split('&').map(|parameter| parameter.split_once('=').unwrap()).collect();
        let [("project_env", "my-app-production"), ("method_path", value)] = parameters[..] else {
            panic!("{target}");
        };
        let before_query = path.split(['?', '#']).next().unwrap().replace("%2e", ".");
        let slash = if before_query.starts_with('/') { "" } else { "/" };
        assert_eq!(decoded(value), format!("GET:::{slash}{before_query}"), "{path:?}");
    }
}

#[test]
fn a_value_stays_one_string_of_the_body() {
    for value in VALUES {
        let (_, body) = asked("/", value);
        let headers = body["headers"].as_object().unwrap();
        assert_eq!(headers.keys().collect::<Vec<_>>(), ["user-agent", "x-api-key"]);
        let text = String::from_utf8_lossy(value).replace(|c: char| c.is_ascii_control(), "");
        assert_eq!(headers["user-agent"], text);
        assert_eq!(body.as_object().unwrap().keys().collect::<Vec<_>>(), ["headers", "name", "timestamp"]);
    }
}

fn decoded(value: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = value.as_bytes();
    while let [first, after @ ..] = rest {
        let (byte, after) = match (first, after) {
            (b'%', [high, low, after @ ..]) => {
                (u8::from_str_radix(std::str::from_utf8(&[*high, *low]).unwrap(), 16).unwrap(), after)
            }
            (b'+', after) => (b' ', after),
            (byte, after) => (*byte, after),
        };
        bytes.push(byte);
        rest = after;
    }
    String::from_utf8(bytes).unwrap()
}

proptest! {
    #[test]
    fn requests_with_random_headers_are_refused_and_each_refusal_can_be_sent(
        name in "x-api-key|authorization|x-forwarded-for|[a-z-]{1,12}",
        values in vec(vec(any::<u8>(), 0..200), 0..4),
        path in "\\PC{0,40}",
        method in "[A-Z]{1,7}|\\PC{0,8}",
    ) {
        let guard = guard().bearer().trusted_proxy("10.0.0.0/8").unwrap();
        let fields: Vec<_> = values.iter().map(|value| (&*name, &**value)).collect();
        let lookup = lookup(&fields);
        let request = RequestView::new(&method, &path, &lookup).peer([10, 0, 0, 1].into());
        guard.client_address(request).unwrap();
        match guard.check(request) {
            Ok(grant) => prop_assert!(grant.is_none() && guard.is_excluded(&request)),
            Err(refusal) => {
                let body: serde_json::Value = serde_json::from_str(&refusal.body()).unwrap();
                prop_assert_eq!(&body["error"], refusal.code());
                for (_, value) in refusal.headers() {
                    prop_assert!(value.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
                }
            }
        }
    }

    #[test]
    fn other_header_fields_do_not_make_a_good_key_fail(
        name in "authorization|x-forwarded-for|x-real-ip|user-agent|X-Api-Keys",
        noise in vec(any::<u8>(), 0..100),
    ) {
        let platform = Platform::willing();
        let guard = Guard::new(platform.builder().build().unwrap()).bearer().trusted_proxy("10.0.0.0/8").unwrap();
        let key = key();
        let fields = [(&*name, &*noise), ("x-api-key", key.as_bytes())];
        let lookup = lookup(&fields);
        let request = RequestView::new("GET", "/", &lookup).peer([10, 0, 0, 1].into());
        prop_assert!(guard.require(&["read"]).check(request).is_ok());
        prop_assert_eq!(&platform.seen()[0].body["headers"]["x-api-key"], &*key);
    }
}
