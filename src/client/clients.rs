//! Which client of the platform's a tenant is.

use std::{
    boxed::Box,
    collections::{HashMap, VecDeque},
    format,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::protocol::ClientId;

/// The ids that the platform has told, by tenant. Bounded: the oldest is forgotten, and asked for anew.
#[derive(Default)]
pub(super) struct Clients(Mutex<Known>);

/// Tenants remembered at most.
const MAX_CLIENTS: usize = 10_000;

/// Bytes of a tenant and the name of its key. A longer one is asked for each time: 5 MB of text are what
/// this may hold.
const MAX_ENTRY_LEN: usize = 256;

#[derive(Default)]
struct Known {
    ids: HashMap<Box<str>, ClientId>,
    by_age: VecDeque<Box<str>>,
}

impl Clients {
    /// The client of that tenant, if the platform knows it with a key of that name.
    pub(super) fn get(&self, tenant: &str, key_name: &str) -> Option<ClientId> {
        self.lock().ids.get(&*entry(tenant, key_name)).copied()
    }

    pub(super) fn remember(&self, tenant: &str, key_name: &str, client: ClientId) {
        let entry = entry(tenant, key_name);
        if entry.len() > MAX_ENTRY_LEN {
            return;
        }
        let mut known = self.lock();
        if known.ids.insert(entry.clone(), client).is_none() {
            known.by_age.push_back(entry);
        }
        if known.by_age.len() > MAX_CLIENTS
            && let Some(oldest) = known.by_age.pop_front()
        {
            known.ids.remove(&oldest);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One text for both, which says where the one ends.
fn entry(tenant: &str, key_name: &str) -> Box<str> {
    format!("{}:{key_name}:{tenant}", key_name.len()).into()
}

#[cfg(test)]
mod tests {
    use std::string::ToString as _;

    use super::*;

    fn client() -> ClientId {
        ClientId::new("497f6eca-6276-4993-bfeb-53cbbbba6f08").unwrap()
    }

    #[test]
    fn the_oldest_is_forgotten_when_there_is_no_room() {
        let clients = Clients::default();
        for n in 0..=MAX_CLIENTS {
            clients.remember(&n.to_string(), "", client());
        }
        assert_eq!(clients.get("0", ""), None);
        assert_eq!(clients.get("1", ""), Some(client()));
        assert_eq!(clients.lock().ids.len(), MAX_CLIENTS);
    }

    #[test]
    fn a_tenant_that_is_learnt_twice_takes_one_place() {
        let clients = Clients::default();
        clients.remember("a", "", client());
        clients.remember("a", "", client());
        assert_eq!(clients.lock().by_age.len(), 1);
    }

    #[test]
    fn a_long_tenant_is_not_kept() {
        let clients = Clients::default();
        clients.remember(&"t".repeat(257), "", client());
        assert_eq!(clients.get(&"t".repeat(257), ""), None);
    }

    #[test]
    fn each_key_name_of_a_tenant_is_an_entry_of_its_own() {
        let clients = Clients::default();
        clients.remember("a", "b", client());
        for (tenant, key_name) in [("a", ""), ("", "a:b"), ("b:a", ""), ("a", "b:")] {
            assert_eq!(clients.get(tenant, key_name), None);
        }
        assert_eq!(clients.get("a", "b"), Some(client()));
    }
}
