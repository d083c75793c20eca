//! The platform's record of a client: its keys, networks, limits and usage, and its template, whose limits several
//! clients share.

use core::net::IpAddr;
use std::{
    borrow::ToOwned as _,
    boxed::Box,
    string::{String, ToString},
    sync::Arc,
    vec::Vec,
};

use ipnet::IpNet;
use serde_json::{Value, json};

use super::clock::{self, Ids};
use crate::{
    Fingerprint, UnixTime,
    network::{self, InvalidNetwork},
    protocol::{ClientId, ClientType, Timestamp},
};

/// A client for an [`Emulator`](super::Emulator).
///
/// ```
/// use apikee::{Fingerprint, emulator::{EmulatedClient, Emulator}, protocol::ClientId};
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
    /// JSON, as `serde_json` writes it: a number with many digits is rounded.
    metadata: Option<Box<str>>,
}

#[derive(Debug, Clone)]
struct Key {
    /// `None` until the client is added to an emulator.
    id: Option<ClientId>,
    name: Box<str>,
    expires_at: Option<UnixTime>,
    /// The record does not show a revoked key. Its name is kept so that it can be refused.
    revoked: bool,
}

/// The range of times that a [`Timestamp`] can write.
const FIRST_TIME: UnixTime = UnixTime::from_secs(-62_167_219_200);
const LAST_TIME: UnixTime = UnixTime::from_secs(253_402_300_799);

/// The maximum number of names of revoked keys that a client keeps. The oldest are dropped.
const MAX_REVOKED: usize = 100;

impl EmulatedClient {
    /// Creates a service without limits. It may call from anywhere with any key.
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

    /// Sets the template by its id. Its limits apply in addition to the client's own. A template that the emulator does
    /// not know has no limits.
    #[must_use]
    pub fn template(mut self, id: &str) -> Self {
        self.template = Some(id.into());
        self
    }

    /// Adds a network that the client may call from: an address or CIDR. Without any network, it may call from
    /// anywhere.
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

    /// Adds a key of the client. If the client has any, a raw key in a request must be one of them. A request without a
    /// raw key is not affected.
    #[must_use]
    pub fn fingerprint(mut self, key: Fingerprint) -> Self {
        self.fingerprints.push(key);
        self
    }

