//! The limits of the library: lengths, counts, and the values at the ends of ranges.

use crate::support::{NOW, SECRET, Xorshift, key, payload_of};
use apikee::{
    Expiry, KeyError, Keyring, NewKey, UnixTime, issue_buffer_len,
    key::{IssueError, KeyringError, MAX_PAYLOAD_LEN, MAX_SECRETS, UntrustedKey},
    meta::{JsonObject, Text},
    verify_buffer_len,
};

const NOW_TIME: UnixTime = UnixTime::from_secs(NOW);

fn issue(new: &NewKey<'_>) -> Result<String, IssueError> {
    let mut buf = vec![0; issue_buffer_len(MAX_PAYLOAD_LEN)];
    Keyring::new(SECRET).unwrap().issue(new, NOW_TIME, &mut Xorshift(9), &mut buf).map(str::to_owned)
}

fn verify(key: &str) -> Result<(), KeyError> {
    let mut buf = vec![0; verify_buffer_len(key.len())];
    Keyring::new(SECRET).unwrap().verify(key, NOW_TIME, &mut buf).map(drop)
}

/// A payload of this length, at least 40 bytes.
fn payload(len: usize) -> Vec<u8> {
    format!("{{\"tid\":\"{}\"}}", "t".repeat(len - 10)).into_bytes()
}

#[test]
fn payloads_of_up_to_4096_bytes_verify() {
    for len in (40..300).chain([511, 512, 513, 1023, 1024, 1025, 4095, 4096]) {
        assert_eq!(verify(&key(SECRET, &payload(len))), Ok(()), "{len} bytes");
    }
}

#[test]
fn the_longest_payload_that_can_be_issued_verifies() {
    let around = issue(&NewKey::new("").expires(Expiry::Never)).map(|key| payload_of(&key).len()).unwrap();
    for len in [8129, 8130, MAX_PAYLOAD_LEN] {
        let tenant = "t".repeat(len - around);
        let new = NewKey::new(&tenant).expires(Expiry::Never);
        let key = issue(&new).unwrap();
        assert_eq!(payload_of(&key).len(), len);
        assert_eq!(verify(&key), Ok(()), "{len} bytes");
        assert!(UntrustedKey::read(&key, &mut vec![0; 2 * len]).unwrap().claims.is_some(), "{len} bytes");
        #[cfg(feature = "std")]
        assert_eq!(Keyring::new(SECRET).unwrap().issue_string(&new, NOW_TIME, &mut Xorshift(9)), Ok(key));
    }
}

#[test]
fn a_payload_past_the_limit_is_neither_issued_nor_verified() {
    let tenant = "t".repeat(MAX_PAYLOAD_LEN);
    assert_eq!(issue(&NewKey::new(&tenant)), Err(IssueError::TooLong));
    for len in [MAX_PAYLOAD_LEN + 1, MAX_PAYLOAD_LEN + 60, 2 * MAX_PAYLOAD_LEN] {
        let key = key(SECRET, &payload(len));
        assert_eq!(verify(&key), Err(KeyError::Decode), "{len} bytes");
        let mut buf = vec![0; 2 * len];
        assert_eq!(UntrustedKey::read(&key, &mut buf).err(), Some(KeyError::Decode), "{len} bytes");
    }
    // A key of any length, with a buffer of any size, is refused without decoding.
    let endless = format!("apikee_{}.{}", "7".repeat(10_000_000), "7".repeat(43));
    assert_eq!(verify(&endless), Err(KeyError::Decode));
}

#[test]
fn a_missing_separator_is_the_first_error_of_a_key_of_any_length() {
    let keyring = Keyring::new(SECRET).unwrap();
    for (digits, room) in
        [(0, 0), (43, 0), (44, 0), (45, 0), (2_000, 1_024), (11_052, 9_000), (11_053, 9_000), (10_000_000, 9_000)]
    {
        let undotted = format!("apikee_{}", "7".repeat(digits));
        let mut buf = vec![0; room];
        assert_eq!(
            keyring.verify(&undotted, NOW_TIME, &mut buf).err(),
            Some(KeyError::InvalidFormat),
            "{digits}, {room}"
        );
        assert_eq!(UntrustedKey::read(&undotted, &mut buf).err(), Some(KeyError::InvalidFormat), "{digits}, {room}");
        // A separator that stands too early leaves a signature that is too long, whatever the size of the buffer.
        let early = format!("apikee_7.{}", "7".repeat(digits + 44));
        assert_eq!(keyring.verify(&early, NOW_TIME, &mut buf).err(), Some(KeyError::Decode), "{digits}, {room}");
    }
}

#[test]
fn issued_keys_verify_whatever_the_white_space_in_meta() {
    let members: Vec<_> = (0..800).map(|n| format!("\"{n}\":1")).collect();
    for space in [0, 20_000] {
        let meta = format!("{{{}}}{}", members.join(","), " ".repeat(space));
        let meta = JsonObject::new(&meta);
        assert!(space > 0 || meta.is_ok(), "{meta:?}");
        if let Ok(meta) = meta {
            let key = issue(&NewKey::new("acme").meta(meta)).unwrap();
            assert_eq!(verify(&key), Ok(()), "{space} bytes of white space");
        }
    }
}

#[test]
fn a_keyring_takes_eight_secrets_and_no_empty_secret() {
    assert_eq!(Keyring::new(b"").err(), Some(KeyringError::EmptySecret));
    let mut ring = Keyring::new(b"1").unwrap();
    for n in 1..MAX_SECRETS {
        ring.accept(&[n as u8]).unwrap();
    }
    assert_eq!(ring.accept(b"9").err(), Some(KeyringError::Full));
    assert_eq!(ring.accept(b"").err(), Some(KeyringError::EmptySecret));
}

#[test]
fn a_secret_that_is_accepted_twice_keeps_its_first_index() {
    let mut ring = Keyring::new(SECRET).unwrap();
    ring.accept(b"other").unwrap().accept(SECRET).unwrap();
    let (key, mut buf) = (key(SECRET, b"{}"), [0; 64]);
    assert_eq!(ring.verify(&key, NOW_TIME, &mut buf).unwrap().secret_index(), 0);
}

#[test]
fn debug_output_of_text_is_that_of_the_string() {
    for text in ["it's", "e\u{301}", "\u{301}", "\"\\\n\u{7f}\u{200b}"] {
        assert_eq!(format!("{:?}", Text::from(text)), format!("{text:?}"));
    }
}

#[test]
fn minus_zero_is_read_as_the_integer_zero() {
    let key = key(SECRET, br#"{"meta":{"a":-0}}"#);
    let (ring, mut buf) = (Keyring::new(SECRET).unwrap(), [0; 64]);
    let verified = ring.verify(&key, NOW_TIME, &mut buf).unwrap();
    let meta = verified.claims().meta();
    assert_eq!((meta.get_i64("a"), meta.get_u64("a")), (Some(0), Some(0)));
}
