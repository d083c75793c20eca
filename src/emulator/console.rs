//! The page for people, and the small JSON API behind it.
//!
//! | request | answer |
//! |---|---|
//! | `GET /` | the page |
//! | `GET /api/console/state?after=N&client=...&endpoint=...&status=...` | clients, endpoints, faults, and the requests after number N |
//! | `POST /api/console/fault` with `{"fault":"status:503","on":true}` | the switch is set |
//!
//! The page needs no key, and everybody knows the default project key. So other pages in the same browser must not reach
//! the page or the platform's API. The browser sends the origin of such a page in `Origin`. A name that was changed to
//! point here (DNS rebinding) appears in `Host`. Both get 403. The page shows no secrets: no bodies, no header fields,
//! and only the prefixes of keys.

use core::net::IpAddr;
use std::{
    borrow::ToOwned as _,
    format,
    string::{String, ToString},
    vec::Vec,
};

use rand_core::TryRng as _;
use serde_json::{Value, json};

use super::{
    handle::Platform,
    http::{self, JSON, Message, Request},
    log::{LoggedRequest, cut_keys},
    misbehaviour::{Misbehaviour, Occasion, RequestKind},
    registry::Registry,
    state::State,
};
use crate::{SysRng, key::without_keys, protocol::Timestamp};

const PAGE: &str = include_str!("page.html");

/// The placeholder in the page for the nonce of its script and its style.
const NONCE: &str = "{nonce}";

const API: &str = "/api/console/";

/// The maximum number of faults that the page may switch on.
const MAX_FAULTS: usize = 64;

/// The maximum number of rows of each table in one answer.
const MAX_ROWS: usize = 200;

/// Answers a request for the page on this port, and any request that another page sent. `None` for all others: they are
/// calls of the platform.
pub(super) fn answer(platform: &Platform, request: &Request, port: u16) -> Option<Message> {
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    let is_page = path == "/" && request.method == "GET";
    if !is_page && !path.starts_with(API) {
        return (!is_own_call(request, port)).then(|| error(403, "FOREIGN_PAGE"));
    }
    Some(if !is_from_here(request, port) {
        error(403, "FOREIGN_PAGE")
    } else if is_page {
        page()
    } else {
        match (request.method.as_str(), path.strip_prefix(API)) {
            ("GET", Some("state")) => match Filter::read(query) {
                Some(filter) => json(200, &state(platform, &filter)),
                None => error(400, "MALFORMED_REQUEST"),
            },
            ("POST", Some("fault")) => switch(platform, request),
            (_, Some("state" | "fault")) => error(405, "METHOD_NOT_ALLOWED"),
            _ => error(404, "UNKNOWN_PATH"),
        }
    })
}

/// Whether the request for the page was sent to this address by name or number, and not by another page.
fn is_from_here(request: &Request, port: u16) -> bool {
    fields(request, "host").count() == 1
        && fields(request, "host").all(|host| is_here(&host, port))
        && !is_from_another_page(request, port)
}

/// Whether a call of the platform was sent to a loopback address by name or number, and not by another page. Programs
/// may use another port, which is forwarded to this one, or leave out `Host`. Browsers cannot.
fn is_own_call(request: &Request, port: u16) -> bool {
    fields(request, "host").all(|host| is_loopback(&host)) && !is_from_another_page(request, port)
}

fn is_from_another_page(request: &Request, port: u16) -> bool {
    let is_own = |origin: &str| origin.strip_prefix("http://").is_some_and(|authority| is_here(authority, port));
    !fields(request, "origin").all(|origin| is_own(&origin))
        || !fields(request, "sec-fetch-site").all(|site| matches!(&*site, "same-origin" | "none"))
}

/// Whether the authority is this server's address with its port.
fn is_here(authority: &str, port: u16) -> bool {
    let own = |name: &str| authority == format!("{name}:{port}") || port == 80 && authority == name;
    ["127.0.0.1", "localhost", "[::1]"].into_iter().any(own)
}

