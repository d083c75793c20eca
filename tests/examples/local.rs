//! Local mode: which requests are granted, which are refused, and what the response says.

use serde_json::{Value, json};

use crate::{
    caller::{Ask, CALLERS, Reply},
    gateway::Gateway,
    keys::{borrowed, environment, expired, fingerprint, forged, good, not_yet_valid},
    service::{ALL, SERVERS, Service},
};

const CHALLENGE: &str = r#"ApiKey realm="apikee", header="x-api-key""#;

/// Tests each example with each caller.
fn everywhere(revoked: &str, test: impl Fn(&str, &Service, &dyn Fn(&Ask) -> Reply)) {
    let mut environment = environment();
    environment.push(("REVOKED", format!("{}, {revoked}", fingerprint("apikee_another.key"))));
    for name in ALL {
        let service = Service::start(name, &borrowed(&environment));
        for (caller, ask) in CALLERS {
            test(&format!("{name}, {caller}"), &service, &|request| ask(&service, request));
        }
        let output = service.whole_output();
        assert!(output.lines().count() <= 1 && !output.contains("apikee_"), "{name}: {output}");
    }
}

/// Refused requests: the request, the status, the code, and a word of the message.
fn refused(revoked: &str) -> Vec<(Ask, u16, &'static str, &'static str)> {
    let (read, write) = (good(&["read"]), good(&["write"]));
    let me = || Ask::get("/me");
    let with = |key: &str| me().key(key);
    vec![
        (me(), 401, "MISSING_KEY", "x-api-key"),
        (with(""), 401, "MISSING_KEY", "required"),
        (me().header("authorization", &format!("Bearer {read}")), 401, "MISSING_KEY", "required"),
        (Ask::get(&format!("/me?x-api-key={read}")), 401, "MISSING_KEY", "required"),
        (me().header("cookie", &format!("x-api-key={read}")), 401, "MISSING_KEY", "required"),
        (with("nonsense"), 401, "INVALID_PREFIX", "apikee_"),
        (with(&read.replacen("apikee_", "apikey_", 1)), 401, "INVALID_PREFIX", "apikee_"),
        (with(&format!("Bearer {read}")), 401, "INVALID_PREFIX", "apikee_"),
        (with("apikee_nonsense"), 401, "INVALID_FORMAT", "separator"),
        (with("apikee_!.!"), 401, "DECODE_ERROR", "decoded"),
        (with(&read.replacen("apikee_", "apikee_0", 1)), 401, "DECODE_ERROR", "decoded"),
        (with(&forged()), 401, "INVALID_SIGNATURE", "signature"),
        (with(&expired()), 401, "EXPIRED", "expired"),
        (with(&not_yet_valid()), 401, "NOT_YET_VALID", "not yet valid"),
        (with(revoked), 401, "REVOKED", "revoked"),
        (with(&read).key(&read), 401, "MULTIPLE_KEYS", "More than one"),
        (with(&read).key(&write), 401, "MULTIPLE_KEYS", "More than one"),
        (Ask::get("/users/7"), 401, "MISSING_KEY", "required"),
        (Ask::get("/users/7").key(&write), 403, "INSUFFICIENT_SCOPE", "scopes: read"),
        (Ask::get("/users/7").key(&good(&["*", "READ", "read:all"])), 403, "INSUFFICIENT_SCOPE", "scopes: read"),
        (Ask::get("/users/7").key(revoked), 401, "REVOKED", "revoked"),
        (Ask::new("POST", "/users"), 401, "MISSING_KEY", "required"),
        (Ask::new("POST", "/users").key(&read), 403, "INSUFFICIENT_SCOPE", "scopes: write"),
        (Ask::new("POST", "/users").key(&good(&[])), 403, "INSUFFICIENT_SCOPE", "scopes: write"),
        (Ask::new("POST", "/me"), 401, "MISSING_KEY", "required"),
        (Ask::new("DELETE", "/users/7"), 401, "MISSING_KEY", "required"),
        (Ask::get("/nowhere"), 401, "MISSING_KEY", "required"),
        (Ask::get("/users/7/"), 401, "MISSING_KEY", "required"),
        (Ask::get("/users/"), 401, "MISSING_KEY", "required"),
        (Ask::get("/health/"), 401, "MISSING_KEY", "required"),
        (Ask::get("/health/x"), 401, "MISSING_KEY", "required"),
        (Ask::get("/Health"), 401, "MISSING_KEY", "required"),
        (Ask::get("//health"), 401, "MISSING_KEY", "required"),
        (Ask::get("/me/../health"), 401, "MISSING_KEY", "required"),
        (Ask::get("/health%3fx"), 401, "MISSING_KEY", "required"),
        (Ask::get("/openapi.json/"), 401, "MISSING_KEY", "required"),
    ]
}

