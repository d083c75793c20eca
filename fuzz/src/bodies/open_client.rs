//! Opening answers.

use super::envelope;

/// A client opens what the server sealed for this very request, and nothing else.
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
}
