//! Whatever the parts of a request say, it is one request with exactly those parts.
#![cfg(feature = "envelope")]

use apikee::{
    Answer, BufferTooSmall, ClientId, ClientKey, ClientRecord, ClientType, CreateClient, JsonObject, MethodPath,
    ProjectKey, RegisterEndpoint, Request, Timestamp, UnixTime, UserAgent, ValidateRequest,
};
use proptest::{collection::vec, prelude::*, string::string_regex, test_runner::RngSeed};
use serde_json::{Map, Value, json};

const CLIENT: &str = "497f6eca-6276-4993-bfeb-53cbbbba6f08";

fn config(seed: u64) -> ProptestConfig {
    ProptestConfig { cases: 512, rng_seed: RngSeed::Fixed(seed), ..ProptestConfig::default() }
}

/// Any characters, those that have a meaning somewhere more often than others.
fn text() -> impl Strategy<Value = String> {
    let special = proptest::sample::select(
        "\0\r\n\t \"\\/%+&=?#:;,{}[]'\u{7f}\u{80}\u{2028}\u{fffd}\u{10ffff}\u{e9}".chars().collect::<Vec<_>>(),
    );
    vec(prop_oneof![special, any::<char>()], 0..24).prop_map(String::from_iter)
}

fn token() -> impl Strategy<Value = String> {
    string_regex("[!#$%&'*+.^_`|~0-9A-Za-z-]{1,12}").unwrap()
}

fn timestamp() -> impl Strategy<Value = Timestamp> {
    (0..=253_402_300_799_999_i64).prop_map(|millis| Timestamp::new(UnixTime::from_millis(millis)).unwrap())
}

fn object() -> impl Strategy<Value = Map<String, Value>> {
    let leaf = prop_oneof![
        text().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
    ];
    let value = leaf.prop_recursive(4, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((text(), inner), 0..4).prop_map(|members| Value::Object(Map::from_iter(members))),
        ]
    });
    vec((text(), value), 0..4).prop_map(Map::from_iter)
}

/// Path and query values of a target, decoded by the book: `application/x-www-form-urlencoded`.
fn parsed(target: &str) -> (&str, Vec<(&str, String)>) {
    assert!(target.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#'), "{target}");
    let (path, query) = target.split_once('?').unwrap();
    let pairs = query.split('&').map(|pair| {
        let (name, value) = pair.split_once('=').unwrap();
        (name, decoded(value))
    });
    (path, pairs.collect())
}

fn decoded(value: &str) -> String {
    let mut bytes = value.bytes();
    let mut text = Vec::new();
    while let Some(byte) = bytes.next() {
        text.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [bytes.next().unwrap(), bytes.next().unwrap()];
                assert!(digits.iter().all(u8::is_ascii_hexdigit));
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            plain => {
                assert!(plain.is_ascii_alphanumeric() || b"-._~".contains(&plain));
                plain
            }
        });
    }
    String::from_utf8(text).unwrap()
}

/// Writes the request into buffers of exactly the length that a too small one asked for.
fn written(request: &impl Request) -> (String, Value) {
    type Write<'r> = &'r dyn for<'b> Fn(&'b mut [u8]) -> Result<&'b str, BufferTooSmall>;
    let exactly = |write: Write<'_>| {
        let BufferTooSmall { needed } = write(&mut []).unwrap_err();
        assert_eq!(write(&mut vec![0; needed - 1]), Err(BufferTooSmall { needed }));
        let (mut exact, mut roomy) = (vec![0; needed], vec![0xFF; needed + 9]);
        let text = write(&mut exact).unwrap();
        assert_eq!((text.len(), write(&mut roomy)), (needed, Ok(text)));
        text.to_owned()
    };
    let target = exactly(&|buf| request.write_target(buf));
    let body = exactly(&|buf| request.write_body(buf));
    assert!(body.bytes().all(|byte| byte >= 0x20));
    (target, serde_json::from_str(&body).unwrap())
}

/// What is left of a path, by the book: up to the query, or up to the fragment.
fn path_only(path: &str) -> String {
    let end = path.find(['?', '#']).unwrap_or(path.len());
    slashed(&path[..end])
}

fn slashed(path: &str) -> String {
    if path.starts_with('/') { path.to_owned() } else { format!("/{path}") }
}

