//! The guard in an OpenAPI document.

use apikee::web::NotOpenApi;
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
fn the_scheme_is_added_for_the_document_and_its_operations_and_excluded_paths_are_open() {
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

#[test]
fn doing_it_again_changes_nothing() {
    let mut document = document();
    guard().bearer().add_to_openapi(&mut document).unwrap();
    let once = document.clone();
    guard().bearer().add_to_openapi(&mut document).unwrap();
    assert_eq!(document, once);
}

#[test]
fn a_bearer_token_is_another_way_in_and_the_header_has_its_name() {
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
fn what_is_no_openapi_document_is_refused() {
    for mut document in [
        json!(null),
        json!([]),
        json!({ "components": [] }),
        json!({ "components": { "securitySchemes": 1 } }),
        json!({ "security": {} }),
        json!({ "paths": [] }),
    ] {
        assert_eq!(guard().add_to_openapi(&mut document), Err(NotOpenApi), "{document}");
    }
    for mut document in [json!({}), json!({ "paths": { "/a": null, "/b": { "get": 1 } } })] {
        assert_eq!(guard().add_to_openapi(&mut document), Ok(()));
    }
}
