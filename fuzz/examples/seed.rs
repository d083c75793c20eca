//! Writes the seed corpora from the golden keys, envelopes and requests: `cargo run --example seed`, in `fuzz`.
//!
//! Inputs in the same folders that a fuzzer found are kept.

use std::{collections::HashMap, fs, path::Path};

use apikee_fuzz::{
    bodies::envelope,
    support::{self, OTHER_SECRET, SECRET, Xorshift},
};
use serde_json::Value;

/// The number of vectors of one kind that become seeds. The others are similar.
const OF_A_KIND: usize = 4;

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let corpus = root.join("corpus");
    let write = |target: &str, name: &str, seed: &[u8]| {
        let folder = corpus.join(target);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(name), seed).unwrap();
    };

    let vectors = |name: &str| -> Value {
        let file = fs::read_to_string(root.join("../tests/vectors").join(name)).unwrap();
        serde_json::from_str(&file).unwrap()
    };
    let file = vectors("keys.json");
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
        // `verify` needs only one payload of a kind. The targets of the encodings test payloads.
        if *seen == 1 && !name.contains("-shape-") {
            let secret = if of_a_retired_secret(vector) { OTHER_SECRET } else { SECRET };
            write("verify", &name, support::key(secret, &payload).as_bytes());
        }
        write(if vector["format"] == "json" { "json" } else { "msgpack" }, &name, &payload);
        if vector["expect"]["ok"] == true && vector["format"] == "json" {
            write("issue_verify", &name, &asked(vector));
        }
    }

    for (at, (path, fields)) in GUARDED.iter().enumerate() {
        for bearer in [0, 1] {
            write("guard", &format!("guard-{at}-{bearer}"), &guarded(bearer, path, fields));
        }
    }

    for (name, seed) in base62_seeds() {
        write("base62", &name, &seed);
    }

    let file = vectors("envelopes.json");
    let responses = || file["vectors"].as_array().unwrap().iter().filter(|vector| vector["kind"] == "response");
    let plaintext = envelope::plaintext(envelope::PLAINTEXT_LEN);
    for (target, genuine) in
        [("open_client", envelope::answer(&plaintext)), ("open_recipient", envelope::request(&plaintext).0)]
    {
        for vector in responses() {
            let seed = [&[0][..], with_our_parts(vector, &genuine).as_bytes()].concat();
            write(target, vector["name"].as_str().unwrap(), &seed);
        }
        for (name, seed) in EDITS {
            write(target, name, seed);
        }
    }
    for vector in responses() {
        if let Some(plaintext) = vector["plaintext"].as_str() {
            write("answer", vector["name"].as_str().unwrap(), plaintext.as_bytes());
        }
    }
    for (name, answer) in ANSWERS {
        write("answer", name, answer.as_bytes());
    }
    for (at, exchange) in vectors("http.json")["exchanges"].as_array().unwrap().iter().enumerate() {
        for (kind, name) in ["validate", "create", "register", "find"].iter().enumerate() {
            write("request", &format!("{name}-{at}"), &members(kind as u8, exchange));
        }
    }
    // Kind, flags, time and seven texts are zeros, so the maximum length is zero. Then come three pairs.
    write("request", "never-cut", &[&[0; 17][..], b"\x010\x03key\x011\x0b203.0.113.9\x012\x0b203.0.113.9"].concat());
    for (name, seed) in breaker_seeds() {
        write("breaker", &name, &seed);
    }
    for (name, seed) in refusal_seeds() {
        write("refusals", &name, &seed);
    }
    for (name, seed) in parts(&[], 400) {
        write("payload", &name, &seed);
    }
    for (name, seed) in parts(&[], 260) {
        write("sealed", &name, &seed);
    }
    for (name, seed) in parts(&[], 60) {
        write("authorize", &name, &seed);
    }
    for (at, path) in PATHS.iter().enumerate() {
        write("percent", &format!("path-{at:02}"), path.as_bytes());
    }
    for (name, seed) in parts(b"#", 160) {
        write("transport", &name, &seed);
    }
    for (name, answer) in HTTP {
        write("transport", name, answer.as_bytes());
    }
}

/// Prefixes for the targets that build their input from parts. Any bytes may follow.
fn parts(front: &[u8], len: usize) -> Vec<(String, Vec<u8>)> {
    let mut rng = Xorshift(0xD1B5_4A32_D192_ED03);
    let seeds = (0..24).map(|at| (format!("parts-{at:02}"), [front, &bytes(&mut rng, len)].concat()));
    seeds.collect()
}

fn bytes(rng: &mut Xorshift, len: usize) -> Vec<u8> {
    (0..len).map(|_| rng.word() as u8).collect()
}

const PATHS: [&str; 24] = [
    "",
    "/",
    "users",
    "/users/7?page=2",
    "/users#top",
    "/health",
    "/health?a",
    "/a%2fb%c3%a9%3F%23%25",
    "/%2d%2E%5f%7E",
    "/%41%7a%30",
    "/%2541",
    "/%25%34%31",
    "/%%41",
    "/%4%31",
    "/%",
    "/%4",
    "/%zz%+1",
    "/a b+c",
    "/caf\u{e9}/\u{1F600}",
    "/{id}",
    "//a//b/../c/./",
    "/%00%0d%0a",
    "/!$&'()*,;=:@",
    "/%ff%FE",
];

