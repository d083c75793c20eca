//! Paths of requests on their way from the guard to the platform: `percent-encoding` is the second implementation.

use std::{
    net::IpAddr,
    sync::{LazyLock, Mutex},
};

use apikee::{
    Apikee, Expiry, Keyring, NewKey, UnixTime,
    client::{Call, Received},
    meta::JsonObject,
    policy::Basis,
    protocol::Sealing,
    web::{Guard, RequestView},
};
use percent_encoding::percent_decode_str;

use super::request::encoded;
use crate::support::SECRET;

const CLIENT: &str = "497f6eca-6276-4993-bfeb-53cbbbba6f08";

/// The target of the last call. Threads take turns.
static ASKED: Mutex<String> = Mutex::new(String::new());

static GUARD: LazyLock<Guard> = LazyLock::new(|| {
    let transport = |call: &Call<'_>, answer: &mut [u8]| {
        *ASKED.lock().unwrap() = call.target.to_owned();
        let body = br#"{"success":true}"#;
        answer[..body.len()].copy_from_slice(body);
        Ok(Received { status: 200, len: body.len(), retry_after: None })
    };
    let builder = Apikee::builder().secret(SECRET).project_key("sk_test_example").project_env("my app");
    let builder = builder.sealing(Sealing::Off).transport(transport).auto_register(false).background_thread(false);
    Guard::new(builder.build().unwrap())
});

static KEY: LazyLock<String> = LazyLock::new(|| {
    let meta = format!(r#"{{"clientId":"{CLIENT}"}}"#);
    let new = NewKey::new("acme-corp").expires(Expiry::Never).meta(JsonObject::new(&meta).unwrap());
    let id = "31GnZ1t7ZX2ye5UxqDDBe";
    Keyring::new(SECRET).unwrap().issue_with_id(&new, id, UnixTime::now(), &mut [0; 1024]).unwrap().to_owned()
});

/// The platform receives the path of the request, in one spelling.
pub fn body(input: &[u8]) {
    let path = String::from_utf8_lossy(&input[..input.len().min(1_000)]);
    let sent = sent_path(&path);
    // Keys are cut.
    if percent_decode_str(&path).collect::<Vec<_>>().windows(7).any(|word| word == b"apikee_") {
        return;
    }
    let path = path.split(['?', '#']).next().unwrap();
    let slash = if path.starts_with('/') { "" } else { "/" };
    let path = format!("{slash}{path}");
    assert!(percent_decode_str(&sent).eq(percent_decode_str(&path)), "{sent:?} is not the path {path:?}");
    assert_eq!(sent_path(&sent), sent, "{path:?} has two spellings");
    check_spelling(&sent);
}

/// The path that the platform receives for a request with this path.
fn sent_path(path: &str) -> String {
    const EXCLUDED: [&str; 3] = ["/health", "/ready", "/metrics"];
    let before = path.split('?').next().unwrap();
    if EXCLUDED.contains(&before) {
        return before.to_owned();
    }
    let lookup = |name: &str, nth: usize| (name == "x-api-key" && nth == 0).then_some(KEY.as_bytes());
    let request = RequestView::new("GET", path, &lookup).peer(IpAddr::from([127, 0, 0, 1]));
    let mut buf = [0; 512];
    let grant = GUARD.check_in(request, &mut buf).expect("the key is good").expect("the path is guarded");
    assert_eq!(grant.basis(), Basis::Confirmed);

    let target = ASKED.lock().unwrap().clone();
    let value = target.strip_prefix(&format!("/client/{CLIENT}?project_env=my+app&method_path=")).unwrap();
    let plain = value.replace('+', " ");
    let decoded = percent_decode_str(&plain).decode_utf8().unwrap().into_owned();
    assert_eq!(encoded(&decoded), value);
    decoded.strip_prefix("GET:::").unwrap().to_owned()
}

/// Checks that only characters that need an escape have one (RFC 3986, section 6.2.2). Right after a `%` without
/// digits, other characters may have one, too.
fn check_spelling(path: &str) {
    let mut rest = path.as_bytes();
    let mut is_cut_off = false;
    while let [first, behind @ ..] = rest {
        match (first, behind) {
            (b'%', [high, low, behind @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                assert!(!high.is_ascii_lowercase() && !low.is_ascii_lowercase(), "{path:?}");
                let byte = percent_decode_str(&format!("%{}{}", char::from(*high), char::from(*low))).next().unwrap();
                let needs_none = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
                assert!(!needs_none || is_cut_off, "{path:?}");
                (is_cut_off, rest) = (false, behind);
            }
            (b'%', _) => {
                let soon = behind.iter().take(2).any(|byte| *byte == b'%');
                (is_cut_off, rest) = (soon, behind);
            }
            // The digit between the two `%`.
            _ => rest = behind,
        }
    }
}