    /// Adds a key by its name. A request with this name is refused after the key has expired. A name that the client
    /// does not have is accepted, because the published SDKs validate with a name other than the one that they create.
    /// An expiry before the year 0 or after the year 9999 becomes the first or the last second of these years.
    #[must_use]
    pub fn key(mut self, name: &str, expires_at: Option<UnixTime>) -> Self {
        // Other times have no text, so a state file could not store them, and the key would not expire any more.
        let expires_at = expires_at.map(|time| time.clamp(FIRST_TIME, LAST_TIME));
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

    /// Why a request with this key name is refused. `None` if a key with this name is good, or no key has the name. A
    /// key is still good in the second of its expiry, like the claim in a key.
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

    /// Revokes the key with this id. Returns whether it existed.
    pub(super) fn revoke(&mut self, id: ClientId) -> bool {
        let at = self.keys.iter().position(|key| key.id == Some(id) && !key.revoked);
        let Some(at) = at else { return false };
        // To the end: revoked keys stay in the order in which they were revoked.
        let key = self.keys.remove(at);
        self.keys.push(Key { revoked: true, ..key });
        let revoked = self.keys.iter().filter(|key| key.revoked).count();
        if let (true, Some(oldest)) = (revoked > MAX_REVOKED, self.keys.iter().position(|key| key.revoked)) {
            self.keys.remove(oldest);
        }
        true
    }

    /// Gives each key without an id a random one. `None` if there is no randomness.
    pub(super) fn name_keys(&mut self, ids: &mut Ids) -> Option<()> {
        for key in self.keys.iter_mut().filter(|key| key.id.is_none()) {
            key.id = Some(ids.draw()?);
        }
        Some(())
    }

    /// Parses the body of a call that creates a client. `None` if it is not valid.
    pub(super) fn read(body: &Value) -> Option<Self> {
        Self::read_record(body).filter(|client| !client.name.is_empty())
    }

    /// Like [`read`](Self::read). The name may be empty: [`new`](Self::new) accepts that, so a state file may have it.
    fn read_record(body: &Value) -> Option<Self> {
        let mut this = Self::new(body.get("name")?.as_str()?);
        this.client_type = body.get("type")?.as_str()?.parse().ok()?;
        for key in optional(body, "keys", Value::as_array)?.into_iter().flatten() {
            this.keys.push(Key::read(key)?);
        }
        for network in optional(body, "ipWhitelist", Value::as_array)?.into_iter().flatten() {
            this = this.network(network.as_str()?).ok()?;
        }
        this.template = optional(body, "templateId", Value::as_str)?.map(Into::into);
        this.metadata = optional(body, "metadata", Some)?.map(|value| value.to_string().into());
        Some(this)
    }

    /// Applies a later call to this client. Everything that the call leaves out is reset, except limits, usage and
    /// fingerprints, which no call contains. A key that the call names again keeps its id. A revoked key stays revoked,
    /// unless the call names it again.
    pub(super) fn updated(&self, mut newer: Self) -> Self {
        let mut good: Vec<&Key> = self.keys.iter().filter(|own| !own.revoked).collect();
        for key in &mut newer.keys {
            let same = good.iter().position(|own| own.name == key.name);
            (key.id, key.revoked) = (same.and_then(|at| good.remove(at).id), false);
        }
        let revoked = self.keys.iter().filter(|own| own.revoked && newer.keys.iter().all(|key| key.name != own.name));
        let revoked: Vec<_> = revoked.cloned().collect();
        newer.keys.extend(revoked);
        Self { limits: self.limits, usage: self.usage, fingerprints: self.fingerprints.clone(), ..newer }
    }

    /// The client's record, as JSON.
    pub(super) fn record(&self, id: ClientId) -> Value {
        let networks: Vec<_> = self.networks.iter().map(ToString::to_string).collect();
        without_nulls(json!({
            "id": id.to_string(),
            "name": &*self.name,
            "type": self.client_type.as_str(),
            "keys": self.keys.iter().filter(|key| !key.revoked).map(Key::record).collect::<Vec<_>>(),
            "templateId": self.template,
            "metadata": self.metadata.as_deref().map(parsed),
            "ipWhitelist": (!networks.is_empty()).then_some(networks),
        }))
    }

    /// The data for the state file: the record, and the parts that no call contains.
    pub(super) fn saved(&self, id: ClientId) -> Value {
        let keys = self.keys.iter().map(|key| match key.revoked {
            true => with(key.record(), [("revoked", true.into())]),
            false => key.record(),
        });
        let more = [
            ("keys", keys.collect()),
            ("fingerprints", self.fingerprints.iter().map(ToString::to_string).collect()),
            ("limits", self.limits.record()),
            ("usage", json!(self.usage.0)),
        ];
        with(self.record(id), more)
    }

    /// Parses the output of [`saved`](Self::saved).
    pub(super) fn restore(saved: &Value) -> Option<(ClientId, Self)> {
        let id = ClientId::new(saved.get("id")?.as_str()?).ok()?;
        let mut this = Self::read_record(saved)?;
        let fingerprints = saved.get("fingerprints")?.as_array()?.iter();
        this.fingerprints = fingerprints.map(|text| text.as_str()?.parse().ok()).collect::<Option<_>>()?;
        this.limits = Limits::read(saved.get("limits"))?;
        this.usage = Usage(serde_json::from_value(saved.get("usage")?.clone()).ok()?);
        Some((id, this))
    }

    /// The approximate size in bytes.
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
        Some(Self {
            id: key.get("id").and_then(Value::as_str).and_then(|id| ClientId::new(id).ok()),
            name: key.get("name")?.as_str()?.into(),
            expires_at: optional(key, "expiresAt", read_time)?,
            revoked: key.get("revoked") == Some(&Value::Bool(true)),
        })
    }

    fn record(&self) -> Value {
        let id = self.id.map(|id| id.to_string());
        match self.expires_at.and_then(|time| Timestamp::new(time).ok()) {
            Some(time) => json!({ "id": id, "name": self.name, "expiresAt": time.as_str() }),
            None => json!({ "id": id, "name": self.name }),
        }
    }
}

