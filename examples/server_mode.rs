//! Server mode with an emulator of the platform: `cargo run --features ureq,emulator --example server_mode`
use std::time::Duration;

use apikee::{
    Apikee, NewKey,
    client::{AuthorizeRequest, Event},
    emulator::Emulator,
    protocol::MethodPath,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // In production there is no emulator, and `Apikee::from_env()?` makes the client.
    let platform = Emulator::start()?;
    let apikee = Apikee::builder()
        .secret(b"the current secret: 32 random bytes")
        .project_key(Emulator::PROJECT_KEY)
        .project_env(platform.project_env())
        .server_public_key(platform.public_key())
        .base_url(platform.url())
        .observer(|event: &Event<'_>| println!("  {event:?}"))
        .build()?;

    let mut buf = [0; 1024];
    let issued = apikee.issue(&NewKey::new("acme-corp").scopes(&["read"]), &mut buf)?;
    let route = MethodPath::new("GET", "/users/{id}")?;
    for scopes in [["read"], ["write"]] {
        let request = AuthorizeRequest::new(Some(issued.key()), route).as_route().scopes(&scopes);
        match apikee.authorize(&request) {
            Ok(grant) => println!("{scopes:?}: let through, {}", grant.basis()),
            Err(denial) => println!("{scopes:?}: {} {}, {denial}", denial.http_status(), denial.code()),
        }
    }
    apikee.close(Duration::from_secs(3));
    Ok(())
}
