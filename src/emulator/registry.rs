//! The data of the platform: clients with their usage, templates and endpoints. It changes only by [`Change`]s, so a
//! log of the changes is enough to restore it.

use std::{
    collections::{BTreeMap, HashMap},
    format,
    string::{String, ToString},
    sync::Arc,
    vec::Vec,
};

use serde_json::{Value, json};

use super::client::{EmulatedClient, EmulatedTemplate, Limits, optional, parsed, without_nulls};
use crate::{UnixTime, protocol::ClientId};

#[derive(Default)]
pub(super) struct Registry {
    clients: BTreeMap<ClientId, EmulatedClient>,
    /// The clients by name. Names need not be unique; the ids with the same name are sorted.
    names: BTreeMap<Arc<str>, Vec<ClientId>>,
    templates: BTreeMap<String, EmulatedTemplate>,
    /// The number of clients for each template, including templates that do not exist.
    members: HashMap<String, usize>,
    /// In the order of their first registration.
    endpoints: Vec<EmulatedEndpoint>,
    /// The index of an endpoint in that list.
    routes: HashMap<(String, String), usize>,
    client_bytes: usize,
    endpoint_bytes: usize,
}

/// A change of a registry. It is one line of a state file.
pub(super) enum Change {
    /// Adds a client. It replaces a client with the same id.
    Client(ClientId, EmulatedClient),
    Removed(ClientId),
    /// A request of a client at this time.
    Used(ClientId, UnixTime),
    /// Adds a template. It replaces a template with the same id.
    Template(EmulatedTemplate),
    /// Registers or describes an endpoint.
    Endpoint(EmulatedEndpoint),
}

impl Change {
    /// The change as a line of JSON, with its line end.
    pub(super) fn line(&self) -> String {
        match self {
            Self::Client(id, client) => line("client", client.saved(*id)),
            Self::Removed(id) => line("removed", id.to_string().into()),
            // Every validation writes this one, so it is fast: its parts need no escapes.
            Self::Used(id, time) => format!("{{\"used\":\"{id}\",\"at\":{}}}\n", time.as_secs()),
            Self::Template(template) => line("template", template.record()),
            Self::Endpoint(endpoint) => line("endpoint", endpoint.record()),
        }
    }

    /// Parses such a line. `None` if it is not valid.
    pub(super) fn read(line: &[u8]) -> Option<Self> {
        let line: Value = serde_json::from_slice(line).ok()?;
        let (kind, value) = line.as_object()?.iter().find(|(name, _)| *name != "at")?;
        let id = || ClientId::new(value.as_str()?).ok();
        Some(match kind.as_str() {
            "client" => EmulatedClient::restore(value).map(|(id, client)| Self::Client(id, client))?,
            "removed" => Self::Removed(id()?),
            "used" => Self::Used(id()?, UnixTime::from_secs(line.get("at")?.as_i64()?)),
            "template" => Self::Template(EmulatedTemplate::restore(value)?),
            "endpoint" => Self::Endpoint(EmulatedEndpoint::read(value)?),
            _ => return None,
        })
    }
}

/// A line of JSON, with its line end.
fn line(kind: &str, value: Value) -> String {
    format!("{}\n", json!({ kind: value }))
}

impl Registry {
    /// Applies a change. Returns whether the object of the change exists.
    pub(super) fn apply(&mut self, change: Change) -> bool {
        match change {
            Change::Client(id, client) => self.put(id, client),
            Change::Removed(id) => return self.take_out(id).is_some(),
            Change::Used(id, now) => match self.clients.get_mut(&id) {
                Some(client) => client.usage.count(now),
                None => return false,
            },
            Change::Template(template) => {
                self.templates.insert(template.id.clone(), template);
            }
            Change::Endpoint(endpoint) => self.register(endpoint),
        }
        true
    }

    fn put(&mut self, id: ClientId, client: EmulatedClient) {
        self.take_out(id);
        let same = self.names.entry(Arc::clone(&client.name)).or_default();
        if let Err(at) = same.binary_search(&id) {
            same.insert(at, id);
        }
        if let Some(template) = &client.template {
            let members = self.members.entry(template.to_string()).or_default();
            *members = members.saturating_add(1);
        }
        self.client_bytes = self.client_bytes.saturating_add(client.len());
        self.clients.insert(id, client);
    }

