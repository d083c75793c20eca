//! Properties over generated keys. Every run generates the same keys.

use std::time::Duration;

use crate::support::{NOW, SECRET, Xorshift, payload_of};
use apikee::{
    BufferTooSmall, Expiry, Fingerprint, KeyError, KeyId, Keyring, NewKey, UnixTime, issue_buffer_len,
    key::{DenyList, IssueError, MAX_PAYLOAD_LEN, UntrustedKey},
    meta::JsonObject,
    verify_buffer_len,
};
use proptest::{
    collection::vec,
    option,
    prelude::*,
    sample::Index,
    test_runner::{FileFailurePersistence, RngSeed},
};
use serde_json::{Map, Value, json};

const NOW_TIME: UnixTime = UnixTime::from_secs(NOW);

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 200,
        rng_seed: RngSeed::Fixed(0x6170_696B_6565),
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct("proptest-regressions/properties.txt"))),
        ..ProptestConfig::default()
    }
}

/// Text with many special characters, more than random text would have.
fn text() -> impl Strategy<Value = String> {
    let special =
        "\"\\/\u{0}\u{8}\t\n\u{c}\r\u{1f}\u{7f}\u{80}\u{2028}\u{d7ff}\u{e000}\u{fffd}\u{ffff}\u{10ffff}{}[]:,'u";
    let special: Vec<char> = special.chars().collect();
    let chars = prop_oneof![
        4 => prop::char::range('a', 'z'),
        2 => prop::sample::select(special),
        1 => any::<char>(),
    ];
    vec(chars, 0..12).prop_map(String::from_iter)
}

fn number() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i64>().prop_map(|value| json!(value)),
        any::<u64>().prop_map(|value| json!(value)),
        (-100..100_i64).prop_map(|value| json!(value)),
        (-1e9..1e9).prop_map(|value| json!(value)),
        any::<f64>()
            .prop_filter("JSON has no NaN and no infinity", |value| value.is_finite())
            .prop_map(|value| json!(value)),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(|value| json!(value)),
        number(),
        text().prop_map(|value| json!(value)),
    ];
    scalar.prop_recursive(5, 24, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::from),
            vec((text(), inner), 0..5).prop_map(|members| members.into_iter().collect::<Map<_, _>>().into()),
        ]
    })
}

fn object() -> impl Strategy<Value = Map<String, Value>> {
    vec((text(), value()), 0..6).prop_map(|members| members.into_iter().collect())
}

/// A time with which a key can be issued.
fn time() -> impl Strategy<Value = i64> {
    prop_oneof![FIRST..=LAST, NOW - 1000..NOW + 1000]
}

/// From 0001-01-01T00:00:00Z to 9999-12-31T23:59:59Z.
const FIRST: i64 = -62_135_596_800;
const LAST: i64 = 253_402_300_799;

#[derive(Debug, Clone)]
struct Wanted {
    tenant: String,
    scopes: Vec<String>,
    environment: String,
    exp: Option<i64>,
    nbf: Option<i64>,
    meta: Map<String, Value>,
}

fn wanted() -> impl Strategy<Value = Wanted> {
    (text(), vec(text(), 0..5), text(), option::of(time()), option::of(time()), object()).prop_map(
        |(tenant, scopes, environment, exp, nbf, meta)| Wanted { tenant, scopes, environment, exp, nbf, meta },
    )
}

impl Wanted {
    fn issue(&self, ring: &Keyring, meta: &str) -> String {
        let scopes: Vec<&str> = self.scopes.iter().map(String::as_str).collect();
        let new = NewKey::new(&self.tenant)
            .scopes(&scopes)
            .environment(&self.environment)
            .expires(self.exp.map_or(Expiry::Never, |at| Expiry::At(UnixTime::from_secs(at))))
            .meta(JsonObject::new(meta).unwrap());
        let new = match self.nbf {
            Some(at) => new.not_before(UnixTime::from_secs(at)),
            None => new,
        };
        let mut buf = vec![0; issue_buffer_len(MAX_PAYLOAD_LEN)];
        ring.issue(&new, NOW_TIME, &mut Xorshift(7), &mut buf).unwrap().to_owned()
    }

