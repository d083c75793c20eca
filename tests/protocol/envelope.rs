//! Envelopes from both sides: a sealed message opens, and nothing else does.

use std::{collections::HashSet, convert::Infallible, fmt, sync::LazyLock, time::Duration};

use crate::support::Xorshift;
use apikee::envelope::{
    EstablishError, OpenError, Pending, Recipient, Reply, SealError, ServerKey, ServerKeyError, Session, SessionPool,
    sealed_len,
};
use base64::{
    Engine as _, alphabet,
    engine::{
        DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig,
        general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD},
    },
};
use proptest::{
    collection::vec,
    prelude::*,
    sample::Index,
    test_runner::{FileFailurePersistence, RngSeed},
};
use rand_core::{TryCryptoRng, TryRng};
use serde_json::{Value, json};

static RECIPIENT: LazyLock<Recipient> = LazyLock::new(|| Recipient::new([0x42; 32]));
static SERVER: LazyLock<ServerKey> = LazyLock::new(|| ServerKey::from_bytes(*RECIPIENT.public_key()).unwrap());

/// Eight bytes of it in a row do not occur elsewhere by chance.
const SECRET_BODY: &[u8] = br#"{"plan":"the quick brown fox jumps over the lazy dog","seats":5}"#;

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        rng_seed: RngSeed::Fixed(0x6170_696B_6565),
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct("proptest-regressions/envelope.txt"))),
        ..ProptestConfig::default()
    }
}

/// The same seed gives the same session.
fn session(seed: u64) -> Session {
    Session::establish(&SERVER, &mut Xorshift(seed)).unwrap()
}

fn request(seed: u64, body: &[u8]) -> (Vec<u8>, Pending) {
    let mut buf = vec![0; sealed_len(body.len())];
    let (_, pending) = session(seed).seal(body, &mut Xorshift(!seed), &mut buf).unwrap();
    (buf, pending)
}

fn pending(seed: u64) -> Pending {
    request(seed, b"{}").1
}

fn reply(seed: u64) -> Reply {
    RECIPIENT.open(&mut request(seed, b"{}").0).unwrap().1
}

fn answer(seed: u64, body: &[u8]) -> Vec<u8> {
    let mut buf = vec![0; sealed_len(body.len())];
    reply(seed).seal(body, &mut Xorshift(seed << 1 | 1), &mut buf).unwrap();
    buf
}

/// Opens an answer. If that fails, the buffer must not hold a part of the body.
#[track_caller]
fn open_answer(seed: u64, mut text: Vec<u8>) -> Result<Vec<u8>, OpenError> {
    let error = match pending(seed).open(&mut text) {
        Ok(opened) => return Ok(opened.as_bytes().to_vec()),
        Err(error) => error,
    };
    assert_hides_the_body(&text);
    Err(error)
}

#[track_caller]
fn open_request(mut text: Vec<u8>) -> Result<Vec<u8>, OpenError> {
    let error = match RECIPIENT.open(&mut text) {
        Ok((opened, _)) => return Ok(opened.to_vec()),
        Err(error) => error,
    };
    assert_hides_the_body(&text);
    Err(error)
}

#[track_caller]
fn assert_hides_the_body(text: &[u8]) {
    let windows: HashSet<&[u8]> = SECRET_BODY.windows(8).collect();
    assert!(!text.windows(8).any(|window| windows.contains(window)), "{}", text.escape_ascii());
}

fn parsed(envelope: &[u8]) -> Value {
    serde_json::from_slice(envelope).unwrap()
}

/// A member, decoded by the `base64` crate.
fn member(envelope: &Value, name: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(envelope[name].as_str().unwrap()).unwrap()
}

fn epk(session: Session) -> Vec<u8> {
    let mut buf = vec![0; sealed_len(0)];
    session.seal(b"", &mut Xorshift(1), &mut buf).unwrap();
    member(&parsed(&buf), "epk")
}

