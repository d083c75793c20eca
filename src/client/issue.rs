//! Issuing, with the client's id in the key.

use core::{error::Error, fmt};
use std::{borrow::Cow, format, string::String};

use getrandom::SysRng;

use super::{
    apikee::Apikee,
    gate::{Caller, Deadline},
    server::Server,
};
use crate::{
    json::{JsonObject, scan::Members},
    key::{Fingerprint, IssueError, KeyId, NewKey, log_prefix},
    policy::{Fault, Outage, Outcome, Overload, Rejection},
    protocol::{ClientId, ClientKey, ClientType, CreateClient, Timestamp},
    time::UnixTime,
};

/// A new key, and what the platform knows of it.
#[derive(Clone, Copy)]
pub struct Issued<'b> {
    key: &'b str,
    id: KeyId,
    expires_at: Option<UnixTime>,
    upsert: Upsert,
}

/// What the platform is told of a new key's client, as the SDKs' `create()` tells it.
///
/// The platform creates the client, or replaces what it has of the client of that name. **Tell it everything
/// that is to hold**: it may reset what is left out.
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
    /// A service that is called as the key's tenant, with the key as `{tenant}-key`.
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

    /// The client's name, instead of the tenant. The platform finds the client by this name only: keys of the tenant
    /// that do not have the client's id in their `meta` are not found under another name.
    #[must_use]
    pub const fn name(self, name: &'a str) -> Self {
        Self { name: Some(name), ..self }
    }

    /// What kind of client it is, instead of a service.
    #[must_use]
    pub const fn client_type(self, client_type: ClientType) -> Self {
        Self { client_type, ..self }
    }

    /// The template that the client is made from.
    #[must_use]
    pub const fn template_id(self, template_id: &'a str) -> Self {
        Self { template_id: Some(template_id), ..self }
    }

    /// Anything else about the client.
    #[must_use]
    pub const fn metadata(self, metadata: JsonObject<'a>) -> Self {
        Self { metadata: Some(metadata), ..self }
    }

    /// The networks that the client may call from, in the platform's notation (`203.0.113.0/24`).
    #[must_use]
    pub const fn ip_whitelist(self, networks: &'a [&'a str]) -> Self {
        Self { ip_whitelist: Some(networks), ..self }
    }

    /// The key's name among the client's, instead of `{tenant}-key`.
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

/// What became of telling the platform of a new key's client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upsert {
    /// In local mode there is no platform.
    Local,
    /// Nothing was to be told: the caller has put a `clientId` into the key's `meta`, or the tenant is the
    /// platform's id itself ([`tenant_is_client_id`](super::ApikeeBuilder::tenant_is_client_id)), or issuing is not to
    /// create clients ([`auto_create`](super::ApikeeBuilder::auto_create)).
    Skipped,
    /// The platform knows the client. Its id is in the key's `meta.clientId`.
    Done(ClientId),
    /// The platform could not be told. The key is good all the same. Its client is looked up by its name on
    /// first use: create it on the platform by then.
    Postponed(Outage),
}

impl<'b> Issued<'b> {
    /// The text of the key.
    #[must_use]
    pub const fn key(&self) -> &'b str {
        self.key
    }

    /// Its id: the claim `id`.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// The last second in which it is good, `None` if it never expires.
    #[must_use]
    pub const fn expires_at(&self) -> Option<UnixTime> {
        self.expires_at
    }

    /// Its fingerprint, for storage and deny-lists.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(self.key)
    }

    /// Its first characters, which are safe in logs; see [`log_prefix`].
    #[must_use]
    pub fn prefix(&self) -> &'b str {
        log_prefix(self.key)
    }

    /// What became of telling the platform of its client.
    #[must_use]
    pub const fn upsert(&self) -> Upsert {
        self.upsert
    }
}

