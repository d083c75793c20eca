//! The page and its API, over bare sockets. `tests/checks/page/run` tests how the page looks.

use apikee::{
    emulator::{EmulatedClient, Emulator, Misbehaviour, Occasion},
    meta::JsonObject,
    protocol::{Endpoint, MethodPath, RegisterEndpoint},
};
use serde_json::{Value, json};

use crate::{
    calls::Call,
    id, knowing, started, validation,
    wire::{Response, Wire},
};

fn ask(emulator: &Emulator, method: &str, target: &str, fields: &str, body: &str) -> Response {
    let mut wire = Wire::to(emulator);
    wire.write(format!("{method} {target} HTTP/1.1\r\n{fields}Content-Length: {}\r\n\r\n{body}", body.len()));
    wire.read().unwrap()
}

fn get(emulator: &Emulator, target: &str) -> Response {
    ask(emulator, "GET", target, &format!("Host: 127.0.0.1:{}\r\n", emulator.port()), "")
}

fn state(emulator: &Emulator, query: &str) -> Value {
    let response = get(emulator, &format!("/api/console/state{query}"));
    assert_eq!(response.status, 200);
    response.json()
}

#[test]
fn the_page_allows_only_its_own_script_and_style() {
    let emulator = started();
    let responses = [(); 2].map(|()| get(&emulator, "/"));
    let nonces = responses.each_ref().map(|response| {
        assert_eq!(response.header("Content-Type"), Some("text/html; charset=utf-8"));
        let policy = response.header("Content-Security-Policy").unwrap();
        let nonce = policy.split_once("script-src 'nonce-").unwrap().1.split_once('\'').unwrap().0;
        assert!(policy.starts_with("default-src 'none'; ") && policy.contains("connect-src 'self'"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        let page = core::str::from_utf8(&response.body).unwrap();
        assert_eq!(page.matches(&format!(r#"nonce="{nonce}""#)).count(), 2);
        assert_eq!(page.matches("<script").count() + page.matches("<style").count(), 2);
        assert!(!page.contains("{nonce}") && !page.contains("https://") && page.len() < 30_000);
        nonce.to_owned()
    });
    assert_ne!(nonces[0], nonces[1]);
    assert_eq!(emulator.page(), format!("http://127.0.0.1:{}/", emulator.port()));
}

#[test]
fn requests_from_other_pages_and_to_other_hosts_are_refused() {
    let emulator = started();
    let port = emulator.port();
    let own = format!("Host: 127.0.0.1:{port}\r\n");
    for target in ["/", "/api/console/state", "/api/console/fault", "/api/console/x"] {
        for fields in [
            String::new(),
            "Host: evil.example\r\n".to_owned(),
            format!("Host: evil.example:{port}\r\n"),
            format!("Host: 127.0.0.1.evil.example:{port}\r\n"),
            "Host: 127.0.0.1\r\n".to_owned(),
            format!("Host: 127.0.0.1:{}\r\n", port ^ 1),
            format!("{own}Host: evil.example\r\n"),
            format!("{own}Origin: http://evil.example\r\n"),
            format!("{own}Origin: null\r\n"),
            format!("{own}Origin: https://127.0.0.1:{port}\r\n"),
            format!("{own}Origin: http://127.0.0.1:{}\r\n", port ^ 1),
            format!("{own}Sec-Fetch-Site: cross-site\r\n"),
            format!("{own}Sec-Fetch-Site: same-site\r\n"),
        ] {
            let response = ask(&emulator, "GET", target, &fields, "");
            assert_eq!((response.status, response.json()), (403, json!({ "error": "FOREIGN_PAGE" })), "{fields}");
        }
    }
    // The platform's API, with the project key. Only a program can leave out `Host`, or name another port.
    let emulator = knowing(EmulatedClient::new("Acme-Corp"));
    let port = emulator.port();
    let own = format!("Host: 127.0.0.1:{port}\r\n");
    let call = |method: &str, target: &str, fields: &str| {
        let fields = format!("{fields}x-api-key: {}\r\n", Emulator::PROJECT_KEY);
        ask(&emulator, method, &format!("/api/v1{target}?project_env={}", emulator.project_env()), &fields, "").status
    };
    for (method, target) in [("GET", "/client"), ("DELETE", &*format!("/client/{}", id())), ("GET", "/unknown")] {
        for fields in [
            format!("Host: evil.example:{port}\r\nOrigin: http://evil.example:{port}\r\n"),
            "Host: evil.example\r\n".to_owned(),
            format!("Host: evil.example:{port}\r\n"),
            format!("Host: 127.0.0.1.evil.example:{port}\r\n"),
            format!("Host: localhost.evil.example:{port}\r\n"),
            format!("Host: 192.0.2.1:{port}\r\n"),
            format!("{own}Host: evil.example\r\n"),
            format!("{own}Origin: http://evil.example\r\n"),
            format!("{own}Origin: null\r\n"),
            format!("{own}Origin: http://127.0.0.1:{}\r\n", port ^ 1),
            format!("{own}Sec-Fetch-Site: cross-site\r\n"),
        ] {
            assert_eq!(call(method, target, &fields), 403, "{method} {target} {fields}");
        }
    }
    for fields in ["", "Host: localhost\r\n", "Host: 127.0.0.1:1\r\n", "Host: [::1]\r\n", &own] {
        assert_eq!(call("GET", "/client", fields), 200, "{fields}");
    }
    let emulator = started();
    let port = emulator.port();
    for host in ["127.0.0.1", "localhost", "LOCALHOST", "[::1]"] {
        let fields =
            format!("Host: {host}:{port}\r\nOrigin: http://localhost:{port}\r\nSec-Fetch-Site: same-origin\r\n");
        assert_eq!(ask(&emulator, "GET", "/api/console/state", &fields, "").status, 200, "{host}");
    }
}

#[test]
fn requests_are_listed_after_a_cursor_and_filtered() {
    let emulator = knowing(EmulatedClient::new("Acme-Corp").hourly(2));
    for path in ["/users", "/orders", "/users"] {
        let call = Call::of(&emulator, &validation()).target(|target| target.replace("%2Fusers", path));
        call.to(&emulator);
    }
    emulator.misbehave(Misbehaviour::HangUp, Occasion::Next(1));
    let mut wire = Wire::to(&emulator);
    Call::of(&emulator, &validation()).write(&mut wire);
    wire.assert_ended();

    let numbers = |query: &str| {
        let requests = state(&emulator, query)["requests"].as_array().unwrap().clone();
        requests.iter().map(|request| request["number"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(numbers(""), [4, 3, 2, 1]);
    assert_eq!(numbers("?after=2"), [4, 3]);
    assert!(numbers("?after=4").is_empty());
    assert_eq!(numbers("?endpoint=%2Forders"), [2]);
    assert_eq!(numbers("?client=acme&endpoint=users"), [4, 3, 1]);
    assert_eq!(numbers(&format!("?client={}", &id().to_string()[..8])), [4, 3, 2, 1]);
    assert!(numbers("?client=globex").is_empty());
    assert_eq!(numbers("?status=200"), [2, 1]);
    assert_eq!(numbers("?status=4"), [3]);
    assert_eq!(numbers("?status=rate_"), [4, 3]);
    assert_eq!(numbers("?status=no"), [4]);
    assert_eq!(numbers("?status=hang-up"), [4]);
    // The page's own requests are not in the log.
    assert_eq!(emulator.requests(), 4);

    let state = state(&emulator, "");
    assert_eq!(state["clients"][0]["used"], json!([2, 2, 2, 2]));
    assert_eq!(state["clients"][0]["limits"], json!([2, null, null, null]));
    let [first, ..] = &state["requests"].as_array().unwrap()[..] else { panic!("none") };
    assert_eq!((&first["status"], &first["fault"]), (&Value::Null, &json!("hang-up")));
    for query in ["?after=x", "?x=y", "?client=%F"] {
        assert_eq!(get(&emulator, &format!("/api/console/state{query}")).status, 400);
    }
}

#[test]
fn the_page_shows_no_secrets() {
    let key = "apikee_1234567890abcdef.ABCDEF";
    let emulator = started();
    let payload = format!(r#"{{"oops":"{key}"}}"#);
    let headers = [("x-api-key", key)];
    let request = validation().headers(&headers).payload(JsonObject::new(&payload).unwrap());
    Call::of(&emulator, &request).target(|target| target.replace("users", key)).to(&emulator);
    emulator.create_client(EmulatedClient::new(key)).unwrap();
    let texts = [key];
    let described = Endpoint::new(MethodPath::new("GET", "/users").unwrap()).name(key).description(key);
    let described = described.scopes(&texts).tags(&texts);
    Call::of(&emulator, &RegisterEndpoint::describing(Emulator::PROJECT_ENV, described)).to(&emulator);
    let shown = state(&emulator, "").to_string();
    assert!(shown.contains("GET:::/apikee_12345"), "{shown}");
    assert!(shown.matches("apikee_12345").count() >= 6, "{shown}");
    assert!(!shown.contains("67890") && !shown.contains(Emulator::PROJECT_KEY), "{shown}");
}

#[test]
fn at_most_64_faults_can_be_on() {
    let emulator = started();
    let own = format!("Host: localhost:{}\r\nContent-Type: application/json\r\n", emulator.port());
    for retry_after in 0..66 {
        let body = json!({ "fault": format!("unavailable:{retry_after}"), "on": true }).to_string();
        let status = ask(&emulator, "POST", "/api/console/fault", &own, &body).status;
        assert_eq!(status, if retry_after < 64 { 200 } else { 422 });
    }
}

#[test]
fn each_fault_has_a_switch() {
    let emulator = started();
    let own = format!("Host: localhost:{}\r\n", emulator.port());
    let switch =
        |fields: &str, body: &str| ask(&emulator, "POST", "/api/console/fault", &format!("{own}{fields}"), body);
    let json = "Content-Type: application/json\r\n";
    let faults = state(&emulator, "")["faults"].as_array().unwrap().clone();
    assert!(faults.len() >= 17 && faults.iter().all(|row| row["on"] == false));
    for row in &faults {
        let fault = row["fault"].as_str().unwrap();
        let answer = switch(json, &json!({ "fault": fault, "on": true }).to_string()).json();
        let on: Vec<_> = answer["faults"].as_array().unwrap().iter().filter(|row| row["on"] == true).collect();
        assert_eq!((on.len(), &on[0]["fault"]), (1, &row["fault"]));
        switch(json, &json!({ "fault": fault, "on": false }).to_string());
    }
    switch(json, r#"{"fault":"status:418","on":true}"#);
    switch(json, r#"{"fault":"status:418","on":true}"#);
    Call::of(&emulator, &validation()).to(&emulator).failed(418, "MISBEHAVIOUR");
    switch(json, r#"{"fault":"status:418","on":false}"#);
    Call::of(&emulator, &validation()).to(&emulator).accepted();

    for (fields, body) in [
        ("", r#"{"fault":"reset","on":true}"#),
        ("Content-Type: text/plain\r\n", r#"{"fault":"reset","on":true}"#),
        (json, r#"{"fault":"mischief","on":true}"#),
        (json, r#"{"fault":"reset"}"#),
        (json, ""),
    ] {
        assert_eq!(switch(fields, body).status, 400, "{body}");
    }
    let answer = switch(json, r#"{"fault":"oversized:18446744073709551615","on":true}"#);
    assert_eq!(answer.status, 400);
    assert!(answer.json()["message"].as_str().unwrap().contains("at most 16777216"));
    Call::of(&emulator, &validation()).to(&emulator).accepted();
    assert_eq!(get(&emulator, "/api/console/fault").status, 405);
    assert_eq!(get(&emulator, "/api/console/nothing").status, 404);
}
