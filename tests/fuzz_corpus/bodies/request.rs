//! Requests, parsed again by a second implementation.

use apikee::{
    UnixTime,
    meta::JsonObject,
    protocol::{
        BodyForm, ClientId, ClientKey, CreateClient, FindClient, HttpMethod, MAX_PROJECT_KEY_LEN, MethodPath,
        ProjectKey, RegisterEndpoint, Request, Timestamp, UserAgent, ValidateRequest,
    },
};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{
    model::{MAX_DEPTH, Tree},
    splitter::Splitter,
    trees,
};
use crate::support::exactly;

const CLIENT: &str = "497f6eca-6276-4993-bfeb-53cbbbba6f08";

/// The header fields whose values are never cut.
const NEVER_CUT: [&str; 3] = ["x-api-key", "x-forwarded-for", "x-real-ip"];

/// The name of a pair. One byte stands for the name of a field that is never cut, because a fuzzer hardly finds those.
fn name_of(text: String) -> String {
    match text.as_bytes() {
        [byte] => NEVER_CUT[usize::from(*byte) % NEVER_CUT.len()].to_owned(),
        _ => text,
    }
}

/// The text up to the fifth character after the `apikee_` of its first key.
fn up_to_key(text: &str) -> &str {
    const PREFIX: &str = "apikee_";
    for (at, prefix) in text.match_indices(PREFIX) {
        let start = at + prefix.len();
        // A `_` belongs to the key only at the end of another prefix.
        let mut end = start;
        while let Some(byte) = text.as_bytes().get(end).filter(|byte| byte.is_ascii_alphanumeric() || **byte == b'.') {
            if *byte == b'.' {
                return &text[..start + (end - start).min(5)];
            }
            end += if text[end..].starts_with(PREFIX) { PREFIX.len() } else { 1 };
        }
    }
    text
}

/// Whatever the members are, a request is one request with exactly these.
pub fn body(input: &[u8]) {
    let mut input = Splitter(input);
    let (kind, flags, time) = (input.byte(), input.byte(), input.number());
    let [env, method, path, name, object, agent, key] = [(); 7].map(|()| input.text());
    let mut pairs = Vec::new();
    while !input.is_empty() && pairs.len() < 16 {
        pairs.push((name_of(input.text()), input.text()));
    }
    let has = |flag: u8| flags & flag != 0;

    let agent = agent_of(&agent);
    let key_value = if project_key_is_valid(&key) { &*key } else { "sk_test_example" };
    assert_eq!(ProjectKey::new(&key).is_ok(), project_key_is_valid(&key));
    let fields = Fields { key: ProjectKey::new(key_value).unwrap(), key_value, agent };

    let time = Timestamp::new(UnixTime::from_millis(time)).unwrap_or(Timestamp::new(UnixTime::from_secs(0)).unwrap());
    let object = if has(1) { object_of(&object) } else { None };
    let method = if is_token(&method) { &*method } else { "GET" };
    let ends: &[char] = if has(2) { &['#'] } else { &['?', '#'] };
    let route = if has(2) { MethodPath::with_query(method, &path) } else { MethodPath::new(method, &path) }.unwrap();
    let (method, path) = (up_to_key(method), up_to_key(path.split(ends).next().unwrap()));
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    let method = method.to_ascii_uppercase();
    assert_eq!(route.to_string(), format!("{method}:::{path}"));

    match kind % 4 {
        0 => {
            let headers: Vec<_> = pairs.iter().map(|(name, value)| (&**name, &**value)).collect();
            let client = ClientId::new(CLIENT).unwrap();
            let mut request = ValidateRequest::new(client, &env, route, time).key_name(&name).headers(&headers);
            let mut members = vec![
                ("name", text(&name)),
                ("timestamp", text(time.as_str())),
                ("headers", Tree::Object(merged(&headers))),
            ];
            if let Some((object, tree)) = object {
                request = request.payload(object);
                members.push(("payload", tree));
            }
            let query = [("project_env", env.clone()), ("method_path", format!("{method}:::{path}"))];
            fields.check(&request, &format!("/client/{CLIENT}"), &query, members.clone());
            let payload = if let Some(("payload", tree)) = members.last() { tree.to_compact_json().len() } else { 0 };
            check_bounded(&request, &merged(&headers), payload, usize::from(flags) * 4);
        }
        1 => {
            let (with_time, networks) = (has(4), has(8));
            let (names, values): (Vec<&str>, Vec<&str>) = pairs.iter().map(|(a, b)| (&**a, &**b)).unzip();
            let keys = names.iter().map(|name| ClientKey::new(name));
            let keys: Vec<_> = keys.map(|key| if with_time { key.expires_at(time) } else { key }).collect();
            let mut request = CreateClient::new(&env, &name).keys(&keys);
            let key = |name: &&str| {
                let mut members = vec![("name".to_owned(), text(name))];
                if with_time {
                    members.push(("expiresAt".to_owned(), text(time.as_str())));
                }
                Tree::Object(members)
            };
            let mut members = vec![
                ("name", text(&name)),
                ("type", text("service")),
                ("keys", Tree::Array(names.iter().map(key).collect())),
            ];
            if has(16) {
                request = request.template_id(&path);
                members.push(("templateId", text(&path)));
            }
            if let Some((object, tree)) = object {
                request = request.metadata(object);
                members.push(("metadata", tree));
            }
            if networks {
                request = request.ip_whitelist(&values);
                members.push(("ipWhitelist", Tree::Array(values.iter().map(|value| text(value)).collect())));
            }
            fields.check(&request, "/client", &[("project_env", env.clone())], members);
        }
        3 => {
            let query = [("project_env", env.clone()), ("name", name.clone()), ("limit", "100".to_owned())];
            fields.check_without_body(&FindClient::new(&env, &name), "/client", &query);
        }
        _ => {
            let mut request = RegisterEndpoint::new(&env, route);
            let mut shown = format!("{method} {path}");
            if has(32) {
                request = request.name(&name);
                if !name.is_empty() {
                    shown = name.clone();
                }
            }
            let members = vec![("method", text(&method)), ("path", text(&path)), ("name", text(&shown))];
            fields.check(&request, "/endpoint", &[("project_env", env.clone())], members);
        }
    }
}

