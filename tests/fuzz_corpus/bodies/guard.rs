//! Requests to a guard, compared with a second implementation.

use std::{net::IpAddr, sync::LazyLock};

use apikee::{
    Apikee, Expiry, Keyring, NewKey, UnixTime,
    web::{Guard, RequestView},
};

use super::splitter::Splitter;
use crate::support::SECRET;

static GUARDS: LazyLock<[Guard; 2]> = LazyLock::new(|| {
    let guard = || {
        let guard = Guard::new(Apikee::builder().secret(SECRET).build().unwrap());
        ["10.0.0.0/8", "2001:db8::/32"].iter().fold(guard, |guard, proxy| guard.trusted_proxy(proxy).unwrap())
    };
    [guard(), guard().bearer()]
});

static KEY: LazyLock<String> = LazyLock::new(|| {
    let new = NewKey::new("acme-corp").scopes(&["read"]).expires(Expiry::Never);
    let id = "31GnZ1t7ZX2ye5UxqDDBe";
    Keyring::new(SECRET).unwrap().issue_with_id(&new, id, UnixTime::now(), &mut [0; 1024]).unwrap().to_owned()
});

const NAMES: [&str; 7] =
    ["x-api-key", "X-Api-Key", "authorization", "Authorization", "x-forwarded-for", "X-Forwarded-For", "user-agent"];

/// A request is granted exactly if it has the key once and in the right place. The client's address must be right, too.
pub fn body(input: &[u8]) {
    let mut input = Splitter(input);
    let (bearer, path, method) = (input.byte() & 1 != 0, input.text(), input.text());
    let mut fields: Vec<(String, Vec<u8>)> = Vec::new();
    while !input.is_empty() && fields.len() < 12 {
        let name = NAMES.get(usize::from(input.byte())).map_or_else(|| input.text(), |name| (*name).to_owned());
        // A fuzzer can hardly guess a whole key, so a `K` stands for it.
        let value = input.text().replace('K', &KEY);
        fields.push((name, value.into_bytes()));
    }
    let lookup = |name: &str, nth: usize| {
        let mut named = fields.iter().filter(|field| field.0.eq_ignore_ascii_case(name));
        named.nth(nth).map(|field| field.1.as_slice())
    };
    let request = RequestView::new(&method, &path, &lookup).peer([10, 0, 0, 1].into());
    let guard = &GUARDS[usize::from(bearer)];

    let named = |name: &str| -> Vec<String> {
        let named = fields.iter().filter(|field| field.0.eq_ignore_ascii_case(name));
        named.map(|field| String::from_utf8(field.1.clone()).unwrap()).collect()
    };
    let lists = named("x-forwarded-for").join(",");
    assert_eq!(guard.client_address(request), address(&lists), "{lists:?}");

    let has_key = || has_key(&named("x-api-key"), &named("authorization"), bearer);
    let excluded = ["/health", "/ready", "/metrics"].contains(&path.split('?').next().unwrap());
    let mut buf = [0; 256];
    match guard.check_in(request, &mut buf) {
        Ok(None) => assert!(excluded),
        Ok(Some(grant)) => {
            assert!(!excluded && has_key());
            assert_eq!(grant.key().claims().tenant(), "acme-corp");
        }
        Err(refusal) => {
            assert!(!excluded);
            assert!(!is_token(&method) || !has_key());
            let body: serde_json::Value = serde_json::from_str(&refusal.body()).unwrap();
            assert_eq!(body["error"], refusal.code());
            for (name, value) in refusal.headers() {
                assert!(value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()), "{name}: {value:?}");
            }
        }
    }
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic() && !"\"(),/:;<=>?@[\\]{}".contains(c))
}

fn has_key(header: &[String], authorization: &[String], bearer: bool) -> bool {
    let blank = [' ', '\t'];
    let (header, authorization) = match (header, authorization) {
        ([_, _, ..], _) => return false,
        (_, [_, _, ..]) if bearer => return false,
        (header, authorization) => (header.first(), authorization.first().filter(|_| bearer)),
    };
    let key = header.map_or("", |value| value.trim_matches(blank));
    let credentials = authorization.map_or("", String::as_str);
    let token = authorization.map_or("", |value| {
        let value = value.trim_matches(blank);
        let (scheme, token) = value.split_once(' ').unwrap_or_default();
        if scheme.eq_ignore_ascii_case("bearer") { token.trim_matches(blank) } else { "" }
    });
    match (key, token) {
        (key, _) if key == *KEY => !credentials.contains("apikee_"),
        ("", token) => token == *KEY,
        _ => false,
    }
}

/// The client address of a request that a proxy at 10.0.0.1 has passed on. `None` if more than 256 entries, also empty
/// ones, must be read.
fn address(lists: &str) -> Option<IpAddr> {
    let mut address: IpAddr = [10, 0, 0, 1].into();
    for (read, entry) in lists.rsplit(',').enumerate() {
        let is_proxy = match address {
            IpAddr::V4(hop) => hop.octets()[0] == 10,
            IpAddr::V6(hop) => hop.segments()[..2] == [0x2001, 0xdb8],
        };
        if !is_proxy {
            break;
        }
        if read == 256 {
            return None;
        }
        let entry = entry.trim_matches([' ', '\t', '\r', '\n', '\x0C']);
        if entry.is_empty() {
            continue;
        }
        let inner = entry.strip_prefix('[').and_then(|entry| entry.strip_suffix(']'));
        let named = inner.unwrap_or(entry).parse().ok();
        let named = named.or_else(|| entry.parse().ok().map(|address: std::net::SocketAddr| address.ip()));
        let Some(named) = named else { break };
        address = named.to_canonical();
    }
    Some(address)
}
