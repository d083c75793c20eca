//! `apikee secret`: a new signing secret.

use std::io::{self, Write as _};

use apikee::SysRng;
use rand_core::TryRng as _;

use crate::{Ended, Outcome};

/// Random bytes of a secret: as many as the tag of a key has.
const LEN: usize = 32;

/// Print a new signing secret: 32 random bytes as 64 hexadecimal digits
///
/// The digits are the secret, as text: they are not decoded. Put them into APIKEE_SECRET, or on the first line of a
/// secret file that only the service can read (umask 077; apikee secret > FILE).
#[derive(clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args) -> Ended {
    let mut secret = [0; LEN];
    SysRng.try_fill_bytes(&mut secret)?;
    let digits: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    writeln!(io::stdout().lock(), "{digits}")?;
    Ok(Outcome::Good)
}
