//! Envelopes according to docs/WIRE.md, "Envelopes", made by a second implementation of each part: X25519 of
//! `ed25519-compact`, HKDF and AES-GCM of `ring`, and base64 of `base64`.

use apikee::envelope::{EstablishError, OpenError, Recipient, ServerKey, Session, sealed_len};
use arbitrary::{Result, Unstructured};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use ed25519_compact::x25519::{PublicKey, SecretKey};
use rand_core::{TryCryptoRng, TryRng};
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    hkdf::{HKDF_SHA256, Salt},
};

/// Returns these bytes, and then fails.
struct Given<'a>(&'a [u8]);

#[derive(Debug)]
struct Exhausted;

impl core::fmt::Display for Exhausted {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("no more bytes")
    }
}

impl core::error::Error for Exhausted {}

impl TryRng for Given<'_> {
    type Error = Exhausted;

    fn try_next_u32(&mut self) -> core::result::Result<u32, Exhausted> {
        rand_core::utils::next_word_via_fill(self)
    }

    fn try_next_u64(&mut self) -> core::result::Result<u64, Exhausted> {
        rand_core::utils::next_word_via_fill(self)
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> core::result::Result<(), Exhausted> {
        let (given, rest) = self.0.split_at_checked(out.len()).ok_or(Exhausted)?;
        out.copy_from_slice(given);
        self.0 = rest;
        Ok(())
    }
}

/// This is not a secure generator: its bytes come from the input.
impl TryCryptoRng for Given<'_> {}

pub fn body(input: &[u8]) {
    let _ = check(&mut Unstructured::new(input));
}

fn check(u: &mut Unstructured<'_>) -> Result<()> {
    let (server_secret, secret): ([u8; 32], [u8; 32]) = (u.arbitrary()?, u.arbitrary()?);
    let (iv, answer_iv): ([u8; 12], [u8; 12]) = (u.arbitrary()?, u.arbitrary()?);
    check_public_key(u)?;

    let recipient = Recipient::new(server_secret);
    let server = public(server_secret);
    assert_eq!(*recipient.public_key(), server);
    let client = public(secret);
    let key = session_key(&server, secret).expect("the server's own key is good");
    assert_eq!(session_key(&client, server_secret), Some(key));

    // The library and the second implementation seal the same request.
    let server_key = ServerKey::from_bytes(server).unwrap();
    assert_eq!(Session::establish(&server_key, &mut Given(&secret[..31])).err(), Some(EstablishError));
    let session = Session::establish(&server_key, &mut Given(&secret)).unwrap();
    let request: &[u8] = plaintext(u)?;
    let mut buf = vec![0; sealed_len(request.len())];
    let (sealed, pending) = session.seal(request, &mut Given(&iv), &mut buf).unwrap();
    let expected = envelope(&client, &iv, &seal(&key, iv, request));
    assert_eq!(sealed, expected);

    // The server opens it, and answers.
    let mut received = expected.into_bytes();
    let (opened, reply) = recipient.open(&mut received).expect("the envelope is genuine");
    assert_eq!(opened, request);
    let text: &[u8] = plaintext(u)?;
    let mut buf = vec![0; sealed_len(text.len())];
    let answer = reply.seal(text, &mut Given(&answer_iv), &mut buf).unwrap();
    assert_eq!(answer, envelope(&server, &answer_iv, &seal(&key, answer_iv, text)));

    // An answer with parts that may be wrong.
    let version = if u.ratio(1, 16)? { "2" } else { "1" };
    let epk = match u.int_in_range(0..=15)? {
        0 => client,
        1 => u.arbitrary()?,
        _ => server,
    };
    let nonce = match u.int_in_range(0..=7)? {
        0 => iv,
        _ => answer_iv,
    };
    let mut wrong_key = key;
    let has_wrong_key = u.ratio(1, 16)?;
    if has_wrong_key {
        wrong_key[u.choose_index(32)?] ^= u.int_in_range(1..=255)?;
    }
    let mut sealed = seal(&wrong_key, nonce, text);
    let is_changed = u.ratio(1, 8)?;
    if is_changed {
        let at = u.choose_index(sealed.len())?;
        sealed[at] ^= u.int_in_range(1..=255)?;
    }
    let expected = match () {
        () if version != "1" => Err(OpenError::Version),
        () if epk != server => Err(OpenError::WrongKey),
        () if nonce == iv => Err(OpenError::Reflected),
        () if has_wrong_key || is_changed => Err(OpenError::Forged),
        () => Ok(text),
    };
    let mut answer = spelt(version, &epk, &nonce, &sealed, u)?.into_bytes();
    let opened = pending.open(&mut answer);
    assert_eq!(opened.as_ref().map(|opened| opened.as_bytes()).map_err(|error| *error), expected);
    Ok(())
}