fn text(text: &str) -> Tree {
    Tree::String(text.to_owned())
}

/// Checks a body with a maximum length. Only ends of header values and whole fields may be cut, and never the key or an
/// address.
fn check_bounded(request: &ValidateRequest<'_>, whole: &[(String, Tree)], payload: usize, limit: usize) {
    let body = exactly(&|buf| request.max_body_len(limit).write_body(buf));
    let Some(Tree::Object(members)) = trees::json(body.as_bytes()) else { panic!("{body}") };
    let Some((_, Tree::Object(sent))) = members.iter().find(|(name, _)| name == "headers") else { panic!("{body}") };
    let is_never_cut = |name: &str| NEVER_CUT.iter().any(|own| own.eq_ignore_ascii_case(name));
    assert!(body.len() - payload <= limit || sent.iter().all(|(name, _)| is_never_cut(name)), "{body}");

    let mut rest = sent.iter().peekable();
    for (name, value) in whole {
        let Some((_, own)) = rest.next_if(|(own, _)| own == name) else {
            assert!(!is_never_cut(name), "{body}");
            continue;
        };
        let (Tree::String(own), Tree::String(value)) = (own, value) else { panic!("{body}") };
        assert!(if is_never_cut(name) { own == value } else { value.starts_with(&**own) }, "{body}");
    }
    assert_eq!(rest.next(), None, "{body}");
}

/// Joins fields with the same name, under the first spelling of the name, without control characters.
fn merged(headers: &[(&str, &str)]) -> Vec<(String, Tree)> {
    let mut all: Vec<(String, Vec<&str>)> = Vec::new();
    for (name, value) in headers {
        match all.iter_mut().find(|(own, _)| own.eq_ignore_ascii_case(name)) {
            Some((_, values)) => values.push(value),
            None => all.push(((*name).to_owned(), vec![value])),
        }
    }
    let value = |values: Vec<&str>| values.join(", ").replace(|c| matches!(c, '\0'..='\u{1f}' | '\u{7f}'), "");
    all.into_iter().map(|(name, values)| (name, text(&value(values)))).collect()
}