/// Whether the authority, with or without a port, is on loopback.
fn is_loopback(authority: &str) -> bool {
    let with_port = authority.rsplit_once(':').filter(|(_, port)| port.bytes().all(|digit| digit.is_ascii_digit()));
    let host = with_port.map_or(authority, |(host, _)| host);
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host == "localhost" || address.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// The values of a header field in lower case.
fn fields<'r>(request: &'r Request, name: &'static str) -> impl Iterator<Item = String> + 'r {
    let fields = request.headers.iter().filter(move |(own, _)| own.eq_ignore_ascii_case(name));
    fields.map(|(_, value)| value.to_ascii_lowercase())
}

/// Header fields for the browser in every answer, in addition to the policy.
const HEADERS: [(&str, &str); 4] = [
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
];

fn page() -> Message {
    let mut bytes = [0; 16];
    if SysRng.try_fill_bytes(&mut bytes).is_err() {
        return error(500, "NO_RANDOMNESS");
    }
    let nonce: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src data:; \
         connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let mut headers = HEADERS.to_vec();
    headers.push(("Content-Security-Policy", &policy));
    Message::of(200, "text/html; charset=utf-8", PAGE.replace(NONCE, &nonce).as_bytes(), &headers)
}

fn json(status: u16, value: &Value) -> Message {
    Message::of(status, JSON, value.to_string().as_bytes(), &HEADERS)
}

fn error(status: u16, code: &str) -> Message {
    json(status, &json!({ "error": code }))
}

/// A search. Texts are in lower case and match anywhere. An empty text matches everything.
#[derive(Default)]
struct Filter {
    /// The number of the last request that the page already has.
    after: u64,
    client: String,
    endpoint: String,
    /// The first digits of the status, a refusal or a fault.
    status: String,
}

impl Filter {
    fn read(query: &str) -> Option<Self> {
        let mut this = Self::default();
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            let value = http::decode(value)?;
            match name {
                "after" => this.after = value.parse().ok()?,
                "client" => this.client = value.to_lowercase(),
                "endpoint" => this.endpoint = value.to_lowercase(),
                "status" => this.status = value.to_lowercase(),
                _ => return None,
            }
        }
        Some(this)
    }

    fn has_client(&self, id: &str, name: &str) -> bool {
        self.client.is_empty() || id.contains(&self.client) || name.to_lowercase().contains(&self.client)
    }

    fn has_endpoint(&self, endpoint: &str) -> bool {
        self.endpoint.is_empty() || endpoint.to_lowercase().contains(&self.endpoint)
    }

    fn has_request(&self, entry: &LoggedRequest, registry: &Registry) -> bool {
        let status = || {
            let texts = [
                entry.status.map(|status| status.to_string()),
                entry.refusal.map(str::to_lowercase),
                entry.misbehaviour.as_ref().map(|fault| fault.to_string().to_lowercase()),
            ];
            texts.iter().flatten().any(|text| text.starts_with(&self.status))
                || entry.status.is_none() && "no answer".starts_with(&self.status)
        };
        let client = || match entry.client {
            Some(id) => self.has_client(&id.to_string(), registry.client(id).map_or("", |client| client.name())),
            None => self.client.is_empty(),
        };
        let endpoint = || self.has_endpoint(&route(entry));
        client() && endpoint() && (self.status.is_empty() || status())
    }
}

/// The route of a request: from its query, or from the endpoint that it registers.
fn route(entry: &LoggedRequest) -> String {
    let registered = || {
        let body = entry.body.as_ref().filter(|_| entry.kind == RequestKind::Endpoint)?;
        let body: Value = serde_json::from_str(body).ok()?;
        Some(format!("{}:::{}", body.get("method")?.as_str()?, body.get("path")?.as_str()?))
    };
    without_keys(&entry.method_path.clone().or_else(registered).unwrap_or_default())
}

