//! Guides, one for each task.
//!
//! | guide | for |
//! |---|---|
//! | [`quick_start`] | issuing and verifying keys |
//! | [`server_mode`] | asking the platform about each request, and what happens in each failure |
//! | [`web_servers`] | protecting the routes of a service |
//! | [`rotation`] | changing secrets and revoking keys in a running service |
//! | [`many_machines`] | services with several instances (`docs/FLEET.md`) |
//! | [`embedding`](crate::embedding) | firmware |
//! | [`porting`] | those who come from the Python or the Node SDK |
//! | [`troubleshooting`] | error codes |

macro_rules! guides {
    ($($name:ident needs $($feature:literal)and+: $file:literal, $else:literal;)+) => { $(
        #[cfg_attr(all($(feature = $feature),+), doc = include_str!(concat!("../docs/", $file)))]
        #[cfg_attr(not(all($(feature = $feature),+)), doc = $else)]
        pub mod $name {}
    )+ };
}

guides! {
    quick_start needs "std" and "getrandom": "QUICK_START.md", "With the features `std` and `getrandom`.";
    server_mode needs "ureq": "SERVER_MODE.md", "With the feature `ureq`.";
    web_servers needs "http": "WEB_SERVERS.md", "With the feature `http`.";
    rotation needs "client": "ROTATION.md", "With the feature `client`.";
    many_machines needs "client": "FLEET.md", "With the feature `client`.";
    porting needs "client": "PORTING.md", "With the feature `client`.";
    troubleshooting needs "web": "TROUBLESHOOTING.md", "With the feature `web`.";
}