/// Complete and incomplete answers of a server.
const HTTP: [(&str, &str); 12] = [
    ("http-length", "HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{\"success\":true}"),
    ("http-chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"),
    (
        "http-chunk-too-large",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{}\r\n0\r\n\r\n",
    ),
    ("http-close", "HTTP/1.0 200 OK\r\n\r\n{}"),
    ("http-early", "HTTP/1.1 103 Early Hints\r\nLink: </>\r\n\r\nHTTP/1.1 429 Slow\r\nRetry-After: 7\r\n\r\n"),
    ("http-switch", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nabc"),
    ("http-two-lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{} "),
    ("http-both", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"),
    ("http-redirect", "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"),
    ("http-no-content", "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n{}"),
    ("http-folded", "HTTP/1.1 200 OK\r\nX-A: a\r\n b\r\nContent-Length: 0\r\n\r\n"),
    ("http-none", "SSH-2.0-OpenSSH_9.2\r\n"),
];

/// Edits of a genuine envelope: the mode, the length of the plaintext, and then a position, an operation and its byte.
const EDITS: [(&str, &[u8]); 10] = [
    ("edit-none", &[1, 40]),
    ("edit-none-empty", &[1, 0]),
    ("edit-none-a-chunk", &[1, 32]),
    ("edit-none-past-a-chunk", &[1, 33]),
    ("edit-none-longest", &[1, 255]),
    ("edit-space-in-front", &[1, 40, 0, 0, 0, b' ']),
    ("edit-highest-bit", &[1, 40, 0, 57, 1, b'w']),
    ("edit-nonce", &[1, 40, 0, 70, 1, b'_']),
    ("edit-truncated", &[1, 40, 0, 150, 2, 0]),
    ("edit-without-some", &[1, 40, 0, 120, 3, 4]),
];

const ANSWERS: [(&str, &str); 23] = [
    (
        "all",
        r#"{"success":false,"clientId":"a\u00e9\"","project_env":"","method_path":"GET:::\/users","durationMs":12.9,"code":"RATE_LIMITED","message":"a\nb"}"#,
    ),
    ("nulls", r#"{"success":true,"clientId":null,"project_env":null,"durationMs":null,"code":null}"#),
    ("error", r#"{"success":false,"error":"RATE_LIMITED","code":7,"message":"slow\ndown"}"#),
    (
        "wrong-types",
        r#"{"success":true,"clientId":7,"durationMs":"3","project_env":{},"method_path":[1],"error":false}"#,
    ),
    (
        "list",
        r#"{"data":[{"id":"11111111-2222-4333-8444-555555555555","name":"acme-corp-staging"},{"id":"497f6eca-6276-4993-bfeb-53cbbbba6f08","name":"acme-corp","keys":[{"name":"default"}]}],"pagination":{"total":2}}"#,
    ),
    (
        "list-several",
        r#"{"data":[{"id":"11111111-2222-4333-8444-555555555555","name":"acme-corp"},{"name":"acme-corp","id":"497f6eca-6276-4993-bfeb-53cbbbba6f08"}]}"#,
    ),
    (
        "list-one-twice",
        r#"{"success":true,"data":[{"id":"497f6eca-6276-4993-bfeb-53cbbbba6f08","name":"acme-corp"},{"id":"497F6ECA-6276-4993-BFEB-53CBBBBA6F08","n\u0061me":"acme\u002dcorp"}]}"#,
    ),
    (
        "list-no-id",
        r#"{"data":[7,{"id":"acme","name":"acme-corp"},{"id":"497f6eca-6276-4993-bfeb-53cbbbba6f08","name":7}],"success":1}"#,
    ),
    ("list-refused", r#"{"success":false,"data":[]}"#),
    ("success-string", r#"{"success":"true"}"#),
    ("success-null", r#"{"success":null}"#),
    ("success-twice", r#"{"success":false,"success":true}"#),
    ("success-twice-escaped", r#"{"success":true,"succ\u0065ss":true}"#),
    ("success-nested", r#"{"data":{"success":true}}"#),
    ("inner-twice", r#"{"success":true,"x":{"a":1,"a":1}}"#),
    ("surrogates", r#"{"success":true,"message":"\ud83d\ude00 \ud83d"}"#),
    ("duration-largest", r#"{"success":true,"durationMs":18446744073709551615}"#),
    ("duration-exponent", r#"{"success":true,"durationMs":1.5E-5}"#),
    ("duration-negative", r#"{"success":true,"durationMs":-0.5}"#),
    ("code-number", r#"{"success":true,"code":403}"#),
    ("record", r#"{"id":"497f6eca-6276-4993-bfeb-53cbbbba6f08","name":"acme-corp","keys":[{"id":"x"}]}"#),
    ("record-answer", r#"{"success":true,"id":"497F6ECA-6276-4993-bfeb-53cbbbba6f08"}"#),
    ("record-no-uuid", r#"{"id":"497f6eca-6276-4993-bfeb-53cbbbba6f0/"}"#),
];

/// An envelope with the shape of the vector's. Parts that are not wrong in the vector come from our own envelope.
fn with_our_parts(vector: &Value, genuine: &str) -> String {
    let (name, text) = (vector["name"].as_str().unwrap(), vector["envelope"].as_str().unwrap());
    let genuine: Value = serde_json::from_str(genuine).unwrap();
    let Ok(Value::Object(theirs)) = serde_json::from_str(text) else {
        return text.to_owned();
    };
    let mut text = text.to_owned();
    for part in ["epk", "iv", "ct"] {
        let ours = genuine[part].as_str().unwrap();
        let is_wrong = name.contains(&format!("-{part}")) || name.starts_with(part);
        if let (Some(Value::String(theirs)), false) = (theirs.get(part), is_wrong) {
            text = text.replace(theirs, ours);
        }
    }
    text
}

/// Inputs of the target `request`.
fn members(kind: u8, exchange: &Value) -> Vec<u8> {
    let (target, body) = (exchange["target"].as_str().unwrap(), &exchange["body"]);
    let route = target.split_once("method_path=").map_or("get%3A%3A%3Ausers", |(_, route)| route);
    let (method, path) = route.split_once("%3A%3A%3A").unwrap();
    let object = [&body["payload"], &body["metadata"]].into_iter().find(|object| !object.is_null());
    let flags = 0b11_1010 | u8::from(object.is_some()) | u8::from(body["keys"][0]["expiresAt"].is_string()) << 2;
    let mut seed = vec![kind, flags];
    seed.extend(1_795_486_905_017_i64.to_be_bytes());
    let object = object.map(Value::to_string).unwrap_or_default();
    let name = body["name"].as_str().unwrap_or_default();
    let texts = ["my-app-production", method, path, name, &object, "apikee-python/0.1.2", "sk_test_example"];
    let headers = body["headers"].as_object().into_iter().flatten();
    let headers = headers.flat_map(|(name, value)| [name.as_str(), value.as_str().unwrap()]);
    let more = ["acme-corp-key", "203.0.113.0/24", "X-Api-Key", "a\"\\\u{1f}\u{e9}"];
    for text in texts.into_iter().chain(headers).chain(more) {
        seed.push(text.len() as u8);
        seed.extend(text.as_bytes());
    }
    seed
}

/// Requests of several clients. Many are refused or fail.
fn refusal_seeds() -> Vec<(String, Vec<u8>)> {
    let mut rng = Xorshift(0x2545_F491_4F6C_DD1D);
    let seeds = (0..32_u8).map(|at| {
        let mut seed = vec![at, 9 + at % 8, at % 6, at];
        seed.extend(bytes(&mut rng, 240));
        (format!("{at:02}"), seed)
    });
    seeds.collect()
}

/// Calls with several settings. Most fail, and some wait.
fn breaker_seeds() -> Vec<(String, Vec<u8>)> {
    let mut rng = Xorshift(0x9E37_79B9_7F4A_7C15);
    let mut seeds = Vec::new();
    for at in 0..24_u8 {
        let mut seed = vec![at % 5, 7 + at, 3 + at % 4, 20, at, 30];
        for _ in 0..60 {
            let step = [0, 0, 1, 2, 2, 2, 2, 5, 5, 5, 5, 7][rng.below(12)];
            seed.extend([step, rng.word() as u8 | u8::from(rng.below(3) > 0)]);
            if step == 5 {
                seed.push(rng.word() as u8);
            }
        }
        seeds.push((format!("calls-{at:02}"), seed));
    }
    seeds
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

/// An input of the target `issue_verify`.
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

/// Numbers with long carries, with each kind of tag and with leading zeros.
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

/// Paths and header fields of requests to a guard, in the form of its target: names as numbers, `K` for a good key.
const GUARDED: [(&str, &[(u8, &str)]); 12] = [
    ("/users", &[(0, "K")]),
    ("/users", &[(1, " K\t"), (6, "curl/8.5.0")]),
    ("/users", &[(0, "K"), (1, "K")]),
    ("/users", &[(0, "K, K")]),
    ("/users?x-api-key=K", &[]),
    ("/users", &[(2, "Bearer K")]),
    ("/users", &[(3, "bearer  K"), (0, "K")]),
    ("/users", &[(2, "Basic YTpi"), (0, "K")]),
    ("/health?a", &[]),
    ("/health/", &[(0, "apikee_1.2")]),
    ("/", &[(4, "198.51.100.1, 10.0.0.9"), (5, "[2001:db8::1]:443,2001:dbf::1")]),
    ("/", &[(4, "10.1.1.1,unknown,::ffff:10.2.3.4,"), (0, "K")]),
];

fn guarded(bearer: u8, path: &str, fields: &[(u8, &str)]) -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    let fields = fields.iter().flat_map(|(name, value)| [vec![*name], text(value)]);
    [vec![bearer], text(path), text("GET")].into_iter().chain(fields).flatten().collect()
}
