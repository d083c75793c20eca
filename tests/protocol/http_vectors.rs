//! Compares our requests with those of the published Python SDK, recorded in `tests/vectors/http.json`. The same inputs
//! must give the same target, header fields and body. The SDK's timestamps have microseconds and `+00:00`, ours have
//! milliseconds and `Z`, so they are compared as times.

use std::{
    fs,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use apikee::{
    UnixTime,
    meta::JsonObject,
    protocol::{
        BodyForm, ClientId, ClientKey, ClientType, CreateClient, MethodPath, ProjectKey, RegisterEndpoint, Request,
        Timestamp, UserAgent, ValidateRequest,
    },
};
use serde_json::{Value, json};

const BASE_PATH: &str = "/api/v1";
const ENV: &str = "my-app-production";
const CLIENT: &str = "497f6eca-6276-4993-bfeb-53cbbbba6f08";

fn recorded() -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/http.json");
    let file: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let Some(Value::Array(exchanges)) = file.get("exchanges").cloned() else { panic!("no exchanges") };
    assert_eq!(exchanges.len(), 8);
    exchanges
}

/// A time from either side, in milliseconds.
fn millis(text: &Value) -> i64 {
    let utc = text.as_str().unwrap().replace("+00:00", "Z");
    let time: SystemTime = humantime::parse_rfc3339(&utc).unwrap();
    time.duration_since(UNIX_EPOCH).unwrap().as_millis().try_into().unwrap()
}

fn timestamp(text: &Value) -> Timestamp {
    Timestamp::new(UnixTime::from_millis(millis(text))).unwrap()
}

/// The body, with its times as numbers.
fn comparable(mut body: Value) -> Value {
    for time in ["/timestamp", "/keys/0/expiresAt"] {
        if let Some(time) = body.pointer_mut(time) {
            *time = json!(millis(time));
        }
    }
    body
}

/// The fields with names in lower case, without the value of the user agent and without HTTP's own fields.
fn fields<'h>(fields: impl IntoIterator<Item = (&'h str, &'h str)>) -> Vec<(String, String)> {
    let one = |(name, value): (&str, &str)| match name.to_ascii_lowercase() {
        name if name == "user-agent" => (name, String::new()),
        name => (name, value.to_owned()),
    };
    let mut all: Vec<_> = fields.into_iter().map(one).collect();
    all.sort();
    all
}

#[track_caller]
fn same(request: &impl Request, exchange: &Value) {
    let form = form_of(request);
    assert_eq!(form == BodyForm::Sealed, exchange["encrypted"] == true);

    let mut buf = [0; 1024];
    let target = request.write_target(&mut buf).unwrap();
    assert_eq!(format!("{BASE_PATH}{target}"), exchange["target"]);

    let body = request.write_body(&mut buf).unwrap();
    if form == BodyForm::Plain {
        assert_eq!(body, exchange["body_bytes_on_the_wire"]);
    }
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!(comparable(body), comparable(exchange["body"].clone()));

    let key = ProjectKey::new("sk_test_example").unwrap();
    let theirs = exchange["headers"].as_object().unwrap().iter();
    let theirs = theirs.filter(|(name, _)| *name != "X-Apikee-Signature");
    let theirs = theirs.map(|(name, value)| (name.as_str(), value.as_str().unwrap()));
    let ours = request.header_fields(&key, UserAgent::default());
    assert_eq!(fields(ours.iter().copied()), fields(theirs));
}

fn form_of<R: Request>(_: &R) -> BodyForm {
    R::FORM
}

#[test]
fn validate_requests_are_as_the_sdk_sends_them() {
    let exchanges = recorded();
    let client = ClientId::new(CLIENT).unwrap();
    let validate = |exchange: usize, method_path| {
        ValidateRequest::new(client, ENV, method_path, timestamp(&exchanges[exchange]["body"]["timestamp"]))
    };

    let headers = [("user-agent", "curl/8.5.0"), ("x-api-key", "apikee_example.signature")];
    same(&validate(0, MethodPath::new("GET", "/users").unwrap()).headers(&headers), &exchanges[0]);

    // The SDK always sends the query. This crate sends it only with `with_query`.
    let path = "/orders/42?x=1&y=a b";
    let payload = JsonObject::new(r#"{ "userId": 12345 }"#).unwrap();
    let request = validate(1, MethodPath::with_query("post", path).unwrap()).key_name("clef caf\u{e9}");
    same(&request.payload(payload), &exchanges[1]);
    let mut buf = [0; 256];
    let target = validate(1, MethodPath::new("post", path).unwrap()).write_target(&mut buf).unwrap().to_owned();
    assert!(target.ends_with("method_path=POST%3A%3A%3A%2Forders%2F42"));

    same(&validate(2, MethodPath::new("GET", "/caf\u{e9}/\u{65e5}\u{672c}").unwrap()), &exchanges[2]);
    same(&validate(7, MethodPath::new("GET", "/signed").unwrap()), &exchanges[7]);
}

#[test]
fn endpoints_are_registered_as_the_sdk_does() {
    let exchanges = recorded();
    same(&RegisterEndpoint::new(ENV, MethodPath::new("get", "users").unwrap()), &exchanges[3]);
    let orders = RegisterEndpoint::new(ENV, MethodPath::new("POST", "/orders").unwrap());
    same(&orders.name("create order"), &exchanges[4]);
}

#[test]
fn clients_are_created_as_the_sdk_does() {
    let exchanges = recorded();
    let expires_at = timestamp(&exchanges[5]["body"]["keys"][0]["expiresAt"]);
    let keys = [ClientKey::new("acme-corp-key").expires_at(expires_at)];
    let full = CreateClient::new(ENV, "acme-corp")
        .client_type(ClientType::Service)
        .keys(&keys)
        .template_id("tmpl_pro")
        .metadata(JsonObject::new(r#"{"plan":"pro"}"#).unwrap())
        .ip_whitelist(&["203.0.113.0/24"]);
    same(&full, &exchanges[5]);
    same(&CreateClient::new(ENV, "minimal"), &exchanges[6]);
}