proptest! {
    #![proptest_config(config(64))]

    #[test]
    fn sealed_messages_can_be_opened(
        seed in 1..u64::MAX, sent in vec(any::<u8>(), 0..=4096), received in vec(any::<u8>(), 0..=4096),
    ) {
        let mut rng = Xorshift(seed);
        let mut request = vec![0; sealed_len(sent.len())];
        let session = Session::establish(&SERVER, &mut rng).unwrap();
        let (text, pending) = session.seal(&sent, &mut rng, &mut request).unwrap();
        prop_assert_eq!(text.len(), sealed_len(sent.len()));

        let (opened, reply) = RECIPIENT.open(&mut request).unwrap();
        prop_assert_eq!(&*opened, &sent);
        let mut answer = vec![0; sealed_len(received.len())];
        let text = reply.seal(&received, &mut rng, &mut answer).unwrap();
        prop_assert_eq!(text.len(), sealed_len(received.len()));
        let opened = pending.open(&mut answer).unwrap();
        prop_assert_eq!(opened.as_bytes(), &received);
    }

    /// In both directions: `serde_json` and `base64` decode our envelopes, and we decode theirs.
    #[test]
    fn envelopes_agree_with_serde_json_and_base64(seed in 1..u64::MAX, body in vec(any::<u8>(), 0..=512)) {
        let (text, pending) = request(seed, &body);
        let request = parsed(&text);
        prop_assert_eq!(request.as_object().unwrap().len(), 4);
        prop_assert_eq!(&request["v"], "1");
        let (epk, iv, ct) = (member(&request, "epk"), member(&request, "iv"), member(&request, "ct"));
        prop_assert_eq!((epk.len(), iv.len(), ct.len()), (32, 12, body.len() + 16));
        let encoded = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let by_hand =
            format!(r#"{{"v":"1","epk":"{}","iv":"{}","ct":"{}"}}"#, encoded(&epk), encoded(&iv), encoded(&ct));
        prop_assert_eq!(by_hand.as_bytes(), &text);

        // A different order, different spacing and an unknown member do not change the meaning.
        let again = json!({"ct": encoded(&ct), "more": [{}], "iv": encoded(&iv), "epk": encoded(&epk), "v": "1"});
        let mut again = serde_json::to_vec_pretty(&again).unwrap();
        let (opened, reply) = RECIPIENT.open(&mut again).unwrap();
        prop_assert_eq!(&*opened, &body);

        let mut answer = vec![0; sealed_len(body.len())];
        reply.seal(&body, &mut Xorshift(seed), &mut answer).unwrap();
        let answer = parsed(&answer);
        prop_assert_eq!(member(&answer, "epk"), RECIPIENT.public_key());
        let mut answer = serde_json::to_vec_pretty(&answer).unwrap();
        let opened = pending.open(&mut answer).unwrap();
        prop_assert_eq!(opened.as_bytes(), &body);
    }

    #[test]
    fn an_answer_with_a_changed_bit_is_refused(seed in 1..u64::MAX, body in vec(any::<u8>(), 0..=512), bit in any::<Index>()) {
        let mut text = answer(seed, &body);
        let bit = bit.index(8 * text.len());
        text[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(pending(seed).open(&mut text).is_err());
    }

    #[test]
    fn an_answer_to_another_session_is_refused_as_forged(one in 1..u64::MAX, body in vec(any::<u8>(), 0..=64)) {
        let other = one + 1;
        let (mut to_one, mut to_other) = (answer(one, &body), answer(other, &body));
        prop_assert_eq!(pending(one).open(&mut to_other).unwrap_err(), OpenError::Forged);
        prop_assert_eq!(pending(other).open(&mut to_one).unwrap_err(), OpenError::Forged);
    }

    #[test]
    fn a_request_with_the_servers_key_never_opens(seed in 1..u64::MAX, body in vec(any::<u8>(), 0..=512), bit in any::<Index>()) {
        let (mut text, pending) = reflected(seed, &body);
        let mut changed = text.clone();
        prop_assert_eq!(pending.open(&mut text).unwrap_err(), OpenError::Reflected);
        let bit = bit.index(8 * changed.len());
        changed[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(request(seed, &body).1.open(&mut changed).is_err());
    }
}

/// Whether two envelopes differ only in unused bits of the last digit of `ct`.
fn differs_in_unused_bits(good: &[u8], changed: &[u8]) -> bool {
    let config = GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true);
    let lenient =
        GeneralPurpose::new(&alphabet::URL_SAFE, config.with_decode_padding_mode(DecodePaddingMode::RequireNone));
    let Ok(mut changed) = serde_json::from_slice::<Value>(changed) else {
        return false;
    };
    let mut good = parsed(good);
    let [ours, theirs] = [&mut good, &mut changed].map(|envelope| envelope["ct"].take());
    good == changed
        && ours != theirs
        && theirs.as_str().is_some_and(|ct| lenient.decode(ct).ok() == lenient.decode(ours.as_str().unwrap()).ok())
}

#[test]
fn a_ciphertext_with_unused_bits_is_refused() {
    for (len, unused) in [(2, 0), (3, 4), (4, 2)] {
        let good = answer(7, &SECRET_BODY[..len]);
        let mut envelope = parsed(&good);
        let mut ct = envelope["ct"].as_str().unwrap().to_owned();
        let last = ct.pop().unwrap();
        for digit in ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['-', '_']).filter(|digit| *digit != last) {
            envelope["ct"] = format!("{ct}{digit}").into();
            let text = serde_json::to_vec(&envelope).unwrap();
            let same = differs_in_unused_bits(&good, &text);
            assert!(!same || unused > 0);
            let error = open_answer(7, text).unwrap_err();
            // If the unused bits are zero, the text is canonical, and it is a different message.
            let canonical = URL_SAFE_NO_PAD.decode(envelope["ct"].as_str().unwrap()).is_ok();
            assert_eq!(error, if canonical { OpenError::Forged } else { OpenError::Encoding }, "{digit}");
        }
    }
}

#[test]
fn an_answer_with_any_changed_bit_is_refused_and_hides_the_body() {
    let good = answer(7, SECRET_BODY);
    assert_eq!(open_answer(7, good.clone()).unwrap(), SECRET_BODY);
    for bit in 0..8 * good.len() {
        let mut text = good.clone();
        text[bit / 8] ^= 1 << (bit % 8);
        assert!(open_answer(7, text).is_err(), "bit {bit}");
    }
}

/// X25519 ignores the top bit of a public key (RFC 7748, section 5). So the server reads the same request if only that
/// bit is changed.
#[test]
fn a_request_with_a_changed_bit_is_refused_except_for_the_bit_that_x25519_ignores() {
    let good = request(7, SECRET_BODY).0;
    let mut same = Vec::new();
    for bit in 0..8 * good.len() {
        let mut text = good.clone();
        text[bit / 8] ^= 1 << (bit % 8);
        let ignored = serde_json::from_slice::<Value>(&text).ok().is_some_and(|changed| {
            let Ok(mut epk) = URL_SAFE_NO_PAD.decode(changed["epk"].as_str().unwrap_or_default()) else {
                return false;
            };
            epk.last_mut().is_some_and(|byte| {
                *byte ^= 0x80;
                true
            }) && epk == member(&parsed(&good), "epk")
        });
        match open_request(text) {
            Ok(opened) => {
                assert_eq!(opened, SECRET_BODY, "bit {bit}");
                assert!(ignored, "bit {bit}");
                same.push(bit);
            }
            Err(_) => assert!(!ignored, "bit {bit}"),
        }
    }
    assert!(same.len() <= 1, "{same:?}");
}

#[test]
fn an_envelope_cut_short_is_refused() {
    let (request, answer) = (request(7, SECRET_BODY).0, answer(7, SECRET_BODY));
    for len in 0..request.len() {
        assert_eq!(open_request(request[..len].to_vec()), Err(OpenError::Malformed), "{len}");
    }
    for len in 0..answer.len() {
        assert_eq!(open_answer(7, answer[..len].to_vec()), Err(OpenError::Malformed), "{len}");
    }
}

#[test]
fn a_request_sent_back_is_not_an_answer() {
    let (mut text, pending) = request(7, SECRET_BODY);
    assert_eq!(pending.open(&mut text).unwrap_err(), OpenError::WrongKey);
    assert_hides_the_body(&text);
}

/// The request with the server's key instead of its own. This is the only part that is not authenticated.
fn reflected(seed: u64, body: &[u8]) -> (Vec<u8>, Pending) {
    let (text, pending) = request(seed, body);
    let mut envelope = parsed(&text);
    envelope["epk"] = URL_SAFE_NO_PAD.encode(SERVER.as_bytes()).into();
    (serde_json::to_vec(&envelope).unwrap(), pending)
}

#[test]
fn a_request_sent_back_with_the_servers_key_is_not_an_answer() {
    let (mut text, pending) = reflected(7, SECRET_BODY);
    assert_eq!(pending.open(&mut text).unwrap_err(), OpenError::Reflected);
    assert_hides_the_body(&text);
}

#[test]
fn only_the_nonce_distinguishes_a_reflected_request_from_an_answer() {
    let (mut text, _) = reflected(7, SECRET_BODY);
    // The same session, but its request has another nonce.
    let mut buf = vec![0; sealed_len(0)];
    let (_, pending) = session(7).seal(b"", &mut Xorshift(1), &mut buf).unwrap();
    assert_eq!(pending.open(&mut text).unwrap().as_bytes(), SECRET_BODY);
}

#[test]
fn a_reflected_request_with_another_nonce_is_forged() {
    let (text, _) = reflected(7, SECRET_BODY);
    let mut iv = member(&parsed(&text), "iv");
    for bit in 0..8 * iv.len() {
        let mut envelope = parsed(&text);
        iv[bit / 8] ^= 1 << (bit % 8);
        envelope["iv"] = URL_SAFE_NO_PAD.encode(&iv).into();
        iv[bit / 8] ^= 1 << (bit % 8);
        let mut changed = serde_json::to_vec(&envelope).unwrap();
        assert_eq!(request(7, SECRET_BODY).1.open(&mut changed).unwrap_err(), OpenError::Forged, "bit {bit}");
    }
}

#[test]
fn an_answer_with_the_requests_nonce_never_opens() {
    // First an answer that is genuine except for its nonce, then a forged one.
    let mut rng = Xorshift(!7);
    let mut genuine = vec![0; sealed_len(SECRET_BODY.len())];
    let (_, pending) = request(7, b"{}");
    reply(7).seal(SECRET_BODY, &mut rng, &mut genuine).unwrap();
    assert_eq!(pending.open(&mut genuine).unwrap_err(), OpenError::Reflected);
    assert_hides_the_body(&genuine);

    let (sent, pending) = request(7, b"{}");
    let mut forged = parsed(&answer(8, SECRET_BODY));
    forged["iv"] = parsed(&sent)["iv"].clone();
    let mut forged = serde_json::to_vec(&forged).unwrap();
    assert_eq!(pending.open(&mut forged).unwrap_err(), OpenError::Reflected);
}

#[test]
fn a_client_key_of_low_order_is_refused() {
    let epk = URL_SAFE_NO_PAD.encode([0; 32]);
    let mut good = parsed(&request(7, SECRET_BODY).0);
    good["epk"] = epk.into();
    assert_eq!(open_request(serde_json::to_vec(&good).unwrap()), Err(OpenError::WrongKey));
}

#[test]
fn the_error_for_a_small_buffer_has_the_needed_length() {
    let needed = sealed_len(SECRET_BODY.len());
    let too_small = SealError::BufferTooSmall { needed };
    for len in 0..needed {
        let sealed = session(7).seal(SECRET_BODY, &mut Xorshift(1), &mut vec![0; len]).map(|_| ());
        assert_eq!(sealed, Err(too_small), "{len}");
    }
    assert_eq!(reply(7).seal(SECRET_BODY, &mut Xorshift(1), &mut vec![0; needed - 1]), Err(too_small));
    // A larger buffer is enough, and the bytes past the envelope do not change.
    let mut buf = vec![0xaa; needed + 9];
    assert_eq!(session(7).seal(SECRET_BODY, &mut Xorshift(1), &mut buf).unwrap().0.len(), needed);
    assert_eq!(buf[needed..], [0xaa; 9]);
    assert_eq!(sealed_len(0), 115);
}

/// An envelope in which one member is set or removed.
fn with(name: &str, value: Option<Value>) -> Vec<u8> {
    let mut envelope = parsed(&answer(7, SECRET_BODY));
    match value {
        Some(value) => envelope[name] = value,
        None => drop(envelope.as_object_mut().unwrap().remove(name)),
    }
    serde_json::to_vec(&envelope).unwrap()
}

#[track_caller]
fn refused(text: Vec<u8>, error: OpenError) {
    assert_eq!(open_answer(7, text.clone()), Err(error), "{}", text.escape_ascii());
    assert_eq!(open_request(text.clone()).unwrap_err(), error, "{}", text.escape_ascii());
}

#[test]
fn malformed_envelopes_are_refused() {
    let good = String::from_utf8(answer(7, SECRET_BODY)).unwrap();
    let inside = good.strip_prefix('{').unwrap();
    for text in ["", " ", "{", "[]", "null", "\"{}\"", "{} {}", "\u{feff}{}", "<html>", "{\"ct\":\"\"}}"] {
        refused(text.into(), OpenError::Malformed);
    }
    for name in ["v", "epk", "iv", "ct", "\\u0076", "\\u0063t"] {
        refused(format!("{{\"{name}\":\"1\",{inside}").into(), OpenError::Malformed);
    }
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = format!("{}1{}", open.repeat(100), close.repeat(100));
        refused(format!("{{\"deep\":{deep},{inside}").into(), OpenError::Malformed);
    }
    for text in ["{}", r#"{"success":true}"#, r#"{"v":"1","epk":"","iv":""}"#, r#"{"CT":"AAAA"}"#] {
        refused(text.into(), OpenError::Unsealed);
    }
}

