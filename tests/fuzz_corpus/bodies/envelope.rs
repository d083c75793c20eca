//! Used by `open_client` and `open_recipient`: one session with a server, and the text of envelopes according to
//! docs/WIRE.md, "Envelopes".

use std::{collections::HashSet, sync::LazyLock};

use apikee::envelope::{OpenError, Pending, Recipient, ServerKey, Session, sealed_len};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use rand_core::{TryCryptoRng, TryRng};

use super::{model::Tree, splitter::Splitter, trees};
use crate::support::Xorshift;

/// The plaintext length of the genuine envelope, if the input is a whole body. The seeds must not contain a genuine
/// envelope of another length.
pub const PLAINTEXT_LEN: u8 = 40;

/// A generator of bytes that count up.
pub struct Counting(pub u8);

impl TryRng for Counting {
    type Error = core::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        rand_core::utils::next_word_via_fill(self)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        rand_core::utils::next_word_via_fill(self)
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        for byte in out {
            *byte = self.0;
            self.0 = self.0.wrapping_add(1);
        }
        Ok(())
    }
}

/// This is not a secure generator, but these sessions protect nothing.
impl TryCryptoRng for Counting {}

pub static RECIPIENT: LazyLock<Recipient> = LazyLock::new(|| Recipient::new([0x42; 32]));

static SERVER: LazyLock<ServerKey> = LazyLock::new(|| ServerKey::from_bytes(*RECIPIENT.public_key()).unwrap());

/// A request with this plaintext, and the pending that opens its answer. The session is the same every time.
pub fn request(plaintext: &[u8]) -> (String, Pending) {
    let session = Session::establish(&SERVER, &mut Counting(0)).unwrap();
    let mut buf = vec![0; sealed_len(plaintext.len())];
    let (request, pending) = session.seal(plaintext, &mut Counting(100), &mut buf).unwrap();
    (request.to_owned(), pending)
}

/// The same request with the server's public key instead of its own. Anyone who has seen a request can send this back.
pub fn reflected(plaintext: &[u8]) -> String {
    let request = request(plaintext).0;
    let tree = trees::json(request.as_bytes());
    request.replace(string(tree.as_ref(), "epk").unwrap(), &BASE64.encode(SERVER.as_bytes()))
}

/// The server's answer in this session.
pub fn answer(plaintext: &[u8]) -> String {
    static REQUEST: LazyLock<String> = LazyLock::new(|| request(b"{}").0);
    let mut request = REQUEST.clone().into_bytes();
    let (_, reply) = RECIPIENT.open(&mut request).unwrap();
    let mut buf = vec![0; sealed_len(plaintext.len())];
    reply.seal(plaintext, &mut Counting(200), &mut buf).unwrap().to_owned()
}

/// A plaintext whose parts do not occur in inputs by chance.
pub fn plaintext(len: u8) -> Vec<u8> {
    let mut rng = Xorshift(0x2545_F491_4F6C_DD1D);
    (0..len).map(|_| rng.word() as u8).collect()
}

/// Turns an input into a received envelope. The input is either a whole body that replaces the genuine envelope, or the
/// length of the plaintext followed by edits of four bytes each.
pub fn received(input: &[u8], seal: impl Fn(&[u8]) -> String) -> (Vec<u8>, String, Vec<u8>) {
    let mut input = Splitter(input);
    let raw = input.byte() & 1 == 0;
    let plaintext = plaintext(if raw { PLAINTEXT_LEN } else { input.byte() });
    let genuine = seal(&plaintext);
    if raw {
        return (plaintext, genuine, input.0.to_vec());
    }
    let mut bytes = genuine.clone().into_bytes();
    while !input.is_empty() {
        let at = usize::from(input.byte()) << 8 | usize::from(input.byte());
        let at = at % (bytes.len() + 1);
        let (edit, byte) = (input.byte(), input.byte());
        match edit % 4 {
            0 => bytes.insert(at, byte),
            1 if at < bytes.len() => bytes[at] = byte,
            2 => bytes.truncate(at),
            _ => drop(bytes.drain(at..(at + usize::from(byte)).min(bytes.len()))),
        }
    }
    (plaintext, genuine, bytes)
}

/// Checks the result of opening `received`. It must open exactly if it means the same as the sealed envelope, since
/// nobody else has the key. `same_key` compares spellings of the public key.
pub fn check(
    received: &[u8],
    genuine: &str,
    plaintext: &[u8],
    same_key: fn(&str, &str) -> bool,
    opened: Result<&[u8], OpenError>,
) {
    let tree = trees::json(received);
    let may_refuse = tree.as_ref().is_some_and(|tree| !tree.must_be_read());
    if may_refuse && opened == Err(OpenError::Malformed) {
        return;
    }
    let original = trees::json(genuine.as_bytes()).unwrap();
    let same = |name| string(tree.as_ref(), name).is_some_and(|own| Some(own) == string(Some(&original), name));
    let expected = match &tree {
        Some(Tree::Object(members)) if members.iter().all(|(name, _)| name != "ct") => Err(Some(OpenError::Unsealed)),
        Some(Tree::Object(_)) if string(tree.as_ref(), "v") != Some("1") => Err(Some(OpenError::Version)),
        Some(Tree::Object(_)) => {
            let epk = string(tree.as_ref(), "epk");
            let same_key = epk.zip(string(Some(&original), "epk")).is_some_and(|(ours, own)| same_key(ours, own));
            if same_key && same("iv") && same("ct") { Ok(plaintext) } else { Err(None) }
        }
        _ => Err(Some(OpenError::Malformed)),
    };
    match (opened, expected) {
        (Ok(ours), Ok(theirs)) => assert_eq!(ours, theirs),
        (Err(ours), Err(Some(theirs))) => assert_eq!(ours, theirs),
        // Which of these errors it is depends on the order of the checks.
        (Err(OpenError::Encoding | OpenError::WrongKey | OpenError::Reflected | OpenError::Forged), Err(None)) => {}
        (ours, theirs) => panic!("{ours:?} instead of {theirs:?}"),
    }
}

/// Checks that the buffer contains no part of the plaintext, except parts that were received.
pub fn check_nothing_shown(buf: &[u8], received: &[u8], plaintext: &[u8]) {
    let secret: HashSet<&[u8]> = plaintext.windows(8).collect();
    for window in buf.windows(8).filter(|window| secret.contains(window)) {
        assert!(received.windows(8).any(|own| own == window), "a part of the plaintext was left behind");
    }
}

fn string<'t>(tree: Option<&'t Tree>, name: &str) -> Option<&'t str> {
    let Some(Tree::Object(members)) = tree else {
        return None;
    };
    match members.iter().find(|(own, _)| own == name) {
        Some((_, Tree::String(text))) => Some(text),
        _ => None,
    }
}
