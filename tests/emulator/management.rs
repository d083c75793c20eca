//! Looking up, changing and deleting clients; templates; descriptions of endpoints; the settings of sealing.

use std::time::Duration;

use apikee::{
    emulator::{EmulatedClient, EmulatedTemplate, Emulator, Misbehaviour, Occasion, RequestKind},
    protocol::{Answer, ClientId, ClientKey, CreateClient, Sealing, ValidateRequest},
};
use serde_json::{Value, json};

use crate::{
    NOW, builder,
    calls::Call,
    id, knowing, started, validation, validation_at,
    wire::{Response, Wire},
};

const ENV: &str = Emulator::PROJECT_ENV;

/// Sends a plain call.
pub(crate) fn sent(emulator: &Emulator, method: &str, path: &str, query: &str, body: Option<&Value>) -> Response {
    let body = body.map(Value::to_string).unwrap_or_default();
    let mut wire = Wire::to(emulator);
    wire.write(format!(
        "{method} /api/v1{path}?project_env={ENV}{query} HTTP/1.1\r\nx-api-key: {}\r\nX-Apikee-Encrypted: 0\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        Emulator::PROJECT_KEY,
        body.len()
    ));
    wire.read().unwrap()
}

/// The answer to a plain call that succeeds.
#[track_caller]
pub(crate) fn send(emulator: &Emulator, method: &str, path: &str, query: &str, body: Option<&Value>) -> Value {
    let response = sent(emulator, method, path, query, body);
    assert_eq!(response.status, 200, "{}", response.json());
    response.json()
}

#[track_caller]
fn refused(response: &Response, status: u16, code: &str) {
    assert_eq!((response.status, response.json()), (status, json!({ "error": code })));
}

fn create(emulator: &Emulator, request: &CreateClient<'_>) -> Value {
    Call::of(emulator, request).to(emulator).opened().unwrap()
}

fn target(id: &Value) -> String {
    format!("/client/{}", id.as_str().unwrap())
}

#[test]
fn a_client_is_looked_up_by_exactly_its_name() {
    let emulator = builder().start().unwrap();
    for name in ["acme", "acme-corp", "b ü&=+"] {
        emulator.create_client(EmulatedClient::new(name)).unwrap();
    }
    let found = send(&emulator, "GET", "/client", "&name=acme&limit=2", None);
    assert_eq!(found["data"].as_array().unwrap().len(), 1);
    assert_eq!(found["data"][0]["id"], emulator.client_named("acme").unwrap().to_string());
    assert_eq!(found["pagination"], json!({ "page": 1, "limit": 2, "total": 1, "totalPages": 1 }));
    let found = send(&emulator, "GET", "/client", "&name=b+%C3%BC%26%3D%2B", None);
    assert_eq!(found["data"][0]["name"], "b ü&=+");
    for name in ["acm", "ACME", "", "nobody"] {
        let found = send(&emulator, "GET", "/client", &format!("&name={name}"), None);
        assert_eq!((&found["data"], &found["pagination"]["total"]), (&json!([]), &json!(0)), "{name}");
    }
    assert_eq!(emulator.log()[0].kind, RequestKind::Lookup);
}

#[test]
fn clients_are_listed_by_name_in_pages() {
    let emulator = builder().start().unwrap();
    for n in (0..250).rev() {
        emulator.create_client(EmulatedClient::new(&format!("client-{n:03}"))).unwrap();
    }
    let names = |query: &str| {
        let listed = send(&emulator, "GET", "/client", query, None);
        let names = listed["data"].as_array().unwrap().iter().map(|client| client["name"].as_str().unwrap().to_owned());
        (names.collect::<Vec<_>>(), listed["pagination"].clone())
    };
    let (first, pagination) = names("");
    assert_eq!((first.len(), first[0].as_str()), (20, "client-000"));
    assert_eq!(pagination, json!({ "page": 1, "limit": 20, "total": 250, "totalPages": 13 }));
    let (third, pagination) = names("&limit=1000&page=3");
    assert_eq!((third.len(), third[0].as_str(), &pagination["limit"]), (50, "client-200", &json!(100)));
    for query in ["&limit=0", "&limit=x", "&page=0", "&limit=-1", "&limit=1&limit=2"] {
        refused(&sent(&emulator, "GET", "/client", query, None), 400, "MALFORMED_REQUEST");
    }
}