#[test]
fn another_version_is_refused() {
    let values = [json!("2"), json!("01"), json!("1 "), json!(""), json!(1), json!(null), json!(["1"])];
    for value in values.into_iter().map(Some).chain([None]) {
        refused(with("v", value), OpenError::Version);
    }
    let escaped = String::from_utf8(answer(7, SECRET_BODY)).unwrap().replacen("\"1\"", "\"\\u0031\"", 1);
    assert_eq!(open_answer(7, escaped.into()).unwrap(), SECRET_BODY);
}

#[test]
fn members_are_canonical_base64url_of_the_right_length() {
    // Bytes that give '-' and '_' in base64url, and unused bits at the end of `epk`.
    let bytes = |name| {
        vec![
            0xfb;
            if name == "epk" {
                32
            } else if name == "iv" {
                12
            } else {
                19
            }
        ]
    };
    for name in ["epk", "iv", "ct"] {
        let good = URL_SAFE_NO_PAD.encode(bytes(name));
        let error = open_answer(7, with(name, Some(good.clone().into()))).unwrap_err();
        assert_eq!(error, if name == "epk" { OpenError::WrongKey } else { OpenError::Forged }, "{name}");

        let mut wrong = vec![
            STANDARD_NO_PAD.encode(bytes(name)),
            format!("{good}="),
            format!("{good}=="),
            format!("{good} "),
            format!(" {good}"),
            format!("{good}\n"),
            format!("{}\u{e9}", &good[..good.len() - 1]),
            good[..good.len() - 1].to_owned() + "*",
            String::new(),
            "A".into(),
        ];
        if name == "ct" {
            // One byte less than a tag, and a length that is not possible in base64.
            wrong.push(URL_SAFE_NO_PAD.encode([0; 15]));
            wrong.push("A".repeat(25));
        } else {
            let len = bytes(name).len();
            wrong.push(URL_SAFE_NO_PAD.encode(vec![0xfb; len - 1]));
            wrong.push(URL_SAFE_NO_PAD.encode(vec![0xfb; len + 1]));
            wrong.push("A".repeat(good.len() - 1));
        }
        if name != "iv" {
            assert!(URL_SAFE.encode(bytes(name)).ends_with('='));
            wrong.push(URL_SAFE.encode(bytes(name)));
        }
        if name == "epk" {
            // The next digit differs only in an unused bit.
            let (front, last) = good.split_at(good.len() - 1);
            wrong.push(format!("{front}{}", char::from(last.as_bytes()[0] + 1)));
        }
        for text in wrong {
            refused(with(name, Some(text.into())), OpenError::Encoding);
        }
        for value in [json!(1), json!(null), json!(true), json!([good]), json!({})] {
            refused(with(name, Some(value)), OpenError::Encoding);
        }
    }
    refused(with("epk", None), OpenError::Encoding);
    refused(with("iv", None), OpenError::Encoding);
    refused(with("ct", None), OpenError::Unsealed);
}

