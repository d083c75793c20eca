//! What changes while the emulator runs.

use std::{fs::File, io, sync::Arc};

use super::{
    EmulatedClient, EmulatorBuilder, RegisteredEndpoint, StateFileError,
    clock::Clock,
    journal::Journal,
    log::Log,
    misbehaviour::Arranged,
    random::Ids,
    registry::{Change, Registry},
};
use crate::ClientId;

/// Clients that calls may create in all.
const MAX_CLIENTS: usize = 100_000;

/// Bytes of clients that calls may create in all.
const MAX_CLIENT_BYTES: usize = 96 * 1024 * 1024;

/// Endpoints that calls may register in all.
const MAX_ENDPOINTS: usize = 10_000;

/// Bytes of endpoints that calls may register in all.
const MAX_ENDPOINT_BYTES: usize = 16 * 1024 * 1024;

/// Templates that calls may create in all.
const MAX_TEMPLATES: usize = 1_000;

pub(super) struct State {
    pub(super) clock: Clock,
    pub(super) ids: Ids,
    registry: Registry,
    journal: Option<Journal>,
    pub(super) arranged: Arranged,
    pub(super) log: Log,
    pub(super) connections: u64,
    pub(super) requests: u64,
}

/// Why a change is not made.
pub(super) enum NotChanged {
    /// There is no room.
    Full,
    /// The client's template has as many clients as it may.
    TemplateFull,
    /// There is no such client or key.
    Unknown,
    /// Another client has the name.
    NameTaken,
    /// The state file cannot be written, or there is no randomness for an id.
    Failed,
}

impl From<io::Error> for NotChanged {
    fn from(_: io::Error) -> Self {
        Self::Failed
    }
}

impl State {
    pub(super) fn new(builder: EmulatorBuilder) -> Result<Self, StateFileError> {
        let mut registry = Registry::default();
        let journal = builder.state_file.map(|path| Journal::open(&path, &mut registry)).transpose()?;
        let mut this = Self {
            clock: builder.clock,
            ids: builder.ids,
            registry,
            journal,
            arranged: Arranged::default(),
            log: Log::new(builder.log_capacity),
            connections: 0,
            requests: 0,
        };
        for template in builder.templates {
            this.make(Change::Template(template));
        }
        Ok(this)
    }

    pub(super) const fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Writes a change down and makes it, or does neither.
    pub(super) fn change(&mut self, change: Change) -> io::Result<()> {
        if let Some(journal) = &mut self.journal {
            journal.append(&change, &self.registry)?;
        }
        self.registry.apply(change);
        Ok(())
    }

    /// Makes a change in any case. What cannot be written down now is written with the next change.
    pub(super) fn make(&mut self, change: Change) {
        if let Some(journal) = &mut self.journal
            && journal.append(&change, &self.registry).is_err()
        {
            journal.fall_behind();
        }
        self.registry.apply(change);
    }

    /// The file that changes are written to, to be synced without a lock.
    pub(super) fn file(&self) -> Option<Arc<File>> {
        self.journal.as_ref().map(Journal::file)
    }

    /// The same, if something was written since this was called last.
    pub(super) fn unsynced(&mut self) -> Option<Arc<File>> {
        self.journal.as_mut().and_then(Journal::unsynced)
    }

    /// To be told if what was written may not be on the disk.
    pub(super) const fn fall_behind(&mut self) {
        if let Some(journal) = &mut self.journal {
            journal.fall_behind();
        }
    }

    /// An id that no client has; `None` if there is no randomness. Ids from a seed repeat those that a
    /// state file has.
    pub(super) fn new_id(&mut self) -> Option<ClientId> {
        for _ in 0..=self.registry.clients().len() {
            let id = self.ids.draw()?;
            if self.registry.client(id).is_none() {
                return Some(id);
            }
        }
        None
    }

    /// Makes a client known. Without randomness its new keys have no ids, and so cannot be revoked.
    pub(super) fn put(&mut self, id: ClientId, mut client: EmulatedClient) {
        let _ = client.name_keys(&mut self.ids);
        self.make(Change::Client(id, client));
    }

    /// Creates the client or brings the one of its name up to date. Returns its id.
    pub(super) fn upsert(&mut self, newer: EmulatedClient) -> Result<ClientId, NotChanged> {
        let known = self.registry.named(&newer.name).first().copied();
        let id = match known {
            Some(id) => id,
            None if self.registry.clients().len() >= MAX_CLIENTS => return Err(NotChanged::Full),
            None => self.new_id().ok_or(NotChanged::Failed)?,
        };
        self.update(id, newer)?;
        Ok(id)
    }

    /// Brings a client that is known up to date.
    pub(super) fn replace(&mut self, id: ClientId, newer: EmulatedClient) -> Result<(), NotChanged> {
        if self.registry.client(id).is_none() {
            return Err(NotChanged::Unknown);
        }
        if self.registry.named(&newer.name).iter().any(|other| *other != id) {
            return Err(NotChanged::NameTaken);
        }
        self.update(id, newer)
    }

    fn update(&mut self, id: ClientId, newer: EmulatedClient) -> Result<(), NotChanged> {
        let older = self.registry.client(id);
        let mut client = match older {
            Some(older) => older.updated(newer),
            None => EmulatedClient::new("").updated(newer),
        };
        if let Some(id) = client.template.as_deref()
            && older.is_none_or(|older| older.template.as_deref() != Some(id))
            && let Some(most) = self.registry.template(id).and_then(|template| template.max_clients)
            && self.registry.members(id) >= usize::try_from(most).unwrap_or(usize::MAX)
        {
            return Err(NotChanged::TemplateFull);
        }
        let (bytes, _) = self.registry.bytes();
        if bytes.saturating_add(client.len()) > MAX_CLIENT_BYTES {
            return Err(NotChanged::Full);
        }
        client.name_keys(&mut self.ids).ok_or(NotChanged::Failed)?;
        Ok(self.change(Change::Client(id, client))?)
    }

    pub(super) fn remove(&mut self, id: ClientId) -> Result<(), NotChanged> {
        self.registry.client(id).ok_or(NotChanged::Unknown)?;
        Ok(self.change(Change::Removed(id))?)
    }

    /// Revokes one key of a client.
    pub(super) fn revoke(&mut self, id: ClientId, key: ClientId) -> Result<(), NotChanged> {
        let mut client = self.registry.client(id).ok_or(NotChanged::Unknown)?.clone();
        if !client.revoke(key) {
            return Err(NotChanged::Unknown);
        }
        Ok(self.change(Change::Client(id, client))?)
    }

    pub(super) fn add_template(&mut self, template: super::EmulatedTemplate) -> Result<(), NotChanged> {
        if self.registry.template(&template.id).is_none() && self.registry.templates().len() >= MAX_TEMPLATES {
            return Err(NotChanged::Full);
        }
        Ok(self.change(Change::Template(template))?)
    }

    pub(super) fn register(&mut self, endpoint: RegisteredEndpoint) -> Result<(), NotChanged> {
        let new = !self.registry.has_endpoint(&endpoint);
        let (_, bytes) = self.registry.bytes();
        if new && self.registry.endpoints().len() >= MAX_ENDPOINTS
            || bytes.saturating_add(endpoint.len()) > MAX_ENDPOINT_BYTES
        {
            return Err(NotChanged::Full);
        }
        Ok(self.change(Change::Endpoint(endpoint))?)
    }
}

impl Drop for State {
    fn drop(&mut self) {
        if let Some(journal) = &mut self.journal {
            journal.close(&self.registry);
        }
    }
}
