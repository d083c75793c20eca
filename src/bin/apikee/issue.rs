//! `apikee issue`: prints a new key, or the key and its details as JSON.

use std::io::{self, Write as _};

use apikee::{
    Apikee, ConfigError, Expiry, Keyring, NewKey, UnixTime,
    client::{ApikeeBuilder, ClientIssueError, Issued, NewClient, Upsert},
    emulator::{EmulatedClient, InvalidNetwork},
    issue_buffer_len,
    key::{Encoding, MAX_PAYLOAD_LEN},
    meta::JsonObject,
    protocol::ClientType,
};
use clap::builder::NonEmptyStringValueParser;

use crate::{Ended, Outcome, authorize, report, secrets::SecretArgs, terminal::note, times, verify};

/// Issue a key and print it
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Tenant that owns the key
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    tenant: String,

    /// Scope of the key; may be repeated, or separated by commas: read,write
    #[arg(long = "scope", value_name = "SCOPE", value_delimiter = ',', value_parser = verify::scope)]
    scopes: Vec<String>,

    /// When the key expires: after a duration (1y, 12w, 90d, 24h, 60m or 3600s; a year has 365 days), on a date
    /// (2027-01-31, at 00:00 UTC), at a time (2027-01-31T18:00:00Z or 2027-01-31T18:00:00+02:00), or never
    #[arg(long, value_name = "WHEN", default_value = "90d", value_parser = times::expiry)]
    expires: Expiry,

    /// Not valid before this time: a duration from now, a date or a time, as for --expires
    #[arg(long, value_name = "WHEN", value_parser = times::moment)]
    not_before: Option<UnixTime>,

    /// The environment tag
    #[arg(long, default_value = "production", value_parser = NonEmptyStringValueParser::new())]
    env: String,

    /// Other data, as a JSON object
    #[arg(long, value_name = "JSON", default_value = "{}")]
    meta: String,

    /// Write the claims as MessagePack, for the Python SDK with msgpack installed. The Node SDK, and the Python SDK
    /// without msgpack, cannot read such a key
    #[arg(long)]
    msgpack: bool,

    /// Print JSON: the key, its id, prefix, fingerprint and expiry, and the result of --upsert
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    client: ClientArgs,

    #[command(flatten)]
    secrets: SecretArgs,
}

/// Data about the key's client for the platform.
#[derive(clap::Args)]
struct ClientArgs {
    /// Create the key's client on the platform, or replace its record, and put its id into the key. Give --template,
    /// --ip and --client-metadata each time: the platform may reset what you leave out. The platform comes from the
    /// variables that `apikee help authorize` lists
    #[arg(long)]
    upsert: bool,

    /// The client's name, instead of the tenant
    #[arg(long, value_name = "NAME", requires = "upsert", value_parser = NonEmptyStringValueParser::new())]
    client_name: Option<String>,

    /// The type of the client: person, company, service, device or internal
    #[arg(long, value_name = "TYPE", requires = "upsert", default_value = "service")]
    client_type: ClientType,

    /// The template for the client
    #[arg(long, value_name = "ID", requires = "upsert", value_parser = NonEmptyStringValueParser::new())]
    template: Option<String>,

    /// A network that the client may call from; may be repeated
    #[arg(long = "ip", value_name = "CIDR", requires = "upsert", value_parser = network)]
    networks: Vec<String>,

    /// Other data about the client, as a JSON object
    #[arg(long, value_name = "JSON", requires = "upsert")]
    client_metadata: Option<String>,

    /// The name of the key among the client's keys, instead of TENANT-key
    #[arg(long, value_name = "NAME", requires = "upsert", value_parser = NonEmptyStringValueParser::new())]
    key_name: Option<String>,
}

impl ClientArgs {
    /// A client that issues with these keys. With `--upsert` it also calls the platform.
    fn apikee(&self, keys: Keyring) -> Result<Apikee, ConfigError> {
        if !self.upsert {
            return Apikee::builder().keyring(keys).build();
        }
        authorize::in_server_mode(ApikeeBuilder::from_env_with_keyring(keys)?)
    }
}

/// The text of a network, as the platform gets it.
pub(crate) fn network(text: &str) -> Result<String, InvalidNetwork> {
    EmulatedClient::new("").network(text).map(|_| text.into())
}

pub(crate) fn run(args: &Args) -> Ended {
    let keys = args.secrets.keyring()?;
    let now = UnixTime::now();
    let scopes: Vec<&str> = args.scopes.iter().map(String::as_str).collect();
    let meta = JsonObject::new(&args.meta).map_err(|error| format!("--meta: {error}"))?;
    let mut new = NewKey::new(&args.tenant).scopes(&scopes).environment(&args.env).expires(args.expires).meta(meta);
    new = args.not_before.into_iter().fold(new, NewKey::not_before);
    if args.msgpack {
        new = new.encoding(Encoding::MessagePack);
    }
    let details = &args.client;
    let networks: Vec<&str> = details.networks.iter().map(String::as_str).collect();
    let metadata = details.client_metadata.as_deref().map(JsonObject::new).transpose();
    let metadata = metadata.map_err(|error| format!("--client-metadata: {error}"))?;
    let mut client = NewClient::new().client_type(details.client_type);
    client = details.client_name.as_deref().into_iter().fold(client, NewClient::name);
    client = details.template.as_deref().into_iter().fold(client, NewClient::template_id);
    client = details.key_name.as_deref().into_iter().fold(client, NewClient::key_name);
    client = metadata.into_iter().fold(client, NewClient::metadata);
    if !networks.is_empty() {
        client = client.ip_whitelist(&networks);
    }
    let mut buf = vec![0; issue_buffer_len(MAX_PAYLOAD_LEN)];
    let issued = match args.client.apikee(keys)?.issue_for(&client, &new, &mut buf) {
        Err(ClientIssueError::Key(error)) => return Err(error.into()),
        issued => issued?,
    };
    if args.json {
        as_json(&issued)?;
    } else {
        writeln!(io::stdout().lock(), "{}", issued.key())?;
    }
    if let Upsert::Postponed(outage) = issued.upsert() {
        note(&format!("apikee: note: the client could not be reported to the platform: {outage}"));
    }
    if args.client.upsert && matches!(issued.upsert(), Upsert::Skipped) {
        note("apikee: note: the client was not reported to the platform, because --meta has a clientId");
    }
    if issued.expires_at().is_some_and(|end| end.as_secs() <= now.as_secs()) {
        note("apikee: note: this key has expired, or expires in this second");
    }
    if matches!((args.not_before, issued.expires_at()), (Some(start), Some(end)) if start.as_secs() > end.as_secs()) {
        note("apikee: note: this key is never valid: it expires before it becomes valid");
    }
    Ok(Outcome::Good)
}

fn as_json(issued: &Issued<'_>) -> io::Result<()> {
    let (upsert, client) = match issued.upsert() {
        Upsert::Local => ("local", None),
        Upsert::Skipped => ("skipped", None),
        Upsert::Done(client) => ("done", Some(client.to_string())),
        Upsert::Postponed(_) => ("postponed", None),
    };
    report::json_line(io::stdout().lock(), |members| {
        members.member("key", issued.key())?;
        members.member("id", issued.id().as_str())?;
        members.member("prefix", issued.prefix())?;
        members.member("fingerprint", &issued.fingerprint().to_string())?;
        members.member("expires_at", &issued.expires_at().map(UnixTime::as_secs))?;
        members.member("upsert", upsert)?;
        members.member("client_id", &client)
    })
}
