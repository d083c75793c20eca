//! The guard in an OpenAPI document.

use apikee::web::{NoSuchOperation, NotOpenApi};
use serde_json::{Value, json};

use crate::guard;

fn document() -> Value {
    json!({
        "openapi": "3.1.0",
        "info": {"title": "users", "version": "1"},
        "paths": {
            "/health": {"get": {"responses": {}}},
            "/users": {
                "parameters": [{"name": "a", "in": "query"}],
                "summary": "users",
                "get": {"responses": {}},
                "post": {"responses": {}, "security": [{"other": []}]},
            },
        },
    })
}

#[test]
fn the_security_scheme_is_added_except_for_excluded_paths() {
    let mut document = document();
    guard().add_to_openapi(&mut document).unwrap();
    let scheme: Value = serde_json::from_str(&guard().openapi_scheme()).unwrap();
    assert_eq!(scheme["type"], "apiKey");
    assert_eq!(document["components"]["securitySchemes"], json!({ "ApikeeAuth": scheme }));
    let ours = json!([{ "ApikeeAuth": [] }]);
    assert_eq!(document["security"], ours);
    let paths = &document["paths"];
    assert_eq!(paths["/users"]["get"]["security"], ours);
    assert_eq!(paths["/users"]["post"]["security"], json!([{ "other": [] }]));
    assert_eq!(paths["/users"]["parameters"], json!([{ "name": "a", "in": "query" }]));
    assert_eq!(paths["/health"]["get"]["security"], json!([]));
}

const REFUSALS: [&str; 5] = ["401", "403", "429", "502", "503"];

/// Follows a reference, if the value is one.
fn resolved<'d>(document: &'d Value, value: &'d Value) -> &'d Value {
    match value["$ref"].as_str() {
        Some(reference) => document.pointer(reference.strip_prefix('#').unwrap()).unwrap(),
        None => value,
    }
}

#[test]
fn only_guarded_operations_document_refusals() {
    let mut document = document();
    document["paths"]["/users"]["get"]["responses"] = json!({ "200": {}, "403": { "description": "own" } });
    document["paths"]["/users"]["put"] = json!({});
    guard().add_to_openapi(&mut document).unwrap();
    for status in REFUSALS {
        for operation in ["get", "put"] {
            let response = resolved(&document, &document["paths"]["/users"][operation]["responses"][status]);
            let described = response["description"].as_str().unwrap();
            if (operation, status) == ("get", "403") {
                assert_eq!(described, "own");
                continue;
            }
            assert!(!described.is_empty());
            let schema = resolved(&document, &response["content"]["application/json"]["schema"]);
            assert_eq!(schema["required"], json!(["error", "message"]));
        }
        assert_eq!(document["paths"]["/health"]["get"]["responses"].get(status), None, "the path is open");
        assert_eq!(document["paths"]["/users"]["post"]["responses"].get(status), None, "it uses another scheme");
    }
    assert_eq!(document["paths"]["/users"]["get"]["responses"]["200"], json!({}));
}

#[test]
fn scopes_are_documented_as_roles_or_for_openapi_3_0_in_x_apikee_scopes() {
    for (version, roles) in
        [("3.0.3", json!([])), ("3.1.0", json!(["read", "admin"])), ("3.2.0", json!(["read", "admin"]))]
    {
        for route_first in [false, true] {
            let mut document = document();
            document["openapi"] = version.into();
            let guard = guard().bearer();
            let route = |document: &mut Value, method| {
                guard.route("/users").require(&["read", "admin"]).add_to_openapi(method, document).unwrap();
            };
            if route_first {
                route(&mut document, "GET");
            }
            guard.add_to_openapi(&mut document).unwrap();
            route(&mut document, "get");
            route(&mut document, "Post");

            let operations = &document["paths"]["/users"];
            let ours = [json!({ "ApikeeAuth": roles }), json!({ "ApikeeBearerAuth": roles })];
            assert_eq!(operations["get"]["security"], json!(ours));
            assert_eq!(operations["post"]["security"], json!([{ "other": [] }, ours[0], ours[1]]));
            let named = if version == "3.0.3" { json!(["read", "admin"]) } else { Value::Null };
            for operation in ["get", "post"] {
                assert_eq!(operations[operation]["x-apikee-scopes"], named);
                let responses = &operations[operation]["responses"];
                assert!(responses["403"]["description"].as_str().unwrap().ends_with(": read, admin"));
                assert!(REFUSALS.iter().all(|status| !resolved(&document, &responses[*status])["content"].is_null()));
            }
        }
    }
}

