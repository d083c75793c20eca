//! Server mode against the platform on loopback: `cargo run --features ureq,emulator --example server_mode`

use std::error::Error;

use apikee::{Apikee, AuthorizeRequest, Emulator, Event, MethodPath, NewKey};

fn main() -> Result<(), Box<dyn Error>> {
    let platform = Emulator::start()?; // in earnest: https://apikee.dev, the default
    let apikee = Apikee::builder()
        .secret(b"32 random bytes, as 64 hex digits or not")
        .project_key(Emulator::PROJECT_KEY)
        .project_env(platform.project_env())
        .server_public_key(platform.public_key())
        .base_url(platform.url())
        .observer(|event: &Event<'_>| println!("  {event:?}"))
        .build()?;

    let mut buf = [0; 1024];
    let issued = apikee.issue(&NewKey::new("acme-corp").scopes(&["read"]), &mut buf)?;

    for scope in ["read", "write"] {
        let scopes = [scope];
        let request = AuthorizeRequest::new(Some(issued.key()), MethodPath::new("GET", "/users/{id}")?).scopes(&scopes);
        match apikee.authorize(&request, &mut [0; 1024]) {
            Ok(grant) => println!("{scope}: let through, {}", grant.basis()),
            Err(denial) => println!("{scope}: {} {}, {denial}", denial.http_status(), denial.code()),
        }
    }
    apikee.close(std::time::Duration::from_secs(3));
    Ok(())
}
