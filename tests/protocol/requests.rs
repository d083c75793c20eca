//! Whatever the parts of a request contain, the result is one request with exactly those parts.

use std::collections::BTreeMap;

use apikee::{
    BufferTooSmall, UnixTime,
    meta::JsonObject,
    protocol::{
        Answer, ClientId, ClientKey, ClientRecord, ClientType, CreateClient, FindClient, FoundClient, HttpMethod,
        MethodPath, ProjectKey, RegisterEndpoint, Request, Sealing, Timestamp, UserAgent, ValidateRequest,
    },
};
use proptest::{collection::vec, prelude::*, sample::select, string::string_regex, test_runner::RngSeed};
use serde_json::{Map, Value, json};

use crate::support::exactly;

const CLIENT: &str = "497f6eca-6276-4993-bfeb-53cbbbba6f08";

fn config(seed: u64) -> ProptestConfig {
    ProptestConfig { cases: 512, rng_seed: RngSeed::Fixed(seed), ..ProptestConfig::default() }
}

/// Random characters. Those with a special meaning are more frequent.
fn text() -> impl Strategy<Value = String> {
    let special =
        select("\0\r\n\t \"\\/%+&=?#:;,{}[]'\u{7f}\u{80}\u{2028}\u{fffd}\u{10ffff}\u{e9}".chars().collect::<Vec<_>>());
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

/// The path and the query values of a target, decoded as `application/x-www-form-urlencoded`.
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

/// The target and the body of the request.
fn written(request: &impl Request) -> (String, Value) {
    let target = exactly(&|buf| request.write_target(buf));
    let body = exactly(&|buf| request.write_body(buf));
    assert!(body.bytes().all(|byte| byte >= 0x20));
    (target, serde_json::from_str(&body).unwrap())
}

/// Without the control characters C0 and DEL.
fn without_controls(value: &str) -> String {
    value.chars().filter(|c| !matches!(c, '\0'..='\u{1f}' | '\u{7f}')).collect()
}

/// The part of a path up to the query or the fragment.
fn path_only(path: &str) -> String {
    let end = path.find(['?', '#']).unwrap_or(path.len());
    slashed(&path[..end])
}

fn slashed(path: &str) -> String {
    if path.starts_with('/') { path.to_owned() } else { format!("/{path}") }
}

const NEVER_CUT: [&str; 3] = ["X-Api-Key", "X-Forwarded-For", "x-real-ip"];

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
        let sent: BTreeMap<_, _> = headers.iter().map(|(name, value)| (name, without_controls(value))).collect();
        let mut expected = json!({ "name": name, "timestamp": time.as_str(), "headers": sent });
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
    fn a_limited_body_keeps_key_and_addresses_and_cuts_other_values(
        headers in vec((prop_oneof![select(&NEVER_CUT[..]).prop_map_into(), Just("a".into()), text()], text()), 0..8),
        payload in proptest::option::of(object()), limit in 0..700_usize,
    ) {
        let pairs: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let never_cut: Vec<_> = pairs.iter().copied().filter(|(name, _)| NEVER_CUT.contains(name)).collect();
        let payload = payload.map(Value::Object);
        let payload_text = payload.as_ref().map_or(String::new(), Value::to_string);
        let request = |headers| {
            let now = Timestamp::new(UnixTime::from_secs(0)).unwrap();
            let client = ClientId::new(CLIENT).unwrap();
            let request = ValidateRequest::new(client, "env", MethodPath::new("GET", "/").unwrap(), now);
            let request = request.headers(headers);
            if payload.is_some() { request.payload(JsonObject::new(&payload_text).unwrap()) } else { request }
        };
        let (_, whole) = written(&request(&pairs));
        let (_, least) = written(&request(&never_cut));
        let (_, body) = written(&request(&pairs).max_body_len(limit));
        let len = |body: &Value| body.to_string().len() - payload_text.len();

        prop_assert!(len(&body) <= limit || body == least);
        prop_assert_eq!(&body["payload"], payload.as_ref().unwrap_or(&Value::Null));
        let (sent, all) = (body["headers"].as_object().unwrap(), whole["headers"].as_object().unwrap());
        for name in NEVER_CUT {
            prop_assert_eq!(sent.get(name), all.get(name));
        }
        for (name, value) in sent {
            prop_assert!(all[name].as_str().unwrap().starts_with(value.as_str().unwrap()));
        }
        // The name of the payload and a comma always count. The longest character has four bytes.
        let slack = 11 + 1 + 4;
        if len(&whole) + slack <= limit {
            prop_assert_eq!(sent, all);
        } else if sent.iter().any(|(name, value)| *value != all[name]) {
            prop_assert!(len(&body) + slack >= limit);
        }
    }

    #[test]
    fn a_client_is_looked_up_by_exactly_its_name(env in text(), name in text()) {
        let mut buf = vec![0; 1024];
        let request = FindClient::new(&env, &name);
        prop_assert_eq!(request.write_body(&mut []), Ok(""));
        let BufferTooSmall { needed } = request.write_target(&mut []).unwrap_err();
        let target = request.write_target(&mut buf).unwrap();
        prop_assert_eq!(target.len(), needed);
        prop_assert!(target.len() <= 82 + 3 * (env.len() + name.len()));
        let pairs = vec![("project_env", env.clone()), ("name", name.clone()), ("limit", "100".to_owned())];
        prop_assert_eq!(parsed(target), ("/client", pairs));
    }

    #[test]
    fn with_query_keeps_the_whole_query(method in token(), path in text(), time in timestamp()) {
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
        let name = name.clone().filter(|name| !name.is_empty()).unwrap_or_else(|| format!("{method} {path}"));
        let (target, body) = written(&request);
        prop_assert_eq!(parsed(&target), ("/endpoint", vec![("project_env", env.clone())]));
        prop_assert_eq!(body, json!({ "method": method, "path": path, "name": name }));
    }

    #[test]
    fn a_method_that_is_not_a_token_is_refused(method in text()) {
        let is_token = |method: &str| !method.is_empty()
            && method.chars().all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c));
        prop_assert_eq!(MethodPath::new(&method, "/").is_ok(), is_token(&method));
    }
}

