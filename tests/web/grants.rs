//! Grants with and without a buffer.

use std::{error::Error, thread};

use apikee::{
    Apikee, Denial, Expiry, Fingerprint, Grant, KeyError, Keyring, MissingScopes, NewKey, OwnedGrant, OwnedKey, SysRng,
    UnixTime,
    client::AuthorizeRequest,
    key::{MAX_PAYLOAD_LEN, OwnedClaims},
    policy::Basis,
    protocol::MethodPath,
    verify_buffer_len,
    web::{Guard, Refusal, RequestView},
};

use crate::{
    guard, key, lookup,
    platform::{Answer, CLIENT, Platform, SECRET},
};

/// A good key whose tenant has this many bytes.
fn key_of(tenant_len: usize) -> String {
    let tenant = "t".repeat(tenant_len);
    let new = NewKey::new(&tenant).scopes(&["read"]).expires(Expiry::Never);
    let mut buf = vec![0; 32 * 1024];
    Keyring::new(SECRET).unwrap().issue(&new, UnixTime::now(), &mut SysRng, &mut buf).unwrap().to_owned()
}

fn check<'g>(guard: &'g Guard, key: &str) -> Result<OwnedGrant, Refusal<'g>> {
    let fields = [("x-api-key", key.as_bytes())];
    let lookup = lookup(&fields);
    guard.require(&["read"]).check(RequestView::new("GET", "/users", &lookup))
}

fn check_in(guard: &Guard, key: &str, room: usize) -> Result<String, (u16, &'static str)> {
    let (fields, mut buf) = ([("x-api-key", key.as_bytes())], vec![0; room]);
    let lookup = lookup(&fields);
    let decision = guard.require(&["read"]).check_in(RequestView::new("GET", "/users", &lookup), &mut buf);
    decision.map(|grant| grant.key().claims().tenant().to_owned()).map_err(|refusal| (refusal.status(), refusal.code()))
}

#[test]
fn a_grant_outlives_the_request_and_the_guard_and_goes_to_other_threads() {
    fn may_go_anywhere<T: Send + Sync + Clone + 'static>() {}
    may_go_anywhere::<OwnedGrant>();
    may_go_anywhere::<OwnedKey>();
    may_go_anywhere::<OwnedClaims>();

    let (grant, key) = {
        let (guard, key) = (guard(), key());
        (check(&guard, &key).unwrap(), key)
    };
    let copy = grant.clone();
    let tenant = thread::spawn(move || copy.key().claims().tenant().to_owned()).join().unwrap();
    assert_eq!((&*tenant, grant.basis()), (CLIENT, Basis::Local));
    assert_eq!(grant.key().prefix(), &key[..12]);
    assert_eq!(grant.key().fingerprint(), Fingerprint::of(&key));
    assert_eq!(grant.key().secret_index(), 0);
    assert!(grant.key().require(&["read"]).is_ok());
    let missing: Vec<_> = grant.key().require(&["read", "write"]).unwrap_err().iter().collect();
    assert_eq!(missing, ["write"]);
}

#[test]
fn an_owned_key_has_the_data_of_the_verified_key_and_hides_the_key() {
    let keys = Keyring::new(SECRET).unwrap();
    // Escapes are decoded in place. MessagePack has other positions.
    for payload in [
        r#"{"id":"i\u0064","tid":"\u00e9\"","scp":["a","b\\c"],"env":"test","exp":4102444800,"nbf":1,"meta":{"a":[1,"x"]}}"#,
        "{}",
        #[cfg(feature = "msgpack")]
        "\u{82}\u{a3}tid\u{a1}t\u{a3}scp\u{91}\u{a1}s",
    ] {
        // Latin-1: each character is one byte.
        let bytes: Vec<u8> = payload.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
        let text = crate::support::key(SECRET, &bytes);
        let mut buf = [0; 1024];
        let verified = keys.verify(&text, UnixTime::now(), &mut buf).unwrap();
        let owned = verified.to_owned();
        assert_eq!(format!("{:?}", owned.claims()), format!("{:?}", verified.claims()));
        assert!(owned.claims().scopes().iter().eq(verified.claims().scopes().iter()));
        assert_eq!(owned.claims().meta(), verified.claims().meta());
        assert_eq!((owned.prefix(), owned.fingerprint()), (verified.prefix(), verified.fingerprint()));
        let claims = verified.claims().to_owned();
        assert_eq!(format!("{claims:?}"), format!("{:?}", verified.claims()));
        let shown = format!("{owned:?}");
        assert!(shown.contains(owned.prefix()) && !shown.contains(&text[12..]), "{shown}");
    }
}