#[test]
fn two_clients_with_the_same_name_are_both_found() {
    let emulator = builder().start().unwrap();
    let ids = [(); 2].map(|()| emulator.create_client(EmulatedClient::new("twin")).unwrap());
    let found = send(&emulator, "GET", "/client", "&name=twin&limit=1", None);
    assert_eq!((found["data"].as_array().unwrap().len(), &found["pagination"]["total"]), (1, &json!(2)));
    assert!(emulator.remove_client(ids[0]));
    assert_eq!(emulator.client_named("twin"), Some(ids[1]));
    assert!(emulator.remove_client(ids[1]));
    assert_eq!(emulator.client_named("twin"), None);
}

#[test]
fn a_client_is_read_replaced_and_deleted_by_its_id() {
    let emulator = builder().start().unwrap();
    let keys = [ClientKey::new("default"), ClientKey::new("spare")];
    let created = create(&emulator, &CreateClient::new(ENV, "acme-corp").keys(&keys).ip_whitelist(&["10.0.0.0/8"]));
    let path = target(&created["id"]);
    assert_eq!(send(&emulator, "GET", &path, "", None), created);

    // Members that are left out are reset. A key that is named again keeps its id.
    let newer = json!({ "name": "acme", "type": "company", "keys": [{ "name": "spare" }] });
    let call = Call::of(&emulator, &CreateClient::new(ENV, "x")).sealing(&emulator, newer.to_string().as_bytes());
    let call = call.target(|target| target.replace("/client", &path));
    let mut wire = Wire::to(&emulator);
    let mut head = format!("PUT {} HTTP/1.1\r\nContent-Length: {}\r\n", call.target, call.body.len());
    call.headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
    wire.write([head.as_bytes(), b"\r\n", &call.body].concat());
    let answered = crate::calls::Answered { response: wire.read().unwrap(), pending: call.pending };
    let replaced = answered.opened().unwrap();
    let expected = json!({ "id": created["id"], "name": "acme", "type": "company", "keys": [created["keys"][1]] });
    assert_eq!(replaced, expected);
    assert_eq!(emulator.client_named("acme-corp"), None);
    assert!(emulator.client_named("acme").is_some());

    assert_eq!(send(&emulator, "DELETE", &path, "", None), json!({ "success": true, "id": created["id"] }));
    for method in ["GET", "DELETE"] {
        refused(&sent(&emulator, method, &path, "", None), 404, "NOT_FOUND");
    }
    let id = ClientId::new(created["id"].as_str().unwrap()).unwrap();
    let route = apikee::protocol::MethodPath::new("GET", "/users").unwrap();
    let request = ValidateRequest::new(id, ENV, route, apikee::protocol::Timestamp::new(NOW).unwrap());
    Call::of(&emulator, &request).to(&emulator).refused("UNKNOWN_CLIENT");
}

#[test]
fn a_client_cannot_take_the_name_of_another() {
    let emulator = builder().sealing(Sealing::Off).start().unwrap();
    let ids = ["one", "other"].map(|name| emulator.create_client(EmulatedClient::new(name)).unwrap());
    let body = json!({ "name": "other", "type": "service" });
    refused(&sent(&emulator, "PUT", &format!("/client/{}", ids[0]), "", Some(&body)), 409, "NAME_TAKEN");
    assert_eq!(send(&emulator, "PUT", &format!("/client/{}", ids[1]), "", Some(&body))["name"], "other");
    let unknown = "/client/00000000-0000-4000-8000-000000000000";
    refused(&sent(&emulator, "PUT", unknown, "", Some(&body)), 404, "NOT_FOUND");
}

