//! Templates: limits that clients share.

use std::{borrow::ToOwned as _, string::String};

use serde_json::{Value, json};

use super::limits::Limits;

/// A template to be known to an [`Emulator`](super::Emulator). Each client that names it has its limits,
/// beside limits of its own.
///
/// ```
/// use apikee::{EmulatedClient, EmulatedTemplate, Emulator};
///
/// let emulator = Emulator::builder().template(EmulatedTemplate::new("tmpl_pro").hourly(100)).start()?;
/// emulator.create_client(EmulatedClient::new("acme-corp").template("tmpl_pro"))?;
/// # Ok::<_, apikee::EmulatorError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmulatedTemplate {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) limits: Limits,
    pub(super) max_clients: Option<u32>,
}

impl EmulatedTemplate {
    /// A template without limits. The id is what clients name (`templateId`), and its name too.
    #[must_use]
    pub fn new(id: &str) -> Self {
        Self { id: id.to_owned(), name: id.to_owned(), limits: Limits::default(), max_clients: None }
    }

    /// Requests of one client that are good in each hour of the emulator's clock.
    #[must_use]
    pub const fn hourly(mut self, requests: u32) -> Self {
        self.limits.hour = Some(requests);
        self
    }

    /// Requests of one client that are good in each day (UTC).
    #[must_use]
    pub const fn daily(mut self, requests: u32) -> Self {
        self.limits.day = Some(requests);
        self
    }

    /// Requests of one client that are good in each week (UTC, from Monday).
    #[must_use]
    pub const fn weekly(mut self, requests: u32) -> Self {
        self.limits.week = Some(requests);
        self
    }

    /// Requests of one client that are good in each month (UTC).
    #[must_use]
    pub const fn monthly(mut self, requests: u32) -> Self {
        self.limits.month = Some(requests);
        self
    }

    /// Clients that calls may give this template.
    #[must_use]
    pub const fn max_clients(mut self, clients: u32) -> Self {
        self.max_clients = Some(clients);
        self
    }

    /// Reads the body of a call that creates one, or a record; `None` if it is neither. Without an `id`
    /// it has that of its name.
    pub(super) fn read(body: &Value) -> Option<Self> {
        let text = |member| body.get(member).and_then(Value::as_str).filter(|text| !text.is_empty());
        let name = text("name")?;
        let id = if body.get("id").is_some() { text("id")? } else { name };
        let max_clients = match body.get("maxClients") {
            None | Some(Value::Null) => None,
            Some(number) => Some(u32::try_from(number.as_u64()?).ok()?),
        };
        let limits = Limits::read(body.get("limits"))?;
        Some(Self { id: id.to_owned(), name: name.to_owned(), limits, max_clients })
    }

    pub(super) fn record(&self) -> Value {
        let mut record = json!({ "id": self.id, "name": self.name, "limits": self.limits.record() });
        if let (Value::Object(members), Some(clients)) = (&mut record, self.max_clients) {
            members.insert("maxClients".to_owned(), clients.into());
        }
        record
    }
}