#[test]
fn no_two_sessions_share_a_key() {
    let mut rng = Xorshift(1);
    let (mut epks, mut ciphertexts) = (HashSet::new(), HashSet::new());
    for _ in 0..64 {
        let session = Session::establish(&SERVER, &mut rng).unwrap();
        let mut buf = vec![0; sealed_len(SECRET_BODY.len())];
        // The nonce and the plaintext are the same, so only the key can make a difference.
        session.seal(SECRET_BODY, &mut Xorshift(1), &mut buf).unwrap();
        let envelope = parsed(&buf);
        assert!(epks.insert(member(&envelope, "epk")));
        assert!(ciphertexts.insert(member(&envelope, "ct")));
    }
}

/// Records how many bytes are drawn at a time. Fails after a number of draws.
struct Noting {
    rng: Xorshift,
    drawn: Vec<usize>,
    left: usize,
}

impl Noting {
    fn new(left: usize) -> Self {
        Self { rng: Xorshift(1), drawn: Vec::new(), left }
    }
}

impl TryRng for Noting {
    type Error = fmt::Error;

    fn try_next_u32(&mut self) -> Result<u32, fmt::Error> {
        unreachable!("only bytes are drawn")
    }

    fn try_next_u64(&mut self) -> Result<u64, fmt::Error> {
        unreachable!("only bytes are drawn")
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), fmt::Error> {
        self.left = self.left.checked_sub(1).ok_or(fmt::Error)?;
        self.drawn.push(out.len());
        let Ok(()) = self.rng.try_fill_bytes(out) as Result<(), Infallible>;
        Ok(())
    }
}

