//! Counts allocations. Keys, envelopes, policy and breaker do not allocate, whatever the result is. Only establishing a
//! session with a table does.

use std::{
    fmt::{self, Write as _},
    hint::black_box,
    time::Duration,
};

use crate::support::{NOW, OTHER_SECRET, SECRET, Xorshift, key};
use allocation_counter::measure;
#[cfg(feature = "envelope")]
use apikee::envelope::{OpenError, Recipient, SealError, ServerKey, Session, SessionPool, sealed_len};
use apikee::{
    Expiry, Fingerprint, Grant, KeyError, KeyId, Keyring, NewKey, Policy, UnixTime, VerifiedKey,
    breaker::{Breaker, BreakerConfig, Health},
    key::{DenyList, IssueError, UntrustedKey, log_prefix},
    meta::{InvalidJsonObject, JsonObject, Meta, Value},
    policy::{FailOpen, Fault, OnFault, OnRejection, Outage, Outcome, Rejection},
};
use rand_core::{TryCryptoRng, TryRng};

const NOW_TIME: UnixTime = UnixTime::from_secs(NOW);

const JSON: &[u8] = br#"{"id":"31GnZ1t7ZX2ye5UxqDDBe","tid":"caf\u00e9 \"nine\"","scp":["read","wr\u0069te"],"env":"dev","exp":1760000009,"nbf":1750000000,"meta":{"plan":"pr\u006f","seats":5,"ratio":0.5,"on":true,"none":null,"tags":["a",1,[{}]],"deep":{"er":{"est":-1}}}}"#;

#[track_caller]
fn allocates_nothing(run: impl FnOnce()) {
    let counted = measure(run);
    assert_eq!((counted.count_total, counted.bytes_total), (0, 0), "it allocates");
}

#[test]
fn the_counter_sees_an_allocation() {
    let counted = measure(|| drop(black_box(vec![1_u8])));
    assert_eq!((counted.count_total, counted.bytes_total), (1, 1));
}

#[test]
fn a_keyring_is_made_without_allocation() {
    allocates_nothing(|| {
        let mut ring = Keyring::new(SECRET).unwrap();
        ring.accept(OTHER_SECRET).unwrap().set_leeway(Duration::from_secs(5));
        assert!(ring.accept(b"").is_err());
        for _ in 2..apikee::key::MAX_SECRETS {
            ring.accept(SECRET).unwrap();
        }
        assert!(ring.accept(SECRET).is_err());
    });
}

#[test]
fn a_good_json_key_is_verified_and_read_without_allocation() {
    let ring = Keyring::new(SECRET).unwrap();
    let key = key(SECRET, JSON);
    allocates_nothing(|| {
        let mut buf = [0; 1024];
        let verified = ring.verify_header(Some(&key), NOW_TIME, &mut buf).unwrap();
        assert_eq!(verified.claims().tenant(), "caf\u{e9} \"nine\"");
        assert!(verified.claims().scopes().iter().eq(["read", "write"]));
        read_all(&verified);

        let meta = verified.claims().meta();
        assert_eq!(meta.get_str("plan").unwrap(), "pro");
        let mut copy = [0; 3];
        assert_eq!(meta.get_str("plan").unwrap().read_into(&mut copy), Ok("pro"));
        assert!(meta.get_str("plan").unwrap().read_into(&mut copy[..2]).is_err());
        assert_eq!(meta.get_i64("seats"), Some(5));
        assert_eq!(meta.get_u64("seats"), Some(5));
        assert_eq!(meta.get_f64("ratio"), Some(0.5));
        assert_eq!(meta.get_bool("on"), Some(true));
        assert_eq!(meta.get("none"), Some(Value::Null));
        assert_eq!(meta.get("nothing"), None);
        assert_eq!(meta.get_array("tags").unwrap().iter().count(), 3);
        assert_eq!(meta.get_object("deep").unwrap().get_object("er").unwrap().get_i64("est"), Some(-1));
    });
}

#[cfg(feature = "msgpack")]
#[test]
fn good_message_pack_keys_are_verified_and_read_without_allocation() {
    let file: serde_json::Value = serde_json::from_str(include_str!("../vectors/keys.json")).unwrap();
    let vectors = file["vectors"].as_array().unwrap();
    let names = [
        "msgpack-tenant-24",
        "msgpack-scopes-16",
        "msgpack-meta-3",
        "msgpack-meta-5",
        "msgpack-meta-7",
        "msgpack-meta-8",
        "msgpack-nbf-and-exp",
        "msgpack-shape-map32",
        "msgpack-shape-unknown-fields",
    ];
    for name in names {
        let vector = vectors.iter().find(|vector| vector["name"] == name).unwrap();
        let ring = Keyring::new(vector["secrets"][0].as_str().unwrap().as_bytes()).unwrap();
        let (key, now) = (vector["key"].as_str().unwrap(), vector["now"].as_i64().unwrap());
        allocates_nothing(|| {
            let mut buf = [0; 4096];
            read_all(&ring.verify(key, UnixTime::from_secs(now), &mut buf).unwrap());
        });
    }
}

