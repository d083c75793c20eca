//! `apikee authorize`: asks a platform about one request.

use std::{
    error::Error,
    io,
    path::PathBuf,
    time::{Duration, Instant},
};

use apikee::{
    Apikee, ConfigError, Denial, OwnedGrant, Policy,
    client::{ApikeeBuilder, AuthorizeRequest, Setting},
    policy::FailOpen,
    protocol::{ClientId, MethodPath, Sealing},
};
use ureq::http::HeaderName;

use crate::{
    Ended, Outcome,
    candidates::{Answers, Candidate, KeyArgs, Pace},
    report::{self, Form},
    secrets::SecretArgs,
    terminal::{green, red},
    times, verify,
};

/// Ask a platform about one request with a key
///
/// The key is verified first, and must have the scopes: the platform is asked only about good keys. These variables
/// configure the platform: APIKEE_SERVER_KEY, APIKEE_PROJECT_ENV and APIKEE_SERVER_PUBLIC_KEY, and if needed
/// APIKEE_PRIVATE_KEY (to sign requests), APIKEE_BASE_URL, APIKEE_CA_FILE, APIKEE_ALLOW_PLAIN_HTTP, APIKEE_SEALING,
/// APIKEE_FAIL_OPEN and APIKEE_SERVER_TIMEOUT. Options override variables.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    keys: KeyArgs,

    /// The platform's base URL, instead of the published one
    #[arg(long, value_name = "URL")]
    url: Option<String>,

    /// Trust the certificate authorities (CAs) in this PEM file, in addition to the built-in ones
    #[arg(long, value_name = "PATH")]
    ca_file: Option<PathBuf>,

    /// Allow plain http to another machine; the project key then goes over the network in the clear
    #[arg(long)]
    allow_plain_http: bool,

    /// What travels in envelopes: requests and answers (required), at least requests (requests), or nothing (off); with
    /// off, the raw key is not sent
    #[arg(long, value_name = "DEGREE")]
    sealing: Option<Sealing>,

    /// The client's id on the platform; by default the id in the key, or else that of the client with the tenant's name
    #[arg(long, value_name = "UUID")]
    client: Option<ClientId>,

    /// The method of the request
    #[arg(long, default_value = "GET")]
    method: String,

    /// The path of the request, or the template of its route, up to the first ? or #; no route is registered
    #[arg(long, default_value = "/")]
    path: String,

    /// Scope that the key must have; may be repeated, or separated by commas
    #[arg(long = "scope", value_name = "SCOPE", value_delimiter = ',', value_parser = verify::scope)]
    scopes: Vec<String>,

    /// Header field of the request to send to the platform; may be repeated
    #[arg(long = "header", value_name = "NAME=VALUE")]
    headers: Vec<String>,

    /// Deny the request if the platform cannot be asked
    #[arg(long)]
    fail_closed: bool,

    /// Time limit for all calls together: 3s, 500ms [default: 3s]
    #[arg(long, value_name = "DURATION", value_parser = times::timeout)]
    timeout: Option<Duration>,

    #[command(flatten)]
    form: Form,

    #[command(flatten)]
    secrets: SecretArgs,
}

