//! `apikee doctor`: checks the configuration of a deployment, and prints one line for each check.
//!
//! ```text
//! variables ── secrets ── configuration ── name ── connection ── clock ── platform ── key
//!                              └ local mode: the platform is not asked
//! ```
//!
//! It asks the platform about a client that does not exist, with a key that it issues only for this. A sealed refusal
//! proves that the platform accepted the project key, and that the envelope of its answer can be opened. A refusal that
//! need not be sealed proves neither. Nothing is created or registered on the platform.

use std::{
    env,
    error::Error,
    io::{self, Write as _},
    net::{SocketAddr, TcpStream, ToSocketAddrs as _},
    sync::mpsc,
    thread,
    time::{Duration, SystemTime},
};

use apikee::{
    Apikee, Denial, Expiry, KeyError, NewKey, Policy,
    client::{ApikeeBuilder, AuthorizeRequest},
    key::STRONG_SECRET_LEN,
    policy::{FailOpen, Fault, Outage, Overload, Rejection},
    protocol::{ClientId, MethodPath, Sealing},
};
use ureq::{
    Agent,
    http::{Uri, header::DATE},
    tls::{PemItem, RootCerts, TlsConfig, parse_pem},
};

use crate::{
    Ended, Outcome,
    exchange::{self, MAX_INPUT, set},
    report,
    secrets::{self, SecretArgs},
    with_causes,
};

/// Check a deployment: variables, secrets, the platform, the clock, and a key
///
/// Run it on the service's machine, with the service's environment. Each line names a check and its result. After a bad
/// result, the next line says what to do. No secret and no key is printed. The platform receives a GET of its base URL,
/// to compare the clocks, and one request about a client that does not exist.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Also ask the platform about this key; - reads it from standard input. Other users of this machine can see
    /// arguments in the process list
    #[arg(long, value_name = "KEY")]
    key: Option<String>,

    /// Print JSON, one object for each check
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    secrets: SecretArgs,
}

/// The published base URL.
const BASE_URL: &str = "https://apikee.dev/api/v1";

/// All variables that this crate and this command read (docs/WIRE.md, "Configuration names").
const VARIABLES: [&str; 18] = [
    "APIKEE_ALLOW_PLAIN_HTTP",
    "APIKEE_BASE_URL",
    "APIKEE_CA_FILE",
    "APIKEE_DENY_LIST_FILE",
    "APIKEE_EPHEMERAL_SECRET",
    "APIKEE_FAIL_OPEN",
    "APIKEE_LOCAL_SECRET",
    "APIKEE_PRIVATE_KEY",
    "APIKEE_PROJECT_ENV",
    "APIKEE_SEALING",
    "APIKEE_SECRET",
    "APIKEE_SECRETS",
    "APIKEE_SECRET_FILE",
    "APIKEE_SECRET_GRACE",
    "APIKEE_SERVER_KEY",
    "APIKEE_SERVER_PUBLIC_KEY",
    "APIKEE_SERVER_SECRET",
    "APIKEE_SERVER_TIMEOUT",
];

/// The time limit of a step.
const PATIENCE: Duration = Duration::from_secs(5);

/// The largest difference of the clocks that counts as good. Platforms refuse requests that are five minutes old.
const MOST_DRIFT: Duration = Duration::from_secs(60);

/// The maximum length of standard input in bytes. No key is that long.
const MAX_KEY: u64 = 16 * 1024;

/// No client has this id, because it is not random.
const NOBODY: &str = "00000000-0000-0000-0000-000000000000";

