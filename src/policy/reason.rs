//! The platform's own words on a refusal.

use core::fmt;

use crate::buf::Writer;

/// The platform's own reason for a refusal, for the service's operators: the members `error` (or else `code`) and
/// `message` of its answer, with a colon between them.
///
/// It is escaped as `Debug` escapes a string, so that it is safe on one line of a log, and it has at most
/// [`MAX_LEN`](Self::MAX_LEN) bytes: a longer one is cut between two characters. No response to a client has it.
///
/// ```
/// use apikee::Reason;
///
/// let reason = Reason::new(Some("IP_NOT_ALLOWED"), Some("203.0.113.9 is not\non the list"));
/// assert_eq!(reason.as_str(), r"IP_NOT_ALLOWED: 203.0.113.9 is not\non the list");
/// assert!(Reason::new(None, None).is_none());
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Reason {
    /// Zero behind the text.
    text: [u8; Self::MAX_LEN],
    len: u8,
}

impl Reason {
    /// Bytes of the longest reason. A [`Denial`](super::Denial) has one in it and is handed through every function
    /// that can deny: with 128 bytes and more, an error is too large for that.
    pub const MAX_LEN: usize = 100;

    /// None was given.
    pub const NONE: Self = Self { text: [0; Self::MAX_LEN], len: 0 };

    /// Takes what an answer says: see `Answer::reason` and `Answer::message` (feature `envelope`).
    #[must_use]
    pub fn new(code: Option<&str>, message: Option<&str>) -> Self {
        let separator = if code.is_some() && message.is_some() { ": " } else { "" };
        let mut text = [0; Self::MAX_LEN];
        let mut out = Writer::new(&mut text);
        let parts = [code.unwrap_or_default(), separator, message.unwrap_or_default()];
        // All characters are at least one byte, so this ends after `MAX_LEN` of them.
        parts.into_iter().flat_map(str::chars).all(|c| push(&mut out, c));
        let len = u8::try_from(out.len()).unwrap_or_default();
        Self { text, len }
    }

    /// The text, escaped; empty if none was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.text.get(..usize::from(self.len)).and_then(|text| core::str::from_utf8(text).ok()).unwrap_or_default()
    }

    /// Whether none was given.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.len == 0
    }
}

/// Writes a character, escaped; `false` if there is no room for all of it.
fn push(out: &mut Writer<'_>, c: char) -> bool {
    // `Debug` of a string leaves it alone.
    if c == '\'' {
        return push_all(out, core::iter::once(c));
    }
    push_all(out, c.escape_debug())
}

fn push_all(out: &mut Writer<'_>, spelt: impl Iterator<Item = char> + Clone) -> bool {
    let len = spelt.clone().map(char::len_utf8).fold(out.len(), usize::saturating_add);
    let fits = len <= Reason::MAX_LEN;
    if fits {
        spelt.for_each(|c| out.bytes(c.encode_utf8(&mut [0; 4]).as_bytes()));
    }
    fits
}

impl Default for Reason {
    fn default() -> Self {
        Self::NONE
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text in quotes.
impl fmt::Debug for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reason(\"{self}\")")
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Reason {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "{=str}", self.as_str());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Denial;

    #[test]
    fn a_reason_is_escaped_as_debug_escapes() {
        for text in ["it's", "a\r\n\"b\"\\", "\u{1b}[31m\u{202e}\u{7f}\u{9b}", "caf\u{e9} \u{1F600}", "\0"] {
            let quoted = format!("{text:?}");
            assert_eq!(Reason::new(Some(text), None).as_str(), &quoted[1..quoted.len() - 1]);
            assert_eq!(Reason::new(None, Some(text)), Reason::new(Some(text), None));
        }
        assert_eq!(Reason::new(Some("A"), Some("b")).as_str(), "A: b");
        assert_eq!(Reason::new(None, None), Reason::NONE);
    }

    #[test]
    fn a_long_reason_is_cut_between_characters_and_never_within_an_escape() {
        for (c, spelt) in
            [('a', "a"), ('\u{e9}', "\u{e9}"), ('\u{1F600}', "\u{1F600}"), ('\n', r"\n"), ('\u{7f}', r"\u{7f}")]
        {
            for before in 0..8 {
                let text: String = "x".repeat(before) + &c.to_string().repeat(10_000);
                let reason = Reason::new(Some(&text), Some("never seen"));
                let fitting = (Reason::MAX_LEN - before) / spelt.len();
                assert_eq!(reason.as_str(), "x".repeat(before) + &spelt.repeat(fitting));
            }
        }
    }

    #[test]
    fn a_denial_with_a_reason_is_small_enough_to_be_an_error() {
        assert!(size_of::<Denial<'_>>() + size_of::<&()>() < 128, "{}", size_of::<Denial<'_>>());
    }
}
