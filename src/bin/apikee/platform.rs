//! `apikee platform`: runs an emulated platform on loopback until it is killed.

use std::{
    error::Error,
    fmt::Display,
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver, Sender, SyncSender},
    },
    thread,
    time::Duration,
};

use apikee::{
    emulator::{EmulatedClient, EmulatedTemplate, Emulator, EmulatorBuilder, LoggedRequest, Misbehaviour, Occasion},
    protocol::{ClientId, ProjectKey, Sealing},
};
use serde_json::Value;

use crate::{
    Ended, Outcome,
    exchange::{self, MAX_INPUT, SERVER},
    issue::network,
    report,
    terminal::note,
};

const BASE_URL: &str = "APIKEE_BASE_URL";
const PROJECT_KEY: &str = "APIKEE_SERVER_KEY";
const PROJECT_ENV: &str = "APIKEE_PROJECT_ENV";
const PUBLIC_KEY: &str = "APIKEE_SERVER_PUBLIC_KEY";
const SEALING: &str = "APIKEE_SEALING";

/// Run an emulated platform until it is killed, for tests, demos and offline work
///
/// It uses the project key in APIKEE_SERVER_KEY and the project env in APIKEE_PROJECT_ENV. If they are not set, it uses
/// default values and prints them. Its own secret comes from APIKEE_SERVER_SECRET or a file, and is random by default.
/// Its page shows clients, endpoints, and each new request.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The port on 127.0.0.1; 0 means any free port
    #[arg(long, default_value_t = 0)]
    port: u16,

    /// Print only one line of JSON: the configuration for a client
    #[arg(long)]
    json: bool,

    /// Print only the configuration for a client, as lines for a shell: `export NAME=value`; your own project key in
    /// APIKEE_SERVER_KEY is not printed
    #[arg(long, conflicts_with = "json")]
    env: bool,

    /// End when standard input ends, for example because the parent process has ended
    #[arg(long)]
    until_eof: bool,

    /// What travels in envelopes. required: requests and answers; requests: only requests, for the published SDKs,
    /// which cannot read sealed answers; off: nothing
    #[arg(long, value_name = "DEGREE", default_value_t = Sealing::Required)]
    sealing: Sealing,

    /// Read the server's secret, 64 hexadecimal digits, from this file
    #[arg(long, value_name = "PATH")]
    server_secret_file: Option<PathBuf>,

    /// Require a signature on each validation; this file has the project's RSA public key as PEM
    #[arg(long, value_name = "PATH")]
    signing_key: Option<PathBuf>,

    /// Store clients, keys, usage of limits, templates and endpoints in this file and in PATH.journal, and start with
    /// their content; PATH.tmp and PATH.journal.tmp are overwritten; only one platform at a time may use a file: this
    /// is not checked, and with two, changes are lost
    #[arg(long, value_name = "PATH")]
    state: Option<PathBuf>,

    /// Append each request to the API to this file, as one line of JSON, without keys. Requests with a Host that is not
    /// on loopback are refused and not logged
    #[arg(long, value_name = "PATH")]
    log: Option<PathBuf>,

    /// Add a client with this name at the start, with this id or a random one; may be repeated. A client in the state
    /// file keeps all of its data: --ip adds networks, and a limit replaces only the limit of the same period
    #[arg(long = "client", value_name = "NAME[=UUID]", value_parser = client)]
    clients: Vec<(String, Option<ClientId>)>,

    /// Limit each --client to this number of requests in an hour
    #[arg(long, value_name = "N", requires = "clients")]
    hourly: Option<u32>,

    /// Limit each --client to this number of requests in a day
    #[arg(long, value_name = "N", requires = "clients")]
    daily: Option<u32>,

    /// Limit each --client to this number of requests in a week
    #[arg(long, value_name = "N", requires = "clients")]
    weekly: Option<u32>,

    /// Limit each --client to this number of requests in a month
    #[arg(long, value_name = "N", requires = "clients")]
    monthly: Option<u32>,

    /// A network that each --client may call from; may be repeated
    #[arg(long = "ip", value_name = "CIDR", requires = "clients", value_parser = network)]
    networks: Vec<String>,

    /// Add a template with these limits at the start: pro:hour=100,day=1000; the limits are hour, day, week, month and
    /// max-clients; may be repeated
    #[arg(long = "template", value_name = "ID[:NAME=N,...]", value_parser = template)]
    templates: Vec<EmulatedTemplate>,

    /// Answer every request with this fault: status:503, unavailable:SECONDS, delay:500ms, drip, drip:10ms, reset,
    /// hang-up, close-idle, truncate, garbage, forged, impostor, replayed, reflected, unsealed, oversized:BYTES,
    /// redirect:URL or refuse
    #[arg(long, value_name = "KIND")]
    fault: Option<Misbehaviour>,

    /// Percentage of requests that get the fault, at random
    #[arg(long, value_name = "N", requires = "fault", value_parser = clap::value_parser!(u8).range(0..=100))]
    fault_percent: Option<u8>,
}

