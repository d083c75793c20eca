//! Clients that calls create, and endpoints that they register.

use apikee::{
    Answers, ClientId, ClientKey, ClientRecord, ClientType, CreateClient, EmulatedClient, Emulator, FindClient,
    FoundClient, JsonObject, MethodPath, ProjectKey, RegisterEndpoint, Request, RequestKind, Timestamp, UnixTime,
    UserAgent, ValidateRequest,
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
fn a_client_is_created_as_it_is_described() {
    let emulator = builder().start().unwrap();
    let end = Timestamp::new(UnixTime::from_secs(1_798_761_600)).unwrap();
    let keys = [ClientKey::new("acme-corp-key").expires_at(end), ClientKey::new("spare")];
    let request = CreateClient::new(ENV, "acme-corp")
        .client_type(ClientType::Company)
        .keys(&keys)
        .template_id("tmpl_pro")
        .metadata(JsonObject::new(r#"{"plan":"pro"}"#).unwrap())
        .ip_whitelist(&["203.0.113.0/24"]);
    let record = create(&emulator, &request);
    let id = emulator.client_named("acme-corp").unwrap();
    let expected = json!({
        "id": id.to_string(),
        "name": "acme-corp",
        "type": "company",
        "keys": [{ "name": "acme-corp-key", "expiresAt": "2027-01-01T00:00:00.000Z" }, { "name": "spare" }],
        "templateId": "tmpl_pro",
        "metadata": { "plan": "pro" },
        "ipWhitelist": ["203.0.113.0/24"],
    });
    assert_eq!(record, expected);
    ask(&emulator, id, &[("x-real-ip", "203.0.113.9")]).accepted();
    ask(&emulator, id, &[]).failed(403, "IP_NOT_ALLOWED");
}

#[test]
fn a_client_of_the_same_name_keeps_its_id_and_its_limits() {
    let emulator = started();
    emulator.add_client(id(), EmulatedClient::new("acme-corp").hourly(1));
    let record = create(&emulator, &CreateClient::new(ENV, "acme-corp").client_type(ClientType::Device));
    assert_eq!((&record["id"], &record["type"]), (&json!(id().to_string()), &json!("device")));
    Call::of(&emulator, &validation()).to(&emulator).accepted();
    create(&emulator, &CreateClient::new(ENV, "acme-corp"));
    Call::of(&emulator, &validation()).to(&emulator).failed(429, "RATE_LIMITED");
}

#[test]
fn a_client_can_be_added_under_an_id_that_is_drawn() {
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
fn a_record_can_be_plain() {
    let emulator = builder().answers(Answers::Plain).start().unwrap();
    let mut response = Call::of(&emulator, &CreateClient::new(ENV, "acme-corp")).to(&emulator).response;
    let record = ClientRecord::read_unsealed(&mut response.body).unwrap();
    assert_eq!(Some(record.id()), emulator.client_named("acme-corp"));
}

#[test]
fn what_describes_no_client_creates_none() {
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

#[test]
fn no_more_clients_are_created_than_there_is_room_for() {
    let emulator = builder().start().unwrap();
    for n in 0..1_000_u16 {
        emulator
            .add_client(ClientId::new(&format!("00000000-0000-4000-8000-{n:012}")).unwrap(), EmulatedClient::new("x"));
    }
    let call = |name| Call::of(&emulator, &CreateClient::new(ENV, name)).to(&emulator);
    call("y").failed(422, "TOO_MANY");
    assert_eq!(call("x").opened().unwrap()["name"], "x");
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
fn a_client_is_found_by_its_whole_name() {
    let emulator = builder().start().unwrap();
    let acme = emulator.create_client(EmulatedClient::new("acme corp & co")).unwrap();
    emulator.create_client(EmulatedClient::new("acme corp & co staging")).unwrap();
    assert_eq!(find(&emulator, "acme corp & co"), FoundClient::One(acme));
    assert_eq!(find(&emulator, "acme corp"), FoundClient::None);
    assert_eq!(find(&emulator, "other"), FoundClient::None);
    emulator.add_client(id(), EmulatedClient::new("acme corp & co"));
    assert_eq!(find(&emulator, "acme corp & co"), FoundClient::Several);

    let seen = emulator.log().into_iter().map(|entry| (entry.kind, entry.status, entry.refusal));
    assert_eq!(seen.collect::<Vec<_>>(), [(RequestKind::FindClient, Some(200), None); 4]);
}

#[test]
fn clients_are_listed_by_a_part_of_the_name_and_up_to_the_limit() {
    let emulator = builder().start().unwrap();
    for n in 0..30 {
        emulator.create_client(EmulatedClient::new(&format!("acme-{n}"))).unwrap();
    }
    let key = [("x-api-key", Emulator::PROJECT_KEY)];
    let list = |query: &str| get(&emulator, &format!("/client?project_env={ENV}{query}"), &key);
    for (query, listed, total) in
        [("&name=acme", 20, 30), ("&name=me-2&limit=7", 7, 11), ("&limit=100", 30, 30), ("&name=x", 0, 0)]
    {
        let body = list(query).json();
        assert_eq!((body["data"].as_array().unwrap().len(), &body["pagination"]["total"]), (listed, &json!(total)));
    }
    for query in ["&limit=-1", "&limit=x", "&limit=", "&name=a&name=b", "&name=%FF"] {
        assert_eq!(list(query).status, 400, "{query}");
    }
}

#[test]
fn a_list_of_clients_needs_the_project_key_and_its_project_env() {
    let emulator = started();
    let target = format!("/client?project_env={ENV}&name=acme-corp");
    assert_eq!(get(&emulator, &target, &[]).json(), json!({ "error": "INVALID_PROJECT_KEY" }));
    let key = [("x-api-key", Emulator::PROJECT_KEY)];
    let elsewhere = get(&emulator, "/client?project_env=other&name=acme-corp", &key);
    assert_eq!((elsewhere.status, elsewhere.json()), (404, json!({ "error": "UNKNOWN_PROJECT_ENV" })));
    assert_eq!(get(&emulator, "/client?name=acme-corp", &key).status, 400);
    assert_eq!(get(&emulator, &format!("/client/{}?project_env={ENV}&method_path=GET:::/", id()), &key).status, 405);
    assert_eq!(get(&emulator, &target, &key).json()["data"][0]["id"], id().to_string());
}

#[test]
fn endpoints_are_registered_once_under_their_last_name() {
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
fn what_is_no_endpoint_is_not_registered() {
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