impl TryCryptoRng for Noting {}

#[test]
fn the_nonce_is_drawn_when_a_session_seals() {
    let mut rng = Noting::new(3);
    let session = Session::establish(&SERVER, &mut rng).unwrap();
    assert_eq!(rng.drawn, [32]);
    let mut buf = vec![0; sealed_len(0)];
    let _ = session.seal(b"", &mut rng, &mut buf).unwrap();
    assert_eq!(rng.drawn, [32, 12]);
    let (_, reply) = RECIPIENT.open(&mut buf).unwrap();
    assert_eq!(rng.drawn, [32, 12]);
    let mut answer = vec![0; sealed_len(0)];
    reply.seal(b"", &mut rng, &mut answer).unwrap();
    assert_eq!(rng.drawn, [32, 12, 12]);
    assert_ne!(member(&parsed(&answer), "iv"), [0; 12]);
}

#[test]
fn nothing_is_sealed_without_randomness() {
    let mut none = Noting::new(0);
    let mut buf = vec![0; sealed_len(0)];
    assert_eq!(Session::establish(&SERVER, &mut none).err(), Some(EstablishError));
    assert_eq!(session(7).seal(b"", &mut none, &mut buf).err(), Some(SealError::Rng));
    assert_eq!(reply(7).seal(b"", &mut none, &mut buf).err(), Some(SealError::Rng));
}

