//! Keys that are good: issued, verified, and verified under a secret that has been replaced.

use std::{error::Error, io::Write as _};

use apikee::{JsonObject, Keyring, NewKey};

use super::{NOW, SECRET, Stage, issue, keyring};
use crate::text;

pub(super) fn issue_and_verify(stage: &mut Stage) -> Result<(), Box<dyn Error>> {
    stage.heading("A key is issued, and verified with nothing but the secret")?;
    let keys = keyring()?;
    let key = issue(
        &keys,
        &NewKey::new("acme-corp").scopes(&["read", "write"]).meta(JsonObject::new(r#"{"plan": "pro"}"#)?),
    )?;
    writeln!(stage.out, "  {key}\n")?;
    let mut buf = [0; 1024];
    let verified = keys.verify(&key, NOW, &mut buf);
    if let Ok(key) = &verified {
        text::verified(&mut stage.out, key, NOW)?;
        writeln!(stage.out)?;
    }
    stage.verified("this key", "ok", &verified)?;
    Ok(())
}

pub(super) fn rotate(stage: &mut Stage) -> Result<(), Box<dyn Error>> {
    stage.heading("A secret is replaced while its keys are still about")?;
    let old_key = issue(&keyring()?, &NewKey::new("acme-corp"))?;
    let mut keys = Keyring::new(b"the new secret")?;
    keys.accept(SECRET)?;
    let new_key = issue(&keys, &NewKey::new("acme-corp"))?;
    let mut buf = [0; 1024];
    stage.verified("new key", "ok", &keys.verify(&new_key, NOW, &mut buf))?;
    stage.verified("old key, its secret still accepted", "ok", &keys.verify(&old_key, NOW, &mut buf))?;
    let keys = Keyring::new(b"the new secret")?;
    stage.verified("old key, its secret dropped", "INVALID_SIGNATURE", &keys.verify(&old_key, NOW, &mut buf))?;
    Ok(())
}
