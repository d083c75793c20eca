//! Where keys come from: the arguments, or standard input, one a line.
//!
//! A line is read up to [`MAX_LINE`] bytes, and the rest of it is skipped. No key is as long, so
//! what is left of such a line is refused for its length like any other. An envelope may be longer: a
//! line that starts like one is read up to [`MAX_ENVELOPE`] bytes.

use std::{
    ffi::OsString,
    io::{self, BufRead, Read as _},
};

use apikee::{
    key::{MAX_PAYLOAD_LEN, PREFIX, log_prefix},
    verify_buffer_len,
};

use crate::Ended;

/// Bytes of a line that are read.
const MAX_LINE: usize = 16 * 1024;

/// Bytes of a line that are read if it starts like an envelope.
const MAX_ENVELOPE: usize = 1024 * 1024;

// A line that was cut is refused, even with the longest signature and without its CR.
const _: () = assert!(verify_buffer_len(MAX_LINE - 45) > MAX_PAYLOAD_LEN);

/// Bytes of buffer that are enough to decode any key that is not refused for its length.
pub(crate) const BUFFER_LEN: usize = verify_buffer_len(MAX_LINE);

#[derive(clap::Args)]
pub(crate) struct KeyArgs {
    /// The keys; without any, and for `-`, they are read from standard input, one a line
    ///
    /// Other users of this machine can see an argument in the process list. Standard input they
    /// cannot see.
    #[arg(value_name = "KEY")]
    keys: Vec<OsString>,
}

/// What may be a key.
pub(crate) struct Candidate<'k> {
    /// `None` if standard input was empty.
    pub(crate) text: Option<&'k [u8]>,
    /// The line of standard input that it was on.
    pub(crate) line: Option<u64>,
}

impl Candidate<'_> {
    /// The front that is safe in logs. What does not start like a key has none: it may be anything,
    /// even a secret that was mistaken for a key.
    pub(crate) fn prefix(&self) -> Option<&str> {
        let text = self.text.filter(|text| text.starts_with(PREFIX.as_bytes()))?;
        text.utf8_chunks().next().map(|chunk| log_prefix(chunk.valid()))
    }
}

impl KeyArgs {
    /// Checks one after another. If there are none at all, that is checked as well.
    pub(crate) fn each(&self, mut check: impl FnMut(&Candidate<'_>) -> Ended) -> Ended {
        let stdin = [OsString::from("-")];
        let sources = if self.keys.is_empty() { stdin.as_slice() } else { &self.keys };
        let mut worst = None;
        for source in sources {
            let mut check = |candidate: &Candidate<'_>| {
                worst = worst.max(Some(check(candidate)?));
                Ok(())
            };
            if source == "-" {
                lines(io::stdin().lock(), &mut check)?;
            } else {
                check(&Candidate { text: Some(source.as_encoded_bytes()), line: None })?;
            }
        }
        match worst {
            Some(outcome) => Ok(outcome),
            None => check(&Candidate { text: None, line: None }),
        }
    }
}

/// Checks the lines that are not blank.
fn lines<C>(mut input: impl BufRead, mut check: C) -> Result<(), Box<dyn std::error::Error>>
where
    C: FnMut(&Candidate<'_>) -> Result<(), Box<dyn std::error::Error>>,
{
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let len = input.by_ref().take(MAX_LINE as u64).read_until(b'\n', &mut line)?;
        if len == 0 {
            break;
        }
        if len == MAX_LINE && !line.ends_with(b"\n") && is_envelope(&line) {
            input.by_ref().take((MAX_ENVELOPE - MAX_LINE) as u64).read_until(b'\n', &mut line)?;
        }
        let full = [MAX_LINE, MAX_ENVELOPE].contains(&line.len());
        let cut = line.pop_if(|byte| *byte == b'\n').is_none() && full;
        if cut {
            input.skip_until(b'\n')?;
        }
        line.pop_if(|byte| *byte == b'\r');
        if cut || !line.trim_ascii().is_empty() {
            check(&Candidate { text: Some(&line), line: Some(number) })?;
        }
    }
    Ok(())
}

/// Whether this can only be an envelope: a key starts with no brace.
pub(crate) fn is_envelope(text: &[u8]) -> bool {
    text.trim_ascii_start().starts_with(b"{")
}