/// Parses a time that can be written again. An offset can move a text of the year 9999 to the year 10000.
fn read_time(text: &Value) -> Option<UnixTime> {
    clock::read_rfc3339(text.as_str()?).filter(|time| Timestamp::new(*time).is_ok())
}

/// A template for an [`Emulator`](super::Emulator). Its limits apply to each client that names it, in addition to the
/// client's own.
///
/// ```
/// use apikee::emulator::{EmulatedClient, EmulatedTemplate, Emulator};
///
/// let emulator = Emulator::builder().template(EmulatedTemplate::new("tmpl_pro").hourly(100)).start()?;
/// emulator.create_client(EmulatedClient::new("acme-corp").template("tmpl_pro"))?;
/// # Ok::<_, apikee::emulator::EmulatorError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmulatedTemplate {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) limits: Limits,
    pub(super) max_clients: Option<u32>,
}

impl EmulatedTemplate {
    /// Creates a template without limits. Clients refer to it by the id (`templateId`), which is also its name.
    #[must_use]
    pub fn new(id: &str) -> Self {
        Self { id: id.to_owned(), name: id.to_owned(), limits: Limits::default(), max_clients: None }
    }

    /// Sets the maximum number of clients to which calls may give this template.
    #[must_use]
    pub const fn max_clients(mut self, clients: u32) -> Self {
        self.max_clients = Some(clients);
        self
    }

    /// Parses the body of a call that creates a template. `None` if it is not valid. Without an `id`, the name is the
    /// id.
    pub(super) fn read(body: &Value) -> Option<Self> {
        Self::restore(body).filter(|template| !template.id.is_empty() && !template.name.is_empty())
    }

    /// Parses a record. The id may be empty: [`new`](Self::new) accepts that, so a state file may have it.
    pub(super) fn restore(body: &Value) -> Option<Self> {
        let name = body.get("name")?.as_str()?;
        let id = body.get("id").map_or(Some(name), Value::as_str)?;
        let (max_clients, limits) = (optional(body, "maxClients", number)?, Limits::read(body.get("limits"))?);
        Some(Self { id: id.to_owned(), name: name.to_owned(), limits, max_clients })
    }

    /// The number of bytes of its texts.
    pub(super) fn len(&self) -> usize {
        self.id.len().saturating_add(self.name.len())
    }

    pub(super) fn record(&self) -> Value {
        without_nulls(json!({
            "id": self.id,
            "name": self.name,
            "limits": self.limits.record(),
            "maxClients": self.max_clients,
        }))
    }
}

// Limits are counted in whole hours, days, weeks and months (UTC) of the emulator's clock.

const HOUR: i64 = 60 * 60;
const DAY: i64 = 24 * HOUR;
const WEEK: i64 = 7 * DAY;

/// 1970 began on a Thursday, and a week begins on Monday.
const MONDAY_TO_1970: i64 = 3 * DAY;

/// The names of the periods in JSON.
const PERIODS: [&str; 4] = ["hour", "day", "week", "month"];

/// The numbers of the current hour, day, week and month, each with the second in which the next one starts.
fn periods(now: UnixTime) -> [(i64, i64); 4] {
    let whole = |len: i64, shift: i64| {
        let number = now.as_secs().saturating_add(shift).div_euclid(len);
        (number, number.saturating_add(1).saturating_mul(len).saturating_sub(shift))
    };
    let (month, next) = clock::month(now.as_secs().div_euclid(DAY));
    [whole(HOUR, 0), whole(DAY, 0), whole(WEEK, MONDAY_TO_1970), (month, next.saturating_mul(DAY))]
}

/// The maximum number of confirmed requests in each hour, day, week and month. `None` means no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Limits(pub(super) [Option<u32>; 4]);

impl Limits {
    /// The limits that apply if both limits apply.
    pub(super) fn and(mut self, other: Self) -> Self {
        for (limit, other) in self.0.iter_mut().zip(other.0) {
            *limit = limit.iter().copied().chain(other).min();
        }
        self
    }