#[test]
fn requests_without_a_good_key_are_refused() {
    let revoked = good(&["read", "write"]);
    let cases = refused(&revoked);
    everywhere(&fingerprint(&revoked), |who, _, ask| {
        for (request, status, code, word) in &cases {
            let reply = ask(request);
            assert_eq!((reply.status, &*reply.code()), (*status, *code), "{who}: {request:?}");
            assert_eq!(reply.header("content-type"), Some("application/json"), "{who}: {request:?}");
            let challenge = (*status == 401).then_some(CHALLENGE);
            assert_eq!(reply.header("www-authenticate"), challenge, "{who}: {request:?}");
            assert_eq!(reply.header("retry-after"), None, "{who}: {request:?}");
            let body = reply.json();
            assert_eq!(body.as_object().unwrap().len(), 2, "{who}: {body}");
            assert!(body["message"].as_str().unwrap().contains(word), "{who}: {request:?}: {body}");
            for (_, value) in &request.headers {
                let secret = value.contains('.') && reply.body.contains(value.as_str());
                assert!(!secret, "{who}: {request:?}: {body}");
            }
        }
    });
}

#[test]
fn a_second_key_field_is_refused_whatever_its_value() {
    let request = Ask::get("/me").key(&good(&["read"]));
    everywhere("", |who, _, ask| {
        for second in ["", "nonsense"] {
            let reply = ask(&request.clone().header("X-API-KEY", second));
            assert_eq!((reply.status, &*reply.code()), (401, "MULTIPLE_KEYS"), "{who}: {second:?}");
        }
    });
}

#[test]
fn good_keys_are_let_through() {
    let (read, write, none) = (good(&["read"]), good(&["write", "x"]), good(&[]));
    let tenant = json!({ "tenant": "acme-corp" });
    let cases = [
        (Ask::get("/users/7").key(&read), 200, json!({ "id": "7" })),
        (Ask::get("/users/7?page=2").key(&read), 200, json!({ "id": "7" })),
        (Ask::get("/users/7").header("X-Api-Key", &read), 200, json!({ "id": "7" })),
        (Ask::get("/users/7").header("X-API-KEY", &format!(" {read}\t")), 200, json!({ "id": "7" })),
        (Ask::new("POST", "/users").key(&write), 201, tenant),
        (Ask::get("/nowhere").key(&none), 404, json!({ "error": "NOT_FOUND" })),
        (Ask::get("/users/").key(&none), 404, json!({ "error": "NOT_FOUND" })),
        (Ask::get("/health/").key(&none), 404, json!({ "error": "NOT_FOUND" })),
        (Ask::new("POST", "/me").key(&none), 404, json!({ "error": "NOT_FOUND" })),
        (Ask::new("DELETE", "/users/7").key(&none), 404, json!({ "error": "NOT_FOUND" })),
    ];
    everywhere("", |who, _, ask| {
        for (request, status, body) in &cases {
            let reply = ask(request);
            assert_eq!((reply.status, reply.json()), (*status, body.clone()), "{who}: {request:?}");
            assert_eq!(reply.header("content-type"), Some("application/json"), "{who}: {request:?}");
            assert_eq!(reply.header("cache-control"), Some("no-store"), "{who}: {request:?}");
            assert_eq!(reply.header("www-authenticate"), None, "{who}: {request:?}");
        }
        let claims = ask(&Ask::get("/me").key(&read)).json();
        let shown = (&claims["tenant"], &claims["scopes"], &claims["environment"]);
        assert_eq!(shown, (&json!("acme-corp"), &json!(["read"]), &json!("production")), "{who}");
        assert!(claims["id"].as_str().is_some_and(|id| !id.is_empty()), "{who}");
    });
}

