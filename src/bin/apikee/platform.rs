//! `apikee platform`: the platform on loopback, until it is killed.

use std::{
    error::Error,
    fs::File,
    io::{self, Write as _},
    path::PathBuf,
    thread,
    time::Duration,
};

use apikee::{
    Answers, ClientId, EmulatedClient, Emulator, EmulatorBuilder, LoggedRequest, Misbehaviour, Occasion, PREFIX,
    ProjectKey, log_prefix,
};
use serde_json::Value;

use crate::{
    Ended, Outcome,
    exchange::{self, SERVER},
    json, note, text,
};

const PROJECT_KEY: &str = "APIKEE_SERVER_KEY";
const PROJECT_ENV: &str = "APIKEE_PROJECT_ENV";

/// Run the platform on loopback, for tests, demos and offline work, until it is killed
///
/// It expects the project key in APIKEE_SERVER_KEY and the project env in APIKEE_PROJECT_ENV, or
/// those of the demo, which it prints. Its own secret is drawn, unless APIKEE_SERVER_SECRET or a file
/// says another.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The port on 127.0.0.1; 0 is any that is free
    #[arg(long, default_value_t = 0)]
    port: u16,

    /// Print one line of JSON, with all that a client is configured with, and nothing more
    #[arg(long)]
    json: bool,

    /// End when standard input ends, as it does when whoever started this does
    #[arg(long)]
    until_eof: bool,

    /// Answer without envelopes, as the published Python SDK reads it
    #[arg(long)]
    plain_answers: bool,

    /// Read the server's secret, 64 hexadecimal digits, from this file
    #[arg(long, value_name = "PATH")]
    server_secret_file: Option<PathBuf>,

    /// Append each request to this file, as one line of JSON, without keys
    #[arg(long, value_name = "PATH")]
    log: Option<PathBuf>,

    /// A client that is known from the start, under this id or one that is drawn; may be repeated
    #[arg(long = "client", value_name = "NAME[=UUID]")]
    clients: Vec<String>,

    /// Requests that each --client has in an hour
    #[arg(long, value_name = "N", requires = "clients")]
    hourly: Option<u32>,

    /// Requests that each --client has in a day
    #[arg(long, value_name = "N", requires = "clients")]
    daily: Option<u32>,

    /// A network that each --client may call from; may be repeated
    #[arg(long = "ip", value_name = "CIDR", requires = "clients")]
    networks: Vec<String>,

    /// What goes wrong with every answer: status:503, unavailable:SECONDS, delay:500ms, drip:10ms,
    /// reset, hang-up, close-idle, truncate, garbage, forged, impostor, replayed, reflected, unsealed,
    /// oversized:BYTES, redirect:URL or refuse
    #[arg(long, value_name = "KIND", value_parser = fault)]
    fault: Option<Misbehaviour>,

    /// Of 100 requests, how many the fault is for, at random
    #[arg(long, value_name = "N", requires = "fault", value_parser = clap::value_parser!(u8).range(0..=100))]
    fault_percent: Option<u8>,
}

pub(crate) fn run(args: &Args) -> Ended {
    let own_key = exchange::set(PROJECT_KEY)?;
    let emulator = args.builder(own_key.as_deref())?.start()?;
    let mut clients = Vec::new();
    for client in &args.clients {
        let (name, id) = client.split_once('=').map_or((client.as_str(), None), |(name, id)| (name, Some(id)));
        clients.push((name, args.add(&emulator, name, id)?));
    }
    if let Some(fault) = &args.fault {
        let when = args.fault_percent.map_or(Occasion::Always, |percent| Occasion::Randomly { percent, seed: 0 });
        emulator.misbehave(fault.clone(), when);
    }
    // Whoever set a key of one's own knows it.
    let shown_key = own_key.is_none().then_some(Emulator::PROJECT_KEY);
    args.present(&emulator, shown_key, &clients)?;
    if args.until_eof {
        io::copy(&mut io::stdin().lock(), &mut io::sink())?;
        return Ok(Outcome::Good);
    }
    loop {
        thread::park();
    }
}

