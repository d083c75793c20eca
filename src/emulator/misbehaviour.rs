//! What goes wrong on demand, and when.

use core::{fmt, str::FromStr, time::Duration};
use std::{string::String, vec::Vec};

use super::{RequestKind, random::SplitMix};

/// A way not to answer well.
///
/// The request has been acted on whatever becomes of its answer: it is in the log, a client has been
/// created, a limit taken from. What spoils an answer leaves refusals of other statuses than 200 alone.
///
/// Each has a name, which is how it is written (`Display`), read (`FromStr`), and given to the command
/// `apikee platform`:
///
/// ```
/// use std::time::Duration;
///
/// use apikee::Misbehaviour;
///
/// assert_eq!("delay:1500ms".parse(), Ok(Misbehaviour::Delay(Duration::from_millis(1500))));
/// assert_eq!(Misbehaviour::Unavailable { retry_after: 5 }.to_string(), "unavailable:5");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Misbehaviour {
    /// This HTTP status instead of the answer, with a short JSON body. Statuses without a body are not meant.
    Status(u16),
    /// Status 503 with a header `Retry-After` of this many seconds.
    Unavailable {
        /// Seconds.
        retry_after: u32,
    },
    /// The right answer, after this time.
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
    /// Status 200 with a body that is not JSON.
    Garbage,
    /// The right sealed answer with another first character of its ciphertext. A plain answer is about
    /// another client.
    Forged,
    /// `"success":true` by somebody who has seen the request but has another key: sealed for the
    /// client, so that it opens for whoever does not pin the server's key. To a plain request it is just
    /// this, in the clear, and nothing tells it from a right answer.
    Impostor,
    /// A genuine answer of the emulator, but to another request: sealed for that, or, where answers are
    /// plain, about another client and route.
    Replayed,
    /// The request's own body: as it came the first time, with the server's public key instead of the
    /// client's the second time, and so on by turns. The second kind deceives a client that pins the
    /// server's key and does not look at the nonce. A body that is not sealed always comes back as it is.
    Reflected,
    /// The right answer without its envelope.
    Unsealed,
    /// Status 200 with a JSON object of this many bytes, at least 10.
    Oversized(usize),
    /// Status 307 with this header `Location`; control characters are left out.
    Redirect(String),
    /// The platform's own refusal, `{"success":false}`, sealed like the right answer.
    Refuse,
}

impl Misbehaviour {
    /// One of each, for people to choose from.
    pub(super) fn examples() -> [Self; 18] {
        [
            Self::Status(503),
            Self::Status(429),
            Self::Unavailable { retry_after: 5 },
            Self::Delay(Duration::from_millis(500)),
            Self::Drip { every: Duration::from_millis(10) },
            Self::Reset,
            Self::HangUp,
            Self::CloseIdle,
            Self::Truncate,
            Self::Garbage,
            Self::Refuse,
            Self::Forged,
            Self::Impostor,
            Self::Replayed,
            Self::Reflected,
            Self::Unsealed,
            Self::Oversized(100_000),
            Self::Redirect("http://127.0.0.1/".into()),
        ]
    }
}

/// The name, as it is read.
impl fmt::Display for Misbehaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = |f: &mut fmt::Formatter<'_>, time: &Duration| {
            let micros = time.as_micros();
            if micros.is_multiple_of(1000) { write!(f, ":{}ms", time.as_millis()) } else { write!(f, ":{micros}us") }
        };
        f.write_str(match self {
            Self::Status(status) => return write!(f, "status:{status}"),
            Self::Unavailable { retry_after } => return write!(f, "unavailable:{retry_after}"),
            Self::Delay(by) => return f.write_str("delay").and_then(|()| time(f, by)),
            Self::Drip { every } => return f.write_str("drip").and_then(|()| time(f, every)),
            Self::Oversized(bytes) => return write!(f, "oversized:{bytes}"),
            Self::Redirect(location) => return write!(f, "redirect:{location}"),
            Self::Reset => "reset",
            Self::HangUp => "hang-up",
            Self::CloseIdle => "close-idle",
            Self::Truncate => "truncate",
            Self::Garbage => "garbage",
            Self::Forged => "forged",
            Self::Impostor => "impostor",
            Self::Replayed => "replayed",
            Self::Reflected => "reflected",
            Self::Unsealed => "unsealed",
            Self::Refuse => "refuse",
        })
    }
}

