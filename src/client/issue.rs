//! Issuing, with the client's id in the key.

use core::{error::Error, fmt};
use std::{format, string::String};

use getrandom::SysRng;

use super::{Apikee, deadline::Deadline, server::Server};
use crate::{
    json::{JsonObject, members::Members},
    key::{IssueError, NewKey},
    policy::{Fault, Outage, Outcome, Overload, Rejection},
    protocol::ClientId,
    time::UnixTime,
};

/// A new key, and whether the platform knows of it.
#[derive(Clone, Copy)]
pub struct Issued<'b> {
    key: &'b str,
    upsert: Upsert,
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

    /// Whether the platform knows of it.
    #[must_use]
    pub const fn upsert(&self) -> Upsert {
        self.upsert
    }
}

/// Without the key.
impl fmt::Debug for Issued<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issued").field("upsert", &self.upsert).finish_non_exhaustive()
    }
}

impl Apikee {
    /// Issues a key now, into `buf`; see [`Keyring::issue`](crate::Keyring::issue) on its length.
    ///
    /// In server mode its tenant is first made a client of the platform's, or brought up to date, and
    /// the client's id goes into the key as `meta.clientId`: some 60 bytes more of payload. An outage of the
    /// platform does not keep a key from being issued; [`Issued::upsert`] tells.
    ///
    /// # Errors
    ///
    /// As [`ClientIssueError`] says.
    pub fn issue<'b>(&self, new: &NewKey<'_>, buf: &'b mut [u8]) -> Result<Issued<'b>, ClientIssueError> {
        let now = UnixTime::now();
        let upsert = match &self.inner.server {
            Some(_) if self.has_forked() => return Err(ClientIssueError::Fault(Fault::Forked)),
            Some(server) => upsert(server, new)?,
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
        let key = self.inner.keys.issue(&new, now, &mut SysRng, buf).map_err(ClientIssueError::Key)?;
        Ok(Issued { key, upsert })
    }
}

/// By the same order as the client of a key is found out when it is used.
fn upsert(server: &Server, new: &NewKey<'_>) -> Result<Upsert, ClientIssueError> {
    let tenant = new.get_tenant();
    let known = is_named(new.get_meta().as_str()) || server.tenant_is_client_id && ClientId::new(tenant).is_ok();
    if known || !server.auto_create || tenant.is_empty() {
        return Ok(Upsert::Skipped);
    }
    match server.upsert(tenant, "default", Deadline::after(server.timeout)) {
        Ok(client) => Ok(Upsert::Done(client)),
        Err(Outcome::Outage(outage)) => Ok(Upsert::Postponed(outage)),
        Err(Outcome::Overload(overload)) => Err(ClientIssueError::Overload(overload)),
        Err(Outcome::Rejected(rejection) | Outcome::Remembered(rejection)) => {
            Err(ClientIssueError::Rejected(rejection))
        }
        Err(Outcome::Fault(fault)) => Err(ClientIssueError::Fault(fault)),
        // An upsert ends with an id or one of the above.
        Err(Outcome::Confirmed) => Err(ClientIssueError::Fault(Fault::Unreadable)),
    }
}

/// Whether a checked object has a `clientId`.
fn is_named(meta: &str) -> bool {
    Members::new(meta.as_bytes()).any(|(name, _)| name == "clientId")
}

/// The checked object, which has no `clientId`, with one in front.
fn with_client(meta: &str, client: ClientId) -> String {
    let comma = if Members::new(meta.as_bytes()).next().is_some() { "," } else { "" };
    let rest = meta.trim_start().strip_prefix('{').unwrap_or_default();
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