/// The result of a check: a detail, or a problem and its remedy.
type Finding = Result<String, (String, &'static str)>;

/// Prints each finding, and keeps the worst result.
struct Doctor {
    json: bool,
    worst: Outcome,
}

impl Doctor {
    fn say(&mut self, check: &str, finding: &Finding) -> io::Result<()> {
        let (detail, remedy) = match finding {
            Ok(detail) => (detail, None),
            Err((detail, remedy)) => (detail, Some(*remedy)),
        };
        if remedy.is_some() {
            self.worst = Outcome::Bad;
        }
        let mut out = io::stdout().lock();
        if self.json {
            return report::json_line(out, |members| {
                members.member("check", check)?;
                members.member("good", &remedy.is_none())?;
                members.member("detail", detail)?;
                members.member("remedy", &remedy)
            });
        }
        let verdict = if remedy.is_none() { "good" } else { "BAD " };
        let detail = crate::terminal::printable(detail.as_bytes()).replace(['\n', '\t'], " ");
        writeln!(out, "{verdict}  {check:<14}{detail}")?;
        remedy.map_or(Ok(()), |remedy| writeln!(out, "      {:<14}-> {remedy}", ""))
    }
}

pub(crate) fn run(args: &Args) -> Ended {
    let mut doctor = Doctor { json: args.json, worst: Outcome::Good };
    doctor.say("variables", &variables())?;
    let keys = match args.secrets.load() {
        Ok(Some(keys)) => keys,
        Ok(None) => {
            doctor.say("secrets", &Err(("there is no secret".into(), secrets::REMEDY)))?;
            return Ok(doctor.worst);
        }
        Err(error) => {
            let remedy = "correct the variable, or the file that it names";
            doctor.say("secrets", &Err((with_causes(&*error), remedy)))?;
            return Ok(doctor.worst);
        }
    };
    doctor.say(
        "secrets",
        &match keys.weak_secrets() {
            0 => Ok(format!("from {}; each has at least {STRONG_SECRET_LEN} bytes", args.secrets.source())),
            weak => Err((
                format!("secrets with fewer than {STRONG_SECRET_LEN} bytes: {weak}"),
                "replace them (apikee secret): anyone with a key can guess such a secret",
            )),
        },
    )?;
    let apikee = ApikeeBuilder::from_env_with_keyring(keys).map(|builder| {
        let builder = builder.policy(Policy::DEFAULT.fail_open(FailOpen::Closed));
        builder.auto_create(false).auto_register(false).background_thread(false)
    });
    let apikee = match apikee.and_then(ApikeeBuilder::build) {
        Ok(apikee) => apikee,
        Err(error) => {
            doctor.say(
                "configuration",
                &Err((with_causes(&error), "set the missing variables, correct the invalid ones")),
            )?;
            return Ok(doctor.worst);
        }
    };
    if apikee.is_server_mode() {
        doctor.say("configuration", &Ok("server mode: the platform is asked about each request".into()))?;
        platform(&mut doctor, &apikee)?;
    } else {
        doctor.say("configuration", &Ok("local mode: the platform is not asked".into()))?;
    }
    if let Some(key) = &args.key {
        let input = if key == "-" { exchange::input("a key", MAX_KEY)? } else { key.clone().into_bytes() };
        doctor.say("key", &of_key(&apikee, input.trim_ascii()))?;
    }
    Ok(doctor.worst)
}

/// The variables `APIKEE_...` that are set, and whether this crate reads all of them.
fn variables() -> Finding {
    let mut names: Vec<_> = env::vars_os().filter_map(|(name, _)| name.into_string().ok()).collect();
    names.retain(|name| name.starts_with("APIKEE_"));
    names.sort_unstable();
    let unknown: Vec<_> = names.iter().map(String::as_str).filter(|name| !VARIABLES.contains(name)).collect();
    match (&*unknown, &*names) {
        ([], []) => Ok("none is set".into()),
        ([], names) => Ok(names.join(", ")),
        (unknown, _) => Err((
            format!("unknown variables: {}", unknown.join(", ")),
            "correct the name; docs/WIRE.md, \"Configuration names\", lists all names",
        )),
    }
}

fn platform(doctor: &mut Doctor, apikee: &Apikee) -> Result<(), Box<dyn Error>> {
    let url = set("APIKEE_BASE_URL")?.unwrap_or_else(|| BASE_URL.into());
    let (uri, url): (Uri, _) = (url.trim().parse()?, url.trim());
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("http") { 80 } else { 443 });

    let name = (host.to_owned(), port);
    let addresses = match within(PATIENCE, move || Ok(name.to_socket_addrs()?.collect::<Vec<_>>())) {
        Ok(addresses) => addresses,
        Err(error) => {
            let remedy = "check the name in APIKEE_BASE_URL and this machine's resolver";
            doctor.say("name", &Err((format!("{host}: {error}"), remedy)))?;
            return Ok(());
        }
    };
    let shown: Vec<_> = addresses.iter().map(|address| address.ip().to_string()).collect();
    doctor.say("name", &Ok(format!("{host}: {}", shown.join(", "))))?;

    let mut failure = "the name has no address".to_owned();
    let share = PATIENCE / u32::try_from(addresses.len().max(1))?;
    let connects = |address: &SocketAddr| {
        TcpStream::connect_timeout(address, share).inspect_err(|error| failure = format!("{address}: {error}")).is_ok()
    };
    if !addresses.iter().any(connects) {
        doctor.say("connection", &Err((failure, "check the port, the firewall, and whether the platform runs")))?;
        return Ok(());
    }
    doctor.say("connection", &Ok(format!("port {port} answers")))?;
    doctor.say("clock", &clock(url))?;
    doctor.say("platform", &of_platform(apikee))?;
    Ok(())
}

