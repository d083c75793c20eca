//! An attacker between this process and the platform.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, TcpStream},
};

use apikee::{
    emulator::{EmulatedClient, Emulator, Misbehaviour, Occasion, RequestKind},
    envelope::Recipient,
    policy::{Basis, Fault, Rejection},
};
use serde_json::{Value, json};

use super::{
    Denied, ask, ask_for, builder, builder_at, emulator, id,
    platform::{Answer, Platform, key},
    server::{Request, Server},
};

/// A proxy that changes the first line of each request, and returns the platform's answer.
fn rewriting(emulator: &Emulator, from: &'static str, to: &'static str) -> Server {
    let port = emulator.port();
    Server::run(move |connection, _| {
        let Some(Request { line, headers, body }) = connection.request() else { return };
        let mut platform = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let mut head = line.replace(from, to) + "\r\n";
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("Connection: close\r\n\r\n");
        platform.write_all(&[head.as_bytes(), &body].concat()).unwrap();
        let mut answer = Vec::new();
        platform.read_to_end(&mut answer).unwrap();
        connection.write(&answer);
        connection.stream().shutdown(Shutdown::Both).unwrap();
    })
}

#[test]
fn answer_to_another_request_is_refused() {
    let emulator = emulator().start().unwrap();
    emulator.add_client(id(1).parse().unwrap(), EmulatedClient::new("good"));
    emulator.add_client(id(2).parse().unwrap(), EmulatedClient::new("spent").hourly(0));
    let through = |server: &Server| builder(&emulator).base_url(&server.url()).build().unwrap();
    let [good, spent] = [1, 2].map(|number| key("acme-corp", &json!({ "clientId": id(number) }).to_string()));

    let route = through(&rewriting(&emulator, "%2Fadmin", "%2Fpublic"));
    assert_eq!(ask_for(&route, &good, "/admin", &[]), Err(Denied::Fault(Fault::Forged)));
    let log = emulator.log();
    let [only] = log.as_slice() else { panic!("{log:?}") };
    assert_eq!((only.kind, only.status), (RequestKind::Validate, Some(200)));
    assert_eq!((only.method_path.as_deref(), only.refusal), (Some("GET:::/public"), None), "the platform says yes");
    assert_eq!(ask_for(&route, &good, "/public", &[]), Ok(Basis::Confirmed), "this request is not rewritten");

    let client = through(&rewriting(&emulator, "000000000002", "000000000001"));
    assert_eq!(ask(&client, &spent), Err(Denied::Fault(Fault::Forged)));
    assert_eq!(ask(&client, &good), Ok(Basis::Confirmed), "this request is not rewritten");
}

/// Our own request with the server's public key as its `epk` can be opened, because one key seals both directions.
#[test]
fn own_request_sent_back_is_not_an_answer() {
    let server_key = *Recipient::new([7; 32]).public_key();
    for overwritten in [false, true] {
        let server = Server::run(move |connection, _| {
            while let Some(request) = connection.request() {
                let mut envelope: Value = serde_json::from_slice(&request.body).unwrap();
                if overwritten {
                    let mut text = [0; 43];
                    envelope["epk"] = base64url(&server_key, &mut text).into();
                }
                let body = envelope.to_string();
                connection.write(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
            }
        });
        // The payload looks like an answer. It is not at the top level of the request, and must not be read as an
        // answer.
        let payload = apikee::meta::JsonObject::new(r#"{"success":true}"#).unwrap();
        let key = key(&id(1), "{}");
        let request = apikee::client::AuthorizeRequest::new(
            Some(&key),
            apikee::protocol::MethodPath::new("GET", "/users").unwrap(),
        )
        .payload(payload);
        for apikee in
            [builder_at(&server.url()), builder_at(&server.url()).sealing(apikee::protocol::Sealing::Requests)]
        {
            let answer = super::decide(&apikee.build().unwrap(), &request);
            assert_eq!(answer, Err(Denied::Fault(Fault::Forged)), "{overwritten}");
        }
    }
    let emulator = emulator().start().unwrap();
    emulator.add_client(id(1).parse().unwrap(), EmulatedClient::new("acme-corp"));
    emulator.misbehave(Misbehaviour::Reflected, Occasion::Always);
    let apikee = builder(&emulator).tenant_is_client_id(true).build().unwrap();
    // The misbehaviour has two kinds, which take turns.
    for _ in 0..4 {
        assert_eq!(ask(&apikee, &key(&id(1), "{}")), Err(Denied::Fault(Fault::Forged)));
    }
}

fn base64url<'t>(bytes: &[u8; 32], text: &'t mut [u8; 43]) -> &'t str {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    let len = URL_SAFE_NO_PAD.encode_slice(bytes, text).unwrap();
    std::str::from_utf8(&text[..len]).unwrap()
}

#[test]
fn success_decides_if_the_answer_is_about_the_request() {
    let unsuccessful = Err(Denied::Rejected(Rejection::UNSUCCESSFUL));
    for (answer, expected) in [
        (json!({ "success": false, "code": 403 }), unsuccessful),
        (json!({ "success": false, "error": { "code": [] }, "message": 7, "durationMs": -1 }), unsuccessful),
        (json!({ "success": false, "clientId": id(1), "method_path": "GET:::/users" }), unsuccessful),
        (json!({ "success": false, "method_path": "GET:::/other" }), Err(Denied::Fault(Fault::Forged))),
        (json!({ "success": true, "durationMs": "3" }), Ok(Basis::Confirmed)),
        (json!({ "success": true, "code": 403, "error": null, "message": false, "new": {} }), Ok(Basis::Confirmed)),
        (json!({ "success": "true" }), Err(Denied::Fault(Fault::Unreadable))),
        (json!({ "success": 1, "code": 200 }), Err(Denied::Fault(Fault::Unreadable))),
        (json!({ "success": null }), Err(Denied::Fault(Fault::Unreadable))),
        (json!({ "status": 200 }), Err(Denied::Fault(Fault::Unreadable))),
        (json!({ "success": true, "clientId": id(2) }), Err(Denied::Fault(Fault::Forged))),
    ] {
        let sent = answer.clone();
        let platform = Platform::new(move |_| Answer::Sealed(sent.clone()));
        assert_eq!(ask(&platform.builder().build().unwrap(), &key(&id(1), "{}")), expected, "{answer}");
    }
}
