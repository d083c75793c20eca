//! The callers: `curl` and `ureq`.

use std::{
    env,
    io::{self, Write as _},
    process::Command,
    sync::Once,
};

use serde_json::Value;
use ureq::{Agent, http::Request};

use crate::{LONG, service::Service};

/// A request.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
}

impl Ask {
    pub(crate) fn new(method: &'static str, path: &str) -> Self {
        Self { method, path: path.into(), headers: vec![] }
    }

    pub(crate) fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub(crate) fn key(self, key: &str) -> Self {
        self.header("x-api-key", key)
    }
}

/// A response.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// Names are in lower case.
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Reply {
    /// The value of the only field with this name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let values: Vec<&str> = self.headers.iter().filter(|field| field.0 == name).map(|field| &*field.1).collect();
        assert!(values.len() < 2, "{name}: {values:?}");
        values.first().copied()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }

    /// The code of a refusal.
    pub(crate) fn code(&self) -> String {
        self.json()["error"].as_str().unwrap_or_else(|| panic!("{}", self.body)).into()
    }

    /// Parses the text of a response.
    pub(crate) fn read(text: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(text);
        let (head, body) = text.split_once("\r\n\r\n")?;
        let mut lines = head.split("\r\n");
        let status = lines.next()?.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
        let field = |line: &str| {
            let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("{line:?}"));
            (name.to_ascii_lowercase(), value.trim().to_owned())
        };
        Some(Self { status, headers: lines.map(field).collect(), body: body.into() })
    }
}

pub(crate) type Caller = fn(&Service, &Ask) -> Reply;

pub(crate) const CALLERS: [(&str, Caller); 2] = [("curl", curl), ("ureq", ureq)];

/// Without the program `curl` this is [`ureq`], except if the variable `CI` is set.
pub(crate) fn curl(service: &Service, ask: &Ask) -> Reply {
    static MISSING: Once = Once::new();
    let mut command = Command::new("curl");
    let seconds = LONG.as_secs().to_string();
    command.args(["--silent", "--show-error", "--include", "--http1.1", "--path-as-is", "--globoff"]);
    command.args(["--noproxy", "*", "--max-time", &*seconds]);
    match ask.method {
        "HEAD" => command.arg("--head"),
        "POST" => command.args(["--data", ""]),
        method => command.args(["--request", method]),
    };
    for (name, value) in &ask.headers {
        // With a colon and no value, `curl` would not send the header.
        let field = if value.is_empty() { format!("{name};") } else { format!("{name}: {value}") };
        command.args(["--header", &*field]);
    }
    command.arg(url(service, ask));
    let output = match command.output() {
        Err(error) if error.kind() == io::ErrorKind::NotFound && env::var_os("CI").is_none() => {
            // Not `println!`: the test harness hides the output of a test that passes.
            MISSING.call_once(|| drop(writeln!(io::stderr(), "ureq asks instead of curl: there is no program curl")));
            return ureq(service, ask);
        }
        output => output.unwrap_or_else(|error| panic!("this test needs the program curl: {error}")),
    };
    let read = if output.status.success() { Reply::read(&output.stdout) } else { None };
    read.unwrap_or_else(|| panic!("{}: {ask:?}: {output:?}", service.name))
}

pub(crate) fn ureq(service: &Service, ask: &Ask) -> Reply {
    let config = Agent::config_builder().http_status_as_error(false).proxy(None).allow_non_standard_methods(true);
    let agent = Agent::new_with_config(config.timeout_global(Some(LONG)).build());
    let mut request = Request::builder().method(ask.method).uri(url(service, ask));
    for (name, value) in &ask.headers {
        request = request.header(name, value);
    }
    let response = match ask.method {
        "POST" => agent.run(request.body("").unwrap()),
        _ => agent.run(request.body(()).unwrap()),
    };
    let mut response = response.unwrap_or_else(|error| panic!("{}: {ask:?}: {error}", service.name));
    let field = |(name, value): (&ureq::http::HeaderName, &ureq::http::HeaderValue)| {
        (name.as_str().to_owned(), value.to_str().unwrap().to_owned())
    };
    let headers = response.headers().iter().map(field).collect();
    Reply { status: response.status().as_u16(), headers, body: response.body_mut().read_to_string().unwrap() }
}

fn url(service: &Service, ask: &Ask) -> String {
    format!("http://{}{}{}", service.address, service.prefix(), ask.path)
}