/// Reads a name: `status:503`, `unavailable:SECONDS`, `delay:500ms`, `drip` or `drip:10ms`, `reset`,
/// `hang-up`, `close-idle`, `truncate`, `garbage`, `forged`, `impostor`, `replayed`, `reflected`,
/// `unsealed`, `oversized:BYTES`, `redirect:URL` or `refuse`. A time is a whole number and `us`, `ms`, `s`,
/// `m` or `h`.
impl FromStr for Misbehaviour {
    type Err = InvalidMisbehaviour;

    fn from_str(text: &str) -> Result<Self, InvalidMisbehaviour> {
        let (name, value) = text.split_once(':').map_or((text, None), |(name, value)| (name, Some(value)));
        let Some(value) = value else {
            return Ok(match name {
                "drip" => Self::Drip { every: Duration::from_millis(10) },
                "reset" => Self::Reset,
                "hang-up" => Self::HangUp,
                "close-idle" => Self::CloseIdle,
                "truncate" => Self::Truncate,
                "garbage" => Self::Garbage,
                "forged" => Self::Forged,
                "impostor" => Self::Impostor,
                "replayed" => Self::Replayed,
                "reflected" => Self::Reflected,
                "unsealed" => Self::Unsealed,
                "refuse" => Self::Refuse,
                _ => return Err(InvalidMisbehaviour("it has no such name, or needs a value")),
            });
        };
        let bad = InvalidMisbehaviour;
        Ok(match name {
            "status" => {
                let status = value.parse().ok().filter(|status| (200..=599).contains(status));
                Self::Status(status.ok_or(bad("it needs a status from 200 to 599"))?)
            }
            "unavailable" => {
                Self::Unavailable { retry_after: value.parse().map_err(|_| bad("it needs a number of seconds"))? }
            }
            "delay" => Self::Delay(duration(value).ok_or(bad("it needs a time, such as 500ms"))?),
            "drip" => Self::Drip { every: duration(value).ok_or(bad("it needs a time, such as 10ms"))? },
            "oversized" => Self::Oversized(value.parse().map_err(|_| bad("it needs a number of bytes"))?),
            "redirect" => Self::Redirect(value.into()),
            _ => return Err(bad("it has no such name, or takes no value")),
        })
    }
}

fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.find(|c: char| !c.is_ascii_digit())?)?;
    let number: u64 = number.parse().ok()?;
    Some(match unit {
        "us" => Duration::from_micros(number),
        "ms" => Duration::from_millis(number),
        "s" => Duration::from_secs(number),
        "m" => Duration::from_secs(number.checked_mul(60)?),
        "h" => Duration::from_secs(number.checked_mul(60 * 60)?),
        _ => return None,
    })
}

/// The text is not a way to misbehave. `Display` says why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidMisbehaviour(&'static str);

impl fmt::Display for InvalidMisbehaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a kind of fault: {}", self.0)
    }
}

impl core::error::Error for InvalidMisbehaviour {}

/// When to misbehave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Occasion {
    /// At this many requests, from the next one on.
    Next(usize),
    /// At every request.
    Always,
    /// At random, the same requests for the same seed and order.
    Randomly {
        /// Percentage of requests, on average.
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

    /// What is arranged for requests of all kinds, the oldest first.
    pub(super) fn all(&self) -> impl Iterator<Item = &Misbehaviour> {
        self.0.iter().filter(|rule| rule.kind.is_none()).map(|rule| &rule.misbehaviour)
    }

    /// Forgets that misbehaviour at requests of all kinds.
    pub(super) fn remove(&mut self, misbehaviour: &Misbehaviour) {
        self.0.retain(|rule| rule.kind.is_some() || rule.misbehaviour != *misbehaviour);
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

#[cfg(test)]
mod tests {
    use std::string::ToString as _;

    use super::*;

    #[test]
    fn every_name_is_read_as_it_is_written() {
        for misbehaviour in Misbehaviour::examples() {
            assert_eq!(misbehaviour.to_string().parse(), Ok(misbehaviour));
        }
        assert_eq!("drip".parse(), Ok(Misbehaviour::Drip { every: Duration::from_millis(10) }));
        assert_eq!("delay:2m".parse(), Ok(Misbehaviour::Delay(Duration::from_secs(120))));
        assert_eq!(Misbehaviour::Delay(Duration::from_micros(1_500)).to_string(), "delay:1500us");
        for text in ["", "status", "status:199", "status:x", "reset:1", "delay:1", "delay:s", "delay:-1s", "mischief"] {
            assert!(text.parse::<Misbehaviour>().is_err(), "{text}");
        }
    }
}