fn body_with_headers(headers: &[(&str, &str)]) -> String {
    let now = Timestamp::new(UnixTime::from_secs(0)).unwrap();
    let method_path = MethodPath::new("GET", "/").unwrap();
    let request = ValidateRequest::new(ClientId::new(CLIENT).unwrap(), "env", method_path, now).headers(headers);
    let shown = format!("{request:?}");
    assert!(shown.starts_with("ValidateRequest {") && !shown.contains("apikee_"), "the raw key is in: {shown}");
    request.write_body(&mut [0; 1024]).unwrap().to_owned()
}

#[test]
fn line_breaks_in_header_values_are_removed() {
    let body = body_with_headers(&[("x-api-key", "apikee_a.b\r\nX-Apikee-Encrypted: 0\r\n\r\n\"},\"name\":\"other\0")]);
    assert_eq!(
        body,
        r#"{"name":"default","timestamp":"1970-01-01T00:00:00.000Z","headers":{"x-api-key":"apikee_a.bX-Apikee-Encrypted: 0\"},\"name\":\"other"}}"#
    );
}

#[test]
fn header_fields_with_the_same_name_are_joined() {
    let body = body_with_headers(&[("X-A", "1"), ("b", "2"), ("x-a", "3"), ("B", ""), ("c", "\"")]);
    assert!(body.ends_with(r#""headers":{"X-A":"1, 3","b":"2, ","c":"\""}}"#), "{body}");
}

#[test]
fn header_values_are_cut_by_their_length_in_json() {
    let now = Timestamp::new(UnixTime::from_secs(0)).unwrap();
    let headers = [("a", "\"\"\"\u{e9}"), ("long-name", "b"), ("x-api-key", "apikee_a.b"), ("A", "\u{7f}c"), ("d", "")];
    let request =
        ValidateRequest::new(ClientId::new(CLIENT).unwrap(), "env", MethodPath::new("GET", "/").unwrap(), now)
            .headers(&headers);
    // The text around the members of `headers`, and the name of the payload.
    let around = r#"{"name":"default","timestamp":"1970-01-01T00:00:00.000Z","headers":{}}"#.len() + 11;
    let key = r#""x-api-key":"apikee_a.b""#;
    let whole = "\"a\":\"\\\"\\\"\\\"\u{e9}";
    for (room, expected) in [
        (0, key.to_owned()),
        (30, key.to_owned()),
        (31, format!(r#""a":"",{key}"#)),
        (32, format!(r#""a":"",{key}"#)),
        (33, format!(r#""a":"\"",{key}"#)),
        (37, format!(r#""a":"\"\"\"",{key}"#)),
        (38, format!(r#""a":"\"\"\"",{key}"#)),
        (39, format!(r#"{whole}",{key}"#)),
        (42, format!(r#"{whole}, c",{key}"#)),
        (49, format!(r#"{whole}, c",{key},"d":"""#)),
        (56, format!(r#"{whole}, c",{key},"d":"""#)),
        (57, format!(r#"{whole}, c","long-name":"",{key}"#)),
        (99, format!(r#"{whole}, c","long-name":"b",{key},"d":"""#)),
    ] {
        let mut buf = [0; 512];
        let body = request.max_body_len(around + room).write_body(&mut buf).unwrap();
        assert!(body.ends_with(&format!(r#""headers":{{{expected}}}}}"#)), "{room}: {body}");
        assert!(room < key.len() || body.len() <= around - 11 + room);
    }
}

/// A client writes the first value. It must not decide which address the platform checks.
#[test]
fn an_address_is_never_cut_whatever_is_before_it() {
    let now = Timestamp::new(UnixTime::from_secs(0)).unwrap();
    let method_path = MethodPath::new("GET", "/").unwrap();
    let request = ValidateRequest::new(ClientId::new(CLIENT).unwrap(), "env", method_path, now).max_body_len(400);
    for value in ["v", "\"", "\u{1F600}"] {
        for len in 0..400 {
            let agent = value.repeat(len);
            let headers = [
                ("user-agent", agent.as_str()),
                ("X-Forwarded-For", "203.0.113.45"),
                ("x-more", agent.as_str()),
                ("x-forwarded-for", "198.51.100.7"),
                ("X-Real-IP", "203.0.113.45"),
            ];
            let (_, body) = written(&request.headers(&headers));
            assert_eq!(body["headers"]["X-Forwarded-For"], "203.0.113.45, 198.51.100.7", "{len} of {value}");
            assert_eq!(body["headers"]["X-Real-IP"], "203.0.113.45", "{len} of {value}");
            assert!(body.to_string().len() <= 400);
        }
    }
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
        validate.max_body_len(16).write_body(&mut body).unwrap();
        assert_eq!(validate.header_fields(&key, UserAgent::default()).len(), 4);
        let find = FindClient::new("env", "acme");
        find.write_target(&mut target).unwrap();
        assert_eq!(find.header_fields(&key, UserAgent::default()).len(), 2);
        let list = br#"{"data":[{"id":"497f6eca-6276-4993-bfeb-53cbbbba6f08","name":"acm\u0065"}]}"#;
        assert!(matches!(FoundClient::read_unsealed(list, "acme"), Ok(FoundClient::One(_))));
        CreateClient::new("env", "acme").write_body(&mut body).unwrap();
        RegisterEndpoint::new("env", method_path).write_body(&mut body).unwrap();
        assert!(Answer::read_unsealed(&mut answer).unwrap().success());
        ClientRecord::read_unsealed(&mut record).unwrap();
    });
    assert_eq!(count.count_total, 0);
}

#[test]
fn members_have_the_order_of_the_sdk() {
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

#[test]
fn a_type_of_client_is_read_only_from_the_word_of_the_platform() {
    use ClientType::{Company, Device, Internal, Person, Service};
    let words = ["person", "company", "service", "device", "internal"];
    assert_eq!(words.map(str::parse), [Person, Company, Service, Device, Internal].map(Ok));
    for text in ["", "Person", "device ", "robot"] {
        assert!(text.parse::<ClientType>().is_err(), "{text:?}");
    }
}

#[test]
fn header_fields_show_their_names_and_no_project_key() {
    let key = ProjectKey::new("sk_live_hunter2").unwrap();
    let find = FindClient::new("acme-corp", "my-app-production");
    let shown = format!("{key:?} {:?}", find.header_fields(&key, UserAgent::new("x/1").unwrap()));
    assert!(shown.starts_with("ProjectKey { .. } {") && shown.contains("\"User-Agent\""), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
    assert_eq!([FindClient::METHOD, CreateClient::METHOD].map(HttpMethod::as_str), ["GET", "POST"]);
    assert_eq!(Sealing::Required.to_string(), "required");
}

#[test]
fn a_withheld_key_is_in_no_field_and_not_in_the_payload() {
    let key = "apikee_0123456789abcdef.SIGNATURE0123456789";
    let (bearer, cut) = (format!("Bearer {key}"), format!("... {}", &key[..30]));
    let headers = [
        ("x-api-key", key),
        ("Authorization", bearer.as_str()),
        ("x-log", cut.as_str()),
        ("accept", "text/html"),
        ("x-prefix", "apikee_"),
        ("x-log-prefix", "key apikee_01234..."),
        ("x-one-more", "key apikee_012345..."),
        ("x-control", "key a\u{7f}pi\t\r\nkee_0123\0\u{1}45..."),
        (key, "a name can be a key, too"),
    ];
    let now = Timestamp::new(UnixTime::from_secs(0)).unwrap();
    let request = |payload| {
        ValidateRequest::new(ClientId::new(CLIENT).unwrap(), "env", MethodPath::new("GET", "/").unwrap(), now)
            .headers(&headers)
            .payload(JsonObject::new(payload).unwrap())
    };
    let inner = r#"{"note":"apikee_0123456789abcdef.SIGNATURE\u0030123456789"}"#;
    for (payload, sent) in [(inner, Value::Null), (r#"{"plan":"pro"}"#, json!({"plan": "pro"}))] {
        let request_without = request(payload).withhold_key(key);
        // The length that the error names is enough.
        let BufferTooSmall { needed } = request_without.write_body(&mut []).unwrap_err();
        let body = request_without.write_body(&mut vec![0; needed]).unwrap().to_owned();
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(
            body["headers"],
            json!({"accept": "text/html", "x-prefix": "apikee_", "x-log-prefix": "key apikee_01234..."})
        );
        assert_eq!(body["payload"], sent);
        assert!(!body.to_string().contains("SIGNATURE"), "{body}");
        // A key that is not withheld is there.
        assert!(written(&request(payload)).1.to_string().contains("SIGNATURE"));
    }
}

#[test]
fn a_duration_is_cut_to_whole_milliseconds_or_ignored() {
    let cases = [
        ("7", Some(7)),
        ("7.9", Some(7)),
        ("0", Some(0)),
        ("1e3", None),
        ("7.5e3", None),
        ("7.5E3", None),
        ("-1", None),
    ];
    for (number, read) in cases.into_iter().chain([("\"7\"", None), ("18446744073709551616", None)]) {
        let mut answer = format!(r#"{{"success":true,"durationMs":{number}}}"#).into_bytes();
        assert_eq!(Answer::read_unsealed(&mut answer).unwrap().duration_ms(), read, "{number}");
    }
}
