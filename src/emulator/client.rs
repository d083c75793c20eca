//! What the platform knows of a client.

use core::net::IpAddr;
use std::{borrow::ToOwned as _, boxed::Box, string::ToString, sync::Arc, vec::Vec};

use ipnet::IpNet;
use serde_json::{Value, json};

use super::{
    clock,
    limits::{Limits, Usage},
    random::Ids,
};
use crate::{
    ClientId, ClientType, Fingerprint, Timestamp, UnixTime,
    network::{self, InvalidNetwork},
};

/// A client to be known to an [`Emulator`](super::Emulator).
///
/// ```
/// use apikee::{ClientId, EmulatedClient, Emulator, Fingerprint};
///
/// let emulator = Emulator::start()?;
/// let client = EmulatedClient::new("acme-corp")
///     .hourly(100)
///     .network("203.0.113.0/24")?
///     .fingerprint(Fingerprint::of("apikee_example.signature"));
/// emulator.add_client(ClientId::new("497f6eca-6276-4993-bfeb-53cbbbba6f08")?, client);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct EmulatedClient {
    pub(super) name: Arc<str>,
    client_type: ClientType,
    keys: Vec<Key>,
    fingerprints: Vec<Fingerprint>,
    networks: Vec<IpNet>,
    pub(super) limits: Limits,
    pub(super) usage: Usage,
    pub(super) template: Option<Box<str>>,
    /// JSON, which the platform keeps and gives back.
    metadata: Option<Box<str>>,
}

#[derive(Debug, Clone)]
struct Key {
    /// `None` until the client is known to an emulator.
    id: Option<ClientId>,
    name: Box<str>,
    expires_at: Option<UnixTime>,
    /// A revoked key is not in the record. Its name is kept, to be refused.
    revoked: bool,
}

/// Names of revoked keys that a client keeps; older ones are forgotten.
const MAX_REVOKED: usize = 100;

impl EmulatedClient {
    /// A service without limits, called from anywhere with any key.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            client_type: ClientType::Service,
            keys: Vec::new(),
            fingerprints: Vec::new(),
            networks: Vec::new(),
            limits: Limits::default(),
            usage: Usage::default(),
            template: None,
            metadata: None,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Requests that are good in each hour of the emulator's clock.
    #[must_use]
    pub const fn hourly(mut self, requests: u32) -> Self {
        self.limits.hour = Some(requests);
        self
    }

    /// Requests that are good in each day (UTC) of the emulator's clock.
    #[must_use]
    pub const fn daily(mut self, requests: u32) -> Self {
        self.limits.day = Some(requests);
        self
    }

    /// Requests that are good in each week (UTC, from Monday) of the emulator's clock.
    #[must_use]
    pub const fn weekly(mut self, requests: u32) -> Self {
        self.limits.week = Some(requests);
        self
    }

    /// Requests that are good in each month (UTC) of the emulator's clock.
    #[must_use]
    pub const fn monthly(mut self, requests: u32) -> Self {
        self.limits.month = Some(requests);
        self
    }

    /// The template by its id. Its limits count beside the client's own. An id that the emulator does
    /// not know has no limits.
    #[must_use]
    pub fn template(mut self, id: &str) -> Self {
        self.template = Some(id.into());
        self
    }

    /// One more network that the client may call from, an address or CIDR. Without any it may call
    /// from anywhere.
    ///
    /// # Errors
    ///
    /// [`InvalidNetwork`].
    pub fn network(mut self, network: &str) -> Result<Self, InvalidNetwork> {
        let network = network::read(network)?;
        if !self.networks.contains(&network) {
            self.networks.push(network);
        }
        Ok(self)
    }

    /// One more key that is the client's. With any, a raw key that a request shows must be one of
    /// them; a request that shows none is not judged by it.
    #[must_use]
    pub fn fingerprint(mut self, key: Fingerprint) -> Self {
        self.fingerprints.push(key);
        self
    }