/// Reads everything that a verified key offers.
fn read_all(verified: &VerifiedKey<'_>) {
    let mut shown = Sink(0);
    write!(shown, "{verified:?} {}", verified.prefix()).unwrap();
    assert!(shown.0 > 0 && log_prefix(verified.raw()) == verified.prefix());
    let fingerprint = verified.fingerprint();
    write!(shown, "{fingerprint}").unwrap();
    let denied = [fingerprint];
    assert!(DenyList::new(&denied).unwrap().contains(&Fingerprint::of(verified.raw())));

    let claims = verified.claims();
    black_box((claims.id(), claims.environment(), claims.expires_at(), claims.not_before()));
    let scopes = claims.scopes();
    assert!(scopes.iter().all(|scope| scopes.contains(scope) && verified.require(&[scope]).is_ok()));
    let missing = verified.require(&["read", "no\nsuch", "other"]).unwrap_err();
    assert!(missing.iter().any(|scope| scope == "other"));
    write!(shown, "{missing} {missing:?} {} {}", missing.code(), missing.http_status()).unwrap();
    walk(&claims.meta());
}

fn walk(object: &Meta<'_>) {
    black_box((object.is_empty(), object.as_bytes(), object.as_json(), object.encoding()));
    for (name, value) in object.iter() {
        black_box((name.chars().count(), name.as_str(), name == "plan"));
        walk_value(value);
    }
}

fn walk_value(value: Value<'_>) {
    match value {
        Value::Object(object) => walk(&object),
        Value::Array(array) => array.iter().for_each(walk_value),
        Value::Number(number) => drop(black_box((number.as_i64(), number.as_u64(), number.as_f64()))),
        other => drop(black_box(other)),
    }
}

