//! The audit data of requests.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex},
};

use apikee::{
    Expiry, Keyring, NewKey, Policy, SysRng, UnixTime,
    client::{ApikeeBuilder, Audit, Enforcement, Event},
    key::log_prefix,
    policy::FailOpen,
    web::{Guard, RequestView},
};

use crate::{
    key, lookup,
    platform::{self, Answer, CLIENT, Platform, SECRET},
};

/// The text of events about requests, without the time that the decision took.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    fn guard(&self, builder: ApikeeBuilder) -> Guard {
        let lines = Arc::clone(&self.0);
        let observer = move |event: &Event<'_>| {
            let line = event.to_string();
            assert!(line.len() < 4096 && !line.contains(char::is_control), "{line:?}");
            let (line, elapsed) = line.rsplit_once(" elapsed_us=").unwrap_or((&line, "0"));
            assert!(elapsed.parse::<u32>().is_ok(), "{elapsed}");
            if let Event::Granted { .. } | Event::Denied { .. } | Event::Observed { .. } = event {
                lines.lock().unwrap().push(line.to_owned());
            }
        };
        Guard::new(builder.observer(observer).build().unwrap()).trusted_proxy("10.0.0.0/8").unwrap()
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

fn local() -> ApikeeBuilder {
    apikee::Apikee::builder().secret(SECRET)
}

fn issue(new: NewKey<'_>) -> String {
    Keyring::new(SECRET).unwrap().issue(&new, UnixTime::now(), &mut SysRng, &mut [0; 8192]).unwrap().to_owned()
}

fn id_of(key: &str) -> String {
    let mut buf = [0; 4096];
    Keyring::new(SECRET).unwrap().verify(key, UnixTime::from_secs(0), &mut buf).unwrap().claims().id().to_owned()
}