pub(crate) fn run(args: &Args) -> Ended {
    let own_key = exchange::set(PROJECT_KEY)?;
    let (lines, printed) = (!args.json && !args.env).then(print_lines).transpose()?.unzip();
    let emulator = args.builder(own_key.as_deref(), lines)?.start()?;
    let mut clients = Vec::new();
    for (name, id) in &args.clients {
        clients.push((name.as_str(), args.add(&emulator, name, *id)?));
    }
    if let Some(fault) = &args.fault {
        let when = args.fault_percent.map_or(Occasion::Always, |percent| Occasion::Randomly { percent, seed: 0 });
        emulator.misbehave(fault.clone(), when);
    }
    // A key of the user's own is not shown.
    let is_own = own_key.is_some_and(|key| key.trim() != Emulator::PROJECT_KEY);
    let shown_key = (!is_own).then_some(Emulator::PROJECT_KEY);
    args.present(&emulator, shown_key, &clients)?;
    if args.until_eof {
        io::copy(&mut io::stdin().lock(), &mut io::sink())?;
        drop(emulator);
        // The lines that still wait, if somebody reads them.
        let _ = printed.map(|printed| printed.recv_timeout(Duration::from_secs(1)));
        return Ok(Outcome::Good);
    }
    loop {
        thread::park();
    }
}

impl Args {
    fn builder(
        &self,
        project_key: Option<&str>,
        lines: Option<SyncSender<String>>,
    ) -> Result<EmulatorBuilder, Box<dyn Error>> {
        let mut builder = Emulator::builder().port(self.port).sealing(self.sealing);
        if let Some(key) = project_key {
            let key = ProjectKey::new(key.trim()).map_err(|error| format!("{PROJECT_KEY}: {error}"))?;
            builder = builder.project_key(key);
        }
        if let Some(project_env) = exchange::set(PROJECT_ENV)? {
            let slug = project_env.trim();
            // The variables may have been swapped, and the slug is printed.
            if slug.starts_with("sk_") {
                return Err(format!("{PROJECT_ENV}: it is a project key, not a slug").into());
            }
            builder = builder.project_env(slug);
        }
        if let Some(secret) = SERVER.secret(self.server_secret_file.as_deref())? {
            builder = builder.secret(secret);
        }
        if let Some(path) = &self.signing_key {
            let pem = exchange::read_file(path, MAX_INPUT).map_err(|error| unusable("signing key", path, error))?;
            let pem = String::from_utf8(pem).map_err(|error| unusable("signing key", path, error))?;
            builder = builder.request_signing_key(&pem).map_err(|error| unusable("signing key", path, error))?;
        }
        if let Some(path) = &self.state {
            builder = builder.state_file(path);
        }
        builder = self.templates.iter().cloned().fold(builder, EmulatorBuilder::template);
        let open = |path: &PathBuf| Log::open(path).map_err(|error| unusable("log", path, error));
        let log = self.log.as_ref().map(open).transpose()?;
        Ok(builder.on_request(move |request| {
            if let Some(lines) = &lines {
                // If nobody reads the lines, the next ones are dropped, and requests are still answered.
                let _ = lines.try_send(line(request));
            }
            if let Some(log) = &log {
                log.write(request);
            }
        }))
    }

