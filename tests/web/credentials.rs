//! The places of the key, and requests with two keys.

use apikee::web::Guard;

use crate::{CLIENT, ask, guard, key};

#[test]
fn case_and_white_space_of_the_keys_header_do_not_matter() {
    let key = key();
    let spaced = format!("\t {key} \t");
    for (name, value) in [("x-api-key", &key), ("X-Api-Key", &key), ("X-API-KEY", &spaced)] {
        assert_eq!(ask(&guard(), &[("host", b"a"), (name, value.as_bytes())]), Ok(CLIENT.into()), "{name}");
    }
    assert_eq!(ask(&guard(), &[]), Err("MISSING_KEY"));
    for (name, value) in [("x-api-key", ""), ("x-api-key", " \t "), ("x-other-key", &key)] {
        assert_eq!(ask(&guard(), &[(name, value.as_bytes())]), Err("MISSING_KEY"), "{name}: {value:?}");
    }
}

#[test]
fn a_configured_header_replaces_the_default() {
    let (guard, key) = (guard().header("X-Acme-Key").unwrap(), key());
    assert_eq!(ask(&guard, &[("x-acme-key", key.as_bytes())]), Ok(CLIENT.into()));
    assert_eq!(ask(&guard, &[("x-api-key", key.as_bytes())]), Err("MISSING_KEY"));
    assert!(crate::guard().header("Authorization").is_err());
    for name in ["", "x api", "x:", "x\r\ny", "x\u{e9}", "\"x\""] {
        assert!(crate::guard().header(name).is_err(), "{name:?}");
        assert!(crate::guard().disclose_header(name).is_err(), "{name:?}");
    }
}

#[test]
fn a_request_with_two_keys_is_refused_even_if_they_are_equal() {
    let (key, other) = (key(), crate::key());
    for second in [&*key, &other, "", "x"] {
        let fields = [("x-api-key", key.as_bytes()), ("X-Api-Key", second.as_bytes())];
        assert_eq!(ask(&guard(), &fields), Err("MULTIPLE_KEYS"), "{second:?}");
    }
    // A proxy or a gateway joins two fields into one like this.
    for list in ["K, L", "K,K", "K, , L", "K\tK", "K,", ", K", "K, x", "x, K"] {
        let list = list.replace('K', &key).replace('L', &other);
        assert_eq!(ask(&guard(), &[("x-api-key", list.as_bytes())]), Err("MULTIPLE_KEYS"), "{list}");
        let credentials = format!("Bearer {list}");
        let bearer = guard().bearer();
        assert_eq!(ask(&bearer, &[("authorization", credentials.as_bytes())]), Err("MULTIPLE_KEYS"), "{list}");
    }
    for (no_list, code) in
        [("xK", "INVALID_PREFIX"), ("K x", "DECODE_ERROR"), ("x, y", "INVALID_PREFIX"), (",", "INVALID_PREFIX")]
    {
        let value = no_list.replace('K', &key);
        assert_eq!(ask(&guard(), &[("x-api-key", value.as_bytes())]), Err(code), "{no_list}");
    }
}

#[test]
fn bearer_tokens_are_accepted_only_if_enabled() {
    let key = key();
    let fields = |scheme: &str| [("authorization", format!("{scheme}{key}").into_bytes())];
    let ask = |guard: &Guard, fields: &[(&str, Vec<u8>)]| {
        ask(guard, &fields.iter().map(|(name, value)| (*name, &**value)).collect::<Vec<_>>())
    };
    let bearer = guard().bearer();
    for scheme in ["Bearer ", "bearer ", "BEARER  ", "Bearer \t"] {
        assert_eq!(ask(&bearer, &fields(scheme)), Ok(CLIENT.into()), "{scheme:?}");
        assert_eq!(ask(&guard(), &fields(scheme)), Err("MISSING_KEY"), "{scheme:?}");
    }
    for scheme in ["", "Basic ", "Bearer", "Bearer\t", "ApiKey "] {
        assert_eq!(ask(&bearer, &fields(scheme)), Err("MISSING_KEY"), "{scheme:?}");
    }
    for credentials in ["", "B", "Bearer", "Bearer ", "Bearer  \t"] {
        assert_eq!(ask(&bearer, &[("authorization", credentials.into())]), Err("MISSING_KEY"), "{credentials:?}");
    }
    assert_eq!(ask(&bearer, &[("authorization", "Bearer eyJ.a.b".into())]), Err("INVALID_PREFIX"));
    // The header is still accepted.
    assert_eq!(ask(&bearer, &[("x-api-key", key.clone().into_bytes())]), Ok(CLIENT.into()));
}

#[test]
fn a_key_in_both_headers_is_refused_and_an_unrelated_token_is_ignored() {
    let (key, guard) = (key(), guard().bearer());
    let with =
        |credentials: &str| ask(&guard, &[("x-api-key", key.as_bytes()), ("authorization", credentials.as_bytes())]);
    assert_eq!(with(&format!("Bearer {key}")), Err("MULTIPLE_KEYS"));
    for spelling in [
        "bearer apikee_",
        "Basic YTpi, Bearer apikee_K2",
        "Bearer eyJ.a.b, Bearer apikee_K2",
        "Bearer\tapikee_K2",
        "apikee_K2",
        "Bearer \"apikee_K2\"",
    ] {
        assert_eq!(with(spelling), Err("MULTIPLE_KEYS"), "{spelling}");
    }
    for other in ["Bearer eyJ.a.b", "Basic YTpi", "Bearer ", ""] {
        assert_eq!(with(other), Ok(CLIENT.into()), "{other:?}");
    }
    let fields = [("authorization", &b"Basic YTpi"[..]), ("authorization", b"Bearer x"), ("x-api-key", key.as_bytes())];
    assert_eq!(ask(&guard, &fields), Err("MULTIPLE_KEYS"));
}