    /// A time at which the key is valid, if there is one.
    fn good_at(&self) -> Option<UnixTime> {
        let at = self.nbf.or(self.exp).unwrap_or(NOW);
        self.exp.is_none_or(|exp| at <= exp).then_some(UnixTime::from_secs(at))
    }

    fn claims(&self, id: &str) -> Value {
        json!({
            "id": id,
            "tenant": self.tenant,
            "scopes": self.scopes,
            "environment": self.environment,
            "expires_at": self.exp,
            "not_before": self.nbf,
            "meta": self.meta,
        })
    }

    /// The text that `JSON.stringify` would write.
    fn payload(&self, id: &str) -> String {
        let mut members = vec![
            ("id", json!(id)),
            ("tid", json!(self.tenant)),
            ("scp", json!(self.scopes)),
            ("env", json!(self.environment)),
        ];
        members.extend(self.exp.map(|at| ("exp", json!(at))));
        members.extend(self.nbf.map(|at| ("nbf", json!(at))));
        if !self.meta.is_empty() {
            members.push(("meta", json!(self.meta)));
        }
        let members: Vec<_> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}", members.join(","))
    }
}

fn ring() -> Keyring {
    Keyring::new(SECRET).unwrap()
}

fn verify(ring: &Keyring, key: &str, now: UnixTime) -> Result<Value, KeyError> {
    let mut buf = vec![0; verify_buffer_len(key.len())];
    ring.verify(key, now, &mut buf).map(|key| serde_json::to_value(key.claims()).unwrap())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn an_issued_key_has_the_wanted_claims(wanted in wanted()) {
        let ring = ring();
        let key = wanted.issue(&ring, &json!(wanted.meta).to_string());
        if let Some(now) = wanted.good_at() {
            let claims = verify(&ring, &key, now).unwrap();
            prop_assert_eq!(&claims, &wanted.claims(claims["id"].as_str().unwrap()));
        }
        if let Some(exp) = wanted.exp {
            prop_assert_eq!(verify(&ring, &key, UnixTime::from_secs(exp + 1)), Err(KeyError::Expired));
        }
        if let Some(nbf) = wanted.nbf && wanted.exp.is_none_or(|exp| nbf - 1 <= exp) {
            prop_assert_eq!(verify(&ring, &key, UnixTime::from_secs(nbf - 1)), Err(KeyError::NotYetValid));
        }
    }

    #[test]
    fn an_issued_payload_is_spelled_as_by_json_stringify(wanted in wanted()) {
        let pretty = serde_json::to_string_pretty(&wanted.meta).unwrap();
        for meta in [json!(wanted.meta).to_string(), pretty] {
            let key = wanted.issue(&ring(), &meta);
            let payload = String::from_utf8(payload_of(&key)).unwrap();
            let claims: Value = serde_json::from_str(&payload).unwrap();
            prop_assert_eq!(&payload, &wanted.payload(claims["id"].as_str().unwrap()));
        }
    }

    #[test]
    fn the_spelling_of_meta_does_not_change_the_issued_key(meta in object(), seed in any::<u64>()) {
        let (tenant, environment) = (String::new(), String::new());
        let wanted = Wanted { tenant, scopes: vec![], environment, exp: None, nbf: None, meta };
        let spelt = spell(&json!(wanted.meta), &mut Xorshift(seed | 1));
        let plain = wanted.issue(&ring(), &json!(wanted.meta).to_string());
        prop_assert_eq!(wanted.issue(&ring(), &spelt), plain, "{}", spelt);
    }

    #[test]
    fn escapes_and_white_space_do_not_change_the_claims(wanted in wanted(), seed in any::<u64>()) {
        let Wanted { tenant, scopes, environment, exp, nbf, meta } = &wanted;
        let payload = json!({
            "id": "an id", "tid": tenant, "scp": scopes, "env": environment, "exp": exp, "nbf": nbf, "meta": meta,
        });
        let spelt = spell(&payload, &mut Xorshift(seed | 1));
        let key = crate::support::key(SECRET, spelt.as_bytes());
        if let Some(now) = wanted.good_at() {
            prop_assert_eq!(verify(&ring(), &key, now), Ok(wanted.claims("an id")), "{}", spelt);
        }
        let mut buf = vec![0; verify_buffer_len(key.len())];
        let claims = UntrustedKey::read(&key, &mut buf).unwrap().claims;
        prop_assert_eq!(serde_json::to_value(claims).unwrap(), wanted.claims("an id"));
    }

    #[test]
    fn a_duplicate_member_is_refused_at_any_level(wanted in wanted(), at in any::<Index>(), seed in any::<u64>()) {
        let payload = wanted.payload("an id");
        // Inserts a duplicate member at the start of any of the objects.
        let braces: Vec<usize> = payload.match_indices('{').map(|(at, _)| at + 1).collect();
        let at = braces[at.index(braces.len())];
        let mut rng = Xorshift(seed | 1);
        let twice = |name: &Value, rng: &mut Xorshift| format!("{}:0,{}:1", spell(name, rng), spell(name, rng));
        let end = if payload[at..].starts_with('}') { "" } else { "," };
        let again = format!("{}{}{end}{}", &payload[..at], twice(&json!("a\u{e9}\"\n"), &mut rng), &payload[at..]);
        prop_assume!(serde_json::from_str::<Value>(&again).is_ok());
        prop_assert_eq!(verify(&ring(), &crate::support::key(SECRET, again.as_bytes()), NOW_TIME), Err(KeyError::Decode));
    }

    #[test]
    fn a_key_with_a_changed_byte_is_refused(wanted in wanted(), at in any::<Index>(), byte in any::<u8>()) {
        let key = wanted.issue(&ring(), &json!(wanted.meta).to_string());
        let mut bytes = key.into_bytes();
        let at = at.index(bytes.len());
        prop_assume!(bytes[at] != byte);
        bytes[at] = byte;
        let mut buf = vec![0; verify_buffer_len(bytes.len())];
        let refused = ring().verify(&bytes, NOW_TIME, &mut buf).unwrap_err();
        let time = matches!(refused, KeyError::Expired | KeyError::NotYetValid | KeyError::BufferTooSmall { .. });
        prop_assert!(!time, "{refused:?}");
    }

    #[test]
    fn a_key_signed_with_another_secret_is_refused(wanted in wanted(), secret in vec(any::<u8>(), 1..100)) {
        let key = wanted.issue(&ring(), &json!(wanted.meta).to_string());
        let other = Keyring::new(&secret).unwrap();
        prop_assert_eq!(verify(&other, &key, NOW_TIME), Err(KeyError::InvalidSignature));
    }

    #[test]
    fn a_key_with_leading_zeros_is_refused(wanted in wanted(), payload in 0..4_usize, signature in 0..4_usize) {
        let key = wanted.issue(&ring(), &json!(wanted.meta).to_string());
        let (front, back) = key.split_once('.').unwrap();
        let digits = front.strip_prefix("apikee_").unwrap();
        let spelt = format!("apikee_{}{digits}.{}{back}", "0".repeat(payload), "0".repeat(signature));
        let zeros = payload + signature > 0;
        let now = wanted.good_at().unwrap_or(NOW_TIME);
        prop_assert_eq!(verify(&ring(), &spelt, now) == Err(KeyError::Decode), zeros);
        let mut buf = vec![0; verify_buffer_len(spelt.len())];
        match UntrustedKey::read(&spelt, &mut buf) {
            Ok(untrusted) => prop_assert_eq!(untrusted.non_canonical, zeros),
            Err(_) => prop_assert!(back.len() + signature > 43),
        }
    }

    #[test]
    fn every_secret_of_the_ring_is_accepted_and_identified_by_its_index(
        count in 1..=apikee::key::MAX_SECRETS,
        signer in any::<Index>(),
        len in 1..200_usize,
    ) {
        let secrets: Vec<Vec<u8>> = (0..count).map(|n| [vec![n as u8 + 1], vec![7; len]].concat()).collect();
        let mut ring = Keyring::new(&secrets[0]).unwrap();
        for secret in &secrets[1..] {
            ring.accept(secret).unwrap();
        }
        let signer = signer.index(count);
        let key = crate::support::key(&secrets[signer], br#"{"tid":"a"}"#);
        let mut buf = [0; 256];
        prop_assert_eq!(ring.verify(&key, NOW_TIME, &mut buf).unwrap().secret_index(), signer);
        // The first secret signs.
        let mut out = [0; 1024];
        let issued = ring.issue(&NewKey::new("a"), NOW_TIME, &mut Xorshift(3), &mut out).unwrap();
        prop_assert_eq!(ring.verify(issued, NOW_TIME, &mut buf).unwrap().secret_index(), 0);
        let alone = Keyring::new(&secrets[0]).unwrap();
        prop_assert!(alone.verify(issued, NOW_TIME, &mut buf).is_ok());
        prop_assert_eq!(alone.verify(&key, NOW_TIME, &mut buf).is_ok(), signer == 0);
    }

    #[test]
    fn leeway_extends_both_time_limits_and_never_overflows(
        exp in option::of(any_time()),
        nbf in option::of(any_time()),
        now in any_time(),
        leeway in prop_oneof![Just(0), 0..5_u64, any::<u64>()],
        nanos in 0..1_000_000_000_u32,
    ) {
        let payload = json!({ "exp": exp, "nbf": nbf }).to_string();
        let mut ring = ring();
        ring.set_leeway(Duration::new(leeway, nanos));
        let (wide_now, leeway) = (i128::from(now), i128::from(leeway));
        // The sums are computed in 128 bits, so that they do not overflow.
        let expired = exp.is_some_and(|exp| wide_now > i128::from(exp) + leeway);
        let early = nbf.is_some_and(|nbf| wide_now < i128::from(nbf) - leeway);
        let expected = match (expired, early) {
            (true, _) => Err(KeyError::Expired),
            (_, true) => Err(KeyError::NotYetValid),
            _ => Ok(()),
        };
        let key = crate::support::key(SECRET, payload.as_bytes());
        prop_assert_eq!(verify(&ring, &key, UnixTime::from_secs(now)).map(drop), expected);
    }

    #[test]
    fn an_expiry_is_a_number_and_a_unit(
        number in prop_oneof![0..100_000_u64, any::<u64>()],
        unit in 0..4_usize,
        zeros in 0..3_usize,
    ) {
        let (letter, seconds) = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)][unit];
        let expected = number.checked_mul(seconds).map(|total| Expiry::After(Duration::from_secs(total)));
        let text = format!("{}{number}{letter}", "0".repeat(zeros));
        prop_assert_eq!(text.parse().ok(), expected);
    }

    #[test]
    fn no_other_text_is_an_expiry(text in prop_oneof!["[-+ 0-9.dhmsDwy]{0,6}", text()]) {
        let number = text.strip_suffix(['d', 'h', 'm', 's']);
        let good = number.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()));
        prop_assert_eq!(text.parse::<Expiry>().is_ok(), good || text == "never", "{:?}", text);
    }

    #[test]
    fn the_expiry_claim_is_now_plus_the_duration(
        now in any_time(),
        secs in prop_oneof![0..1000_u64, LAST as u64 - NOW as u64 - 4..LAST as u64 - NOW as u64 + 4, any::<u64>()],
        nanos in 0..1_000_000_000_u32,
    ) {
        let new = NewKey::new("a").expires(Expiry::After(Duration::new(secs, nanos)));
        let mut buf = [0; 1024];
        let issued = ring().issue(&new, UnixTime::from_secs(now), &mut Xorshift(5), &mut buf).map(str::to_owned);
        match now.checked_add_unsigned(secs).filter(|at| (FIRST..=LAST).contains(at)) {
            None => prop_assert_eq!(issued, Err(IssueError::TimeOutOfRange)),
            Some(exp) => {
                let claims = verify(&ring(), &issued.unwrap(), UnixTime::from_secs(now)).unwrap();
                prop_assert_eq!(&claims["expires_at"], &json!(exp));
            }
        }
    }

    #[test]
    fn ids_of_this_century_sort_by_time(
        at in 1_600_000_000_000..4_000_000_000_000_i64,
        gap in 1..1_000_000_i64,
        random in any::<[[u8; 10]; 2]>(),
    ) {
        let earlier = KeyId::new(UnixTime::from_millis(at), random[0]);
        let later = KeyId::new(UnixTime::from_millis(at + gap), random[1]);
        prop_assert!(earlier.as_str() < later.as_str());
        prop_assert_eq!(earlier.as_str().len(), 21);
    }

    #[test]
    fn an_id_is_the_first_22_digits_of_time_and_randomness(at in any_time(), random in any::<[u8; 10]>()) {
        let id = KeyId::new(UnixTime::from_millis(at), random);
        let bytes = [&(at.max(0) as u64).to_be_bytes()[..], &random].concat();
        let digits = crate::support::base62(&bytes);
        prop_assert_eq!(id.as_str(), &digits[..digits.len().min(22)]);
    }

    #[test]
    fn a_fingerprint_is_read_from_its_64_digits(bytes in any::<[u8; 32]>(), cut in 0..64_usize) {
        let fingerprint = Fingerprint::from_bytes(bytes);
        let text = fingerprint.to_string();
        prop_assert_eq!(text.parse(), Ok(fingerprint));
        prop_assert_eq!(text.to_uppercase().parse(), Ok(fingerprint));
        prop_assert!(text[..cut].parse::<Fingerprint>().is_err());
    }

    #[test]
    fn a_deny_list_finds_exactly_its_entries(mut bytes in vec(0..40_u8, 0..20), sort in any::<bool>()) {
        if sort {
            bytes.sort_unstable();
        }
        let list: Vec<_> = bytes.iter().map(|byte| Fingerprint::from_bytes([*byte; 32])).collect();
        match DenyList::new(&list) {
            Ok(deny) => (0..40).for_each(|byte| {
                assert_eq!(deny.contains(&Fingerprint::from_bytes([byte; 32])), bytes.contains(&byte));
            }),
            Err(_) => prop_assert!(!bytes.is_sorted()),
        }
    }

    #[test]
    fn a_scope_is_missing_if_no_scope_of_the_key_is_equal(
        own in vec(text(), 0..6),
        other in vec(text(), 0..3),
        picks in vec(any::<Index>(), 0..4),
    ) {
        let key = crate::support::key(SECRET, json!({ "scp": own }).to_string().as_bytes());
        let mut buf = vec![0; verify_buffer_len(key.len())];
        let verified = ring().verify(&key, NOW_TIME, &mut buf).unwrap();
        let mut required: Vec<&str> = other.iter().map(String::as_str).collect();
        required.extend(picks.iter().filter(|_| !own.is_empty()).map(|pick| own[pick.index(own.len())].as_str()));
        let missing: Vec<&str> = required.iter().copied().filter(|scope| !own.iter().any(|own| own == scope)).collect();
        match verified.require(&required) {
            Ok(()) => prop_assert!(missing.is_empty()),
            Err(lacks) => prop_assert_eq!(lacks.iter().collect::<Vec<_>>(), missing),
        };
    }

    #[test]
    fn meta_text_needs_a_buffer_of_exactly_its_length(text in text(), seed in any::<u64>()) {
        let payload = format!("{{\"meta\":{{\"a\":{}}}}}", spell(&json!(text), &mut Xorshift(seed | 1)));
        let key = crate::support::key(SECRET, payload.as_bytes());
        let mut buf = vec![0; verify_buffer_len(key.len())];
        let ring = ring();
        let verified = ring.verify(&key, NOW_TIME, &mut buf).unwrap();
        let read = verified.claims().meta().get_str("a").unwrap();
        prop_assert!(read == text.as_str() && read.chars().eq(text.chars()) && read.to_string() == text);
        let needed = text.len();
        let mut copy = vec![0; needed + 3];
        prop_assert_eq!(read.read_into(&mut copy), Ok(text.as_str()));
        for room in 0..needed {
            prop_assert_eq!(read.read_into(&mut copy[..room]), Err(BufferTooSmall { needed }));
        }
    }
}