impl Args {
    fn builder(&self, project_key: Option<&str>) -> Result<EmulatorBuilder, Box<dyn Error>> {
        let mut builder = Emulator::builder().port(self.port);
        if let Some(key) = project_key {
            builder = builder.project_key(ProjectKey::new(key.trim())?);
        }
        if let Some(project_env) = exchange::set(PROJECT_ENV)? {
            builder = builder.project_env(project_env.trim());
        }
        let secret = match &self.server_secret_file {
            Some(path) => Some(SERVER.in_file(path)?),
            None => SERVER.in_environment()?,
        };
        if let Some(secret) = secret {
            builder = builder.secret(secret);
        }
        if self.plain_answers {
            builder = builder.answers(Answers::Plain);
        }
        let log = self.log.as_deref().map(|path| File::options().create(true).append(true).open(path)).transpose()?;
        let spoken = !self.json;
        Ok(builder.on_request(move |request| {
            if spoken {
                tell(request);
            }
            if let Some(log) = &log {
                write(log, request);
            }
        }))
    }

    fn add(&self, emulator: &Emulator, name: &str, id: Option<&str>) -> Result<ClientId, Box<dyn Error>> {
        let mut client = EmulatedClient::new(name);
        for network in &self.networks {
            client = client.network(network)?;
        }
        client = self.hourly.into_iter().fold(client, EmulatedClient::hourly);
        client = self.daily.into_iter().fold(client, EmulatedClient::daily);
        let Some(id) = id else {
            return Ok(emulator.create_client(client)?);
        };
        let id = ClientId::new(id)?;
        emulator.add_client(id, client);
        Ok(id)
    }

    /// Says all that a client is configured with.
    fn present(&self, emulator: &Emulator, key: Option<&str>, clients: &[(&str, ClientId)]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if self.json {
            let clients: Vec<_> =
                clients.iter().map(|(name, id)| serde_json::json!({ "name": name, "id": id.to_string() })).collect();
            json::line(&mut out, |members| {
                members.member("url", emulator.url())?;
                members.member("public_key", emulator.public_key())?;
                members.member("project_key", &key)?;
                members.member("project_env", emulator.project_env())?;
                members.member("clients", &clients)
            })?;
        } else {
            writeln!(out, "The platform:")?;
            text::field(&mut out, "url", emulator.url())?;
            text::field(&mut out, "public key", emulator.public_key())?;
            text::field(&mut out, "project key", key.unwrap_or(PROJECT_KEY))?;
            text::field(&mut out, "project env", emulator.project_env().escape_debug())?;
            for (name, id) in clients {
                text::field(&mut out, "client", format_args!("{id} {}", name.escape_debug()))?;
            }
        }
        out.flush()
    }
}

/// Prints a line for a request; whoever reads may have gone.
fn tell(request: &LoggedRequest) {
    let mut line = format!("{:?}", request.kind).to_lowercase();
    for part in [request.client.map(|id| id.to_string()), request.method_path.clone()].into_iter().flatten() {
        line.push_str(&format!(" {}", part.escape_debug()));
    }
    match request.status {
        Some(status) => line.push_str(&format!(": {status}")),
        None => line.push_str(": no answer"),
    }
    for part in [request.refusal.map(str::to_owned), request.misbehaviour.as_ref().map(|m| format!("{m:?}"))] {
        line.extend(part.map(|part| format!(", {part}")));
    }
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// A text in which no key has more than its prefix, wherever it stands.
fn without_keys(text: &str) -> String {
    let mut parts = text.split(PREFIX);
    let mut cut = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        // What looks like the rest of a key is, with its prefix, the first of these.
        let end = part.find(|c: char| !c.is_ascii_alphanumeric() && c != '.').unwrap_or(part.len());
        let (key, after) = part.split_at(end);
        cut.push_str(log_prefix(&format!("{PREFIX}{key}")));
        cut.push_str(after);
    }
    cut
}

