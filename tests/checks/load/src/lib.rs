//! The guard under load, and its callers.

use apikee::{Apikee, Expiry, NewKey, UnixTime, web::Guard};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// The callers with their keys. All except the first are refused.
pub type Callers = [(&'static str, String); 5];

pub fn start() -> Result<(Guard, Callers), Error> {
    let apikee = Apikee::builder().secret(b"the secret of the load test").build()?;
    let issue = |new| -> Result<String, Error> { Ok(apikee.issue(&new, &mut [0; 1024])?.key().to_owned()) };
    let new = NewKey::new("acme-corp").scopes(&["read", "write"]);
    let good = issue(new)?;
    let forged = good[..good.len() - 1].to_owned() + if good.ends_with('0') { "1" } else { "0" };
    let expired = issue(new.expires(Expiry::At(UnixTime::from_secs(1_700_000_000))))?;
    let under_scoped = issue(new.scopes(&["red", "write"]))?;
    let callers = [
        ("accepted", good),
        ("no-key", String::new()),
        ("forged", forged),
        ("expired", expired),
        ("under-scoped", under_scoped),
    ];
    Ok((Guard::new(apikee), callers))
}

/// The body of the answer to a request that passes.
pub const USERS: &str = r#"{"users":[]}"#;