#[test]
fn a_server_key_is_read_from_each_of_its_forms() {
    let public = *SERVER.as_bytes();
    // The base64 of these bytes differs between the alphabets.
    let special = [0xfb; 32];
    for bytes in [public, special] {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let key = ServerKey::from_bytes(bytes).unwrap();
        let forms = [
            hex.clone(),
            hex.to_uppercase(),
            STANDARD.encode(bytes),
            STANDARD_NO_PAD.encode(bytes),
            URL_SAFE.encode(bytes),
            URL_SAFE_NO_PAD.encode(bytes),
            key.to_string(),
        ];
        for text in &forms {
            let read: ServerKey = text.parse().unwrap();
            assert_eq!((read.as_bytes(), &read), (&bytes, &key), "{text}");
            for wrong in [
                format!(" {text}"),
                format!("{text} "),
                format!("{text}\n"),
                format!("{} {}", &text[..20], &text[20..]),
                format!("{} {}", &text[..20], &text[21..]),
                format!("0x{text}"),
                text[1..].to_owned(),
                format!("{text}A"),
                format!("{text}="),
                text[..text.len() / 2].to_owned(),
            ] {
                // Some of these texts happen to be other valid forms of the same key.
                if forms.contains(&wrong) {
                    continue;
                }
                assert_eq!(wrong.parse::<ServerKey>().err(), Some(ServerKeyError::Malformed), "{wrong}");
            }
        }
        assert_eq!(key.to_string(), STANDARD.encode(bytes));
        assert_eq!(format!("{key:?}"), format!("ServerKey({key})"));
    }
    assert_eq!("".parse::<ServerKey>().err(), Some(ServerKeyError::Malformed));
    // A changed unused bit.
    let mut changed = URL_SAFE_NO_PAD.encode(SERVER.as_bytes());
    let last = changed.pop().unwrap();
    changed.push(char::from(last as u8 + 1));
    assert_eq!(changed.parse::<ServerKey>().err(), Some(ServerKeyError::Malformed));
}

