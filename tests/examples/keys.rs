//! Good and bad keys.

use apikee::{Expiry, Fingerprint, Keyring, NewKey, SysRng, UnixTime, meta::JsonObject};

pub(crate) const SECRET: &str = "a secret of the tests of the examples";

/// A client that the platform knows.
pub(crate) const CLIENT: &str = "497f6eca-6276-4993-bfeb-53cbbbba6f08";

/// The environment of a service in local mode.
pub(crate) fn environment() -> Vec<(&'static str, String)> {
    vec![("APIKEE_SECRET", SECRET.into())]
}

/// The environment in the form that [`Service::start`](crate::service::Service::start) needs.
pub(crate) fn borrowed<'e>(environment: &'e [(&'e str, String)]) -> Vec<(&'e str, &'e str)> {
    environment.iter().map(|(name, value)| (*name, &**value)).collect()
}

/// A good key with these scopes.
pub(crate) fn good(scopes: &[&str]) -> String {
    issued(SECRET, NewKey::new("acme-corp").scopes(scopes))
}

pub(crate) fn forged() -> String {
    issued("somebody else's secret", NewKey::new("acme-corp").scopes(&["read", "write"]))
}

pub(crate) fn expired() -> String {
    let new = NewKey::new("acme-corp").scopes(&["read"]);
    issued(SECRET, new.expires(Expiry::At(UnixTime::from_secs(1_600_000_000))))
}

pub(crate) fn not_yet_valid() -> String {
    let tomorrow = UnixTime::from_secs(UnixTime::now().as_secs() + 24 * 60 * 60);
    issued(SECRET, NewKey::new("acme-corp").scopes(&["read"]).not_before(tomorrow))
}

pub(crate) fn fingerprint(key: &str) -> String {
    Fingerprint::of(key).to_string()
}

fn issued(secret: &str, new: NewKey<'_>) -> String {
    let keys = Keyring::new(secret.as_bytes()).unwrap();
    let meta = format!(r#"{{"clientId":"{CLIENT}"}}"#);
    let new = new.meta(JsonObject::new(&meta).unwrap());
    keys.issue(&new, UnixTime::now(), &mut SysRng, &mut [0; 1024]).unwrap().to_owned()
}
