//! Compares a key with a signed token (JWT, HS256) with the same claims, which other crates verify.
//!
//! All of them verify an HMAC-SHA256, read the claims, and compare the expiry with the clock. `floor` is the HMAC of a
//! payload of the same length, from a state that already has the key.

use std::hint::black_box;

use apikee::{Expiry, Keyring, NewKey, UnixTime, issue_buffer_len, meta::JsonObject};
use criterion::{Criterion, criterion_group, criterion_main};
use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Validation};
use jwt_compact::{
    AlgorithmExt as _, TimeOptions, UntrustedToken,
    alg::{Hs256, Hs256Key},
};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

const SECRET: &[u8] = b"2014e90b82285ea7888b4a091409ecfcd6a6536fc62d5dcf3e1fd31f6bf54ea1";
const ID: &str = "31GnZ1t7ZX2ye5UxqDDBe";
const META: &str = r#"{"plan":"professional"}"#;

/// The claims of a key, with the same names.
#[derive(Serialize, Deserialize)]
struct Claims {
    id: String,
    tid: String,
    scp: Vec<String>,
    env: String,
    exp: i64,
    meta: Meta,
}

/// The same for `jwt-compact`, which reads the expiry itself.
#[derive(Deserialize)]
#[expect(dead_code, reason = "the claims are read but not used")]
struct WithoutExpiry {
    id: String,
    tid: String,
    scp: Vec<String>,
    env: String,
    meta: Meta,
}

#[derive(Serialize, Deserialize)]
struct Meta {
    plan: String,
}

/// A key and a token with the same claims, which expire in 90 days.
fn made() -> (String, String) {
    let now = UnixTime::now();
    let exp = now.as_secs() + 90 * 86_400;
    let new = NewKey::new("acme-corp")
        .scopes(&["read", "write"])
        .expires(Expiry::At(UnixTime::from_secs(exp)))
        .meta(JsonObject::new(META).unwrap());
    let mut buf = [0; issue_buffer_len(256)];
    // One of 256 ids cannot be used with the same claims, because the signature would start with a zero byte.
    let ids = [ID, "31GnZ1t7ZX2ye5UxqDDBf"];
    let (id, key) = ids
        .into_iter()
        .find_map(|id| {
            Some((id, Keyring::new(SECRET).unwrap().issue_with_id(&new, id, now, &mut buf).ok()?.to_owned()))
        })
        .unwrap();
    let claims = Claims {
        id: id.to_owned(),
        tid: "acme-corp".to_owned(),
        scp: ["read", "write"].map(str::to_owned).to_vec(),
        env: "production".to_owned(),
        exp,
        meta: Meta { plan: "professional".to_owned() },
    };
    let header = jsonwebtoken::Header::new(Algorithm::HS256);
    (key, jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(SECRET).unwrap()).unwrap())
}

/// The same text with a changed last character, which is part of the signature.
fn forged(text: &str) -> String {
    // Only four bits of a token's last character are significant.
    let last = if text.ends_with('A') { 'Q' } else { 'A' };
    format!("{}{last}", &text[..text.len() - 1])
}

fn verify(c: &mut Criterion) {
    let (key, token) = made();
    let (bad_key, bad_token) = (forged(&key), forged(&token));

    let keys = Keyring::new(SECRET).unwrap();
    let decoding = DecodingKey::from_secret(SECRET).unwrap();
    let mut validation = Validation::new(Algorithm::HS256);
    validation.leeway = 0;
    validation.validate_nbf = true;
    let hs256_key = Hs256Key::new(SECRET);
    let options = TimeOptions::default();

    let jsonwebtoken = |token: &str| jsonwebtoken::decode::<Claims>(token, &decoding, &validation).ok();
    let jwt_compact = |token: &str| {
        let untrusted = UntrustedToken::new(token).ok()?;
        let token = Hs256.validator::<WithoutExpiry>(&hs256_key).validate(&untrusted).ok()?;
        token.claims().validate_expiration(&options).ok()?;
        Some(token)
    };

    // All must return the same claims.
    let mut buf = [0; 1024];
    let verified = keys.verify(&key, UnixTime::now(), &mut buf).unwrap();
    let theirs = jsonwebtoken(&token).unwrap().claims;
    assert_eq!(verified.claims().tenant(), theirs.tid);
    assert_eq!(verified.claims().id(), theirs.id);
    assert_eq!(verified.claims().environment(), theirs.env);
    assert!(verified.require(&["read", "write"]).is_ok());
    assert_eq!(verified.claims().expires_at().map(UnixTime::as_secs), Some(theirs.exp));
    assert_eq!(jwt_compact(&token).unwrap().claims().custom.tid, theirs.tid);
    assert!(keys.verify(&bad_key, UnixTime::now(), &mut buf).is_err());
    assert!(jsonwebtoken(&bad_token).is_none() && jwt_compact(&bad_token).is_none());

    let mut group = c.benchmark_group("compare_verify");
    let keyed = Hmac::<Sha256>::new_from_slice(SECRET).unwrap();
    let payload = [b'p'; 135];
    group.bench_function("floor", |b| {
        b.iter(|| {
            let mut mac = keyed.clone();
            mac.update(black_box(&payload));
            mac.finalize()
        });
    });
    for (name, key, token) in [("good", &key, &token), ("forged", &bad_key, &bad_token)] {
        group.bench_function(format!("{name}/apikee"), |b| {
            b.iter(|| keys.verify(black_box(key), UnixTime::now(), &mut buf).map(|key| key.secret_index()));
        });
        group.bench_function(format!("{name}/apikee_owned"), |b| {
            b.iter(|| keys.verify(black_box(key), UnixTime::now(), &mut buf).map(|key| key.to_owned()));
        });
        group.bench_function(format!("{name}/jsonwebtoken"), |b| b.iter(|| jsonwebtoken(black_box(token))));
        group.bench_function(format!("{name}/jwt_compact"), |b| b.iter(|| jwt_compact(black_box(token))));
    }
    group.finish();
}

criterion_group!(benches, verify);
criterion_main!(benches);
