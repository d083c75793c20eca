//! Opening answers.

use apikee::envelope::OpenError;

use super::envelope;

/// A client only opens what the server sealed for this request. It never opens the request itself, even if it is edited
/// and names the server's key.
pub fn body(input: &[u8]) {
    let (_, pending) = envelope::request(b"{}");
    let (plaintext, genuine, received) = envelope::received(input, envelope::answer);
    let mut buf = received.clone();
    let opened = pending.open(&mut buf);
    let same_key = |ours: &str, own: &str| ours == own;
    envelope::check(&received, &genuine, &plaintext, same_key, opened.as_ref().map(|o| o.as_bytes()).map_err(|e| *e));
    if opened.is_err() {
        envelope::check_nothing_shown(&buf, &received, &plaintext);
    }

    let (_, pending) = envelope::request(input);
    assert_eq!(pending.open(&mut envelope::reflected(input).into_bytes()).err(), Some(OpenError::Reflected));
    let edits = [&[1], input].concat();
    let (plaintext, _, mut received) = envelope::received(&edits, envelope::reflected);
    let (_, pending) = envelope::request(&plaintext);
    assert!(pending.open(&mut received).is_err(), "the request has opened as its answer");
}