    fn add(&self, emulator: &Emulator, name: &str, id: Option<ClientId>) -> Result<ClientId, Box<dyn Error>> {
        let named = emulator.client_named(name);
        let id = id.or(named);
        let known = id.and_then(|id| emulator.client(id));
        // The platform looks clients up by name, so each name has one id.
        if named.is_some_and(|named| Some(named) != id) || known.as_ref().is_some_and(|known| known.name() != name) {
            return Err(format!("--client {name}: there is a client with this name or this id already").into());
        }
        let mut client = known.unwrap_or_else(|| EmulatedClient::new(name));
        for network in &self.networks {
            client = client.network(network)?;
        }
        client = self.hourly.into_iter().fold(client, EmulatedClient::hourly);
        client = self.daily.into_iter().fold(client, EmulatedClient::daily);
        client = self.weekly.into_iter().fold(client, EmulatedClient::weekly);
        client = self.monthly.into_iter().fold(client, EmulatedClient::monthly);
        let Some(id) = id else {
            return Ok(emulator.create_client(client)?);
        };
        emulator.add_client(id, client);
        Ok(id)
    }

    /// Prints the configuration for a client.
    fn present(&self, emulator: &Emulator, key: Option<&str>, clients: &[(&str, ClientId)]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if self.json {
            let clients: Vec<_> =
                clients.iter().map(|(name, id)| serde_json::json!({ "name": name, "id": id.to_string() })).collect();
            report::json_line(&mut out, |members| {
                members.member("url", emulator.url())?;
                members.member("page", &emulator.page())?;
                members.member("public_key", emulator.public_key())?;
                members.member("project_key", &key)?;
                members.member("project_env", emulator.project_env())?;
                members.member("sealing", self.sealing.as_str())?;
                members.member("clients", &clients)
            })?;
        } else if self.env {
            note(&format!("apikee: the page is at {}", emulator.page()));
            let variables = [
                (BASE_URL, Some(emulator.url())),
                (PROJECT_KEY, key),
                (PROJECT_ENV, Some(emulator.project_env())),
                (PUBLIC_KEY, Some(emulator.public_key())),
                (SEALING, Some(self.sealing.as_str())),
            ];
            for (name, value) in variables.into_iter().filter_map(|(name, value)| Some((name, value?))) {
                writeln!(out, "export {name}={}", shell_word(value))?;
            }
        } else {
            writeln!(out, "The platform:")?;
            report::field(&mut out, "page", emulator.page())?;
            report::field(&mut out, "url", emulator.url())?;
            report::field(&mut out, "public key", emulator.public_key())?;
            report::field(&mut out, "project key", key.unwrap_or("the value of APIKEE_SERVER_KEY"))?;
            report::field(&mut out, "project env", emulator.project_env().escape_debug())?;
            report::field(&mut out, "sealing", self.sealing)?;
            for (name, id) in clients {
                report::field(&mut out, "client", format_args!("{id} {}", name.escape_debug()))?;
            }
        }
        out.flush()
    }
}

/// A value as one word of a POSIX shell, in quotes if it needs them.
fn shell_word(value: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:+=@".contains(&byte);
    if !value.is_empty() && value.bytes().all(plain) {
        return value.to_owned();
    }
    format!("'{}'", value.replace('\'', r"'\''"))
}

/// Reads `acme-corp=497f6eca-6276-4993-bfeb-53cbbbba6f08`, or only the name.
fn client(text: &str) -> Result<(String, Option<ClientId>), &'static str> {
    let (name, id) = text.split_once('=').map_or((text, None), |(name, id)| (name, Some(id)));
    if name.is_empty() {
        return Err("the client has no name");
    }
    let id = id.map(ClientId::new).transpose().map_err(|_| "the id is not a UUID")?;
    Ok((name.to_owned(), id))
}

/// Reads `pro:hour=100,max-clients=5`.
fn template(text: &str) -> Result<EmulatedTemplate, &'static str> {
    let (id, limits) = text.split_once(':').map_or((text, None), |(id, limits)| (id, Some(limits)));
    if id.is_empty() {
        return Err("the template has no id");
    }
    let mut template = EmulatedTemplate::new(id);
    for limit in limits.into_iter().flat_map(|limits| limits.split(',')) {
        let (name, number) = limit.split_once('=').ok_or("a limit is NAME=N")?;
        let number = number.parse().map_err(|_| "a limit is a whole number")?;
        template = match name {
            "hour" => template.hourly(number),
            "day" => template.daily(number),
            "week" => template.weekly(number),
            "month" => template.monthly(number),
            "max-clients" => template.max_clients(number),
            _ => return Err("the limits are hour, day, week, month and max-clients"),
        };
    }
    Ok(template)
}

