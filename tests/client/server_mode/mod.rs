//! Server mode end to end: the client, `ureq` and the emulator.

mod crowd;
mod faults;
mod requests;

use apikee::{
    Apikee, Denial, Keyring, NewKey, SysRng, UnixTime,
    breaker::BreakerConfig,
    client::{ApikeeBuilder, AuthorizeRequest},
    emulator::{EmulatedClient, Emulator},
    meta::JsonObject,
    policy::Basis,
    protocol::{ClientId, MethodPath},
};

use crate::{LONG, faults as every_fault, wait_until};

const SECRET: &[u8] = b"a secret of the tests of server mode";
const CLIENT: &str = "497f6eca-6276-4993-bfeb-53cbbbba6f08";

/// A platform that knows [`CLIENT`].
fn platform() -> Emulator {
    let platform = Emulator::start().unwrap();
    platform.add_client(ClientId::new(CLIENT).unwrap(), EmulatedClient::new("acme-corp"));
    platform
}

fn builder(platform: &Emulator) -> ApikeeBuilder {
    Apikee::builder()
        .secret(SECRET)
        .project_key(Emulator::PROJECT_KEY)
        .project_env(platform.project_env())
        .server_public_key(platform.public_key())
        .base_url(platform.url())
}

/// A breaker that 64 failures in a row would open. No test reaches it.
fn patient() -> BreakerConfig {
    BreakerConfig::DEFAULT.consecutive_failures(64).unwrap().failure_rate(64, 64).unwrap()
}

/// A key of [`CLIENT`], with the scope `read`.
fn key() -> String {
    let meta = format!(r#"{{"clientId":"{CLIENT}"}}"#);
    let new = NewKey::new("acme-corp").scopes(&["read"]).meta(JsonObject::new(&meta).unwrap());
    let keys = Keyring::new(SECRET).unwrap();
    keys.issue(&new, UnixTime::now(), &mut SysRng, &mut [0; 1024]).unwrap().to_owned()
}

/// The decision on a request with this key to `GET /users`.
fn ask(apikee: &Apikee, key: &str) -> Result<Basis, &'static str> {
    let request = AuthorizeRequest::new(Some(key), MethodPath::new("GET", "/users").unwrap()).scopes(&["read"]);
    apikee.authorize(&request).map(|grant| grant.basis()).map_err(|denial: Denial<'_>| denial.code())
}
