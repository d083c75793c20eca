//! What goes wrong on demand, and when.

use core::time::Duration;
use std::{string::String, vec::Vec};

use super::{RequestKind, random::SplitMix};

/// A way not to answer well.
///
/// The request has been acted on whatever becomes of its answer: it is in the log, a client has been
/// created, a limit taken from. What alters a sealed answer leaves answers alone that are not sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Misbehaviour {
    /// An HTTP status in place of the answer, of those that come with a body, and a short JSON body.
    Status(u16),
    /// Status 503 with a header `Retry-After` of so many seconds.
    Unavailable {
        /// Seconds.
        retry_after: u32,
    },
    /// The right answer, so much later.
    Delay(Duration),
    /// The right answer, one byte at a time from the status line on.
    Drip {
        /// The time between two bytes.
        every: Duration,
    },
    /// No answer: the connection is reset (TCP RST).
    Reset,
    /// No answer: the connection is closed in good order (TCP FIN).
    HangUp,
    /// The right answer, and then the connection is closed without a `Connection: close`, so that it
    /// looks kept alive.
    CloseIdle,
    /// The first half of the right body under a `Content-Length` that promises all of it, and then the
    /// connection is closed.
    Truncate,
    /// Status 200 with a body that is no JSON.
    Garbage,
    /// The right sealed answer with one bit of its ciphertext flipped.
    Forged,
    /// `"success":true` by somebody who has seen the request but has another key: sealed for the
    /// client, so that it opens for whoever does not pin the server's key.
    Impostor,
    /// A genuine answer of the emulator, but to another request.
    Replayed,
    /// The request's own body: as it came the first time, with the server's public key in place of the
    /// client's the second time, and so on by turns. The second kind deceives a client that pins the
    /// server's key and does not look at the nonce. A body that is not sealed always comes back as it is.
    Reflected,
    /// The right answer without its envelope.
    Unsealed,
    /// Status 200 with a JSON object of so many bytes, at least 10.
    Oversized(usize),
    /// Status 307 with this header `Location`; control characters are left out.
    Redirect(String),
    /// The platform's own refusal, `{"success":false}`, sealed like the right answer.
    Refuse,
}

/// When to misbehave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Occasion {
    /// At the next so many requests.
    Next(usize),
    /// At every request.
    Always,
    /// At random, the same requests for the same seed and order.
    Randomly {
        /// Of 100 requests so many, on average.
        percent: u8,
        /// Where the generator starts.
        seed: u64,
    },
}

/// What is arranged, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Arranged(Vec<Rule>);

#[derive(Debug)]
struct Rule {
    kind: Option<RequestKind>,
    misbehaviour: Misbehaviour,
    when: When,
}

#[derive(Debug)]
enum When {
    Next(usize),
    Always,
    Randomly { percent: u8, generator: SplitMix },
}

impl Arranged {
    pub(super) fn add(&mut self, kind: Option<RequestKind>, misbehaviour: Misbehaviour, when: Occasion) {
        let when = match when {
            Occasion::Next(requests) => When::Next(requests),
            Occasion::Always => When::Always,
            Occasion::Randomly { percent, seed } => When::Randomly { percent, generator: SplitMix(seed) },
        };
        self.0.push(Rule { kind, misbehaviour, when });
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The oldest arrangement that is for this request.
    pub(super) fn next(&mut self, kind: RequestKind) -> Option<Misbehaviour> {
        let misbehaviour = self.0.iter_mut().find_map(|rule| {
            let meant = rule.kind.is_none_or(|wanted| wanted == kind) && rule.when.now();
            meant.then(|| rule.misbehaviour.clone())
        });
        self.0.retain(|rule| !matches!(rule.when, When::Next(0)));
        misbehaviour
    }
}

impl When {
    fn now(&mut self) -> bool {
        match self {
            Self::Always => true,
            Self::Randomly { percent, generator } => generator.below(100) < u64::from(*percent),
            Self::Next(left) => match left.checked_sub(1) {
                Some(rest) => {
                    *left = rest;
                    true
                }
                None => false,
            },
        }
    }
}