#[test]
fn the_header_fields_of_a_refusal_are_documented() {
    for (guard, forbidden) in [(guard(), &[][..]), (guard().bearer(), &["WWW-Authenticate"])] {
        let mut document = document();
        document["paths"]["/users"]["put"] = json!({});
        guard.add_to_openapi(&mut document).unwrap();
        guard.route("/users").require(&["read"]).add_to_openapi("get", &mut document).unwrap();
        for (status, expected) in [
            ("401", &["Retry-After", "WWW-Authenticate"][..]),
            ("403", forbidden),
            ("429", &["Retry-After"]),
            ("502", &[]),
            ("503", &["Retry-After"]),
        ] {
            for operation in ["get", "put"] {
                let response = resolved(&document, &document["paths"]["/users"][operation]["responses"][status]);
                let headers = response.get("headers").map(|headers| headers.as_object().unwrap());
                let names: Vec<_> = headers.iter().flat_map(|headers| headers.keys()).collect();
                assert_eq!(names, expected, "{operation} {status}");
                assert_eq!(headers.is_some(), !expected.is_empty(), "{operation} {status}");
            }
        }
    }
}

#[test]
fn a_refusal_of_the_document_itself_stays_and_that_of_another_guard_is_replaced() {
    let mut document = document();
    let foreign = json!({ "$ref": "#/components/responses/Forbidden" });
    document["paths"]["/users"]["get"]["responses"]["403"] = foreign.clone();
    document["paths"]["/users"]["put"] = json!({});
    for scopes in [&["read"][..], &["read", "admin"]] {
        for method in ["get", "put"] {
            guard().route("/users").require(scopes).add_to_openapi(method, &mut document).unwrap();
        }
        let paths = &document["paths"]["/users"];
        assert_eq!(paths["get"]["responses"]["403"], foreign);
        let described = paths["put"]["responses"]["403"]["description"].as_str().unwrap();
        assert!(described.ends_with(&format!(": {}", scopes.join(", "))), "{described}");
    }
}

#[test]
fn a_route_on_an_excluded_path_is_documented_to_need_a_key() {
    let (mut document, guard) = (document(), guard());
    guard.add_to_openapi(&mut document).unwrap();
    guard.route("/health").add_to_openapi("get", &mut document).unwrap();
    let operation = &document["paths"]["/health"]["get"];
    assert_eq!(operation["security"], json!([{ "ApikeeAuth": [] }]));
    assert!(REFUSALS.iter().all(|status| operation["responses"].get(status).is_some()));
    assert_eq!(operation.get("x-apikee-scopes"), None);
}

#[test]
fn a_route_that_the_document_does_not_have_is_an_error() {
    let guard = guard();
    for (template, method) in
        [("/users/{id}", "get"), ("/users", "delete"), ("/users", "summary"), ("/users", "parameters"), ("/users", "")]
    {
        let result = guard.route(template).require(&["read"]).add_to_openapi(method, &mut document());
        assert_eq!(result, Err(NoSuchOperation), "{method} {template}");
    }
    assert_eq!(guard.require(&["read"]).add_to_openapi("get", &mut document()), Err(NoSuchOperation));
    for mut document in [
        json!(null),
        json!({ "paths": [] }),
        json!({ "paths": { "/users": [] } }),
        json!({ "paths": { "/users": { "get": 1 } } }),
        json!({ "paths": { "/users": { "get": { "security": {} } } } }),
        json!({ "paths": { "/users": { "get": { "responses": [] } } } }),
    ] {
        assert_eq!(guard.route("/users").add_to_openapi("get", &mut document), Err(NoSuchOperation), "{document}");
    }
}