#[test]
fn a_head_request_is_checked_and_has_no_body() {
    let key = good(&["read"]);
    let cases = [
        (Ask::get("/health"), 200),
        (Ask::get("/me"), 401),
        (Ask::get("/me").key(&key), 200),
        (Ask::get("/users/7").key(&key), 200),
        (Ask::get("/users/7").key(&good(&[])), 403),
        (Ask::get("/nowhere").key(&key), 404),
    ];
    everywhere("", |who, _, ask| {
        for (request, status) in &cases {
            let head = ask(&Ask { method: "HEAD", ..request.clone() });
            assert_eq!((head.status, &*head.body), (*status, ""), "{who}: {request:?}");
            let get = ask(request);
            assert_eq!(get.status, *status, "{who}: {request:?}");
            for name in ["content-type", "www-authenticate"] {
                assert_eq!(head.header(name), get.header(name), "{who}: {request:?}");
            }
        }
    });
}

#[test]
fn excluded_paths_need_no_key_whatever_the_query() {
    everywhere("", |who, _, ask| {
        for path in ["/health", "/health?", "/health?verbose=1&x=/me"] {
            for request in [Ask::get(path), Ask::get(path).key("nonsense"), Ask::get(path).key("a").key("b")] {
                let reply = ask(&request);
                assert_eq!((reply.status, &*reply.body), (200, "ok"), "{who}: {request:?}");
                assert!(reply.header("content-type").is_some_and(|kind| kind.starts_with("text/plain")), "{who}");
            }
        }
        assert_eq!(ask(&Ask::get("/openapi.json?pretty")).status, 200, "{who}");
        // The path is excluded, but there is no such route. The key does not matter.
        assert_eq!(ask(&Ask::new("POST", "/health")).status, 404, "{who}");
    });
}

#[test]
fn excluded_paths_are_compared_without_decoding_except_behind_cgi() {
    everywhere("", |who, service, ask| {
        let decodes = service.name == "cgi";
        assert_eq!(ask(&Ask::get("/%68ealth")).status, if decodes { 200 } else { 401 }, "{who}");
    });
}

#[test]
fn the_openapi_document_has_the_scheme_and_the_scopes_of_the_guard() {
    everywhere("", |who, service, ask| {
        let reply = ask(&Ask::get("/openapi.json"));
        assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/json")), "{who}");
        let document = reply.json();
        let scheme = &document["components"]["securitySchemes"]["ApikeeAuth"];
        assert_eq!(
            (&scheme["type"], &scheme["in"], &scheme["name"]),
            (&json!("apiKey"), &json!("header"), &json!("x-api-key"))
        );
        assert_eq!(document["security"], json!([{ "ApikeeAuth": [] }]), "{who}");
        assert_eq!(document["paths"]["/health"]["get"]["security"], json!([]), "{who}");
        for (path, method, scopes) in
            [("/me", "get", json!([])), ("/users/{id}", "get", json!(["read"])), ("/users", "post", json!(["write"]))]
        {
            let operation = &document["paths"][path][method];
            let asked = operation.get("security").unwrap_or(&document["security"]);
            assert_eq!(*asked, json!([{ "ApikeeAuth": scopes }]), "{who}: {path}");
            assert!(operation["responses"]["401"].is_object(), "{who}: {path}");
        }
        let mounted = if service.name == "cgi" { json!(Gateway::SCRIPT_NAME) } else { Value::Null };
        assert_eq!(document["servers"][0]["url"], mounted, "{who}");
    });
}

#[test]
fn a_service_does_not_start_with_an_incomplete_or_invalid_configuration() {
    for name in SERVERS {
        for environment in [
            vec![],
            vec![("APIKEE_SECRET", "secret"), ("APIKEE_SERVER_KEY", "sk_test_half")],
            vec![("APIKEE_SECRET", "secret"), ("REVOKED", "no fingerprint")],
        ] {
            let output = Service::refuses_to_start(name, &environment);
            assert!(!output.is_empty() && !output.contains("sk_test_half"), "{name}: {output}");
        }
    }
}
