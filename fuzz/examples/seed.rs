//! Writes the seed corpora from the golden keys: `cargo run --example seed`, in `fuzz`.
//!
//! `corpus` then holds nothing else: what a fuzzer found there before is gone.

use std::{collections::HashMap, fs, path::Path};

use apikee_fuzz::support::{self, OTHER_SECRET, SECRET};
use serde_json::Value;

/// Vectors of one kind that make seeds; the others of it are much the same.
const OF_A_KIND: usize = 4;

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let corpus = root.join("corpus");
    if corpus.exists() {
        fs::remove_dir_all(&corpus).unwrap();
    }
    let write = |target: &str, name: &str, seed: &[u8]| {
        let folder = corpus.join(target);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(name), seed).unwrap();
    };

    let file = fs::read_to_string(root.join("../tests/vectors/keys.json")).unwrap();
    let file: Value = serde_json::from_str(&file).unwrap();
    let mut of_kind: HashMap<&str, usize> = HashMap::new();
    for vector in file["vectors"].as_array().unwrap() {
        let name = vector["name"].as_str().unwrap();
        let (kind, number) = name.rsplit_once('-').unwrap();
        let numbered = number.starts_with(|c: char| c.is_ascii_digit());
        let seen = of_kind.entry(if numbered { kind } else { name }).or_default();
        *seen += 1;
        if *seen > OF_A_KIND {
            continue;
        }

        let name = name.replace('\'', "b");
        let key = vector["key"].as_str().unwrap();
        let Some(payload) = signed_payload(vector) else {
            write("verify", &name, key.as_bytes());
            continue;
        };
        // What a payload must be is for the targets of its encoding.
        if *seen == 1 && !name.contains("-shape-") {
            let secret = if of_a_retired_secret(vector) { OTHER_SECRET } else { SECRET };
            write("verify", &name, support::key(secret, &payload).as_bytes());
        }
        write(if vector["format"] == "json" { "json" } else { "msgpack" }, &name, &payload);
        if vector["expect"]["ok"] == true && vector["format"] == "json" {
            write("issue_verify", &name, &asked(vector));
        }
    }

    for (name, seed) in base62_seeds() {
        write("base62", &name, &seed);
    }
}

/// The payload, if one of the vector's secrets has signed it.
fn signed_payload(vector: &Value) -> Option<Vec<u8>> {
    let (payload, signature) = vector["key"].as_str()?.strip_prefix("apikee_")?.split_once('.')?;
    let payload = support::base62_decode(payload.as_bytes())?;
    let secrets = vector["secrets"].as_array()?.iter().filter_map(Value::as_str);
    secrets
        .map(|secret| support::base62(&support::tag(secret.as_bytes(), &payload)))
        .any(|tag| tag.trim_start_matches('0') == signature)
        .then_some(payload)
}

fn of_a_retired_secret(vector: &Value) -> bool {
    let first = vector["secrets"][0].as_str().unwrap();
    let payload = signed_payload(vector).unwrap();
    support::key(first.as_bytes(), &payload) != vector["key"]
}

/// What `issue_verify` reads.
fn asked(vector: &Value) -> Vec<u8> {
    let expected = &vector["expect"];
    let scopes: Vec<&str> = expected["scopes"].as_array().unwrap().iter().filter_map(Value::as_str).take(7).collect();
    let (exp, nbf) = (expected["expires_at"].as_i64(), expected["not_before"].as_i64());
    let flags = u8::from(exp.is_some()) | u8::from(nbf.is_some()) << 2 | (scopes.len() as u8) << 3;
    let mut seed = vec![flags];
    for time in [vector["now"].as_i64(), exp, nbf] {
        seed.extend(time.unwrap_or(0).to_be_bytes());
    }
    let texts = [expected["tenant"].as_str().unwrap(), expected["environment"].as_str().unwrap()];
    for text in texts.into_iter().chain(scopes) {
        let text = &text.as_bytes()[..text.len().min(255)];
        seed.push(text.len() as u8);
        seed.extend(text);
    }
    seed.extend(expected["meta"].to_string().bytes());
    seed
}

/// Numbers where carries ripple, with each kind of tag and with leading zeros.
fn base62_seeds() -> Vec<(String, Vec<u8>)> {
    let mut seeds = Vec::new();
    for bits in [8, 56, 64, 256, 384, 392, 448, 768, 1176, 1536, 1568, 3136] {
        let power = [vec![1], vec![0; bits / 8]].concat();
        let below = vec![0xFF; bits / 8];
        for (name, number) in [("power", power), ("below", below)] {
            seeds.push((format!("two-{bits}-{name}"), [&[0, 0, 0][..], &number].concat()));
        }
    }
    for digits in [8, 10, 16, 32, 43, 60, 64, 65, 128, 192, 255, 256, 257, 320, 512, 513] {
        let power = "1".to_owned() + &"0".repeat(digits);
        let below = "z".repeat(digits);
        for (name, text) in [("power", power), ("below", below)] {
            let number = support::base62_decode(text.as_bytes()).unwrap();
            seeds.push((format!("62-{digits}-{name}"), [&[0, 0, 0][..], &number].concat()));
        }
    }
    for (name, zeros, mode, tag) in [
        ("zeros-payload", 1, 0, vec![]),
        ("zeros-signature", 4, 0, vec![]),
        ("zeros-both", 15, 2, vec![0; 32]),
        ("tag-other", 0, 1, vec![]),
        ("tag-none", 0, 2, vec![]),
        ("tag-zero", 0, 2, vec![0]),
        ("tag-short", 0, 2, vec![7; 31]),
        ("tag-largest", 0, 2, vec![0xFF; 32]),
        ("tag-past-256-bits", 0, 2, [vec![1], vec![0; 32]].concat()),
        ("tag-padded", 0, 2, [vec![0; 8], vec![0xFF; 32]].concat()),
    ] {
        seeds.push((name.to_owned(), [&[zeros, mode, tag.len() as u8][..], &tag, b"{\"id\":\"1\"}"].concat()));
    }
    seeds.push(("payload-none".to_owned(), vec![0, 0, 0]));
    seeds.push(("payload-zero".to_owned(), vec![0, 0, 0, 0, 0]));
    seeds
}
