//! Every issued key verifies, has the wanted claims, and is valid at the right times.
//!
//! | input | |
//! |---|---|
//! | 1 byte | how it expires: the lowest two bits; bit 2: not before a time; the others: scopes |
//! | 3 times 8 bytes | now, expiry, not-before: big-endian |
//! | 1 byte `n`, then `n` bytes | tenant, environment and each scope, in UTF-8; other bytes are replaced |
//! | the rest | meta |

use std::{borrow::Cow, time::Duration};

use apikee::{
    Expiry, KeyError, Keyring, NewKey, UnixTime, issue_buffer_len,
    key::{Encoding, IssueError, MAX_PAYLOAD_LEN},
    meta::{InvalidJsonObject, JsonObject},
};
use serde_json::json;

use super::{
    claims::check_verified,
    model::{Claims, MAX_DEPTH, Tree},
    trees,
};
use crate::support::{self, OTHER_SECRET, SECRET, Xorshift};

pub fn body(input: &[u8]) {
    let mut input = Input(input);
    let flags = input.byte();
    let (now, exp, nbf) = (input.integer(), input.integer(), input.integer());
    let (tenant, environment) = (input.text(), input.text());
    let scopes: Vec<_> = (0..flags >> 3 & 7).map(|_| input.text()).collect();
    let meta = String::from_utf8_lossy(input.0);

    let expires = match flags & 3 {
        0 => Expiry::Never,
        1 => Expiry::At(UnixTime::from_secs(exp)),
        // Durations of a usual size, and any durations.
        2 => Expiry::After(Duration::from_secs((exp as u64) >> 32)),
        _ => Expiry::After(Duration::from_secs(exp as u64)),
    };
    check(&Wanted {
        tenant: &tenant,
        scopes: scopes.iter().map(AsRef::as_ref).collect(),
        environment: &environment,
        now,
        expires,
        not_before: (flags & 4 != 0).then_some(nbf),
        meta: &meta,
    });
}

/// The wanted claims of a key.
pub struct Wanted<'a> {
    pub tenant: &'a str,
    pub scopes: Vec<&'a str>,
    pub environment: &'a str,
    pub now: i64,
    pub expires: Expiry,
    pub not_before: Option<i64>,
    pub meta: &'a str,
}

impl Wanted<'_> {
    fn new_key(&self) -> Result<NewKey<'_>, InvalidJsonObject> {
        let new = NewKey::new(self.tenant)
            .scopes(&self.scopes)
            .environment(self.environment)
            .expires(self.expires)
            .meta(JsonObject::new(self.meta)?);
        Ok(match self.not_before {
            Some(at) => new.not_before(UnixTime::from_secs(at)),
            None => new,
        })
    }

    /// The expected members of meta. It is inside another object, so it may nest one level less.
    fn members(&self) -> Option<Vec<(String, Tree)>> {
        match trees::json(self.meta.as_bytes()).filter(|tree| depth(tree) < MAX_DEPTH) {
            Some(Tree::Object(members)) => Some(members),
            _ => None,
        }
    }

    /// The expected claims.
    fn claims(&self, id: &str) -> Result<Claims, IssueError> {
        let expires_at = match self.expires {
            Expiry::After(time) => {
                Some(self.now.checked_add_unsigned(time.as_secs()).ok_or(IssueError::TimeOutOfRange)?)
            }
            Expiry::At(time) => Some(time.as_secs()),
            Expiry::Never => None,
        };
        // The years 1 to 9999.
        if expires_at.into_iter().chain(self.not_before).any(|at| !(-62_135_596_800..=253_402_300_799).contains(&at)) {
            return Err(IssueError::TimeOutOfRange);
        }
        Ok(Claims {
            id: id.to_owned(),
            tenant: self.tenant.to_owned(),
            scopes: self.scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            environment: self.environment.to_owned(),
            expires_at,
            not_before: self.not_before,
            meta: self.members().expect("a malformed meta is accepted"),
        })
    }
}

fn depth(tree: &Tree) -> usize {
    match tree {
        Tree::Array(elements) => 1 + elements.iter().map(depth).max().unwrap_or(0),
        Tree::Object(members) => 1 + members.iter().map(|(_, value)| depth(value)).max().unwrap_or(0),
        _ => 0,
    }
}

