//! The printed form of values, and the result of a getter for a value of another type.

use std::collections::BTreeSet;

use apikee::{
    BufferTooSmall, Expiry, Fingerprint, KeyError, Keyring, NewKey, SysRng, UnixTime,
    breaker::{Breaker, BreakerConfig, BreakerState, RefusalMemory},
    key::{Encoding, IssueError, UntrustedKey},
    meta::{JsonObject, Meta, Value},
    policy::{Basis, Fault, Outage, Overload, Reason},
};

use crate::support;

const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);
const META: &str =
    r#"{"s":"x","i":-3,"u":18446744073709551615,"f":0.5,"b":true,"o":{"p":1},"a":[1,"y"],"list":[],"n":null}"#;

fn with_meta(encoding: Encoding, check: impl FnOnce(Meta<'_>)) {
    let keys = Keyring::new(b"the current secret: 32 random bytes").unwrap();
    let new = NewKey::new("acme-corp").meta(JsonObject::new(META).unwrap()).encoding(encoding);
    let mut buf = [0; 1024];
    let key = keys.issue(&new, NOW, &mut SysRng, &mut buf).unwrap();
    let mut buf = [0; 1024];
    check(keys.verify(key, NOW, &mut buf).unwrap().claims().meta());
}

#[test]
fn a_member_is_read_only_as_its_own_type() {
    for encoding in [Encoding::Json, Encoding::MessagePack] {
        with_meta(encoding, |meta| {
            let names: Vec<_> = meta.into_iter().map(|(name, _)| name.to_string()).collect();
            assert_eq!(names, ["s", "i", "u", "f", "b", "o", "a", "list", "n"]);
            // The getters that return a value.
            let read = |name: &str| {
                [
                    ("str", meta.get_str(name).is_some()),
                    ("i64", meta.get_i64(name).is_some()),
                    ("u64", meta.get_u64(name).is_some()),
                    ("f64", meta.get_f64(name).is_some()),
                    ("bool", meta.get_bool(name).is_some()),
                    ("object", meta.get_object(name).is_some()),
                    ("array", meta.get_array(name).is_some()),
                ]
                .into_iter()
                .filter_map(|(getter, answers)| answers.then_some(getter))
                .collect::<Vec<_>>()
            };
            assert_eq!(read("s"), ["str"]);
            assert_eq!(read("i"), ["i64", "f64"]);
            assert_eq!(read("u"), ["u64", "f64"]);
            assert_eq!(read("f"), ["f64"]);
            assert_eq!(read("b"), ["bool"]);
            assert_eq!(read("o"), ["object"]);
            assert_eq!(read("a"), ["array"]);
            assert_eq!((read("n"), read("missing")), (vec![], vec![]));
            let elements: Vec<_> = meta.get_array("a").unwrap().into_iter().collect();
            assert!(matches!(elements[..], [Value::Number(_), Value::String(_)]), "{elements:?}");
        });
    }
}

#[test]
fn numbers_are_compared_as_they_are_written() {
    let keys = Keyring::new(b"the current secret: 32 random bytes").unwrap();
    let issue = |encoding, number: &str| {
        let meta = format!(r#"{{"n":{number}}}"#);
        let new = NewKey::new("acme-corp").meta(JsonObject::new(&meta).unwrap()).encoding(encoding);
        keys.issue(&new, NOW, &mut SysRng, &mut [0; 512]).unwrap().to_owned()
    };
    let are_equal = |(first, second), a, b| {
        let (a, b) = (issue(first, a), issue(second, b));
        let (mut first, mut second) = ([0; 512], [0; 512]);
        let a = keys.verify(&a, NOW, &mut first).unwrap();
        let b = keys.verify(&b, NOW, &mut second).unwrap();
        a.claims().meta() == b.claims().meta()
    };
    let (json, pack) = (Encoding::Json, Encoding::MessagePack);
    assert!(are_equal((json, json), "1", "1") && are_equal((pack, pack), "1", "1"));
    assert!(!are_equal((json, json), "1", "1.0") && !are_equal((json, json), "1", "1e0"));
    assert!(!are_equal((pack, pack), "1", "1.0") && are_equal((pack, pack), "1.0", "1e0"));
    assert!(!are_equal((json, pack), "1", "1") && !are_equal((json, pack), "1.5", "1.5"));
}

#[test]
fn debug_output_has_no_secret_and_no_meta() {
    let mut keys = Keyring::new(b"hunter2 hunter2 hunter2 hunter2").unwrap();
    keys.accept(b"hunter3 hunter3 hunter3 hunter3").unwrap();
    let shown = format!("{keys:?}");
    assert!(shown.starts_with("Keyring { secrets: 2") && !shown.contains("hunter"), "{shown}");
    assert_eq!(format!("{:?}", JsonObject::new(META).unwrap()), format!("JsonObject {{ len: {}, .. }}", META.len()));
    let new = NewKey::new("acme-corp").scopes(&["read"]).expires(Expiry::Never);
    let shown = format!("{new:?}");
    assert!(shown.starts_with("NewKey { tenant: \"acme-corp\", scopes: [\"read\"]"), "{shown}");
}

#[test]
fn errors_say_what_is_wrong() {
    let sentences =
        [KeyError::Multiple.to_string(), IssueError::Rng.to_string(), BufferTooSmall { needed: 7 }.to_string()];
    assert_eq!(
        sentences,
        [
            "more than one key was given",
            "the random number generator failed",
            "the buffer is too small: 7 bytes are needed"
        ]
    );
}

/// What it prints only a decoder can read, so this checks that the trait is there.
#[cfg(feature = "defmt")]
#[test]
fn what_the_kernel_refuses_with_can_be_logged_with_defmt() {
    fn has_format<T: defmt::Format>() {}
    has_format::<KeyError>();
    has_format::<apikee::MissingScopes<'_>>();
    has_format::<apikee::Denial<'_>>();
    has_format::<IssueError>();
    has_format::<BufferTooSmall>();
}

#[test]
fn each_basis_has_its_own_name() {
    let all = [
        Basis::Local,
        Basis::Observed,
        Basis::Confirmed,
        Basis::FailedOpen(Outage::Dns),
        Basis::DespiteRejection,
        Basis::DespiteOverload(Overload::NoRandomness),
        Basis::DespiteFault(Fault::Forged),
    ];
    let names: BTreeSet<_> = all.map(Basis::name).into();
    assert_eq!((names.len(), all[5].name()), (all.len(), "despite_overload"));
}

#[test]
fn defaults_are_the_constants() {
    assert_eq!(BreakerConfig::default(), BreakerConfig::DEFAULT);
    assert_eq!(RefusalMemory::default(), RefusalMemory::DEFAULT);
    assert_eq!(Reason::default(), Reason::NONE);
    assert_eq!(Breaker::default().state(core::time::Duration::ZERO), BreakerState::Closed);
}

#[test]
fn times_are_printed_in_seconds_and_additions_are_checked() {
    assert_eq!(UnixTime::from_millis(1_800_000_000_999).to_string(), "1800000000");
    assert_eq!(UnixTime::from_secs(5).checked_add_secs(3), Some(UnixTime::from_secs(8)));
    assert_eq!(UnixTime::from_secs(i64::MAX).checked_add_secs(1), None);
}

#[test]
fn a_payload_longer_than_the_limit_is_not_decoded() {
    let long = format!("apikee_{}.{}", "1".repeat(100_000), "1".repeat(40));
    assert_eq!(UntrustedKey::read(&long, &mut [0; 64]).err(), Some(KeyError::Decode));
}

#[test]
fn an_empty_list_and_an_empty_object_are_empty_and_others_are_not() {
    let keys = Keyring::new(b"the current secret: 32 random bytes").unwrap();
    for encoding in [Encoding::Json, Encoding::MessagePack] {
        for (scopes, meta) in [(&[][..], "{}"), (&["read"][..], META)] {
            let (mut issued, mut verified) = ([0; 1024], [0; 1024]);
            let new = NewKey::new("t").scopes(scopes).meta(JsonObject::new(meta).unwrap()).encoding(encoding);
            let key = keys.issue(&new, NOW, &mut SysRng, &mut issued).unwrap();
            let key = keys.verify(key, NOW, &mut verified).unwrap();
            let claims = key.claims();
            assert_eq!((claims.scopes().is_empty(), claims.meta().is_empty()), (meta == "{}", meta == "{}"));
            let json = (encoding == Encoding::Json || meta == "{}").then_some(meta);
            assert_eq!(claims.meta().as_json(), json, "{encoding:?}");
        }
    }
}

#[test]
fn objects_and_lists_are_equal_if_their_members_are() {
    for encoding in [Encoding::Json, Encoding::MessagePack] {
        with_meta(encoding, |one| {
            with_meta(encoding, |other| {
                assert!(one == other && one.get_array("a") == other.get_array("a"));
                assert_ne!(one.get_object("o").unwrap(), one);
                assert_ne!(one.get_array("a").unwrap(), one.get_array("list").unwrap());
            });
        });
    }
}

#[test]
fn missing_scopes_are_named_with_their_code_and_status() {
    let keys = Keyring::new(b"the current secret: 32 random bytes").unwrap();
    let (mut issued, mut verified) = ([0; 1024], [0; 1024]);
    let key = keys.issue(&NewKey::new("t").scopes(&["a", "b"]), NOW, &mut SysRng, &mut issued).unwrap();
    let key = keys.verify(key, NOW, &mut verified).unwrap();
    assert_eq!(format!("{:?}", key.claims().scopes()), r#"["a", "b"]"#);
    let missing = key.require(&["a", "c", "b", "d\n"]).unwrap_err();
    assert_eq!((missing.code(), missing.http_status()), ("INSUFFICIENT_SCOPE", 403));
    assert_eq!(missing.to_string(), r#"the key lacks these scopes: "c", "d\n""#);
    assert_eq!(format!("{missing:?}"), r#"["c", "d\n"]"#);
    assert!(format!("{:?}", key.claims()).contains(r#"["a", "b"]"#));
}

#[test]
fn secrets_of_fewer_than_16_bytes_are_weak_at_each_place() {
    for weak in 0..=u8::MAX {
        let secret = |place: u8| "s".repeat(if weak & 1 << place == 0 { 16 } else { 15 });
        let mut keys = Keyring::new(secret(0).as_bytes()).unwrap();
        for place in 1..8 {
            keys.accept(secret(place).as_bytes()).unwrap();
        }
        assert!(keys.accept(b"a ninth").is_err());
        assert_eq!(u32::try_from(keys.weak_secrets()), Ok(weak.count_ones()), "{weak:b}");
    }
}

#[test]
fn an_owned_key_has_the_data_of_the_key_and_not_the_key() {
    let mut keys = Keyring::new(b"the third secret").unwrap();
    let (mut issued, mut verified) = ([0; 1024], [0; 1024]);
    let new = NewKey::new("acme-corp").scopes(&["read"]).meta(JsonObject::new(META).unwrap());
    let text = keys.issue(&new, NOW, &mut SysRng, &mut issued).unwrap();
    keys = Keyring::new(b"the first secret").unwrap();
    keys.accept(b"the second secret").unwrap().accept(b"the third secret").unwrap();
    let key = keys.verify(text, NOW, &mut verified).unwrap();
    let owned = key.to_owned();
    assert_eq!((owned.claims().tenant(), owned.secret_index(), owned.prefix()), ("acme-corp", 2, &text[..12]));
    assert_eq!((owned.fingerprint(), key.fingerprint()), (Fingerprint::of(text), Fingerprint::of(text)));
    assert!(owned.require(&["read"]).is_ok());
    assert!(owned.require(&["read", "write"]).unwrap_err().iter().eq(["write"]));
    let (claims, meta) = (key.claims().to_owned(), key.claims().meta());
    for (printed, shown) in [
        (format!("{owned:?}"), &text[..12]),
        (format!("{key:?}"), &text[..12]),
        (format!("{claims:?}"), "acme-corp"),
        (format!("{:?}", key.claims()), "acme-corp"),
        (format!("{:?}", owned.fingerprint()), &owned.fingerprint().to_string()),
        (format!("{meta:?}"), r#""s": String("x")"#),
        (format!("{:?}", meta.get_array("a").unwrap()), r#"String("y")"#),
    ] {
        assert!(printed.contains(shown) && !printed.contains(&text[12..]), "{printed}");
    }
}

#[test]
fn each_error_of_a_key_has_its_code_and_status_and_the_sdks_sentence() {
    for (error, code, status) in [
        (KeyError::Missing, "MISSING_KEY", 401),
        (KeyError::Multiple, "MULTIPLE_KEYS", 401),
        (KeyError::InvalidPrefix, "INVALID_PREFIX", 401),
        (KeyError::InvalidFormat, "INVALID_FORMAT", 401),
        (KeyError::Decode, "DECODE_ERROR", 401),
        (KeyError::InvalidSignature, "INVALID_SIGNATURE", 401),
        (KeyError::Expired, "EXPIRED", 401),
        (KeyError::NotYetValid, "NOT_YET_VALID", 401),
        (KeyError::BufferTooSmall { needed: 1 }, "BUFFER_TOO_SMALL", 500),
    ] {
        assert_eq!((error.code(), error.http_status()), (code, status));
    }
    #[cfg(feature = "serde")]
    for (error, body) in [
        (KeyError::Missing, r#"{"error":"MISSING_KEY","message":"'x-api-key' header is required"}"#),
        (KeyError::Expired, r#"{"error":"EXPIRED","message":"Key has expired"}"#),
    ] {
        assert_eq!(serde_json::to_string(&error).unwrap(), body);
    }
}

#[cfg(feature = "serde")]
#[test]
fn missing_scopes_serialize_as_the_body_of_the_answer() {
    let keys = Keyring::new(b"the current secret: 32 random bytes").unwrap();
    let (mut issued, mut verified) = ([0; 1024], [0; 1024]);
    let key = keys.issue(&NewKey::new("t"), NOW, &mut SysRng, &mut issued).unwrap();
    let key = keys.verify(key, NOW, &mut verified).unwrap();
    let body = serde_json::to_string(&key.require(&["a", "b\""]).unwrap_err()).unwrap();
    assert_eq!(body, r#"{"error":"INSUFFICIENT_SCOPE","message":"Key missing required scopes: a, b\""}"#);
}

#[test]
fn the_times_of_a_key_are_exact_to_the_second_and_so_is_the_leeway() {
    let secs = UnixTime::from_secs;
    let (mut issued, mut verified) = ([0; 1024], [0; 1024]);
    let mut keys = Keyring::new(b"the current secret: 32 random bytes").unwrap();
    let new = NewKey::new("t").expires(Expiry::At(secs(2_000))).not_before(secs(1_000));
    let key = keys.issue(&new, secs(500), &mut SysRng, &mut issued).unwrap();
    for leeway in [0, 7] {
        keys.set_leeway(core::time::Duration::from_secs(leeway));
        let leeway = i64::try_from(leeway).unwrap();
        for (now, expected) in [
            (999 - leeway, Some(KeyError::NotYetValid)),
            (1_000 - leeway, None),
            (1_000, None),
            (2_000, None),
            (2_000 + leeway, None),
            (2_001 + leeway, Some(KeyError::Expired)),
        ] {
            assert_eq!(keys.verify(key, secs(now), &mut verified).err(), expected, "{now}, {leeway}");
        }
    }
}

#[test]
fn an_expiry_of_0_is_a_time_in_each_spelling_of_message_pack() {
    let keys = Keyring::new(b"the current secret: 32 random bytes").unwrap();
    for spelt in [&b"\x00"[..], b"\xCC\x00", b"\xCF\0\0\0\0\0\0\0\0", b"\xD0\x00", b"\xD3\0\0\0\0\0\0\0\0"] {
        let key = support::key(b"the current secret: 32 random bytes", &[b"\x81\xA3exp", spelt].concat());
        let at = |secs| keys.verify(&key, UnixTime::from_secs(secs), &mut [0; 64]).map(|_| ());
        assert_eq!((at(0), at(1)), (Ok(()), Err(KeyError::Expired)), "{spelt:?}");
    }
}

#[test]
fn a_signature_that_starts_with_a_zero_byte_is_told_without_a_secret() {
    for (signature, starts) in [("1", true), ("z".repeat(41).as_str(), true), (&"A".repeat(43), false)] {
        let key = format!("apikee_1.{signature}");
        assert_eq!(UntrustedKey::read(&key, &mut [0; 64]).unwrap().signature_starts_with_zero, starts, "{key}");
    }
}