/// Names that a careless comparison could confuse: with the same ends, with the same length, or with the same long
/// start.
fn names() -> impl Strategy<Value = Vec<String>> {
    let style = prop_oneof![
        Just(("", "")),
        Just(("a", "z")),
        Just(("\"\\", "\u{e9}")),
        Just(("the same front of more than sixty-four bytes, which takes more than one block to compare: ", "")),
    ];
    // More members may be refused on small processors.
    let most: usize = if cfg!(target_pointer_width = "64") { 4000 } else { 2000 };
    (prop_oneof![4 => 0..300_usize, 1 => 300..most], style, any::<u32>()).prop_map(|(count, (front, back), seed)| {
        // An odd factor keeps them different, and puts them out of order.
        let spread = |n: usize| (n as u32).wrapping_mul(seed | 1);
        (0..count).map(|n| format!("{front}{:x}{back}", spread(n))).collect()
    })
}

/// An object with these members in each encoding.
fn objects(names: &[String], rng: &mut Xorshift) -> (String, Vec<u8>) {
    let members: Vec<_> = names.iter().map(|name| format!("{}:[{{}},0]", spell_text(name, rng))).collect();
    let mut packed = vec![0xDF];
    packed.extend((names.len() as u32).to_be_bytes());
    for name in names {
        packed.push(0xDA);
        packed.extend((name.len() as u16).to_be_bytes());
        packed.extend(name.as_bytes());
        packed.push(0xC0);
    }
    (format!("{{{}}}", members.join(",")), packed)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn duplicate_members_are_found_among_many_members(
        mut names in names(),
        twice in option::of((any::<Index>(), any::<Index>())),
        seed in any::<u64>(),
    ) {
        let mut rng = Xorshift(seed | 1);
        let repeated = twice.is_some() && names.len() > 1;
        if let Some((from, to)) = twice.filter(|_| repeated) {
            let (from, to) = (from.index(names.len()), to.index(names.len()));
            let to = if from == to { (to + 1) % names.len() } else { to };
            names[to] = names[from].clone();
        }
        let (json, packed) = objects(&names, &mut rng);
        let serde: Map<String, Value> = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(serde.len() < names.len(), repeated);
        prop_assert_eq!(JsonObject::new(&json).is_err(), repeated);
        // The object may have names of claims. Inside another object they do not matter.
        let within = format!("{{\"x\":[{json}]}}").into_bytes();
        let mut payloads = vec![within];
        if cfg!(feature = "msgpack") {
            payloads.push([&b"\x81\xa1x\x91"[..], &packed].concat());
        }
        for payload in payloads.iter().filter(|payload| payload.len() <= MAX_PAYLOAD_LEN) {
            let read = verify(&ring(), &crate::support::key(SECRET, payload), NOW_TIME);
            prop_assert_eq!(read.is_err(), repeated);
        }
    }
}