#[test]
fn adding_the_scheme_twice_changes_nothing() {
    let mut document = document();
    guard().bearer().add_to_openapi(&mut document).unwrap();
    guard().bearer().route("/users").require(&["read"]).add_to_openapi("get", &mut document).unwrap();
    let once = document.clone();
    guard().bearer().add_to_openapi(&mut document).unwrap();
    guard().bearer().route("/users").require(&["read"]).add_to_openapi("get", &mut document).unwrap();
    assert_eq!(document, once);
}

/// Adds what the guard adds, and the scope of one route, in one of the two orders.
fn add_all(document: &mut Value, method: &str, route_first: bool) {
    let guard = guard();
    let route = |document: &mut Value| {
        guard.route("/users").require(&["read"]).add_to_openapi(method, document).unwrap();
    };
    if route_first {
        route(document);
    }
    guard.add_to_openapi(document).unwrap();
    route(document);
}

/// An operation without a `security` member uses the document's schemes, and any one of them is enough.
#[test]
fn an_operation_keeps_the_schemes_that_it_inherits() {
    for route_first in [false, true] {
        let mut document = json!({
            "openapi": "3.2.0",
            "security": [{ "other": [] }],
            "paths": { "/users": { "get": {}, "query": {} }, "/health": { "get": {} } },
        });
        add_all(&mut document, "query", route_first);
        let operations = &document["paths"]["/users"];
        assert_eq!(operations["get"]["security"], json!([{ "other": [] }, { "ApikeeAuth": [] }]));
        assert_eq!(operations["query"]["security"], json!([{ "other": [] }, { "ApikeeAuth": ["read"] }]));
        // The path is excluded from this guard only.
        assert_eq!(document["paths"]["/health"]["get"]["security"], json!([{ "other": [] }]));
    }
}

/// The service sends these requests itself.
#[test]
fn webhooks_and_callbacks_need_no_key() {
    let item = json!({ "post": {}, "put": { "security": [{ "signed": [] }] } });
    let mut document = json!({
        "openapi": "3.1.0",
        "security": [{ "other": [] }],
        "webhooks": { "revoked": item },
        "paths": { "/users": { "post": { "callbacks": { "created": { "{$request.body#/url}": item } } } } },
    });
    guard().add_to_openapi(&mut document).unwrap();
    let operation = &document["paths"]["/users"]["post"];
    assert_eq!(operation["security"], json!([{ "other": [] }, { "ApikeeAuth": [] }]));
    for item in [&document["webhooks"]["revoked"], &operation["callbacks"]["created"]["{$request.body#/url}"]] {
        assert_eq!(item["post"], json!({ "security": [{ "other": [] }] }));
        assert_eq!(item["put"], json!({ "security": [{ "signed": [] }] }));
    }
}

#[test]
fn a_requirement_of_the_key_and_another_scheme_stays() {
    for route_first in [false, true] {
        let mut document = json!({
            "openapi": "3.1.0",
            "security": [{ "ApikeeAuth": [], "mtls": [] }],
            "paths": { "/users": { "get": {}, "post": {} }, "/health": { "get": {} } },
        });
        add_all(&mut document, "get", route_first);
        assert_eq!(document["paths"]["/health"]["get"]["security"], json!([{ "mtls": [] }]));
        assert_eq!(document["security"], json!([{ "ApikeeAuth": [], "mtls": [] }]));
        let operations = &document["paths"]["/users"];
        assert_eq!(operations["get"]["security"], json!([{ "ApikeeAuth": ["read"], "mtls": [] }]));
        assert_eq!(operations["post"]["security"], json!([{ "ApikeeAuth": [], "mtls": [] }]));

        // If the key alone is enough, other paths need nothing else. With two schemes for the key, each is combined.
        for (security, open) in [
            (json!([{ "ApikeeAuth": [] }, { "ApikeeAuth": [], "mtls": [] }]), json!([])),
            (
                json!([{ "ApikeeAuth": [], "mtls": [] }, { "ApikeeBearerAuth": [], "mtls": [] }]),
                json!([{ "mtls": [] }]),
            ),
        ] {
            let mut document =
                json!({ "openapi": "3.1.0", "security": security, "paths": { "/health": { "get": {} } } });
            guard().bearer().add_to_openapi(&mut document).unwrap();
            assert_eq!(document["paths"]["/health"]["get"]["security"], open);
            assert_eq!(document["security"], security);
        }

        // A requirement of the key alone stays beside it.
        let either = json!([{ "ApikeeAuth": [], "mtls": [] }, { "ApikeeAuth": [] }]);
        document["paths"]["/users"]["get"]["security"] = either;
        guard().route("/users").require(&["read"]).add_to_openapi("get", &mut document).unwrap();
        let either = json!([{ "ApikeeAuth": ["read"], "mtls": [] }, { "ApikeeAuth": ["read"] }]);
        assert_eq!(document["paths"]["/users"]["get"]["security"], either);
        let operations = &document["paths"]["/users"];
        assert!(REFUSALS.iter().all(|status| operations["post"]["responses"].get(status).is_some()));
    }
}

