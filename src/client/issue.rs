//! Issuing keys that contain the client's id.

use core::{error::Error, fmt};
use std::{borrow::Cow, format, string::String};

use getrandom::SysRng;

use super::{
    apikee::Apikee,
    gate::{Caller, Deadline},
    platform,
    server::Server,
};
use crate::{
    json::{JsonObject, scan::Members},
    key::{Fingerprint, IssueError, KeyId, NewKey, log_prefix},
    policy::{Fault, Outage, Outcome, Overload, Rejection},
    protocol::{ClientId, ClientKey, ClientType, CreateClient, Timestamp},
    time::UnixTime,
};

/// A new key, and the result of reporting its client to the platform.
#[derive(Clone, Copy)]
pub struct Issued<'b> {
    key: &'b str,
    id: KeyId,
    expires_at: Option<UnixTime>,
    upsert: Upsert,
}

/// Details of a new key's client for the platform, like the arguments of the SDKs' `create()`.
///
/// The platform creates the client, or replaces its record of the client with that name. **Give all details that must
/// stay**: the platform may reset a detail that is left out.
///
/// ```
/// use apikee::{client::NewClient, protocol::ClientType};
///
/// let client = NewClient::new()
///     .client_type(ClientType::Company)
///     .template_id("tmpl_pro")
///     .ip_whitelist(&["203.0.113.0/24"])
///     .key_name("production");
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct NewClient<'a> {
    name: Option<&'a str>,
    client_type: ClientType,
    template_id: Option<&'a str>,
    metadata: Option<JsonObject<'a>>,
    ip_whitelist: Option<&'a [&'a str]>,
    key_name: Option<&'a str>,
}

impl<'a> NewClient<'a> {
    /// A client of the type service. Its name is the key's tenant, and the key's name is `{tenant}-key`.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            name: None,
            client_type: ClientType::Service,
            template_id: None,
            metadata: None,
            ip_whitelist: None,
            key_name: None,
        }
    }

    /// The client's name, instead of the tenant. A key without `meta.clientId` is looked up by its tenant, so the
    /// platform does not find this client for such a key.
    #[must_use]
    pub const fn name(self, name: &'a str) -> Self {
        Self { name: Some(name), ..self }
    }

    /// The type of the client, instead of a service.
    #[must_use]
    pub const fn client_type(self, client_type: ClientType) -> Self {
        Self { client_type, ..self }
    }

    /// The template that the client is created from.
    #[must_use]
    pub const fn template_id(self, template_id: &'a str) -> Self {
        Self { template_id: Some(template_id), ..self }
    }

    /// Further data about the client.
    #[must_use]
    pub const fn metadata(self, metadata: JsonObject<'a>) -> Self {
        Self { metadata: Some(metadata), ..self }
    }

    /// The networks that the client may call from, in the platform's notation (`203.0.113.0/24`).
    #[must_use]
    pub const fn ip_whitelist(self, networks: &'a [&'a str]) -> Self {
        Self { ip_whitelist: Some(networks), ..self }
    }

    /// The name of the key among the client's keys, instead of `{tenant}-key`.
    #[must_use]
    pub const fn key_name(self, key_name: &'a str) -> Self {
        Self { key_name: Some(key_name), ..self }
    }

    const fn request<'r>(&'r self, project_env: &'r str, name: &'r str, keys: &'r [ClientKey<'r>]) -> CreateClient<'r> {
        let mut request = CreateClient::new(project_env, name).client_type(self.client_type).keys(keys);
        if let Some(template_id) = self.template_id {
            request = request.template_id(template_id);
        }
        if let Some(metadata) = self.metadata {
            request = request.metadata(metadata);
        }
        if let Some(networks) = self.ip_whitelist {
            request = request.ip_whitelist(networks);
        }
        request
    }
}

/// The result of reporting a new key's client to the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upsert {
    /// Local mode: there is no platform.
    Local,
    /// Nothing was reported, for one of these reasons: the key's `meta` already has a `clientId`, the tenant is the
    /// platform's client id ([`tenant_is_client_id`](super::ApikeeBuilder::tenant_is_client_id)), issuing must not
    /// create clients ([`auto_create`](super::ApikeeBuilder::auto_create)), or the client has no name.
    Skipped,
    /// The platform has a record of the client. Its id is in the key's `meta.clientId`.
    Done(ClientId),
    /// The platform could not be reached. The key is good, but contains no client id. The client is looked up by the
    /// tenant's name when the key is first used: create it on the platform before that.
    Postponed(Outage),
}