/// Times at the ends of the range and around now.
fn any_time() -> impl Strategy<Value = i64> {
    prop_oneof![any::<i64>(), NOW - 4..NOW + 4, Just(i64::MAX), Just(i64::MIN), i64::MAX - 4..i64::MAX]
}

/// The value as JSON, with random white space and escapes wherever they are allowed.
fn spell(value: &Value, rng: &mut Xorshift) -> String {
    let mut out = space(rng);
    match value {
        Value::String(text) => out += &spell_text(text, rng),
        Value::Array(elements) => {
            let elements: Vec<_> = elements.iter().map(|value| spell(value, rng)).collect();
            out += &format!("[{}{}]", space(rng), elements.join(","));
        }
        Value::Object(members) => {
            let members: Vec<_> = members
                .iter()
                .map(|(name, value)| {
                    format!("{}{}{}:{}", space(rng), spell_text(name, rng), space(rng), spell(value, rng))
                })
                .collect();
            out += &format!("{{{}{}}}", space(rng), members.join(","));
        }
        scalar => out += &scalar.to_string(),
    }
    out + &space(rng)
}

fn spell_text(text: &str, rng: &mut Xorshift) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        let must = matches!(c, '"' | '\\' | '\0'..='\u{1f}');
        let letter = match c {
            '"' | '\\' | '/' => Some(c),
            '\u{8}' => Some('b'),
            '\u{c}' => Some('f'),
            '\n' => Some('n'),
            '\r' => Some('r'),
            '\t' => Some('t'),
            _ => None,
        };
        match (rng.below(4), letter) {
            (0, Some(letter)) => out.extend(['\\', letter]),
            (0 | 1, _) => escape(&mut out, c, rng),
            _ if must => escape(&mut out, c, rng),
            _ => out.push(c),
        }
    }
    out + "\""
}

