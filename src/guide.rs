//! Guides, one for each task.
//!
//! | guide | for |
//! |---|---|
//! | [`quick_start`] | issuing and verifying keys |
//! | [`server_mode`] | asking the platform about each request, and what each failure causes |
//! | [`web_servers`] | protecting the routes of a service |
//! | [`rotation`] | changing secrets and revoking keys in a running service |
//! | [`many_machines`] | services with several instances (`docs/FLEET.md`) |
//! | [`embedding`](crate::embedding) | firmware |
//! | [`porting`] | users of the Python or the Node SDK |
//! | [`troubleshooting`] | error codes |

macro_rules! guides {
    ($($name:ident needs $($feature:literal)and+: $file:literal, $else:literal;)+) => { $(
        #[cfg_attr(all($(feature = $feature),+), doc = include_str!(concat!("../docs/", $file)))]
        #[cfg_attr(not(all($(feature = $feature),+)), doc = $else)]
        pub mod $name {}
    )+ };
}

guides! {
    quick_start needs "std" and "getrandom": "QUICK_START.md", "This guide needs the features `std` and `getrandom`.";
    server_mode needs "ureq": "SERVER_MODE.md", "This guide needs the feature `ureq`.";
    web_servers needs "http": "WEB_SERVERS.md", "This guide needs the feature `http`.";
    rotation needs "client": "ROTATION.md", "This guide needs the feature `client`.";
    many_machines needs "client": "FLEET.md", "This guide needs the feature `client`.";
    porting needs "client": "PORTING.md", "This guide needs the feature `client`.";
    troubleshooting needs "web": "TROUBLESHOOTING.md", "This guide needs the feature `web`.";
}