#[test]
fn keys_of_all_lengths_are_checked_without_a_buffer_from_the_service() {
    let guard = guard();
    for len in [0, 1, 500, 1_000, 5_000, MAX_PAYLOAD_LEN - 100] {
        let grant = check(&guard, &key_of(len)).unwrap();
        assert_eq!(grant.key().claims().tenant().len(), len);
    }
    // The longest payload that is accepted, and then longer ones of several kinds.
    let payload_of = |len: usize| {
        let frame = r#"{"tid":"","scp":["read"]}"#.len();
        format!(r#"{{"tid":"{}","scp":["read"]}}"#, "t".repeat(len - frame)).into_bytes()
    };
    assert!(check(&guard, &crate::support::key(SECRET, &payload_of(MAX_PAYLOAD_LEN))).is_ok());
    for len in [MAX_PAYLOAD_LEN + 1, MAX_PAYLOAD_LEN + 40, 9_000] {
        let refusal = check(&guard, &crate::support::key(SECRET, &payload_of(len))).unwrap_err();
        assert_eq!((refusal.status(), refusal.code()), (401, "DECODE_ERROR"), "{len}");
    }
    for len in [11_008, 11_059, 11_060, 20_000, 1_000_000] {
        for key in [format!("apikee_{}.z", "z".repeat(len)), format!("apikee_z.{}", "z".repeat(len))] {
            let refusal = check(&guard, &key).unwrap_err();
            assert_eq!((refusal.status(), refusal.code()), (401, "DECODE_ERROR"), "{len}");
        }
    }
}

#[test]
fn a_key_that_is_too_long_for_the_services_buffer_gives_a_500() {
    let (guard, key) = (guard(), key_of(300));
    let enough = verify_buffer_len(key.len());
    assert_eq!(check_in(&guard, &key, enough).map(|tenant| tenant.len()), Ok(300));
    for room in [0, 1, 64, 300] {
        assert_eq!(check_in(&guard, &key, room), Err((500, "BUFFER_TOO_SMALL")), "{room}");
    }
    // Texts that are not keys are still the client's fault.
    for (key, code) in [
        ("x".repeat(10_000), "INVALID_PREFIX"),
        (format!("apikee_{}.z", "z".repeat(12_000)), "DECODE_ERROR"),
        ("apikee_x".to_owned(), "INVALID_FORMAT"),
    ] {
        assert_eq!(check_in(&guard, &key, 64), Err((401, code)));
    }

    let (fields, mut buf) = ([("x-api-key", key.as_bytes())], [0; 64]);
    let lookup = lookup(&fields);
    let refusal = guard.check_in(RequestView::new("GET", "/", &lookup), &mut buf).unwrap_err();
    assert!(matches!(refusal.denial(), Denial::Key(KeyError::BufferTooSmall { needed }) if *needed >= 300));
    assert_eq!(refusal.denial().class(), "buffer");
    assert_eq!((refusal.www_authenticate(), refusal.retry_after()), (None, None));
    assert_eq!(refusal.body(), r#"{"error":"BUFFER_TOO_SMALL","message":"The service could not read the key"}"#);
}

#[test]
fn the_challenge_for_two_keys_has_no_error_code() {
    let key = key();
    for guard in [guard(), guard().bearer()] {
        let fields = [("x-api-key", key.as_bytes()), ("x-api-key", b"")];
        let lookup = lookup(&fields);
        let refusal = guard.check(RequestView::new("GET", "/", &lookup)).unwrap_err();
        assert!(matches!(refusal.denial(), Denial::Key(KeyError::Multiple)));
        assert_eq!((refusal.status(), refusal.code()), (401, "MULTIPLE_KEYS"));
        assert_eq!(refusal.body(), r#"{"error":"MULTIPLE_KEYS","message":"More than one key was sent"}"#);
        assert!(!refusal.www_authenticate().unwrap().contains("error="));
    }
}

#[test]
fn a_denial_can_be_returned_with_the_question_mark_operator() {
    fn ask(apikee: &Apikee, scopes: &'static [&'static str]) -> Result<Basis, Box<dyn Error>> {
        // Header and request end with this function.
        let header = key();
        let request = AuthorizeRequest::new(Some(&header), MethodPath::new("GET", "/users")?).scopes(scopes);
        let _ = apikee.authorize_in(&request, &mut [0; 1024])?;
        let grant = apikee.authorize(&request)?;
        grant.key().require(scopes)?;
        Ok(grant.basis())
    }
    let platform = Platform::new(|_| Answer::yes());
    let apikee = platform.builder().build().unwrap();
    assert_eq!(ask(&apikee, &["read"]).unwrap(), Basis::Confirmed);
    let denial = ask(&apikee, &["read", "write"]).unwrap_err();
    assert_eq!(denial.to_string(), r#"the key lacks these scopes: "write""#);
    assert!(matches!(denial.downcast_ref(), Some(Denial::MissingScopes(_))));
}

#[test]
fn up_to_64_missing_scopes_are_listed_once_and_in_order() {
    let (guard, key) = (guard(), key());
    let names: Vec<String> = (0..200).map(|at| format!("s{at}")).collect();
    let missing = |scopes: &[&str]| -> Vec<String> {
        let fields = [("x-api-key", key.as_bytes())];
        let lookup = lookup(&fields);
        let refusal = guard.require(scopes).check(RequestView::new("GET", "/", &lookup)).unwrap_err();
        let Denial::MissingScopes(missing) = refusal.denial() else { panic!("{refusal:?}") };
        missing.iter().map(str::to_owned).collect()
    };
    assert_eq!(missing(&["read", "b", "read", "a", "b", "a"]), ["b", "a"]);
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    assert_eq!(missing(&all[..64]), all[..64]);
    assert_eq!(missing(&all), all[..64]);
    // The first missing scope may come late.
    let late: Vec<&str> = [["read"; 100].as_slice(), &all[..3], &["read"; 100]].concat();
    assert_eq!(missing(&late), all[..3]);
    let last: Vec<&str> = [["read"; 1_000].as_slice(), &["write"]].concat();
    assert_eq!(missing(&last), ["write"]);
}

/// If the denial borrowed anything else, this would not compile.
#[test]
fn a_denial_borrows_only_the_list_of_scopes() {
    fn missing<'s>(scopes: &'s [&'s str]) -> MissingScopes<'s> {
        let (text, mut buf) = (key(), [0; 1024]);
        let verified = Keyring::new(SECRET).unwrap();
        let verified = verified.verify(&text, UnixTime::now(), &mut buf).unwrap();
        Grant::local(verified, scopes).unwrap_err()
    }
    assert!(missing(&["write"]).iter().eq(["write"]));
}
