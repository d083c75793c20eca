//! Server mode against the platform on loopback, and without it.

use std::{
    error::Error,
    time::{Duration, Instant},
};

use apikee::{
    Apikee, AuthorizeRequest, BreakerConfig, BreakerState, Denial, EmulatedClient, Emulator, FailOpen, MethodPath,
    Misbehaviour, NewKey, Occasion, Policy, Upsert,
};

use super::{SECRET, Stage};
use crate::authorize;

pub(super) fn show(stage: &mut Stage) -> Result<(), Box<dyn Error>> {
    stage.heading("In server mode the platform has a say in each request (here on loopback)")?;
    let platform = Emulator::start()?;
    let open = client(&platform, FailOpen::Open)?;
    let closed = client(&platform, FailOpen::Closed)?;

    let mut buf = [0; 1024];
    let issued = open.issue(&NewKey::new("acme-corp").scopes(&["read"]), &mut buf)?;
    let key = issued.key();
    let registered = if matches!(issued.upsert(), Upsert::Done(_)) { "ok" } else { "postponed" };
    stage.outcome("a key whose client the platform knows", "ok", registered, "its id is in meta.clientId")?;

    ask(stage, "a request with it", "confirmed", &open, key)?;
    ask(stage, "another, on the same connection", "confirmed", &open, key)?;
    ask(stage, "with a key that is changed", "INVALID_SIGNATURE", &open, &super::changed(key, 12))?;

    let Upsert::Done(id) = issued.upsert() else {
        return Err("the platform on loopback does not answer".into());
    };
    platform.add_client(id, EmulatedClient::new("acme-corp").hourly(1));
    ask(stage, "the first of one request an hour", "confirmed", &open, key)?;
    ask(stage, "the second: rate limit exceeded", "SERVER_REJECTED", &open, key)?;
    platform.add_client(id, EmulatedClient::new("acme-corp").network("203.0.113.0/24")?);
    ask(stage, "from outside the client's networks", "SERVER_REJECTED", &open, key)?;
    platform.add_client(id, EmulatedClient::new("acme-corp"));

    platform.misbehave(Misbehaviour::Forged, Occasion::Next(1));
    ask(stage, "an answer that was changed", "SERVER_FAULT", &open, key)?;
    platform.misbehave(Misbehaviour::Reset, Occasion::Always);
    ask(stage, "an outage, failing closed", "SERVER_UNAVAILABLE", &closed, key)?;
    ask(stage, "an outage, failing open", "failed_open", &open, key)?;
    ask(stage, "the next", "failed_open", &open, key)?;
    ask(stage, "the next: nobody is asked", "failed_open", &open, key)?;
    let state = match open.breaker_state() {
        Some(BreakerState::Open) => "open",
        _ => "closed",
    };
    stage.outcome("the circuit breaker", "open", state, "for a second, then one call tries")?;
    Ok(())
}

fn client(platform: &Emulator, outages: FailOpen) -> Result<Apikee, Box<dyn Error>> {
    Ok(Apikee::builder()
        .secret(SECRET)
        .project_key(Emulator::PROJECT_KEY)
        .project_env(platform.project_env())
        .server_public_key(platform.public_key())
        .base_url(platform.url())
        .policy(Policy::DEFAULT.fail_open(outages))
        .breaker(BreakerConfig::DEFAULT.consecutive_failures(2)?)
        // So that nothing else is on the way while the platform misbehaves.
        .auto_register(false)
        .build()?)
}

/// A line on one request: what was told and came is a basis or the code of a denial.
fn ask(stage: &mut Stage, tried: &str, told: &str, apikee: &Apikee, key: &str) -> Result<(), Box<dyn Error>> {
    let request = AuthorizeRequest::new(Some(key), MethodPath::new("GET", "/users")?).scopes(&["read"]);
    let mut buf = [0; 1024];
    let start = Instant::now();
    let decision = apikee.authorize(&request, &mut buf);
    let elapsed = start.elapsed();
    Ok(match &decision {
        Ok(grant) => {
            stage.outcome(tried, told, authorize::name(grant.basis()), remark(&grant.basis().to_string(), elapsed))
        }
        Err(denial) => stage.outcome(tried, told, denial.code(), remark(&why(denial), elapsed)),
    }?)
}

fn why(denial: &Denial<'_>) -> String {
    authorize::cause(denial).unwrap_or_else(|| denial.to_string())
}

fn remark(what: &str, elapsed: Duration) -> String {
    format!("{what}, {:.2} ms", elapsed.as_secs_f64() * 1e3)
}