proptest! {
    #![proptest_config(config(1))]

    #[test]
    fn a_validate_request_is_one_request_with_exactly_its_parts(
        env in text(), method in token(), path in text(), name in text(), time in timestamp(),
        headers in proptest::collection::btree_map(text().prop_map(|name| name.to_ascii_lowercase()), text(), 0..5),
        payload in proptest::option::of(object()),
    ) {
        let pairs: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let payload_text = payload.as_ref().map(|payload| serde_json::to_string_pretty(payload).unwrap());
        let method_path = MethodPath::new(&method, &path).unwrap();
        let mut request = ValidateRequest::new(ClientId::new(CLIENT).unwrap(), &env, method_path, time)
            .key_name(&name)
            .headers(&pairs);
        let mut expected = json!({ "name": name, "timestamp": time.as_str(), "headers": headers });
        if let Some((text, payload)) = payload_text.as_deref().zip(payload) {
            request = request.payload(JsonObject::new(text).unwrap());
            expected["payload"] = Value::Object(payload);
        }

        let (target, body) = written(&request);
        prop_assert!(target.len() <= 82 + 3 * (env.len() + method.len() + path.len()));
        let method_path = format!("{}:::{}", method.to_ascii_uppercase(), path_only(&path));
        let pairs = vec![("project_env", env), ("method_path", method_path)];
        prop_assert_eq!(parsed(&target), (&*format!("/client/{CLIENT}"), pairs));
        prop_assert_eq!(body, expected);
    }

    #[test]
    fn a_query_that_was_asked_for_is_kept_whole(method in token(), path in text(), time in timestamp()) {
        let method_path = MethodPath::with_query(&method, &path).unwrap();
        let expected = format!("{}:::{}", method.to_ascii_uppercase(), slashed(path.split('#').next().unwrap()));
        prop_assert_eq!(method_path.to_string(), expected.as_str());
        let request = ValidateRequest::new(ClientId::new(CLIENT).unwrap(), "env", method_path, time);
        let (target, _) = written(&request);
        prop_assert_eq!(&parsed(&target).1[1], &("method_path", expected));
    }

    #[test]
    fn a_client_is_created_with_exactly_its_parts(
        env in text(), name in text(), keys in vec((text(), proptest::option::of(timestamp())), 0..4),
        template in proptest::option::of(text()), metadata in proptest::option::of(object()),
        networks in proptest::option::of(vec(text(), 0..3)),
    ) {
        let client_keys: Vec<_> = keys.iter().map(|(name, expires)| match expires {
            Some(time) => ClientKey::new(name).expires_at(*time),
            None => ClientKey::new(name),
        }).collect();
        let keys: Vec<_> = keys.iter().map(|(name, expires)| match expires {
            Some(time) => json!({ "name": name, "expiresAt": time.as_str() }),
            None => json!({ "name": name }),
        }).collect();
        let metadata_text = metadata.as_ref().map(|metadata| serde_json::to_string(metadata).unwrap());
        let refs: Option<Vec<&str>> = networks.as_ref().map(|all| all.iter().map(String::as_str).collect());

        let mut request = CreateClient::new(&env, &name).client_type(ClientType::Device).keys(&client_keys);
        let mut expected = json!({ "name": name, "type": "device", "keys": keys });
        if let Some(template) = &template {
            request = request.template_id(template);
            expected["templateId"] = json!(template);
        }
        if let Some((text, metadata)) = metadata_text.as_deref().zip(metadata) {
            request = request.metadata(JsonObject::new(text).unwrap());
            expected["metadata"] = Value::Object(metadata);
        }
        if let Some(refs) = &refs {
            request = request.ip_whitelist(refs);
            expected["ipWhitelist"] = json!(refs);
        }

        let (target, body) = written(&request);
        prop_assert_eq!(parsed(&target), ("/client", vec![("project_env", env.clone())]));
        prop_assert_eq!(body, expected);
    }

    #[test]
    fn an_endpoint_is_registered_with_exactly_its_parts(
        env in text(), method in token(), path in text(), name in proptest::option::of(text()),
    ) {
        let mut request = RegisterEndpoint::new(&env, MethodPath::new(&method, &path).unwrap());
        if let Some(name) = &name {
            request = request.name(name);
        }
        let (method, path) = (method.to_ascii_uppercase(), path_only(&path));
        let name = name.clone().unwrap_or_else(|| format!("{method} {path}"));
        let (target, body) = written(&request);
        prop_assert_eq!(parsed(&target), ("/endpoint", vec![("project_env", env.clone())]));
        prop_assert_eq!(body, json!({ "method": method, "path": path, "name": name }));
    }

    #[test]
    fn any_method_is_a_token_or_refused(method in text()) {
        let is_token = |method: &str| !method.is_empty()
            && method.chars().all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c));
        prop_assert_eq!(MethodPath::new(&method, "/").is_ok(), is_token(&method));
    }
}

