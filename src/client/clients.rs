//! Which client of the platform's a tenant is.

use core::cmp;
use std::{
    boxed::Box,
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::protocol::ClientId;

/// The ids that the platform has told, by tenant. Bounded: the oldest is forgotten, and asked for anew.
#[derive(Default)]
pub(super) struct Clients(Mutex<Known>);

/// Tenants remembered at most.
const MAX_CLIENTS: usize = 10_000;

/// A longer tenant is asked for each time: 2.5 MB are what this may hold.
const MAX_TENANT_LEN: usize = 256;

#[derive(Default)]
struct Known {
    ids: HashMap<Box<str>, ClientId>,
    by_age: VecDeque<Box<str>>,
}

impl Clients {
    pub(super) fn get(&self, tenant: &str) -> Option<ClientId> {
        self.lock().ids.get(tenant).copied()
    }

    pub(super) fn remember(&self, tenant: &str, client: ClientId) {
        if tenant.len() > MAX_TENANT_LEN {
            return;
        }
        let mut known = self.lock();
        if known.ids.insert(tenant.into(), client).is_none() {
            known.by_age.push_back(tenant.into());
        }
        if let cmp::Ordering::Greater = known.by_age.len().cmp(&MAX_CLIENTS)
            && let Some(oldest) = known.by_age.pop_front()
        {
            known.ids.remove(&oldest);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
            clients.remember(&n.to_string(), client());
        }
        assert_eq!(clients.get("0"), None);
        assert_eq!(clients.get("1"), Some(client()));
        assert_eq!(clients.lock().ids.len(), MAX_CLIENTS);
    }

    #[test]
    fn a_tenant_that_is_learnt_twice_takes_one_place() {
        let clients = Clients::default();
        clients.remember("a", client());
        clients.remember("a", client());
        assert_eq!(clients.lock().by_age.len(), 1);
    }

    #[test]
    fn a_long_tenant_is_not_kept() {
        let clients = Clients::default();
        clients.remember(&"t".repeat(257), client());
        assert_eq!(clients.get(&"t".repeat(257)), None);
    }
}
