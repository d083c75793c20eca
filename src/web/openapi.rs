//! Additions of a guard to an OpenAPI document.
//!
//! | place | content |
//! |---|---|
//! | `components.securitySchemes` | `ApikeeAuth`, and `ApikeeBearerAuth` where [`bearer`](Guard::bearer) is set |
//! | `components.responses`, `components.schemas` | the refusals: 401, 403, 429, 502, 503, and their body |
//! | `security`, for the document and for each operation | one of the schemes is enough |
//! | `responses` of each operation | references to the refusals |
//! | the operation of a [route](RouteGuard::add_to_openapi) | its scopes |
//!
//! Scopes are roles in the security requirement. OpenAPI 3.1 allows roles for schemes that are not OAuth ("Security
//! Requirement Object"). OpenAPI 3.0 requires an empty list, so the scopes are in `x-apikee-scopes` instead. In both
//! versions the description of the response 403 names them.

use std::{
    format,
    string::{String, ToString as _},
    vec::Vec,
};

use serde_json::{Map, Value, json};

use super::guard::{Guard, OPENAPI_DESCRIPTION, RouteGuard};
use crate::error::sentences;

/// The name of the security scheme in the SDKs.
const SCHEME: &str = "ApikeeAuth";

/// The second scheme, if `Authorization: Bearer` is accepted.
const BEARER_SCHEME: &str = "ApikeeBearerAuth";

const SCHEMES: [&str; 2] = [SCHEME, BEARER_SCHEME];

/// The body of a refusal.
const BODY: &str = "ApikeeRefusal";

/// The member with an operation's scopes, for OpenAPI 3.0.
const SCOPES: &str = "x-apikee-scopes";

/// The members of a path item that are operations (OpenAPI 3, "Path Item Object").
const OPERATIONS: [&str; 9] = ["get", "put", "post", "delete", "options", "head", "patch", "trace", "query"];

/// The refusals: status, name of the component, and description.
const REFUSALS: [(&str, &str, &str); 5] = [
    (
        "401",
        "ApikeeUnauthorized",
        "The key is missing, malformed, forged, expired, not yet valid or revoked, or the Apikee platform refuses it. \
         If the rate limit is exceeded, Retry-After may be sent",
    ),
    ("403", "ApikeeForbidden", "The key lacks scopes that the route needs"),
    ("429", "ApikeeTooManyRequests", "Too many requests: come back later"),
    ("502", "ApikeeBadGateway", "The Apikee platform gave no trustworthy answer about the key"),
    ("503", "ApikeeUnavailable", "The key cannot be checked at the moment: come back later"),
];

impl Guard {
    /// Adds the guard's requirements and refusals to an OpenAPI 3 document.
    ///
    /// It adds the security scheme `ApikeeAuth`, like the SDKs, and `ApikeeBearerAuth` if [`bearer`](Self::bearer) is
    /// set. One of them is enough. This applies to the document as a whole, and to each operation without a `security`
    /// member. These operations also get the responses 401, 403, 429, 502 and 503, unless they have them. Operations
    /// under [excluded](Self::excluded_paths) paths, in `webhooks` and in `callbacks` need no key, and get no
    /// responses. They keep the document's other schemes, also those that it combines with the key. Operations in
    /// `additionalOperations` (OpenAPI 3.2) are not changed, and references (`$ref`) are not followed. If the
    /// document's `security` combines the key with another scheme, no requirement is added to it. An empty requirement
    /// (`{}`) of the document is removed: it would make the key optional. A second call changes nothing.
    ///
    /// The document is the same in local and in server mode, although the guard answers 502 and 503 only in server
    /// mode. The guard itself never answers 429: if the platform's rate limit is exceeded, it answers 401, like the
    /// SDKs' middlewares. The 429 is for proxies in front of the service, and for the service's own limits.
    ///
    /// [`RouteGuard::add_to_openapi`] adds the scopes of a route.
    ///
    /// # Errors
    ///
    /// [`NotOpenApi`] if the document, or one of the members to be changed, has the wrong type. Additions before that
    /// member stay in the document then.
    pub fn add_to_openapi(&self, document: &mut Value) -> Result<(), NotOpenApi> {
        self.add_components(document)?;
        let ours = self.requirements(&[]);
        let root = object(document)?;
        let security = root.entry("security").or_insert_with(|| json!([])).as_array_mut().ok_or(NotOpenApi)?;
        let is_enough = security.iter().any(is_alone);
        let mut others = Vec::new();
        for other in security.iter().filter(|own| !is_enough || !names_ours(own)).filter_map(without_ours) {
            if !others.contains(&other) {
                others.push(other);
            }
        }
        let others = Value::from(others);
        // An empty requirement would make the key optional.
        security.retain(|requirement| *requirement != json!({}));
        if !security.iter().any(is_combined) {
            for requirement in ours {
                if !security.contains(&requirement) {
                    security.push(requirement);
                }
            }
        }
        let inherited = Value::from(security.clone());
        if let Some(webhooks) = root.get_mut("webhooks") {
            need_no_key(webhooks, &others);
        }
        let Some(paths) = root.get_mut("paths") else {
            return Ok(());
        };
        for (path, item) in object(paths)? {
            let open = self.excluded.iter().any(|excluded| **excluded == **path);
            for operation in OPERATIONS {
                let Some(Value::Object(operation)) = item.get_mut(operation) else { continue };
                let callbacks = operation.get_mut("callbacks").and_then(Value::as_object_mut);
                callbacks.into_iter().flat_map(Map::values_mut).for_each(|items| need_no_key(items, &others));
                let default = if open { others.clone() } else { inherited.clone() };
                let security = operation.entry("security").or_insert(default);
                if security.as_array().is_some_and(|security| security.iter().any(names_ours)) {
                    add_responses(operation)?;
                }
            }
        }
        Ok(())
    }

