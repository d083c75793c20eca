//! The routes that the platform has been told of.

use core::mem;
use std::{
    collections::HashMap,
    string::{String, ToString as _},
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::protocol::MethodPath;

/// Bounded: a service has some hundreds of routes. If raw paths are given in their place, those past the
/// bound are not registered, and nothing grows.
#[derive(Default)]
pub(super) struct Routes(Mutex<HashMap<String, Tries>>);

const MAX_ROUTES: usize = 1024;

/// A longer one is no route.
const MAX_ROUTE_LEN: usize = 512;

/// A registry that is down is tried so often for a route, each time beside another request.
const MAX_TRIES: u8 = 3;

struct Tries {
    failed: u8,
    /// The next request is to try again.
    due: bool,
}

impl Routes {
    /// Whether it is time to register a route, which is then under way.
    pub(super) fn is_due(&self, method_path: &MethodPath<'_>) -> bool {
        if method_path.len() > MAX_ROUTE_LEN {
            return false;
        }
        let route = method_path.to_string();
        let mut routes = self.lock();
        if let Some(tries) = routes.get_mut(&route) {
            return mem::take(&mut tries.due);
        }
        let room = routes.len() < MAX_ROUTES;
        if room {
            routes.insert(route, Tries { failed: 0, due: false });
        }
        room
    }

    /// It did not come about.
    pub(super) fn failed(&self, method_path: &MethodPath<'_>) {
        if let Some(tries) = self.lock().get_mut(&method_path.to_string()) {
            tries.failed = tries.failed.saturating_add(1);
            tries.due = tries.failed < MAX_TRIES;
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Tries>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::format;

    use super::*;

    #[test]
    fn each_route_is_due_once_and_there_is_an_end_to_them() {
        let routes = Routes::default();
        for n in 0..MAX_ROUTES {
            let path = format!("/{n}");
            let route = MethodPath::new("GET", &path).unwrap();
            assert!(routes.is_due(&route));
            assert!(!routes.is_due(&route));
        }
        assert!(!routes.is_due(&MethodPath::new("POST", "/0").unwrap()));
    }

    #[test]
    fn a_route_is_tried_three_times() {
        let (routes, route) = (Routes::default(), MethodPath::new("GET", "/").unwrap());
        for _ in 0..3 {
            assert!(routes.is_due(&route));
            assert!(!routes.is_due(&route));
            routes.failed(&route);
        }
        assert!(!routes.is_due(&route));
    }

    #[test]
    fn what_is_too_long_for_a_route_is_never_due() {
        let path = "/".repeat(600);
        assert!(!Routes::default().is_due(&MethodPath::new("GET", &path).unwrap()));
    }
}
