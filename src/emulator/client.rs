//! What the platform knows of a client.

use core::net::IpAddr;
use std::{borrow::ToOwned as _, string::String, vec::Vec};

use ipnet::IpNet;
use serde_json::{Value, json};

use super::{clock, limits::Limits};
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
    pub(super) name: String,
    client_type: ClientType,
    keys: Vec<Key>,
    fingerprints: Vec<Fingerprint>,
    networks: Vec<IpNet>,
    pub(super) limits: Limits,
    /// `templateId` and `metadata`, which the platform keeps and gives back.
    extra: [Option<Value>; 2],
}

#[derive(Debug, Clone)]
struct Key {
    name: String,
    expires_at: Option<UnixTime>,
}

const EXTRA: [&str; 2] = ["templateId", "metadata"];

impl EmulatedClient {
    /// A service without limits, called from anywhere with any key.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            client_type: ClientType::Service,
            keys: Vec::new(),
            fingerprints: Vec::new(),
            networks: Vec::new(),
            limits: Limits::default(),
            extra: [None, None],
        }
    }

    /// Requests that are good in each hour of the emulator's clock.
    #[must_use]
    pub const fn hourly(mut self, requests: u32) -> Self {
        self.limits.hour.allowed = Some(requests);
        self
    }

    /// Requests that are good in each day (UTC) of the emulator's clock.
    #[must_use]
    pub const fn daily(mut self, requests: u32) -> Self {
        self.limits.day.allowed = Some(requests);
        self
    }

    /// One more network that the client may call from, an address or CIDR. Without any it may call
    /// from anywhere.
    ///
    /// # Errors
    ///
    /// [`InvalidNetwork`].
    pub fn network(mut self, network: &str) -> Result<Self, InvalidNetwork> {
        self.networks.push(network::read(network)?);
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
        self.keys.push(Key { name: name.to_owned(), expires_at });
        self
    }

    pub(super) fn may_call_from(&self, address: Option<IpAddr>) -> bool {
        self.networks.is_empty()
            || address.is_some_and(|address| self.networks.iter().any(|network| network.contains(&address)))
    }

    pub(super) fn has_key(&self, key: &str) -> bool {
        self.fingerprints.is_empty() || self.fingerprints.contains(&Fingerprint::of(key))
    }

    /// Good in the second that it expires in, as a key's own claim is.
    pub(super) fn has_expired(&self, key_name: &str, now: UnixTime) -> bool {
        let mut named = self.keys.iter().filter(|key| key.name == key_name).filter_map(|key| key.expires_at);
        named.any(|end| now.as_secs() > end.as_secs())
    }

    /// Reads the body of a call that creates a client; `None` if it is none.
    pub(super) fn read(body: &Value) -> Option<Self> {
        let name = body.get("name")?.as_str().filter(|name| !name.is_empty())?;
        let mut this = Self::new(name);
        this.client_type = read_type(body.get("type")?.as_str()?)?;
        for key in list(body, "keys")? {
            let expires_at = match key.get("expiresAt") {
                None | Some(Value::Null) => None,
                Some(time) => Some(clock::read_rfc3339(time.as_str()?)?),
            };
            this = this.key(key.get("name")?.as_str()?, expires_at);
        }
        for network in list(body, "ipWhitelist")? {
            this = this.network(network.as_str()?).ok()?;
        }
        this.extra = EXTRA.map(|member| body.get(member).cloned());
        Some(this)
    }

    /// Takes over what a later call says of the client of that name. Limits and fingerprints, of which
    /// no call speaks, stay.
    pub(super) fn update(&mut self, newer: Self) {
        *self = Self { limits: self.limits, fingerprints: core::mem::take(&mut self.fingerprints), ..newer };
    }

    /// The client's record, as JSON.
    pub(super) fn record(&self, id: ClientId) -> Value {
        let keys: Vec<_> = self.keys.iter().map(Key::record).collect();
        let mut record = json!({
            "id": std::string::ToString::to_string(&id),
            "name": self.name,
            "type": self.client_type.as_str(),
            "keys": keys,
        });
        if let Value::Object(members) = &mut record {
            for (name, value) in EXTRA.iter().zip(&self.extra) {
                members.extend(value.clone().map(|value| ((*name).to_owned(), value)));
            }
            if !self.networks.is_empty() {
                let networks: Vec<_> = self.networks.iter().map(std::string::ToString::to_string).collect();
                members.insert("ipWhitelist".to_owned(), networks.into());
            }
        }
        record
    }
}

impl Key {
    fn record(&self) -> Value {
        match self.expires_at.and_then(|time| Timestamp::new(time).ok()) {
            Some(time) => json!({ "name": self.name, "expiresAt": time.as_str() }),
            None => json!({ "name": self.name }),
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