/// Runs something that has no time limit of its own. The thread stays behind if it takes longer.
fn within<T: Send + 'static>(limit: Duration, run: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    let (sender, receiver) = mpsc::sync_channel(1);
    thread::Builder::new().spawn(move || sender.send(run()))?;
    receiver.recv_timeout(limit).unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// Compares the platform's `Date` with this machine's clock.
fn clock(url: &str) -> Finding {
    let asked = agent().and_then(|agent| Ok(agent.get(url).call()?));
    let date = match &asked {
        Ok(response) => {
            response.headers().get(DATE).and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok())
        }
        // The check of the platform reports the problem.
        Err(error) => return Ok(format!("not compared: {error}")),
    };
    let Some(date) = date else {
        return Ok("not compared: the platform's answer has no valid Date".into());
    };
    let now = SystemTime::now();
    let drift = now.duration_since(date).unwrap_or_else(|early| early.duration());
    if drift <= MOST_DRIFT {
        return Ok(format!("within {} s of the platform's", drift.as_secs().saturating_add(1)));
    }
    let direction = if now > date { "ahead of" } else { "behind" };
    Err((
        format!("{} s {direction} the platform's", drift.as_secs()),
        "set this machine's clock, for example by NTP: expiry and requests depend on it",
    ))
}

/// Trusts the same authorities as the client.
fn agent() -> Result<Agent, Box<dyn Error>> {
    let mut roots: Vec<_> =
        webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().map(|der| ureq::tls::Certificate::from_der(der)).collect();
    if let Some(path) = exchange::path("APIKEE_CA_FILE") {
        for item in parse_pem(&exchange::read_file(&path, MAX_INPUT)?) {
            if let PemItem::Certificate(certificate) = item? {
                roots.push(certificate);
            }
        }
    }
    let tls = TlsConfig::builder().root_certs(RootCerts::new_with_certs(&roots)).build();
    let config = Agent::config_builder().tls_config(tls).proxy(None).max_redirects(0).http_status_as_error(false);
    Ok(config.timeout_global(Some(PATIENCE)).build().into())
}

/// The platform's answer about a client that does not exist.
fn of_platform(apikee: &Apikee) -> Finding {
    const SAME_PROJECT: &str = "check APIKEE_PROJECT_ENV, and scheme, port and path of APIKEE_BASE_URL";
    let asked = || -> Result<_, Box<dyn Error>> {
        let mut buf = [0; 512];
        let probe = NewKey::new("apikee-doctor").expires(Expiry::After(Duration::from_secs(60)));
        let probe = apikee.issue(&probe, &mut buf)?;
        let request = AuthorizeRequest::new(Some(probe.key()), MethodPath::new("GET", "/")?);
        let sealing = set("APIKEE_SEALING")?.map_or(Ok(Sealing::Required), |sealing| sealing.trim().parse())?;
        Ok(match apikee.authorize(&request.client(ClientId::new(NOBODY)?)) {
            Ok(_) => Err((
                "it accepts a client that does not exist".into(),
                "check APIKEE_BASE_URL: this server may accept every request and protect nothing",
            )),
            Err(denial) => of_denial(&denial, sealing, SAME_PROJECT),
        })
    };
    asked().unwrap_or_else(|error| {
        Err((with_causes(&*error), "allow the system call getrandom; if it is allowed, report this as a bug"))
    })
}