    fn take_out(&mut self, id: ClientId) -> Option<EmulatedClient> {
        let client = self.clients.remove(&id)?;
        if let Some(same) = self.names.get_mut(&client.name) {
            same.retain(|own| *own != id);
            if same.is_empty() {
                self.names.remove(&client.name);
            }
        }
        if let Some(template) = &client.template
            && let Some(members) = self.members.get_mut(&**template)
        {
            *members = members.saturating_sub(1);
            if *members == 0 {
                self.members.remove(&**template);
            }
        }
        self.client_bytes = self.client_bytes.saturating_sub(client.len());
        Some(client)
    }

    fn register(&mut self, newer: EmulatedEndpoint) {
        let route = (newer.method.clone(), newer.path.clone());
        if let Some(own) = self.routes.get(&route).and_then(|at| self.endpoints.get_mut(*at)) {
            self.endpoint_bytes = self.endpoint_bytes.saturating_sub(own.len());
            own.update(newer);
            self.endpoint_bytes = self.endpoint_bytes.saturating_add(own.len());
        } else {
            self.endpoint_bytes = self.endpoint_bytes.saturating_add(newer.len());
            self.routes.insert(route, self.endpoints.len());
            self.endpoints.push(newer);
        }
    }

    pub(super) fn client(&self, id: ClientId) -> Option<&EmulatedClient> {
        self.clients.get(&id)
    }

    /// All clients, in the order of their ids.
    pub(super) fn clients(&self) -> impl ExactSizeIterator<Item = (ClientId, &EmulatedClient)> {
        self.clients.iter().map(|(id, client)| (*id, client))
    }

    /// All clients, in the order of their names.
    pub(super) fn by_name(&self) -> impl Iterator<Item = (ClientId, &EmulatedClient)> {
        let ids = self.names.values().flatten();
        ids.filter_map(|id| self.clients.get_key_value(id)).map(|(id, client)| (*id, client))
    }

    /// The clients with exactly this name, in the order of their ids.
    pub(super) fn named(&self, name: &str) -> &[ClientId] {
        self.names.get(name).map_or(&[], Vec::as_slice)
    }

    /// A client's own limits combined with those of its template.
    pub(super) fn limits(&self, client: &EmulatedClient) -> Limits {
        let template = client.template.as_ref().and_then(|id| self.templates.get(&**id));
        template.map_or(client.limits, |template| client.limits.and(template.limits))
    }

    pub(super) fn template(&self, id: &str) -> Option<&EmulatedTemplate> {
        self.templates.get(id)
    }

    /// All templates, in the order of their ids.
    pub(super) fn templates(&self) -> impl ExactSizeIterator<Item = &EmulatedTemplate> {
        self.templates.values()
    }

    /// The number of clients with this template.
    pub(super) fn members(&self, template: &str) -> usize {
        self.members.get(template).copied().unwrap_or_default()
    }

    pub(super) fn endpoints(&self) -> &[EmulatedEndpoint] {
        &self.endpoints
    }

    /// The registered endpoint with the same method and path.
    pub(super) fn same_route(&self, endpoint: &EmulatedEndpoint) -> Option<&EmulatedEndpoint> {
        let at = self.routes.get(&(endpoint.method.clone(), endpoint.path.clone()))?;
        self.endpoints.get(*at)
    }

    /// The approximate sizes of all clients and of all endpoints, in bytes.
    pub(super) const fn bytes(&self) -> (usize, usize) {
        (self.client_bytes, self.endpoint_bytes)
    }

    /// The number of lines that restore this registry.
    pub(super) fn len(&self) -> usize {
        self.clients.len().saturating_add(self.templates.len()).saturating_add(self.endpoints.len())
    }

    /// The lines that restore this registry.
    pub(super) fn lines(&self) -> impl Iterator<Item = String> {
        let templates = self.templates.values().map(|template| line("template", template.record()));
        let clients = self.clients.iter().map(|(id, client)| line("client", client.saved(*id)));
        templates.chain(clients).chain(self.endpoints.iter().map(|endpoint| line("endpoint", endpoint.record())))
    }
}