/// Asks about a request with the client's key of this name.
fn ask_with(emulator: &Emulator, client: ClientId, name: &str) -> crate::calls::Answered {
    let route = apikee::protocol::MethodPath::new("GET", "/users").unwrap();
    let now = apikee::protocol::Timestamp::new(NOW).unwrap();
    Call::of(emulator, &ValidateRequest::new(client, ENV, route, now).key_name(name)).to(emulator)
}

#[test]
fn a_revoked_key_stays_revoked_until_it_is_created_again() {
    let emulator = builder().start().unwrap();
    let keys = [ClientKey::new("default"), ClientKey::new("spare")];
    let request = CreateClient::new(ENV, "acme-corp");
    let created = create(&emulator, &request.keys(&keys));
    let path = target(&created["id"]);
    let id = ClientId::new(created["id"].as_str().unwrap()).unwrap();
    let ask = |name: &str| ask_with(&emulator, id, name);
    ask("default").accepted();
    let key = format!("&keyId={}", created["keys"][0]["id"].as_str().unwrap());
    send(&emulator, "DELETE", &path, &key, None);
    ask("default").refused("REVOKED_KEY");
    ask("spare").accepted();
    assert_eq!(send(&emulator, "GET", &path, "", None)["keys"], json!([created["keys"][1]]));
    refused(&sent(&emulator, "DELETE", &path, &key, None), 404, "NOT_FOUND");
    for spelling in ["&keyId=x", "&keyId", "&keyId=", "&key%49d=x", "&keyId&keyId"] {
        refused(&sent(&emulator, "DELETE", &path, spelling, None), 400, "MALFORMED_REQUEST");
    }

    // Another upsert restores the key only if it lists the key.
    create(&emulator, &request.keys(&keys[1..]));
    ask("default").refused("REVOKED_KEY");
    let again = create(&emulator, &request.keys(&keys));
    ask("default").accepted();
    assert_ne!(again["keys"][0]["id"], created["keys"][0]["id"]);
    assert_eq!(again["keys"][1]["id"], created["keys"][1]["id"]);
}

/// A client keeps the names of 100 revoked keys.
#[test]
fn the_key_that_was_revoked_first_is_the_first_to_be_forgotten() {
    let emulator = builder().start().unwrap();
    let names: Vec<String> = (0..102).map(|number| format!("v{number}")).collect();
    let request = CreateClient::new(ENV, "acme-corp");
    let mut id = None;
    for name in &names {
        let created = create(&emulator, &request.keys(&[ClientKey::new(name)]));
        let key = format!("&keyId={}", created["keys"][0]["id"].as_str().unwrap());
        send(&emulator, "DELETE", &target(&created["id"]), &key, None);
        id = ClientId::new(created["id"].as_str().unwrap()).ok();
    }
    for name in &names[2..] {
        ask_with(&emulator, id.unwrap(), name).refused("REVOKED_KEY");
    }
    for name in &names[..2] {
        ask_with(&emulator, id.unwrap(), name).accepted();
    }
}

#[test]
fn keys_with_one_name_keep_their_own_ids() {
    let emulator = builder().start().unwrap();
    let keys = [ClientKey::new("same"), ClientKey::new("same")];
    let request = CreateClient::new(ENV, "acme-corp");
    let created = create(&emulator, &request.keys(&keys));
    assert_ne!(created["keys"][0]["id"], created["keys"][1]["id"]);
    assert_eq!(create(&emulator, &request.keys(&keys))["keys"], created["keys"]);
}

#[test]
fn templates_have_a_limit_in_bytes() {
    let emulator = builder().start().unwrap();
    let template = |n: usize| json!({ "id": n.to_string(), "name": "x".repeat(80_000) });
    let mut codes = (0..20).map(|n| sent(&emulator, "POST", "/template", "", Some(&template(n))).status);
    assert_eq!(codes.by_ref().take_while(|status| *status == 200).count(), 13);
    assert!(codes.all(|status| status == 422));
    send(&emulator, "POST", "/template", "", Some(&template(0)));
}

