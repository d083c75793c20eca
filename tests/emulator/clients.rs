//! Clients that calls create, and endpoints that calls register.

use apikee::{
    UnixTime,
    emulator::{EmulatedClient, Emulator, RequestKind},
    meta::JsonObject,
    protocol::{
        ClientId, ClientKey, ClientRecord, ClientType, CreateClient, FindClient, FoundClient, MethodPath, ProjectKey,
        RegisterEndpoint, Request, Sealing, Timestamp, UserAgent, ValidateRequest,
    },
};
use serde_json::json;

use crate::{
    NOW, builder,
    calls::Call,
    id, started, validation,
    wire::{Response, Wire},
};

const ENV: &str = Emulator::PROJECT_ENV;

fn create(emulator: &Emulator, request: &CreateClient<'_>) -> serde_json::Value {
    Call::of(emulator, request).to(emulator).opened().unwrap()
}

fn ask(emulator: &Emulator, client: ClientId, headers: &[(&str, &str)]) -> crate::calls::Answered {
    let route = MethodPath::new("GET", "/users").unwrap();
    let request = ValidateRequest::new(client, ENV, route, Timestamp::new(NOW).unwrap()).headers(headers);
    Call::of(emulator, &request).to(emulator)
}

#[test]
fn a_client_is_created_with_all_its_properties() {
    let emulator = builder().start().unwrap();
    let end = Timestamp::new(UnixTime::from_secs(1_798_761_600)).unwrap();
    let keys = [ClientKey::new("acme-corp-key").expires_at(end), ClientKey::new("spare")];
    let request = CreateClient::new(ENV, "acme-corp")
        .client_type(ClientType::Company)
        .keys(&keys)
        .template_id("tmpl_pro")
        .metadata(JsonObject::new(r#"{"plan":"pro"}"#).unwrap())
        .ip_whitelist(&["203.0.113.0/24"]);
    let mut record = create(&emulator, &request);
    for key in record["keys"].as_array_mut().unwrap() {
        assert!(ClientId::new(key["id"].take().as_str().unwrap()).is_ok());
    }
    let id = emulator.client_named("acme-corp").unwrap();
    let expected = json!({
        "id": id.to_string(),
        "name": "acme-corp",
        "type": "company",
        "keys": [
            { "id": null, "name": "acme-corp-key", "expiresAt": "2027-01-01T00:00:00.000Z" },
            { "id": null, "name": "spare" },
        ],
        "templateId": "tmpl_pro",
        "metadata": { "plan": "pro" },
        "ipWhitelist": ["203.0.113.0/24"],
    });
    assert_eq!(record, expected);
    ask(&emulator, id, &[("x-real-ip", "203.0.113.9")]).accepted();
    ask(&emulator, id, &[]).failed(403, "IP_NOT_ALLOWED");
}

#[test]
fn creating_a_client_again_keeps_its_id_and_its_limits() {
    let emulator = started();
    emulator.add_client(id(), EmulatedClient::new("acme-corp").hourly(1));
    let record = create(&emulator, &CreateClient::new(ENV, "acme-corp").client_type(ClientType::Device));
    assert_eq!((&record["id"], &record["type"]), (&json!(id().to_string()), &json!("device")));
    Call::of(&emulator, &validation()).to(&emulator).accepted();
    create(&emulator, &CreateClient::new(ENV, "acme-corp"));
    Call::of(&emulator, &validation()).to(&emulator).failed(429, "RATE_LIMITED");
}

#[test]
fn a_client_can_be_added_with_a_random_id() {
    let emulator = builder().start().unwrap();
    let id = emulator.create_client(EmulatedClient::new("acme-corp")).unwrap();
    assert_eq!(emulator.client_named("acme-corp"), Some(id));
    ask(&emulator, id, &[]).accepted();
}

#[test]
fn ids_are_random_uuids_and_the_same_for_the_same_seed() {
    let ids = |emulator: Emulator| ["a", "b"].map(|name| create(&emulator, &CreateClient::new(ENV, name))["id"].take());
    let seeded = ids(builder().seed(1).start().unwrap());
    let drawn = ids(builder().start().unwrap());
    for id in seeded.iter().chain(&drawn) {
        let id = id.as_str().unwrap();
        assert!(ClientId::new(id).is_ok() && id[14..].starts_with('4') && "89ab".contains(&id[19..20]), "{id}");
    }
    assert_eq!(ids(builder().seed(1).start().unwrap()), seeded);
    assert_ne!(ids(builder().start().unwrap()), drawn);
    assert_ne!(seeded[0], seeded[1]);
}

#[test]
fn the_record_of_a_client_can_be_unsealed() {
    let emulator = builder().sealing(Sealing::Requests).start().unwrap();
    let mut response = Call::of(&emulator, &CreateClient::new(ENV, "acme-corp")).to(&emulator).response;
    let record = ClientRecord::read_unsealed(&mut response.body).unwrap();
    assert_eq!(Some(record.id()), emulator.client_named("acme-corp"));
}

#[test]
fn a_malformed_description_creates_no_client() {
    let emulator = builder().start().unwrap();
    for body in [
        json!({}),
        json!({ "name": "", "type": "service" }),
        json!({ "name": "a" }),
        json!({ "name": "a", "type": "robot" }),
        json!({ "name": "a", "type": "service", "keys": {} }),
        json!({ "name": "a", "type": "service", "keys": [{}] }),
        json!({ "name": "a", "type": "service", "keys": [{ "name": "k", "expiresAt": "soon" }] }),
        json!({ "name": "a", "type": "service", "ipWhitelist": ["everywhere"] }),
        json!({ "name": "a", "type": "service", "ipWhitelist": "10.0.0.0/8" }),
    ] {
        let call = Call::of(&emulator, &CreateClient::new(ENV, "a"));
        let call = call.sealing(&emulator, body.to_string().as_bytes());
        call.to(&emulator).failed(400, "MALFORMED_REQUEST");
    }
    assert_eq!(emulator.client_named("a"), None);
}

fn get(emulator: &Emulator, target: &str, fields: &[(&str, &str)]) -> Response {
    let fields: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let mut wire = Wire::to(emulator);
    wire.write(format!("GET /api/v1{target} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n"));
    wire.read().unwrap()
}

fn find(emulator: &Emulator, name: &str) -> FoundClient {
    let (request, key) = (FindClient::new(ENV, name), ProjectKey::new(Emulator::PROJECT_KEY).unwrap());
    let mut buf = [0; 256];
    let fields = request.header_fields(&key, UserAgent::DEFAULT);
    let response = get(emulator, request.write_target(&mut buf).unwrap(), &fields);
    assert_eq!(response.status, 200);
    FoundClient::read_unsealed(&response.body, name).unwrap()
}

#[test]
fn a_client_is_found_only_by_its_complete_name() {
    let emulator = builder().start().unwrap();
    let acme = emulator.create_client(EmulatedClient::new("acme corp & co")).unwrap();
    emulator.create_client(EmulatedClient::new("acme corp & co staging")).unwrap();
    assert_eq!(find(&emulator, "acme corp & co"), FoundClient::One(acme));
    assert_eq!(find(&emulator, "acme corp"), FoundClient::None);
    assert_eq!(find(&emulator, "other"), FoundClient::None);
    emulator.add_client(id(), EmulatedClient::new("acme corp & co"));
    assert_eq!(find(&emulator, "acme corp & co"), FoundClient::Several);

    let seen = emulator.log().into_iter().map(|entry| (entry.kind, entry.status, entry.refusal));
    assert_eq!(seen.collect::<Vec<_>>(), [(RequestKind::Lookup, Some(200), None); 4]);
}

#[test]
fn an_endpoint_is_registered_once_with_its_latest_name() {
    let emulator = builder().start().unwrap();
    let users = RegisterEndpoint::new(ENV, MethodPath::new("get", "/users").unwrap());
    let orders = RegisterEndpoint::new(ENV, MethodPath::new("POST", "/orders").unwrap());
    for request in [users, orders, users.name("all users")] {
        assert_eq!(Call::of(&emulator, &request).to(&emulator).response.status, 200);
    }
    let endpoints = emulator.endpoints();
    let seen: Vec<_> = endpoints.iter().map(|e| (e.method.as_str(), e.path.as_str(), e.name.as_str())).collect();
    assert_eq!(seen, [("GET", "/users", "all users"), ("POST", "/orders", "POST /orders")]);
}

#[test]
fn a_malformed_endpoint_is_not_registered() {
    let emulator = builder().start().unwrap();
    let request = RegisterEndpoint::new(ENV, MethodPath::new("GET", "/users").unwrap());
    assert!(request.write_body(&mut [0; 128]).unwrap().contains("users"));
    for body in [
        "",
        "[]",
        r#"{"method":"GET","path":"/users"}"#,
        r#"{"method":"get","path":"/users","name":"x"}"#,
        r#"{"method":"GET","path":"users","name":"x"}"#,
        r#"{"method":"","path":"/users","name":"x"}"#,
    ] {
        let call = Call { body: body.into(), ..Call::of(&emulator, &request) };
        call.to(&emulator).failed(400, "MALFORMED_REQUEST");
    }
    assert_eq!(emulator.endpoints(), []);
}