#[test]
fn server_keys_are_equal_if_their_bytes_are() {
    let public = *SERVER.as_bytes();
    assert_eq!(*SERVER, ServerKey::from_bytes(public).unwrap());
    for byte in 0..32 {
        let mut other = public;
        other[byte] ^= 1;
        assert_ne!(*SERVER, ServerKey::from_bytes(other).unwrap(), "byte {byte}");
    }
}

/// All points of order 1, 2, 4 and 8 of the curve and its twist, in each of their encodings.
#[test]
fn a_server_key_of_low_order_is_refused() {
    let mut points = vec![
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800".to_owned(),
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157".to_owned(),
    ];
    points.extend(["00", "01"].map(|first| format!("{first}{}", "00".repeat(31))));
    points.extend(["ec", "ed", "ee"].map(|first| format!("{first}{}7f", "ff".repeat(30))));
    for text in points {
        assert_eq!(text.parse::<ServerKey>().err(), Some(ServerKeyError::LowOrder), "{text}");
        let last = u8::from_str_radix(&text[62..], 16).unwrap() | 0x80;
        let text = format!("{}{last:02x}", &text[..62]);
        assert_eq!(text.parse::<ServerKey>().err(), Some(ServerKeyError::LowOrder), "{text}");
    }
    assert_eq!("A".repeat(43).parse::<ServerKey>().err(), Some(ServerKeyError::LowOrder));
}