#[test]
fn keys_are_refused_without_allocation() {
    let ring = Keyring::new(SECRET).unwrap();
    let good = key(SECRET, JSON);
    let (front, signature) = good.split_once('.').unwrap();
    let payload = front.strip_prefix("apikee_").unwrap();
    let long = "z".repeat(20_000);
    let needed = apikee::verify_buffer_len(good.len());
    let cases = [
        (KeyError::InvalidPrefix, String::new()),
        (KeyError::InvalidPrefix, format!("sk_live_{payload}")),
        (KeyError::InvalidFormat, front.to_owned()),
        (KeyError::Decode, format!("apikee_.{signature}")),
        (KeyError::Decode, format!("{front}.")),
        (KeyError::Decode, format!("apikee_0{payload}.{signature}")),
        (KeyError::Decode, format!("apikee_{payload}-.{signature}")),
        (KeyError::Decode, format!("{front}.{}", "z".repeat(43))),
        (KeyError::Decode, format!("apikee_{long}.{signature}")),
        (KeyError::Decode, key(SECRET, b"no claims")),
        (KeyError::Decode, key(SECRET, br#"{"tid":"\u0061","\u0074id":"b"}"#)),
        (KeyError::Decode, key(SECRET, br#"{"scp":["\u0061",1]}"#)),
        (KeyError::Decode, key(SECRET, b"\x81\xa3tid\xa2\xff\xff")),
        (KeyError::Decode, key(SECRET, b"\x82\xa1a\x91\x91\xc0\xa1a\xc0")),
        (KeyError::InvalidSignature, key(OTHER_SECRET, JSON)),
        (KeyError::Expired, key(SECRET, br#"{"exp":1}"#)),
        (KeyError::NotYetValid, key(SECRET, br#"{"nbf":1760000001}"#)),
    ];
    allocates_nothing(|| {
        let mut buf = [0; 1024];
        for (error, key) in &cases {
            let refused = ring.verify(key, NOW_TIME, &mut buf).unwrap_err();
            assert!(refused == *error, "{refused:?} instead of {error:?}");
            shown(&refused);
        }
        let refused = ring.verify_header(None::<&str>, NOW_TIME, &mut buf).unwrap_err();
        assert_eq!(refused, KeyError::Missing);
        shown(&refused);
        let refused = ring.verify(&good, NOW_TIME, &mut buf[..8]).unwrap_err();
        assert_eq!(refused, KeyError::BufferTooSmall { needed });
        shown(&refused);
    });
}

fn shown(error: &KeyError) {
    let mut sink = Sink(0);
    write!(sink, "{error} {error:?} {} {}", error.code(), error.http_status()).unwrap();
}

#[test]
fn untrusted_keys_are_read_without_allocation() {
    let good = key(SECRET, JSON);
    let zeros = good.replacen('_', "_00", 1);
    let malformed = key(SECRET, b"\x81\xa3tid\xc1");
    allocates_nothing(|| {
        let mut buf = [0; 1024];
        assert!(UntrustedKey::read(&good, &mut buf).unwrap().claims.is_some());
        assert!(UntrustedKey::read(&zeros, &mut buf).unwrap().non_canonical);
        assert!(UntrustedKey::read(&malformed, &mut buf).unwrap().claims.is_none());
        assert_eq!(UntrustedKey::read("apikee_", &mut buf).err(), Some(KeyError::InvalidFormat));
        assert!(matches!(UntrustedKey::read(&good, &mut []), Err(KeyError::BufferTooSmall { .. })));
    });
}

#[test]
fn keys_are_issued_without_allocation() {
    let ring = Keyring::new(SECRET).unwrap();
    let meta = " {\"plan\": \"pr\\u006f\", \"tags\": [1, 2.50, {\"a\\n\": null}]} ";
    let new = NewKey::new("caf\u{e9} \"nine\"\u{1}")
        .scopes(&["read", "wr\u{8}ite"])
        .environment("dev")
        .expires(Expiry::After(Duration::from_secs(60)))
        .not_before(NOW_TIME)
        .meta(JsonObject::new(meta).unwrap());
    let id = KeyId::new(NOW_TIME, random_of(&ring, &new, true));
    allocates_nothing(|| {
        let (mut buf, mut other) = ([0; 1024], [0; 1024]);
        let key = ring.issue(&new, NOW_TIME, &mut Xorshift(1), &mut buf).unwrap();
        assert_eq!(ring.verify(key, NOW_TIME, &mut other).unwrap().claims().meta().get_str("plan").unwrap(), "pro");
        assert!(ring.issue_with_id(&new, id.as_str(), NOW_TIME, &mut buf).is_ok());
        assert!("90d".parse::<Expiry>().is_ok() && "90".parse::<Expiry>().is_err());
    });
}

#[test]
fn issuing_fails_without_allocation() {
    let ring = Keyring::new(SECRET).unwrap();
    let long = "t".repeat(9_000);
    let new = NewKey::new("acme");
    let unlucky = random_of(&ring, &new, false);
    let unusable = KeyId::new(NOW_TIME, unlucky);
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(31), "]".repeat(31));
    let id = KeyId::new(NOW_TIME, random_of(&ring, &new, true));
    let mut room = [0; 1024];
    let key = ring.issue_with_id(&new, id.as_str(), NOW_TIME, &mut room).unwrap();
    let needed = apikee::issue_buffer_len(crate::support::payload_of(key).len());
    allocates_nothing(|| {
        let mut buf = [0; 1024];
        let mut refused = |new: &NewKey<'_>, id: &str, room: usize| {
            let error = ring.issue_with_id(new, id, NOW_TIME, &mut buf[..room]).unwrap_err();
            write!(Sink(0), "{error} {error:?}").unwrap();
            error
        };
        assert_eq!(refused(&new, id.as_str(), needed - 1), IssueError::BufferTooSmall { needed });
        assert_eq!(refused(&NewKey::new(&long), "a", 1024), IssueError::TooLong);
        for meta in ["", "[]", "{", "{} {}", r#"{"a":1,"\u0061":1}"#, r#"{"a":"\ud800"}"#, &deep] {
            assert_eq!(JsonObject::new(meta).unwrap_err(), InvalidJsonObject);
        }
        let never_ends = Expiry::After(Duration::from_secs(u64::MAX));
        assert_eq!(refused(&new.expires(never_ends), "a", 1024), IssueError::TimeOutOfRange);
        #[cfg(feature = "msgpack")]
        {
            let packed = new.encoding(apikee::key::Encoding::MessagePack);
            let large = JsonObject::new(r#"{"a":18446744073709551616}"#).unwrap();
            assert_eq!(refused(&packed.meta(large), "a", 1024), IssueError::IntegerTooLarge);
        }
        assert_eq!(refused(&new, unusable.as_str(), 1024), IssueError::UnusableId);

        // If there is no randomness, and if it is always the same.
        let mut failed =
            |rng: &mut dyn TryCryptoRng<Error = Dry>| ring.issue(&new, NOW_TIME, rng, &mut buf).map(str::len);
        assert_eq!(failed(&mut Stuck(None)), Err(IssueError::Rng));
        assert_eq!(failed(&mut Stuck(Some(unlucky))), Err(IssueError::Rng));
    });
}

#[test]
fn a_policy_decides_without_allocation() {
    let ring = Keyring::new(SECRET).unwrap();
    let key = key(SECRET, JSON);
    let outcomes = [
        Outcome::Confirmed,
        Outcome::Outage(Outage::Timeout),
        Outcome::Outage(Outage::BreakerOpen { retry_after: Duration::from_millis(1_001) }),
        Outcome::Rejected(Rejection::UNSUCCESSFUL),
        Outcome::Rejected(Rejection::RateLimited { retry_after: Some(7) }),
        Outcome::Fault(Fault::Forged),
    ];
    let other = Policy::default()
        .fail_open(FailOpen::Closed)
        .on_rejection(OnRejection::AdmitUnsuccessful)
        .on_fault(OnFault::Admit);
    allocates_nothing(|| {
        let mut buf = [0; 1024];
        for policy in [Policy::default(), other] {
            for outcome in outcomes {
                match policy.decide(outcome) {
                    Ok(basis) => write!(Sink(0), "{basis:?}").unwrap(),
                    Err(denial) => {
                        let (code, status, after) = (denial.code(), denial.http_status(), denial.retry_after());
                        write!(Sink(0), "{denial} {denial:?} {code} {status} {after:?}").unwrap();
                    }
                }
                let verified = ring.verify(&key, NOW_TIME, &mut buf).unwrap();
                let _ = black_box(policy.authorize(verified, &["read"], outcome));
            }
        }
        let verified = ring.verify(&key, NOW_TIME, &mut buf).unwrap();
        assert!(Grant::local(verified, &["none"]).is_err());
    });
}

#[test]
fn a_breaker_opens_and_closes_without_allocation() {
    allocates_nothing(|| {
        let mut breaker = Breaker::new(BreakerConfig::DEFAULT);
        let mut refused = 0;
        for second in 0..200 {
            let now = Duration::from_secs(second);
            let health = if second < 100 { Health::Down } else { Health::Up };
            match breaker.acquire(now) {
                Ok(permit) if second % 7 == 0 => breaker.release(permit),
                Ok(permit) => breaker.record(permit, health, now, u32::MAX),
                Err(open) => {
                    refused += 1;
                    write!(Sink(0), "{open} {:?}", breaker.state(now)).unwrap();
                }
            }
        }
        assert!(refused > 0);
    });
}

/// With a table, the list of the two converted points is allocated, and memory for the conversion.
#[cfg(feature = "envelope")]
#[test]
fn a_session_is_established_with_few_allocations_or_none() {
    let recipient = Recipient::new([0x42; 32]);
    let server = ServerKey::from_bytes(*recipient.public_key()).unwrap();
    let counted = measure(|| {
        assert!(Session::establish(&server, &mut Xorshift(1)).is_ok());
        assert!(Session::establish(&server, &mut Stuck(None)).is_err());
    });
    let most = if cfg!(feature = "tables") { 3 } else { 0 };
    assert!(counted.count_total <= most, "{counted:?}");
    assert_eq!(counted.count_current, 0);
}

#[cfg(feature = "envelope")]
#[test]
fn envelopes_are_sealed_and_opened_without_allocation() {
    let mut recipient = Recipient::new([0x42; 32]);
    allocates_nothing(|| recipient = Recipient::new([0x42; 32]));
    let server = ServerKey::from_bytes(*recipient.public_key()).unwrap();
    let [first, second, third, dry] =
        [1, 2, 3, 4].map(|seed| Session::establish(&server, &mut Xorshift(seed)).unwrap());
    allocates_nothing(|| {
        let mut rng = Xorshift(9);
        let (mut sent, mut received) = ([0; 512], [0; 512]);
        let (text, pending) = first.seal(JSON, &mut rng, &mut sent).unwrap();
        let len = text.len();
        let (opened, reply) = recipient.open(&mut sent[..len]).unwrap();
        assert_eq!(opened, JSON);
        let len = reply.seal(JSON, &mut rng, &mut received).unwrap().len();
        let mut forged = received;
        assert_eq!(pending.open(&mut received[..len]).unwrap().as_bytes(), JSON);

        // Refused envelopes.
        let (text, pending) = second.seal(b"{}", &mut rng, &mut sent).unwrap();
        let request = text.len();
        let error = pending.open(&mut forged[..len]).unwrap_err();
        assert_eq!(error, OpenError::Forged);
        write!(Sink(0), "{error} {error:?}").unwrap();
        sent[0] = 0;
        assert_eq!(recipient.open(&mut sent[..request]).unwrap_err(), OpenError::Malformed);
        let error = third.seal(JSON, &mut rng, &mut sent[..9]).unwrap_err();
        assert_eq!(error, SealError::BufferTooSmall { needed: sealed_len(JSON.len()) });
        write!(Sink(0), "{error} {error:?}").unwrap();
        assert_eq!(dry.seal(JSON, &mut Stuck(None), &mut sent).unwrap_err(), SealError::Rng);
    });
}

#[cfg(feature = "envelope")]
#[test]
fn a_pool_stores_and_returns_sessions_without_allocation() {
    let server = ServerKey::from_bytes(*Recipient::new([0x42; 32]).public_key()).unwrap();
    let sessions = [1, 2, 3, 4].map(|seed| Session::establish(&server, &mut Xorshift(seed)).unwrap());
    allocates_nothing(|| {
        let mut pool = SessionPool::<3>::new(Duration::from_secs(60));
        let kept = sessions.map(|session| pool.put(session, Duration::ZERO).is_ok());
        assert_eq!(kept, [true, true, true, false]);
        assert!(pool.take(Duration::from_secs(60)).is_some());
        assert!(pool.take(Duration::from_secs(61)).is_none());
    });
}

/// Random bytes that give a usable id, or an unusable one.
fn random_of(ring: &Keyring, new: &NewKey<'_>, usable: bool) -> [u8; 10] {
    (0..100_000_u64)
        .map(|number| {
            let mut random = [0; 10];
            random[2..].copy_from_slice(&number.to_be_bytes());
            random
        })
        .find(|random| {
            let id = KeyId::new(NOW_TIME, *random);
            let key = ring.issue_with_id(new, id.as_str(), NOW_TIME, &mut [0; 1024]).map(str::len);
            usable == (key != Err(IssueError::UnusableId))
        })
        .unwrap()
}

/// No randomness, or always the same bytes.
struct Stuck(Option<[u8; 10]>);

#[cfg(feature = "web")]
#[test]
fn a_guard_in_local_mode_grants_without_allocation_and_refuses_with_at_most_two_allocations() {
    use apikee::{
        Apikee,
        web::{Guard, RequestView},
    };
    let guard = Guard::new(Apikee::builder().secret(SECRET).build().unwrap()).bearer().trusted_proxy("::/0").unwrap();
    let good = key(SECRET, br#"{"tid":"acme-corp","scp":["read"]}"#);
    // When a thread first reads settings that can be replaced, it allocates 192 bytes. They last as long as the thread.
    assert!(guard.apikee().verify_in(&good, &mut [0; 256]).is_ok());
    for (key, expected) in [(&*good, Ok(())), (&good[1..], Err(401)), ("apikee_a.b", Err(401))] {
        let lookup = |name: &str, nth: usize| (name == "x-api-key" && nth == 0).then_some(key.as_bytes());
        let long = format!("/users{}?page=2", "/7".repeat(100_000));
        let counted = allocation_counter::measure(|| {
            let (mut buf, mut body) = ([0; 256], [0; 256]);
            let request = RequestView::new("GET", &long, &lookup).peer([192, 0, 2, 1].into());
            let decision = guard.route("/users").require(&["read"]).check_in(request, &mut buf);
            if let Err(refusal) = &decision {
                assert!(refusal.write_body(&mut body).is_ok() && refusal.www_authenticate().is_some());
            }
            assert_eq!(decision.map(drop).map_err(|refusal| refusal.status()), expected);
        });
        // A refusal, and the texts of its audit record.
        let (count, bytes) = if expected.is_ok() { (0, 0) } else { (2, 1024) };
        assert!(counted.count_total <= count && counted.bytes_total <= bytes, "{key}: {counted:?}");
    }
}

#[derive(Debug)]
struct Dry;

impl fmt::Display for Dry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no randomness")
    }
}

impl std::error::Error for Dry {}

impl TryRng for Stuck {
    type Error = Dry;

    fn try_next_u32(&mut self) -> Result<u32, Dry> {
        Err(Dry)
    }

    fn try_next_u64(&mut self) -> Result<u64, Dry> {
        Err(Dry)
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Dry> {
        out.copy_from_slice(&self.0.ok_or(Dry)?);
        Ok(())
    }
}

impl TryCryptoRng for Stuck {}

/// Counts the bytes of text and drops them.
struct Sink(usize);

impl fmt::Write for Sink {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 += text.len();
        Ok(())
    }
}