    fn add_components(&self, document: &mut Value) -> Result<(), NotOpenApi> {
        let components = object(object(document)?.entry("components").or_insert_with(|| json!({})))?;
        let schemes = object(components.entry("securitySchemes").or_insert_with(|| json!({})))?;
        let name = &self.challenge.header;
        let scheme = json!({"type": "apiKey", "in": "header", "name": name, "description": OPENAPI_DESCRIPTION});
        schemes.insert(SCHEME.into(), scheme);
        if self.challenge.bearer {
            let scheme = json!({"type": "http", "scheme": "bearer", "description": OPENAPI_DESCRIPTION});
            schemes.insert(BEARER_SCHEME.into(), scheme);
        }
        let schemas = object(components.entry("schemas").or_insert_with(|| json!({})))?;
        let text = json!({"type": "string"});
        let body = json!({
            "type": "object",
            "required": ["error", "message"],
            "properties": {"error": text, "message": text},
        });
        schemas.insert(BODY.into(), body);
        let responses = object(components.entry("responses").or_insert_with(|| json!({})))?;
        for (status, name, description) in REFUSALS {
            responses.insert(name.into(), refusal(status, description, self.challenge.bearer));
        }
        Ok(())
    }

    /// One requirement for each scheme. One of them is enough.
    fn requirements(&self, roles: &[&str]) -> Vec<Value> {
        let schemes = [Some(SCHEME), self.challenge.bearer.then_some(BEARER_SCHEME)];
        schemes.into_iter().flatten().map(|scheme| json!({ scheme: roles })).collect()
    }
}

impl RouteGuard<'_> {
    /// Adds the route's scopes to one operation of an OpenAPI 3 document, and also what [`Guard::add_to_openapi`] adds
    /// to an operation. The operation is the one with this method under the route's template. You may call both
    /// functions in any order, and repeatedly.
    ///
    /// From OpenAPI 3.1 on, the scopes are in the security requirement. In 3.0, where that list must be empty, they are
    /// in `x-apikee-scopes`. In both versions the response 403 names them. Requirements of other schemes stay, except
    /// an empty one, and so does a requirement that combines the key with another scheme.
    ///
    /// ```
    /// # use apikee::{Apikee, web::Guard};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let guard = Guard::new(Apikee::builder().secret(b"the current secret: 32 random bytes").build()?);
    /// let mut document = serde_json::json!({
    ///     "openapi": "3.1.0",
    ///     "info": { "title": "Users", "version": "1" },
    ///     "paths": { "/users/{id}": { "get": { "responses": {} } } },
    /// });
    /// guard.add_to_openapi(&mut document)?;
    /// guard.route("/users/{id}").require(&["read"]).add_to_openapi("get", &mut document)?;
    /// assert_eq!(
    ///     document["paths"]["/users/{id}"]["get"]["security"],
    ///     serde_json::json!([{ "ApikeeAuth": ["read"] }])
    /// );
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`NoSuchOperation`] if the document does not have exactly this template and method, if it is not an OpenAPI
    /// document, or if the guard has no template.
    pub fn add_to_openapi(self, method: &str, document: &mut Value) -> Result<(), NoSuchOperation> {
        self.guard.add_components(document)?;
        let has_roles = !document.get("openapi").and_then(Value::as_str).unwrap_or_default().starts_with("3.0");
        let roles = if has_roles { self.scopes } else { &[] };
        let method =
            OPERATIONS.iter().find(|operation| operation.eq_ignore_ascii_case(method)).ok_or(NoSuchOperation)?;
        let template = self.template.ok_or(NoSuchOperation)?;
        let inherited = document.get("security").cloned().unwrap_or_else(|| json!([]));
        let item = document.get_mut("paths").and_then(|paths| paths.get_mut(template));
        let operation = object(item.and_then(|item| item.get_mut(method)).ok_or(NoSuchOperation)?)?;

        let security = operation.entry("security").or_insert(inherited).as_array_mut().ok_or(NotOpenApi)?;
        let needs_own = security.iter().any(is_alone) || !security.iter().any(is_combined);
        // An empty requirement would make the key optional.
        security.retain(|requirement| !is_alone(requirement) && *requirement != json!({}));
        let schemes = security.iter_mut().filter_map(Value::as_object_mut).flatten();
        let keys = schemes.filter(|(scheme, _)| SCHEMES.contains(&scheme.as_str()));
        keys.for_each(|(_, of)| *of = json!(roles));
        if needs_own {
            security.extend(self.guard.requirements(roles));
        }
        let responses = add_responses(operation)?;
        if responses.get("403").is_some_and(is_refusal) {
            let scopes = self.scopes.join(", ");
            let description = format!("The key lacks scopes. The route needs all of these: {scopes}");
            let response = if self.scopes.is_empty() {
                reference("ApikeeForbidden")
            } else {
                refusal("403", &description, self.guard.challenge.bearer)
            };
            responses.insert("403".into(), response);
        }
        operation.remove(SCOPES);
        if !has_roles && !self.scopes.is_empty() {
            operation.insert(SCOPES.into(), json!(self.scopes));
        }
        Ok(())
    }
}