#[test]
fn an_upsert_resets_members_that_it_leaves_out() {
    let emulator = builder().start().unwrap();
    let full = CreateClient::new(ENV, "acme-corp").template_id("pro").ip_whitelist(&["10.0.0.0/8"]);
    let full = create(&emulator, &full.client_type(apikee::protocol::ClientType::Person));
    assert_eq!((&full["templateId"], &full["ipWhitelist"]), (&json!("pro"), &json!(["10.0.0.0/8"])));
    let bare = create(&emulator, &CreateClient::new(ENV, "acme-corp"));
    let expected = json!({ "id": full["id"], "name": "acme-corp", "type": "service", "keys": full["keys"] });
    assert_eq!(bare, expected);
}

#[test]
fn a_template_limits_each_of_its_clients_separately() {
    let template = EmulatedTemplate::new("pro").hourly(2).max_clients(2);
    let emulator = builder().template(template).start().unwrap();
    let name = |name| CreateClient::new(ENV, name).template_id("pro");
    let ids = ["a", "b"].map(|client| create(&emulator, &name(client))["id"].as_str().unwrap().parse().unwrap());
    let route = apikee::protocol::MethodPath::new("GET", "/users").unwrap();
    let ask = |id| {
        let time = apikee::protocol::Timestamp::new(emulator.now()).unwrap();
        Call::of(&emulator, &ValidateRequest::new(id, ENV, route, time)).to(&emulator)
    };
    for id in ids {
        ask(id).accepted();
        ask(id).accepted();
        ask(id).failed(429, "RATE_LIMITED");
    }
    let third = Call::of(&emulator, &name("c")).to(&emulator);
    third.failed(422, "TEMPLATE_FULL");
    // A member of the template can be updated. A member that leaves makes room.
    create(&emulator, &name("a"));
    create(&emulator, &CreateClient::new(ENV, "a"));
    ask(ids[0]).accepted();
    create(&emulator, &name("c"));
}

#[test]
fn templates_are_created_listed_and_changed() {
    let emulator = knowing(EmulatedClient::new("acme-corp").template("pro").daily(4));
    let pro = json!({ "name": "pro", "limits": { "hour": 1 } });
    let record = json!({ "id": "pro", "name": "pro", "limits": { "hour": 1 } });
    assert_eq!(send(&emulator, "POST", "/template", "", Some(&pro)), record);
    let other = json!({ "id": "t2", "name": "Other", "limits": { "week": 5, "month": 6 }, "maxClients": 3 });
    assert_eq!(send(&emulator, "POST", "/template", "", Some(&other)), other);
    let listed = send(&emulator, "GET", "/template", "", None);
    assert_eq!(listed["data"], json!([record, other]));

    let ask = || Call::of(&emulator, &validation()).to(&emulator);
    ask().accepted();
    ask().failed(429, "RATE_LIMITED");
    send(&emulator, "POST", "/template", "", Some(&json!({ "name": "pro", "limits": { "hour": 10 } })));
    for _ in 0..3 {
        ask().accepted();
    }
    // The client's own limit applies, too.
    ask().failed(429, "RATE_LIMITED");
    for body in [
        json!({}),
        json!({ "name": "" }),
        json!({ "name": "x", "id": 1 }),
        json!({ "name": "x", "limits": [] }),
        json!({ "name": "x", "limits": { "hour": -1 } }),
        json!({ "name": "x", "maxClients": "many" }),
    ] {
        refused(&sent(&emulator, "POST", "/template", "", Some(&body)), 400, "MALFORMED_REQUEST");
    }
}