/// Without the key.
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
    /// Issues a key now, into `buf`; see [`Keyring::issue`](crate::Keyring::issue) on its length.
    ///
    /// In server mode its tenant is first made a client of the platform's, or brought up to date, and
    /// the client's id goes into the key as `meta.clientId`: some 60 bytes more of payload. An outage of the
    /// platform does not keep a key from being issued; [`Issued::upsert`] tells. The platform is told a client with
    /// nothing but a name and a key: if yours have a template, an address list or metadata, use
    /// [`issue_for`](Self::issue_for).
    ///
    /// # Errors
    ///
    /// As [`ClientIssueError`] says.
    pub fn issue<'b>(&self, new: &NewKey<'_>, buf: &'b mut [u8]) -> Result<Issued<'b>, ClientIssueError> {
        self.issue_for(&NewClient::new(), new, buf)
    }

    /// As [`issue`](Self::issue), and tells the platform what `client` says, and when the key expires.
    ///
    /// # Errors
    ///
    /// As [`ClientIssueError`] says.
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
            Some(server) => server.upsert_for(client, new, expires_at)?,
            None => Upsert::Local,
        };
        let merged;
        let mut new = *new;
        if let Upsert::Done(client) = upsert {
            merged = with_client(new.get_meta().as_str(), client);
            // It only fails for an object that took all of the checks' budget before.
            let meta = JsonObject::new(&merged).map_err(|_| ClientIssueError::Key(IssueError::TooLong))?;
            new = new.meta(meta);
        }
        let issued = self.inner.keys.load().issue_and_tell_id(&new, now, &mut SysRng, buf);
        let (key, id) = issued.map_err(ClientIssueError::Key)?;
        Ok(Issued { key, id, expires_at, upsert })
    }
}

impl Server {
    /// Creates the client of a tenant's new key, or brings the platform's record of it up to date. It is found by the
    /// same order as the client of a key is found out when it is used, and is remembered if it is found by the tenant's
    /// name.
    fn upsert_for(
        &self,
        client: &NewClient<'_>,
        new: &NewKey<'_>,
        expires_at: Option<UnixTime>,
    ) -> Result<Upsert, ClientIssueError> {
        let tenant = new.get_tenant();
        let name = client.name.unwrap_or(tenant);
        let known =
            is_named(new.get_meta().as_str()) || self.settings.tenant_is_client_id && ClientId::new(tenant).is_ok();
        if known || !self.settings.auto_create || name.is_empty() {
            return Ok(Upsert::Skipped);
        }
        let key_name = client.key_name.map_or_else(|| format!("{tenant}-key").into(), Cow::from);
        let mut key = ClientKey::new(&key_name);
        if let Some(time) = expires_at {
            key = key.expires_at(Timestamp::new(time).map_err(|_| ClientIssueError::Key(IssueError::TimeOutOfRange))?);
        }
        let keys = [key];
        let request = client.request(&self.platform.project_env, name, &keys);
        let [breaker_key, _] = self.keys_of(name);
        let caller = Caller { client: breaker_key, origin: None, judged: false };
        match self.platform.upsert(caller, &request, Deadline::after(self.settings.timeout)) {
            Ok(id) => {
                if name == tenant {
                    self.remember(tenant, id);
                }
                Ok(Upsert::Done(id))
            }
            Err(Outcome::Outage(outage)) => Ok(Upsert::Postponed(outage)),
            Err(Outcome::Overload(overload)) => Err(ClientIssueError::Overload(overload)),
            Err(Outcome::Rejected(rejection) | Outcome::Remembered(rejection)) => {
                Err(ClientIssueError::Rejected(rejection))
            }
            Err(Outcome::Fault(fault)) => Err(ClientIssueError::Fault(fault)),
            Err(Outcome::Confirmed) => {
                debug_assert!(false, "a call that fails is not confirmed");
                Err(ClientIssueError::Fault(Fault::Unreadable))
            }
        }
    }
}

/// Whether a checked object has a `clientId`.
fn is_named(meta: &str) -> bool {
    Members::new(meta.as_bytes()).any(|(name, _)| name == "clientId")
}

/// The checked object, which has no `clientId`, with one in front.
fn with_client(meta: &str, client: ClientId) -> String {
    let comma = if Members::new(meta.as_bytes()).next().is_some() { "," } else { "" };
    let rest = meta.trim_start().strip_prefix('{');
    debug_assert!(rest.is_some(), "an object that was checked begins with a brace");
    let rest = rest.unwrap_or_default();
    format!(r#"{{"clientId":"{client}"{comma}{rest}"#)
}

/// Why a client issues no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientIssueError {
    /// The key itself cannot be made.
    Key(IssueError),
    /// The platform does not take the client.
    Rejected(Rejection),
    /// This process had no room to ask the platform.
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