#[test]
fn debug_output_of_envelopes_shows_no_keys() {
    assert_eq!(format!("{:?}", session(7)), "Session { .. }");
    assert_eq!(format!("{:?}", pending(7)), "Pending { .. }");
    assert_eq!(format!("{:?}", reply(7)), "Reply { .. }");
    assert_eq!(format!("{:?}", *RECIPIENT), format!("Recipient {{ public_key: {:?}, .. }}", RECIPIENT.public_key()));
    let mut text = answer(7, SECRET_BODY);
    let opened = pending(7).open(&mut text).unwrap();
    assert_eq!(format!("{opened:?}"), format!("Opened {{ len: {}, .. }}", SECRET_BODY.len()));
    assert_eq!(SealError::Rng.to_string(), "the random number generator failed");
}

#[test]
fn a_public_key_must_not_mix_alphabets() {
    let text = |two: &str| format!("{}{two}{}", "A".repeat(20), "A".repeat(21));
    for two in ["+/", "-_", "++", "__"] {
        assert!(text(two).parse::<ServerKey>().is_ok(), "{two}");
    }
    for two in ["+_", "-/", "_/", "-+"] {
        assert_eq!(text(two).parse::<ServerKey>().err(), Some(ServerKeyError::Malformed), "{two}");
    }
}

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

#[test]
fn a_pool_returns_sessions_in_the_order_in_which_they_were_put() {
    let mut pool = SessionPool::<3>::new(secs(60));
    assert!(pool.is_empty() && !pool.is_full() && pool.take(secs(0)).is_none());
    for seed in 1..=3 {
        pool.put(session(seed), secs(seed)).unwrap();
        assert_eq!(pool.len(), seed as usize);
    }
    assert!(pool.is_full() && !pool.is_empty());
    assert_eq!(format!("{pool:?}"), "SessionPool { len: 3, max_age: 60s }");
    for seed in 1..=3 {
        assert_eq!(epk(pool.take(secs(4)).unwrap()), epk(session(seed)));
    }
    assert!(pool.take(secs(4)).is_none());
}

#[test]
fn a_full_pool_returns_the_session() {
    let mut pool = SessionPool::<1>::new(secs(60));
    pool.put(session(1), secs(0)).unwrap();
    assert_eq!(epk(pool.put(session(2), secs(60)).unwrap_err()), epk(session(2)));
    assert_eq!(epk(pool.take(secs(60)).unwrap()), epk(session(1)));
}

#[test]
fn old_sessions_are_discarded() {
    let mut pool = SessionPool::<2>::new(secs(60));
    pool.put(session(1), secs(0)).unwrap();
    pool.put(session(2), secs(30)).unwrap();
    // One session just above the age limit, and one just below.
    let now = secs(60) + Duration::from_nanos(1);
    pool.put(session(3), now).unwrap();
    assert_eq!(epk(pool.take(secs(90)).unwrap()), epk(session(2)));
    assert_eq!(epk(pool.take(secs(90)).unwrap()), epk(session(3)));
    pool.put(session(4), secs(90)).unwrap();
    assert!(pool.take(secs(151)).is_none() && pool.is_empty());
    pool.put(session(5), Duration::MAX).unwrap();
    assert!(pool.take(Duration::MAX).is_some());
}

#[test]
fn after_the_clock_goes_back_sessions_count_as_new() {
    let mut pool = SessionPool::<3>::new(secs(60));
    pool.put(session(1), secs(100)).unwrap();
    pool.put(session(2), secs(10)).unwrap();
    pool.put(session(3), secs(100)).unwrap();
    assert_eq!(epk(pool.take(secs(0)).unwrap()), epk(session(1)));
    // Each is checked in turn: the second is too old, the third is not.
    assert_eq!(epk(pool.take(secs(71)).unwrap()), epk(session(3)));
    assert!(pool.is_empty());
}