/// Whether a security requirement names one of the schemes of this module.
fn names_ours(requirement: &Value) -> bool {
    SCHEMES.iter().any(|scheme| requirement.get(scheme).is_some())
}

/// Whether a requirement needs a key and something else, too.
fn is_combined(requirement: &Value) -> bool {
    names_ours(requirement) && requirement.as_object().is_some_and(|schemes| schemes.len() > 1)
}

/// Whether a requirement needs only a key.
fn is_alone(requirement: &Value) -> bool {
    names_ours(requirement) && !is_combined(requirement)
}

/// A requirement without the schemes of this module. `None` if it has no others.
fn without_ours(requirement: &Value) -> Option<Value> {
    let mut others = requirement.clone();
    others.as_object_mut()?.retain(|scheme, _| !SCHEMES.contains(&scheme.as_str()));
    (!names_ours(requirement) || others != json!({})).then_some(others)
}

/// Adds the other requirements to operations that the service calls (webhooks, callbacks): they need no key of its own.
fn need_no_key(items: &mut Value, others: &Value) {
    for item in items.as_object_mut().into_iter().flat_map(Map::values_mut) {
        for operation in OPERATIONS {
            if let Some(Value::Object(operation)) = item.get_mut(operation) {
                operation.entry("security").or_insert_with(|| others.clone());
            }
        }
    }
}

/// Whether a response was added by this module.
fn is_refusal(response: &Value) -> bool {
    let reference = response.get("$ref").or_else(|| response.pointer("/content/application~1json/schema/$ref"));
    reference.and_then(Value::as_str).is_some_and(|reference| {
        let name = reference.rsplit_once('/').map_or(reference, |(_, name)| name);
        name == BODY || REFUSALS.iter().any(|refusal| refusal.1 == name)
    })
}

fn refusal(status: &str, description: &str, bearer: bool) -> Value {
    let header = |text: &str| json!({"description": text, "schema": {"type": "string"}});
    let mut headers = Map::new();
    if status == "401" || status == "403" && bearer {
        headers.insert("WWW-Authenticate".into(), header("The authentication scheme (RFC 9110, section 11.6.1)"));
    }
    if !matches!(status, "403" | "502") {
        headers.insert("Retry-After".into(), header("Seconds to wait, if they are known"));
    }
    let schema = json!({ "$ref": format!("#/components/schemas/{BODY}") });
    let mut response = json!({"description": description, "content": {"application/json": {"schema": schema}}});
    if let Some(response) = response.as_object_mut().filter(|_| !headers.is_empty()) {
        response.insert("headers".into(), headers.into());
    }
    response
}

/// A reference to one of the added responses.
fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/responses/{name}") })
}

/// Adds the refusals that an operation does not have yet, and returns its responses.
fn add_responses(operation: &mut Map<String, Value>) -> Result<&mut Map<String, Value>, NotOpenApi> {
    let responses = object(operation.entry("responses").or_insert_with(|| json!({})))?;
    for (status, name, _) in REFUSALS {
        responses.entry(status.to_string()).or_insert_with(|| reference(name));
    }
    Ok(responses)
}

fn object(value: &mut Value) -> Result<&mut Map<String, Value>, NotOpenApi> {
    value.as_object_mut().ok_or(NotOpenApi)
}

/// The document is not an OpenAPI document: a member must be an object or an array, and is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotOpenApi;

sentences!(NotOpenApi, "not an OpenAPI document");

/// The document has no operation with this method under the route's template, or is not an OpenAPI document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoSuchOperation;

impl From<NotOpenApi> for NoSuchOperation {
    fn from(NotOpenApi: NotOpenApi) -> Self {
        Self
    }
}

sentences!(NoSuchOperation, "the OpenAPI document does not have the route's operation");
