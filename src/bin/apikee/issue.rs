//! `apikee issue`: a new key, alone on standard output.

use std::io::{self, Write as _};

use apikee::{Encoding, Expiry, IssueError, JsonObject, NewKey, UnixTime};
use clap::builder::NonEmptyStringValueParser;
use getrandom::SysRng;

use crate::{Ended, Outcome, note, secrets::SecretArgs, times};

/// Issue a key and print it
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Whose key it is
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    tenant: String,

    /// What the key is good for; may be repeated
    #[arg(long = "scope", value_name = "SCOPE", value_parser = NonEmptyStringValueParser::new())]
    scopes: Vec<String>,

    /// When it expires: 90d, 24h, 60m, 3600s, never, or a time in UTC (2027-01-01T00:00:00Z)
    #[arg(long, value_name = "WHEN", default_value = "90d", value_parser = times::expiry)]
    expires: Expiry,

    /// From when on it is good: a duration from now, or a time
    #[arg(long, value_name = "WHEN", value_parser = times::moment)]
    not_before: Option<UnixTime>,

    /// The environment tag
    #[arg(long, default_value = "production", value_parser = NonEmptyStringValueParser::new())]
    env: String,

    /// Anything else, as a JSON object
    #[arg(long, value_name = "JSON", default_value = "{}")]
    meta: String,

    /// Write the claims as MessagePack, for the Python SDK with msgpack installed. The Node SDK cannot read such a
    /// key, nor can the Python SDK without msgpack
    #[arg(long)]
    msgpack: bool,

    #[command(flatten)]
    secrets: SecretArgs,
}

pub(crate) fn run(args: &Args) -> Ended {
    let keys = args.secrets.keyring()?;
    let now = UnixTime::now();
    let scopes: Vec<&str> = args.scopes.iter().map(String::as_str).collect();
    let meta = JsonObject::new(&args.meta).map_err(|error| format!("--meta: {error}"))?;
    let mut new = NewKey::new(&args.tenant).scopes(&scopes).environment(&args.env).expires(args.expires).meta(meta);
    if let Some(time) = args.not_before {
        new = new.not_before(time);
    }
    if args.msgpack {
        new = new.encoding(Encoding::MessagePack);
    }
    let mut buf = vec![0; 1024];
    let len = loop {
        match keys.issue(&new, now, &mut SysRng, &mut buf) {
            Ok(key) => break key.len(),
            Err(IssueError::BufferTooSmall { needed }) => buf.resize(needed, 0),
            Err(error) => return Err(error.into()),
        }
    };
    buf.truncate(len);
    buf.push(b'\n');
    io::stdout().lock().write_all(&buf)?;
    if matches!(args.expires, Expiry::At(time) if time < now) {
        note("apikee: note: this key has expired already");
    }
    Ok(Outcome::Good)
}
