//! Issuing, with the client's id in the key.

use core::{error::Error, fmt};
use std::{format, string::String};

use getrandom::SysRng;

use super::{Apikee, platform::Deadline, server::Server};
use crate::{
    json::{JsonObject, scan},
    key::{IssueError, NewKey},
    policy::{Fault, Outage, Outcome, Rejection},
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
    /// The platform knows the client. Its id is in the key's `meta.clientId`, unless the caller had put
    /// another there.
    Done(ClientId),
    /// The platform could not be told. The key is good all the same; the client is created on its
    /// first use.
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
    /// the client's id goes into the key as `meta.clientId`: 52 bytes more of payload. An outage of the
    /// platform does not keep a key from being issued; [`Issued::upsert`] tells.
    ///
    /// # Errors
    ///
    /// As [`ClientIssueError`] says.
    pub fn issue<'b>(&self, new: &NewKey<'_>, buf: &'b mut [u8]) -> Result<Issued<'b>, ClientIssueError> {
        let now = UnixTime::now();
        let upsert = match &self.inner.server {
            Some(server) => upsert(server, new, now)?,
            None => Upsert::Local,
        };
        let merged;
        let mut new = *new;
        if let Upsert::Done(client) = upsert
            && let Some(text) = with_client(new.get_meta().as_str(), client)
        {
            merged = text;
            // It only fails for an object that took all of the checks' budget before.
            let meta = JsonObject::new(&merged).map_err(|_| ClientIssueError::Key(IssueError::TooLong))?;
            new = new.meta(meta);
        }
        let key = self.inner.keys.issue(&new, now, &mut SysRng, buf).map_err(ClientIssueError::Key)?;
        Ok(Issued { key, upsert })
    }
}

fn upsert(server: &Server, new: &NewKey<'_>, now: UnixTime) -> Result<Upsert, ClientIssueError> {
    let expires = new.expires_at(now).map_err(ClientIssueError::Key)?;
    match server.upsert(new.get_tenant(), "default", expires, Deadline::after(server.timeout)) {
        Ok(client) => Ok(Upsert::Done(client)),
        Err(Outcome::Outage(outage)) => Ok(Upsert::Postponed(outage)),
        Err(Outcome::Rejected(rejection)) => Err(ClientIssueError::Rejected(rejection)),
        Err(Outcome::Fault(fault)) => Err(ClientIssueError::Fault(fault)),
        // An upsert ends with an id or one of the above.
        Err(Outcome::Confirmed) => Err(ClientIssueError::Fault(Fault::Unreadable)),
    }
}

/// The checked object with the member `clientId` in front; `None` if it has one.
fn with_client(meta: &str, client: ClientId) -> Option<String> {
    let (mut named, mut empty) = (false, true);
    let note = |name: crate::text::Text<'_>, _| {
        empty = false;
        named |= name == "clientId";
    };
    scan::object(meta.as_bytes(), 1, note).ok()?;
    let members = meta.trim_start().strip_prefix('{')?;
    let comma = if empty { "" } else { "," };
    (!named).then(|| format!(r#"{{"clientId":"{client}"{comma}{members}"#))
}

/// Why a client issues no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientIssueError {
    /// The key itself cannot be made.
    Key(IssueError),
    /// The platform does not take the client.
    Rejected(Rejection),
    /// There was no answer that can be trusted.
    Fault(Fault),
}

impl fmt::Display for ClientIssueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Key(_) => "the key cannot be made",
            Self::Rejected(_) => "the platform rejects the client",
            Self::Fault(_) => "the platform gave no answer that can be trusted",
        })
    }
}

impl Error for ClientIssueError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(match self {
            Self::Key(error) => error,
            Self::Rejected(rejection) => rejection,
            Self::Fault(fault) => fault,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_goes_in_front_unless_there_is_one() {
        let client = ClientId::new("497f6eca-6276-4993-bfeb-53cbbbba6f08").unwrap();
        for (meta, expected) in [
            ("{}", Some(r#"{"clientId":"497f6eca-6276-4993-bfeb-53cbbbba6f08"}"#)),
            (" {\n} ", Some("{\"clientId\":\"497f6eca-6276-4993-bfeb-53cbbbba6f08\"\n} ")),
            (r#"{"a":1}"#, Some(r#"{"clientId":"497f6eca-6276-4993-bfeb-53cbbbba6f08","a":1}"#)),
            (
                r#"{"a":{"clientId":1}}"#,
                Some(r#"{"clientId":"497f6eca-6276-4993-bfeb-53cbbbba6f08","a":{"clientId":1}}"#),
            ),
            (r#"{"clientId":"x"}"#, None),
            (r#"{"client\u0049d":"x"}"#, None),
        ] {
            let merged = with_client(meta, client);
            assert_eq!(merged.as_deref(), expected);
            assert!(merged.is_none_or(|text| JsonObject::new(&text).is_ok()));
        }
    }
}