    /// One more key by its name. A request under that name is refused once it has expired; names
    /// that the client does not have are let through, as the published SDKs validate under a name
    /// other than the one that they create.
    #[must_use]
    pub fn key(mut self, name: &str, expires_at: Option<UnixTime>) -> Self {
        self.keys.push(Key { id: None, name: name.into(), expires_at, revoked: false });
        self
    }

    pub(super) fn may_call_from(&self, address: Option<IpAddr>) -> bool {
        self.networks.is_empty()
            || address.is_some_and(|address| self.networks.iter().any(|network| network.contains(&address)))
    }

    pub(super) fn has_key(&self, key: &str) -> bool {
        self.fingerprints.is_empty() || self.fingerprints.contains(&Fingerprint::of(key))
    }

    /// Why a request under that key name is refused; `None` if one key of that name is good, or none
    /// has it. A key is good in the second that it expires in, as a key's own claim is.
    pub(super) fn key_refusal(&self, name: &str, now: UnixTime) -> Option<&'static str> {
        let mut refusal = None;
        for key in self.keys.iter().filter(|key| &*key.name == name) {
            if key.revoked {
                refusal = Some("REVOKED_KEY");
            } else if key.expires_at.is_some_and(|end| now.as_secs() > end.as_secs()) {
                refusal = Some("EXPIRED_KEY");
            } else {
                return None;
            }
        }
        refusal
    }

    /// Revokes the key of that id; whether there is one.
    pub(super) fn revoke(&mut self, id: ClientId) -> bool {
        let key = self.keys.iter_mut().find(|key| key.id == Some(id) && !key.revoked);
        let Some(key) = key else { return false };
        key.revoked = true;
        let revoked = self.keys.iter().filter(|key| key.revoked).count();
        if let (true, Some(oldest)) = (revoked > MAX_REVOKED, self.keys.iter().position(|key| key.revoked)) {
            self.keys.remove(oldest);
        }
        true
    }

    /// Gives each key without an id one that is drawn; `None` if there is no randomness.
    pub(super) fn name_keys(&mut self, ids: &mut Ids) -> Option<()> {
        for key in self.keys.iter_mut().filter(|key| key.id.is_none()) {
            key.id = Some(ids.draw()?);
        }
        Some(())
    }

    /// Reads the body of a call that creates a client; `None` if it is not such a body.
    pub(super) fn read(body: &Value) -> Option<Self> {
        let name = body.get("name")?.as_str().filter(|name| !name.is_empty())?;
        let mut this = Self::new(name);
        this.client_type = read_type(body.get("type")?.as_str()?)?;
        for key in list(body, "keys")? {
            this.keys.push(Key::read(key)?);
        }
        for network in list(body, "ipWhitelist")? {
            this = this.network(network.as_str()?).ok()?;
        }
        let given = |member| body.get(member).filter(|value| !value.is_null());
        if let Some(id) = given("templateId") {
            this.template = Some(id.as_str()?.into());
        }
        this.metadata = given("metadata").map(|value| value.to_string().into());
        Some(this)
    }

    /// What a later call makes of this client. What the call leaves out is reset. Limits, use and
    /// fingerprints, of which no call speaks, stay. A key that the call names again keeps its id, and a
    /// revoked one stays revoked unless the call names it again.
    pub(super) fn updated(&self, mut newer: Self) -> Self {
        for key in &mut newer.keys {
            let same = |own: &&Key| own.name == key.name && !own.revoked;
            (key.id, key.revoked) = (self.keys.iter().find(same).and_then(|own| own.id), false);
        }
        let revoked = self.keys.iter().filter(|own| own.revoked && newer.keys.iter().all(|key| key.name != own.name));
        let revoked: Vec<_> = revoked.cloned().collect();
        newer.keys.extend(revoked);
        Self { limits: self.limits, usage: self.usage, fingerprints: self.fingerprints.clone(), ..newer }
    }

    /// The client's record, as JSON.
    pub(super) fn record(&self, id: ClientId) -> Value {
        let keys: Vec<_> = self.keys.iter().filter(|key| !key.revoked).map(Key::record).collect();
        let mut record = json!({
            "id": id.to_string(),
            "name": &*self.name,
            "type": self.client_type.as_str(),
            "keys": keys,
        });
        if let Value::Object(members) = &mut record {
            if let Some(template) = &self.template {
                members.insert("templateId".to_owned(), (**template).into());
            }
            if let Some(metadata) = self.metadata.as_ref().and_then(|text| serde_json::from_str(text).ok()) {
                members.insert("metadata".to_owned(), metadata);
            }
            if !self.networks.is_empty() {
                let networks: Vec<_> = self.networks.iter().map(ToString::to_string).collect();
                members.insert("ipWhitelist".to_owned(), networks.into());
            }
        }
        record
    }

    /// All that the state file keeps of it: the record, and what no call speaks of.
    pub(super) fn saved(&self, id: ClientId) -> Value {
        let mut record = self.record(id);
        if let Value::Object(members) = &mut record {
            let keys = self.keys.iter().map(|key| {
                let mut record = key.record();
                if let (true, Value::Object(members)) = (key.revoked, &mut record) {
                    members.insert("revoked".to_owned(), true.into());
                }
                record
            });
            members.insert("keys".to_owned(), keys.collect());
            members.insert("fingerprints".to_owned(), self.fingerprints.iter().map(ToString::to_string).collect());
            members.insert("limits".to_owned(), self.limits.record());
            members.insert("usage".to_owned(), self.usage.record());
        }
        record
    }

    /// Reads what [`saved`](Self::saved) wrote.
    pub(super) fn restore(saved: &Value) -> Option<(ClientId, Self)> {
        let id = ClientId::new(saved.get("id")?.as_str()?).ok()?;
        let mut this = Self::read(saved)?;
        let fingerprints = saved.get("fingerprints")?.as_array()?.iter();
        this.fingerprints = fingerprints.map(|text| text.as_str()?.parse().ok()).collect::<Option<_>>()?;
        this.limits = Limits::read(saved.get("limits"))?;
        this.usage = Usage::read(saved.get("usage")?)?;
        Some((id, this))
    }

    /// Bytes that it takes, about.
    pub(super) fn len(&self) -> usize {
        let keys = self.keys.iter().map(|key| key.name.len().saturating_add(size_of::<Key>()));
        let lists = [
            self.fingerprints.len().saturating_mul(size_of::<Fingerprint>()),
            self.networks.len().saturating_mul(size_of::<IpNet>()),
            self.name.len(),
            self.template.as_ref().map_or(0, |text| text.len()),
            self.metadata.as_ref().map_or(0, |text| text.len()),
        ];
        keys.chain(lists).fold(size_of::<Self>(), usize::saturating_add)
    }
}