impl<'b> Issued<'b> {
    /// The text of the key.
    #[must_use]
    pub const fn key(&self) -> &'b str {
        self.key
    }

    /// The key's id: the claim `id`.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// The last second in which the key is good. `None` if it never expires.
    #[must_use]
    pub const fn expires_at(&self) -> Option<UnixTime> {
        self.expires_at
    }

    /// The key's fingerprint, for storage and deny-lists.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(self.key)
    }

    /// The key's first characters, which are safe in logs; see [`log_prefix`].
    #[must_use]
    pub fn prefix(&self) -> &'b str {
        log_prefix(self.key)
    }

    /// The result of reporting the key's client to the platform.
    #[must_use]
    pub const fn upsert(&self) -> Upsert {
        self.upsert
    }
}

/// Shows no key.
impl fmt::Debug for Issued<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issued")
            .field("id", &self.id.as_str())
            .field("expires_at", &self.expires_at)
            .field("upsert", &self.upsert)
            .finish_non_exhaustive()
    }
}

impl Apikee {
    /// Issues a key into `buf`, valid from the current time; see [`Keyring::issue`](crate::Keyring::issue) for the
    /// length of `buf`.
    ///
    /// In server mode it first creates or replaces the tenant's client on the platform, and puts the client's id into
    /// the key as `meta.clientId`: about 60 more bytes of payload. An outage of the platform does not stop it;
    /// [`Issued::upsert`] then is [`Upsert::Postponed`]. The platform receives the client's name and type, and the name
    /// and expiry of the key, but not the key. If the key cannot be issued, the platform is not called. If your clients
    /// have a template, an address list or metadata, use [`issue_for`](Self::issue_for).
    ///
    /// # Errors
    ///
    /// See [`ClientIssueError`].
    pub fn issue<'b>(&self, new: &NewKey<'_>, buf: &'b mut [u8]) -> Result<Issued<'b>, ClientIssueError> {
        self.issue_for(&NewClient::new(), new, buf)
    }

    /// Like [`issue`](Self::issue), with the details of the client in `client`.
    ///
    /// # Errors
    ///
    /// See [`ClientIssueError`].
    pub fn issue_for<'b>(
        &self,
        client: &NewClient<'_>,
        new: &NewKey<'_>,
        buf: &'b mut [u8],
    ) -> Result<Issued<'b>, ClientIssueError> {
        let now = UnixTime::now();
        let expires_at = new.expires_at(now).map_err(ClientIssueError::Key)?;
        let upsert = match &self.inner.server {
            Some(_) if self.has_forked() => return Err(ClientIssueError::Fault(Fault::Forked)),
            Some(server) => server.upsert_for(client, new, expires_at, now, buf.len())?,
            None => Upsert::Local,
        };
        let merged;
        let mut new = *new;
        if let Upsert::Done(client) = upsert {
            merged = with_client(new.get_meta().as_str(), client);
            new = named(&new, &merged)?;
        }
        let issued = self.inner.keys_in_use().issue_and_tell_id(&new, now, &mut SysRng, buf);
        let (key, id) = issued.map_err(ClientIssueError::Key)?;
        Ok(Issued { key, id, expires_at, upsert })
    }
}