/// Writes `\uXXXX`, once or twice, in upper or lower case.
fn escape(out: &mut String, c: char, rng: &mut Xorshift) {
    for unit in c.encode_utf16(&mut [0; 2]) {
        *out += &if rng.below(2) == 0 { format!("\\u{unit:04x}") } else { format!("\\u{unit:04X}") };
    }
}

fn space(rng: &mut Xorshift) -> String {
    const SPACE: [char; 4] = [' ', '\t', '\n', '\r'];
    let len = rng.below(8).saturating_sub(5);
    (0..len).map(|_| SPACE[rng.below(4)]).collect()
}

#[test]
fn strings_are_escaped_as_json_stringify_escapes_them() {
    let ring = ring();
    for c in ('\0'..='\u{2FF}').chain(['\u{2028}', '\u{2029}', '\u{FEFF}', '\u{FFFF}', '\u{1F600}']) {
        let spelt = match c {
            '"' => r#"\""#.to_owned(),
            '\\' => r"\\".to_owned(),
            '\u{8}' => r"\b".to_owned(),
            '\u{c}' => r"\f".to_owned(),
            '\n' => r"\n".to_owned(),
            '\r' => r"\r".to_owned(),
            '\t' => r"\t".to_owned(),
            '\0'..='\u{1f}' => format!("\\u{:04x}", u32::from(c)),
            itself => itself.to_string(),
        };
        // The reader reads words of eight bytes, so the position within a word matters.
        for before in ["", "123456", "1234567", "12345678"] {
            let tenant = format!("{before}{c}x");
            let new = NewKey::new(&tenant).expires(Expiry::Never);
            let mut buf = [0; 1024];
            let key = ring.issue(&new, NOW_TIME, &mut Xorshift(1), &mut buf).unwrap();
            let payload = String::from_utf8(payload_of(key)).unwrap();
            assert!(payload.contains(&format!(r#","tid":"{before}{spelt}x","scp""#)), "{payload}");
            assert_eq!(json!(tenant).to_string(), format!(r#""{before}{spelt}x""#));
        }
    }
}

#[test]
fn a_truncated_or_extended_key_is_refused() {
    let ring = ring();
    let key = crate::support::key(SECRET, br#"{"id":"31GnZ1t7ZX2ye5UxqDDBe","tid":"acme-corp"}"#);
    assert!(verify(&ring, &key, NOW_TIME).is_ok());
    for len in 0..key.len() {
        assert!(verify(&ring, &key[..len], NOW_TIME).is_err(), "{len}");
        assert!(verify(&ring, &key[len + 1..], NOW_TIME).is_err(), "{len}");
        assert!(verify(&ring, &[&key[..len], &key[len + 1..]].concat(), NOW_TIME).is_err(), "{len}");
    }
    for around in [" ", "\n", "\0", "0", "z", "."] {
        assert!(verify(&ring, &format!("{key}{around}"), NOW_TIME).is_err());
        assert!(verify(&ring, &format!("{around}{key}"), NOW_TIME).is_err());
    }
}

#[test]
fn every_other_byte_at_every_position_is_refused() {
    let ring = ring();
    let key = crate::support::key(SECRET, br#"{"tid":"acme"}"#);
    let mut buf = [0; 64];
    assert!(ring.verify(&key, NOW_TIME, &mut buf).is_ok());
    for at in 0..key.len() {
        for byte in (0..=255).filter(|byte| *byte != key.as_bytes()[at]) {
            let mut bytes = key.clone().into_bytes();
            bytes[at] = byte;
            let refused = ring.verify(&bytes, NOW_TIME, &mut buf).unwrap_err();
            let digit = byte.is_ascii_alphanumeric();
            match refused {
                KeyError::InvalidPrefix => assert!(at < 7),
                KeyError::InvalidFormat => assert!(key.as_bytes()[at] == b'.' && byte != b'.'),
                KeyError::InvalidSignature => assert!(at >= 7 && digit),
                KeyError::Decode => assert!(at >= 7),
                other => panic!("{other:?}"),
            }
        }
    }
}