/// An endpoint with its last registration or description.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EmulatedEndpoint {
    /// The method, such as `GET`.
    pub method: String,
    /// The path. It starts with `/`.
    pub path: String,
    /// The name.
    pub name: String,
    /// A description in words.
    pub description: Option<String>,
    /// The request: a JSON object, as compact text with sorted members.
    pub request: Option<String>,
    /// The response: a JSON object, as compact text with sorted members.
    pub response: Option<String>,
    /// Scopes that a key needs.
    pub scopes: Vec<String>,
    /// Tags for searching.
    pub tags: Vec<String>,
    /// Whether callers should stop using it.
    pub deprecated: bool,
}

impl EmulatedEndpoint {
    /// Parses the body of a call that registers or describes an endpoint. `None` if it is not valid.
    pub(super) fn read(body: &Value) -> Option<Self> {
        let text = |member| body.get(member).and_then(Value::as_str).map(String::from);
        let (method, path, name) = (text("method")?, text("path")?, text("name")?);
        let metadata = optional(body, "metadata", |value| value.is_object().then_some(value))?.unwrap_or(&Value::Null);
        let texts = |list: &Value| serde_json::from_value(list.clone()).ok();
        let object = |value: &Value| value.is_object().then(|| value.to_string());
        is_route(&method, &path).then_some(Self {
            method,
            path,
            name,
            description: optional(body, "description", Value::as_str)?.map(String::from),
            request: optional(body, "request", object)?,
            response: optional(body, "response", object)?,
            scopes: optional(metadata, "scopes", texts)?.unwrap_or_default(),
            tags: optional(metadata, "tags", texts)?.unwrap_or_default(),
            deprecated: optional(metadata, "deprecated", Value::as_bool)?.unwrap_or_default(),
        })
    }

    /// Applies a later call. A call that has only a name keeps an earlier description. It also keeps the name, unless
    /// the call has another one than the default.
    fn update(&mut self, newer: Self) {
        if !newer.is_bare() || self.is_bare() {
            *self = newer;
        } else if newer.name != format!("{} {}", newer.method, newer.path) {
            self.name = newer.name;
        }
    }

    /// Whether only its name is known.
    fn is_bare(&self) -> bool {
        let Self { method: _, path: _, name: _, description, request, response, scopes, tags, deprecated } = self;
        description.is_none()
            && request.is_none()
            && response.is_none()
            && scopes.is_empty()
            && tags.is_empty()
            && !deprecated
    }

    /// The endpoint in the format of a call. Members without content are left out.
    pub(super) fn record(&self) -> Value {
        let listed = |list: &Vec<String>| (!list.is_empty()).then(|| list.clone());
        let metadata = without_nulls(json!({
            "scopes": listed(&self.scopes),
            "tags": listed(&self.tags),
            "deprecated": self.deprecated.then_some(true),
        }));
        without_nulls(json!({
            "method": self.method,
            "path": self.path,
            "name": self.name,
            "description": self.description,
            "request": self.request.as_deref().map(parsed),
            "response": self.response.as_deref().map(parsed),
            "metadata": (metadata != json!({})).then_some(metadata),
        }))
    }

    /// The approximate size in bytes.
    pub(super) fn len(&self) -> usize {
        let texts = [&self.method, &self.path, &self.name];
        let more = [&self.description, &self.request, &self.response].into_iter().flatten();
        let texts = texts.into_iter().chain(more).chain(&self.scopes).chain(&self.tags);
        texts.map(|text| text.len().saturating_add(size_of::<String>())).fold(size_of::<Self>(), usize::saturating_add)
    }
}

/// Whether the method is in upper case and the path starts with `/`.
pub(super) fn is_route(method: &str, path: &str) -> bool {
    let is_method = |byte: u8| byte.is_ascii_graphic() && !byte.is_ascii_lowercase() && byte != b':';
    !method.is_empty() && method.bytes().all(is_method) && path.starts_with('/')
}