#[test]
fn weeks_begin_on_monday_and_months_on_the_first() {
    // It is Tuesday. The last day of the month is next Monday.
    let emulator = knowing(EmulatedClient::new("acme-corp").weekly(2).monthly(3));
    let ask = || Call::of(&emulator, &validation_at(emulator.now())).to(&emulator);
    let monday = 1_795_996_800; // 2026-11-30T00:00:00Z
    #[track_caller]
    fn wait(answered: crate::calls::Answered) -> i64 {
        answered.failed(429, "RATE_LIMITED").header("Retry-After").unwrap().parse().unwrap()
    }
    ask().accepted();
    ask().accepted();
    let left = wait(ask());
    assert_eq!(left, monday - NOW.as_secs());
    emulator.advance(Duration::from_secs(left.unsigned_abs()));
    ask().accepted();
    assert_eq!(wait(ask()), 86_400);
    emulator.advance(Duration::from_secs(86_400));
    ask().accepted();
    assert_eq!(wait(ask()), 6 * 86_400);
}

#[test]
fn both_spellings_of_a_route_are_accepted() {
    let emulator = started();
    for (method_path, encoded) in
        [("GET:/users", "GET:/users"), ("GET:::/a:::/b", "GET:::/a:::/b"), ("PUT:/a:b", "PUT:%2Fa%3Ab")]
    {
        let call = Call::of(&emulator, &validation());
        let call = call.target(|target| target.replace("GET%3A%3A%3A%2Fusers", encoded));
        assert_eq!(call.to(&emulator).opened().unwrap()["method_path"], method_path);
        assert_eq!(emulator.log().pop().unwrap().method_path.as_deref(), Some(method_path));
    }
}

