//! What changes while the emulator runs.

use std::{collections::BTreeMap, string::String, vec::Vec};

use serde_json::{Value, json};

use super::{EmulatedClient, EmulatorBuilder, clock::Clock, log::Log, misbehaviour::Arranged, random::Ids};
use crate::ClientId;

/// Clients that calls may create in all.
const MAX_CLIENTS: usize = 1_000;

/// Endpoints that calls may register in all.
const MAX_ENDPOINTS: usize = 10_000;

pub(super) struct State {
    pub(super) clock: Clock,
    pub(super) ids: Ids,
    pub(super) clients: BTreeMap<ClientId, EmulatedClient>,
    pub(super) endpoints: Vec<RegisteredEndpoint>,
    pub(super) arranged: Arranged,
    pub(super) log: Log,
    pub(super) connections: u64,
    pub(super) requests: u64,
}

/// An endpoint as it was last registered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RegisteredEndpoint {
    /// `GET`.
    pub method: String,
    /// With a `/` at its front.
    pub path: String,
    /// What it is called.
    pub name: String,
}

/// There is no room.
pub(super) struct Full;

impl State {
    pub(super) fn new(builder: EmulatorBuilder) -> Self {
        Self {
            clock: builder.clock,
            ids: builder.ids,
            clients: BTreeMap::new(),
            endpoints: Vec::new(),
            arranged: Arranged::default(),
            log: Log::new(builder.log_capacity),
            connections: 0,
            requests: 0,
        }
    }

    pub(super) fn client_named(&self, name: &str) -> Option<ClientId> {
        self.clients.iter().find(|(_, client)| client.name == name).map(|(id, _)| *id)
    }

    /// At most `limit` records of clients whose name has `part` in it, in the order of their ids.
    pub(super) fn list(&self, part: &str, limit: usize) -> Value {
        let found = || self.clients.iter().filter(|(_, client)| client.name.contains(part));
        let records: Vec<_> = found().take(limit).map(|(id, client)| client.record(*id)).collect();
        json!({ "data": records, "pagination": { "total": found().count(), "limit": limit } })
    }

    /// Creates the client or brings the one of its name up to date, and returns its record.
    pub(super) fn upsert(&mut self, newer: EmulatedClient) -> Result<(ClientId, Value), Full> {
        let known = self.client_named(&newer.name);
        let id = match known {
            Some(id) => id,
            None if self.clients.len() >= MAX_CLIENTS => return Err(Full),
            None => self.ids.draw().ok_or(Full)?,
        };
        let client = self.clients.entry(id).or_insert_with(|| EmulatedClient::new(&newer.name));
        client.update(newer);
        Ok((id, client.record(id)))
    }

    pub(super) fn register(&mut self, newer: RegisteredEndpoint) -> Result<(), Full> {
        let same = |own: &&mut RegisteredEndpoint| (&own.method, &own.path) == (&newer.method, &newer.path);
        if let Some(own) = self.endpoints.iter_mut().find(same) {
            *own = newer;
        } else if self.endpoints.len() < MAX_ENDPOINTS {
            self.endpoints.push(newer);
        } else {
            return Err(Full);
        }
        Ok(())
    }
}

impl RegisteredEndpoint {
    /// Reads the body of a call that registers it; `None` if it is none.
    pub(super) fn read(body: &Value) -> Option<Self> {
        let text = |member| body.get(member).and_then(Value::as_str).map(String::from);
        let this = Self { method: text("method")?, path: text("path")?, name: text("name")? };
        is_route(&this.method, &this.path).then_some(this)
    }

    pub(super) fn record(&self) -> Value {
        json!({ "success": true, "method": self.method, "path": self.path, "name": self.name })
    }
}

/// Whether it is a method in upper case and a path with a `/` at its front.
pub(super) fn is_route(method: &str, path: &str) -> bool {
    let is_method = |byte: u8| byte.is_ascii_graphic() && !byte.is_ascii_lowercase() && byte != b':';
    !method.is_empty() && method.bytes().all(is_method) && path.starts_with('/')
}
