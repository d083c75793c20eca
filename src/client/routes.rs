//! The routes that the platform has been told of.

use core::{mem, time::Duration};
use std::{
    collections::HashMap,
    string::{String, ToString as _},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::protocol::MethodPath;

/// Bounded: nothing in it is ever forgotten. Time is an argument, by whatever clock never goes back.
#[derive(Default)]
pub(super) struct Routes(Mutex<State>);

/// Several times the routes of a large service. A program that has more gives paths for templates, and those have
/// no end. The longest routes take some 600 kB together.
pub(super) const MAX_ROUTES: usize = 1024;

/// A longer one is not a route.
const MAX_ROUTE_LEN: usize = 512;

/// After the first failure; each further one doubles it.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

const MAX_PAUSE: Duration = Duration::from_secs(60 * 60);

#[derive(Default)]
struct State {
    routes: HashMap<String, Entry>,
    /// A route had no room before.
    was_full: bool,
}

struct Entry {
    route: Route,
    /// The body that describes it, if the service has described it.
    description: Option<Arc<str>>,
}

#[derive(Clone, Copy)]
enum Route {
    /// Its registration is queued or under way, after that many failures, or it is registered.
    Taken { failures: u32 },
    /// The last registration failed.
    Failed { failures: u32, due: Duration },
}

/// What is to be done about a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// Register it, and tell [`Routes::failed`] if that fails.
    Register,
    /// Nothing.
    Rest,
    /// There is no room for it, for the first time.
    Full,
}

impl Routes {
    /// Whether it is time to register a route, which then counts as under way. Without `auto_register` only routes
    /// that are described are registered.
    pub(super) fn turn(&self, method_path: &MethodPath<'_>, auto_register: bool, now: Duration) -> Turn {
        if method_path.len() > MAX_ROUTE_LEN {
            return Turn::Rest;
        }
        let name = method_path.to_string();
        let mut state = self.lock();
        let State { routes, was_full } = &mut *state;
        let has_room = routes.len() < MAX_ROUTES;
        match routes.get_mut(&name) {
            Some(Entry { route, .. }) => match *route {
                Route::Failed { failures, due } if due <= now => {
                    *route = Route::Taken { failures };
                    Turn::Register
                }
                Route::Failed { .. } | Route::Taken { .. } => Turn::Rest,
            },
            None if !auto_register => Turn::Rest,
            None if has_room => {
                routes.insert(name, Entry { route: Route::Taken { failures: 0 }, description: None });
                Turn::Register
            }
            None if mem::replace(was_full, true) => Turn::Rest,
            None => Turn::Full,
        }
    }

    /// Keeps the body that describes a route, instead of an earlier one. Then it is time to register the route, which
    /// counts as under way, unless that body was registered or is under way.
    pub(super) fn describe(&self, method_path: &MethodPath<'_>, body: &str) -> Turn {
        if method_path.len() > MAX_ROUTE_LEN {
            return Turn::Rest;
        }
        let mut state = self.lock();
        let State { routes, was_full } = &mut *state;
        let has_room = routes.len() < MAX_ROUTES;
        let described = Entry { route: Route::Taken { failures: 0 }, description: Some(body.into()) };
        match routes.get_mut(&method_path.to_string()) {
            Some(Entry { route: Route::Taken { .. }, description: Some(own) }) if **own == *body => Turn::Rest,
            Some(entry) => {
                *entry = described;
                Turn::Register
            }
            None if has_room => {
                routes.insert(method_path.to_string(), described);
                Turn::Register
            }
            None if mem::replace(was_full, true) => Turn::Rest,
            None => Turn::Full,
        }
    }

    /// The body that describes a route, if it is described.
    pub(super) fn description(&self, method_path: &MethodPath<'_>) -> Option<Arc<str>> {
        self.lock().routes.get(&method_path.to_string())?.description.clone()
    }