/// The expected payload of a key with these claims.
pub fn payload(claims: &Claims) -> String {
    let mut text = format!(
        r#"{{"id":{},"tid":{},"scp":{},"env":{}"#,
        json!(claims.id),
        json!(claims.tenant),
        json!(claims.scopes),
        json!(claims.environment)
    );
    for (name, time) in [("exp", claims.expires_at), ("nbf", claims.not_before)] {
        if let Some(time) = time {
            text += &format!(r#","{name}":{time}"#);
        }
    }
    if !claims.meta.is_empty() {
        text += &format!(r#","meta":{}"#, Tree::Object(claims.meta.clone()).to_compact_json());
    }
    text + "}"
}

pub fn check(wanted: &Wanted<'_>) {
    let ring = Keyring::new(SECRET).unwrap();
    let now = UnixTime::from_secs(wanted.now);
    let Ok(new) = wanted.new_key() else {
        assert!(wanted.members().is_none(), "a well-formed meta is refused");
        return;
    };
    check_packed(&ring, wanted, &new.encoding(Encoding::MessagePack));
    let mut buf = vec![0; issue_buffer_len(MAX_PAYLOAD_LEN)];
    let key = match ring.issue(&new, now, &mut Xorshift(1), &mut buf) {
        Ok(key) => key.to_owned(),
        Err(error) => return check_refusal(wanted, error),
    };

    let bytes = support::payload_of(&key);
    let Some(Tree::Object(members)) = trees::json(&bytes) else {
        panic!("serde_json cannot read the payload of an issued key");
    };
    let [(_, Tree::String(id)), ..] = &members[..] else {
        panic!("the id does not come first");
    };
    let claims = wanted.claims(id).expect("a key with invalid claims was issued");
    assert_eq!(std::str::from_utf8(&bytes), Ok(payload(&claims).as_str()));
    let tag = support::tag(SECRET, &bytes);
    assert_ne!(tag[0], 0, "the published SDKs refuse this key");
    assert_eq!(key, support::key(SECRET, &bytes));

    check_room(&ring, &new, id, now, &key, issue_buffer_len(bytes.len()));
    check_answers(&ring, &key, &claims);
}

/// The same in MessagePack: `rmp` reads the wanted claims.
fn check_packed(ring: &Keyring, wanted: &Wanted<'_>, new: &NewKey<'_>) {
    let now = UnixTime::from_secs(wanted.now);
    let mut buf = vec![0; issue_buffer_len(MAX_PAYLOAD_LEN)];
    let key = match ring.issue(new, now, &mut Xorshift(1), &mut buf) {
        Ok(key) => key.to_owned(),
        Err(IssueError::IntegerTooLarge) => {
            assert_eq!(Tree::Object(wanted.members().unwrap()).packed(), None);
            return;
        }
        Err(IssueError::TooLong) => {
            // No value in MessagePack is more than three times as long as in JSON, and JSON also needs a comma or a
            // bracket.
            if let Ok(claims) = wanted.claims("123456789012345678901") {
                assert!(3 * payload(&claims).len() > MAX_PAYLOAD_LEN);
            }
            return;
        }
        Err(error) => return assert_eq!(wanted.claims("").err(), Some(error)),
    };
    let bytes = support::payload_of(&key);
    let Some(Tree::Object(members)) = trees::msgpack(&bytes) else {
        panic!("rmp cannot read the payload of an issued key");
    };
    let [(_, Tree::String(id)), ..] = &members[..] else {
        panic!("the id does not come first");
    };
    let mut claims = wanted.claims(id).expect("a key with invalid claims was issued");
    let Some(Tree::Object(meta)) = Tree::Object(claims.meta).packed() else {
        panic!("a key was issued with an integer of more than 64 bits");
    };
    claims.meta = meta;
    assert_eq!(Tree::Object(members.clone()).claims().as_ref(), Some(&claims));
    let order = ["id", "tid", "scp", "env", "exp", "nbf", "meta"];
    assert!(members.iter().map(|(name, _)| order.iter().position(|own| own == name).unwrap()).is_sorted());
    check_room(ring, new, id, now, &key, issue_buffer_len(bytes.len()));
    check_answers(ring, &key, &claims);
}

fn check_refusal(wanted: &Wanted<'_>, error: IssueError) {
    match wanted.claims("123456789012345678901") {
        Err(expected) => assert_eq!(error, expected),
        Ok(claims) => {
            assert_eq!(error, IssueError::TooLong);
            // The id may have one character more.
            assert!(payload(&claims).len() >= MAX_PAYLOAD_LEN);
        }
    }
}

fn check_room(ring: &Keyring, new: &NewKey<'_>, id: &str, now: UnixTime, key: &str, needed: usize) {
    let mut room = vec![0; needed];
    assert_eq!(ring.issue_with_id(new, id, now, &mut room), Ok(key));
    for short in [needed - 1, needed / 2, 0] {
        let refused = ring.issue_with_id(new, id, now, &mut room[..short]);
        assert_eq!(refused, Err(IssueError::BufferTooSmall { needed }));
    }
}

fn check_answers(ring: &Keyring, key: &str, claims: &Claims) {
    let mut buf = vec![0; apikee::verify_buffer_len(key.len())];
    let first = claims.not_before.unwrap_or(i64::MIN);
    let last = claims.expires_at.unwrap_or(i64::MAX);
    let middle = ((i128::from(first) + i128::from(last)) / 2) as i64;
    for now in [first, middle, last, first.saturating_sub(1), last.saturating_add(1), i64::MIN, i64::MAX, 0] {
        let answer = ring.verify(key, UnixTime::from_secs(now), &mut buf);
        assert_eq!(answer.as_ref().err().map(|error| error.code()), claims.code_at(now), "at {now}");
        if first <= now && now <= last {
            check_verified(&answer.unwrap(), key, 0, claims);
        }
    }

    let stranger = Keyring::new(OTHER_SECRET).unwrap();
    let refused = stranger.verify(key, UnixTime::from_secs(middle), &mut buf);
    assert_eq!(refused.err(), Some(KeyError::InvalidSignature));
}

/// The rest of the input. Bytes beyond its end are zero.
struct Input<'i>(&'i [u8]);

impl<'i> Input<'i> {
    fn take(&mut self, len: usize) -> &'i [u8] {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken
    }

    fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    fn integer(&mut self) -> i64 {
        let mut bytes = [0; 8];
        let taken = self.take(8);
        bytes[..taken.len()].copy_from_slice(taken);
        i64::from_be_bytes(bytes)
    }

    fn text(&mut self) -> Cow<'i, str> {
        let len = self.byte();
        String::from_utf8_lossy(self.take(len.into()))
    }
}