fn body_without_keys(body: &str) -> Option<Value> {
    let mut body = serde_json::from_str(body).ok()?;
    cut_keys(&mut body);
    Some(body)
}

fn cut_keys(value: &mut Value) {
    match value {
        Value::String(text) => *text = without_keys(text),
        Value::Array(elements) => elements.iter_mut().for_each(cut_keys),
        Value::Object(members) => members.values_mut().for_each(cut_keys),
        _ => {}
    }
}

/// Writes a line of JSON for a request, in one piece.
fn write(mut log: &File, request: &LoggedRequest) {
    let mut line = Vec::new();
    let written = json::line(&mut line, |members| {
        members.member("kind", &format!("{:?}", request.kind).to_lowercase())?;
        members.member("client", &request.client.map(|id| id.to_string()))?;
        members.member("method_path", &request.method_path.as_deref().map(without_keys))?;
        let headers = request.headers.iter().map(|(name, value)| (name, without_keys(value)));
        members.member("headers", &headers.collect::<Vec<_>>())?;
        members.member("body", &request.body.as_deref().and_then(body_without_keys))?;
        members.member("status", &request.status)?;
        members.member("refusal", &request.refusal)
    });
    if let Err(error) = written.and_then(|()| log.write_all(&line)) {
        note(&format!("apikee: the log cannot be written: {error}"));
    }
}

fn fault(text: &str) -> Result<Misbehaviour, &'static str> {
    use Misbehaviour as M;
    const NO_KIND: &str = "no kind of fault";
    let (kind, value) = text.split_once(':').map_or((text, None), |(kind, value)| (kind, Some(value)));
    let duration = |value| humantime::parse_duration(value).map_err(|_| "not a duration (500ms)");
    Ok(match (kind, value) {
        ("status", Some(value)) => {
            let status = value.parse().ok().filter(|status| (200..=599).contains(status));
            M::Status(status.ok_or("not a status (200 to 599)")?)
        }
        ("unavailable", Some(value)) => {
            M::Unavailable { retry_after: value.parse().map_err(|_| "not a number of seconds")? }
        }
        ("delay", Some(value)) => M::Delay(duration(value)?),
        ("drip", Some(value)) => M::Drip { every: duration(value)? },
        ("drip", None) => M::Drip { every: Duration::from_millis(10) },
        ("oversized", Some(value)) => M::Oversized(value.parse().map_err(|_| "not a number of bytes")?),
        ("redirect", Some(value)) => M::Redirect(value.to_owned()),
        (kind, None) => match kind {
            "reset" => M::Reset,
            "hang-up" => M::HangUp,
            "close-idle" => M::CloseIdle,
            "truncate" => M::Truncate,
            "garbage" => M::Garbage,
            "forged" => M::Forged,
            "impostor" => M::Impostor,
            "replayed" => M::Replayed,
            "reflected" => M::Reflected,
            "unsealed" => M::Unsealed,
            "refuse" => M::Refuse,
            _ => return Err(NO_KIND),
        },
        _ => return Err(NO_KIND),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_cut_wherever_they_stand() {
        let key = "apikee_1234567890abcdef.ABCDEF";
        for (text, expected) in [
            (format!("Bearer {key}"), "Bearer apikee_12345"),
            (format!("GET:::/users?k={key}&l={key}"), "GET:::/users?k=apikee_12345&l=apikee_12345"),
            ("apikee_".to_owned(), "apikee_"),
            ("nothing".to_owned(), "nothing"),
        ] {
            assert_eq!(without_keys(&text), expected);
        }
        let body = body_without_keys(&format!(r#"{{"headers":{{"a":"{key}"}},"payload":{{"b":["{key}"]}}}}"#));
        assert!(!body.unwrap().to_string().contains("67890"));
    }
}