fn state(platform: &Platform, filter: &Filter) -> Value {
    let state = platform.state();
    let registry = state.registry();
    let now = state.clock.now();
    let time = |time| Timestamp::new(time).map(|time| time.as_str().to_owned()).ok();

    let found = registry
        .by_name()
        .filter(|(id, client)| filter.client.is_empty() || filter.has_client(&id.to_string(), client.name()));
    let clients = found.take(MAX_ROWS).map(|(id, client)| {
        json!({
            "id": id.to_string(),
            "name": client.name(),
            "template": client.template,
            "used": client.usage.used(now),
            "limits": registry.limits(client).0,
        })
    });

    let endpoints = registry.endpoints().iter().filter(|endpoint| {
        filter.has_endpoint(&format!("{}:::{}", endpoint.method, endpoint.path)) || filter.has_endpoint(&endpoint.name)
    });
    let endpoints = endpoints.take(MAX_ROWS).map(|endpoint| {
        json!({
            "method": endpoint.method,
            "path": endpoint.path,
            "name": endpoint.name,
            "description": endpoint.description,
            "scopes": endpoint.scopes,
            "tags": endpoint.tags,
            "deprecated": endpoint.deprecated,
        })
    });

    let requests = state.log.after(filter.after).filter(|entry| filter.has_request(entry, registry));
    let requests = requests.take(MAX_ROWS).map(|entry| {
        json!({
            "number": entry.number,
            "time": time(entry.time),
            "kind": format!("{:?}", entry.kind).to_lowercase(),
            "client": entry.client.map(|id| id.to_string()),
            "name": entry.client.and_then(|id| registry.client(id)).map(|client| client.name()),
            "route": route(entry),
            "status": entry.status,
            "refusal": entry.refusal,
            "fault": entry.misbehaviour.as_ref().map(ToString::to_string),
        })
    });

    cut_keys(json!({
        "projectEnv": platform.settings.project_env,
        "sealing": platform.settings.sealing.as_str(),
        "last": state.requests,
        "clients": clients.collect::<Vec<_>>(),
        "clientCount": registry.clients().len(),
        "endpoints": endpoints.collect::<Vec<_>>(),
        "endpointCount": registry.endpoints().len(),
        "requests": requests.collect::<Vec<_>>(),
        "faults": faults(&state),
    }))
}

/// All faults that can be switched, each with its state.
fn faults(state: &State) -> Vec<Value> {
    let mut all: Vec<Misbehaviour> = Vec::new();
    for fault in state.arranged.all().cloned().chain(Misbehaviour::examples()) {
        if !all.contains(&fault) {
            all.push(fault);
        }
    }
    all.sort_by_key(|fault| Misbehaviour::examples().position(|example| example == *fault));
    let row = |fault: &Misbehaviour| {
        let on = state.arranged.all().any(|own| own == fault);
        json!({ "fault": fault.to_string(), "on": on })
    };
    all.iter().map(row).collect()
}

fn switch(platform: &Platform, request: &Request) -> Message {
    // A form on another page cannot send this media type.
    let is_json = request.header("content-type").is_some_and(|value| value.eq_ignore_ascii_case(JSON));
    let body: Option<Value> = serde_json::from_slice(&request.body).ok().filter(|_| is_json);
    let read = |body: Value| {
        let fault = body.get("fault")?.as_str()?.parse::<Misbehaviour>();
        Some((fault, body.get("on")?.as_bool()?))
    };
    let (fault, on) = match body.and_then(read) {
        Some((Ok(fault), on)) => (fault, on),
        Some((Err(why), _)) => {
            return json(400, &json!({ "error": "MALFORMED_REQUEST", "message": why.to_string() }));
        }
        None => return error(400, "MALFORMED_REQUEST"),
    };
    let mut state = platform.state();
    state.arranged.remove(&fault);
    if on {
        if state.arranged.len() >= MAX_FAULTS {
            return error(422, "TOO_MANY");
        }
        state.arranged.add(None, fault, Occasion::Always);
    }
    json(200, &json!({ "faults": faults(&state) }))
}