/// The platform must refuse a client that does not exist, so this refusal is a good result.
fn of_denial(denial: &Denial<'_>, sealing: Sealing, otherwise: &'static str) -> Finding {
    let remedy = match denial {
        Denial::Rejected(Rejection::Unsuccessful(reason)) if reason.as_str().starts_with("STALE_REQUEST") => {
            "set this machine's clock, for example by NTP: the platform refuses requests of another time"
        }
        Denial::Rejected(Rejection::Unsuccessful(reason)) => {
            let reason = if reason.is_none() { String::new() } else { format!("; it refused the test: {reason}") };
            return Ok(match sealing {
                Sealing::Required => format!("it accepts the project key, and its answers can be trusted{reason}"),
                _ => format!("it answers, but whoever terminates TLS can forge its answers: APIKEE_SEALING={sealing}"),
            });
        }
        Denial::Rejected(_) => {
            "the platform refuses this machine: check APIKEE_PRIVATE_KEY, and on the platform the limits and networks"
        }
        Denial::Fault(Fault::ProjectKeyRefused) => "check APIKEE_SERVER_KEY: it must be the project's key",
        Denial::Fault(Fault::UntrustedCertificate) => {
            "check the certificate's name and dates, and this machine's clock; for your own authority, set APIKEE_CA_FILE"
        }
        Denial::Fault(Fault::Unsealed) => {
            "if the platform never seals answers: APIKEE_SEALING=requests; whoever terminates TLS can then forge them"
        }
        Denial::Fault(Fault::Forged) => {
            "compare APIKEE_SERVER_PUBLIC_KEY; if it is right, something else answers instead of the platform"
        }
        Denial::Fault(Fault::Status(404)) => {
            "check APIKEE_PROJECT_ENV and the path of APIKEE_BASE_URL; if the platform answers 404 about unknown \
             clients, only --key can tell"
        }
        Denial::Fault(Fault::Status(400)) => {
            "check APIKEE_SERVER_PUBLIC_KEY and APIKEE_SEALING: the platform cannot read requests"
        }
        Denial::Fault(Fault::Redirect) => {
            "set APIKEE_BASE_URL to the target of the redirect: redirects are not followed"
        }
        Denial::Outage(Outage::Timeout) => {
            "raise APIKEE_SERVER_TIMEOUT if it is short: a timeout is an outage, and lets requests through by default"
        }
        Denial::Outage(_) => "the platform does not work: look at its log",
        Denial::Overload(Overload::NoRandomness) => "allow the system call getrandom, or provide /dev/urandom",
        Denial::Overload(_) => "raise the limits of this process or machine: files, memory, threads",
        Denial::Fault(Fault::NotSent) => {
            "check this machine's clock, APIKEE_PRIVATE_KEY, and the lengths of APIKEE_BASE_URL and APIKEE_PROJECT_ENV"
        }
        _ => otherwise,
    };
    Err((with_causes(denial), remedy))
}

/// The verdict on the user's key.
fn of_key(apikee: &Apikee, key: &[u8]) -> Finding {
    let method_path = MethodPath::new("GET", "/").map_err(|error| (error.to_string(), ""))?;
    let key = Some(key).filter(|key| !key.is_empty());
    let denial = match apikee.authorize(&AuthorizeRequest::new(key, method_path)) {
        Ok(grant) => {
            let key = grant.key();
            return Ok(format!("{}..., of {}: {}", key.prefix(), key.claims().tenant(), grant.basis()));
        }
        Err(denial) => denial,
    };
    let remedy = match denial {
        Denial::Key(KeyError::InvalidSignature) => "the key was signed with another secret, or it was changed",
        Denial::Key(KeyError::Missing) => "give a key, or pass one to --key - on standard input",
        Denial::Key(_) => "apikee inspect shows what is in the key",
        Denial::Revoked => "issue a new key",
        Denial::Rejected(_) | Denial::Remembered(_) => {
            "look at the reason, this machine's clock, and on the platform at the client's limits and networks; if the \
             client is unknown there, issue a new key with apikee issue --upsert"
        }
        Denial::Fault(Fault::UnknownClient) => {
            "the platform must have exactly one client with the key's tenant as its name: apikee issue --upsert creates it"
        }
        Denial::Fault(Fault::Status(404)) => {
            "the key may name a client that was deleted: issue a new key with apikee issue --upsert"
        }
        _ => "correct what failed above; if nothing did, look up this message in docs/TROUBLESHOOTING.md",
    };
    Err((format!("{}: {}", denial.code(), with_causes(&denial)), remedy))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_up_without_an_answer_ends_at_its_time_limit() {
        let (_sender, receiver) = mpsc::channel::<()>();
        let hangs = within(Duration::from_millis(10), move || Ok(receiver.recv().is_ok()));
        assert_eq!(hangs.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(within(PATIENCE, || Ok(1)).unwrap(), 1);
    }

    #[test]
    fn a_request_that_was_not_sent_has_a_remedy_on_this_machine() {
        let of = |denial: Denial<'_>| of_denial(&denial, Sealing::Required, "otherwise").unwrap_err().1;
        assert!(of(Denial::Overload(Overload::OutOfResources)).contains("limits of this process"));
        assert!(of(Denial::Fault(Fault::NotSent)).contains("this machine's clock"));
        assert_eq!(of(Denial::Fault(Fault::Oversized)), "otherwise");
    }

    #[test]
    fn the_known_variables_are_those_in_the_documentation() {
        let page = include_str!("../../../docs/WIRE.md");
        let (_, section) = page.split_once("\n## Configuration names\n").unwrap();
        let names = section.lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
        let mut names: Vec<_> =
            names.flat_map(|cell| cell.split([',', ' ', '`'])).filter(|name| !name.is_empty()).collect();
        names.sort_unstable();
        assert_eq!(names, VARIABLES);
    }
}