fn unusable(what: &str, path: &Path, error: impl Display) -> String {
    format!("the {what} file {path:?} cannot be used: {error}")
}

/// Starts a thread that prints lines. It may wait for a reader for ever. The receiver is disconnected when all senders
/// are dropped and all lines are printed.
fn print_lines() -> io::Result<(SyncSender<String>, Receiver<()>)> {
    /// The maximum number of lines that wait.
    const WAITING: usize = 1024;
    let (sender, lines) = mpsc::sync_channel::<String>(WAITING);
    let (end, printed) = mpsc::channel();
    thread::Builder::new().spawn(move || {
        // Dropped after the last line.
        let _end: Sender<()> = end;
        for line in lines {
            // Errors are ignored: the reader may have closed the pipe.
            let mut out = io::stdout().lock();
            let _ = writeln!(out, "{line}").and_then(|()| out.flush());
        }
    })?;
    Ok((sender, printed))
}

/// The line for a request.
fn line(request: &LoggedRequest) -> String {
    let request = request.clone().without_keys();
    let mut line = format!("{:?}", request.kind).to_lowercase();
    for part in [request.client.map(|id| id.to_string()), request.method_path].into_iter().flatten() {
        line.push_str(&format!(" {}", part.escape_debug()));
    }
    match request.status {
        Some(status) => line.push_str(&format!(": {status}")),
        None => line.push_str(": no answer"),
    }
    for part in [request.refusal.map(str::to_owned), request.misbehaviour.as_ref().map(Misbehaviour::to_string)] {
        line.extend(part.map(|part| format!(", {}", part.escape_debug())));
    }
    line
}

/// The file of `--log`.
struct Log {
    file: File,
    /// Whether the file ends within a line: a write failed, or an earlier process was killed.
    is_cut: AtomicBool,
    /// Whether the user knows that the file cannot be written.
    is_told: AtomicBool,
}

impl Log {
    fn open(path: &Path) -> io::Result<Self> {
        let mut options = File::options();
        options.create(true).append(true);
        // It has what clients send about their callers.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path)?;
        let (metadata, mut is_cut) = (file.metadata()?, false);
        // Another kind of file, such as a pipe, has no end.
        if metadata.is_file() && metadata.len() > 0 {
            let mut last = [0];
            let mut reader = File::open(path)?;
            reader.seek(SeekFrom::End(-1))?;
            reader.read_exact(&mut last)?;
            is_cut = last != *b"\n";
        }
        Ok(Self { file, is_cut: is_cut.into(), is_told: false.into() })
    }

    /// Writes a line of JSON for a request, in one piece.
    fn write(&self, request: &LoggedRequest) {
        let request = request.clone().without_keys();
        let mut text = Vec::new();
        if self.is_cut.swap(false, Ordering::Relaxed) {
            text.push(b'\n');
        }
        let written = report::json_line(&mut text, |members| {
            members.member("kind", &format!("{:?}", request.kind).to_lowercase())?;
            members.member("client", &request.client.map(|id| id.to_string()))?;
            members.member("method_path", &request.method_path)?;
            members.member("headers", &request.headers)?;
            let body: Option<Value> = request.body.as_deref().and_then(|body| serde_json::from_str(body).ok());
            members.member("body", &body)?;
            members.member("status", &request.status)?;
            members.member("refusal", &request.refusal)?;
            members.member("fault", &request.misbehaviour.as_ref().map(Misbehaviour::to_string))
        });
        match written.and_then(|()| (&self.file).write_all(&text)) {
            Ok(()) => self.is_told.store(false, Ordering::Relaxed),
            Err(error) => {
                self.is_cut.store(true, Ordering::Relaxed);
                if !self.is_told.swap(true, Ordering::Relaxed) {
                    note(&format!("apikee: the log cannot be written: {error}"));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_the_original_value_of_a_word() {
        for (value, word) in [
            ("http://127.0.0.1:80/api/v1", "http://127.0.0.1:80/api/v1"),
            ("", "''"),
            ("a b", "'a b'"),
            ("it's $HOME", r"'it'\''s $HOME'"),
            ("a\nb", "'a\nb'"),
        ] {
            assert_eq!(shell_word(value), word);
        }
    }
}