impl Server {
    /// Creates or replaces the platform's client for a tenant's new key. It remembers the client's id if the client has
    /// the tenant's name. A key that cannot be made must not change the client, so this is checked before.
    fn upsert_for(
        &self,
        client: &NewClient<'_>,
        new: &NewKey<'_>,
        expires_at: Option<UnixTime>,
        now: UnixTime,
        buf_len: usize,
    ) -> Result<Upsert, ClientIssueError> {
        let tenant = new.get_tenant();
        let name = client.name.unwrap_or(tenant);
        let known =
            is_named(new.get_meta().as_str()) || self.settings.tenant_is_client_id && ClientId::new(tenant).is_ok();
        if known || !self.settings.auto_create || name.is_empty() {
            return Ok(Upsert::Skipped);
        }
        // Each id has the same length.
        let merged = with_client(new.get_meta().as_str(), ClientId::NIL);
        let needed = named(new, &merged)?.needed(now).map_err(ClientIssueError::Key)?;
        if buf_len < needed {
            return Err(ClientIssueError::Key(IssueError::BufferTooSmall { needed }));
        }
        let key_name = client.key_name.map_or_else(|| format!("{tenant}-key").into(), Cow::from);
        let mut key = ClientKey::new(&key_name);
        if let Some(time) = expires_at {
            key = key.expires_at(Timestamp::new(time).map_err(|_| ClientIssueError::Key(IssueError::TimeOutOfRange))?);
        }
        let keys = [key];
        let request = client.request(&self.platform.project_env, name, &keys);
        let [breaker_key, _] = self.keys_of(name);
        let caller = Caller::of(breaker_key);
        let deadline = &Deadline::after(self.settings.timeout);
        let mut id = None;
        let outcome = platform::wiped(|| match self.platform.upsert(caller, &request, deadline) {
            Ok(upserted) => {
                id = Some(upserted);
                Outcome::Confirmed
            }
            Err(outcome) => outcome,
        });
        match (outcome, id) {
            (Outcome::Confirmed, Some(id)) => {
                if name == tenant {
                    self.remember(tenant, id);
                }
                Ok(Upsert::Done(id))
            }
            (Outcome::Outage(outage), _) => Ok(Upsert::Postponed(outage)),
            (Outcome::Overload(overload), _) => Err(ClientIssueError::Overload(overload)),
            (Outcome::Rejected(rejection) | Outcome::Remembered(rejection), _) => {
                Err(ClientIssueError::Rejected(rejection))
            }
            (Outcome::Fault(fault), _) => Err(ClientIssueError::Fault(fault)),
            (Outcome::Confirmed, None) => {
                debug_assert!(false, "a call that fails is not confirmed");
                Err(ClientIssueError::Fault(Fault::Unreadable))
            }
        }
    }
}

/// The key with other metadata, which has the id of the client.
fn named<'k>(new: &NewKey<'k>, merged: &'k str) -> Result<NewKey<'k>, ClientIssueError> {
    // This fails only if the object without the id already reached the limits of the checks.
    let meta = JsonObject::new(merged).map_err(|_| ClientIssueError::Key(IssueError::TooLong))?;
    Ok(new.meta(meta))
}

/// Whether a checked object has a member `clientId`.
fn is_named(meta: &str) -> bool {
    Members::new(meta.as_bytes()).any(|(name, _)| name == "clientId")
}

/// Adds a `clientId` in front of the members of a checked object that has none.
fn with_client(meta: &str, client: ClientId) -> String {
    let comma = if Members::new(meta.as_bytes()).next().is_some() { "," } else { "" };
    let rest = meta.trim_start().strip_prefix('{');
    debug_assert!(rest.is_some(), "an object that was checked begins with a brace");
    let rest = rest.unwrap_or_default();
    format!(r#"{{"clientId":"{client}"{comma}{rest}"#)
}

/// Why a client could not issue a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientIssueError {
    /// The key cannot be made.
    Key(IssueError),
    /// The platform rejected the client.
    Rejected(Rejection),
    /// This process had no resources to ask the platform.
    Overload(Overload),
    /// No trustworthy answer was received, and it was not an outage.
    Fault(Fault),
}

impl fmt::Display for ClientIssueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Key(_) => "the key cannot be made",
            Self::Rejected(_) => "the platform rejects the client",
            Self::Overload(_) => "the service is overloaded",
            Self::Fault(_) => "the platform gave no answer that can be trusted",
        })
    }
}

impl Error for ClientIssueError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(match self {
            Self::Key(error) => error,
            Self::Rejected(rejection) => rejection,
            Self::Overload(overload) => overload,
            Self::Fault(fault) => fault,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_goes_in_front() {
        let client = ClientId::new("497f6eca-6276-4993-bfeb-53cbbbba6f08").unwrap();
        for (meta, expected) in [
            ("{}", r#"{"clientId":"497f6eca-6276-4993-bfeb-53cbbbba6f08"}"#),
            (" {\n} ", "{\"clientId\":\"497f6eca-6276-4993-bfeb-53cbbbba6f08\"\n} "),
            (r#"{"a":1}"#, r#"{"clientId":"497f6eca-6276-4993-bfeb-53cbbbba6f08","a":1}"#),
            (r#"{"a":{"clientId":1}}"#, r#"{"clientId":"497f6eca-6276-4993-bfeb-53cbbbba6f08","a":{"clientId":1}}"#),
        ] {
            assert!(!is_named(meta));
            let merged = with_client(meta, client);
            assert_eq!(merged, expected);
            assert!(JsonObject::new(&merged).is_ok());
        }
        assert!(is_named(r#"{"clientId":"x"}"#) && is_named(r#"{"client\u0049d":"x"}"#));
    }
}
