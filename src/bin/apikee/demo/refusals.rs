//! Each refusal, in the order of the checks.

use std::error::Error;

use apikee::{DenyList, Expiry, Fingerprint, KeyError, Keyring, NewKey, UnixTime, VerifiedKey};

use super::{DAY, NOW, Stage, changed, issue, keyring};
use crate::refusal::Refusal;

pub(super) fn show(stage: &mut Stage) -> Result<(), Box<dyn Error>> {
    stage.heading("What is refused, and with which code")?;
    let keys = keyring()?;
    let key = issue(&keys, &NewKey::new("acme-corp").scopes(&["read"]).expires(Expiry::After(DAY)))?;
    let later = NOW.checked_add_secs(2 * DAY.as_secs()).ok_or("the demo's clock is off")?;
    let not_yet = issue(&keys, &NewKey::new("acme-corp").not_before(later))?;
    let unsigned = key.split_once('.').map_or("", |(payload, _)| payload);
    let respelt = key.replacen("apikee_", "apikee_0", 1);
    // In the middle of its payload.
    let tampered = changed(&key, unsigned.len() / 2);
    let forged = issue(&Keyring::new(b"a forger's guess")?, &NewKey::new("acme-corp"))?;

    let mut buf = [0; 1024];
    let cases: [(&str, Option<&str>, UnixTime, KeyError); 8] = [
        ("no key at all", None, NOW, KeyError::Missing),
        ("another service's key", Some("sk_live_4242"), NOW, KeyError::InvalidPrefix),
        ("a key without its signature", Some(unsigned), NOW, KeyError::InvalidFormat),
        ("a key respelt with a leading zero", Some(&respelt), NOW, KeyError::Decode),
        ("a key with a digit changed", Some(&tampered), NOW, KeyError::InvalidSignature),
        ("a key signed with another secret", Some(&forged), NOW, KeyError::InvalidSignature),
        ("a key past its expiry", Some(&key), later, KeyError::Expired),
        ("a key before its time", Some(&not_yet), NOW, KeyError::NotYetValid),
    ];
    for (tried, key, now, told) in cases {
        stage.verified(tried, told.code(), &keys.verify_header(key, now, &mut buf))?;
    }

    let verified = keys.verify(&key, NOW, &mut buf)?;
    scopes(stage, &verified)?;
    revocation(stage, &verified)
}

fn scopes(stage: &mut Stage, key: &VerifiedKey<'_>) -> Result<(), Box<dyn Error>> {
    let tried = "a reader's key where admin is needed";
    match key.require(&["read", "admin"]) {
        Ok(()) => stage.outcome(tried, "INSUFFICIENT_SCOPE", "ok", "")?,
        Err(missing) => stage.outcome(tried, "INSUFFICIENT_SCOPE", missing.code(), missing)?,
    }
    Ok(())
}

fn revocation(stage: &mut Stage, key: &VerifiedKey<'_>) -> Result<(), Box<dyn Error>> {
    let Refusal { code, message } = Refusal::revoked();
    let revoked = [Fingerprint::of(key.raw())];
    let came = if DenyList::new(&revoked)?.contains(&key.fingerprint()) { code } else { "ok" };
    stage.outcome("a key on the deny-list", code, came, message)?;
    Ok(())
}