#[test]
fn a_bare_registration_keeps_the_description_of_an_endpoint() {
    let emulator = builder().start().unwrap();
    let register = |body: &Value| send(&emulator, "POST", "/endpoint", "", Some(body));
    let bare = json!({ "method": "GET", "path": "/users", "name": "GET /users" });
    register(&bare);
    let described = json!({
        "method": "GET",
        "path": "/users",
        "name": "List users",
        "description": "All users of the tenant",
        "request": { "query": { "page": 1 } },
        "response": {},
        "metadata": { "scopes": ["users:read"], "tags": ["users", "v1"], "deprecated": true },
    });
    let mut answer = register(&described);
    assert_eq!(answer.as_object_mut().unwrap().remove("success"), Some(true.into()));
    assert_eq!(answer, described);
    register(&bare);
    let [endpoint] = &emulator.endpoints()[..] else { panic!("not one endpoint") };
    assert_eq!(
        (endpoint.name.as_str(), endpoint.description.as_deref()),
        ("List users", Some("All users of the tenant"))
    );
    assert_eq!(
        (endpoint.request.as_deref(), endpoint.response.as_deref()),
        (Some(r#"{"query":{"page":1}}"#), Some("{}"))
    );
    assert_eq!(
        (&endpoint.scopes[..], &endpoint.tags[..], endpoint.deprecated),
        (&["users:read".to_owned()][..], &["users".to_owned(), "v1".to_owned()][..], true)
    );

    register(&json!({ "method": "GET", "path": "/users", "name": "Users" }));
    assert_eq!(emulator.endpoints()[0].name, "Users");
    assert!(emulator.endpoints()[0].deprecated);
    register(&json!({ "method": "GET", "path": "/users", "name": "Users", "description": "newer" }));
    assert_eq!(
        (emulator.endpoints()[0].description.as_deref(), emulator.endpoints()[0].deprecated),
        (Some("newer"), false)
    );

    for (member, value) in [
        ("description", json!(1)),
        ("request", json!("{}")),
        ("response", json!([])),
        ("metadata", json!([])),
        ("metadata", json!({ "scopes": "read" })),
        ("metadata", json!({ "tags": [1] })),
        ("metadata", json!({ "deprecated": "yes" })),
    ] {
        let mut body = bare.clone();
        body[member] = value;
        refused(&sent(&emulator, "POST", "/endpoint", "", Some(&body)), 400, "MALFORMED_REQUEST");
    }
}

fn plain_question() -> Value {
    json!({ "name": "default", "timestamp": "2026-11-24T02:21:45.017Z", "headers": {} })
}

fn ask_plainly(emulator: &Emulator) -> Response {
    let body = plain_question();
    sent(emulator, "POST", &format!("/client/{}", id()), "&method_path=GET:::/users", Some(&body))
}

#[test]
fn each_sealing_setting_has_its_own_requests_and_answers() {
    for sealing in [Sealing::Required, Sealing::Requests, Sealing::Off] {
        let emulator = builder().sealing(sealing).start().unwrap();
        emulator.add_client(id(), EmulatedClient::new("acme-corp"));
        assert_eq!(emulator.sealing(), sealing);
        let sealed = Call::of(&emulator, &validation()).to(&emulator);
        match sealing {
            Sealing::Required => sealed.accepted(),
            Sealing::Requests | Sealing::Off => assert_eq!(sealed.response.json()["success"], true),
        }
        let plain = ask_plainly(&emulator);
        let create = json!({ "name": "other", "type": "service" });
        let created = sent(&emulator, "POST", "/client", "", Some(&create));
        if sealing == Sealing::Off {
            assert_eq!(plain.json()["success"], true);
            assert_eq!(created.json()["name"], "other");
            assert!(Answer::read_unsealed(&mut plain.body.clone()).unwrap().success());
        } else {
            refused(&plain, 400, "WRONG_ENCRYPTED_HEADER");
            refused(&created, 400, "WRONG_ENCRYPTED_HEADER");
        }
    }
}

#[test]
fn faults_also_change_plain_answers() {
    let emulator = builder().sealing(Sealing::Off).start().unwrap();
    emulator.add_client(id(), EmulatedClient::new("acme-corp"));
    let ask = || {
        let mut answer = ask_plainly(&emulator).json();
        answer.as_object_mut().unwrap().remove("durationMs");
        answer
    };
    let asked = |misbehaviour| {
        emulator.misbehave(misbehaviour, Occasion::Next(1));
        ask()
    };
    let right = ask();
    let forged = asked(Misbehaviour::Forged);
    assert_ne!(forged["clientId"], right["clientId"]);
    assert_eq!((&forged["success"], &forged["method_path"]), (&right["success"], &right["method_path"]));
    assert_ne!(asked(Misbehaviour::Replayed)["method_path"], right["method_path"]);
    assert_eq!(asked(Misbehaviour::Impostor), json!({ "success": true }));
    assert_eq!(asked(Misbehaviour::Refuse), json!({ "success": false }));
    assert_eq!(asked(Misbehaviour::Unsealed), right);
    assert_eq!(asked(Misbehaviour::Reflected), plain_question());
    assert_eq!(asked(Misbehaviour::Status(503)), json!({ "error": "MISBEHAVIOUR" }));
}

#[test]
fn the_public_key_is_in_the_form_that_the_sdks_read() {
    for _ in 0..20 {
        let emulator = builder().start().unwrap();
        let key = emulator.public_key();
        assert!(key.len() == 44 && key.ends_with('=') && !key.contains(['-', '_']), "{key}");
        assert!(key.parse::<apikee::envelope::ServerKey>().is_ok());
    }
}

#[test]
fn at_most_a_hundred_thousand_clients_are_accepted() {
    let emulator = builder().start().unwrap();
    for n in 0..100_000_u32 {
        let id = ClientId::new(&format!("00000000-0000-4000-8000-{n:012}")).unwrap();
        emulator.add_client(id, EmulatedClient::new(&format!("client-{n}")));
    }
    let call = |name| Call::of(&emulator, &CreateClient::new(ENV, name)).to(&emulator);
    call("one-more").failed(422, "TOO_MANY");
    let before = std::time::Instant::now();
    for n in 0..200 {
        let found = send(&emulator, "GET", "/client", &format!("&name=client-{}", n * 499), None);
        assert_eq!(found["data"].as_array().unwrap().len(), 1);
    }
    // A linear search through all of them would take minutes.
    assert!(before.elapsed() < Duration::from_secs(10));
    assert_eq!(call("client-99999").opened().unwrap()["id"], "00000000-0000-4000-8000-000000099999");
}
