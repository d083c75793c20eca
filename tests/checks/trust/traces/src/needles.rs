//! The secrets, and all values from which an attacker could use them.

use std::{collections::HashMap, fs, path::Path};

use apikee::{
    Expiry, Keyring, NewKey, UnixTime,
    emulator::{EmulatedClient, Emulator},
    protocol::{ClientId, ProjectKey},
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256, block_api::compress256};
use x25519_dalek::{PublicKey, StaticSecret};

use crate::{memory::PART, subject::Counting};

pub const CLIENT: &str = "497f6eca-6276-4993-bfeb-53cbbbba6f08";
const NOW: UnixTime = UnixTime::from_secs(1_760_000_000);
const YEAR_2100: UnixTime = UnixTime::from_secs(4_102_444_800);

/// A part of the answer to a question about a request, and of nothing else.
pub const ANSWER: &[u8] = b"GET:::/users\",\"project_env\":\"";

/// The first characters of a raw key may stay in memory: see `log_prefix`.
const LOG_PREFIX_LEN: usize = 12;

pub struct Needles {
    names: Vec<String>,
    /// Which needle each part belongs to.
    parts: HashMap<[u8; PART], usize>,
    /// Whether a part begins with these two bytes.
    begins: Vec<bool>,
    server: StaticSecret,
}

/// A generator that always gives the same numbers (Marsaglia's xorshift64).
struct Xorshift(u64);

impl Xorshift {
    fn byte(&mut self) -> u8 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 32) as u8
    }

    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.byte())
    }

    fn text(&mut self, len: usize) -> String {
        let letters = b"abcdefghijklmnopqrstuvwxyz234567";
        (0..len).map(|_| char::from(letters[usize::from(self.byte() % 32)])).collect()
    }
}

impl Needles {
    /// Makes the secrets, and writes each to a file with its name.
    pub fn make(dir: &Path) -> Self {
        let mut rng = Xorshift(0x7472_6163_6573);
        let server = StaticSecret::from(rng.bytes());
        let mut this = Self { names: Vec::new(), parts: HashMap::new(), begins: vec![false; 1 << 16], server };
        let write = |name: &str, bytes: &[u8]| fs::write(dir.join(name), bytes).expect("a file");

        for (file, name, len) in [("signing", "signing secret", 64), ("older", "older signing secret", 100)] {
            let secret = rng.text(len);
            write(file, secret.as_bytes());
            this.add(name, secret.as_bytes());
            this.add_mac_key(name, secret.as_bytes());
        }
        let project = format!("sk_test_{}", rng.text(40));
        write("project", project.as_bytes());
        this.add("project key", &project.as_bytes()["sk_test_".len()..]);

        let keys = Keyring::new(&fs::read(dir.join("signing")).expect("a secret")).expect("a secret");
        let other = Keyring::new(b"another secret").expect("a secret");
        let new = |expires| NewKey::new(CLIENT).scopes(&["read"]).expires(expires);
        for (file, keys, new) in [
            ("good", &keys, new(Expiry::Never)),
            ("expired", &keys, new(Expiry::At(UnixTime::from_secs(1_760_000_001)))),
            ("early", &keys, new(Expiry::Never).not_before(YEAR_2100)),
            ("forged", &other, new(Expiry::Never)),
        ] {
            let key = keys.issue_string(&new, NOW, &mut Counting(rng.byte())).expect("a key");
            write(file, key.as_bytes());
            this.add("raw key", &key.as_bytes()[LOG_PREFIX_LEN..]);
        }
        write("malformed", b"apikee_this.is!no@key");

        let plaintext = rng.text(100);
        write("plaintext", plaintext.as_bytes());
        this.add("plaintext", plaintext.as_bytes());
        this.add("opened answer", ANSWER);
        write("server", this.server.clone().as_bytes());
        this.add("server's own secret", this.server.clone().as_bytes());
        for file in ["ephemeral", "ephemeral-2", "ephemeral-3"] {
            let ephemeral = rng.bytes();
            write(file, &ephemeral);
            this.add("ephemeral secret", &ephemeral);
            let public_key = PublicKey::from(&StaticSecret::from(ephemeral));
            this.add_sessions(&[public_key.to_bytes()]);
        }
        write("server-public", PublicKey::from(&this.server).as_bytes());
        for planted in ["planted-heap", "planted-stack", "planted-thread"] {
            let secret = rng.text(200);
            write(planted, secret.as_bytes());
            this.add(planted, secret.as_bytes());
        }
        this
    }