fn body_with_headers(headers: &[(&str, &str)]) -> String {
    let now = Timestamp::new(UnixTime::from_secs(0)).unwrap();
    let method_path = MethodPath::new("GET", "/").unwrap();
    let request = ValidateRequest::new(ClientId::new(CLIENT).unwrap(), "env", method_path, now).headers(headers);
    assert!(!format!("{request:?}").contains("apikee_"), "the raw key is in the debug output");
    request.write_body(&mut [0; 1024]).unwrap().to_owned()
}

#[test]
fn line_breaks_in_header_values_split_nothing() {
    let body = body_with_headers(&[("x-api-key", "apikee_a.b\r\nX-Apikee-Encrypted: 0\r\n\r\n\"},\"name\":\"other\0")]);
    assert_eq!(
        body,
        r#"{"name":"default","timestamp":"1970-01-01T00:00:00.000Z","headers":{"x-api-key":"apikee_a.b\r\nX-Apikee-Encrypted: 0\r\n\r\n\"},\"name\":\"other\u0000"}}"#
    );
}

#[test]
fn header_fields_of_one_name_are_sent_as_one() {
    let body = body_with_headers(&[("X-A", "1"), ("b", "2"), ("x-a", "3"), ("B", ""), ("c", "\"")]);
    assert!(body.ends_with(r#""headers":{"X-A":"1, 3","b":"2, ","c":"\""}}"#), "{body}");
}

#[test]
fn requests_and_answers_allocate_nothing() {
    let key = ProjectKey::new("sk_test_example").unwrap();
    let mut answer = *br#"{"success":true,"message":"caf\u00e9","durationMs":1.5}"#;
    let mut record = *br#"{"id":"497f6eca-6276-4993-bfeb-53cbbbba6f08"}"#;
    let count = allocation_counter::measure(|| {
        let now = Timestamp::new(UnixTime::from_secs(0)).unwrap();
        let method_path = MethodPath::new("get", "/caf\u{e9}?a").unwrap();
        let validate = ValidateRequest::new(ClientId::new(CLIENT).unwrap(), "env", method_path, now)
            .headers(&[("a", "\n"), ("A", "b")])
            .payload(JsonObject::new("{\"a\":[1]}").unwrap());
        let (mut target, mut body) = ([0; 256], [0; 512]);
        validate.write_target(&mut target).unwrap();
        validate.write_body(&mut body).unwrap();
        validate.header_fields(&key, UserAgent::default());
        CreateClient::new("env", "acme").write_body(&mut body).unwrap();
        RegisterEndpoint::new("env", method_path).write_body(&mut body).unwrap();
        assert!(Answer::read_unsealed(&mut answer).unwrap().success());
        ClientRecord::read_unsealed(&mut record).unwrap();
    });
    assert_eq!(count.count_total, 0);
}

#[test]
fn members_stand_in_the_order_of_the_sdk() {
    let now = Timestamp::new(UnixTime::from_secs(0)).unwrap();
    let keys = [ClientKey::new("k").expires_at(now), ClientKey::new("l")];
    let request = CreateClient::new("env", "n")
        .client_type(ClientType::Person)
        .ip_whitelist(&["203.0.113.0/24", "::1"])
        .metadata(JsonObject::new("{ \"a\" : [ 1.50 ] }").unwrap())
        .template_id("t")
        .keys(&keys);
    let mut buf = [0; 512];
    assert_eq!(
        request.write_body(&mut buf).unwrap(),
        "{\"name\":\"n\",\"type\":\"person\",\"keys\":[{\"name\":\"k\",\"expiresAt\":\"1970-01-01T00:00:00.000Z\"},\
         {\"name\":\"l\"}],\"templateId\":\"t\",\"metadata\":{\"a\":[1.50]},\"ipWhitelist\":[\"203.0.113.0/24\",\"::1\"]}"
    );
}