fn plaintext<'u>(u: &mut Unstructured<'u>) -> Result<&'u [u8]> {
    let len = u.int_in_range(0..=96)?.min(u.len());
    u.bytes(len)
}

/// Checks that a public key is refused exactly if it gives no shared secret.
fn check_public_key(u: &mut Unstructured<'_>) -> Result<()> {
    let mut point: [u8; 32] = [0; 32];
    match u.int_in_range(0..=3)? {
        // Of low order, and close to it.
        0 => point[0] = u.int_in_range(0..=1)?,
        1 => {
            point = [0xFF; 32];
            (point[0], point[31]) = (u.int_in_range(0xEB..=0xEF)?, if u.arbitrary()? { 0x7F } else { 0xFF });
        }
        _ => point = u.arbitrary()?,
    }
    assert_eq!(ServerKey::from_bytes(point).is_ok(), session_key(&point, [7; 32]).is_some(), "{point:?}");
    Ok(())
}

fn public(secret: [u8; 32]) -> [u8; 32] {
    *SecretKey::new(secret).recover_public_key().unwrap()
}

/// `None` if there is no shared secret.
fn session_key(theirs: &[u8; 32], own: [u8; 32]) -> Option<[u8; 32]> {
    // RFC 7748, section 5: the highest bit has no meaning.
    let mut theirs = *theirs;
    theirs[31] &= 0x7F;
    let shared = PublicKey::new(theirs).dh(&SecretKey::new(own)).ok()?;
    let mut key = [0; 32];
    let prk = Salt::new(HKDF_SHA256, &[]).extract(&shared[..]);
    prk.expand(&[b"apikee-v1"], HKDF_SHA256).unwrap().fill(&mut key).unwrap();
    Some(key)
}

/// The ciphertext, followed by its tag.
fn seal(key: &[u8; 32], iv: [u8; 12], plaintext: &[u8]) -> Vec<u8> {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).unwrap());
    let mut sealed = plaintext.to_vec();
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(iv), Aad::empty(), &mut sealed).unwrap();
    sealed
}

fn envelope(epk: &[u8; 32], iv: &[u8; 12], sealed: &[u8]) -> String {
    let [epk, iv, ct] = [&epk[..], iv, sealed].map(|bytes| BASE64.encode(bytes));
    format!(r#"{{"v":"1","epk":"{epk}","iv":"{iv}","ct":"{ct}"}}"#)
}

/// The same envelope in another order, with white space, escapes and unknown members.
fn spelt(version: &str, epk: &[u8; 32], iv: &[u8; 12], sealed: &[u8], u: &mut Unstructured<'_>) -> Result<String> {
    let [epk, iv, ct] = [&epk[..], iv, sealed].map(|bytes| BASE64.encode(bytes));
    let mut members = vec![("v", version), ("epk", &epk), ("iv", &iv), ("ct", &ct)];
    if u.ratio(1, 8)? {
        members.push((*u.choose(&["", "kid", "V", "ct2", "e"])?, "a\"\\b"));
    }
    for at in 0..members.len() {
        let other = if u.ratio(1, 8)? { u.choose_index(members.len())? } else { at };
        members.swap(at, other);
    }
    let mut spelt = Vec::new();
    for (name, value) in members {
        let mut blank = || u.ratio(1, 16).map(|some| if some { " \n" } else { "" });
        let [a, b, c, d] = [blank()?, blank()?, blank()?, blank()?];
        let name = if u.ratio(1, 16)? { escaped(name) } else { serde_json::to_string(name).unwrap() };
        spelt.push(format!("{a}{name}{b}:{c}{}{d}", serde_json::to_string(value).unwrap()));
    }
    Ok(format!("{{{}}}", spelt.join(",")))
}

fn escaped(text: &str) -> String {
    let units: String = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
    format!("\"{units}\"")
}