/// The object and its content, if the text is an object.
fn object_of(text: &str) -> Option<(JsonObject<'_>, Tree)> {
    let tree = trees::json(text.as_bytes()).filter(|tree| matches!(tree, Tree::Object(_)) && depth(tree) < MAX_DEPTH);
    match (JsonObject::new(text), tree) {
        (Ok(object), Some(tree)) => Some((object, tree)),
        (Err(_), Some(tree)) if !tree.must_be_read() => None,
        (ours, theirs) => {
            assert!(ours.is_err() && theirs.is_none(), "{ours:?} instead of {theirs:?}");
            None
        }
    }
}

fn depth(tree: &Tree) -> usize {
    match tree {
        Tree::Array(elements) => 1 + elements.iter().map(depth).max().unwrap_or(0),
        Tree::Object(members) => 1 + members.iter().map(|(_, value)| depth(value)).max().unwrap_or(0),
        _ => 0,
    }
}

/// RFC 9110, section 5.6.2.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

fn project_key_is_valid(text: &str) -> bool {
    let is_visible = text.bytes().all(|byte| (0x21..0x7F).contains(&byte));
    is_visible && (1..=MAX_PROJECT_KEY_LEN).contains(&text.len()) && !text.starts_with("apikee_")
}

fn agent_of(text: &str) -> Option<(UserAgent<'_>, &str)> {
    let is_valid = text.bytes().all(|byte| (0x20..0x7F).contains(&byte))
        && !(text.is_empty() || text.starts_with(' ') || text.ends_with(' ') || text.contains("  "));
    let agent = UserAgent::new(text);
    assert_eq!(agent.is_ok(), is_valid);
    agent.ok().map(|agent| (agent, text))
}

/// The values of the header fields.
struct Fields<'i> {
    key: ProjectKey,
    key_value: &'i str,
    agent: Option<(UserAgent<'i>, &'i str)>,
}

impl Fields<'_> {
    fn check<R: Request>(&self, request: &R, path: &str, query: &[(&str, String)], members: Vec<(&str, Tree)>) {
        self.check_head(request, path, query);
        let expected = Tree::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect());
        let body = exactly(&|buf| request.write_body(buf));
        assert_eq!(trees::json(body.as_bytes()).as_ref(), Some(&expected));
        assert_eq!(body, expected.to_compact_json());
    }

    fn check_without_body<R: Request>(&self, request: &R, path: &str, query: &[(&str, String)]) {
        self.check_head(request, path, query);
        assert_eq!((R::METHOD, request.write_body(&mut [])), (HttpMethod::Get, Ok("")));
    }

    fn check_head<R: Request>(&self, request: &R, path: &str, query: &[(&str, String)]) {
        let target = exactly(&|buf| request.write_target(buf));
        assert!(target.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#'), "{target}");
        let (own_path, own_query) = target.split_once('?').unwrap();
        let own_query: Vec<_> = own_query.split('&').map(|pair| pair.split_once('=').unwrap()).collect();
        let query: Vec<_> = query.iter().map(|(name, value)| (*name, encoded(value))).collect();
        let query: Vec<_> = query.iter().map(|(name, value)| (*name, &**value)).collect();
        assert_eq!((own_path, own_query), (path, query));

        let agent = self.agent.map_or(UserAgent::DEFAULT, |(agent, _)| agent);
        let fields = request.header_fields(&self.key, agent);
        assert!(fields.iter().all(|(name, value)| is_token(name) && !value.contains(|c: char| c.is_control())));
        let value = |name: &str| fields.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|field| field.1);
        assert_eq!(value("x-api-key"), Some(self.key_value));
        let has_body = R::METHOD != HttpMethod::Get;
        assert_eq!(value("content-type"), has_body.then_some("application/json"));
        let form = if R::FORM == BodyForm::Sealed { "1" } else { "0" };
        assert_eq!(value("x-apikee-encrypted"), has_body.then_some(form));
        assert!(self.agent.is_none_or(|(_, text)| value("user-agent") == Some(text)));
    }
}

/// A value of a query, as `percent-encoding` writes it, except for the space.
pub fn encoded(value: &str) -> String {
    const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    utf8_percent_encode(value, ESCAPED).to_string().replace("%20", "+")
}