    /// The platform for these secrets.
    pub fn emulator(&self, dir: &Path) -> Emulator {
        let project = fs::read_to_string(dir.join("project")).expect("a secret");
        let builder = Emulator::builder().secret(self.server.to_bytes());
        let emulator = builder.project_key(ProjectKey::new(&project).expect("a key")).start().expect("an emulator");
        emulator.add_client(ClientId::new(CLIENT).expect("an id"), EmulatedClient::new("acme-corp"));
        emulator
    }

    /// Adds the keys of the sessions with these public keys, computed as docs/WIRE.md, "Envelopes", says.
    pub fn add_sessions(&mut self, public_keys: &[[u8; 32]]) {
        for public_key in public_keys {
            let shared = self.server.diffie_hellman(&PublicKey::from(*public_key)).to_bytes();
            let extracted = tag(&[0; 32], &shared);
            self.add("shared secret", &shared);
            self.add("extracted key", &extracted);
            self.add_mac_key("extracted key", &extracted);
            self.add("session key", &tag(&extracted, b"apikee-v1\x01"));
        }
    }

    /// Adds the values that HMAC derives from a key (RFC 2104, section 2): the padded keys and the states after them.
    fn add_mac_key(&mut self, name: &str, secret: &[u8]) {
        let key = if secret.len() <= 64 { secret.to_vec() } else { Sha256::digest(secret).to_vec() };
        for pad in [0x36, 0x5c] {
            self.add(&format!("{name}, padded"), &key.iter().map(|byte| byte ^ pad).collect::<Vec<u8>>());
            let mut block = [pad; 64];
            block.iter_mut().zip(&key).for_each(|(byte, own)| *byte ^= own);
            let mut state = [
                0x6a09_e667,
                0xbb67_ae85,
                0x3c6e_f372,
                0xa54f_f53a,
                0x510e_527f,
                0x9b05_688c,
                0x1f83_d9ab,
                0x5be0_cd19,
            ];
            compress256(&mut state, &[block]);
            let state: Vec<u8> = state.iter().flat_map(|word: &u32| word.to_be_bytes()).collect();
            self.add(&format!("{name}, HMAC state"), &state);
        }
    }

    /// Adds a secret in two forms: its bytes, and the big-endian 32-bit words that SHA-256 reads.
    fn add(&mut self, name: &str, secret: &[u8]) {
        let at = self.names.iter().position(|own| own == name).unwrap_or_else(|| {
            self.names.push(name.into());
            self.names.len() - 1
        });
        let swapped: Vec<u8> = secret.chunks(4).flat_map(|word| word.iter().rev().copied()).collect();
        for part in [secret, &swapped].iter().flat_map(|form| form.windows(PART)) {
            self.parts.insert(part.try_into().expect("its length"), at);
            self.begins[usize::from(u16::from_le_bytes([part[0], part[1]]))] = true;
        }
    }

    fn needle_at(&self, bytes: &[u8], at: usize) -> Option<usize> {
        let part = bytes.get(at..at + PART)?.first_chunk()?;
        if self.begins[usize::from(u16::from_le_bytes([part[0], part[1]]))] {
            self.parts.get(part).copied()
        } else {
            None
        }
    }

    /// Finds the secrets in these bytes. Returns their names, offsets and numbers of consecutive bytes.
    pub fn find_in(&self, bytes: &[u8]) -> Vec<(&str, usize, usize)> {
        let mut found = Vec::new();
        let mut at = 0;
        while at + PART <= bytes.len() {
            let Some(needle) = self.needle_at(bytes, at) else {
                at += 1;
                continue;
            };
            let start = at;
            while self.needle_at(bytes, at) == Some(needle) {
                at += 1;
            }
            found.push((&*self.names[needle], start, at - start + PART - 1));
        }
        found
    }
}

pub fn tag(secret: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("any length");
    mac.update(message);
    mac.finalize().into_bytes().into()
}