#[test]
fn a_route_needs_a_key_even_if_the_operation_says_that_it_is_optional() {
    let mut document = document();
    document["paths"]["/users"]["get"]["security"] = json!([{}, { "other": [] }]);
    guard().route("/users").add_to_openapi("get", &mut document).unwrap();
    assert_eq!(document["paths"]["/users"]["get"]["security"], json!([{ "other": [] }, { "ApikeeAuth": [] }]));
}

#[test]
fn a_key_is_needed_even_if_the_document_says_that_it_is_optional() {
    let mut document = document();
    document["security"] = json!([{}]);
    guard().add_to_openapi(&mut document).unwrap();
    assert_eq!(document["security"], json!([{ "ApikeeAuth": [] }]));
    assert_eq!(document["paths"]["/users"]["get"]["security"], json!([{ "ApikeeAuth": [] }]));
    assert_eq!(document["paths"]["/health"]["get"]["security"], json!([{}]));
}

#[test]
fn scopes_that_a_route_no_longer_needs_are_removed() {
    let mut document = document();
    document["openapi"] = "3.0.3".into();
    let guard = guard();
    guard.route("/users").require(&["read"]).add_to_openapi("get", &mut document).unwrap();
    let operation = |document: &Value| document["paths"]["/users"]["get"].clone();
    assert_eq!(operation(&document)["x-apikee-scopes"], json!(["read"]));
    guard.route("/users").add_to_openapi("get", &mut document).unwrap();
    assert_eq!(operation(&document).get("x-apikee-scopes"), None);
    let forbidden = &operation(&document)["responses"]["403"];
    assert_eq!(resolved(&document, forbidden)["description"], "The key lacks scopes that the route needs");
}

#[test]
fn the_document_has_the_bearer_scheme_and_the_configured_header() {
    let guard = guard().bearer().header("X-Acme-Key").unwrap();
    let mut document = json!({ "components": { "securitySchemes": { "other": {} } }, "security": [{ "other": [] }] });
    guard.add_to_openapi(&mut document).unwrap();
    let schemes = &document["components"]["securitySchemes"];
    assert_eq!(schemes["ApikeeAuth"]["name"], "x-acme-key");
    assert_eq!(schemes["ApikeeBearerAuth"]["scheme"], "bearer");
    assert_eq!(schemes["other"], json!({}));
    assert_eq!(document["security"], json!([{ "other": [] }, { "ApikeeAuth": [] }, { "ApikeeBearerAuth": [] }]));
}

#[test]
fn a_document_that_is_not_openapi_is_refused() {
    for mut document in [
        json!(null),
        json!([]),
        json!({ "components": [] }),
        json!({ "components": { "securitySchemes": 1 } }),
        json!({ "components": { "responses": [] } }),
        json!({ "components": { "schemas": [] } }),
        json!({ "paths": { "/users": { "get": { "responses": [] } } } }),
        json!({ "security": {} }),
        json!({ "paths": [] }),
    ] {
        assert_eq!(guard().add_to_openapi(&mut document), Err(NotOpenApi), "{document}");
    }
    for mut document in [json!({}), json!({ "paths": { "/a": null, "/b": { "get": 1 } } })] {
        assert_eq!(guard().add_to_openapi(&mut document), Ok(()));
    }
}