    /// An object with a number for each limit that is set.
    fn record(&self) -> Value {
        let members = PERIODS.iter().zip(self.0);
        Value::Object(members.filter_map(|(name, limit)| Some(((*name).into(), limit?.into()))).collect())
    }

    /// Parses such an object. `None` if it is not valid. An absent object means no limits.
    fn read(value: Option<&Value>) -> Option<Self> {
        let mut this = Self::default();
        if let Some(members) = value.filter(|value| !value.is_null()) {
            members.as_object()?;
            for (limit, name) in this.0.iter_mut().zip(PERIODS) {
                *limit = optional(members, name, number)?;
            }
        }
        Some(this)
    }
}

/// The methods that set the limits of a client or of a template.
macro_rules! limit_setters {
    ($type:ident) => {
        limit_setters! {
            $type: hourly 0 "hour", daily 1 "day (UTC)", weekly 2 "week (UTC, from Monday)", monthly 3 "month (UTC)"
        }
    };
    ($type:ident: $($name:ident $at:literal $period:literal),*) => {
        impl $type {
            $(
                #[doc = concat!("Limits a client's confirmed requests in each ", $period, " of the emulator's clock.")]
                #[must_use]
                pub const fn $name(mut self, requests: u32) -> Self {
                    self.limits.0[$at] = Some(requests);
                    self
                }
            )*
        }
    };
}

limit_setters!(EmulatedClient);
limit_setters!(EmulatedTemplate);

/// The usage of a client. For each kind of period: the number of the last counted period, and the requests in it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Usage([(i64, u32); 4]);

impl Usage {
    /// The seconds, at least 1, until none of the limits is reached any more. `None` if none is reached.
    pub(super) fn wait(&self, now: UnixTime, limits: Limits) -> Option<u32> {
        let all = periods(now).into_iter().zip(self.used(now)).zip(limits.0);
        let reached = all.filter(|((_, used), limit)| limit.is_some_and(|limit| *used >= limit));
        let waits = reached.map(|(((_, end), _), _)| end.saturating_sub(now.as_secs()));
        waits.max().map(|wait| u32::try_from(wait).unwrap_or(u32::MAX))
    }

    /// Counts one request.
    pub(super) fn count(&mut self, now: UnixTime) {
        let used = self.used(now);
        for ((counter, (period, _)), used) in self.0.iter_mut().zip(periods(now)).zip(used) {
            *counter = (period, used.saturating_add(1));
        }
    }

    /// The requests in the current hour, day, week and month.
    pub(super) fn used(&self, now: UnixTime) -> [u32; 4] {
        let mut all = self.0.map(|(_, used)| used);
        for ((used, (counted, _)), (period, _)) in all.iter_mut().zip(self.0).zip(periods(now)) {
            if counted != period {
                *used = 0;
            }
        }
        all
    }
}

/// A member of a record, which may be missing or null. `None` if it is present and not valid.
pub(super) fn optional<'v, T>(
    record: &'v Value,
    member: &str,
    read: impl FnOnce(&'v Value) -> Option<T>,
) -> Option<Option<T>> {
    match record.get(member).filter(|value| !value.is_null()) {
        None => Some(None),
        Some(value) => read(value).map(Some),
    }
}

fn number(value: &Value) -> Option<u32> {
    u32::try_from(value.as_u64()?).ok()
}

/// A record without members that are null.
pub(super) fn without_nulls(mut record: Value) -> Value {
    if let Value::Object(members) = &mut record {
        members.retain(|_, value| !value.is_null());
    }
    record
}

/// A record with these members added. They replace members with the same name.
pub(super) fn with<const N: usize>(mut record: Value, members: [(&str, Value); N]) -> Value {
    if let Value::Object(own) = &mut record {
        own.extend(members.map(|(name, value)| (name.to_owned(), value)));
    }
    record
}

/// Parses JSON that was stored as text.
pub(super) fn parsed(text: &str) -> Value {
    let parsed = serde_json::from_str(text);
    debug_assert!(parsed.is_ok(), "it was written by serde_json");
    parsed.unwrap_or_default()
}
