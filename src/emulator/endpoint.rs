//! Endpoints that services register and describe.

use std::{borrow::ToOwned as _, format, string::String, vec::Vec};

use serde_json::{Map, Value, json};

/// An endpoint as it was last registered or described.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RegisteredEndpoint {
    /// `GET`.
    pub method: String,
    /// With a `/` at its front.
    pub path: String,
    /// What it is called.
    pub name: String,
    /// What it does, in words.
    pub description: Option<String>,
    /// What it takes: a JSON object, as compact text with sorted members.
    pub request: Option<String>,
    /// What it returns: a JSON object, as compact text with sorted members.
    pub response: Option<String>,
    /// Scopes that a key needs.
    pub scopes: Vec<String>,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// Whether callers ought to stop using it.
    pub deprecated: bool,
}

impl RegisteredEndpoint {
    /// Reads the body of a call that registers or describes it; `None` if it is not such a body.
    pub(super) fn read(body: &Value) -> Option<Self> {
        let text = |member| body.get(member).and_then(Value::as_str).map(String::from);
        let (method, path, name) = (text("method")?, text("path")?, text("name")?);
        if !is_route(&method, &path) {
            return None;
        }
        let description = present(body, "description").map(|value| value.as_str().map(str::to_owned));
        let object = |member| {
            let read = |value: &Value| value.is_object().then(|| std::string::ToString::to_string(value));
            present(body, member).map(read)
        };
        let none = Value::Object(Map::new());
        let metadata = present(body, "metadata").unwrap_or(&none);
        if !metadata.is_object() {
            return None;
        }
        Some(Self {
            method,
            path,
            name,
            description: flip(description)?,
            request: flip(object("request"))?,
            response: flip(object("response"))?,
            scopes: texts(metadata, "scopes")?,
            tags: texts(metadata, "tags")?,
            deprecated: present(metadata, "deprecated").map_or(Some(false), Value::as_bool)?,
        })
    }

    /// Takes over what a later call says. A call that describes nothing leaves a description as it is,
    /// and the name too, unless it gives one of its own.
    pub(super) fn update(&mut self, newer: Self) {
        if !newer.is_bare() || self.is_bare() {
            *self = newer;
        } else if newer.name != format!("{} {}", newer.method, newer.path) {
            self.name = newer.name;
        }
    }

    /// Whether nothing but its name is known.
    fn is_bare(&self) -> bool {
        let Self { method: _, path: _, name: _, description, request, response, scopes, tags, deprecated } = self;
        description.is_none()
            && request.is_none()
            && response.is_none()
            && scopes.is_empty()
            && tags.is_empty()
            && !deprecated
    }

    /// As calls describe it: members that say nothing are left out.
    pub(super) fn record(&self) -> Value {
        let mut metadata = Map::new();
        for (name, list) in [("scopes", &self.scopes), ("tags", &self.tags)] {
            if !list.is_empty() {
                metadata.insert(name.to_owned(), list.clone().into());
            }
        }
        if self.deprecated {
            metadata.insert("deprecated".to_owned(), true.into());
        }
        let mut record = json!({ "method": self.method, "path": self.path, "name": self.name });
        let object = |text: &Option<String>| text.as_ref().and_then(|text| serde_json::from_str::<Value>(text).ok());
        if let Value::Object(members) = &mut record {
            let described = [
                ("description", self.description.clone().map(Value::from)),
                ("request", object(&self.request)),
                ("response", object(&self.response)),
                ("metadata", (!metadata.is_empty()).then_some(Value::Object(metadata))),
            ];
            members.extend(described.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        }
        record
    }

    /// Bytes that it takes, about.
    pub(super) fn len(&self) -> usize {
        let texts = [&self.method, &self.path, &self.name];
        let more = [&self.description, &self.request, &self.response].into_iter().flatten();
        let texts = texts.into_iter().chain(more).chain(&self.scopes).chain(&self.tags);
        texts.map(|text| text.len().saturating_add(size_of::<String>())).fold(size_of::<Self>(), usize::saturating_add)
    }
}

/// Whether it is a method in upper case and a path with a `/` at its front.
pub(super) fn is_route(method: &str, path: &str) -> bool {
    let is_method = |byte: u8| byte.is_ascii_graphic() && !byte.is_ascii_lowercase() && byte != b':';
    !method.is_empty() && method.bytes().all(is_method) && path.starts_with('/')
}

/// A member that is there and is not null.
fn present<'v>(object: &'v Value, member: &str) -> Option<&'v Value> {
    object.get(member).filter(|value| !value.is_null())
}

/// Absent is fine; of the wrong type is not.
fn flip<T>(read: Option<Option<T>>) -> Option<Option<T>> {
    match read {
        None => Some(None),
        Some(None) => None,
        Some(Some(value)) => Some(Some(value)),
    }
}

fn texts(metadata: &Value, member: &str) -> Option<Vec<String>> {
    let Some(list) = present(metadata, member) else { return Some(Vec::new()) };
    list.as_array()?.iter().map(|text| text.as_str().map(str::to_owned)).collect()
}