#[test]
fn the_event_and_the_refusal_for_a_missing_scope_name_the_key_and_the_request() {
    let lines = Lines::default();
    let guard = lines.guard(local());
    let key = issue(NewKey::new("acme").scopes(&["read"]).expires(Expiry::Never));
    let fields = [("x-api-key", key.as_bytes()), ("X-Forwarded-For", b"198.51.100.1, 203.0.113.9")];
    let refusal = {
        let lookup = lookup(&fields);
        let request = RequestView::new("GET", "/admin?token=secret", &lookup).peer([10, 0, 0, 1].into());
        guard.require(&["read", "admin", "audit"]).check(request).unwrap_err()
    };
    let audit = refusal.audit();
    let (id, prefix) = (id_of(&key), log_prefix(&key));
    assert_eq!((audit.tenant(), audit.key_id(), audit.key_prefix()), (Some("acme"), Some(&*id), Some(prefix)));
    assert_eq!((audit.method(), audit.route(), audit.path()), (Some("GET"), None, Some("/admin")));
    assert_eq!(audit.address(), Some(IpAddr::from([203, 0, 113, 9])));
    assert_eq!(refusal.to_string(), r#"the key lacks these scopes: "admin", "audit""#);
    assert_eq!(
        lines.take(),
        [format!(
            "event=denied code=INSUFFICIENT_SCOPE class=scopes tenant=\"acme\" key_id=\"{id}\" key_prefix=\"{prefix}\" \
             method=\"GET\" path=\"/admin\" address=203.0.113.9 missing_scopes=\"admin,audit\""
        )]
    );
}

#[test]
fn events_about_grants_name_the_route_in_both_modes() {
    let key = key();
    let (id, prefix) = (id_of(&key), log_prefix(&key));
    let platform = Platform::new(|_| Answer::status(500));
    let observed = Platform::new(|_| Answer::status(403));
    let open = Policy::DEFAULT.fail_open(FailOpen::Open);
    let who = format!(
        r#"tenant="{CLIENT}" key_id="{id}" key_prefix="{prefix}" method="POST" route="/users/{{id}}" path="/users/7" address=2001:db8::1"#
    );
    // Observed events have only the route.
    let without_path = who.replace(r#" path="/users/7""#, "");
    for (builder, expected) in [
        (local(), vec![format!("event=granted basis=local {who}")]),
        (
            platform.builder().policy(open),
            vec![format!(r#"event=granted basis=failed_open {who} cause="the platform answered with status 500""#)],
        ),
        (
            observed.builder().enforcement(Enforcement::Observe).background_thread(true),
            vec![
                format!("event=granted basis=observed {who}"),
                format!(
                    r#"event=observed code=SERVER_REJECTED class=rejected {without_path} cause="the platform forbids the request""#
                ),
            ],
        ),
    ] {
        let lines = Lines::default();
        let guard = lines.guard(builder);
        let fields = [("x-api-key", key.as_bytes())];
        let lookup = lookup(&fields);
        let request = RequestView::new("POST", "/users/7?a=b", &lookup).peer("2001:db8::1".parse().unwrap());
        assert!(guard.route("/users/{id}").require(&["read"]).check(request).is_ok());
        guard.apikee().close(std::time::Duration::from_secs(10));
        let mut lines = lines.take();
        lines.sort_unstable();
        assert_eq!(lines, expected);
    }
}

#[test]
fn an_observed_request_that_cannot_be_sent_to_the_platform_is_reported() {
    let (lines, key) = (Lines::default(), key());
    let platform = Platform::willing();
    let guard = lines.guard(platform.builder().enforcement(Enforcement::Observe).background_thread(true));
    let fields = [("x-api-key", key.as_bytes())];
    let lookup = lookup(&fields);
    assert!(guard.route("/users").require(&["read"]).check(RequestView::new("NO METHOD", "/users", &lookup)).is_ok());
    let [observed, granted] = lines.take().try_into().unwrap();
    assert!(observed.starts_with("event=observed code=SERVER_FAULT class=fault tenant="), "{observed}");
    assert!(granted.starts_with("event=granted basis=observed tenant="), "{granted}");
}

#[test]
fn the_audit_names_the_tenant_only_if_the_signature_is_valid() {
    let expired = issue(NewKey::new("late").expires(Expiry::At(UnixTime::from_secs(1))));
    let early = issue(NewKey::new("early").expires(Expiry::Never).not_before(UnixTime::from_secs(99_999_999_999)));
    let good = issue(NewKey::new("good").expires(Expiry::Never));
    let forged = format!("{}{}", &good[..good.len() - 1], if good.ends_with('0') { "1" } else { "0" });
    let builder = || local().revoked(|key| key.claims().tenant() == "good");
    let guard = Lines::default().guard(builder());
    let audit = |key: Option<&str>| {
        let fields: Vec<_> = key.map(|key| ("x-api-key", key.as_bytes())).into_iter().collect();
        let lookup = lookup(&fields);
        let refusal = guard.check(RequestView::new("GET", "/users", &lookup)).unwrap_err();
        let audit = refusal.audit();
        assert_eq!(audit.key_id().is_some(), audit.tenant().is_some());
        assert_eq!((audit.method(), audit.path(), audit.address()), (Some("GET"), Some("/users"), None));
        (refusal.code(), audit.tenant().map(str::to_owned), audit.key_prefix().map(str::to_owned))
    };
    let prefix = |key: &str| Some(key[..12].to_owned());
    assert_eq!(audit(Some(&expired)), ("EXPIRED", Some("late".into()), prefix(&expired)));
    assert_eq!(audit(Some(&early)), ("NOT_YET_VALID", Some("early".into()), prefix(&early)));
    assert_eq!(audit(Some(&good)), ("REVOKED", Some("good".into()), prefix(&good)));
    assert_eq!(audit(Some(&forged)), ("INVALID_SIGNATURE", None, prefix(&forged)));
    assert_eq!(audit(None), ("MISSING_KEY", None, None));
    // Secrets of other kinds, and characters that a key cannot contain.
    assert_eq!(audit(Some("sk_live_4eC39HqLyjWDarjtT1zdp7dc")), ("INVALID_PREFIX", None, None));
    assert_eq!(audit(Some("apikee_a\" x=\"y.z")), ("DECODE_ERROR", None, Some("apikee_a".into())));
    assert_eq!(audit(Some("apikee_")), ("INVALID_FORMAT", None, Some("apikee_".into())));
}

/// The pairs of a line, as a program that reads the log parses them.
fn pairs(line: &str) -> Vec<(String, String)> {
    let (mut pairs, mut rest) = (Vec::new(), line);
    while !rest.is_empty() {
        let (name, behind) = rest.split_once('=').unwrap();
        let end = match behind.strip_prefix('"') {
            None => behind.find(' ').unwrap_or(behind.len()),
            Some(quoted) => {
                let mut escaped = false;
                let is_end = |byte| {
                    let ends = byte == b'"' && !escaped;
                    escaped = byte == b'\\' && !escaped;
                    ends
                };
                quoted.bytes().position(is_end).unwrap() + 2
            }
        };
        pairs.push((name.to_owned(), behind[..end].trim_matches('"').to_owned()));
        rest = behind[end..].strip_prefix(' ').unwrap_or_default();
    }
    pairs
}

#[test]
fn log_lines_cannot_be_forged_and_their_length_is_limited() {
    let evil = "a\nevent=granted tenant=\"root\" \u{1b}[31m\u{202e}\u{2028}'\\";
    let huge = format!("{evil}{}", "\u{10ffff}".repeat(10_000));
    let lines = Lines::default();
    let guard = lines.guard(local());
    for text in [evil, &*huge] {
        let tenant = (0..=2000.min(text.len())).rev().find_map(|end| text.get(..end)).unwrap();
        let key = issue(NewKey::new(tenant).scopes(&["read"]).expires(Expiry::Never));
        let fields = [("x-api-key", key.as_bytes())];
        let lookup = lookup(&fields);
        let scopes = [text, "b"];
        let refusal = guard.route(text).require(&scopes).check(RequestView::new(text, text, &lookup)).unwrap_err();
        for field in [refusal.audit().tenant(), refusal.audit().path(), refusal.audit().method()] {
            assert!(text.starts_with(field.unwrap()) && field.unwrap().len() <= Audit::MAX_LEN);
        }
        let line = lines.take().pop().unwrap();
        let escaped = r#"a\nevent=granted tenant=\"root\" \u{1b}[31m\u{202e}\u{2028}'\\"#;
        let pairs = pairs(&line);
        let names: Vec<_> = pairs.iter().map(|(name, _)| &**name).collect();
        assert_eq!(
            names,
            ["event", "code", "class", "tenant", "key_id", "key_prefix", "method", "route", "path", "missing_scopes"]
        );
        for (name, value) in pairs.iter().filter(|(name, _)| !["event", "code", "class"].contains(&&**name)) {
            assert!(name.starts_with("key_") || value.starts_with(escaped), "{name}: {value}");
            assert!(value.len() <= 256 + "...".len());
        }
        assert_eq!(line.contains("...\""), text.len() > 1000, "{line}");
    }
}

#[test]
fn events_and_audits_contain_no_secrets() {
    let lines = Lines::default();
    let platform = Platform::new(|_| Answer::no());
    let guard = lines.guard(platform.builder()).bearer();
    let key = platform::key(CLIENT, "{}");
    let fields = [
        ("x-api-key", key.as_bytes()),
        ("cookie", &b"session=private"[..]),
        ("user-agent", b"agent/private"),
        ("authorization", b"Basic private"),
    ];
    let lookup = lookup(&fields);
    let refusal = guard.check(RequestView::new("GET", "/users?key=private#private", &lookup)).unwrap_err();
    let shown = format!("{refusal:?} {:?} {:?}", refusal.audit(), lines.take());
    assert!(shown.contains("SERVER_REJECTED") && shown.contains(CLIENT), "{shown}");
    for secret in [&key[12..], "private", "agent"] {
        assert!(!shown.contains(secret), "{shown}");
    }

    // The key is in the path or the method by mistake.
    let encoded = format!("/users/{}", key.replace('.', "%2e"));
    for (method, path) in [("GET", format!("/users/{key}")), ("GET", encoded), (&*key, "/users".into())] {
        let request = RequestView::new(method, &path, &lookup);
        let refusal = guard.check(request).unwrap_err();
        let shown = format!("{request:?} {refusal:?} {:?} {:?}", refusal.audit(), lines.take());
        assert!(shown.contains(&key[..12]) && !shown.contains(&key[20..40]), "{shown}");
        let target = platform.seen().pop().unwrap().target.to_lowercase();
        assert!(target.contains(&key[..12].to_lowercase()), "{target}");
        assert!(!target.contains(&key[20..40].to_lowercase()), "{target}");
    }
}
