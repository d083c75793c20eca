//! What a guard adds to an OpenAPI document.

use core::{error::Error, fmt};
use std::{string::String, vec};

use serde_json::{Map, Value, json};

use super::{guard::Guard, openapi::DESCRIPTION};

/// What the SDKs call the security scheme.
const SCHEME: &str = "ApikeeAuth";

/// The other one, where `Authorization: Bearer` is accepted.
const BEARER_SCHEME: &str = "ApikeeBearerAuth";

/// What a path item calls its operations (OpenAPI 3, "Path Item Object"); its other members are none.
const OPERATIONS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

impl Guard {
    /// Adds to an OpenAPI 3 document what this guard asks for: the security scheme `ApikeeAuth`, as
    /// the SDKs do, and `ApikeeBearerAuth` where [`bearer`](Self::bearer) is set; either will do, for the document
    /// as a whole and for each operation that says nothing of its own. Operations under
    /// [excluded](Self::excluded_paths) paths are marked as open. Doing it again changes nothing.
    ///
    /// # Errors
    ///
    /// [`NotOpenApi`] if the document, or one of the members that there would be something added to, is of
    /// the wrong type. What stands before that one has been added then.
    pub fn add_to_openapi(&self, document: &mut Value) -> Result<(), NotOpenApi> {
        let mut alternatives = vec![json!({ SCHEME: [] })];
        let schemes = object(object(document)?.entry("components").or_insert_with(|| json!({})))?;
        let schemes = object(schemes.entry("securitySchemes").or_insert_with(|| json!({})))?;
        let scheme = json!({"type": "apiKey", "in": "header", "name": self.header, "description": DESCRIPTION});
        schemes.insert(SCHEME.into(), scheme);
        if self.bearer {
            let scheme = json!({"type": "http", "scheme": "bearer", "description": DESCRIPTION});
            schemes.insert(BEARER_SCHEME.into(), scheme);
            alternatives.push(json!({ BEARER_SCHEME: [] }));
        }

        let root = object(document)?;
        let security = root.entry("security").or_insert_with(|| json!([])).as_array_mut().ok_or(NotOpenApi)?;
        for alternative in &alternatives {
            if !security.contains(alternative) {
                security.push(alternative.clone());
            }
        }
        let Some(paths) = root.get_mut("paths") else {
            return Ok(());
        };
        for (path, item) in object(paths)? {
            let open = self.excluded.iter().any(|excluded| **excluded == **path);
            let ours = if open { json!([]) } else { Value::from(alternatives.clone()) };
            for operation in OPERATIONS {
                if let Some(Value::Object(operation)) = item.get_mut(operation) {
                    operation.entry("security").or_insert_with(|| ours.clone());
                }
            }
        }
        Ok(())
    }
}

fn object(value: &mut Value) -> Result<&mut Map<String, Value>, NotOpenApi> {
    value.as_object_mut().ok_or(NotOpenApi)
}

/// The document is not an OpenAPI document: a member that should be an object or an array is neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotOpenApi;

impl fmt::Display for NotOpenApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the document is no OpenAPI document")
    }
}

impl Error for NotOpenApi {}