pub(crate) fn run(args: &Args) -> Ended {
    let method_path = MethodPath::new(&args.method, &args.path)?;
    let mut builder = ApikeeBuilder::from_env_with_keyring(args.secrets.keyring()?)?;
    if args.fail_closed {
        builder = builder.policy(Policy::DEFAULT.fail_open(FailOpen::Closed));
    }
    if args.allow_plain_http {
        builder = builder.allow_plain_http();
    }
    builder = args.timeout.into_iter().fold(builder, ApikeeBuilder::timeout);
    builder = args.sealing.into_iter().fold(builder, ApikeeBuilder::sealing);
    builder = args.url.as_deref().into_iter().fold(builder, ApikeeBuilder::base_url);
    builder = args.ca_file.iter().fold(builder, ApikeeBuilder::ca_file);
    let apikee = in_server_mode(builder)?;

    let scopes: Vec<&str> = args.scopes.iter().map(String::as_str).collect();
    let headers: Vec<_> = args.headers.iter().map(|text| header(text)).collect::<Result<_, _>>()?;
    let tally = args.keys.each(&args.form, Pace::OneByOne, || {
        |candidate: &Candidate<'_>, answers: &mut Answers| {
            let mut request = AuthorizeRequest::new(candidate.text, method_path).scopes(&scopes).headers(&headers);
            request = args.client.into_iter().fold(request, AuthorizeRequest::client);
            let start = Instant::now();
            let decision = apikee.authorize(&request);
            let elapsed = start.elapsed();
            match args.form {
                Form { quiet: true, .. } => {}
                Form { json: true, .. } => as_json(&mut answers.out, candidate, &decision, elapsed)?,
                _ => as_text(&mut answers.out, candidate, &decision, elapsed)?,
            }
            Ok(if decision.is_ok() { Outcome::Good } else { Outcome::Bad })
        }
    })?;
    Ok(tally.summarize(&args.form, "keys", "granted", "denied").outcome())
}

/// A client in server mode, without background work.
pub(crate) fn in_server_mode(builder: ApikeeBuilder) -> Result<Apikee, ConfigError> {
    let apikee = builder.background_thread(false).auto_register(false).build()?;
    if apikee.is_server_mode() {
        return Ok(apikee);
    }
    Err(ConfigError::Missing([Setting::ProjectKey, Setting::ProjectEnv, Setting::ServerPublicKey].into()))
}

type Decision<'s> = Result<OwnedGrant, Denial<'s>>;

fn as_json(out: &mut Vec<u8>, candidate: &Candidate<'_>, decision: &Decision<'_>, elapsed: Duration) -> io::Result<()> {
    report::json_line(out, |members| {
        members.member("ok", &decision.is_ok())?;
        members.place(candidate)?;
        members.member("prefix", &candidate.prefix())?;
        match decision {
            Ok(grant) => {
                members.member("tenant", grant.key().claims().tenant())?;
                members.member("basis", grant.basis().name())?;
                members.member("message", &grant.basis().to_string())?;
            }
            Err(denial) => {
                members.member("code", denial.code())?;
                members.member("class", denial.class())?;
                members.member("message", &denial.to_string())?;
                members.member("cause", &cause(denial))?;
                members.member("reason", &denial.reason())?;
                members.member("http_status", &denial.http_status())?;
                members.member("retry_after", &denial.retry_after())?;
            }
        }
        members.member("elapsed_ms", &millis(elapsed))
    })
}

fn as_text(out: &mut Vec<u8>, candidate: &Candidate<'_>, decision: &Decision<'_>, elapsed: Duration) -> io::Result<()> {
    match decision {
        Ok(grant) => {
            report::headline(out, candidate, format_args!("{}, {}", green("granted"), grant.basis()))?;
            report::field(out, "tenant", format_args!("{:?}", grant.key().claims().tenant()))?;
        }
        Err(denial) => {
            report::headline(out, candidate, format_args!("{}, {}", red("denied"), denial.code()))?;
            report::field(out, "class", denial.class())?;
            report::field(out, "message", denial)?;
            if let Some(cause) = cause(denial) {
                report::field(out, "cause", cause)?;
            }
            if let Some(reason) = denial.reason() {
                report::field(out, "reason", reason)?;
            }
        }
    }
    report::field(out, "elapsed", format_args!("{} ms", millis(elapsed)))
}

pub(crate) fn cause(denial: &Denial<'_>) -> Option<String> {
    denial.source().map(ToString::to_string)
}

/// Milliseconds, to a tenth.
fn millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 10_000.0).round() / 10.0
}

/// Reads a header field. The error does not contain it, because its value may be a secret.
fn header(text: &str) -> Result<(&str, &str), &'static str> {
    let field = text.split_once('=').filter(|(name, _)| HeaderName::from_bytes(name.as_bytes()).is_ok());
    field.ok_or("--header is not NAME=VALUE with the name of a header field")
}
