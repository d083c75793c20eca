//! Opening requests.

use super::envelope::{self, Counting, RECIPIENT};

/// A server opens a request to the sealed plaintext, and the client can open the answer. A changed request does not
/// open. The one exception is the highest bit of a public key, which has no meaning (RFC 7748, section 5).
pub fn body(input: &[u8]) {
    let (plaintext, genuine, received) = envelope::received(input, |plaintext| envelope::request(plaintext).0);
    let mut buf = received.clone();
    let opened = RECIPIENT.open(&mut buf);
    let result = opened.as_ref().map(|(plaintext, _)| &**plaintext).map_err(|error| *error);
    envelope::check(&received, &genuine, &plaintext, same_but_for_the_highest_bit, result);
    let Ok((_, reply)) = opened else {
        envelope::check_nothing_shown(&buf, &received, &plaintext);
        return;
    };
    let (_, pending) = envelope::request(&plaintext);
    let mut buf = vec![0; apikee::envelope::sealed_len(plaintext.len())];
    let mut answer = reply.seal(&plaintext, &mut Counting(7), &mut buf).unwrap().to_owned().into_bytes();
    assert_eq!(pending.open(&mut answer).unwrap().as_bytes(), plaintext);
}

/// Whether two texts of a key differ at most in its highest bit. The last of 43 characters holds the lowest four bits
/// of the last byte, and the character before it the highest bits.
fn same_but_for_the_highest_bit(ours: &str, own: &str) -> bool {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let value = |text: &str| text.bytes().map(|digit| DIGITS.iter().position(|own| *own == digit)).collect::<Vec<_>>();
    let (mut ours, own) = (value(ours), value(own));
    // 41 * 6 = 246 bits come before this character: two of byte 30, then four of byte 31.
    if let Some(Some(digit)) = ours.get_mut(41) {
        *digit &= !0b1000;
        return ours.len() == 43 && ours == own;
    }
    false
}