impl Key {
    fn read(key: &Value) -> Option<Self> {
        let expires_at = match key.get("expiresAt") {
            None | Some(Value::Null) => None,
            Some(time) => Some(clock::read_rfc3339(time.as_str()?)?),
        };
        Some(Self {
            id: key.get("id").and_then(Value::as_str).and_then(|id| ClientId::new(id).ok()),
            name: key.get("name")?.as_str()?.into(),
            expires_at,
            revoked: key.get("revoked") == Some(&Value::Bool(true)),
        })
    }

    fn record(&self) -> Value {
        let id = self.id.map(|id| id.to_string());
        match self.expires_at.and_then(|time| Timestamp::new(time).ok()) {
            Some(time) => json!({ "id": id, "name": &*self.name, "expiresAt": time.as_str() }),
            None => json!({ "id": id, "name": &*self.name }),
        }
    }
}

/// The entries of a list that may be missing.
fn list<'v>(body: &'v Value, member: &str) -> Option<&'v [Value]> {
    match body.get(member) {
        None | Some(Value::Null) => Some(&[]),
        Some(value) => value.as_array().map(Vec::as_slice),
    }
}

fn read_type(text: &str) -> Option<ClientType> {
    use ClientType::{Company, Device, Internal, Person, Service};
    [Person, Company, Service, Device, Internal].into_iter().find(|client_type| client_type.as_str() == text)
}
