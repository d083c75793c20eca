//! Requests of the published Python SDK, recorded byte for byte in `tests/vectors/http.json`.

use std::{fs, path::Path};

use apikee::{
    emulator::{EmulatedClient, Emulator, EmulatorBuilder},
    protocol::{ProjectKey, Sealing},
};
use serde_json::Value;

use crate::{builder, id, wire::Response, wire::Wire};

fn file() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/http.json");
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// The platform of the recordings, at the time of the recordings.
fn platform(file: &Value) -> EmulatorBuilder {
    let hex = file["server_private_hex"].as_str().unwrap();
    let mut secret = [0; 32];
    for (at, byte) in secret.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap();
    }
    let key = ProjectKey::new("sk_test_example").unwrap();
    builder().secret(secret).project_key(key).project_env("my-app-production").sealing(Sealing::Requests)
}

fn replay(emulator: &Emulator, exchange: &Value) -> Response {
    let headers = exchange["headers"].as_object().unwrap().iter();
    let headers: Vec<_> = headers.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect();
    let mut wire = Wire::to(emulator);
    let body = exchange["body_bytes_on_the_wire"].as_str().unwrap();
    wire.post(exchange["target"].as_str().unwrap(), &headers, body.as_bytes()).unwrap();
    wire.read().unwrap()
}

#[test]
fn recorded_requests_are_accepted() {
    let file = file();
    let emulator = platform(&file).start().unwrap();
    emulator.add_client(id(), EmulatedClient::new("recorded"));
    for exchange in file["exchanges"].as_array().unwrap() {
        let response = replay(&emulator, exchange);
        let (body, target) = (response.json(), &exchange["target"]);
        assert_eq!(response.status, 200, "{target}: {body}");
        let is_client = target.as_str().unwrap().contains("/client?");
        assert!(if is_client { body["id"].is_string() } else { body["success"] == true }, "{target}: {body}");
        let logged = emulator.log().pop().unwrap();
        let logged: Value = serde_json::from_str(&logged.body.unwrap()).unwrap();
        assert_eq!(logged, exchange["body"]);
    }
    assert_eq!(emulator.requests(), 8);
    assert_eq!(emulator.endpoints().len(), 2);
    assert!(emulator.client_named("acme-corp").is_some());
    let routes: Vec<_> = emulator.log().into_iter().filter_map(|logged| logged.method_path).collect();
    assert_eq!(routes, ["GET:::/users", "POST:::/orders/42?x=1&y=a b", "GET:::/café/日本", "GET:::/signed"]);
}

#[cfg(feature = "request-signing")]
#[test]
fn with_a_signing_key_only_the_signed_request_is_accepted() {
    let file = file();
    let exchanges = file["exchanges"].as_array().unwrap();
    let pem = exchanges[7]["request_signing_public_key_pem"].as_str().unwrap();
    let emulator = platform(&file).request_signing_key(pem).unwrap().start().unwrap();
    emulator.add_client(id(), EmulatedClient::new("recorded"));
    assert_eq!(replay(&emulator, &exchanges[7]).json()["success"], true);

    let unsigned = replay(&emulator, &exchanges[0]);
    assert_eq!((unsigned.status, unsigned.json()["error"].as_str()), (403, Some("INVALID_SIGNATURE")));
    let mut moved = exchanges[7].clone();
    moved["target"] = moved["target"].as_str().unwrap().replace("signed", "other").into();
    assert_eq!(replay(&emulator, &moved).status, 403);
    // Calls about clients and endpoints are not signed.
    assert_eq!(replay(&emulator, &exchanges[3]).status, 200);
    assert_eq!(replay(&emulator, &exchanges[6]).status, 200);
}

#[cfg(feature = "request-signing")]
#[test]
fn malformed_rsa_public_keys_are_refused() {
    use apikee::emulator::InvalidSigningKey;
    let file = file();
    let pem = file["exchanges"][7]["request_signing_public_key_pem"].as_str().unwrap().to_owned();
    let ed25519 = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";
    for text in ["", "no PEM", &pem.replace("PUBLIC", "PRIVATE"), &pem.replace("MIIB", "MIIC"), ed25519] {
        assert_eq!(builder().request_signing_key(text).unwrap_err(), InvalidSigningKey, "{text}");
    }
}
