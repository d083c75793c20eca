//! Keyrings, verification and issue.

use apikee::{Fingerprint, Keyring, UnixTime};

use crate::{arguments::Arguments, failure::Failure, module::Module, output};

impl Module {
    /// Makes a keyring of the secrets in the input.
    pub(crate) fn keyring(&mut self, len: usize, leeway_secs: u32) -> Result<i32, Failure> {
        let mut secrets = Arguments::new(self.input.get(..len).ok_or(Failure::InvalidArgument)?);
        let mut keys = Keyring::new(secrets.next()?.unwrap_or_default())?;
        while let Some(secret) = secrets.next()? {
            keys.accept(secret)?;
        }
        keys.set_leeway(core::time::Duration::from_secs(leeway_secs.into()));
        self.keyrings.insert(Some(keys))
    }

    /// Verifies the key in the input, and writes its claims.
    pub(crate) fn verify(&mut self, keyring: i32, len: usize, now_millis: f64) -> Result<i32, Failure> {
        let keys = self.keyrings.get(keyring)?.as_ref().ok_or(Failure::Freed)?;
        let key = self.input.get(..len).ok_or(Failure::InvalidArgument)?;
        let verified = keys.verify(key, from_millis(now_millis)?, &mut self.payload)?;
        let written = output::write(&verified, &mut self.output.0)?;
        i32::try_from(written).map_err(|_| Failure::TooLong)
    }

    /// Writes the fingerprint of the key in the input. The key need not be verified.
    pub(crate) fn fingerprint(&mut self, len: usize) -> Result<i32, Failure> {
        let key = self.input.get(..len).and_then(|key| core::str::from_utf8(key).ok());
        let digest = Fingerprint::of(key.ok_or(Failure::InvalidArgument)?);
        *self.output.0.first_chunk_mut().ok_or(Failure::TooLong)? = *digest.as_bytes();
        Ok(32)
    }
}

/// Converts a time from JavaScript.
#[expect(clippy::cast_possible_truncation, reason = "a time out of range becomes the latest or the earliest time")]
fn from_millis(millis: f64) -> Result<UnixTime, Failure> {
    if millis.is_finite() { Ok(UnixTime::from_millis(millis as i64)) } else { Err(Failure::InvalidArgument) }
}

#[cfg(feature = "issue")]
mod issue {
    use apikee::{
        Expiry, NewKey, UnixTime, issue_buffer_len,
        key::{IssueError, MAX_PAYLOAD_LEN},
        meta::JsonObject,
    };

    use super::from_millis;
    use crate::{arguments::Arguments, failure::Failure, module::Module, random::Brought};

    /// The most scopes of a new key. The size of their list must be fixed.
    const MAX_SCOPES: usize = 512;

    impl Module {
        /// Issues the key that the input describes: tenant, environment, expiry as a duration, meta, id, then scopes.
        /// An empty argument means that it is absent. `expires_at` and `not_before` are seconds, or NaN.
        pub(crate) fn issue(
            &mut self,
            keyring: i32,
            len: usize,
            now_millis: f64,
            expires_at: f64,
            not_before: f64,
        ) -> Result<i32, Failure> {
            let keys = self.keyrings.get(keyring)?.as_ref().ok_or(Failure::Freed)?;
            let mut arguments = Arguments::new(self.input.get(..len).ok_or(Failure::InvalidArgument)?);
            let mut new = NewKey::new(arguments.text()?);
            match arguments.text()? {
                "" => {}
                environment => new = new.environment(environment),
            }
            match arguments.text()? {
                "" => {}
                text => new = new.expires(text.parse::<Expiry>().map_err(|_| Failure::InvalidDuration)?),
            }
            match arguments.text()? {
                "" => {}
                meta => new = new.meta(JsonObject::new(meta).map_err(|_| Failure::InvalidMeta)?),
            }
            let id = arguments.text()?;
            let mut scopes = [""; MAX_SCOPES];
            let mut count = 0_usize;
            while let Some(scope) = arguments.next_text()? {
                *scopes.get_mut(count).ok_or(Failure::TooLong)? = scope;
                count = count.saturating_add(1);
            }
            new = new.scopes(scopes.get(..count).unwrap_or_default());
            if let Some(time) = from_secs(expires_at)? {
                new = new.expires(Expiry::At(time));
            }
            if let Some(time) = from_secs(not_before)? {
                new = new.not_before(time);
            }
            let now = from_millis(now_millis)?;
            let room = self.output.0.get_mut(..issue_buffer_len(MAX_PAYLOAD_LEN)).ok_or(Failure::TooLong)?;
            let issued = match id {
                "" => keys.issue(&new, now, &mut Brought::new(&mut self.random), room),
                id => keys.issue_with_id(&new, id, now, room),
            };
            let issued = issued.map(str::len).map_err(failure);
            // Wipes the claims, which were written after the key.
            room.get_mut(*issued.as_ref().unwrap_or(&0)..).unwrap_or_default().fill(0);
            i32::try_from(issued?).map_err(|_| Failure::TooLong)
        }
    }

    fn failure(error: IssueError) -> Failure {
        match error {
            IssueError::TimeOutOfRange => Failure::TimeOutOfRange,
            IssueError::UnusableId => Failure::UnusableId,
            IssueError::Rng => Failure::RngFailed,
            _ => Failure::TooLong,
        }
    }

    /// Converts whole seconds. NaN means no time.
    #[expect(clippy::cast_possible_truncation, reason = "a time out of range becomes the latest or the earliest time")]
    fn from_secs(secs: f64) -> Result<Option<UnixTime>, Failure> {
        match secs {
            none if none.is_nan() => Ok(None),
            secs if secs.is_finite() => Ok(Some(UnixTime::from_secs(secs as i64))),
            _ => Err(Failure::InvalidArgument),
        }
    }
}