    /// A registration failed, for whatever reason. It is due again after a pause.
    pub(super) fn failed(&self, method_path: &MethodPath<'_>, now: Duration) {
        if let Some(Entry { route, .. }) = self.lock().routes.get_mut(&method_path.to_string())
            && let Route::Taken { failures } = *route
        {
            let pause = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(failures)).min(MAX_PAUSE);
            *route = Route::Failed { failures: failures.saturating_add(1), due: now.saturating_add(pause) };
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::format;

    use super::*;

    const START: Duration = Duration::from_secs(1_000);

    #[test]
    fn each_route_has_one_turn_and_the_first_without_room_is_told_of_once() {
        let routes = Routes::default();
        for n in 0..MAX_ROUTES {
            let path = format!("/{n}");
            let route = MethodPath::new("GET", &path).unwrap();
            assert_eq!([(); 2].map(|()| routes.turn(&route, true, START)), [Turn::Register, Turn::Rest]);
        }
        let more = MethodPath::new("POST", "/0").unwrap();
        assert_eq!([(); 3].map(|()| routes.turn(&more, true, START)), [Turn::Full, Turn::Rest, Turn::Rest]);
        assert_eq!(routes.turn(&MethodPath::new("POST", "/1").unwrap(), true, START), Turn::Rest);
    }

    #[test]
    fn a_route_that_has_room_is_tried_again_when_the_registry_is_full() {
        let routes = Routes::default();
        for n in 0..MAX_ROUTES {
            let path = format!("/{n}");
            assert_eq!(routes.turn(&MethodPath::new("GET", &path).unwrap(), true, START), Turn::Register);
        }
        let route = MethodPath::new("GET", "/0").unwrap();
        routes.failed(&route, START);
        assert_eq!(routes.turn(&route, true, START + FIRST_PAUSE), Turn::Register);
    }

    #[test]
    fn each_failure_doubles_the_pause_up_to_an_hour() {
        let (routes, route) = (Routes::default(), MethodPath::new("GET", "/").unwrap());
        let mut now = START;
        assert_eq!(routes.turn(&route, true, now), Turn::Register);
        for failures in 0..100 {
            let pause = Duration::from_secs(2_u64.saturating_pow(failures).min(3_600));
            routes.failed(&route, now);
            assert_eq!(routes.turn(&route, true, now + pause - Duration::from_nanos(1)), Turn::Rest, "{pause:?}");
            now += pause;
            assert_eq!([(); 2].map(|()| routes.turn(&route, true, now)), [Turn::Register, Turn::Rest], "{pause:?}");
        }
    }

    #[test]
    fn what_is_too_long_for_a_route_is_never_registered() {
        let path = "/".repeat(600);
        assert_eq!(Routes::default().turn(&MethodPath::new("GET", &path).unwrap(), true, START), Turn::Rest);
    }

    #[test]
    fn a_description_replaces_an_earlier_registration_and_is_kept_for_the_next_try() {
        let (routes, route) = (Routes::default(), MethodPath::new("GET", "/").unwrap());
        assert_eq!(routes.turn(&route, true, START), Turn::Register);
        assert_eq!(routes.description(&route), None);
        let described = || routes.description(&route).unwrap().to_string();
        assert_eq!(
            ["a", "a", "b"].map(|body| routes.describe(&route, body)),
            [Turn::Register, Turn::Rest, Turn::Register]
        );
        assert_eq!((described(), routes.turn(&route, true, START)), ("b".into(), Turn::Rest));
        routes.failed(&route, START);
        assert_eq!((described(), routes.turn(&route, false, START + FIRST_PAUSE)), ("b".into(), Turn::Register));
        routes.failed(&route, START);
        assert_eq!(routes.describe(&route, "b"), Turn::Register, "it is not registered yet");
    }

    #[test]
    fn without_automatic_registration_only_described_routes_have_a_turn() {
        let (routes, route) = (Routes::default(), MethodPath::new("GET", "/").unwrap());
        assert_eq!(routes.turn(&route, false, START), Turn::Rest);
        assert_eq!(routes.describe(&route, "a"), Turn::Register);
        let long = "/".repeat(600);
        assert_eq!(routes.describe(&MethodPath::new("GET", &long).unwrap(), "a"), Turn::Rest);
    }
}
