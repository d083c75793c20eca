//! The routes that the platform has been told of.

use std::{
    collections::HashSet,
    string::{String, ToString as _},
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::protocol::MethodPath;

/// Bounded: a service has some hundreds of routes. If raw paths are given in their place, those past the
/// bound are not registered, and nothing grows.
#[derive(Default)]
pub(super) struct Routes(Mutex<HashSet<String>>);

const MAX_ROUTES: usize = 1024;

/// A longer one is no route.
const MAX_ROUTE_LEN: usize = 512;

impl Routes {
    /// Whether this is the first time, which is then over.
    pub(super) fn is_new(&self, method_path: &MethodPath<'_>) -> bool {
        if method_path.len() > MAX_ROUTE_LEN {
            return false;
        }
        let route = method_path.to_string();
        let mut routes = self.lock();
        routes.len() < MAX_ROUTES && routes.insert(route)
    }

    /// It did not come about: the next request is the first one again.
    pub(super) fn forget(&self, method_path: &MethodPath<'_>) {
        self.lock().remove(&method_path.to_string());
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::format;

    use super::*;

    #[test]
    fn each_route_is_new_once_and_there_is_an_end_to_them() {
        let routes = Routes::default();
        for n in 0..MAX_ROUTES {
            let path = format!("/{n}");
            let route = MethodPath::new("GET", &path).unwrap();
            assert!(routes.is_new(&route));
            assert!(!routes.is_new(&route));
        }
        assert!(!routes.is_new(&MethodPath::new("POST", "/0").unwrap()));
        routes.forget(&MethodPath::new("GET", "/0").unwrap());
        assert!(routes.is_new(&MethodPath::new("POST", "/0").unwrap()));
    }

    #[test]
    fn what_is_too_long_for_a_route_is_never_new() {
        let path = "/".repeat(600);
        assert!(!Routes::default().is_new(&MethodPath::new("GET", &path).unwrap()));
    }
}
